import type { SqlBool } from 'kysely';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import { livesElsewhere } from '../../domain/manifests/manifest.ts';
import { childKind } from '../../domain/manifests/media-type.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { PutManifestInput } from '../contract/rows.ts';
import { batches } from '../sql/batches.ts';
import type { Sql } from '../sql/schema.ts';

/** Digests that one answer names; a client that lacks more pushes these first. */
const missingMax = 100;

/** What a manifest names that is not held here, and what is held as fetched alone. */
export interface HeldContent {
  readonly missing: readonly Digest[];
  /** Blobs that came through the repository's rule. */
  readonly fetched: readonly Digest[];
  /** Manifests that came through the repository's rule. */
  readonly children: readonly Digest[];
}

/** `repositoryId` undefined: the repository is still to be made, and nothing is held. */
export async function findMissing(
  sql: Sql,
  repositoryId: number | undefined,
  input: PutManifestInput,
): Promise<HeldContent> {
  const { config, layers, manifests } = input.parsed;
  const blobs = uniqueDigests([
    ...(config ? [config] : []),
    ...layers.filter((layer) => !livesElsewhere(layer)),
  ]);
  const children = uniqueDigests(manifests);
  // A type that nobody knows may be a blob's.
  const maybeBlobs = uniqueDigests(
    manifests.filter(({ mediaType }) => childKind(mediaType) === 'unknown'),
  );
  const asked = [...new Set([...blobs, ...maybeBlobs])];
  const held = {
    blobs: await heldOf(sql, repositoryId, findBlobs, asked, input),
    children: await heldOf(sql, repositoryId, findManifests, children, input),
  };
  const required = input.sparse ? blobs.slice(0, config ? 1 : 0) : blobs;
  const missing = [
    ...required.filter((digest) => !held.blobs.has(digest)),
    ...(input.sparse
      ? []
      : children.filter((digest) => !held.children.has(digest) && !held.blobs.has(digest))),
  ];
  return {
    missing: missing.slice(0, missingMax),
    fetched: asked.filter((digest) => held.blobs.get(digest) === false),
    children: children.filter((digest) => held.children.get(digest) === false),
  };
}

function uniqueDigests(descriptors: readonly Descriptor[]): readonly Digest[] {
  return [...new Set(descriptors.map((one) => one.digest))];
}

type FindHeld = (
  sql: Sql,
  repositoryId: number,
  digests: readonly Digest[],
) => Promise<
  readonly { readonly digest: string; readonly rule: string; readonly pushed: SqlBool }[]
>;

const findBlobs: FindHeld = (sql, repositoryId, digests) =>
  sql
    .selectFrom('repository_blobs')
    .select((eb) => ['digest', 'rule', eb('pushed', '=', 1).as('pushed')])
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', digests)
    .execute();

const findManifests: FindHeld = (sql, repositoryId, digests) =>
  sql
    .selectFrom('manifests')
    .select((eb) => ['digest', 'rule', eb('provenance', '<>', 'cached').as('pushed')])
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', digests)
    .execute();

/** What is held of the digests, each with whether it was pushed: `findBlobClaim` for many. A manifest's naming counts for nothing. */
async function heldOf(
  sql: Sql,
  repositoryId: number | undefined,
  find: FindHeld,
  digests: readonly Digest[],
  { rule, stopped = false }: Pick<PutManifestInput, 'rule' | 'stopped'>,
): Promise<ReadonlyMap<string, boolean>> {
  const held = new Map<string, boolean>();
  if (repositoryId === undefined) return held;
  for (const some of batches(digests))
    for (const row of await find(sql, repositoryId, some)) {
      if (row.pushed) held.set(row.digest, true);
      else if (!stopped && (rule === undefined || row.rule === rule)) held.set(row.digest, false);
    }
  return held;
}

/** Blobs that these manifests of the repository name and that came through the rule, which the repository holds. */
export async function heldBlobsOf(
  sql: Sql,
  repositoryId: number,
  manifests: readonly Digest[],
  rule: string | undefined,
): Promise<readonly Digest[]> {
  const rows = await sql
    .selectFrom('manifests')
    .innerJoin('manifest_children as child', 'child.manifest_id', 'manifests.id')
    .innerJoin('repository_blobs as hold', (join) =>
      join
        .onRef('hold.repository_id', '=', 'manifests.repository_id')
        .onRef('hold.digest', '=', 'child.digest'),
    )
    .select('child.digest')
    .distinct()
    .where('manifests.repository_id', '=', repositoryId)
    .where('manifests.digest', 'in', manifests)
    .where('child.role', '<>', 'manifest')
    .where('hold.pushed', '=', 0)
    .$if(rule !== undefined, (query) => query.where('hold.rule', '=', rule ?? ''))
    .execute();
  return rows.map((row) => row.digest as Digest);
}

/** The repository holds the blobs as pushed from now on, whatever its rule comes to lead to. At most a batch of them. */
export async function holdAsPushed(
  sql: Sql,
  repositoryId: number,
  digests: readonly Digest[],
  now: number,
): Promise<void> {
  await sql
    .insertInto('repository_blobs')
    .values(
      digests.map((digest) => ({ repository_id: repositoryId, digest, proven_at: now, pushed: 1 })),
    )
    .onConflict((conflict) =>
      conflict
        .columns(['repository_id', 'digest'])
        .doUpdateSet({ pushed: 1 })
        .where('repository_blobs.pushed', '=', 0),
    )
    .execute();
}
