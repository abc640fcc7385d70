import { equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { LoginThrottle } from './login-throttle.ts';
import { createLoginThrottle } from './login-throttle.ts';

function fail(throttle: LoginThrottle, times: number, address: string, principal?: string): void {
  for (let n = 0; n < times; n += 1) throttle.failed(address, principal);
}

suite('a source that fails', () => {
  test('nine times in a minute need not wait', () => {
    const throttle = createLoginThrottle(createFakeClock());
    fail(throttle, 9, '192.0.2.1');
    equal(throttle.waitMs('192.0.2.1', undefined), 0);
  });

  for (const [times, seconds] of [
    [10, 1],
    [11, 2],
    [12, 4],
    [15, 32],
    [16, 60],
    [1000, 60],
  ] as const) {
    test(`${times} times waits for ${seconds} s, whomever it tries`, () => {
      const throttle = createLoginThrottle(createFakeClock());
      fail(throttle, times, '192.0.2.1', 'a');
      equal(throttle.waitMs('192.0.2.1', 'a'), seconds * 1000);
      equal(throttle.waitMs('192.0.2.1', 'b'), seconds * 1000);
      equal(throttle.waitMs('192.0.2.2', 'b'), 0);
    });
  }

  test('has waited once its time is over, and waits longer for the next', () => {
    const clock = createFakeClock();
    const throttle = createLoginThrottle(clock);
    fail(throttle, 10, '192.0.2.1');
    clock.advance(999);
    equal(throttle.waitMs('192.0.2.1', undefined), 1);
    clock.advance(1);
    equal(throttle.waitMs('192.0.2.1', undefined), 0);
    fail(throttle, 1, '192.0.2.1');
    equal(throttle.waitMs('192.0.2.1', undefined), 2000);
  });

  test('is forgiven after a minute without a failure', () => {
    const clock = createFakeClock();
    const throttle = createLoginThrottle(clock);
    fail(throttle, 20, '192.0.2.1');
    clock.advance(60_000 + 60_001);
    fail(throttle, 9, '192.0.2.1');
    equal(throttle.waitMs('192.0.2.1', undefined), 0);
  });
});

suite('a principal that is guessed at', () => {
  test('from many sources makes each of them wait, and lets a new one through', () => {
    const throttle = createLoginThrottle(createFakeClock());
    for (let n = 0; n < 12; n += 1) fail(throttle, 1, `192.0.2.${n}`, 'a');
    equal(throttle.waitMs('192.0.2.11', 'a'), 4000);
    equal(throttle.waitMs('192.0.2.11', 'b'), 0);
    equal(throttle.waitMs('198.51.100.1', 'a'), 0);
  });

  test('of a name of any length is one of its beginning', () => {
    const throttle = createLoginThrottle(createFakeClock());
    const name = 'x'.repeat(10_000);
    for (let n = 0; n < 10; n += 1) fail(throttle, 1, '192.0.2.1', `${name}${n}`);
    equal(throttle.waitMs('192.0.2.1', name), 1000);
  });
});

test('a million sources are not all remembered', () => {
  const throttle = createLoginThrottle(createFakeClock());
  fail(throttle, 10, '192.0.2.1');
  for (let n = 0; n < 20_000; n += 1) throttle.failed(`10.0.${n >> 8}.${n & 255}`, `p${n}`);
  equal(throttle.waitMs('192.0.2.1', undefined), 0);
});
