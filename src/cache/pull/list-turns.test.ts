import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { ListTurns } from './list-turns.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('sixteen lists of a host are read at once, and however many of others; who waits begins when one ends, however it ends', async () => {
  const clock = createFakeClock();
  const turns = new ListTurns(clock, new AbortController().signal);
  const begun: string[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const read = (host: string): Promise<void> =>
    turns.run(host, () => {
      begun.push(host);
      const end = Promise.withResolvers<void>();
      ends.push(end);
      return end.promise;
    });
  const slow = 'a'.repeat(18) + 'b'.repeat(18) + 'c'.repeat(18) + 'd'.repeat(18);
  const all = `${slow}e`.split('').map((host) => read(host).catch(() => undefined));
  await settled();
  deepEqual(begun.join(''), 'abcd'.replace(/./g, (host) => host.repeat(16)) + 'e');
  ends[16]?.reject(new Error('upstream failed'));
  await settled();
  equal(begun.join('').slice(65), 'b');
  ends[0]?.resolve();
  await settled();
  equal(begun.join('').slice(65), 'ba');
  while (begun.length < all.length || ends.length > 0) {
    for (const end of ends.splice(0)) end.resolve();
    await settled();
  }
  await Promise.all(all);
  equal(clock.pending, 0);
});

test('what lists gather is bounded: by host, in all, and one that stands still ends where another needs its room', async () => {
  const mebibyte = 1024 * 1024;
  const clock = createFakeClock();
  const turns = new ListTurns(clock, new AbortController().signal);
  const busy = { name: 'ListsBusy', code: 'unavailable' };
  const end = Promise.withResolvers<void>();
  const held = ['a', 'b'].map((host) =>
    turns.run(host, async (gather) => {
      gather(16 * mebibyte);
      await end.promise;
      if (host === 'a') gather(1);
    }),
  );
  const gathering = (host: string, bytes: number): Promise<void> =>
    turns.run(host, async (gather) => gather(bytes));
  await rejects(gathering('a', 1), busy);
  await rejects(gathering('c', 1), busy);
  clock.advance(3000);
  await gathering('c', 1);
  end.resolve();
  await rejects(held[0] ?? Promise.resolve(), busy);
  await held[1];
  await gathering('c', 16 * mebibyte);
});

test('a list whose turn does not come within ten seconds is 503, and takes no place later', async () => {
  const clock = createFakeClock();
  const turns = new ListTurns(clock, new AbortController().signal);
  const end = Promise.withResolvers<void>();
  const held = Array.from({ length: 16 }, () => turns.run('a', () => end.promise));
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
