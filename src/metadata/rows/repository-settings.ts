import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { RepositoryKey, RepositoryRow } from '../contract/rows.ts';
import { rowsQuery } from '../sql/point-query.ts';
import { parseTagMutability, repositoryColumns, storedRepository } from './repositories.ts';
import type { Sql } from '../sql/schema.ts';
import { textBefore, textBeyond } from '../sql/text-order.ts';

interface NameRange {
  readonly registry: RegistryKey;
  readonly after: string;
  readonly from: string;
  readonly to: string;
  readonly limit: number;
}

const repositoriesInOrder = rowsQuery((sql, slots: NameRange) =>
  sql
    .selectFrom('repositories')
    .select(['name', ...repositoryColumns])
    .where('registry', '=', slots.registry)
    .where('name', '>', slots.after)
    .where('name', '>=', slots.from)
    .where('name', '<', slots.to)
    .orderBy('name')
    .limit(slots.limit),
);

export async function listRepositories(
  sql: Sql,
  registry: RegistryKey,
  options: { readonly prefix: string; readonly after: string; readonly limit: number },
): Promise<readonly RepositoryRow[]> {
  const { prefix, after, limit } = options;
  if (prefix.includes('\0')) return [];
  const rows = await repositoriesInOrder(sql, {
    registry,
    after: textBefore(after),
    from: prefix,
    to: textBeyond(prefix),
    limit,
  });
  return rows.map((row) => ({ name: row.name as RepositoryName, ...storedRepository(row) }));
}

/** The repository's row, kept from other processes' writes until the transaction ends; `undefined` where it is missing. */
export async function lockRepository(
  sql: Sql,
  key: RepositoryKey,
): Promise<{ readonly id: number; readonly tagMutability: TagMutability } | undefined> {
  // An update that changes nothing locks the row on both; SQLite has no `for update`.
  const row = await sql
    .updateTable('repositories')
    .set((eb) => ({ pushed: eb.ref('pushed') }))
    .where('registry', '=', key.registry)
    .where('name', '=', key.repository)
    .returning(['id', 'tag_mutability'])
    .executeTakeFirst();
  return row && { id: row.id, tagMutability: parseTagMutability(row.tag_mutability) };
}

/** The id of the new row; `undefined` where there is one already. */
export async function addRepository(
  sql: Sql,
  key: RepositoryKey,
  tagMutability: TagMutability,
  now: number,
): Promise<number | undefined> {
  const row = await sql
    .insertInto('repositories')
    .values({
      registry: key.registry,
      name: key.repository,
      private: 0,
      stopped_at: null,
      stopped_reason: null,
      created_at: now,
      pushed: 1,
      tag_mutability: JSON.stringify(tagMutability),
    })
    .onConflict((conflict) => conflict.columns(['registry', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}

/** False where something had been pushed there before. */
export async function setPushed(sql: Sql, repositoryId: number): Promise<boolean> {
  const row = await sql
    .updateTable('repositories')
    .set({ pushed: 1 })
    .where('id', '=', repositoryId)
    .where('pushed', '=', 0)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function createRepository(
  sql: Sql,
  input: RepositoryKey & { readonly tagMutability: TagMutability; readonly now: number },
): Promise<boolean> {
  return (await addRepository(sql, input, input.tagMutability, input.now)) !== undefined;
}

export async function setTagMutability(
  sql: Sql,
  input: RepositoryKey & { readonly tagMutability: TagMutability },
): Promise<boolean> {
  return updateRepository(sql, input, { tag_mutability: JSON.stringify(input.tagMutability) });
}

export async function setRepositoryPolicy(
  sql: Sql,
  input: RepositoryKey & { readonly text: string | undefined },
): Promise<boolean> {
  return updateRepository(sql, input, { policy: input.text ?? null });
}

async function updateRepository(
  sql: Sql,
  key: RepositoryKey,
  set: { readonly tag_mutability?: string; readonly policy?: string | null },
): Promise<boolean> {
  const row = await sql
    .updateTable('repositories')
    .set(set)
    .where('registry', '=', key.registry)
    .where('name', '=', key.repository)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}
