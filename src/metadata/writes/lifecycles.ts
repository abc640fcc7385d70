import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { PreviewPage, PreviewStatus, StoredLifecycle } from '../contract/lifecycle.ts';
import { idOfRepository, lockRepository } from '../rows/repository-row.ts';
import type { Sql } from '../sql/schema.ts';

export async function putLifecycle(
  sql: Sql,
  input: RepositoryKey & {
    readonly text: string;
    readonly now: number;
    readonly dueAt: number;
  },
): Promise<boolean> {
  const repository = await lockRepository(sql, input);
  if (!repository) return false;
  const { text } = input;
  const set = { text, updated_at: input.now, evaluated_at: null, due_at: input.dueAt };
  await sql
    .insertInto('lifecycle_policies')
    .values({ repository_id: repository.id, ...set })
    .onConflict((conflict) =>
      conflict
        .column('repository_id')
        .doUpdateSet(set)
        .where('lifecycle_policies.text', '<>', text),
    )
    .execute();
  return true;
}

export async function deleteLifecycle(
  sql: Sql,
  input: RepositoryKey,
): Promise<StoredLifecycle | undefined> {
  const repository = await lockRepository(sql, input);
  if (!repository) return undefined;
  const row = await sql
    .deleteFrom('lifecycle_policies')
    .where('repository_id', '=', repository.id)
    .returning(['text', 'evaluated_at'])
    .executeTakeFirst();
  return row && { text: row.text, evaluatedAt: row.evaluated_at ?? undefined };
}

export async function recordEvaluation(
  sql: Sql,
  input: RepositoryKey & {
    readonly text: string;
    readonly evaluatedAt: number | undefined;
    readonly dueAt: number;
  },
): Promise<void> {
  const { evaluatedAt, dueAt } = input;
  await sql
    .updateTable('lifecycle_policies')
    .set({
      due_at: dueAt,
      ...(evaluatedAt === undefined ? {} : { evaluated_at: evaluatedAt }),
    })
    .where('repository_id', '=', idOfRepository(sql, input))
    .where('text', '=', input.text)
    .execute();
}

export async function beginPreview(
  sql: Sql,
  input: RepositoryKey & {
    readonly id: string;
    readonly text: string;
    readonly now: number;
    readonly staleBefore: number;
  },
): Promise<'begun' | 'inProgress' | 'noRepository'> {
  const repository = await lockRepository(sql, input);
  if (!repository) return 'noRepository';
  const last = await sql
    .selectFrom('lifecycle_previews')
    .select(['status', 'started_at'])
    .where('repository_id', '=', repository.id)
    .executeTakeFirst();
  const runs = last?.status === ('inProgress' satisfies PreviewStatus);
  if (runs && last.started_at >= input.staleBefore) return 'inProgress';
  await sql
    .deleteFrom('lifecycle_preview_pages')
    .where('repository_id', '=', repository.id)
    .execute();
  await sql.deleteFrom('lifecycle_previews').where('repository_id', '=', repository.id).execute();
  await sql
    .insertInto('lifecycle_previews')
    .values({
      repository_id: repository.id,
      id: input.id,
      status: 'inProgress' satisfies PreviewStatus,
      policy: input.text,
      started_at: input.now,
      ended_at: null,
      expiring: 0,
      transitioning: 0,
    })
    .execute();
  return 'begun';
}

const decoder = new TextDecoder();

export async function addPreviewPages(
  sql: Sql,
  input: RepositoryKey & { readonly id: string; readonly pages: readonly PreviewPage[] },
): Promise<boolean> {
  const repository = await lockRepository(sql, input);
  if (!repository) return false;
  const preview = await sql
    .selectFrom('lifecycle_previews')
    .select('id')
    .where('repository_id', '=', repository.id)
    .where('id', '=', input.id)
    .executeTakeFirst();
  if (!preview) return false;
  for (const { untagged, firstDigest, results: bytes } of input.pages) {
    const results = decoder.decode(bytes);
    const values = { untagged: untagged ? 1 : 0, first_digest: firstDigest, results };
    await sql
      .insertInto('lifecycle_preview_pages')
      .values({ repository_id: repository.id, ...values })
      .onConflict((conflict) =>
        conflict.columns(['repository_id', 'untagged', 'first_digest']).doUpdateSet({ results }),
      )
      .execute();
  }
  return true;
}

export async function endPreview(
  sql: Sql,
  input: RepositoryKey & {
    readonly id: string;
    readonly status: 'complete' | 'failed';
    readonly expiring: number;
    readonly transitioning: number;
    readonly now: number;
  },
): Promise<void> {
  const { status, expiring, transitioning, now } = input;
  await sql
    .updateTable('lifecycle_previews')
    .set({ status, expiring, transitioning, ended_at: now })
    .where('repository_id', '=', idOfRepository(sql, input))
    .where('id', '=', input.id)
    .execute();
}

/** The results of one preview; false where there is none. */
export async function expirePreview(
  sql: Sql,
  { before }: { readonly before: number },
): Promise<boolean> {
  const ended = await sql
    .selectFrom('lifecycle_previews')
    .select('repository_id')
    .where('status', '=', 'complete' satisfies PreviewStatus)
    .where('ended_at', '<', before)
    .orderBy('ended_at')
    .limit(1)
    .executeTakeFirst();
  if (!ended) return false;
  await sql
    .updateTable('lifecycle_previews')
    .set({ status: 'expired' satisfies PreviewStatus })
    .where('repository_id', '=', ended.repository_id)
    .execute();
  await sql
    .deleteFrom('lifecycle_preview_pages')
    .where('repository_id', '=', ended.repository_id)
    .execute();
  return true;
}
