import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createListMemory, readWithin } from './list-memory.ts';

const mebibyte = 1024 * 1024;
const { signal } = new AbortController();

/** A list that has brought so much, and then nothing more. */
function standing(
  memory: ReturnType<typeof createListMemory>,
  host: string,
  bytes: number,
): Promise<never> {
  return readWithin(memory, host, signal, async (holding, within) => {
    holding.add(bytes);
    const { promise, reject } = Promise.withResolvers<never>();
    within.addEventListener('abort', () => reject(within.reason));
    return await promise;
  });
}

test('lists of slow upstreams leave room for others, or end as a timeout of theirs where they stand still', async () => {
  const clock = createFakeClock();
  const memory = createListMemory(clock);
  const slow = ['a', 'b', 'c'].map((host) => standing(memory, host, 14 * mebibyte));
  const read = (host: string): Promise<number> =>
    readWithin(memory, host, signal, async (holding) => {
      holding.add(10 * mebibyte);
      return 1;
    });
  await rejects(read('d'), { name: 'ListsBusy' });
  clock.advance(3000);
  const ended = rejects(slow[0] ?? Promise.resolve(), { kind: 'timeout', upstream: 'a' });
  equal(await read('d'), 1);
  await ended;
  equal(memory.usedBytes, 28 * mebibyte);
});

test('lists of one upstream have half of the memory', async () => {
  const memory = createListMemory(createFakeClock());
  void standing(memory, 'a', 24 * mebibyte);
  await rejects(standing(memory, 'a', 1), { name: 'ListsBusy' });
  void standing(memory, 'b', 24 * mebibyte);
  await rejects(standing(memory, 'c', 1), { name: 'ListsBusy' });
});

test('a list ends with who asked for it, and gives its memory back', async () => {
  const memory = createListMemory(createFakeClock());
  const asking = new AbortController();
  const ended = readWithin(memory, 'a', asking.signal, async (holding, within) => {
    holding.add(mebibyte);
    asking.abort(new Error('gone'));
    within.throwIfAborted();
  });
  await rejects(ended, { message: 'gone' });
  equal(memory.usedBytes, 0);
});
