import { lifecycleActsAfterMs } from '../../domain/lifecycle/policy.ts';
import { inKeyOrder } from '../../domain/names/label.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Insertable, SelectQueryBuilder, Selectable } from 'kysely';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { MadeBy, RepositoryAttributes, StoredRepository } from '../contract/rows.ts';
import type { TemplateUse } from '../../domain/registries/creation-template.ts';
import { upstreamOf } from '../../domain/rules/rule-identity.ts';
import { longestTemplate } from './creation-template-row.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Schema, Sql } from '../sql/schema.ts';

/** Stands as the registry of what is deleted and not yet dropped; no registry is called so. */
export const deletedRegistry = 'deleted';

/** What `storedRepository` reads. */
export const repositoryColumns = [
  'private',
  'stopped_at',
  'stopped_reason',
  'created_at',
  'pushed',
  'tag_mutability',
  'policy',
  'attributes',
] as const;

/** The repository's id, as a part of a statement; none where it is missing. */
export function idOfRepository(
  sql: Sql,
  key: { readonly registry: string; readonly repository: string },
): SelectQueryBuilder<Schema, 'repositories', { id: number }> {
  return sql
    .selectFrom('repositories')
    .select('id')
    .where('registry', '=', key.registry)
    .where('name', '=', key.repository);
}

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
    ...(row.attributes === null
      ? {}
      : { attributes: JSON.parse(row.attributes) as RepositoryAttributes }),
  };
}

/** Reads the column of the setting. */
export function parseTagMutability(text: string | null): TagMutability {
  return text === null ? mutableTags : (JSON.parse(text) as TagMutability);
}

/** The repository's row, made where it is missing. What was private stays so. `rule`: identity of the one that leads there, where it is known. */
export async function keepRepository(
  sql: Sql,
  key: RepositoryKey & { readonly rule?: string },
  isPrivate: boolean,
  now: number,
): Promise<{ readonly id: number; readonly made: boolean }> {
  const known = await repositoryByName(sql, key);
  if (known) {
    if (isPrivate && known.private !== 1) await setPrivate(sql, known.id);
    return { id: known.id, made: false };
  }
  const row = { private: isPrivate ? 1 : 0, created_at: now };
  const upstream = key.rule === undefined ? undefined : upstreamOf(key.rule);
  const madeBy = {
    use: 'PULL_THROUGH_CACHE',
    ...(upstream === undefined ? {} : { upstream }),
  } as const;
  const id = await insertFromTemplate(sql, key, row, madeBy);
  // Another process made it meanwhile.
  return id === undefined ? keepRepository(sql, key, isPrivate, now) : { id, made: true };
}

async function setPrivate(sql: Sql, id: number): Promise<void> {
  await sql.updateTable('repositories').set({ private: 1 }).where('id', '=', id).execute();
}

/** What a write may need of the repository that it has locked. */
interface LockedRepository {
  readonly id: number;
  readonly pushed: boolean;
  readonly tagMutability: TagMutability;
  /** As it is stored. */
  readonly attributes: string | null;
}

/** The repository's row, kept from other processes' writes until the transaction ends; `undefined` where it is missing. */
export async function lockRepository(
  sql: Sql,
  key: RepositoryKey,
): Promise<LockedRepository | undefined> {
  // An update that changes nothing locks the row on both; SQLite has no `for update`.
  const row = await sql
    .updateTable('repositories')
    .set((eb) => ({ pushed: eb.ref('pushed') }))
    .where('registry', '=', key.registry)
    .where('name', '=', key.repository)
    .returning(['id', 'pushed', 'tag_mutability', 'attributes'])
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { id, tag_mutability: mutability, attributes } = row;
  const pushed = row.pushed === 1;
  return { id, pushed, tagMutability: parseTagMutability(mutability), attributes };
}

/** What is set of a repository as it is made. */
export interface RepositoryInput extends RepositoryKey {
  readonly tagMutability: TagMutability;
  readonly attributes?: RepositoryAttributes;
  readonly now: number;
}

/** The id of the new row, which counts as pushed; `undefined` where there is one already. */
export function addRepository(
  sql: Sql,
  key: RepositoryKey,
  { tagMutability, attributes = {} }: Pick<RepositoryInput, 'tagMutability' | 'attributes'>,
  now: number,
): Promise<number | undefined> {
  return insertRepository(sql, key, {
    private: 0,
    created_at: now,
    pushed: 1,
    tag_mutability: JSON.stringify(tagMutability),
    attributes: JSON.stringify({ ...attributes, madeBy: { use: 'API' } satisfies MadeBy }),
  });
}

/** The id of the new row, which counts as pushed, with the settings of the template for pushes; `undefined` where there is one already. */
export function addPushedRepository(
  sql: Sql,
  key: RepositoryKey,
  now: number,
): Promise<number | undefined> {
  const row = { private: 0, created_at: now, pushed: 1 };
  return insertFromTemplate(sql, key, row, { use: 'CREATE_ON_PUSH' });
}

/** Whether a push may make the repository: by the server's setting, or by a template for pushes. */
export async function mayMake(
  sql: Sql,
  input: RepositoryKey & { readonly create: boolean },
): Promise<boolean> {
  return input.create || (await longestTemplate(sql, input, 'CREATE_ON_PUSH')) !== undefined;
}

/** With what the longest template that matches says, all in the caller's transaction. */
async function insertFromTemplate(
  sql: Sql,
  key: RepositoryKey,
  row: { readonly private: number; readonly created_at: number; readonly pushed?: number },
  madeBy: MadeBy & { readonly use: TemplateUse },
): Promise<number | undefined> {
  const template = await longestTemplate(sql, key, madeBy.use);
  if (template === undefined)
    return insertRepository(sql, key, { ...row, attributes: JSON.stringify({ madeBy }) });
  const { settings, prefix } = template;
  const attributes: RepositoryAttributes = {
    ...(settings.tags === undefined || settings.tags.length === 0
      ? {}
      : { tags: inKeyOrder(settings.tags) }),
    ...(settings.encryption === undefined ? {} : { encryption: settings.encryption }),
    madeBy: { ...madeBy, template: prefix },
  };
  const id = await insertRepository(sql, key, {
    ...row,
    tag_mutability:
      settings.tagMutability === undefined ? null : JSON.stringify(settings.tagMutability),
    policy: settings.policy === undefined || settings.policy === '' ? null : settings.policy,
    attributes: JSON.stringify(attributes),
  });
  const { lifecycle = '' } = settings;
  if (id === undefined || lifecycle === '') return id;
  await sql
    .insertInto('lifecycle_policies')
    .values({
      repository_id: id,
      text: lifecycle,
      updated_at: row.created_at,
      evaluated_at: null,
      due_at: row.created_at + lifecycleActsAfterMs,
    })
    .execute();
  return id;
}

async function insertRepository(
  sql: Sql,
  key: RepositoryKey,
  row: Omit<Insertable<Schema['repositories']>, 'registry' | 'name'>,
): Promise<number | undefined> {
  const added = await sql
    .insertInto('repositories')
    .values({ registry: key.registry, name: key.repository, ...row })
    .onConflict((conflict) => conflict.columns(['registry', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return added?.id;
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
