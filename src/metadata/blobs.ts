import type { Digest } from '../domain/digest.ts';
import type { BlobClaim, RepositoryKey } from './metadata.ts';
import { pointQuery } from './point-query.ts';
import { keepRepository } from './repositories.ts';
import type { Sql } from './schema.ts';

interface BlobInput extends RepositoryKey {
  readonly digest: Digest;
  readonly private: boolean;
  readonly now: number;
}

/** The oldest that are looked at: a blob as common as the empty config may be named by every manifest of a repository. */
const namingsMax = 100;

const claimOfBlob = pointQuery(
  (sql, slots: RepositoryKey & { readonly rule: string; readonly digest: Digest }) =>
    sql.selectNoFrom((eb) => {
      const repository = eb
        .selectFrom('repositories')
        .where('registry', '=', slots.registry)
        .where('name', '=', slots.repository);
      const some = repository
        .innerJoin('manifest_children', 'manifest_children.repository_id', 'repositories.id')
        .where('manifest_children.digest', '=', slots.digest)
        .select([
          'manifest_children.manifest_id',
          'manifest_children.size',
          'manifest_children.media_type',
        ])
        .orderBy('manifest_children.manifest_id')
        .orderBy('manifest_children.position')
        .limit(namingsMax)
        .as('child');
      const named = eb
        .selectFrom(some)
        .innerJoin('manifests', 'manifests.id', 'child.manifest_id')
        .limit(1);
      const naming = named.where('manifests.provenance', '=', 'cached');
      return [
        naming.select('child.size').as('named_size'),
        naming.select('child.media_type').as('media_type'),
        named
          .where('manifests.provenance', '<>', 'cached')
          .select('child.manifest_id')
          .as('pushed_by'),
        repository
          .innerJoin('repository_blobs as proof', 'proof.repository_id', 'repositories.id')
          .where('proof.digest', '=', slots.digest)
          .select('proof.proven_at')
          .as('proven_at'),
        eb
          .selectFrom('rule_blobs')
          .where('registry', '=', slots.registry)
          .where('rule', '=', slots.rule)
          .where('digest', '=', slots.digest)
          .select('size')
          .as('fetched_size'),
      ];
    }),
);

export async function findBlobClaim(
  sql: Sql,
  key: RepositoryKey,
  rule: string,
  digest: Digest,
): Promise<BlobClaim> {
  const row = await claimOfBlob(sql, {
    registry: key.registry,
    repository: key.repository,
    rule,
    digest,
  });
  const fetchedSize = row?.fetched_size ?? undefined;
  const namedSize = row?.named_size ?? undefined;
  const proven = typeof row?.proven_at === 'number';
  return {
    named: namedSize !== undefined,
    size: fetchedSize ?? namedSize,
    mediaType: row?.media_type ?? undefined,
    ruleFetched: fetchedSize !== undefined,
    proven,
    ...(proven && row.pushed_by !== null ? { pushed: true } : {}),
  };
}

export async function recordFetch(
  sql: Sql,
  input: BlobInput & { readonly rule: string; readonly size: number },
): Promise<void> {
  await sql
    .insertInto('rule_blobs')
    .values({
      registry: input.registry,
      rule: input.rule,
      digest: input.digest,
      size: input.size,
      fetched_at: input.now,
    })
    .onConflict((conflict) => conflict.columns(['registry', 'rule', 'digest']).doNothing())
    .execute();
  await proveBlob(sql, input);
}

export async function proveBlob(sql: Sql, input: BlobInput): Promise<void> {
  const repositoryId = await keepRepository(sql, input, input.private, input.now);
  await sql
    .insertInto('repository_blobs')
    .values({ repository_id: repositoryId, digest: input.digest, proven_at: input.now })
    .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doNothing())
    .execute();
}
