import { deepEqual } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { collectWhenIdle } from './idle-memory.ts';

const mebibyte = 1024 * 1024;

interface Second {
  /** Of the event loop, in the second before. */
  readonly busy: number;
  readonly heap: number;
}

/** The seconds, counted from 1, after which was collected; each collection takes `costMs` and leaves 30 MiB. */
function collectedAfter(seconds: readonly Second[], costMs: number): readonly number[] {
  const clock = createFakeClock();
  const collected: number[] = [];
  let second = 0;
  let heap = 0;
  let began: number | undefined;
  using _idle = collectWhenIdle({
    clock: {
      ...clock,
      // The clock stands still within a second: a collection is looked at twice, and has cost its time the second time.
      elapsed: () => {
        const now = clock.elapsed();
        return began === undefined ? now : now + costMs;
      },
    },
    collect: () => {
      collected.push(second);
      heap = 30 * mebibyte;
      began = second;
    },
    busyShare: () => seconds[second - 1]?.busy ?? 0,
    heapBytes: () => heap,
  });
  for (const [index, next] of seconds.entries()) {
    second = index + 1;
    began = undefined;
    heap = next.heap * mebibyte;
    clock.advance(1000);
  }
  return collected;
}

const row = (count: number, second: Second): readonly Second[] =>
  Array.from({ length: count }, () => second);

suite('memory is collected', () => {
  const rows: readonly (readonly [
    name: string,
    seconds: readonly Second[],
    costMs: number,
    expected: readonly number[],
  ])[] = [
    ['once a start has left something behind', row(3, { busy: 0.01, heap: 31 }), 0, [1]],
    ['never while the server works', row(5, { busy: 0.2, heap: 60 }), 0, []],
    [
      'after a burst, in the first quiet second',
      [
        { busy: 0, heap: 50 },
        { busy: 0.9, heap: 70 },
        { busy: 0.3, heap: 70 },
        { busy: 0.04, heap: 70 },
      ],
      0,
      [1, 4],
    ],
    [
      'not for less than 4 MiB more than the last one left',
      [{ busy: 0, heap: 50 }, ...row(3, { busy: 0, heap: 33.9 }), { busy: 0, heap: 34 }],
      0,
      [1, 5],
    ],
    ['for at most a hundredth of the time', row(12, { busy: 0, heap: 50 }), 40, [1, 6, 11]],
  ];
  for (const [name, seconds, costMs, expected] of rows)
    test(name, () => deepEqual(collectedAfter(seconds, costMs), expected));

  test('nowhere that Node was started without --expose-gc, and no timer waits there', () => {
    const clock = createFakeClock();
    let asked = 0;
    using _idle = collectWhenIdle({
      clock,
      collect: undefined,
      busyShare: () => (asked += 1),
      heapBytes: () => 100 * mebibyte,
    });
    clock.advance(10_000);
    deepEqual(asked, 0);
  });
});
