import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagInput, TagStatus } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';
import { keepRepository } from '../rows/repository-row.ts';
import { moveTag } from '../rows/tag-row.ts';

export async function setTag(
  sql: Sql,
  input: TagInput & { readonly private: boolean },
): Promise<boolean> {
  const { id, made } = await keepRepository(sql, input, input.private, input.validatedAt);
  await moveTag(sql, id, input, input.validatedAt);
  return made;
}

export async function validateTag(
  sql: Sql,
  input: RepositoryKey & {
    readonly tag: Tag;
    readonly source: string;
    readonly validatedAt: number;
  },
): Promise<void> {
  await updateTag(sql, input, {
    source: input.source,
    validated_at: input.validatedAt,
    status: 'ok',
  });
}

export async function markTag(
  sql: Sql,
  input: RepositoryKey & { readonly tag: Tag; readonly status: TagStatus },
): Promise<void> {
  await updateTag(sql, input, { status: input.status });
}

async function updateTag(
  sql: Sql,
  key: RepositoryKey & { readonly tag: Tag },
  set: { readonly source?: string; readonly validated_at?: number; readonly status: TagStatus },
): Promise<void> {
  await sql
    .updateTable('tags')
    .set(set)
    .where('tag', '=', key.tag)
    .where('provenance', '=', 'cached')
    .where('repository_id', '=', (eb) =>
      eb
        .selectFrom('repositories')
        .select('id')
        .where('registry', '=', key.registry)
        .where('name', '=', key.repository),
    )
    .execute();
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
