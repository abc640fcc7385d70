import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './system-clock.ts';

test('a timer calls back once its time has passed, a disposed one never', async () => {
  const started = systemClock.elapsed();
  using keepAlive = {
    timer: setInterval(() => undefined, 1000),
    [Symbol.dispose]: () => clearInterval(keepAlive.timer),
  };
  const cancelled = systemClock.after(1, () => assert.fail('disposed'));
  cancelled[Symbol.dispose]();
  await new Promise<void>((resolve) => systemClock.after(10, resolve));
  assert.ok(systemClock.elapsed() - started >= 9);
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000);
});
