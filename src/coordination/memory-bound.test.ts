import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { LRUCache } from 'lru-cache';
import { atMost } from './memory-bound.ts';

test('a memory bounded by its entries forgets what was used longest ago', () => {
  const memory = new LRUCache<string, number>(atMost(3));
  for (const [name, value] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const)
    memory.set(name, value);
  memory.get('a');
  memory.set('c', 4);
  equal(memory.size, 3);
  memory.set('d', 5);
  deepEqual(
    [...memory.entries()],
    [
      ['d', 5],
      ['c', 4],
      ['a', 1],
    ],
  );
});

test('one that may hold a million entries takes no room for them', () => {
  const before = process.memoryUsage();
  const memories = Array.from(
    { length: 10 },
    () => new LRUCache<string, number>(atMost(1_000_000)),
  );
  const after = process.memoryUsage();
  // By `max` each is 24 MB.
  equal(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers < 8e6, true);
  equal(memories.length, 10);
});
