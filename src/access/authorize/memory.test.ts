import { deepEqual } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createMemory } from './memory.ts';

function start(sizes: Readonly<Record<string, number>>) {
  const reads: string[] = [];
  const memory = createMemory<string>({
    entriesMax: 4,
    sizeMax: 100,
    sizeOf: (value) => sizes[value] ?? 1,
    believeMs: 1000,
    clock: createFakeClock(),
    read: async (key) => {
      reads.push(key);
      return key;
    },
  });
  const ask = async (...keys: readonly string[]): Promise<string[]> => {
    reads.length = 0;
    for (const key of keys) await memory.get(key);
    return [...reads];
  };
  return { ask };
}

suite('what decisions remember', () => {
  test('is bounded by its size: what was used last stays', async () => {
    const { ask } = start({ a: 60, b: 30, c: 30 });
    deepEqual(await ask('a', 'b', 'a'), ['a', 'b']);
    deepEqual(await ask('c', 'a', 'c'), ['c']);
    deepEqual(await ask('b'), ['b']);
  });

  test('is bounded by its number', async () => {
    const { ask } = start({});
    deepEqual(await ask('a', 'b', 'c', 'd', 'e', 'e'), ['a', 'b', 'c', 'd', 'e']);
    deepEqual(await ask('a'), ['a']);
  });

  test('never holds what is larger than all of it', async () => {
    const { ask } = start({ a: 101, b: 1 });
    deepEqual(await ask('b', 'a', 'a', 'b'), ['b', 'a', 'a']);
  });
});
