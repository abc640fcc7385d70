import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { createSteadyTime } from './steady-time.ts';

for (const [what, setMs, is] of [
  ['goes on with the clock', 0, 5000],
  ['goes back with a clock that is set back', -2000, 3000],
  ['follows no clock that is set forward', 86_400_000, 5000],
] as const)
  test(`the time ${what}`, () => {
    const clock = createFakeClock(1_000_000);
    clock.advance(100);
    const now = createSteadyTime(clock);
    clock.advance(5000);
    clock.setNow(clock.now() + setMs);
    equal(now(), 1_000_100 + is);
  });
