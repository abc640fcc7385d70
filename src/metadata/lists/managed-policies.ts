import type { ManagedPolicyRow, PolicyHolderRow } from '../contract/managed-policies.ts';
import { managedPolicyOf } from '../rows/managed-policy-row.ts';
import type { Sql } from '../sql/schema.ts';

/** All of an account, which are bounded. */
export async function listManagedPolicies(
  sql: Sql,
  account: string,
): Promise<readonly ManagedPolicyRow[]> {
  const rows = await sql
    .selectFrom('managed_policies')
    .selectAll()
    .where('account', '=', account)
    .orderBy('name')
    .execute();
  return rows.map(managedPolicyOf);
}

/** Policies that are told of: as many as an account may have, and AWS's. */
const countedMax = 10_000;

export async function countAttachments(
  sql: Sql,
  account: string,
): Promise<readonly { readonly policy: string; readonly count: number }[]> {
  return sql
    .selectFrom('policy_attachments')
    .select((eb) => ['policy', eb.fn.countAll<number>().as('count')])
    .where('account', '=', account)
    .groupBy('policy')
    .orderBy('policy')
    .limit(countedMax)
    .execute();
}

/** Principals of one policy that are listed. */
const holdersMax = 10_000;

export async function listPolicyHolders(
  sql: Sql,
  account: string,
  policy: string,
): Promise<readonly PolicyHolderRow[]> {
  const rows = await sql
    .selectFrom('policy_attachments as attachment')
    .innerJoin('principals as principal', (join) =>
      join
        .onRef('principal.account', '=', 'attachment.account')
        .onRef('principal.name', '=', 'attachment.principal'),
    )
    .select(['attachment.principal', 'principal.created_at', 'principal.path'])
    .where('attachment.account', '=', account)
    .where('attachment.policy', '=', policy)
    .orderBy('attachment.principal')
    .limit(holdersMax)
    .execute();
  return rows.map(({ principal, created_at: madeAt, path }) => ({
    principal,
    madeAt,
    ...(path === null ? {} : { path }),
  }));
}
