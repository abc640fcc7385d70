import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { exchange, exchangeRaw } from '../../tests/support/clients/http-exchange.ts';
import type { ByteReader, ByteSource } from '../domain/byte-source.ts';
import { RegistryError } from '../domain/errors.ts';
import { createBodyBuffers } from './bodies/body-buffers.ts';
import type { BodyBuffers } from './bodies/body-buffers.ts';
import { bufferBytesMax } from './bodies/buffers.ts';
import type { ReadBuffer } from './bodies/buffers.ts';
import type { Served } from '../domain/served.ts';
import type { Handler, Incoming, Reply } from './reply.ts';
import { createServer } from './server.ts';
import type { RunningServer } from './server.ts';
import { until } from '../../tests/support/rigs/until.ts';

interface Rig extends AsyncDisposable {
  readonly server: RunningServer;
  readonly port: number;
  readonly clock: FakeClock;
  readonly buffers: BodyBuffers;
  readonly served: Served[];
  readonly errors: unknown[];
}

const note = { route: 'none' };
const ok200 = (body: Reply['body']): Reply => ({
  status: 200,
  headers: {},
  ...(body === undefined ? {} : { body }),
  note,
});

async function rig(handler: Handler, budget: number = bufferBytesMax): Promise<Rig> {
  const clock = createFakeClock();
  const buffers = createBodyBuffers(budget, clock);
  const served: Served[] = [];
  const errors: unknown[] = [];
  const server = await createServer({
    handler,
    listen: { host: '127.0.0.1', port: 0 },
    connectionsMax: 200,
    buffers,
    timer: clock,
    onServed: (each) => served.push(each),
    onError: (error) => errors.push(error),
    replyTo: (error) =>
      error instanceof RegistryError
        ? { status: 503, headers: { 'Retry-After': '1' }, body: error.code, note }
        : { status: 500, headers: {}, body: 'broken', note },
  });
  return {
    server,
    port: server.port,
    clock,
    buffers,
    served,
    errors,
    [Symbol.asyncDispose]: () => server.cut(),
  };
}

/** Zeros without end, or up to a size; counts its readers. */
function zeros(size: number | undefined, readers = { open: 0 }): ByteSource {
  return {
    size,
    open: async () => {
      readers.open += 1;
      return {
        read: async (into) => into.length,
        [Symbol.asyncDispose]: async () => {
          readers.open -= 1;
        },
      };
    },
  };
}

function countedReader(onRead: () => void): ByteReader {
  return {
    read: async (into) => {
      onRead();
      return into.length;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Two clients from elsewhere hold all memory until they are told to let go. */
function holdAll(buffers: BodyBuffers): () => void {
  const holders = ['192.0.2.1', '192.0.2.2'].map((address) => {
    const place = buffers.join(address, {
      writingSinceMs: undefined,
      steady: false,
      cut: () => undefined,
    });
    const held: ReadBuffer[] = [];
    for (let next = place.takeNow(1024); next !== undefined; next = place.takeNow(1024))
      held.push(next);
    return { place, held };
  });
  return () => {
    for (const { place, held } of holders) {
      for (const buffer of held) place.release(buffer);
      place[Symbol.dispose]();
    }
  };
}

/** A client that takes the headers and then nothing. */
async function stalled(port: number): Promise<{ sent: ClientRequest; answer: IncomingMessage }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    sent: ClientRequest;
    answer: IncomingMessage;
  }>();
  const sent = request({ host: '127.0.0.1', port, agent: false }, (answer) => {
    answer.pause();
    resolve({ sent, answer });
  });
  sent.on('error', reject);
  sent.end();
  return promise;
}

suite('server', () => {
  test('a client that takes nothing for 60 s is cut, its reader closed and its buffers back', async () => {
    const readers = { open: 0 };
    await using r = await rig(async () => ok200(zeros(1e12, readers)));
    const { answer } = await stalled(r.port);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    answer.on('error', () => undefined).on('close', resolve);
    await until(() => r.buffers.usedBytes > 0);
    for (let passed = 0; passed < 40 && r.served.length === 0; passed++) {
      r.clock.advance(5000);
      await new Promise((resolveNow) => setTimeout(resolveNow, 5));
    }
    await until(() => r.served.length === 1);
    answer.resume();
    await closed;
    deepEqual(
      [r.served[0]?.complete, readers.open, r.buffers.usedBytes, r.errors],
      [false, 0, 0, []],
    );
  });

  test('a client that leaves gives back its reader and its buffers', async () => {
    const readers = { open: 0 };
    await using r = await rig(async () => ok200(zeros(undefined, readers)));
    const { sent, answer } = await stalled(r.port);
    answer.on('error', () => undefined);
    await until(() => r.buffers.usedBytes > 0);
    sent.destroy();
    await until(() => r.served.length === 1 && readers.open === 0);
    deepEqual([r.served[0]?.complete, r.buffers.usedBytes, r.errors], [false, 0, []]);
  });

  test('the signal of a request aborts when its client leaves', async () => {
    const { promise: asked, resolve: hand } = Promise.withResolvers<Incoming>();
    await using r = await rig(async (incoming) => {
      hand(incoming);
      await new Promise<void>((resolve) =>
        incoming.signal.addEventListener('abort', () => resolve()),
      );
      return ok200('late');
    });
    const socket = connect(r.port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    );
    const incoming = await asked;
    socket.destroy();
    await until(() => r.served.length === 1);
    deepEqual([incoming.signal.aborted, r.served[0]?.complete], [true, false]);
  });

  test('a body without a buffer waits its turn, then is 503 with Retry-After', async () => {
    await using r = await rig(async () => ok200(zeros(1e12)));
    holdAll(r.buffers);
    const late = exchange(r.port, '/');
    await until(() => r.buffers.waiting === 1);
    r.clock.advance(10_000);
    const answer = await late;
    deepEqual(
      [answer.status, answer.headers['retry-after'], answer.text],
      [503, '1', 'unavailable'],
    );
    deepEqual([r.buffers.waiting, r.buffers.bodies], [0, 2]);
  });

  test('a body whose turn comes is sent', async () => {
    await using r = await rig(async () => ok200(zeros(10)));
    const free = holdAll(r.buffers);
    const late = exchange(r.port, '/');
    await until(() => r.buffers.waiting === 1);
    free();
    equal((await late).bytes.length, 10);
    await until(() => r.buffers.bodies === 0);
    deepEqual([r.buffers.waiting, r.buffers.usedBytes], [0, 0]);
  });

  test('a client that leaves while it waits for a buffer leaves the queue', async () => {
    const readers = { open: 0 };
    await using r = await rig(async () => ok200(zeros(10, readers)));
    const free = holdAll(r.buffers);
    const sent = request({ host: '127.0.0.1', port: r.port, agent: false });
    sent.on('error', () => undefined).end();
    await until(() => r.buffers.waiting === 1);
    sent.destroy();
    await until(() => r.served.length === 1);
    deepEqual([r.buffers.waiting, r.buffers.bodies, readers.open, r.errors], [0, 2, 0, []]);
    free();
    equal(r.buffers.usedBytes, 0);
  });

  test('where clients stopped reading, another address waits for no buffer, and the same one gets one in time', async () => {
    const handler: Handler = async ({ path }) => ok200(zeros(path === '/small' ? 10 : 1e12));
    await using r = await rig(handler, 4 * bufferBytesMax);
    const clients = Array.from({ length: 60 }, () => stalled(r.port).catch(() => undefined));
    await until(() => r.buffers.waiting > 0);
    equal((await exchange(r.port, '/small', { from: '127.0.0.2' })).bytes.length, 10);
    const whole = (): number => r.served.filter(({ complete }) => complete).length;
    const same = exchange(r.port, '/small');
    for (let passed = 0; passed < 80 && whole() < 2; passed += 1) {
      r.clock.advance(250);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    equal((await same).bytes.length, 10);
    ok(r.served.length - whole() < clients.length, 'all were cut');
  });

  test('beside bodies that stand one that is read goes out in large pieces, once it is steady', async () => {
    const pieces: number[] = [];
    const source: ByteSource = {
      size: 8 * bufferBytesMax,
      open: async () => ({
        read: async (into) => pieces.push(into.length) && into.length,
        [Symbol.asyncDispose]: async () => undefined,
      }),
    };
    await using r = await rig(async () => ok200(source), 4 * bufferBytesMax);
    const writingSinceMs = r.clock.elapsed();
    for (let n = 0; n < 40; n += 1) {
      const holder = { writingSinceMs, steady: false, cut: () => undefined };
      equal(r.buffers.join('127.0.0.1', holder).takeNow(64 * 1024)?.bytes.length, 64 * 1024);
    }
    r.clock.advance(1000);
    equal((await exchange(r.port, '/')).bytes.length, 8 * bufferBytesMax);
    deepEqual([...new Set(pieces)], [64 * 1024, 256 * 1024]);
    equal(pieces.indexOf(256 * 1024), 4 * 16);
  });

  test('a client that stopped reading is cut, and its buffer goes to who waits', async () => {
    let reads = 0;
    const counted = { ...zeros(1e12), open: async () => countedReader(() => (reads += 1)) };
    await using r = await rig(async () => ok200(counted));
    await stalled(r.port);
    // The system takes some megabytes of what is written to a client that reads nothing.
    for (let before = -1, same = 0; same < 40; same = before === reads ? same + 1 : 0) {
      before = reads;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const free = holdAll(r.buffers);
    const place = r.buffers.join('127.0.0.1', {
      writingSinceMs: undefined,
      steady: false,
      cut: () => undefined,
    });
    let given: ReadBuffer | undefined;
    void place.take(1024).then((buffer) => (given = buffer));
    for (let passed = 0; passed < 80 && given === undefined; passed += 1) {
      r.clock.advance(250);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    deepEqual(
      r.served.map(({ complete }) => complete),
      [false],
    );
    ok(given !== undefined);
    place.release(given);
    place[Symbol.dispose]();
    free();
    equal(r.buffers.usedBytes, 0);
  });

  test('a response behind another one of its connection takes no buffer before its turn', async () => {
    await using r = await rig(async () => ok200(zeros(1e12)));
    const socket = connect(r.port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3)),
    );
    socket.on('error', () => undefined).pause();
    await until(() => r.server.inFlight === 3 && r.buffers.bodies === 1);
    socket.destroy();
    await until(() => r.served.length === 3);
    deepEqual([r.buffers.bodies, r.buffers.usedBytes, r.errors], [0, 0, []]);
  });

  test('who waits for bytes of an upstream holds no buffer', async () => {
    let arrived = 0;
    let wake = (): void => {};
    const arriving: ByteSource = {
      size: 20,
      open: async () => ({
        arrival: {
          isHere: () => arrived > 0,
          wait: () => new Promise((resolve) => (wake = resolve)),
        },
        read: async (into) => {
          ok(arrived > 0, 'read before anything was there');
          into.fill(1, 0, arrived);
          return arrived + (arrived = 0);
        },
        [Symbol.asyncDispose]: async () => {},
      }),
    };
    await using r = await rig(async () => ok200(arriving));
    const answer = exchange(r.port, '/');
    const waits = (): boolean => r.buffers.bodies === 1 && r.buffers.usedBytes === 0;
    await until(waits);
    arrived = 12;
    wake();
    await until(() => arrived === 0 && waits());
    arrived = 8;
    wake();
    equal((await answer).bytes.length, 20);
  });

  test('a hundred clients share the budget and each gets every byte', async () => {
    const size = 1_000_000;
    await using r = await rig(async () => ok200(zeros(size)), 4 * bufferBytesMax);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, r.buffers.usedBytes)), 1);
    const answers = await Promise.all(Array.from({ length: 100 }, () => exchange(r.port, '/')));
    clearInterval(watch);
    ok(answers.every(({ complete, bytes }) => complete && bytes.length === size));
    ok(most <= r.buffers.budgetBytes);
    await until(() => r.buffers.usedBytes === 0);
  });

  const broken: readonly (readonly [name: string, handler: Handler])[] = [
    ['rejects', async () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    [
      'answers with a header that cannot be sent',
      async () => ({ status: 200, headers: { 'X-Bad': 'a\r\nb' }, body: 'x', note }),
    ],
    [
      'answers with a source that does not open',
      async () => ok200({ size: 5, open: () => Promise.reject(new Error('no')) }),
    ],
  ];
  for (const [name, handler] of broken) {
    test(`a handler that ${name} is 500 and told once`, async () => {
      await using r = await rig(handler);
      const answer = await exchange(r.port, '/');
      deepEqual([answer.status, answer.text, r.served.length], [500, 'broken', 1]);
      match(String(answer.headers['x-request-id']), /^[0-9a-f]{12}-0$/);
    });
  }

  test('pipelined requests are answered in their order', async () => {
    // Only the first has to be waited for.
    await using r = await rig(({ path, query }) => {
      const reply = ok200(`${path}?${query};`);
      return path === '/slow'
        ? new Promise((resolve) => setTimeout(() => resolve(reply), 20))
        : reply;
    });
    const text = await exchangeRaw(
      r.port,
      ['/slow?a', '/fast'].map((each) => `GET ${each} HTTP/1.1\r\nHost: a\r\n\r\n`).join('') +
        'GET http://A/abs?q=1 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n',
    );
    deepEqual(
      [...text.matchAll(/(\/\w+\?[^;]*);/g)].map(([, found]) => found),
      ['/slow?a', '/fast?', '/abs?q=1'],
    );
  });

  test('a client that pipelines without measure is cut off', async () => {
    let most = 0;
    await using r = await rig(async () => {
      most = Math.max(most, r.server.inFlight);
      await new Promise(() => undefined);
      return ok200('');
    });
    await exchangeRaw(r.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(500));
    ok(most <= 65, String(most));
  });

  test('a request body is read up to its bound', async () => {
    await using r = await rig(async (incoming) => ok200(await incoming.readBody(10)));
    equal((await exchange(r.port, '/', { method: 'POST', body: 'ten bytes!' })).text, 'ten bytes!');
    const large = await exchange(r.port, '/', { method: 'POST', body: 'eleven byte' });
    deepEqual([large.status, large.text], [503, 'requestTooLarge']);
    const chunked = await exchangeRaw(
      r.port,
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n',
    );
    match(chunked, /^HTTP\/1\.1 503 [\s\S]*Connection: close/);
  });

  test('100 Continue is sent only when the body is wanted', async () => {
    await using r = await rig(async (incoming) =>
      ok200(incoming.path === '/read' ? await incoming.readBody(10) : 'unread'),
    );
    const ask = (path: string): Promise<string> =>
      exchangeRaw(
        r.port,
        `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n${path === '/read' ? 'ab' : ''}`,
      );
    match(await ask('/read'), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    match(await ask('/no'), /^HTTP\/1\.1 200 OK[\s\S]*Connection: close/);
  });
});

suite('the end of a server', () => {
  test('draining lets a running reply finish, refuses new connections and closes idle ones', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    await using r = await rig(async () => {
      await gate;
      return ok200('done');
    });
    const running = exchange(r.port, '/');
    await until(() => r.server.inFlight === 1);
    const idle = exchangeRaw(r.port, '');
    const drained = r.server.drain(1000);
    equal(await idle, '');
    await exchange(r.port, '/').then(
      () => ok(false, 'a new connection was accepted'),
      () => undefined,
    );
    open();
    const answer = await running;
    deepEqual(
      [answer.text, answer.headers.connection, await drained],
      ['done', 'close', 'drained'],
    );
  });

  test('what is left after the deadline is cut', async () => {
    await using r = await rig(async () => ok200(zeros(1e12)));
    const { answer } = await stalled(r.port);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    answer.on('error', () => undefined).on('close', resolve);
    const drained = r.server.drain(500);
    r.clock.advance(500);
    equal(await drained, 'cut');
    answer.resume();
    await closed;
    await until(() => r.served.length === 1 && r.buffers.usedBytes === 0);
    equal(r.served[0]?.complete, false);
  });

  test('a port that is taken is an error, not a crash', async () => {
    await using r = await rig(async () => ok200(''));
    const second = createServer({
      handler: async () => ok200(''),
      listen: { host: '127.0.0.1', port: r.port },
      connectionsMax: 1,
      buffers: r.buffers,
      timer: r.clock,
    });
    await second.then(
      () => ok(false),
      (error: NodeJS.ErrnoException) => equal(error.code, 'EADDRINUSE'),
    );
  });
});
