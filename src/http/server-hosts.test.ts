import { deepEqual, equal, match } from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { exchangeRaw } from '../../tests/support/clients/http-exchange.ts';
import { parseIpBlock } from '../domain/names/ip-address.ts';
import { createBodyBuffers } from './bodies/body-buffers.ts';
import type { Served } from '../domain/served.ts';
import type { Incoming } from './reply.ts';
import type { RunningServer } from './server.ts';
import { createServer } from './server.ts';

interface Rig extends AsyncDisposable {
  readonly server: RunningServer;
  readonly seen: Incoming[];
  readonly served: Served[];
}

async function rig(trusted: readonly string[] = []): Promise<Rig> {
  const clock = createFakeClock();
  const seen: Incoming[] = [];
  const served: Served[] = [];
  const server = await createServer({
    handler: async (incoming) => {
      seen.push(incoming);
      return { status: 204, headers: {}, note: { route: 'none' } };
    },
    listen: { host: '127.0.0.1', port: 0 },
    connectionsMax: 10,
    buffers: createBodyBuffers(1024 * 1024, clock),
    timer: clock,
    onServed: (each) => served.push(each),
    clients: {
      trustedProxies: () => trusted.flatMap((text) => parseIpBlock(text) ?? []),
      isOwnName: (hostname) => hostname === 'registry.example.com',
    },
  });
  return { server, seen, served, [Symbol.asyncDispose]: () => server.cut() };
}

/** Status of the first answer; the connection ends behind it. */
async function ask(server: RunningServer, lines: readonly string[]): Promise<number> {
  const text = await exchangeRaw(server.port, `${lines.join('\r\n')}\r\n\r\n`);
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

const close = 'Connection: close';

suite('a request names one host:', () => {
  const rows: readonly (readonly [name: string, lines: readonly string[], status: number])[] = [
    ['one Host', ['GET / HTTP/1.1', 'Host: a'], 204],
    ['no Host', ['GET / HTTP/1.1'], 400],
    ['two that differ', ['GET / HTTP/1.1', 'Host: a', 'Host: b'], 400],
    ['two in other letters', ['GET / HTTP/1.1', 'Host: a', 'hOST: b'], 400],
    ['the same twice', ['GET / HTTP/1.1', 'Host: a', 'Accept: */*', 'Host: a'], 400],
    ['a target with the same host', ['GET http://a:5000/v2/ HTTP/1.1', 'Host: a:5000'], 204],
    ['a target with its default port', ['GET https://A/v2/ HTTP/1.1', 'Host: a:443'], 204],
    ['a target with another host', ['GET http://b/v2/ HTTP/1.1', 'Host: a'], 400],
    ['a target with another port', ['GET http://a:81/v2/ HTTP/1.1', 'Host: a'], 400],
    ['a target with a user name', ['GET http://a@a/v2/ HTTP/1.1', 'Host: a'], 400],
    ['a target of another scheme', ['GET ftp://a/v2/ HTTP/1.1', 'Host: a'], 400],
    ['a path that holds a URL', ['GET /v2/?u=http://b/ HTTP/1.1', 'Host: a'], 204],
    ['a push with two', ['POST / HTTP/1.1', 'Host: a', 'Host: b', 'Content-Length: 0'], 400],
  ];
  for (const [name, lines, status] of rows) {
    test(`${name} is ${status}`, async () => {
      await using r = await rig();
      equal(await ask(r.server, [...lines, close]), status);
      equal(r.seen.length, status === 204 ? 1 : 0, 'the handler sees what is right alone');
      if (status === 400 && name !== 'no Host')
        deepEqual(
          r.served.map(({ reply }) => reply.status),
          [400],
          'the log is told',
        );
    });
  }

  test('the answer says what is wrong, and the connection ends', async () => {
    await using r = await rig();
    const text = await exchangeRaw(
      r.server.port,
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    match(text, /^HTTP\/1\.1 400 [^]*Host is there twice\n$/);
    equal(r.seen.length, 0);
  });
});

suite('the id of a request is', () => {
  const own = /^[\da-f]{12}-[\da-z]+$/;
  const hex = 'ab'.repeat(16);
  const trace = `traceparent: 00-${hex}-${'cd'.repeat(8)}-01`;
  const rows: readonly (readonly [name: string, lines: readonly string[], id: string | RegExp])[] =
    [
      ['its own where no proxy names it', [], own],
      ['what a trusted proxy says', ['X-Request-Id: 7f3c-9.a_b:c/+=@'], '7f3c-9.a_b:c/+=@'],
      ['of 128 characters', [`X-Request-Id: ${'a'.repeat(128)}`], 'a'.repeat(128)],
      ['its own where that is longer', [`X-Request-Id: ${'a'.repeat(129)}`], own],
      ['its own where that is empty', ['X-Request-Id:'], own],
      ['its own where that has a space', ['X-Request-Id: a b'], own],
      ['its own where that has a quote', ['X-Request-Id: a"b'], own],
      ['its own where there are two', ['X-Request-Id: a', 'X-Request-Id: b'], own],
      ['trace and parent of a traceparent', [trace], `${hex}-${'cd'.repeat(8)}`],
      ['the id where both are there', [trace, 'X-Request-Id: mine'], 'mine'],
      [
        'the trace where the id is no good',
        [trace, 'X-Request-Id: a b'],
        `${hex}-${'cd'.repeat(8)}`,
      ],
      ['its own where the trace is all zeros', [trace.replace(hex, '0'.repeat(32))], own],
      ['its own where the trace is of another version', [trace.replace('00-', '01-')], own],
      ['its own where the trace is in capitals', [trace.replaceAll('ab', 'AB')], own],
    ];
  for (const [name, lines, id] of rows)
    test(name, async () => {
      await using r = await rig(['127.0.0.1']);
      const text = await exchangeRaw(
        r.server.port,
        ['GET / HTTP/1.1', 'Host: a', ...lines, close, '', ''].join('\r\n'),
      );
      const answered = /^x-request-id: (.*)$/im.exec(text)?.[1] ?? '';
      if (typeof id === 'string') equal(answered, id);
      else match(answered, id);
      equal(r.seen[0]?.id, answered, 'the handler knows it by the same');
    });

  test('its own, whatever a client that is no trusted proxy says', async () => {
    await using r = await rig(['192.0.2.1']);
    const head = ['GET / HTTP/1.1', 'Host: a', 'X-Request-Id: mine', trace, close];
    await ask(r.server, head);
    match(r.seen[0]?.id ?? '', own);
  });
});

suite('who asks is told to the handler:', () => {
  const rows: readonly (readonly [
    name: string,
    trusted: readonly string[],
    lines: readonly string[],
    expected: Partial<Incoming>,
  ])[] = [
    [
      'somebody on this machine',
      [],
      ['GET / HTTP/1.1', 'Host: localhost:5000'],
      { clientAddress: '127.0.0.1', host: 'localhost:5000', isLoopback: true, isProxied: false },
    ],
    [
      'a foreign name that leads here',
      [],
      ['GET / HTTP/1.1', 'Host: evil.example'],
      { clientAddress: '127.0.0.1', host: 'evil.example', isLoopback: false, isProxied: false },
    ],
    [
      'by one of our names',
      [],
      ['GET / HTTP/1.1', 'Host: registry.example.com'],
      { isLoopback: true },
    ],
    [
      'a proxy that is not known',
      [],
      ['GET / HTTP/1.1', 'Host: localhost', 'X-Forwarded-For: 203.0.113.9'],
      { clientAddress: '127.0.0.1', host: 'localhost', isLoopback: false, isProxied: true },
    ],
    [
      'nginx as it is by default',
      [],
      ['GET / HTTP/1.0', 'Host: 127.0.0.1:5000'],
      { clientAddress: '127.0.0.1', isLoopback: false, isProxied: true },
    ],
    [
      'a proxy that is trusted',
      ['127.0.0.0/8'],
      [
        'GET / HTTP/1.1',
        'Host: 127.0.0.1:5000',
        'X-Forwarded-For: 203.0.113.9',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: registry.example.com',
      ],
      {
        clientAddress: '203.0.113.9',
        secure: true,
        host: 'registry.example.com',
        isLoopback: false,
        isProxied: false,
      },
    ],
    [
      'another proxy is trusted',
      ['127.0.0.2'],
      ['GET / HTTP/1.1', 'Host: 127.0.0.1:5000', 'X-Forwarded-For: 203.0.113.9'],
      { clientAddress: '127.0.0.1', isLoopback: false, isProxied: true },
    ],
  ];
  for (const [name, trusted, lines, expected] of rows) {
    test(name, async () => {
      await using r = await rig(trusted);
      equal(await ask(r.server, [...lines, close]), 204);
      const [seen] = r.seen;
      const told = Object.fromEntries(
        Object.keys(expected).map((key) => [key, seen?.[key as keyof Incoming]]),
      );
      deepEqual(told, expected);
    });
  }

  test('a proxy that is named, or no longer, while its connection goes on counts from the next request on', async () => {
    const trusted: string[] = [];
    await using r = await rig(trusted);
    const forwarded = 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n';
    const socket = connect(r.server.port, '127.0.0.1');
    const asked = async (): Promise<string | undefined> => {
      socket.write(`${forwarded}\r\n`);
      await once(socket, 'data');
      return r.seen.at(-1)?.clientAddress;
    };
    equal(await asked(), '127.0.0.1');
    trusted.push('127.0.0.1');
    equal(await asked(), '203.0.113.9');
    trusted.pop();
    equal(await asked(), '127.0.0.1');
    socket.destroy();
  });

  test('a foreign name behind one of ours on a connection that goes on', async () => {
    await using r = await rig();
    await exchangeRaw(
      r.server.port,
      `GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: evil.example\r\n${close}\r\n\r\n`,
    );
    deepEqual(
      r.seen.map(({ isLoopback }) => isLoopback),
      [true, false],
    );
  });
});
