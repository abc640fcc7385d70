import type { Digest } from '../../domain/names/digest.ts';
import { isTagImmutable, mutableTags } from '../../domain/names/tag-mutability.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { batches } from '../sql/batches.ts';
import { addManifest } from './manifests.ts';
import { holdAsPushed } from './blob-holds.ts';
import { findMissing, heldBlobsOf } from './missing-content.ts';
import type { HeldContent } from './missing-content.ts';
import type { PutManifestInput, PutManifestResult } from '../contract/rows.ts';
import { addRepository, lockRepository, setPushed } from './repository-settings.ts';
import type { Sql } from '../sql/schema.ts';
import { addHistory } from './tags.ts';

interface KnownTag {
  readonly digest: Digest;
  readonly cached: boolean;
}

/** The checks in this order: the repository, the tags that may not move, what the manifest names. */
export async function putManifest(sql: Sql, input: PutManifestInput): Promise<PutManifestResult> {
  const repository = await lockRepository(sql, input);
  if (!repository && !input.create) return { kind: 'noRepository' };
  const known = repository
    ? await findKnownTags(sql, repository.id, input.tags)
    : new Map<Tag, KnownTag>();
  const fixed = repository && findImmutable(repository.tagMutability, known, input);
  if (fixed) return fixed;
  const { missing, fetched, children } = await findMissing(sql, repository?.id, input);
  if (missing.length > 0) return { kind: 'missing', digests: missing };

  const id = repository?.id ?? (await addRepository(sql, input, mutableTags, input.now));
  // Another process made it meanwhile.
  if (id === undefined) return putManifest(sql, input);
  await setPushed(sql, id);
  const added = await addManifest(sql, id, input, input.provenance);
  if (!added) await setProvenance(sql, id, input);
  await keepAsPushed(sql, id, { fetched, children }, input);
  for (const tag of input.tags) await pushTag(sql, id, tag, input);
  return {
    kind: 'stored',
    added,
    hides: input.tags.filter((tag) => known.get(tag)?.cached),
    createdRepository: repository === undefined,
  };
}

async function findKnownTags(
  sql: Sql,
  repositoryId: number,
  tags: readonly Tag[],
): Promise<ReadonlyMap<Tag, KnownTag>> {
  const known = new Map<Tag, KnownTag>();
  for (const some of batches(tags)) {
    const rows = await sql
      .selectFrom('tags')
      .select(['tag', 'digest', 'provenance'])
      .where('repository_id', '=', repositoryId)
      .where('tag', 'in', some)
      .execute();
    for (const row of rows) {
      known.set(row.tag as Tag, {
        digest: row.digest as Digest,
        cached: row.provenance === 'cached',
      });
    }
  }
  return known;
}

function findImmutable(
  setting: TagMutability,
  known: ReadonlyMap<Tag, KnownTag>,
  input: PutManifestInput,
): PutManifestResult | undefined {
  for (const tag of input.tags) {
    const digest = known.get(tag)?.digest;
    if (digest === undefined || digest === input.manifest.digest) continue;
    if (isTagImmutable(setting, tag)) return { kind: 'immutable', tag, digest };
  }
  return undefined;
}

async function setProvenance(
  sql: Sql,
  repositoryId: number,
  input: PutManifestInput,
): Promise<void> {
  await sql
    .updateTable('manifests')
    .set({ provenance: input.provenance })
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', input.manifest.digest)
    .where('provenance', '<>', input.provenance)
    .execute();
}

/**
 * What a pushed manifest names and the repository's rule brought is pushed content from now on: it stays when the rule leads
 * elsewhere. Of a child manifest what is held of its own blobs stays too.
 */
async function keepAsPushed(
  sql: Sql,
  repositoryId: number,
  { fetched, children }: Pick<HeldContent, 'fetched' | 'children'>,
  input: PutManifestInput,
): Promise<void> {
  for (const some of batches(fetched)) await holdAsPushed(sql, repositoryId, some, input.now);
  for (const some of batches(children)) {
    const blobs = await heldBlobsOf(sql, repositoryId, some, input.rule);
    for (const digests of batches(blobs)) await holdAsPushed(sql, repositoryId, digests, input.now);
    await sql
      .updateTable('manifests')
      .set({ provenance: input.provenance })
      .where('repository_id', '=', repositoryId)
      .where('digest', 'in', some)
      .where('provenance', '=', 'cached')
      .execute();
  }
}

async function pushTag(
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
