import type { Selectable } from 'kysely';
import { sql as text } from 'kysely';
import type { TokenRow } from '../contract/rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import { isOwner } from './principals.ts';
import type { Schema, Sql } from '../sql/schema.ts';

/** Tokens of one principal that are listed. */
const tokensMax = 10_000;

const tokenById = pointQuery((sql, slots: { readonly id: string }) =>
  sql.selectFrom('tokens').selectAll().where('id', '=', slots.id),
);

export async function findToken(sql: Sql, id: string): Promise<TokenRow | undefined> {
  const row = await tokenById(sql, { id });
  return row && rowOf(row);
}

export async function listTokens(
  sql: Sql,
  account: string,
  principal: string | undefined,
): Promise<readonly TokenRow[]> {
  const rows = await sql
    .selectFrom('tokens')
    .selectAll()
    .where('account', '=', account)
    .where(text<string>`coalesce(principal, '')`, '=', principal ?? '')
    .orderBy('name')
    .limit(tokensMax)
    .execute();
  return rows.map(rowOf);
}

export async function createToken(
  sql: Sql,
  input: TokenRow,
): Promise<'created' | 'exists' | 'noPrincipal'> {
  if (!(await isOwner(sql, input.account, input.principal))) return 'noPrincipal';
  const row = await sql
    .insertInto('tokens')
    .values({
      id: input.id,
      account: input.account,
      principal: input.principal ?? null,
      name: input.name,
      hash: input.hash,
      scopes: JSON.stringify(input.scopes),
      created_at: input.createdAt,
      expires_at: input.expiresAt ?? null,
      last_used_at: input.lastUsedAt ?? null,
    })
    .onConflict((conflict) =>
      conflict.expression(text`account, coalesce(principal, ''), name`).doNothing(),
    )
    .returning('id')
    .executeTakeFirst();
  return row ? 'created' : 'exists';
}

export async function deleteToken(
  sql: Sql,
  input: {
    readonly account: string;
    readonly principal: string | undefined;
    readonly name: string;
  },
): Promise<boolean> {
  const row = await sql
    .deleteFrom('tokens')
    .where('account', '=', input.account)
    .where(text<string>`coalesce(principal, '')`, '=', input.principal ?? '')
    .where('name', '=', input.name)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Times only grow; what is gone stays so. */
export async function touchCredentials(
  sql: Sql,
  input: {
    readonly keys: readonly { readonly id: string; readonly at: number }[];
    readonly tokens: readonly { readonly id: string; readonly at: number }[];
  },
): Promise<void> {
  const tables = [
    ['access_keys', input.keys],
    ['tokens', input.tokens],
  ] as const;
  for (const [table, used] of tables) {
    for (const { id, at } of used.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      await sql
        .updateTable(table)
        .set({ last_used_at: at })
        .where('id', '=', id)
        .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<', at)]))
        .execute();
    }
  }
}

function rowOf(row: Selectable<Schema['tokens']>): TokenRow {
  return {
    id: row.id,
    account: row.account,
    principal: row.principal ?? undefined,
    name: row.name,
    hash: row.hash,
    scopes: JSON.parse(row.scopes) as string[],
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}
