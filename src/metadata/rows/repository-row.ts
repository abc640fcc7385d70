import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Selectable } from 'kysely';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { StoredRepository } from '../contract/rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Schema, Sql } from '../sql/schema.ts';

/** What `storedRepository` reads. */
export const repositoryColumns = [
  'private',
  'stopped_at',
  'stopped_reason',
  'created_at',
  'pushed',
  'tag_mutability',
  'policy',
] as const;

/** What `storedRepository` reads, and the id. */
type NamedRow = Pick<Selectable<Schema['repositories']>, 'id' | (typeof repositoryColumns)[number]>;

export const repositoryByName: (sql: Sql, key: RepositoryKey) => Promise<NamedRow | undefined> =
  pointQuery((sql, slots: RepositoryKey) =>
    sql
      .selectFrom('repositories')
      .select(['id', ...repositoryColumns])
      .where('registry', '=', slots.registry)
      .where('name', '=', slots.repository),
  );

export function storedRepository(
  row: Pick<Selectable<Schema['repositories']>, (typeof repositoryColumns)[number]>,
): StoredRepository {
  return {
    private: row.private === 1,
    stopped:
      row.stopped_at === null
        ? undefined
        : { at: row.stopped_at, reason: row.stopped_reason ?? '' },
    createdAt: row.created_at,
    pushed: row.pushed === 1,
    tagMutability: parseTagMutability(row.tag_mutability),
    policy: row.policy ?? undefined,
  };
}

/** Reads the column of the setting. */
export function parseTagMutability(text: string | null): TagMutability {
  return text === null ? mutableTags : (JSON.parse(text) as TagMutability);
}

/** The repository's row, made where it is missing. What was private stays so. */
export async function keepRepository(
  sql: Sql,
  key: RepositoryKey,
  isPrivate: boolean,
  now: number,
): Promise<{ readonly id: number; readonly made: boolean }> {
  const known = await repositoryByName(sql, key);
  if (known) {
    if (isPrivate && known.private !== 1) await setPrivate(sql, known.id);
    return { id: known.id, made: false };
  }
  const row = await sql
    .insertInto('repositories')
    .values({
      registry: key.registry,
      name: key.repository,
      private: isPrivate ? 1 : 0,
      stopped_at: null,
      stopped_reason: null,
      created_at: now,
    })
    .onConflict((conflict) => conflict.columns(['registry', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst();
  // Another process made it meanwhile.
  return row ? { id: row.id, made: true } : keepRepository(sql, key, isPrivate, now);
}

async function setPrivate(sql: Sql, id: number): Promise<void> {
  await sql.updateTable('repositories').set({ private: 1 }).where('id', '=', id).execute();
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
