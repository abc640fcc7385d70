import type { Selectable } from 'kysely';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type {
  Child,
  ChildRole,
  DigestKey,
  ManifestInfo,
  Provenance,
  StoredManifest,
} from '../contract/rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Schema, Sql } from '../sql/schema.ts';

const manifestByDigest = pointQuery((sql, slots: DigestKey) =>
  sql
    .selectFrom('repositories')
    .innerJoin('manifests', 'manifests.repository_id', 'repositories.id')
    .innerJoin('manifest_contents', 'manifest_contents.digest', 'manifests.digest')
    .select([
      'manifests.media_type',
      'manifests.provenance',
      'manifests.rule',
      'manifest_contents.bytes',
    ])
    .where('repositories.registry', '=', slots.registry)
    .where('repositories.name', '=', slots.repository)
    .where('manifests.digest', '=', slots.digest),
);

const manifestInfoByDigest = pointQuery((sql, slots: DigestKey) =>
  sql
    .selectFrom('repositories')
    .innerJoin('manifests', 'manifests.repository_id', 'repositories.id')
    .select(['manifests.media_type', 'manifests.size', 'manifests.provenance', 'manifests.rule'])
    .where('repositories.registry', '=', slots.registry)
    .where('repositories.name', '=', slots.repository)
    .where('manifests.digest', '=', slots.digest),
);

export async function findManifest(
  sql: Sql,
  key: RepositoryKey,
  digest: Digest,
): Promise<StoredManifest | undefined> {
  const row = await manifestByDigest(sql, { ...key, digest });
  return row && { digest, mediaType: row.media_type, bytes: row.bytes, ...originOf(row) };
}

function originOf(
  row: Pick<Selectable<Schema['manifests']>, 'provenance' | 'rule'>,
): Pick<StoredManifest, 'provenance' | 'rule'> {
  if (row.provenance !== 'cached')
    return { provenance: row.provenance as Exclude<Provenance, 'cached'> };
  return row.rule === '' ? {} : { rule: row.rule };
}

export async function findManifestInfo(
  sql: Sql,
  key: RepositoryKey,
  digest: Digest,
): Promise<ManifestInfo | undefined> {
  const row = await manifestInfoByDigest(sql, { ...key, digest });
  return row && { mediaType: row.media_type, size: row.size, ...originOf(row) };
}

export async function findChildren(
  sql: Sql,
  key: RepositoryKey,
  digest: Digest,
): Promise<readonly Child[]> {
  const rows = await sql
    .selectFrom('repositories')
    .innerJoin('manifests', 'manifests.repository_id', 'repositories.id')
    .innerJoin('manifest_children as child', 'child.manifest_id', 'manifests.id')
    .select([
      'child.role',
      'child.digest',
      'child.media_type',
      'child.size',
      'child.os',
      'child.architecture',
      'child.variant',
      'child.urls',
    ])
    .where('repositories.registry', '=', key.registry)
    .where('repositories.name', '=', key.repository)
    .where('manifests.digest', '=', digest)
    .orderBy('child.position')
    .execute();
  return rows.map((row) => ({
    role: row.role as ChildRole,
    mediaType: row.media_type,
    digest: row.digest as Digest,
    size: row.size,
    ...(row.os === null || row.architecture === null
      ? {}
      : {
          platform: {
            os: row.os,
            architecture: row.architecture,
            ...(row.variant === null ? {} : { variant: row.variant }),
          },
        }),
    ...(row.urls === null ? {} : { urls: JSON.parse(row.urls) as string[] }),
  }));
}
