import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { exchange, exchangeRaw } from '../../../tests/support/clients/http-exchange.ts';
import { createBodyBuffers } from './body-buffers.ts';
import { bufferBytesMax } from './buffers.ts';
import { ClientLeft } from '../exchange.ts';
import type { Exchange } from '../exchange.ts';
import { lingerMs } from '../connections/linger.ts';
import type { Served } from '../../domain/served.ts';
import type { Handler, Incoming, Reply } from '../reply.ts';
import { createServer } from '../server.ts';
import { until } from '../../../tests/support/rigs/until.ts';

interface Rig extends AsyncDisposable {
  readonly port: number;
  readonly clock: FakeClock;
  readonly served: Served[];
}

const note = { route: 'none' };
const reply = (status: number, body?: string): Reply => ({
  status,
  headers: {},
  ...(body === undefined ? {} : { body }),
  note,
});

async function rig(handler: Handler): Promise<Rig> {
  const clock = createFakeClock();
  const served: Served[] = [];
  const server = await createServer({
    handler,
    listen: { host: '127.0.0.1', port: 0 },
    connectionsMax: 20,
    buffers: createBodyBuffers(bufferBytesMax, clock),
    timer: clock,
    onServed: (each) => served.push(each),
    replyTo: (error) => reply(500, String(error)),
  });
  return { port: server.port, clock, served, [Symbol.asyncDispose]: () => server.cut() };
}

async function lengthOf(body: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of body) length += chunk.length;
  return length;
}

async function connected(port: number): Promise<Socket> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1', resolve);
  await promise;
  return socket;
}

interface Blind {
  readonly answer: string;
  readonly error: string | undefined;
  /** Body bytes that the client wrote, framing left out. */
  readonly sent: number;
}

/** A client that writes its whole body before it reads a byte, as a blocking one does. */
async function writeBlindly(port: number, bytes: number, chunked: boolean): Promise<Blind> {
  const socket = await connected(port);
  socket.pause();
  let error: string | undefined;
  socket.on('error', (failure: NodeJS.ErrnoException) => (error = failure.code));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
  socket.write(`PUT / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
  const piece = Buffer.alloc(64 * 1024);
  let sent = 0;
  while (sent < bytes && !socket.destroyed) {
    const wire = chunked
      ? Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')])
      : piece;
    sent += piece.length;
    if (socket.write(wire)) continue;
    const drained = new Promise<void>((resolve) => socket.once('drain', () => resolve()));
    await Promise.race([drained, closed]);
  }
  if (chunked) socket.write('0\r\n\r\n');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await closed;
  return { answer: Buffer.concat(chunks).toString(), error, sent };
}

suite('a request body', () => {
  test('comes whole, and its connection goes on', async () => {
    await using r = await rig(async ({ body }) => reply(200, `<${await lengthOf(body)}>`));
    const large = 'x'.repeat(1_000_000);
    const text = await exchangeRaw(
      r.port,
      `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${large}` +
        'PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nabc\r\n0\r\n\r\n' +
        'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab',
    );
    deepEqual(text.match(/<\d+>/g), ['<1000000>', '<8>', '<2>']);
  });

  const announced: readonly (readonly [name: string, head: string, body: string, told: string])[] =
    [
      ['a length is told', 'PUT / HTTP/1.1\r\nContent-Length: 3', 'abc', '3 3'],
      ['a length of 0 is told', 'PUT / HTTP/1.1\r\nContent-Length: 0', '', '0 0'],
      [
        'chunks have no length before their end',
        'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked',
        '2\r\nab\r\n0\r\n\r\n',
        'undefined 2',
      ],
      ['a PUT without either is empty', 'PUT / HTTP/1.1', '', 'undefined 0'],
      ['a POST without either is empty', 'POST / HTTP/1.1', '', 'undefined 0'],
      ['a PATCH without either is empty', 'PATCH / HTTP/1.1', '', 'undefined 0'],
      ['a GET is empty', 'GET / HTTP/1.1', '', 'undefined 0'],
    ];
  for (const [name, head, body, told] of announced) {
    test(name, async () => {
      await using r = await rig(async (request) =>
        reply(200, `<${request.bodyBytes} ${await lengthOf(request.body)}>`),
      );
      const text = await exchangeRaw(
        r.port,
        `${head}\r\nHost: a\r\nConnection: close\r\n\r\n${body}`,
      );
      ok(text.includes(`<${told}>`), text);
    });
  }

  test('is read only once', async () => {
    await using r = await rig(async ({ body }) => {
      await lengthOf(body);
      return reply(200, String(await lengthOf(body)));
    });
    const text = await exchangeRaw(
      r.port,
      'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\na',
    );
    match(text, /^HTTP\/1\.1 500[^]*read only once/);
  });

  test('a client that expects it is told to go on at the first read', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    await using r = await rig(async ({ body }) => {
      await gate;
      return reply(200, String(await lengthOf(body)));
    });
    const socket = await connected(r.port);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    equal(text, '');
    open();
    await until(() => text !== '');
    equal(text, 'HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('ab');
    await until(() => text.includes('\r\n\r\n2'));
    socket.destroy();
  });

  test('a consumer that takes its time stops the client, and does not cut it', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: asked, resolve: hand } = Promise.withResolvers<Incoming>();
    await using r = await rig(async (request) => {
      let length = 0;
      for await (const chunk of request.body) {
        if (length === 0) {
          hand(request);
          await gate;
        }
        length += chunk.length;
      }
      return reply(200, `<${length}>`);
    });
    const bytes = 64 * 1024 * 1024;
    const client = writeBlindly(r.port, bytes, false);
    const { socket } = ((await asked) as Exchange).connection;
    for (let turn = 0; turn < 50; turn++) {
      r.clock.advance(5000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    ok(socket.bytesRead < 1024 * 1024, String(socket.bytesRead));
    open();
    await until(() => r.served.length === 1);
    socket.destroySoon();
    ok((await client).answer.includes(`<${bytes}>`));
  });

  test('a client that sends nothing for 60 s is cut', async () => {
    const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
    await using r = await rig(async ({ body }) => {
      await lengthOf(body).catch(fail);
      return reply(200);
    });
    const socket = await connected(r.port);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.resume().write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab');
    let cut = false;
    void closed.then(() => (cut = true));
    for (let passed = 0; passed < 60 && !cut; passed++) {
      r.clock.advance(5000);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await closed;
    ok((await failed) instanceof ClientLeft);
  });

  test('throws ClientLeft when the client goes before its end, after what came', async () => {
    const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
    let length = 0;
    await using r = await rig(async ({ body }) => {
      try {
        for await (const chunk of body) length += chunk.length;
      } catch (error) {
        fail(error);
      }
      return reply(200);
    });
    const socket = await connected(r.port);
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    await until(() => length === 3);
    socket.destroy();
    const error = await failed;
    ok(error instanceof ClientLeft);
    await rejects(Promise.reject(error), { name: 'ClientLeft' });
    await until(() => r.served.length === 1);
    equal(r.served[0]?.complete, false);
  });

  test('throws ClientLeft at the next read when the client went while nobody read', async () => {
    const { promise: gone, resolve: go } = Promise.withResolvers<void>();
    const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
    let length = 0;
    await using r = await rig(async (request) => {
      (request as Exchange).request.once('close', () => setImmediate(go));
      try {
        for await (const chunk of request.body) {
          length += chunk.length;
          await gone;
        }
        fail(new Error('an end'));
      } catch (error) {
        fail(error);
      }
      return reply(200);
    });
    const socket = await connected(r.port);
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    await until(() => length === 3);
    socket.destroy();
    ok((await failed) instanceof ClientLeft, String(await failed));
  });

  test('chunks that are no chunks are 400 and end the connection', async () => {
    const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
    await using r = await rig(async ({ body }) => {
      await lengthOf(body).catch(fail);
      return reply(200);
    });
    const text = await exchangeRaw(
      r.port,
      'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdefgh',
    );
    ok((await failed) instanceof ClientLeft);
    match(text, /^HTTP\/1\.1 400 /);
  });
});

suite('a request whose length can be read in two ways is refused', () => {
  const rows: readonly (readonly [name: string, fields: readonly string[]])[] = [
    ['both headers', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['both headers, the other way round', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5']],
    ['the same length twice', ['Content-Length: 4', 'Content-Length: 4']],
    ['a list of lengths', ['Content-Length: 4, 5']],
    ['a signed length', ['Content-Length: +4']],
    ['a hexadecimal length', ['Content-Length: 0x4']],
    ['an immense length', ['Content-Length: 99999999999999999999']],
    ['chunked that is not last', ['Transfer-Encoding: chunked, identity']],
    ['an unknown coding', ['Transfer-Encoding: xchunked']],
    ['a space before the colon', ['Transfer-Encoding : chunked']],
    ['a folded field', ['Transfer-Encoding:', ' chunked', 'Content-Length: 4']],
  ];
  for (const [name, fields] of rows) {
    test(name, async () => {
      const seen: string[] = [];
      await using r = await rig(async ({ path, body }) => {
        seen.push(path);
        await lengthOf(body).catch(() => undefined);
        return reply(200);
      });
      const text = await exchangeRaw(
        r.port,
        `POST /first HTTP/1.1\r\nHost: a\r\n${fields.join('\r\n')}\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`,
      );
      match(text, /^HTTP\/1\.1 400 [^]*Connection: close/);
      ok(!seen.includes('/hidden'));
    });
  }

  test('chunked twice', async () => {
    const seen: string[] = [];
    await using r = await rig(async ({ path, body }) => {
      seen.push(path);
      return reply(200, `<${await lengthOf(body)}>`);
    });
    const text = await exchangeRaw(
      r.port,
      'POST /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    match(text, /^HTTP\/1\.1 (?:400 |200 [^]*<1>)/);
    ok(!seen.includes('/hidden'), 'no other reading of it');
  });
});

suite('an answer before the end of the body', () => {
  const bytes = 50 * 1024 * 1024;
  const rows: readonly (readonly [name: string, chunked: boolean, handler: Handler])[] = [
    ['unread', false, async () => reply(413, 'too large')],
    ['unread, in chunks', true, async () => reply(413, 'too large')],
    ['unread, and the answer has no body', false, async () => reply(413)],
    [
      'partly read',
      false,
      async ({ body }) => {
        for await (const chunk of body) if (chunk.length > 0) break;
        return reply(413, 'too large');
      },
    ],
    [
      'partly read in chunks, by a bound',
      true,
      async (request) => {
        await request.readBody(1000).catch(() => undefined);
        return reply(413, 'too large');
      },
    ],
  ];
  for (const [name, chunked, handler] of rows) {
    test(`is seen by a client that writes everything first: ${name}`, async () => {
      await using r = await rig(handler);
      const { answer, error, sent } = await writeBlindly(r.port, bytes, chunked);
      match(answer, /^HTTP\/1\.1 413 [^]*Connection: close/);
      deepEqual([error, sent, r.served.length], [undefined, bytes, 1]);
      equal(r.served[0]?.complete, true);
    });
  }

  test('does not hold a connection of a client that never ends', async () => {
    await using r = await rig(async () => reply(401, 'who?'));
    const socket = await connected(r.port);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => socket.once('end', () => resolve()));
    socket.allowHalfOpen = true;
    socket.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${2 ** 40}\r\n\r\nabc`);
    await ended;
    match(answer, /^HTTP\/1\.1 401 [^]*who\?$/);
    equal(socket.destroyed, false);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    r.clock.advance(lingerMs);
    const sending = setInterval(() => socket.write('more'), 1);
    await closed;
    clearInterval(sending);
  });

  test('leaves the connection open after a small body that nobody read to its end', async () => {
    await using r = await rig(async ({ path, body }) => {
      if (path === '/part') for await (const chunk of body) if (chunk.length > 0) break;
      return reply(200, `<${path}>`);
    });
    const socket = await connected(r.port);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    for (const path of ['/part', '/none']) {
      socket.write(`PUT ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc`);
      await until(() => text.includes(`<${path}>`));
      socket.write('def');
    }
    socket.write('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await until(() => text.includes('</next>'));
  });

  test('a small body that does not come is not awaited without end', async () => {
    await using r = await rig(async () => reply(200, 'early'));
    const socket = await connected(r.port);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.resume().write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
    await until(() => r.served.length === 1);
    r.clock.advance(lingerMs);
    await closed;
  });
});

test('bodies that are read whole share one memory; one that stalls goes once another needs it', async () => {
  const mebibyte = 1024 * 1024;
  await using r = await rig(async (request) => {
    const { length } = await request.readBody(100 * mebibyte);
    return reply(200, `<${length}>`);
  });
  const stalled = await connected(r.port);
  const gone = new Promise<void>((resolve) => stalled.once('close', () => resolve()));
  stalled.on('error', () => undefined);
  stalled.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${30 * mebibyte}\r\n\r\n`);
  const ask = async (): Promise<string> =>
    (await exchange(r.port, '/', { method: 'PUT', body: Buffer.alloc(8 * mebibyte) })).text;

  let refused = '';
  // Its head is still on its way through the system for a moment.
  for (let tries = 0; refused.startsWith('<') || refused === ''; tries++) {
    ok(tries < 500, 'the memory was never used up');
    refused = await ask().catch(() => '');
  }
  match(refused, /too many request bodies are being read/);
  r.clock.advance(3000);
  equal(await ask(), `<${8 * mebibyte}>`);
  await gone;
});

test('a body that is read whole takes no more memory for coming byte by byte', async () => {
  const bytes = 300_000;
  await using r = await rig(async (request) => {
    const body = await request.readBody(bytes);
    return reply(200, `<${body.length} ${body.every((byte) => byte === 0x78)}>`);
  });
  const client = await connected(r.port);
  client.write(`PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
  client.end(`${'1\r\nx\r\n'.repeat(bytes)}0\r\n\r\n`);
  let answer = '';
  for await (const chunk of client) answer += String(chunk);
  match(answer, new RegExp(`<${bytes} true>`));
});
