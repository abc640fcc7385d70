import type { Digest } from '../../domain/names/digest.ts';
import type { Descriptor, Manifest } from '../../domain/manifests/manifest.ts';
import type { Insertable } from 'kysely';
import type {
  Child,
  ChildRole,
  ManifestInfo,
  Counting,
  Provenance,
  RepositoryKey,
  StoredManifest,
  StoreManifestInput,
} from '../contract/rows.ts';
import { manifestCounts } from './counting.ts';
import { pointQuery } from '../sql/point-query.ts';
import { keepRepository } from './repositories.ts';
import type { Schema, Sql } from '../sql/schema.ts';
import { moveTag } from './tags.ts';

/** Referrers of one subject that are listed; a subject with more is listed in part. */
const referrersMax = 5000;
/** Characters of JSON; longer annotations are left out of the referrers list, never out of the manifest. */
const annotationsCharactersMax = 4 * 1024 * 1024;
/** Rows in one insert. */
const childrenPerInsert = 100;

interface ManifestKey extends RepositoryKey {
  readonly digest: Digest;
}

const manifestByDigest = pointQuery((sql, slots: ManifestKey) =>
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

const manifestInfoByDigest = pointQuery((sql, slots: ManifestKey) =>
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
  const row = await manifestByDigest(sql, {
    registry: key.registry,
    repository: key.repository,
    digest,
  });
  return row && { digest, mediaType: row.media_type, bytes: row.bytes, ...originOf(row) };
}

function originOf(row: {
  readonly provenance: string;
  readonly rule: string;
}): Pick<StoredManifest, 'provenance' | 'rule'> {
  if (row.provenance !== 'cached')
    return { provenance: row.provenance as Exclude<Provenance, 'cached'> };
  return row.rule === '' ? {} : { rule: row.rule };
}

export async function findManifestInfo(
  sql: Sql,
  key: RepositoryKey,
  digest: Digest,
): Promise<ManifestInfo | undefined> {
  const row = await manifestInfoByDigest(sql, {
    registry: key.registry,
    repository: key.repository,
    digest,
  });
  return row && { mediaType: row.media_type, size: row.size, ...originOf(row) };
}

export async function listReferrers(
  sql: Sql,
  key: RepositoryKey,
  subject: Digest,
  counting?: Counting,
): Promise<readonly Descriptor[]> {
  const rows = await sql
    .selectFrom('repositories')
    .innerJoin('manifests', 'manifests.repository_id', 'repositories.id')
    .select([
      'manifests.digest',
      'manifests.media_type',
      'manifests.size',
      'manifests.artifact_type',
      'manifests.annotations',
    ])
    .where('repositories.registry', '=', key.registry)
    .where('repositories.name', '=', key.repository)
    .where('manifests.subject', '=', subject)
    .where(manifestCounts('manifests', counting))
    .orderBy('manifests.id')
    .limit(referrersMax)
    .execute();
  return rows.map((row) => ({
    mediaType: row.media_type,
    digest: row.digest as Digest,
    size: row.size,
    ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }),
    ...(row.annotations === null
      ? {}
      : { annotations: JSON.parse(row.annotations) as Record<string, string> }),
  }));
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

/** Adds the manifest and its children to the repository; false where it is there already. */
export async function addManifest(
  sql: Sql,
  repositoryId: number,
  input: Pick<StoreManifestInput, 'manifest' | 'parsed' | 'now'>,
  provenance: Provenance,
  rule = '',
): Promise<boolean> {
  const { digest, mediaType, bytes } = input.manifest;
  await sql
    .insertInto('manifest_contents')
    .values({ digest, bytes })
    .onConflict((conflict) => conflict.column('digest').doNothing())
    .execute();
  const subject = input.parsed.subject;
  const added = await sql
    .insertInto('manifests')
    .values({
      repository_id: repositoryId,
      digest,
      media_type: mediaType,
      size: bytes.byteLength,
      subject: subject?.digest ?? null,
      artifact_type: input.parsed.artifactType ?? null,
      annotations: subject ? annotationsOf(input.parsed) : null,
      created_at: input.now,
      // What is cached was pulled; what is pushed was not, until it is.
      last_pulled_at: provenance === 'cached' ? input.now : 0,
      provenance,
      rule,
    })
    .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (added) await addChildren(sql, repositoryId, added.id, input.parsed);
  else if (rule !== '') await setRule(sql, repositoryId, digest, rule);
  return added !== undefined;
}

/** It came through another rule than before. */
async function setRule(
  sql: Sql,
  repositoryId: number,
  digest: Digest,
  rule: string,
): Promise<void> {
  await sql
    .updateTable('manifests')
    .set({ rule })
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .where('rule', '<>', rule)
    .execute();
}

function annotationsOf(manifest: Manifest): string | null {
  if (!manifest.annotations) return null;
  const text = JSON.stringify(manifest.annotations);
  return text.length <= annotationsCharactersMax ? text : null;
}

async function addChildren(
  sql: Sql,
  repositoryId: number,
  manifestId: number,
  manifest: Manifest,
): Promise<void> {
  const children: (readonly [ChildRole, Descriptor])[] = [
    ...manifest.manifests.map((child) => ['manifest', child] as const),
    ...(manifest.config ? [['config', manifest.config] as const] : []),
    ...manifest.layers.map((child) => ['layer', child] as const),
  ];
  const rows = children.map(([role, child], position): Insertable<Schema['manifest_children']> => ({
    manifest_id: manifestId,
    position,
    repository_id: repositoryId,
    role,
    digest: child.digest,
    media_type: child.mediaType,
    size: child.size,
    os: child.platform?.os ?? null,
    architecture: child.platform?.architecture ?? null,
    variant: child.platform?.variant ?? null,
    urls: child.urls ? JSON.stringify(child.urls) : null,
  }));
  for (let from = 0; from < rows.length; from += childrenPerInsert) {
    await sql
      .insertInto('manifest_children')
      .values(rows.slice(from, from + childrenPerInsert))
      .execute();
  }
}
