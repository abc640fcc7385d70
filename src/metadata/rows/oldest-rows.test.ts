import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lastPrunedRow } from './oldest-rows.ts';

const rows = (...times: readonly number[]): { id: number; at: number }[] =>
  times.map((at, index) => ({ id: index + 1, at }));

const lastOldRow = (of: readonly { id: number; at: number }[]): number | undefined =>
  lastPrunedRow(of, of.length, { before: 100, now: 200, rowsMax: 1000 });

const found: readonly (readonly [
  what: string,
  times: readonly number[],
  last: number | undefined,
])[] = [
  ['nothing is old', [150, 160], undefined],
  ['the first two are old', [10, 20, 150], 2],
  ['all are old', [10, 20, 30], 3],
  ['a row written while the clock was behind is as old as those before it', [10, 150, 3, 160], 1],
  ['of a machine that began in 1970, what was written before the clock was right', [0, 1, 150], 2],
  ['a row from a time to come keeps nothing old', [10, 9000, 20, 150], 3],
  ['nor makes itself old', [10, 9000], 1],
];
for (const [what, times, last] of found) test(what, () => equal(lastOldRow(rows(...times)), last));

test('with a clock that only goes forward it is what is older, whatever the times', () => {
  const times = fc
    .array(fc.integer({ min: 0, max: 200 }))
    .map((some) => some.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(times, (some) => {
      const old = some.filter((at) => at < 100).length;
      equal(lastOldRow(rows(...some)), old === 0 ? undefined : old);
    }),
  );
});

test('no row after one that is young goes', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400 })), (some) => {
      const young = some.findIndex((at) => at >= 100 && at <= 200);
      const last = lastOldRow(rows(...some)) ?? 0;
      equal(young < 0 || last <= young, true);
    }),
  );
});

test('those beyond the most that are kept go too, however young', () => {
  const last = (count: number, ...times: readonly number[]): number | undefined =>
    lastPrunedRow(rows(...times), count, { before: 100, now: 200, rowsMax: 3 });
  equal(last(3, 150, 150, 150), undefined);
  equal(last(5, 150, 150, 150, 150, 150), 2);
  equal(last(5, 10, 10, 10, 150, 150), 3);
  equal(last(4, 150, 10, 150, 150), 1);
});
