import type { RawBuilder, SqlBool } from 'kysely';
import { sql as text } from 'kysely';

/**
 * Which records of a repository count beside those of pushes: manifests that came through the rule of this identity, and tags
 * that were read from one of these sources. Neither: pushed ones alone. Where no `Counting` is given, all do.
 */
export interface Counting {
  readonly rule: string | undefined;
  readonly sources: readonly string[];
}

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
