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
 * The id up to which rows go: those beyond `rowsMax` of all that there are, and those older than `before`; `undefined` for
 * none. `rows` begin with the first written, at most `prunedMax`. A row is as old as what was written after it, whatever the
 * clock said: one that was written while the clock was behind is no older than the rows before it, and one from a time that
 * has yet to come says nothing.
 */
export function lastPrunedRow(
  rows: readonly WrittenRow[],
  count: number,
  { before, now, rowsMax }: Pruning,
): number | undefined {
  const beyond = Math.min(count - rowsMax, prunedMax);
  let last = rows[beyond - 1]?.id;
  for (const { id, at } of rows) {
    if (at < before) last = Math.max(id, last ?? 0);
    else if (at <= now) break;
  }
  return last;
}
