import type { Selectable } from 'kysely';
import { sql as text } from 'kysely';
import type { AccessKeyRow } from '../contract/rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import { isOwner } from './principals.ts';
import type { Schema, Sql } from '../sql/schema.ts';

/** A principal has as many keys as there are slots. */
const slots: readonly number[] = [0, 1];

const keyById = pointQuery((sql, values: { readonly id: string }) =>
  sql.selectFrom('access_keys').selectAll().where('id', '=', values.id),
);

export async function findAccessKey(sql: Sql, id: string): Promise<AccessKeyRow | undefined> {
  const row = await keyById(sql, { id });
  return row && rowOf(row);
}

export async function listAccessKeys(
  sql: Sql,
  account: string,
  name: string | undefined,
): Promise<readonly AccessKeyRow[]> {
  const rows = await sql
    .selectFrom('access_keys')
    .selectAll()
    .where('account', '=', account)
    .where(text<string>`coalesce(principal, '')`, '=', name ?? '')
    .orderBy('slot')
    .execute();
  return rows.map(rowOf).toSorted((a, b) => a.createdAt - b.createdAt);
}

export async function createAccessKey(
  sql: Sql,
  input: AccessKeyRow,
): Promise<'created' | 'limit' | 'noPrincipal'> {
  if (!(await isOwner(sql, input.account, input.name))) return 'noPrincipal';
  for (const slot of slots) {
    const row = await sql
      .insertInto('access_keys')
      .values({
        id: input.id,
        account: input.account,
        principal: input.name ?? null,
        slot,
        sealed_secret: input.sealedSecret,
        active: input.active ? 1 : 0,
        created_at: input.createdAt,
        expires_at: input.expiresAt ?? null,
        last_used_at: input.lastUsedAt ?? null,
      })
      .onConflict((conflict) =>
        conflict.expression(text`account, coalesce(principal, ''), slot`).doNothing(),
      )
      .returning('id')
      .executeTakeFirst();
    if (row) return 'created';
  }
  return 'limit';
}

export async function deleteAccessKey(sql: Sql, input: { readonly id: string }): Promise<boolean> {
  const row = await sql
    .deleteFrom('access_keys')
    .where('id', '=', input.id)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

function rowOf(row: Selectable<Schema['access_keys']>): AccessKeyRow {
  return {
    id: row.id,
    account: row.account,
    name: row.principal ?? undefined,
    sealedSecret: row.sealed_secret,
    active: row.active === 1,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}
