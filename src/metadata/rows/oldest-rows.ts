import type { Pruning } from '../contract/rows.ts';

/** Rows that one call of a pruning write deletes at most, so that other writes are not kept waiting. */
export const prunedMax = 10_000;

/** A row of what is written in order: ids grow with it, wall times need not. */
interface WrittenRow {
  readonly id: number;
  /** Wall time, ms. */
  readonly at: number;
}

/**
 * The id up to which rows are older than `before`; `undefined` for none. `rows` begin with the first written. A row is as old
 * as what was written after it, whatever the clock said: one that was written while the clock was behind is no older than
 * the rows before it, and one from a time that has yet to come says nothing.
 */
export function lastOldRow(
  rows: readonly WrittenRow[],
  { before, now }: Pick<Pruning, 'before' | 'now'>,
): number | undefined {
  let last: number | undefined;
  for (const { id, at } of rows) {
    if (at < before) last = id;
    else if (at <= now) break;
  }
  return last;
}
