import type { Insertable } from 'kysely';
import type { Descriptor, Manifest } from '../../domain/manifests/manifest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { ChildRole, Provenance, StoreManifestInput } from '../contract/rows.ts';
import { batches } from '../sql/batches.ts';
import type { Schema, Sql } from '../sql/schema.ts';

/** Characters of JSON; longer annotations are left out of the referrers list, never out of the manifest. */
const annotationsCharactersMax = 4 * 1024 * 1024;

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
  for (const some of batches(rows))
    await sql.insertInto('manifest_children').values(some).execute();
}

/** Bytes of manifests that no repository has any more. */
export async function dropContents(sql: Sql, digests: readonly Digest[]): Promise<void> {
  for (const some of batches(digests)) {
    await sql
      .deleteFrom('manifest_contents')
      .where('digest', 'in', some)
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('manifests')
              .select('manifests.id')
              .whereRef('manifests.digest', '=', 'manifest_contents.digest'),
          ),
        ),
      )
      .execute();
  }
}
