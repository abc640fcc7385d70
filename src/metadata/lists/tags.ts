import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { Counting, Provenance, TagRow } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';
import { textBefore } from '../sql/text-order.ts';
import { tagCounts } from '../rows/counting.ts';

/** Without the columns of each. */
function tagsInOrder(
  sql: Sql,
  key: RepositoryKey,
  after: string,
  limit: number,
  counting: Counting | undefined,
) {
  return sql
    .selectFrom('repositories')
    .innerJoin('tags', 'tags.repository_id', 'repositories.id')
    .where('repositories.registry', '=', key.registry)
    .where('repositories.name', '=', key.repository)
    .where('tags.tag', '>', textBefore(after))
    .where(tagCounts('tags', counting))
    .orderBy('tags.tag')
    .limit(limit);
}

export async function listTags(
  sql: Sql,
  key: RepositoryKey,
  after: string,
  limit: number,
  counting?: Counting,
): Promise<readonly Tag[]> {
  const tags = tagsInOrder(sql, key, after, limit, counting);
  const rows = await tags.select('tags.tag').execute();
  return rows.map((row) => row.tag as Tag);
}

export async function listTagRows(
  sql: Sql,
  key: RepositoryKey,
  after: string,
  limit: number,
  counting?: Counting,
): Promise<readonly TagRow[]> {
  const rows = await tagsInOrder(sql, key, after, limit, counting)
    .select([
      'tags.tag',
      'tags.digest',
      'tags.media_type',
      'tags.size',
      'tags.provenance',
      'tags.source',
      'tags.validated_at',
      'tags.last_pulled_at',
    ])
    .execute();
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
