import type { Listing } from '../contract/admin-view.ts';
import { RegistryError } from '../domain/errors.ts';

/** Which page of a list. */
export interface PageInput {
  readonly limit: number;
  /** The `next` of the page before; absent: the first. */
  readonly cursor?: string | undefined;
}

/** A list that is whole. */
export function listing<Item>(items: readonly Item[]): Listing<Item> {
  return { items, next: null };
}

/**
 * A page of rows read with one more than `limit`; the cursor is the key of its last row, so that what is added or deleted
 * meanwhile neither repeats nor hides another row.
 */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  options: { readonly view: (row: Row) => Item; readonly keyOf: (row: Row) => CursorKey },
): Listing<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(options.view),
    next: rows.length > limit && last !== undefined ? writeCursor(options.keyOf(last)) : null,
  };
}

/** A page of rows that are all in memory, in the order of their keys. */
export function pageOfAll<Row, Item>(
  rows: readonly Row[],
  input: PageInput,
  options: { readonly view: (row: Row) => Item; readonly keyOf: (row: Row) => string },
): Listing<Item> {
  const { keyOf, view } = options;
  const after = readCursor(input.cursor, 1)?.[0];
  const rest = rows
    .filter((row) => after === undefined || keyOf(row) > after)
    .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
    .slice(0, input.limit + 1);
  return pageOf(rest, input.limit, { view, keyOf: (row) => [keyOf(row)] });
}

export type CursorKey = readonly string[];

export function writeCursor(key: CursorKey): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** The key in a cursor of ours; `undefined` where there is none. Throws `paginationInvalid`. */
export function readCursor(cursor: string | undefined, parts: number): CursorKey | undefined {
  if (cursor === undefined) return undefined;
  try {
    const key = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown;
    if (Array.isArray(key) && key.length === parts && key.every((part) => typeof part === 'string'))
      return key as CursorKey;
  } catch {
    // Answered below, like any other text that is no cursor of ours.
  }
  throw new RegistryError('paginationInvalid', 'cursor: not one of this list', {
    detail: { field: 'cursor', hint: 'send the `next` of the page before, or none' },
  });
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Of a time that may never have come: 0 or nothing is `null`. */
export function isoTimeOrNull(ms: number | undefined): string | null {
  return ms === undefined || ms === 0 ? null : isoTime(ms);
}
