import { sql as text } from 'kysely';
import { withLabelsOfAnyCase } from '../../domain/names/label.ts';
import { roleNameOf } from '../../domain/policy/principal.ts';
import type { IdentityMetadata } from '../contract/metadata.ts';
import type {
  AccessKeyRow,
  AccountRow,
  IdentityPolicyRow,
  PrincipalInput,
  PrincipalRow,
  TokenRow,
} from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';
import { findAccount } from '../reads/identities.ts';
import { ownerColumn } from '../rows/identity-rows.ts';
import { lockPrincipal } from '../rows/locked-principal.ts';

export async function createAccount(sql: Sql, input: AccountRow): Promise<boolean> {
  const row = await sql
    .insertInto('accounts')
    .values({ id: input.id, name: input.name, created_at: input.createdAt })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
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
      tags: input.tags === undefined ? null : JSON.stringify(input.tags),
      path: null,
      trust_policy: null,
      description: null,
      session_seconds_max: null,
      last_used_at: null,
    })
    .onConflict((conflict) => conflict.columns(['account', 'name']).doNothing())
    .returning('name')
    .executeTakeFirst();
  return row ? 'created' : 'exists';
}

/** Keys, tokens and policies go with it. */
export async function deletePrincipal(
  sql: Sql,
  input: Pick<PrincipalRow, 'account' | 'name'>,
): Promise<boolean> {
  const row = await sql
    .deleteFrom('principals')
    .where('account', '=', input.account)
    .where('name', '=', input.name)
    .returning('name')
    .executeTakeFirst();
  return row !== undefined;
}

export async function deleteUnusedPrincipal(
  sql: Sql,
  input: Pick<PrincipalRow, 'account' | 'name'>,
): ReturnType<IdentityMetadata['deleteUnusedPrincipal']> {
  if ((await lockPrincipal(sql, input)) === undefined) return 'notFound';
  const credentials = [
    ['access_keys', 'hasKeys'],
    ['tokens', 'hasTokens'],
  ] as const;
  for (const [table, has] of credentials) {
    const one = await sql
      .selectFrom(table)
      .select('id')
      .where('account', '=', input.account)
      .where(ownerColumn, '=', input.name)
      .limit(1)
      .executeTakeFirst();
    if (one) return has;
  }
  const policies = [
    ['identity_policies', 'hasPolicies'],
    ['policy_attachments', 'hasAttachments'],
  ] as const;
  for (const [table, has] of policies) {
    const one = await sql
      .selectFrom(table)
      .select('principal')
      .where('account', '=', input.account)
      .where('principal', '=', input.name)
      .limit(1)
      .executeTakeFirst();
    if (one) return has;
  }
  await deletePrincipal(sql, input);
  return 'deleted';
}

export async function changePrincipalTags(
  sql: Sql,
  input: Parameters<IdentityMetadata['changePrincipalTags']>[0],
): ReturnType<IdentityMetadata['changePrincipalTags']> {
  const { account, name, tagsMax } = input;
  const row = await lockPrincipal(sql, input);
  if (row === undefined) return 'notFound';
  const tags = withLabelsOfAnyCase(row.tags ?? [], input);
  if (tags.length > tagsMax) return 'tooMany';
  await sql
    .updateTable('principals')
    .set({ tags: tags.length === 0 ? null : JSON.stringify(tags) })
    .where('account', '=', account)
    .where('name', '=', name)
    .execute();
  return 'changed';
}

/** Whether there is such an owner of the credential that is written next, which stays until then: a root, named by `undefined`, always is, a role never. */
async function isOwner(sql: Sql, account: string, name: string | undefined): Promise<boolean> {
  if (name === undefined) return true;
  if (roleNameOf(name) !== undefined) return false;
  return (await lockPrincipal(sql, { account, name })) !== undefined;
}

/** A principal has as many keys as there are slots. */
const keySlots: readonly number[] = [0, 1];

export async function createAccessKey(
  sql: Sql,
  input: AccessKeyRow,
): Promise<'created' | 'limit' | 'noPrincipal'> {
  if (!(await isOwner(sql, input.account, input.name))) return 'noPrincipal';
  for (const slot of keySlots) {
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
        conflict.expression(text`account, ${ownerColumn}, slot`).doNothing(),
      )
      .returning('id')
      .executeTakeFirst();
    if (row) return 'created';
  }
  return 'limit';
}

export async function setAccessKeyActive(
  sql: Sql,
  { id, active }: Pick<AccessKeyRow, 'id' | 'active'>,
): Promise<boolean> {
  const row = await sql
    .updateTable('access_keys')
    .set({ active: active ? 1 : 0 })
    .where('id', '=', id)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function deleteAccessKey(sql: Sql, input: Pick<AccessKeyRow, 'id'>): Promise<boolean> {
  const row = await sql
    .deleteFrom('access_keys')
    .where('id', '=', input.id)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
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
    .onConflict((conflict) => conflict.expression(text`account, ${ownerColumn}, name`).doNothing())
    .returning('id')
    .executeTakeFirst();
  return row ? 'created' : 'exists';
}

export async function deleteToken(
  sql: Sql,
  input: Pick<TokenRow, 'account' | 'principal' | 'name'>,
): Promise<boolean> {
  const row = await sql
    .deleteFrom('tokens')
    .where('account', '=', input.account)
    .where(ownerColumn, '=', input.principal ?? '')
    .where('name', '=', input.name)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function touchCredentials(
  sql: Sql,
  input: Parameters<IdentityMetadata['touchCredentials']>[0],
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

export async function putIdentityPolicy(
  sql: Sql,
  input: IdentityPolicyRow,
): Promise<'stored' | 'noPrincipal'> {
  if ((await lockPrincipal(sql, { account: input.account, name: input.principal })) === undefined)
    return 'noPrincipal';
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
  input: Pick<IdentityPolicyRow, 'account' | 'principal' | 'name'>,
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
  { registry, text, now }: Parameters<IdentityMetadata['setRegistryPolicy']>[0],
): Promise<void> {
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
