import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { createBatchWriter } from './batch-writer.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

function start() {
  const clock = createFakeClock();
  const waiting: string[] = [];
  const written: string[][] = [];
  /** What the next writes do; after them, all succeed. */
  const outcomes: (() => Promise<void>)[] = [];
  const writer = createBatchWriter({
    clock,
    afterMs: 1000,
    retryMs: 5000,
    fullRows: 3,
    rows: () => waiting.length,
    write: async () => {
      const rows = [...waiting];
      await outcomes.shift()?.();
      waiting.splice(0, rows.length);
      written.push(rows);
    },
  });
  const add = (...rows: readonly string[]): void => {
    for (const row of rows) {
      waiting.push(row);
      writer.added();
    }
  };
  return { add, clock, outcomes, writer, written };
}

suite('rows that are written together', () => {
  test('are written when the first has waited its time', async () => {
    const { add, clock, written } = start();
    add('a');
    clock.advance(999);
    add('b');
    await settle();
    deepEqual(written, []);
    clock.advance(1);
    await settle();
    deepEqual(written, [['a', 'b']]);
    equal(clock.pending, 0);
  });

  test('are written at once when there are many', async () => {
    const { add, clock, written } = start();
    add('a', 'b', 'c');
    await settle();
    deepEqual(written, [['a', 'b', 'c']]);
    equal(clock.pending, 0);
  });

  test('what comes during a write is written by the next one, after its time', async () => {
    const { add, clock, outcomes, written } = start();
    const first = Promise.withResolvers<void>();
    outcomes.push(() => first.promise);
    add('a', 'b', 'c', 'd');
    first.resolve();
    await settle();
    deepEqual(written, [['a', 'b', 'c']]);
    clock.advance(1000);
    await settle();
    deepEqual(written, [['a', 'b', 'c'], ['d']]);
  });

  test('are written at once when that is asked for, behind a write that is under way', async () => {
    const { add, clock, outcomes, writer, written } = start();
    await writer.flush();
    deepEqual(written, []);
    const first = Promise.withResolvers<void>();
    outcomes.push(() => first.promise);
    add('a', 'b', 'c', 'd');
    const flushed = writer.flush();
    first.resolve();
    await flushed;
    deepEqual(written, [['a', 'b', 'c'], ['d']]);
    equal(clock.pending, 0);
  });

  test('after a write that failed they wait longer, however many there are', async () => {
    const { add, clock, outcomes, written } = start();
    outcomes.push(() => Promise.reject(new Error('no disk')));
    add('a', 'b', 'c');
    await settle();
    add('d');
    clock.advance(4999);
    await settle();
    deepEqual(written, []);
    clock.advance(1);
    await settle();
    deepEqual(written, [['a', 'b', 'c', 'd']]);
    add('e', 'f', 'g');
    await settle();
    equal(written.length, 2, 'after one that succeeded they don’t');
  });

  test('are written at the end, behind a write that is under way, and no timer stays', async () => {
    const { add, clock, outcomes, writer, written } = start();
    const first = Promise.withResolvers<void>();
    outcomes.push(() => first.promise);
    add('a', 'b', 'c', 'd');
    const ended = writer[Symbol.asyncDispose]();
    first.resolve();
    await ended;
    deepEqual(written, [['a', 'b', 'c'], ['d']]);
    add('e');
    equal(clock.pending, 0);
  });

  test('an end whose write fails is an end', async () => {
    const { add, clock, outcomes, writer } = start();
    outcomes.push(() => Promise.reject(new Error('no disk')));
    add('a');
    await writer[Symbol.asyncDispose]();
    equal(clock.pending, 0);
  });
});
