import type { Digest } from '../../domain/names/digest.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { RepositoryKey } from '../contract/rows.ts';
import { addRepository, lockRepository, setPushed } from './repository-settings.ts';
import type { Sql } from '../sql/schema.ts';

interface BlobKey extends RepositoryKey {
  readonly digest: Digest;
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

export async function holdBlob(
  sql: Sql,
  input: BlobKey & { readonly create: boolean; readonly now: number },
): Promise<'made' | 'first' | 'held' | 'noRepository'> {
  const repository = await lockRepository(sql, input);
  if (!repository && !input.create) return 'noRepository';
  const id = repository?.id ?? (await addRepository(sql, input, mutableTags, input.now));
  // Another process made it meanwhile.
  if (id === undefined) return holdBlob(sql, input);
  const isFirst = await setPushed(sql, id);
  await holdAsPushed(sql, id, [input.digest], input.now);
  if (repository === undefined) return 'made';
  return isFirst ? 'first' : 'held';
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

export async function releaseBlob(sql: Sql, input: BlobKey): Promise<boolean> {
  const row = await sql
    .deleteFrom('repository_blobs')
    .where('digest', '=', input.digest)
    .where('repository_id', '=', (eb) =>
      eb
        .selectFrom('repositories')
        .select('id')
        .where('registry', '=', input.registry)
        .where('name', '=', input.repository),
    )
    .returning('digest')
    .executeTakeFirst();
  return row !== undefined;
}
