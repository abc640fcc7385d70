import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { RegistryError } from '../../domain/errors.ts';
import { FairMemory } from '../../coordination/fair-memory.ts';
import { createBodyBuffers } from './body-buffers.ts';
import { heldBody } from './held-body.ts';
import type { Reply } from '../reply.ts';
import { createServer } from '../server.ts';
import type { WholeBodies } from './whole-bodies.ts';
import { createWholeBodies } from './whole-bodies.ts';
import { until } from '../../../tests/support/rigs/until.ts';

const mebibyte = 1024 * 1024;
const note = { route: 'none' };

interface Rig extends AsyncDisposable {
  readonly port: number;
  readonly clock: FakeClock;
  readonly memory: WholeBodies;
}

/** Answers each path with what `bodyOf` makes of it. */
async function rig(bodyOf: (path: string) => string | Uint8Array): Promise<Rig> {
  const clock = createFakeClock();
  const memory = createWholeBodies(clock);
  const server = await createServer({
    handler: async ({ path }) => ({ status: 200, headers: {}, body: bodyOf(path), note }),
    listen: { host: '127.0.0.1', port: 0 },
    connectionsMax: 1000,
    buffers: createBodyBuffers(16 * mebibyte, clock),
    wholeBodies: memory,
    timer: clock,
    replyTo: (error): Reply => ({
      status: error instanceof RegistryError ? 503 : 500,
      headers: { 'Retry-After': '1' },
      body: 'busy',
      note,
    }),
  });
  return { port: server.port, clock, memory, [Symbol.asyncDispose]: () => server.cut() };
}

/** Asks, and reads nothing of what comes: on loopback from an address of its own. */
async function ask(port: number, requests: number, from: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause().write('GET /long HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(requests));
  return socket;
}

async function statusOf(port: number): Promise<{ status: number; body: string }> {
  const answer = await fetch(`http://127.0.0.1:${port}/asked`);
  return { status: answer.status, body: await answer.text() };
}

suite('calls that are whole in memory', () => {
  test('hold 128 MiB, one address four of 28 MiB, and another one finds room; beyond that they are throttled', () => {
    const { calls } = createWholeBodies(createFakeClock());
    const hold = (from: string, mebibytes: number): void => {
      const holding = calls.join(from, () => undefined);
      holding.add(mebibytes * mebibyte);
      holding.complete();
    };
    for (let n = 1; n <= 4; n += 1) hold('one', 28);
    throws(() => hold('one', 1), { code: 'tooManyRequests', retryAfterMs: 1000 });
    hold('other', 16);
    throws(() => hold('other', 1), { code: 'tooManyRequests' });
  });
});

suite('replies that are whole in memory', () => {
  test('clients that stop reading hold 48 MiB at most, one address half of it, and go when others need the room', async () => {
    await using r = await rig(() => 'x'.repeat(8 * mebibyte));
    const { port, memory } = r;
    const sockets: Socket[] = [];
    for (const from of ['127.0.0.2', '127.0.0.3'])
      for (let n = 1; n <= 5; n += 1) sockets.push(await ask(port, 1, from));
    await until(() => memory.replies.usedBytes === 48 * mebibyte);
    deepEqual(await statusOf(port), { status: 503, body: 'busy' });
    r.clock.advance(3000);
    const { status, body } = await statusOf(port);
    equal(status, 200);
    equal(body.length, 8 * mebibyte);
    await until(() => memory.replies.usedBytes === 40 * mebibyte);
    for (const socket of sockets) socket.destroy();
    await until(() => memory.replies.usedBytes === 0);
  });

  test('what goes out at once is not counted: short and first, or the answer to HEAD; short ones behind others are', async (t) => {
    await using r = await rig((path) => 'x'.repeat((path === '/head' ? 8192 : 64) * 1024));
    const joined = t.mock.method(r.memory.replies, 'join').mock;
    const at = `http://127.0.0.1:${r.port}`;
    equal((await (await fetch(`${at}/short`)).text()).length, 64 * 1024);
    const head = await fetch(`${at}/head`, { method: 'HEAD' });
    equal(head.headers.get('content-length'), `${8 * mebibyte}`);
    equal(joined.callCount(), 0);
    const socket = await ask(r.port, 5, '127.0.0.2');
    socket.resume();
    await until(() => joined.callCount() === 4);
    await until(() => r.memory.replies.usedBytes === 0);
    socket.destroy();
  });

  test('a manifest that many take counts once', async () => {
    const manifest = Buffer.alloc(8 * mebibyte, 'x');
    await using r = await rig(() => manifest);
    const sockets = [];
    for (let n = 0; n < 20; n += 1) sockets.push(await ask(r.port, 1, '127.0.0.2'));
    await until(() => r.memory.replies.usedBytes > 0);
    const { status, body } = await statusOf(r.port);
    equal(status, 200);
    equal(body.length, manifest.length);
    equal(r.memory.replies.usedBytes, 8 * mebibyte);
    for (const socket of sockets) socket.destroy();
  });

  test('any text and any bytes go out as they are, in pieces of any size', async () => {
    const memory = new FairMemory({ maxBytes: mebibyte, now: () => 0, full: () => new Error() });
    const read = async (
      body: string | Uint8Array,
      encoding: 'latin1' | undefined,
      size: number,
      pieces: readonly number[],
    ): Promise<Buffer> => {
      const holding = memory.join('a', () => {});
      await using reader = await heldBody(body, encoding, size, holding).open(
        undefined,
        AbortSignal.abort(),
      );
      const whole: Uint8Array[] = [];
      let left = size;
      for (let at = 0; left > 0; at += 1) {
        const into = new Uint8Array(Math.min(left, Math.max(4, pieces[at % pieces.length] ?? 4)));
        const count = await reader.read(into);
        whole.push(into.subarray(0, count));
        left -= count;
      }
      return Buffer.concat(whole);
    };
    const pieces = fc.array(fc.integer({ min: 4, max: 40 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 100 }),
        pieces,
        async (text, sizes) => {
          const bytes = Buffer.from(text, 'utf8');
          ok(bytes.equals(await read(text, undefined, bytes.length, sizes)));
          ok(bytes.equals(await read(bytes, undefined, bytes.length, sizes)));
          const latin1 = bytes.toString('latin1');
          ok(bytes.equals(await read(latin1, 'latin1', bytes.length, sizes)));
        },
      ),
    );
  });
});
