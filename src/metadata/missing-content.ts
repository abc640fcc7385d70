import type { Digest } from '../domain/digest.ts';
import { type Descriptor, livesElsewhere } from '../domain/manifest.ts';
import { childKind } from '../domain/media-type.ts';
import { batches } from './batches.ts';
import type { PutManifestInput } from './registry-metadata.ts';
import type { Sql } from './schema.ts';

/** Digests that are told; a client that lacks more pushes these first. */
const toldMax = 100;

/** What a manifest names that is not held here, and blobs that are held by the rule alone. */
export interface HeldContent {
  readonly missing: readonly Digest[];
  /** Fetched by the repository's rule and named by a manifest that was pulled here. */
  readonly ruleHeld: readonly Digest[];
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
  const children = input.sparse ? [] : uniqueDigests(manifests);
  const held = new Set<string>();
  const ruleHeld: Digest[] = [];
  if (repositoryId !== undefined) {
    for (const digests of batches(blobs)) {
      await addProven(sql, repositoryId, digests, held);
      const unproven = digests.filter((digest) => !held.has(digest));
      for (const some of batches(unproven)) {
        ruleHeld.push(...(await heldByRule(sql, repositoryId, input, some)));
      }
    }
    for (const digests of batches(children)) await addManifests(sql, repositoryId, digests, held);
    // A type that nobody knows may be a blob's.
    const maybeBlobs = manifests.filter(
      ({ mediaType, digest }) => childKind(mediaType) === 'unknown' && !held.has(digest),
    );
    for (const digests of batches(input.sparse ? [] : uniqueDigests(maybeBlobs)))
      await addProven(sql, repositoryId, digests, held);
  }
  for (const digest of ruleHeld) held.add(digest);
  const required = input.sparse ? blobs.slice(0, config ? 1 : 0) : [...blobs, ...children];
  const missing = required.filter((digest) => !held.has(digest));
  return { missing: missing.slice(0, toldMax), ruleHeld };
}

function uniqueDigests(descriptors: readonly Descriptor[]): readonly Digest[] {
  return [...new Set(descriptors.map((one) => one.digest))];
}

async function addProven(
  sql: Sql,
  repositoryId: number,
  digests: readonly Digest[],
  held: Set<string>,
): Promise<void> {
  const rows = await sql
    .selectFrom('repository_blobs')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', digests)
    .execute();
  for (const row of rows) held.add(row.digest);
}

async function addManifests(
  sql: Sql,
  repositoryId: number,
  digests: readonly Digest[],
  held: Set<string>,
): Promise<void> {
  const rows = await sql
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', digests)
    .execute();
  for (const row of rows) held.add(row.digest);
}

/** A pushed manifest's naming counts for nothing: it may name, as a layer that lives elsewhere, what its pusher never had. */
async function heldByRule(
  sql: Sql,
  repositoryId: number,
  key: PutManifestInput,
  digests: readonly Digest[],
): Promise<readonly Digest[]> {
  const rows = await sql
    .selectFrom('rule_blobs')
    .select('rule_blobs.digest')
    .distinct()
    .where('rule_blobs.registry', '=', key.registry)
    .where('rule_blobs.rule', 'in', prefixesOf(key.repository))
    .where('rule_blobs.digest', 'in', digests)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('manifest_children as child')
          .innerJoin('manifests', 'manifests.id', 'child.manifest_id')
          .select('child.digest')
          .where('child.repository_id', '=', repositoryId)
          .whereRef('child.digest', '=', 'rule_blobs.digest')
          .where('child.role', '<>', 'manifest')
          .where('manifests.provenance', '=', 'cached'),
      ),
    )
    .execute();
  return rows.map((row) => row.digest as Digest);
}

/** Prefixes of all rules that can stand over the repository. */
function prefixesOf(repository: string): readonly string[] {
  const parts = repository.split('/');
  return ['ROOT', ...parts.map((_, index) => parts.slice(0, index + 1).join('/'))];
}
