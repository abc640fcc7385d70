import type { Digest } from '../../domain/names/digest.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { isTagImmutable } from '../../domain/names/tag-mutability.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type {
  DigestKey,
  ExpiringImage,
  PutManifestInput,
  PutManifestResult,
  StoreManifestInput,
} from '../contract/rows.ts';
import { batches } from '../sql/batches.ts';
import type { Sql } from '../sql/schema.ts';
import { findMissing, heldBlobsOf, holdAsPushed } from '../rows/held-content.ts';
import type { HeldContent } from '../rows/held-content.ts';
import { addManifest, dropContents } from '../rows/manifest-row.ts';
import {
  addPushedRepository,
  keepRepository,
  lockRepository,
  mayMake,
  setPushed,
} from '../rows/repository-row.ts';
import { moveTag, pushTag } from '../rows/tag-row.ts';

/** The manifest as it was pulled, its children and its tag, all or nothing. */
export async function storeManifest(sql: Sql, input: StoreManifestInput): Promise<boolean> {
  const { id: repositoryId, made } = await keepRepository(sql, input, input.private, input.now);
  await addManifest(sql, repositoryId, input, 'cached', input.rule);
  if (input.tag) {
    const { digest, mediaType, bytes } = input.manifest;
    await moveTag(
      sql,
      repositoryId,
      { ...input.tag, digest, mediaType, size: bytes.byteLength },
      input.now,
    );
  }
  return made;
}

interface KnownTag {
  readonly digest: Digest;
  readonly cached: boolean;
}

/** The checks in this order: the repository, the tags that may not move, what the manifest names. */
export async function putManifest(sql: Sql, input: PutManifestInput): Promise<PutManifestResult> {
  const repository = await lockRepository(sql, input);
  if (!repository && !(await mayMake(sql, input))) return { kind: 'noRepository' };
  const known = repository
    ? await findKnownTags(sql, repository.id, input.tags)
    : new Map<Tag, KnownTag>();
  const fixed = repository && findImmutable(repository.tagMutability, known, input);
  if (fixed) return fixed;
  const { missing, fetched, children } = await findMissing(sql, repository?.id, input);
  if (missing.length > 0) return { kind: 'missing', digests: missing };

  const id = repository?.id ?? (await addPushedRepository(sql, input, input.now));
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

export async function deleteManifest(
  sql: Sql,
  input: DigestKey,
): Promise<{ readonly tags: readonly Tag[] } | undefined> {
  const repository = await lockRepository(sql, input);
  if (!repository) return undefined;
  const tags = await dropManifest(sql, repository.id, input.digest);
  if (tags === undefined) return undefined;
  await dropContents(sql, [input.digest]);
  return { tags };
}

export async function expireManifests(
  sql: Sql,
  input: RepositoryKey & { readonly images: readonly ExpiringImage[] },
): Promise<readonly Digest[]> {
  const repository = await lockRepository(sql, input);
  if (!repository) return [];
  const expired: Digest[] = [];
  for (const image of input.images) {
    if (!(await isUnchanged(sql, repository.id, image))) continue;
    const tags = await dropManifest(sql, repository.id, image.digest);
    if (tags !== undefined) expired.push(image.digest);
  }
  await dropContents(sql, expired);
  return expired;
}

/** Its tags, and its last pull where that counts, are those that were seen, and no index here names it. */
async function isUnchanged(
  sql: Sql,
  repositoryId: number,
  { digest, tags, lastPulledAt }: ExpiringImage,
): Promise<boolean> {
  const image = await sql
    .selectFrom('manifests')
    .select('last_pulled_at')
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (image === undefined) return false;
  if (lastPulledAt !== undefined && image.last_pulled_at !== lastPulledAt) return false;
  const index = await sql
    .selectFrom('manifest_children')
    .select('manifest_id')
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .where('role', '=', 'manifest')
    .limit(1)
    .executeTakeFirst();
  if (index) return false;
  const now = await sql
    .selectFrom('tags')
    .select('tag')
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .orderBy('tag')
    .execute();
  return now.length === tags.length && now.every(({ tag }, at) => tag === tags[at]);
}

/** Its tags; `undefined` where it is not here. Its bytes stay. */
async function dropManifest(
  sql: Sql,
  repositoryId: number,
  digest: Digest,
): Promise<readonly Tag[] | undefined> {
  const deleted = await sql
    .deleteFrom('manifests')
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .returning('id')
    .executeTakeFirst();
  if (!deleted) return undefined;
  const tags = await sql
    .deleteFrom('tags')
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .returning('tag')
    .execute();
  return tags.map((row) => row.tag as Tag).toSorted();
}
