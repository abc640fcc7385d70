import { roleKey } from '../../domain/policy/principal.ts';
import type { RoleChange, RoleKey, RoleMetadata, RoleRow } from '../contract/roles.ts';
import { findAccount } from '../reads/identities.ts';
import type { Sql } from '../sql/schema.ts';

export async function createRole(sql: Sql, input: RoleRow): ReturnType<RoleMetadata['createRole']> {
  if (!(await findAccount(sql, input.account))) return 'noAccount';
  const { account, name } = roleKey(input);
  const row = await sql
    .insertInto('principals')
    .values({
      account,
      name,
      kind: 'role',
      created_at: input.createdAt,
      tags: input.tags === undefined ? null : JSON.stringify(input.tags),
      path: input.path,
      trust_policy: input.trustPolicy,
      description: input.description,
      session_seconds_max: input.sessionSecondsMax,
      last_used_at: null,
    })
    .onConflict((conflict) => conflict.columns(['account', 'name']).doNothing())
    .returning('name')
    .executeTakeFirst();
  return row ? 'created' : 'exists';
}

export async function changeRole(sql: Sql, input: RoleKey & RoleChange): Promise<boolean> {
  const { trustPolicy, description, sessionSecondsMax } = input;
  const { account, name } = roleKey(input);
  const row = await sql
    .updateTable('principals')
    .set((eb) => ({
      // Where nothing else is set, this is what is.
      kind: eb.ref('kind'),
      ...(trustPolicy === undefined ? {} : { trust_policy: trustPolicy }),
      ...(description === undefined ? {} : { description }),
      ...(sessionSecondsMax === undefined ? {} : { session_seconds_max: sessionSecondsMax }),
    }))
    .where('account', '=', account)
    .where('name', '=', name)
    .returning('name')
    .executeTakeFirst();
  return row !== undefined;
}

export async function touchRoles(
  sql: Sql,
  input: Parameters<RoleMetadata['touchRoles']>[0],
): Promise<void> {
  // In one order, so that two processes never wait for each other.
  for (const { id, at } of input.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const slash = id.indexOf('/');
    const { account, name } = roleKey({ account: id.slice(0, slash), name: id.slice(slash + 1) });
    await sql
      .updateTable('principals')
      .set({ last_used_at: at })
      .where('account', '=', account)
      .where('name', '=', name)
      .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<', at)]))
      .execute();
  }
}
