import type { Digest } from '../../domain/names/digest.ts';
import type { StoredTag, TagInput, TagKey, TagStatus } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';
import { idOfRepository, keepRepository } from '../rows/repository-row.ts';
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
  input: TagKey & Pick<TagInput, 'source' | 'validatedAt'>,
): Promise<void> {
  const { source, validatedAt } = input;
  await updateTag(sql, input, { source, validated_at: validatedAt, status: 'ok' });
}

export async function markTag(sql: Sql, input: TagKey & Pick<StoredTag, 'status'>): Promise<void> {
  await updateTag(sql, input, { status: input.status });
}

async function updateTag(
  sql: Sql,
  key: TagKey,
  set: { readonly source?: string; readonly validated_at?: number; readonly status: TagStatus },
): Promise<void> {
  await sql
    .updateTable('tags')
    .set(set)
    .where('tag', '=', key.tag)
    .where('provenance', '=', 'cached')
    .where('repository_id', '=', idOfRepository(sql, key))
    .execute();
}

export async function deleteTag(sql: Sql, input: TagKey): Promise<Digest | undefined> {
  const row = await sql
    .deleteFrom('tags')
    .where('tag', '=', input.tag)
    .where('repository_id', '=', idOfRepository(sql, input))
    .returning('digest')
    .executeTakeFirst();
  return row?.digest as Digest | undefined;
}
