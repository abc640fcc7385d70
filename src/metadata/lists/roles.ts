import type { RoleRow } from '../contract/roles.ts';
import { roleOf } from '../rows/identity-rows.ts';
import type { Sql } from '../sql/schema.ts';

/** Roles of one account that are listed. */
const rolesMax = 10_000;

export async function listRoles(sql: Sql, account: string): Promise<readonly RoleRow[]> {
  const rows = await sql
    .selectFrom('principals')
    .selectAll()
    .where('account', '=', account)
    .where('kind', '=', 'role')
    .orderBy('name')
    .limit(rolesMax)
    .execute();
  return rows.map(roleOf);
}
