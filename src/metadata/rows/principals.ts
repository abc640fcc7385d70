import type { PrincipalInput, PrincipalRow } from '../contract/rows.ts';
import { findAccount } from './accounts.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

/** Principals of one account that are listed. */
const principalsMax = 10_000;

interface PrincipalKey {
  readonly account: string;
  readonly name: string;
}

const principalByName = pointQuery((sql, slots: PrincipalKey) =>
  sql
    .selectFrom('principals')
    .select(['kind', 'created_at'])
    .where('account', '=', slots.account)
    .where('name', '=', slots.name),
);

export async function findPrincipal(
  sql: Sql,
  account: string,
  name: string,
): Promise<PrincipalRow | undefined> {
  const row = await principalByName(sql, { account, name });
  return (
    row && { account, name, kind: row.kind as PrincipalRow['kind'], createdAt: row.created_at }
  );
}

/** Whether there is such an owner of credentials: a root, named by `undefined`, always is. */
export async function isOwner(
  sql: Sql,
  account: string,
  name: string | undefined,
): Promise<boolean> {
  return name === undefined || (await principalByName(sql, { account, name })) !== undefined;
}

export async function listPrincipals(sql: Sql, account: string): Promise<readonly PrincipalRow[]> {
  const rows = await sql
    .selectFrom('principals')
    .select(['name', 'kind', 'created_at'])
    .where('account', '=', account)
    .orderBy('name')
    .limit(principalsMax)
    .execute();
  return rows.map((row) => ({
    account,
    name: row.name,
    kind: row.kind as PrincipalRow['kind'],
    createdAt: row.created_at,
  }));
}

export async function createPrincipal(
  sql: Sql,
  input: PrincipalInput,
): Promise<'created' | 'exists' | 'noAccount'> {
  if (input.requireAccount === true && !(await findAccount(sql, input.account))) return 'noAccount';
  const row = await sql
    .insertInto('principals')
    .values({
      account: input.account,
      name: input.name,
      kind: input.kind,
      created_at: input.createdAt,
    })
    .onConflict((conflict) => conflict.columns(['account', 'name']).doNothing())
    .returning('name')
    .executeTakeFirst();
  return row ? 'created' : 'exists';
}

/** Keys, tokens and policies go with it. */
export async function deletePrincipal(sql: Sql, input: PrincipalKey): Promise<boolean> {
  const row = await sql
    .deleteFrom('principals')
    .where('account', '=', input.account)
    .where('name', '=', input.name)
    .returning('name')
    .executeTakeFirst();
  return row !== undefined;
}
