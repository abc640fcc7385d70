import type { BlobInput, DigestKey } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';
import { holdAsPushed } from '../rows/held-content.ts';
import {
  addPushedRepository,
  idOfRepository,
  keepRepository,
  lockRepository,
  mayMake,
  setPushed,
} from '../rows/repository-row.ts';

export async function recordFetch(
  sql: Sql,
  input: BlobInput & { readonly size: number },
): Promise<boolean> {
  await sql
    .insertInto('rule_blobs')
    .values({
      registry: input.registry,
      rule: input.rule,
      digest: input.digest,
      size: input.size,
      fetched_at: input.now,
    })
    .onConflict((conflict) => conflict.columns(['registry', 'rule', 'digest']).doNothing())
    .execute();
  return proveBlob(sql, input);
}

export async function proveBlob(sql: Sql, input: BlobInput): Promise<boolean> {
  const { id: repositoryId, made } = await keepRepository(sql, input, input.private, input.now);
  await sql
    .insertInto('repository_blobs')
    .values({
      repository_id: repositoryId,
      digest: input.digest,
      proven_at: input.now,
      rule: input.rule,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['repository_id', 'digest'])
        .doUpdateSet((eb) => ({ rule: eb.ref('excluded.rule') }))
        .where('repository_blobs.rule', '<>', input.rule),
    )
    .execute();
  return made;
}

export async function holdBlob(
  sql: Sql,
  input: DigestKey & { readonly create: boolean; readonly now: number },
): Promise<'made' | 'first' | 'held' | 'noRepository'> {
  const repository = await lockRepository(sql, input);
  if (!repository && !(await mayMake(sql, input))) return 'noRepository';
  const id = repository?.id ?? (await addPushedRepository(sql, input, input.now));
  // Another process made it meanwhile.
  if (id === undefined) return holdBlob(sql, input);
  const isFirst = await setPushed(sql, id);
  await holdAsPushed(sql, id, [input.digest], input.now);
  if (repository === undefined) return 'made';
  return isFirst ? 'first' : 'held';
}

export async function releaseBlob(sql: Sql, input: DigestKey): Promise<boolean> {
  const row = await sql
    .deleteFrom('repository_blobs')
    .where('digest', '=', input.digest)
    .where('repository_id', '=', idOfRepository(sql, input))
    .returning('digest')
    .executeTakeFirst();
  return row !== undefined;
}
