import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../tests/support/fake-clock.ts';
import { createListTurns } from './list-turns.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('two lists of a host are read at once, eight in all; who waits begins when one ends, however it ends', async () => {
  const clock = createFakeClock();
  const turns = createListTurns(clock);
  const begun: string[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const read = (host: string): Promise<void> =>
    turns.run(host, () => {
      begun.push(host);
      const end = Promise.withResolvers<void>();
      ends.push(end);
      return end.promise;
    });
  const all = 'aaabbccddee'.split('').map((host) => read(host).catch(() => undefined));
  await settled();
  deepEqual(begun.join(''), 'aabbccdd');
  ends[2]?.reject(new Error('upstream failed'));
  await settled();
  equal(begun.join(''), 'aabbccdde');
  ends[0]?.resolve();
  await settled();
  equal(begun.join(''), 'aabbccddea');
  while (begun.length < 11 || ends.length > 0) {
    for (const end of ends.splice(0)) end.resolve();
    await settled();
  }
  await Promise.all(all);
  equal(clock.pending, 0);
});

test('a list whose turn does not come within ten seconds is 503, and takes no place later', async () => {
  const clock = createFakeClock();
  const turns = createListTurns(clock);
  const end = Promise.withResolvers<void>();
  const held = [1, 2].map(() => turns.run('a', () => end.promise));
  const late = rejects(
    turns.run('a', () => Promise.reject(new Error('it was read'))),
    { code: 'unavailable', retryAfterMs: 1000 },
  );
  clock.advance(10_000);
  await late;
  end.resolve();
  await Promise.all(held);
  equal(await turns.run('a', async () => 1), 1);
});
