import type { Digest } from '../domain/digest.ts';
import type { Tag } from '../domain/tag.ts';
import { batches } from './batches.ts';
import type { RepositoryKey } from './metadata.ts';
import { lockRepository } from './repository-settings.ts';
import type { Sql } from './schema.ts';

export async function deleteManifest(
  sql: Sql,
  input: RepositoryKey & { readonly digest: Digest },
): Promise<{ readonly tags: readonly Tag[] } | undefined> {
  const repository = await lockRepository(sql, input);
  if (!repository) return undefined;
  const deleted = await sql
    .deleteFrom('manifests')
    .where('repository_id', '=', repository.id)
    .where('digest', '=', input.digest)
    .returning('id')
    .executeTakeFirst();
  if (!deleted) return undefined;
  const tags = await sql
    .deleteFrom('tags')
    .where('repository_id', '=', repository.id)
    .where('digest', '=', input.digest)
    .returning('tag')
    .execute();
  await dropContents(sql, [input.digest]);
  return { tags: tags.map((row) => row.tag as Tag).toSorted() };
}

export async function deleteTag(
  sql: Sql,
  input: RepositoryKey & { readonly tag: Tag },
): Promise<Digest | undefined> {
  const row = await sql
    .deleteFrom('tags')
    .where('tag', '=', input.tag)
    .where('repository_id', '=', (eb) =>
      eb
        .selectFrom('repositories')
        .select('id')
        .where('registry', '=', input.registry)
        .where('name', '=', input.repository),
    )
    .returning('digest')
    .executeTakeFirst();
  return row?.digest as Digest | undefined;
}

export async function deleteRepository(
  sql: Sql,
  input: RepositoryKey & { readonly force: boolean },
): Promise<'deleted' | 'notFound' | 'notEmpty'> {
  const repository = await lockRepository(sql, input);
  if (!repository) return 'notFound';
  const { id } = repository;
  if (!input.force) {
    const one = await sql
      .selectFrom('manifests')
      .select('id')
      .where('repository_id', '=', id)
      .limit(1)
      .executeTakeFirst();
    if (one) return 'notEmpty';
  }
  await sql.deleteFrom('tags').where('repository_id', '=', id).execute();
  await sql.deleteFrom('tag_history').where('repository_id', '=', id).execute();
  const manifests = await sql
    .deleteFrom('manifests')
    .where('repository_id', '=', id)
    .returning('digest')
    .execute();
  await dropContents(
    sql,
    manifests.map((row) => row.digest as Digest),
  );
  await sql.deleteFrom('repository_blobs').where('repository_id', '=', id).execute();
  await sql.deleteFrom('repositories').where('id', '=', id).execute();
  return 'deleted';
}

/** Those that no repository has any more. */
async function dropContents(sql: Sql, digests: readonly Digest[]): Promise<void> {
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
