import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { waitUnder, waitWithin } from './waiting.ts';

const never = new AbortController().signal;

suite('waiting for a promise that goes on without its waiter', () => {
  test('waiting under a signal that has aborted ends at once, and the promise’s own failure is nobody’s', async () => {
    const left = new Error('the client left');
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const late = Promise.withResolvers<never>();
      await assert.rejects(waitUnder(late.promise, AbortSignal.abort(left)), left);
      late.reject(new Error('late'));
      // Node tells of them after the microtasks of a turn.
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(unhandled, []);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  test('the signal ends the waiting with its reason', async () => {
    const leaving = new AbortController();
    const { promise } = Promise.withResolvers<never>();
    const waiting = assert.rejects(waitUnder(promise, leaving.signal), { message: 'left' });
    leaving.abort(new Error('left'));
    await waiting;
  });

  test('a reason that is no error becomes one', async () => {
    const { promise } = Promise.withResolvers<never>();
    await assert.rejects(waitUnder(promise, AbortSignal.abort('bye')), { cause: 'bye' });
  });

  test('what comes in time is answered, and leaves no timer', async () => {
    const clock = createFakeClock();
    assert.equal(await waitWithin(Promise.resolve(1), 10, clock, never), 1);
    assert.equal(clock.pending, 0);
  });

  test('what comes later is not waited for', async () => {
    const clock = createFakeClock();
    const { promise } = Promise.withResolvers<number>();
    const waiting = waitWithin(promise, 10, clock, never);
    clock.advance(10);
    assert.equal(await waiting, undefined);
  });
});
