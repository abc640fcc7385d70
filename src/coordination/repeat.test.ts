import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { repeat } from './repeat.ts';

for (const [firstMs, times] of [
  [undefined, [100, 200, 300]],
  [30, [30, 130, 230]],
] as const)
  test(`work is called after ${firstMs ?? 'the first period'}, then again and again, until it is ended`, () => {
    const clock = createFakeClock();
    const called: number[] = [];
    const repeated = repeat(clock, 100, () => called.push(clock.elapsed()), firstMs);
    clock.advance(times[2]);
    deepEqual(called, times);
    repeated[Symbol.dispose]();
    equal(clock.pending, 0);
  });

test('work may end its own repetition', () => {
  const clock = createFakeClock();
  let calls = 0;
  const repeated = repeat(clock, 100, () => {
    calls += 1;
    repeated[Symbol.dispose]();
  });
  clock.advance(1000);
  equal(calls, 1);
});
