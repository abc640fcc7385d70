import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createBodyBuffers } from './body-buffers.ts';
import type { BodyBuffers, BufferPlace } from './body-buffers.ts';
import { bufferBytesMax, bufferBytesMin } from './buffers.ts';
import type { ReadBuffer } from './buffers.ts';

const budget = bufferBytesMax;
const kib = 1024;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A body that holds what it is given until it is told to let go. */
class Body {
  readonly held: ReadBuffer[] = [];
  readonly place: BufferPlace;
  writingSinceMs: number | undefined;
  steady = false;
  failure: unknown;
  /** It waits for a buffer, also where it holds one already. */
  waits = false;
  readonly #log: Body[] | undefined;

  constructor(buffers: BodyBuffers, address: string, cuts?: Body[]) {
    this.#log = cuts;
    this.place = buffers.join(address, this);
  }

  cut(): void {
    this.#log?.push(this);
  }

  takeNow(bytes: number): boolean {
    const buffer = this.place.takeNow(bytes);
    if (buffer !== undefined) this.held.push(buffer);
    return buffer !== undefined;
  }

  wait(bytes = bufferBytesMin): void {
    this.waits = true;
    this.place
      .take(bytes)
      .then(
        (buffer) => this.held.push(buffer),
        (error: unknown) => (this.failure = error),
      )
      .finally(() => (this.waits = false));
  }

  release(): void {
    for (const buffer of this.held.splice(0)) this.place.release(buffer);
  }

  end(): void {
    this.release();
    this.place[Symbol.dispose]();
  }

  get bytes(): number {
    return this.held.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}

/** A body that takes what its client may have. */
function holdAll(buffers: BodyBuffers, address: string): Body {
  const body = new Body(buffers, address);
  while (body.takeNow(64 * kib));
  return body;
}

/** Clients that hold all there is, each writing since then. */
function full(clock: FakeClock, buffers: BodyBuffers, addresses: readonly string[], cuts: Body[]) {
  return addresses.flatMap((address) => {
    const bodies: Body[] = [];
    for (;;) {
      const body = new Body(buffers, address, cuts);
      if (!body.takeNow(64 * kib)) {
        body.end();
        return bodies;
      }
      body.writingSinceMs = clock.elapsed();
      bodies.push(body);
    }
  });
}

suite('shares of the read buffers', () => {
  test('one client gets three quarters of the budget, and who comes then begins at once', () => {
    const clock = createFakeClock();
    const buffers = createBodyBuffers(budget, clock);
    const hog = holdAll(buffers, '10.0.0.1');
    equal(hog.bytes, (budget * 3) / 4);
    equal(new Body(buffers, '10.0.0.1').takeNow(bufferBytesMin), false);
    const other = holdAll(buffers, '10.0.0.2');
    equal(other.bytes, budget / 4);
  });

  test('addresses of one IPv6 /64 are one client', () => {
    const buffers = createBodyBuffers(budget, createFakeClock());
    holdAll(buffers, '2001:db8::1');
    equal(new Body(buffers, '2001:db8::2').takeNow(bufferBytesMin), false);
    equal(new Body(buffers, '2001:db8:0:1::1').takeNow(bufferBytesMin), true);
  });

  test('however many clients there are, each may have one small buffer', () => {
    const buffers = createBodyBuffers(budget, createFakeClock());
    const bodies = Array.from({ length: 64 }, (_, n) => new Body(buffers, `10.0.1.${n}`));
    ok(bodies.every((body) => body.takeNow(64 * kib)));
    ok(bodies.every((body) => body.bytes === bufferBytesMin));
    equal(new Body(buffers, '10.0.2.1').takeNow(bufferBytesMin), false);
  });

  test('clients take turns, and the bodies of each in the order of asking', async () => {
    const buffers = createBodyBuffers(budget, createFakeClock());
    const holders = ['10.0.0.1', '10.0.0.2'].map((address) => holdAll(buffers, address));
    const order: string[] = [];
    const wait = (name: string, address: string): void => {
      const body = new Body(buffers, address);
      void body.place.take(64 * kib).then(() => order.push(name));
    };
    for (const name of ['a1', 'a2', 'a3']) wait(name, '10.0.0.3');
    for (const name of ['b1', 'b2']) wait(name, '10.0.0.4');
    equal(buffers.waiting, 5);
    for (const holder of holders) holder.end();
    await settled();
    deepEqual(order, ['a1', 'b1', 'a2', 'b2', 'a3']);
  });

  test('where others wait nobody takes a buffer before them, nor a second one', async () => {
    const buffers = createBodyBuffers(budget, createFakeClock());
    holdAll(buffers, '10.0.0.1');
    const two = holdAll(buffers, '10.0.0.2');
    const waiter = new Body(buffers, '10.0.0.3');
    waiter.wait(256 * kib);
    equal(two.place.crowded, true);
    two.release();
    await settled();
    deepEqual([waiter.bytes, buffers.waiting], [64 * kib, 0]);
    equal(two.place.takeSecond(bufferBytesMin), undefined);
  });

  test('who leaves the queue gets no buffer, and none is lost', async () => {
    const clock = createFakeClock();
    const buffers = createBodyBuffers(budget, clock);
    const hog = holdAll(buffers, '10.0.0.1');
    const leaving = new Body(buffers, '10.0.0.1');
    const gone = new Body(buffers, '10.0.0.1');
    const staying = new Body(buffers, '10.0.0.1');
    for (const body of [leaving, gone, staying]) body.wait();
    leaving.place.giveUp(new Error('left'));
    gone.end();
    hog.end();
    // Too late: it has one already.
    staying.place.giveUp(new Error('left'));
    await settled();
    deepEqual(
      [String(leaving.failure), leaving.bytes, gone.bytes, staying.failure, staying.bytes],
      ['Error: left', 0, 0, undefined, bufferBytesMin],
    );
    staying.end();
    leaving.end();
    deepEqual([buffers.usedBytes, buffers.waiting, buffers.bodies], [0, 0, 0]);
    clock.advance(500);
    equal(clock.pending, 0);
  });
});

suite('clients that stopped reading', () => {
  test('are cut where others wait, one for each who waits', () => {
    const clock = createFakeClock();
    const buffers = createBodyBuffers(budget, clock);
    const cuts: Body[] = [];
    const stalled = full(clock, buffers, ['10.0.0.1'], cuts);
    clock.advance(60_000);
    equal(cuts.length, 0);
    const honest = new Body(buffers, '10.0.0.1');
    honest.wait();
    clock.advance(499);
    equal(cuts.length, 0);
    clock.advance(1);
    deepEqual(cuts, [stalled[0]]);
    cuts[0]?.end();
    clock.advance(60_000);
    equal(cuts.length, 1);
  });

  for (const { holds, afterMs } of [
    { holds: 64 * kib, afterMs: 15_000 },
    { holds: 128 * kib, afterMs: 3000 },
  ]) {
    test(`where 64 KiB are a part, one that holds ${holds / kib} KiB is cut after ${afterMs / 1000} s`, () => {
      const clock = createFakeClock();
      const buffers = createBodyBuffers(budget, clock);
      const cuts: Body[] = [];
      const bodies = Array.from({ length: 11 }, () => new Body(buffers, '10.0.0.1', cuts));
      for (const body of bodies) {
        if (!body.takeNow(holds)) continue;
        body.writingSinceMs = clock.elapsed();
      }
      const last = new Body(buffers, '10.0.0.1');
      last.takeNow(64 * kib);
      clock.advance(afterMs - 1001);
      last.wait();
      clock.advance(1000);
      equal(cuts.length, 0);
      clock.advance(500);
      equal(cuts.length, 1);
    });
  }

  test('a write that goes on is not cut, however long others wait', () => {
    const clock = createFakeClock();
    const buffers = createBodyBuffers(budget, clock);
    const cuts: Body[] = [];
    const bodies = full(clock, buffers, ['10.0.0.1'], cuts);
    new Body(buffers, '10.0.0.1').wait();
    for (let second = 0; second < 30; second += 1) {
      clock.advance(1000);
      for (const body of bodies) body.writingSinceMs = clock.elapsed();
    }
    equal(cuts.length, 0);
  });

  test('of the client that holds most, and never of one that holds less than who waits', () => {
    const clock = createFakeClock();
    const buffers = createBodyBuffers(budget, clock);
    const cuts: Body[] = [];
    full(clock, buffers, ['10.0.0.1'], cuts);
    const slow = new Body(buffers, '10.0.0.2', cuts);
    slow.takeNow(64 * kib);
    slow.writingSinceMs = 0;
    holdAll(buffers, '10.0.0.3');
    clock.advance(5000);
    new Body(buffers, '10.0.0.4').wait();
    clock.advance(500);
    deepEqual(
      cuts.map(({ bytes }) => bytes),
      [64 * kib],
    );
    ok(!cuts.includes(slow));
    for (const body of cuts.splice(0)) body.end();
    // The client whose share is used up waits for itself alone.
    new Body(buffers, '10.0.0.1').wait();
    clock.advance(500);
    ok(cuts.length > 0 && !cuts.includes(slow));
  });
});

suite('a steady body beside some whose writes stand', () => {
  /** Writes of 64 KiB stand from now on, of one client with a body that is steady or not. */
  function scene(standing: number, steady = true) {
    const clock = createFakeClock();
    const buffers = createBodyBuffers(budget, clock);
    const bodies = Array.from({ length: standing }, () => {
      const body = new Body(buffers, '10.0.0.1');
      ok(body.takeNow(64 * kib));
      body.writingSinceMs = clock.elapsed();
      return body;
    });
    const moving = new Body(buffers, '10.0.0.1');
    moving.steady = steady;
    return { clock, buffers, bodies, moving };
  }
  const shareBytes = (budget * 3) / 4;
  const extraBytes = budget / 16;

  test('has all that they do not hold, once they stand for a second, and until they move again', () => {
    const { clock, bodies, moving } = scene(7);
    equal(moving.place.fairBytes, (shareBytes + extraBytes) / 8);
    clock.advance(1000);
    equal(moving.place.fairBytes, shareBytes + extraBytes - 7 * 64 * kib);
    for (const body of bodies) body.writingSinceMs = clock.elapsed();
    clock.advance(500);
    equal(moving.place.fairBytes, (shareBytes + extraBytes) / 8);
  });

  test('has its part alone where it is not steady', () => {
    const { clock, moving } = scene(7, false);
    clock.advance(1000);
    equal(moving.place.fairBytes, shareBytes / 8);
  });

  for (const { steady, bytes } of [
    { steady: true, bytes: extraBytes },
    { steady: false, bytes: 0 },
  ])
    test(`has ${bytes / kib} KiB where they hold all, steady: ${steady}`, () => {
      const { clock, moving } = scene(12, steady);
      clock.advance(1000);
      while (moving.takeNow(bufferBytesMin));
      equal(moving.bytes, bytes);
    });

  for (const { steady, second } of [
    { steady: true, second: 64 * kib },
    { steady: false, second: undefined },
  ])
    test(`gets ${second === undefined ? 'no' : 'a'} second buffer, steady: ${steady}`, () => {
      const { clock, moving } = scene(6, steady);
      ok(moving.takeNow(64 * kib));
      equal(moving.place.takeSecond(64 * kib), undefined);
      clock.advance(1000);
      ok(moving.place.fairBytes > 0);
      equal(moving.place.takeSecond(64 * kib)?.bytes.length, second);
    });

  test('gets no second buffer for what they held before they left', () => {
    const { clock, buffers, bodies, moving } = scene(6);
    clock.advance(1000);
    ok(moving.place.fairBytes > 0);
    for (const body of bodies) body.end();
    equal(holdAll(buffers, '10.0.0.2').bytes, shareBytes / 2);
    ok(moving.takeNow(64 * kib));
    clock.advance(500);
    ok(moving.place.fairBytes > 0);
    equal(moving.place.takeSecond(64 * kib)?.bytes.length, undefined);
  });

  test('takes no more than a sixteenth from who has other addresses', () => {
    const { clock, buffers, moving } = scene(12);
    clock.advance(1000);
    while (moving.takeNow(bufferBytesMin));
    equal(holdAll(buffers, '10.0.0.2').bytes, budget / 4 - extraBytes);
  });
});

test('whatever bodies do, the budget holds, whoever can be served is, and nothing is lost', async () => {
  const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '2001:db8::1', '2001:db8::2');
  const step = fc.oneof(
    fc.record({ kind: fc.constant('join' as const), address }),
    fc.record({
      kind: fc.constantFrom('now' as const, 'wait' as const),
      at: fc.nat(),
      bytes: fc.integer({ min: 1, max: 2 * bufferBytesMax }),
    }),
    fc.record({
      kind: fc.constantFrom(
        'write' as const,
        'steady' as const,
        'release' as const,
        'giveUp' as const,
        'end' as const,
      ),
      at: fc.nat(),
    }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 4000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
      const clock = createFakeClock();
      const buffers = createBodyBuffers(2 * bufferBytesMax, clock);
      const bodies: Body[] = [];
      for (const each of steps) {
        if (each.kind === 'join') bodies.push(new Body(buffers, each.address));
        else if (each.kind === 'pass') clock.advance(each.ms);
        else {
          const body = bodies[each.at % Math.max(1, bodies.length)];
          if (body === undefined) continue;
          ok(body.place.fairBytes >= bufferBytesMin);
          if (each.kind === 'write') body.writingSinceMs = clock.elapsed();
          else if (each.kind === 'steady') body.steady = true;
          else if (each.kind === 'release') body.release();
          else if (each.kind === 'giveUp') body.place.giveUp(new Error('left'));
          else if (each.kind === 'now') body.takeNow(each.bytes);
          else if (each.kind === 'wait' && !body.waits) body.wait(each.bytes);
          else if (each.kind === 'end' && !body.waits) {
            bodies.splice(bodies.indexOf(body), 1);
            body.end();
          }
        }
        await settled();
        const held = bodies.reduce((sum, { bytes }) => sum + bytes, 0);
        equal(buffers.usedBytes, held);
        ok(held <= buffers.budgetBytes);
        if (held === 0) equal(buffers.waiting, 0);
      }
      for (const body of bodies) body.place.giveUp(new Error('over'));
      await settled();
      for (const body of bodies) body.end();
      deepEqual([buffers.usedBytes, buffers.waiting, buffers.bodies], [0, 0, 0]);
    }),
    { numRuns: 60 },
  );
});
