import type { AccountRow } from '../contract/rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

/** Accounts that are listed. */
const accountsMax = 10_000;

const accountById = pointQuery((sql, slots: { readonly id: string }) =>
  sql.selectFrom('accounts').selectAll().where('id', '=', slots.id),
);

export async function findAccount(sql: Sql, id: string): Promise<AccountRow | undefined> {
  const row = await accountById(sql, { id });
  return row && { id: row.id, name: row.name, createdAt: row.created_at };
}

export async function listAccounts(sql: Sql): Promise<readonly AccountRow[]> {
  const rows = await sql
    .selectFrom('accounts')
    .selectAll()
    .orderBy('id')
    .limit(accountsMax)
    .execute();
  return rows.map((row) => ({ id: row.id, name: row.name, createdAt: row.created_at }));
}

export async function createAccount(sql: Sql, input: AccountRow): Promise<boolean> {
  const row = await sql
    .insertInto('accounts')
    .values({ id: input.id, name: input.name, created_at: input.createdAt })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}
