import type { RegistryKey } from '../../domain/names/registry.ts';
import type {
  AccessKeyRow,
  AccountRow,
  IdentityPolicyRow,
  PrincipalRow,
  TokenRow,
} from '../contract/rows.ts';
import { pointQuery, rowsQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';
import {
  accessKeyOf,
  accountOf,
  ownerColumn,
  principalOf,
  tokenOf,
} from '../rows/identity-rows.ts';

const accountById = pointQuery((sql, slots: Pick<AccountRow, 'id'>) =>
  sql.selectFrom('accounts').selectAll().where('id', '=', slots.id),
);

export async function findAccount(sql: Sql, id: string): Promise<AccountRow | undefined> {
  const row = await accountById(sql, { id });
  return row && accountOf(row);
}

const principalByName = pointQuery((sql, slots: Pick<PrincipalRow, 'account' | 'name'>) =>
  sql
    .selectFrom('principals')
    .selectAll()
    .where('account', '=', slots.account)
    .where('name', '=', slots.name),
);

export async function findPrincipal(
  sql: Sql,
  account: string,
  name: string,
): Promise<PrincipalRow | undefined> {
  const row = await principalByName(sql, { account, name });
  return row === undefined || row.kind === 'role' ? undefined : principalOf(row);
}

const keyById = pointQuery((sql, slots: Pick<AccessKeyRow, 'id'>) =>
  sql.selectFrom('access_keys').selectAll().where('id', '=', slots.id),
);

export async function findAccessKey(sql: Sql, id: string): Promise<AccessKeyRow | undefined> {
  const row = await keyById(sql, { id });
  return row && accessKeyOf(row);
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
    .where(ownerColumn, '=', name ?? '')
    .orderBy('slot')
    .execute();
  return rows.map(accessKeyOf).toSorted((a, b) => a.createdAt - b.createdAt);
}

const tokenById = pointQuery((sql, slots: Pick<TokenRow, 'id'>) =>
  sql.selectFrom('tokens').selectAll().where('id', '=', slots.id),
);

export async function findToken(sql: Sql, id: string): Promise<TokenRow | undefined> {
  const row = await tokenById(sql, { id });
  return row && tokenOf(row);
}

/** Without a limit: a policy that is left out may be the one that denies. Whoever puts them bounds them. */
const policiesOfPrincipal = rowsQuery(
  (sql, slots: Pick<IdentityPolicyRow, 'account' | 'principal'>) =>
    sql
      .selectFrom('identity_policies')
      .select(['name', 'text', 'updated_at'])
      .where('account', '=', slots.account)
      .where('principal', '=', slots.principal)
      .orderBy('name'),
);

const policyOfRegistry = pointQuery((sql, slots: { readonly registry: RegistryKey }) =>
  sql.selectFrom('registry_policies').select('text').where('registry', '=', slots.registry),
);

export async function listIdentityPolicies(
  sql: Sql,
  account: string,
  principal: string,
): Promise<readonly IdentityPolicyRow[]> {
  const rows = await policiesOfPrincipal(sql, { account, principal });
  return rows.map((row) => ({
    account,
    principal,
    name: row.name,
    text: row.text,
    updatedAt: row.updated_at,
  }));
}

export async function findRegistryPolicy(
  sql: Sql,
  registry: RegistryKey,
): Promise<string | undefined> {
  return (await policyOfRegistry(sql, { registry }))?.text;
}
