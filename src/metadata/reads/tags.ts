import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { Provenance, StoredTag, TagKey, TagStatus } from '../contract/rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

const tagByName = pointQuery((sql, slots: TagKey) =>
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
  const row = await tagByName(sql, { ...key, tag });
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
