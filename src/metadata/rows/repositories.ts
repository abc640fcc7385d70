import type { Selectable } from 'kysely';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { RepositoryKey, StoredRepository } from '../contract/rows.ts';
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

const repositoryByName = pointQuery((sql, slots: RepositoryKey) =>
  sql
    .selectFrom('repositories')
    .select(['id', ...repositoryColumns])
    .where('registry', '=', slots.registry)
    .where('name', '=', slots.repository),
);

export async function findRepository(
  sql: Sql,
  key: RepositoryKey,
): Promise<StoredRepository | undefined> {
  const row = await repositoryByName(sql, key);
  return row && storedRepository(row);
}

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

export async function stopRepository(
  sql: Sql,
  input: RepositoryKey & { readonly reason: string | undefined; readonly now: number },
): Promise<boolean> {
  const { id, made } = await keepRepository(sql, input, false, input.now);
  await sql
    .updateTable('repositories')
    .set(
      input.reason === undefined
        ? { stopped_at: null, stopped_reason: null }
        : { stopped_at: input.now, stopped_reason: input.reason },
    )
    .where('id', '=', id)
    .execute();
  return made;
}
