import type { ManagedPolicyKey } from '../../domain/policy/managed-policy.ts';
import type {
  AttachedPolicyRow,
  ManagedPolicyRow,
  PolicyVersionRow,
} from '../contract/managed-policies.ts';
import { managedPolicyOf } from '../rows/managed-policy-row.ts';
import { pointQuery, rowsQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

const policyByName = pointQuery((sql, slots: ManagedPolicyKey) =>
  sql
    .selectFrom('managed_policies')
    .selectAll()
    .where('account', '=', slots.account)
    .where('name', '=', slots.name),
);

export async function findManagedPolicy(
  sql: Sql,
  { account, name }: ManagedPolicyKey,
): Promise<ManagedPolicyRow | undefined> {
  const row = await policyByName(sql, { account, name });
  return row && managedPolicyOf(row);
}

const versionsOfPolicy = rowsQuery((sql, slots: ManagedPolicyKey) =>
  sql
    .selectFrom('managed_policy_versions')
    .select(['version', 'text', 'created_at'])
    .where('account', '=', slots.account)
    .where('name', '=', slots.name)
    .orderBy('version'),
);

export async function listPolicyVersions(
  sql: Sql,
  { account, name }: ManagedPolicyKey,
): Promise<readonly PolicyVersionRow[]> {
  const rows = await versionsOfPolicy(sql, { account, name });
  return rows.map((row) => ({ version: row.version, text: row.text, createdAt: row.created_at }));
}

const attachedToPrincipal = rowsQuery(
  (sql, slots: { readonly account: string; readonly principal: string }) =>
    sql
      .selectFrom('policy_attachments as attachment')
      .leftJoin('managed_policies as policy', (join) =>
        join
          .onRef('policy.account', '=', 'attachment.account')
          .onRef('policy.name', '=', 'attachment.policy'),
      )
      .leftJoin('managed_policy_versions as version', (join) =>
        join
          .onRef('version.account', '=', 'policy.account')
          .onRef('version.name', '=', 'policy.name')
          .onRef('version.version', '=', 'policy.default_version'),
      )
      .select(['attachment.policy', 'policy.path', 'version.text'])
      .where('attachment.account', '=', slots.account)
      .where('attachment.principal', '=', slots.principal)
      .orderBy('attachment.policy'),
);

export async function listAttachedPolicies(
  sql: Sql,
  account: string,
  principal: string,
): Promise<readonly AttachedPolicyRow[]> {
  const rows = await attachedToPrincipal(sql, { account, principal });
  return rows.map(({ policy, path, text }) => ({
    policy,
    own: path === null || text === null ? undefined : { path, text },
  }));
}
