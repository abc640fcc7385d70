import type { PrincipalRow } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';
import { principalOf } from './identity-rows.ts';

/** The principal, kept from other processes' changes until the transaction ends. */
export async function lockPrincipal(
  sql: Sql,
  { account, name }: Pick<PrincipalRow, 'account' | 'name'>,
): Promise<PrincipalRow | undefined> {
  // An update that changes nothing locks the row on both; SQLite has no `for update`.
  const row = await sql
    .updateTable('principals')
    .set((eb) => ({ kind: eb.ref('kind') }))
    .where('account', '=', account)
    .where('name', '=', name)
    .returningAll()
    .executeTakeFirst();
  return row && principalOf(row);
}
