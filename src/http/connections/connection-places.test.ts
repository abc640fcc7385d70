import { deepEqual, equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { get as getSecurely } from 'node:https';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { suite, test } from 'node:test';
import { createTestAuthority } from '../../../tests/support/samples/certificates.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { createBodyBuffers } from '../bodies/body-buffers.ts';
import { bufferBytesMax } from '../bodies/buffers.ts';
import { createServer } from '../server.ts';
import type { RunningServer, TlsPair } from '../server.ts';

const connectionsMax = 6;
const crowd = '127.0.0.9';
const guest = '127.0.0.10';

interface Rig extends AsyncDisposable {
  readonly server: RunningServer;
  /** The clients' ends, destroyed with the rig. */
  readonly held: Socket[];
  /** Requests for `/wait`, which are not answered. */
  readonly waiting: { count: number };
}

async function rig(tls?: TlsPair): Promise<Rig> {
  const clock = createFakeClock();
  const waiting = { count: 0 };
  const note = { route: 'none' };
  const server = await createServer({
    handler: ({ path }) => {
      if (path !== '/wait') return { status: 200, headers: {}, body: 'here', note };
      waiting.count += 1;
      return new Promise(() => {});
    },
    listen: { host: '127.0.0.1', port: 0 },
    ...(tls === undefined ? {} : { tls }),
    connectionsMax,
    buffers: createBodyBuffers(bufferBytesMax, clock),
    timer: clock,
  });
  const held: Socket[] = [];
  return {
    server,
    waiting,
    held,
    [Symbol.asyncDispose]: async () => {
      await server.cut();
      for (const socket of held) socket.destroy();
    },
  };
}

/** Connections of one address that have sent this, in the order in which they came. */
async function hold(
  { server, waiting, held }: Rig,
  count: number,
  text: string,
): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const before = waiting.count;
  for (let at = 0; at < count; at += 1) {
    const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: crowd });
    socket.on('error', () => {});
    sockets.push(socket);
    held.push(socket);
    await once(socket, 'connect');
    socket.resume().write(text);
  }
  if (text.includes('/wait'))
    await until(() => (waiting.count === before + count ? true : undefined), 'all wait');
  return sockets;
}

/** The body, or what became of the connection. */
function ask(port: number, localAddress: string, secure = false): Promise<string> {
  return new Promise((resolve) => {
    const options = { port, host: '127.0.0.1', localAddress, agent: new Agent() };
    const request = secure
      ? getSecurely({ ...options, agent: false, rejectUnauthorized: false })
      : get(options);
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve(body));
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'failed'));
  });
}

async function endedOf(sockets: readonly Socket[], count: number): Promise<readonly number[]> {
  const ended = (): number[] => sockets.flatMap((socket, at) => (socket.closed ? [at] : []));
  return until(() => (ended().length >= count ? ended() : undefined), 'closed');
}

const wait = 'GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n';
const crowds: readonly (readonly [name: string, text: string, first: number])[] = [
  ['say nothing', '', 0],
  ['never end their headers', 'GET / HTTP/1.1\r\nHost: localhost\r\n', 0],
  ['keep what they no longer use', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', 0],
  ['all wait for an answer', wait, connectionsMax - 1],
];

suite('the connections of a listener', () => {
  for (const [name, text, first] of crowds) {
    test(`of an address that takes all of them and whose clients ${name}, one gives way to another address`, async () => {
      await using r = await rig();
      const sockets = await hold(r, connectionsMax, text);
      equal(await ask(r.server.port, guest), 'here');
      deepEqual(await endedOf(sockets, 1), [first]);
    });
  }

  test('are taken from the address that has most, whoever comes', async () => {
    await using r = await rig();
    const sockets = await hold(r, connectionsMax - 1, wait);
    const own = connect({ port: r.server.port, host: '127.0.0.1', localAddress: guest });
    await once(own, 'connect');
    for (let round = 0; round < 3; round += 1) equal(await ask(r.server.port, guest), 'here');
    ok(!own.closed);
    deepEqual(await endedOf(sockets, 1), [connectionsMax - 2]);
    own.destroy();
  });

  test('of one address that are all in use refuse it a further one, and none of them ends', async () => {
    await using r = await rig();
    const sockets = await hold(r, connectionsMax, wait);
    equal(await ask(r.server.port, crowd), 'ECONNRESET');
    deepEqual(
      sockets.map(({ closed }) => closed),
      sockets.map(() => false),
    );
  });

  test('of one address give way to its new ones where they are not in use', async () => {
    await using r = await rig();
    const sockets = await hold(r, connectionsMax, '');
    equal(await ask(r.server.port, crowd), 'here');
    deepEqual(await endedOf(sockets, 1), [0]);
  });

  test('count from the beginning of a TLS handshake', async () => {
    const authority = await createTestAuthority();
    await using r = await rig(await authority.issue(['localhost']));
    const sockets = await hold(r, connectionsMax, '');
    for (let round = 0; round < 2; round += 1) equal(await ask(r.server.port, guest, true), 'here');
    ok((await endedOf(sockets, 1)).includes(0));
  });
});
