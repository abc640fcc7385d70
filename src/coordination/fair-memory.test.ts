import { deepEqual, doesNotThrow, equal, throws } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { FairMemory } from './fair-memory.ts';
import type { Holding } from './fair-memory.ts';

const isFull = { message: 'full' };
/** One source has half of the 200 bytes. */
const client = '192.0.2.1';

const memoryAt = (now: () => number): FairMemory =>
  new FairMemory({ maxBytes: 200, now, full: () => new Error('full') });

suite('memory that sources share', () => {
  test('a body beyond the budget is refused while the others still come', () => {
    const bodies = memoryAt(() => 0);
    bodies.join(client, () => {}).add(60);
    throws(() => bodies.join(client, () => {}).add(41), isFull);
  });

  test('what is announced counts before it comes, and once: of bodies that begin together those that fit are not refused later', () => {
    const bodies = memoryAt(() => 0);
    const admitted = ['192.0.2.2', '192.0.2.3', '192.0.2.4'].map((address) => {
      const one = bodies.join(address, () => {});
      one.reserve(60);
      return one;
    });
    const late = bodies.join(client, () => {});
    throws(() => late.reserve(60), isFull);
    late[Symbol.dispose]();
    for (const one of admitted) for (let bytes = 0; bytes < 60; bytes += 20) one.add(20);
    equal(bodies.usedBytes, 180);
    admitted[0]?.add(20);
    throws(() => admitted[1]?.add(1), isFull);
    for (const one of admitted) one[Symbol.dispose]();
    equal(bodies.usedBytes, 0);
  });

  test('who announces much and sends little has stalled: of 16 KiB/s less is no progress', () => {
    let now = 0;
    const cut: string[] = [];
    const mebibyte = 1024 * 1024;
    const bodies = new FairMemory({
      maxBytes: 8 * mebibyte,
      now: () => now,
      full: () => new Error('full'),
    });
    const begin = (name: string): Holding => {
      const one = bodies.join(name, () => cut.push(name));
      one.reserve(4 * mebibyte);
      return one;
    };
    const slow = begin('slow');
    const fast = begin('fast');
    now = 2900;
    slow.add(48 * 1024 - 1);
    fast.add(48 * 1024);
    now = 3000;
    begin('next');
    deepEqual(cut, ['slow']);
  });

  test('a body that has ended gives its memory back', () => {
    const bodies = memoryAt(() => 0);
    const first = bodies.join(client, () => {});
    first.add(60);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    bodies.join(client, () => {}).add(100);
    throws(() => bodies.join(client, () => {}).add(1), isFull);
  });

  test('of those of which nothing came for 3 s the largest are cut, and no more than needed', () => {
    let now = 0;
    const cut: string[] = [];
    const bodies = memoryAt(() => now);
    for (const [name, bytes] of [
      ['small', 10],
      ['large', 50],
      ['middle', 40],
    ] as const)
      bodies.join(client, () => cut.push(name)).add(bytes);
    now = 2999;
    throws(() => bodies.join(client, () => {}).add(60), isFull);
    now = 3000;
    bodies.join(client, () => cut.push('new')).add(60);
    deepEqual(cut, ['large', 'middle']);
  });

  test('a body that has come whole is not cut, however long it is worked on', () => {
    let now = 0;
    const bodies = memoryAt(() => now);
    const whole = bodies.join(client, () => {
      throw new Error('cut');
    });
    whole.add(100);
    whole.complete();
    now = 60_000;
    throws(() => bodies.join(client, () => {}).add(1), isFull);
  });

  test('a source that has its half cuts its own stalled bodies, and another one has room', () => {
    let now = 0;
    const cut: string[] = [];
    const bodies = memoryAt(() => now);
    bodies.join('192.0.2.2', () => cut.push('other')).add(90);
    bodies.join(client, () => cut.push('own')).add(100);
    throws(() => bodies.join(client, () => {}).add(1), isFull);
    bodies.join('192.0.2.3', () => {}).add(10);
    now = 3000;
    bodies.join(client, () => {}).add(1);
    deepEqual(cut, ['own']);
  });

  test('where all memory is taken, the stalled bodies of other sources are cut too', () => {
    let now = 0;
    const cut: string[] = [];
    const bodies = memoryAt(() => now);
    for (const address of ['192.0.2.2', '192.0.2.3'])
      bodies.join(address, () => cut.push(address)).add(100);
    throws(() => bodies.join(client, () => {}).add(1), isFull);
    now = 3000;
    bodies.join(client, () => {}).add(1);
    deepEqual(cut, ['192.0.2.2']);
  });

  test('one that moves, but for longer than 10 s, goes where its source has more than an equal part', () => {
    let now = 0;
    const cut: string[] = [];
    const bodies = memoryAt(() => now);
    const moving = ['192.0.2.2', '192.0.2.3'].flatMap((address) =>
      [60, 40].map((bytes) => {
        const one = bodies.join(address, () => cut.push(`${address} ${bytes}`));
        one.add(bytes);
        return one;
      }),
    );
    const next = (): void => bodies.join(client, () => {}).add(60);
    now = 9999;
    for (const one of moving) one.add(0);
    throws(next, isFull);
    now = 10_000;
    next();
    deepEqual(cut, ['192.0.2.2 60']);
    // All have less than a third of it now but one.
    throws(() => bodies.join('192.0.2.4', () => {}).add(100), isFull);
    deepEqual(cut, ['192.0.2.2 60', '192.0.2.3 60']);
  });

  test('what several hold counts once, for each source and in all, until the last of them leaves', () => {
    const bodies = memoryAt(() => 0);
    const manifest = {};
    const holders = [client, client, '192.0.2.2', '192.0.2.3'].map((address) => {
      const one = bodies.join(address, () => {});
      one.add(90, manifest);
      return one;
    });
    equal(bodies.usedBytes, 90);
    throws(() => bodies.join(client, () => {}).add(11), isFull);
    for (const one of holders.slice(1)) one[Symbol.dispose]();
    equal(bodies.usedBytes, 90);
    throws(() => bodies.join(client, () => {}).add(11), isFull);
    bodies.join('192.0.2.2', () => {}).add(100);
    throws(() => bodies.join('192.0.2.4', () => {}).add(11, {}), isFull);
    holders[0]?.[Symbol.dispose]();
    equal(bodies.usedBytes, 100);
    bodies.join(client, () => {}).add(100);
  });

  test('what is added to one that was cut counts no more', () => {
    let now = 0;
    const bodies = memoryAt(() => now);
    const stalled = bodies.join(client, () => {});
    stalled.add(100);
    now = 3000;
    const next = bodies.join(client, () => {});
    next.add(100);
    stalled.add(50);
    stalled[Symbol.dispose]();
    next[Symbol.dispose]();
    doesNotThrow(() => bodies.join(client, () => {}).add(100));
  });

  test('whatever comes and goes, the whole budget is there again once all have left', () => {
    const step = fc.record({
      body: fc.nat({ max: 4 }),
      bytes: fc.nat({ max: 60 }),
      waitMs: fc.constantFrom(0, 1000, 3000),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let now = 0;
        const bodies = memoryAt(() => now);
        const open = new Map<number, ReturnType<typeof bodies.join>>();
        for (const { body, bytes, waitMs, ends } of steps) {
          now += waitMs;
          const place = open.get(body) ?? bodies.join(client, () => open.delete(body));
          open.set(body, place);
          try {
            place.add(bytes);
          } catch {
            place[Symbol.dispose]();
            open.delete(body);
          }
          if (ends) {
            place[Symbol.dispose]();
            open.delete(body);
          }
        }
        for (const place of open.values()) place[Symbol.dispose]();
        bodies.join(client, () => {}).add(100);
      }),
    );
  });
});
