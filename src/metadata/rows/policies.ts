import type { RegistryKey } from '../../domain/names/registry.ts';
import type { IdentityPolicyRow } from '../contract/rows.ts';
import { pointQuery, rowsQuery } from '../sql/point-query.ts';
import { isOwner } from './principals.ts';
import type { Sql } from '../sql/schema.ts';

interface PrincipalKey {
  readonly account: string;
  readonly principal: string;
}

/** Without a limit: a policy that is left out may be the one that denies. Whoever puts them bounds them. */
const policiesOfPrincipal = rowsQuery((sql, slots: PrincipalKey) =>
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

export async function putIdentityPolicy(
  sql: Sql,
  input: IdentityPolicyRow,
): Promise<'stored' | 'noPrincipal'> {
  if (!(await isOwner(sql, input.account, input.principal))) return 'noPrincipal';
  await sql
    .insertInto('identity_policies')
    .values({
      account: input.account,
      principal: input.principal,
      name: input.name,
      text: input.text,
      updated_at: input.updatedAt,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['account', 'principal', 'name'])
        .doUpdateSet({ text: input.text, updated_at: input.updatedAt }),
    )
    .execute();
  return 'stored';
}

export async function deleteIdentityPolicy(
  sql: Sql,
  input: PrincipalKey & { readonly name: string },
): Promise<boolean> {
  const row = await sql
    .deleteFrom('identity_policies')
    .where('account', '=', input.account)
    .where('principal', '=', input.principal)
    .where('name', '=', input.name)
    .returning('name')
    .executeTakeFirst();
  return row !== undefined;
}

export async function setRegistryPolicy(
  sql: Sql,
  input: {
    readonly registry: RegistryKey;
    readonly text: string | undefined;
    readonly now: number;
  },
): Promise<void> {
  const { registry, text, now } = input;
  if (text === undefined) {
    await sql.deleteFrom('registry_policies').where('registry', '=', registry).execute();
    return;
  }
  await sql
    .insertInto('registry_policies')
    .values({ registry, text, updated_at: now })
    .onConflict((conflict) => conflict.column('registry').doUpdateSet({ text, updated_at: now }))
    .execute();
}
