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

const claimOfBlob = pointQuery(
  (sql, slots: RepositoryKey & { readonly rule: string; readonly digest: Digest }) =>
    sql.selectNoFrom((eb) => {
      const repository = eb
        .selectFrom('repositories')
        .where('registry', '=', slots.registry)
        .where('name', '=', slots.repository);
      const naming = repository
        .innerJoin('manifest_children as child', 'child.repository_id', 'repositories.id')
        .where('child.digest', '=', slots.digest)
        .orderBy('child.manifest_id')
        .orderBy('child.position')
        .limit(1);
      return [
        naming.select('child.size').as('named_size'),
        naming.select('child.media_type').as('media_type'),
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
  return {
    named: namedSize !== undefined,
    size: fetchedSize ?? namedSize,
    mediaType: row?.media_type ?? undefined,
    ruleFetched: fetchedSize !== undefined,
    proven: typeof row?.proven_at === 'number',
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
