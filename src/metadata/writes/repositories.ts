import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { Sql } from '../sql/schema.ts';
import { addRepository, keepRepository } from '../rows/repository-row.ts';

export async function createRepository(
  sql: Sql,
  input: RepositoryKey & { readonly tagMutability: TagMutability; readonly now: number },
): Promise<boolean> {
  return (await addRepository(sql, input, input.tagMutability, input.now)) !== undefined;
}

export async function setTagMutability(
  sql: Sql,
  input: RepositoryKey & { readonly tagMutability: TagMutability },
): Promise<boolean> {
  return updateRepository(sql, input, { tag_mutability: JSON.stringify(input.tagMutability) });
}

export async function setRepositoryPolicy(
  sql: Sql,
  input: RepositoryKey & { readonly text: string | undefined },
): Promise<boolean> {
  return updateRepository(sql, input, { policy: input.text ?? null });
}

async function updateRepository(
  sql: Sql,
  key: RepositoryKey,
  set: { readonly tag_mutability?: string; readonly policy?: string | null },
): Promise<boolean> {
  const row = await sql
    .updateTable('repositories')
    .set(set)
    .where('registry', '=', key.registry)
    .where('name', '=', key.repository)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function stopRepository(
  sql: Sql,
  input: RepositoryKey & { readonly reason: string | undefined; readonly now: number },
): Promise<boolean> {
  const { id, made } = await keepRepository(sql, input, false, input.now);
  await sql
    .updateTable('repositories')
    .set(
      input.reason === undefined
        ? { stopped_at: null, stopped_reason: null }
        : { stopped_at: input.now, stopped_reason: input.reason },
    )
    .where('id', '=', id)
    .execute();
  return made;
}
