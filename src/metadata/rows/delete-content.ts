import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { dropContents } from './deleted-repositories.ts';
import type { RepositoryKey } from '../contract/rows.ts';
import { lockRepository } from './repository-settings.ts';
import type { Sql } from '../sql/schema.ts';

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
