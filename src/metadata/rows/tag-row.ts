import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { PutManifestInput, TagInput } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';

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

export async function pushTag(
  sql: Sql,
  repositoryId: number,
  tag: Tag,
  input: PutManifestInput,
): Promise<void> {
  const { digest, mediaType, bytes } = input.manifest;
  await sql
    .insertInto('tags')
    .values({
      repository_id: repositoryId,
      tag,
      digest,
      media_type: mediaType,
      size: bytes.byteLength,
      source: '',
      validated_at: input.now,
      status: 'ok',
      last_pulled_at: 0,
      provenance: input.provenance,
      pushed_at: input.now,
    })
    .onConflict((conflict) =>
      conflict.columns(['repository_id', 'tag']).doUpdateSet((eb) => ({
        digest: eb.ref('excluded.digest'),
        media_type: eb.ref('excluded.media_type'),
        size: eb.ref('excluded.size'),
        source: eb.ref('excluded.source'),
        validated_at: eb.ref('excluded.validated_at'),
        status: eb.ref('excluded.status'),
        provenance: eb.ref('excluded.provenance'),
        pushed_at: eb.ref('excluded.pushed_at'),
      })),
    )
    .execute();
  await addHistory(sql, repositoryId, tag, digest, input.now);
}
