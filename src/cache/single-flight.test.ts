import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUnder } from './single-flight.ts';

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
