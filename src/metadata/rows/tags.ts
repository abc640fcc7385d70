import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type {
  Counting,
  Provenance,
  RepositoryKey,
  StoredTag,
  TagInput,
  TagRow,
  TagStatus,
} from '../contract/rows.ts';
import { keepRepository } from './repositories.ts';
import { tagCounts } from './counting.ts';
import { pointQuery, rowsQuery } from '../sql/point-query.ts';
import { textBefore } from '../sql/text-order.ts';
import type { Sql } from '../sql/schema.ts';

const tagByName = pointQuery((sql, slots: RepositoryKey & { readonly tag: Tag }) =>
  sql
    .selectFrom('repositories')
    .innerJoin('tags', 'tags.repository_id', 'repositories.id')
    .select([
      'tags.digest',
      'tags.media_type',
      'tags.size',
      'tags.source',
      'tags.validated_at',
      'tags.status',
      'tags.provenance',
    ])
    .where('repositories.registry', '=', slots.registry)
    .where('repositories.name', '=', slots.repository)
    .where('tags.tag', '=', slots.tag),
);

export async function findTag(
  sql: Sql,
  key: RepositoryKey,
  tag: Tag,
): Promise<StoredTag | undefined> {
  const row = await tagByName(sql, { registry: key.registry, repository: key.repository, tag });
  return (
    row && {
      tag,
      digest: row.digest as Digest,
      mediaType: row.media_type,
      size: row.size,
      source: row.source,
      validatedAt: row.validated_at,
      status: row.status as TagStatus,
      provenance: row.provenance as Provenance,
    }
  );
}

interface TagsFrom extends RepositoryKey {
  readonly after: string;
  readonly limit: number;
}

const allTags = rowsQuery((sql, from: TagsFrom) => tagsInOrder(sql, from).select('tags.tag'));

/** Without what is told of each. */
function tagsInOrder(sql: Sql, from: TagsFrom, counting?: Counting) {
  return sql
    .selectFrom('repositories')
    .innerJoin('tags', 'tags.repository_id', 'repositories.id')
    .where('repositories.registry', '=', from.registry)
    .where('repositories.name', '=', from.repository)
    .where('tags.tag', '>', from.after)
    .where(tagCounts('tags', counting))
    .orderBy('tags.tag')
    .limit(from.limit);
}

export async function listTags(
  sql: Sql,
  key: RepositoryKey,
  after: string,
  limit: number,
  counting?: Counting,
): Promise<readonly Tag[]> {
  const { registry, repository } = key;
  const from = { registry, repository, after: textBefore(after), limit };
  const rows = await (counting === undefined
    ? allTags(sql, from)
    : tagsInOrder(sql, from, counting).select('tags.tag').execute());
  return rows.map((row) => row.tag as Tag);
}

const rowColumns = [
  'tags.tag',
  'tags.digest',
  'tags.media_type',
  'tags.size',
  'tags.provenance',
  'tags.source',
  'tags.validated_at',
  'tags.last_pulled_at',
] as const;

const allTagRows = rowsQuery((sql, from: TagsFrom) => tagsInOrder(sql, from).select(rowColumns));

export async function listTagRows(
  sql: Sql,
  key: RepositoryKey,
  after: string,
  limit: number,
  counting?: Counting,
): Promise<readonly TagRow[]> {
  const { registry, repository } = key;
  const from = { registry, repository, after: textBefore(after), limit };
  const rows = await (counting === undefined
    ? allTagRows(sql, from)
    : tagsInOrder(sql, from, counting).select(rowColumns).execute());
  return rows.map((row) => ({
    tag: row.tag as Tag,
    digest: row.digest as Digest,
    mediaType: row.media_type,
    size: row.size,
    provenance: row.provenance as Provenance,
    source: row.source,
    validatedAt: row.validated_at,
    lastPulledAt: row.last_pulled_at,
  }));
}

export async function tagHistory(
  sql: Sql,
  key: RepositoryKey,
  tag: Tag,
  limit: number,
): Promise<readonly { readonly digest: Digest; readonly seenAt: number }[]> {
  const rows = await sql
    .selectFrom('repositories')
    .innerJoin('tag_history', 'tag_history.repository_id', 'repositories.id')
    .select(['tag_history.digest', 'tag_history.seen_at'])
    .where('repositories.registry', '=', key.registry)
    .where('repositories.name', '=', key.repository)
    .where('tag_history.tag', '=', tag)
    .orderBy('tag_history.id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ digest: row.digest as Digest, seenAt: row.seen_at }));
}

export async function setTag(
  sql: Sql,
  input: TagInput & { readonly private: boolean },
): Promise<boolean> {
  const { id, made } = await keepRepository(sql, input, input.private, input.validatedAt);
  await moveTag(sql, id, input, input.validatedAt);
  return made;
}

/** Sets the tag to a digest that upstream has just been seen to give it; one that did not come from upstream stays as it is. */
export async function moveTag(
  sql: Sql,
  repositoryId: number,
  tag: Omit<TagInput, keyof RepositoryKey>,
  now: number,
): Promise<void> {
  const moved = await sql
    .insertInto('tags')
    .values({
      repository_id: repositoryId,
      tag: tag.tag,
      digest: tag.digest,
      media_type: tag.mediaType,
      size: tag.size,
      source: tag.source,
      validated_at: tag.validatedAt,
      status: 'ok',
      last_pulled_at: now,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['repository_id', 'tag'])
        .doUpdateSet((eb) => ({
          digest: eb.ref('excluded.digest'),
          media_type: eb.ref('excluded.media_type'),
          size: eb.ref('excluded.size'),
          source: eb.ref('excluded.source'),
          validated_at: eb.ref('excluded.validated_at'),
          status: eb.ref('excluded.status'),
        }))
        .where('tags.provenance', '=', 'cached'),
    )
    .returning('tag')
    .executeTakeFirst();
  if (moved) await addHistory(sql, repositoryId, tag.tag, tag.digest, now);
}

/** Notes that the tag has had the digest, where that is new. */
export async function addHistory(
  sql: Sql,
  repositoryId: number,
  tag: Tag,
  digest: Digest,
  now: number,
): Promise<void> {
  await sql
    .insertInto('tag_history')
    .values({ repository_id: repositoryId, tag, digest, seen_at: now })
    .onConflict((conflict) => conflict.columns(['repository_id', 'tag', 'digest']).doNothing())
    .execute();
}

export async function validateTag(
  sql: Sql,
  input: RepositoryKey & {
    readonly tag: Tag;
    readonly source: string;
    readonly validatedAt: number;
  },
): Promise<void> {
  await updateTag(sql, input, {
    source: input.source,
    validated_at: input.validatedAt,
    status: 'ok',
  });
}

export async function markTag(
  sql: Sql,
  input: RepositoryKey & { readonly tag: Tag; readonly status: TagStatus },
): Promise<void> {
  await updateTag(sql, input, { status: input.status });
}

async function updateTag(
  sql: Sql,
  key: RepositoryKey & { readonly tag: Tag },
  set: { readonly source?: string; readonly validated_at?: number; readonly status: TagStatus },
): Promise<void> {
  await sql
    .updateTable('tags')
    .set(set)
    .where('tag', '=', key.tag)
    .where('provenance', '=', 'cached')
    .where('repository_id', '=', (eb) =>
      eb
        .selectFrom('repositories')
        .select('id')
        .where('registry', '=', key.registry)
        .where('name', '=', key.repository),
    )
    .execute();
}
