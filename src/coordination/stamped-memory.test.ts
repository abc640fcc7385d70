import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { StampedMemory } from './stamped-memory.ts';

const start = () => {
  const clock = createFakeClock();
  const memory = new StampedMemory<string>(clock, { entriesMax: 2, believeMs: 60_000 });
  return { clock, memory };
};

suite('values that are believed under a stamp', () => {
  test('a value counts under the stamp that it was set with, and under no other', () => {
    const { memory } = start();
    memory.set('a', 'old', 1);
    deepEqual([memory.get('a', 1), memory.get('a', 2)], ['old', undefined]);
    memory.set('a', 'new', 2);
    deepEqual([memory.get('a', 1), memory.get('a', 2)], [undefined, 'new']);
  });

  test('a change that nobody told ends with the time that values are believed for', () => {
    const { clock, memory } = start();
    memory.set('a', 'yes', 1);
    clock.advance(59_999);
    equal(memory.get('a', 1), 'yes');
    clock.advance(1);
    equal(memory.get('a', 1), undefined);
    deepEqual([memory.last('a', 1), memory.last('a', 2)], ['yes', undefined]);
  });

  test('what is forgotten, or beyond the bound, is not there', () => {
    const { memory } = start();
    for (const key of ['a', 'b', 'c']) memory.set(key, key, 0);
    deepEqual(
      ['a', 'b', 'c'].map((key) => memory.get(key, 0)),
      [undefined, 'b', 'c'],
    );
    memory.forget('b');
    deepEqual([memory.get('b', 0), memory.get('c', 0)], [undefined, 'c']);
    memory.clear();
    equal(memory.get('c', 0), undefined);
  });
});
