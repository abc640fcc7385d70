import type { AccountRow, PrincipalRow, TokenRow } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';
import { accountOf, ownerColumn, principalOf, tokenOf } from '../rows/identity-rows.ts';

/** Accounts that are listed. */
const accountsMax = 10_000;

export async function listAccounts(sql: Sql): Promise<readonly AccountRow[]> {
  const rows = await sql
    .selectFrom('accounts')
    .selectAll()
    .orderBy('id')
    .limit(accountsMax)
    .execute();
  return rows.map(accountOf);
}

/** Principals of one account that are listed. */
const principalsMax = 10_000;

export async function listPrincipals(sql: Sql, account: string): Promise<readonly PrincipalRow[]> {
  const rows = await sql
    .selectFrom('principals')
    .selectAll()
    .where('account', '=', account)
    .where('kind', '<>', 'role')
    .orderBy('name')
    .limit(principalsMax)
    .execute();
  return rows.map(principalOf);
}

/** Tokens of one principal that are listed. */
const tokensMax = 10_000;

export async function listTokens(
  sql: Sql,
  account: string,
  principal: string | undefined,
): Promise<readonly TokenRow[]> {
  const rows = await sql
    .selectFrom('tokens')
    .selectAll()
    .where('account', '=', account)
    .where(ownerColumn, '=', principal ?? '')
    .orderBy('name')
    .limit(tokensMax)
    .execute();
  return rows.map(tokenOf);
}
