import type { RawBuilder, SqlBool } from 'kysely';
import { sql as text } from 'kysely';
import type { Counting } from '../contract/rows.ts';

/** Whether a row of `manifests`, by the name that the query gives the table, counts. */
export function manifestCounts(table: string, counting: Counting | undefined): RawBuilder<SqlBool> {
  if (counting === undefined) return text<SqlBool>`1 = 1`;
  const pushed = text<SqlBool>`${text.ref(`${table}.provenance`)} <> 'cached'`;
  if (counting.rule === undefined) return pushed;
  return text<SqlBool>`(${pushed} or ${text.ref(`${table}.rule`)} = ${counting.rule})`;
}

/** The same for a row of `tags`. */
export function tagCounts(table: string, counting: Counting | undefined): RawBuilder<SqlBool> {
  if (counting === undefined) return text<SqlBool>`1 = 1`;
  const pushed = text<SqlBool>`${text.ref(`${table}.provenance`)} <> 'cached'`;
  if (counting.sources.length === 0) return pushed;
  const sources = text.join(counting.sources);
  return text<SqlBool>`(${pushed} or ${text.ref(`${table}.source`)} in (${sources}))`;
}
