import { roleKey } from '../../domain/policy/principal.ts';
import type { RoleKey, RoleRow } from '../contract/roles.ts';
import { roleOf } from '../rows/identity-rows.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

const roleByName = pointQuery((sql, slots: { readonly account: string; readonly name: string }) =>
  sql
    .selectFrom('principals')
    .selectAll()
    .where('account', '=', slots.account)
    .where('name', '=', slots.name),
);

export async function findRole(sql: Sql, key: RoleKey): Promise<RoleRow | undefined> {
  const { account, name } = roleKey(key);
  const row = await roleByName(sql, { account, name });
  return row && roleOf(row);
}
