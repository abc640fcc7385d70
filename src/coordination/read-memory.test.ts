import { deepEqual, equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import type { ReadMemoryOptions } from './read-memory.ts';
import { ReadMemory } from './read-memory.ts';

function start(
  sizes: Readonly<Record<string, number>> = {},
  options: Partial<ReadMemoryOptions<string | undefined>> = {},
) {
  const clock = createFakeClock();
  const reads: string[] = [];
  const memory = new ReadMemory<string | undefined>(clock, {
    bound: { entriesMax: 4, bytesMax: 100, bytesOf: (value) => sizes[value] ?? 1 },
    believeMs: 1000,
    read: async (key) => {
      reads.push(key);
      return key;
    },
    ...options,
  });
  const ask = async (...keys: readonly string[]): Promise<string[]> => {
    reads.length = 0;
    for (const key of keys) await memory.get(key);
    return [...reads];
  };
  return { ask, clock, memory, reads };
}

suite('values that are read and believed for a while', () => {
  test('are bounded by their size: what was used last stays', async () => {
    const { ask } = start({ a: 60, b: 30, c: 30 });
    deepEqual(await ask('a', 'b', 'a'), ['a', 'b']);
    deepEqual(await ask('c', 'a', 'c'), ['c']);
    deepEqual(await ask('b'), ['b']);
  });

  test('are bounded by their number', async () => {
    const { ask } = start();
    deepEqual(await ask('a', 'b', 'c', 'd', 'e', 'e'), ['a', 'b', 'c', 'd', 'e']);
    deepEqual(await ask('a'), ['a']);
  });

  test('what is larger than all of the memory is never held', async () => {
    const { ask } = start({ a: 101, b: 1 });
    deepEqual(await ask('b', 'a', 'a', 'b'), ['b', 'a', 'a']);
  });

  test('are read again when their time is over, which counts from the beginning of the read', async () => {
    const read = Promise.withResolvers<string>();
    const { clock, memory } = start({}, { read: () => read.promise });
    const asked = memory.get('a');
    clock.advance(400);
    read.resolve('yes');
    await asked;
    clock.advance(599);
    equal(memory.get('a'), 'yes');
    clock.advance(1);
    equal(memory.get('a') instanceof Promise, true);
  });

  test('are read once for all who ask meanwhile', async () => {
    const { memory, reads } = start();
    await Promise.all([memory.get('a'), memory.get('a')]);
    deepEqual(reads, ['a']);
  });

  test('what is being read when it is forgotten is answered, and not kept', async () => {
    const { memory, reads } = start();
    for (const forget of [() => memory.forget('a'), () => memory.clear()]) {
      const asked = memory.get('a');
      forget();
      equal(await asked, 'a');
    }
    await memory.get('a');
    deepEqual(reads, ['a', 'a', 'a']);
  });

  test('what may not be kept, or is not there, is read each time', async () => {
    const refused = start({}, { keeps: () => false });
    deepEqual(await refused.ask('a', 'a'), ['a', 'a']);
    let reads = 0;
    const { memory } = start(
      {},
      {
        read: async () => {
          reads += 1;
          return undefined;
        },
      },
    );
    deepEqual([await memory.get('a'), await memory.get('a'), reads], [undefined, undefined, 2]);
  });

  test('a read that fails is told to all who wait, and tried again by the next', async () => {
    const failing = start({}, { read: () => Promise.reject(new Error('no disk')) });
    await rejects(Promise.all([failing.memory.get('a'), failing.memory.get('a')]), /no disk/);
    await rejects(async () => await failing.memory.get('a'), /no disk/);
  });
});
