import { deepEqual, doesNotThrow, throws } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createWholeBodies } from './whole-bodies.ts';

const isUnavailable = { code: 'unavailable' };

suite('memory of request bodies that are read whole', () => {
  test('a body beyond the budget is refused while the others still come', () => {
    const bodies = createWholeBodies(() => 0, 100);
    bodies.join(() => {}).add(60);
    throws(() => bodies.join(() => {}).add(41), isUnavailable);
  });

  test('a body that has ended gives its memory back', () => {
    const bodies = createWholeBodies(() => 0, 100);
    const first = bodies.join(() => {});
    first.add(60);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    bodies.join(() => {}).add(100);
    throws(() => bodies.join(() => {}).add(1), isUnavailable);
  });

  test('of those of which nothing came for 3 s the largest are cut, and no more than needed', () => {
    let now = 0;
    const cut: string[] = [];
    const bodies = createWholeBodies(() => now, 100);
    for (const [name, bytes] of [
      ['small', 10],
      ['large', 50],
      ['middle', 40],
    ] as const)
      bodies.join(() => cut.push(name)).add(bytes);
    now = 2999;
    throws(() => bodies.join(() => {}).add(60), isUnavailable);
    now = 3000;
    bodies.join(() => cut.push('new')).add(60);
    deepEqual(cut, ['large', 'middle']);
  });

  test('a body that has come whole is not cut, however long it is worked on', () => {
    let now = 0;
    const bodies = createWholeBodies(() => now, 100);
    const whole = bodies.join(() => {
      throw new Error('cut');
    });
    whole.add(100);
    whole.complete();
    now = 60_000;
    throws(() => bodies.join(() => {}).add(1), isUnavailable);
  });

  test('what is added to one that was cut counts no more', () => {
    let now = 0;
    const bodies = createWholeBodies(() => now, 100);
    const stalled = bodies.join(() => {});
    stalled.add(100);
    now = 3000;
    const next = bodies.join(() => {});
    next.add(100);
    stalled.add(50);
    stalled[Symbol.dispose]();
    next[Symbol.dispose]();
    doesNotThrow(() => bodies.join(() => {}).add(100));
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
        const bodies = createWholeBodies(() => now, 100);
        const open = new Map<number, ReturnType<typeof bodies.join>>();
        for (const { body, bytes, waitMs, ends } of steps) {
          now += waitMs;
          const place = open.get(body) ?? bodies.join(() => open.delete(body));
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
        bodies.join(() => {}).add(100);
      }),
    );
  });
});
