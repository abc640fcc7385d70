import type { Digest } from '../domain/digest.ts';
import type { BlobClaim, RepositoryKey } from './metadata.ts';
import { keepRepository } from './repositories.ts';
import type { Sql } from './schema.ts';

interface BlobInput extends RepositoryKey {
  readonly digest: Digest;
  readonly private: boolean;
  readonly now: number;
}

export async function findBlobClaim(
  sql: Sql,
  key: RepositoryKey,
  rule: string,
  digest: Digest,
): Promise<BlobClaim> {
  const row = await sql
    .selectNoFrom((eb) => {
      const repository = eb
        .selectFrom('repositories')
        .where('registry', '=', key.registry)
        .where('name', '=', key.repository);
      const naming = repository
        .innerJoin('manifest_children as child', 'child.repository_id', 'repositories.id')
        .where('child.digest', '=', digest)
        .orderBy('child.manifest_id')
        .orderBy('child.position')
        .limit(1);
      return [
        naming.select('child.size').as('named_size'),
        naming.select('child.media_type').as('media_type'),
        repository
          .innerJoin('repository_blobs as proof', 'proof.repository_id', 'repositories.id')
          .where('proof.digest', '=', digest)
          .select('proof.proven_at')
          .as('proven_at'),
        eb
          .selectFrom('rule_blobs')
          .where('registry', '=', key.registry)
          .where('rule', '=', rule)
          .where('digest', '=', digest)
          .select('size')
          .as('fetched_size'),
      ];
    })
    .executeTakeFirstOrThrow();
  return {
    named: row.named_size !== null,
    size: row.fetched_size ?? row.named_size ?? undefined,
    mediaType: row.media_type ?? undefined,
    ruleFetched: row.fetched_size !== null,
    proven: row.proven_at !== null,
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
