import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createUploadTurn } from './upload-turn.ts';

const { signal } = new AbortController();

test('a turn that does not come within 10 s is unavailable, with the time to try again', async () => {
  const clock = createFakeClock();
  const turn = createUploadTurn(clock);
  await turn.take(signal);
  const waiting = turn.take(signal);
  const unavailable = { name: 'RegistryError', code: 'unavailable', retryAfterMs: 1000 };
  const refused = assert.rejects(waiting, unavailable);
  clock.advance(9999);
  assert.equal(clock.pending, 1);
  clock.advance(1);
  await refused;
  turn.release();
  assert.equal(turn.taken, false, 'nobody has the turn of one who left');
});

test('a turn that comes in time leaves no timer and no listener behind', async () => {
  const clock = createFakeClock();
  const turn = createUploadTurn(clock);
  await turn.take(signal);
  const leaving = new AbortController();
  const waiting = turn.take(leaving.signal);
  turn.release();
  assert.equal(await waiting, true);
  assert.equal(clock.pending, 0);
  leaving.abort();
  assert.equal(turn.taken, true);
});

test('a turn that came in the same step as the end of the wait is kept', async () => {
  const clock = createFakeClock();
  const turn = createUploadTurn(clock);
  await turn.take(signal);
  const waiting = turn.take(signal);
  turn.release();
  clock.advance(10_000);
  assert.equal(await waiting, true);
});

test('a turn given back in the same step as the end of the wait is the next one’s', async () => {
  const clock = createFakeClock();
  const turn = createUploadTurn(clock);
  await turn.take(signal);
  const first = turn.take(signal);
  const late = assert.rejects(first, { code: 'unavailable' });
  clock.advance(5000);
  const second = turn.take(signal);
  clock.advance(5000);
  turn.release();
  assert.equal(await second, true);
  await late;
});

test('once it is over, nobody gets a turn', async () => {
  const turn = createUploadTurn(createFakeClock());
  await turn.take(signal);
  const waiting = turn.take(signal);
  turn.end();
  assert.equal(await waiting, false);
  turn.release();
  assert.equal(await turn.take(signal), false);
});
