import type { Selectable } from 'kysely';
import { withLabelsOfAnyCase } from '../../domain/names/label.ts';
import type { ManagedPolicyKey } from '../../domain/policy/managed-policy.ts';
import type { AttachmentKey, ManagedPolicyMetadata } from '../contract/managed-policies.ts';
import { lockPrincipal } from '../rows/locked-principal.ts';
import { managedPolicyOf } from '../rows/managed-policy-row.ts';
import type { Schema, Sql } from '../sql/schema.ts';

type Input<N extends keyof ManagedPolicyMetadata> = Parameters<ManagedPolicyMetadata[N]>[0];
type Output<N extends keyof ManagedPolicyMetadata> = ReturnType<ManagedPolicyMetadata[N]>;

export async function createManagedPolicy(
  sql: Sql,
  { policy, text, policiesMax }: Input<'createManagedPolicy'>,
): Output<'createManagedPolicy'> {
  const { account, name, path, description, createdAt, updatedAt, tags } = policy;
  const row = await sql
    .insertInto('managed_policies')
    .values({
      account,
      name,
      path,
      description,
      default_version: 1,
      last_version: 1,
      created_at: createdAt,
      updated_at: updatedAt,
      tags: tags === undefined ? null : JSON.stringify(tags),
    })
    .onConflict((conflict) => conflict.columns(['account', 'name']).doNothing())
    .returning('name')
    .executeTakeFirst();
  if (row === undefined) return 'exists';
  const { count } = await sql
    .selectFrom('managed_policies')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('account', '=', account)
    .executeTakeFirstOrThrow();
  if (count > policiesMax) {
    await removePolicy(sql, policy);
    return 'limit';
  }
  await insertVersion(sql, { account, name, version: 1, text, now: createdAt });
  return 'created';
}

async function removePolicy(sql: Sql, { account, name }: ManagedPolicyKey): Promise<void> {
  await sql
    .deleteFrom('managed_policies')
    .where('account', '=', account)
    .where('name', '=', name)
    .execute();
}

/** The policy, kept from other processes' changes until the transaction ends. */
async function lockPolicy(
  sql: Sql,
  { account, name }: ManagedPolicyKey,
): Promise<Selectable<Schema['managed_policies']> | undefined> {
  // An update that changes nothing locks the row on both; SQLite has no `for update`.
  return sql
    .updateTable('managed_policies')
    .set((eb) => ({ path: eb.ref('path') }))
    .where('account', '=', account)
    .where('name', '=', name)
    .returningAll()
    .executeTakeFirst();
}

export async function deleteManagedPolicy(
  sql: Sql,
  key: Input<'deleteManagedPolicy'>,
): Output<'deleteManagedPolicy'> {
  if ((await lockPolicy(sql, key)) === undefined) return 'notFound';
  const holder = await sql
    .selectFrom('policy_attachments')
    .select('principal')
    .where('account', '=', key.account)
    .where('policy', '=', key.name)
    .limit(1)
    .executeTakeFirst();
  if (holder) return 'attached';
  if ((await countVersions(sql, key)) > 1) return 'hasVersions';
  await removePolicy(sql, key);
  return 'deleted';
}

async function countVersions(sql: Sql, { account, name }: ManagedPolicyKey): Promise<number> {
  const { count } = await sql
    .selectFrom('managed_policy_versions')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('account', '=', account)
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return count;
}

async function insertVersion(
  sql: Sql,
  {
    account,
    name,
    version,
    text,
    now,
  }: ManagedPolicyKey & { readonly version: number; readonly text: string; readonly now: number },
): Promise<void> {
  await sql
    .insertInto('managed_policy_versions')
    .values({ account, name, version, text, created_at: now })
    .execute();
}

export async function createPolicyVersion(
  sql: Sql,
  { text, asDefault, versionsMax, now, ...key }: Input<'createPolicyVersion'>,
): Output<'createPolicyVersion'> {
  const row = await lockPolicy(sql, key);
  if (row === undefined) return 'notFound';
  if ((await countVersions(sql, key)) >= versionsMax) return 'limit';
  const version = row.last_version + 1;
  await insertVersion(sql, { ...key, version, text, now });
  await sql
    .updateTable('managed_policies')
    .set({
      last_version: version,
      updated_at: now,
      ...(asDefault ? { default_version: version } : {}),
    })
    .where('account', '=', key.account)
    .where('name', '=', key.name)
    .execute();
  return version;
}

export async function deletePolicyVersion(
  sql: Sql,
  { version, ...key }: Input<'deletePolicyVersion'>,
): Output<'deletePolicyVersion'> {
  const row = await lockPolicy(sql, key);
  if (row === undefined) return 'notFound';
  if (row.default_version === version) return 'isDefault';
  const deleted = await sql
    .deleteFrom('managed_policy_versions')
    .where('account', '=', key.account)
    .where('name', '=', key.name)
    .where('version', '=', version)
    .returning('version')
    .executeTakeFirst();
  return deleted === undefined ? 'noVersion' : 'deleted';
}

export async function setDefaultPolicyVersion(
  sql: Sql,
  { version, now, ...key }: Input<'setDefaultPolicyVersion'>,
): Output<'setDefaultPolicyVersion'> {
  if ((await lockPolicy(sql, key)) === undefined) return 'notFound';
  const there = await sql
    .selectFrom('managed_policy_versions')
    .select('version')
    .where('account', '=', key.account)
    .where('name', '=', key.name)
    .where('version', '=', version)
    .executeTakeFirst();
  if (there === undefined) return 'noVersion';
  await sql
    .updateTable('managed_policies')
    .set({ default_version: version, updated_at: now })
    .where('account', '=', key.account)
    .where('name', '=', key.name)
    .execute();
  return 'changed';
}

export async function changePolicyTags(
  sql: Sql,
  { tagsMax, remove, set, ...key }: Input<'changePolicyTags'>,
): Output<'changePolicyTags'> {
  const row = await lockPolicy(sql, key);
  if (row === undefined) return 'notFound';
  const tags = withLabelsOfAnyCase(managedPolicyOf(row).tags ?? [], { remove, set });
  if (tags.length > tagsMax) return 'tooMany';
  await sql
    .updateTable('managed_policies')
    .set({ tags: tags.length === 0 ? null : JSON.stringify(tags) })
    .where('account', '=', key.account)
    .where('name', '=', key.name)
    .execute();
  return 'changed';
}

export async function attachPolicy(
  sql: Sql,
  { account, principal, policy, own, attachmentsMax, now }: Input<'attachPolicy'>,
): Output<'attachPolicy'> {
  // The principal first, then the policy: in one order, so that two processes never wait for each other.
  if ((await lockPrincipal(sql, { account, name: principal })) === undefined) return 'noPrincipal';
  if (own && (await lockPolicy(sql, { account, name: policy })) === undefined) return 'noPolicy';
  const there = await sql
    .selectFrom('policy_attachments')
    .select('policy')
    .where('account', '=', account)
    .where('principal', '=', principal)
    .execute();
  if (there.some((each) => each.policy === policy)) return 'attached';
  if (there.length >= attachmentsMax) return 'limit';
  await sql
    .insertInto('policy_attachments')
    .values({ account, principal, policy, attached_at: now })
    .execute();
  return 'attached';
}

export async function detachPolicy(
  sql: Sql,
  { account, principal, policy }: AttachmentKey,
): Promise<boolean> {
  const row = await sql
    .deleteFrom('policy_attachments')
    .where('account', '=', account)
    .where('principal', '=', principal)
    .where('policy', '=', policy)
    .returning('policy')
    .executeTakeFirst();
  return row !== undefined;
}
