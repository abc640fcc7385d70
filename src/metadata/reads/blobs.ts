import type { Digest } from '../../domain/names/digest.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { BlobClaim, DigestKey } from '../contract/rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

/** The oldest that are looked at: a blob as common as the empty config may be named by every manifest of a repository. */
const namingsMax = 100;

const claimOfBlob = pointQuery((sql, slots: DigestKey & { readonly rule: string }) =>
  sql.selectNoFrom((eb) => {
    const repository = eb
      .selectFrom('repositories')
      .where('registry', '=', slots.registry)
      .where('name', '=', slots.repository);
    const hold = repository
      .innerJoin('repository_blobs as hold', 'hold.repository_id', 'repositories.id')
      .where('hold.digest', '=', slots.digest);
    const some = repository
      .innerJoin('manifest_children', 'manifest_children.repository_id', 'repositories.id')
      .where('manifest_children.digest', '=', slots.digest)
      .select(['manifest_children.manifest_id', 'manifest_children.size'])
      .orderBy('manifest_children.manifest_id')
      .orderBy('manifest_children.position')
      .limit(namingsMax)
      .as('child');
    return [
      eb
        .selectFrom(some)
        .innerJoin('manifests', 'manifests.id', 'child.manifest_id')
        .where('manifests.provenance', '=', 'cached')
        .where('manifests.rule', '=', slots.rule)
        .select('child.size')
        .limit(1)
        .as('named_bytes'),
      hold.select('hold.pushed').as('pushed'),
      hold.select('hold.rule').as('rule'),
      eb
        .selectFrom('rule_blobs')
        .where('registry', '=', slots.registry)
        .where('rule', '=', slots.rule)
        .where('digest', '=', slots.digest)
        .select('size')
        .as('fetched_bytes'),
    ];
  }),
);

export async function findBlobClaim(
  sql: Sql,
  key: RepositoryKey,
  rule: string | undefined,
  digest: Digest,
): Promise<BlobClaim> {
  const row = await claimOfBlob(sql, { ...key, rule: rule ?? '', digest });
  const pushed = row?.pushed ?? undefined;
  const fetched = pushed !== undefined && (rule === undefined || row?.rule === rule);
  return {
    held: pushed === 1 ? 'pushed' : fetched ? 'fetched' : undefined,
    fetchedBytes: row?.fetched_bytes ?? undefined,
    namedBytes: row?.named_bytes ?? undefined,
  };
}

export async function findBlobHolders(
  sql: Sql,
  registry: RegistryKey,
  digest: Digest,
  limit: number,
): Promise<readonly RepositoryName[]> {
  const rows = await sql
    .selectFrom('repository_blobs as hold')
    .innerJoin('repositories', 'repositories.id', 'hold.repository_id')
    .select('repositories.name')
    .where('hold.digest', '=', digest)
    .where('repositories.registry', '=', registry)
    .orderBy('repositories.name')
    .limit(limit)
    .execute();
  return rows.map((row) => row.name as RepositoryName);
}
