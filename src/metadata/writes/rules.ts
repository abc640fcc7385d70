import { withSettings } from '../../domain/rules/rule-settings.ts';
import type { CredentialHolder, NewPullRule, PullRuleKey, PullRuleRow } from '../contract/rows.ts';
import type { RuleMetadata } from '../contract/metadata.ts';
import { pullRuleOf, rowOfPullRule } from '../rows/pull-rule-row.ts';
import type { Sql } from '../sql/schema.ts';

export async function createPullRule(
  sql: Sql,
  { rule, rulesMax, allMax }: NewPullRule,
): Promise<'created' | 'exists' | 'limit'> {
  const row = await sql
    .insertInto('pull_rules')
    .values(rowOfPullRule(rule))
    .onConflict((conflict) => conflict.columns(['registry', 'prefix']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return 'exists';
  const { count, all } = await sql
    .selectFrom('pull_rules')
    .select((eb) => [
      eb.fn.countAll<number>().filterWhere('registry', '=', rule.registry).as('count'),
      eb.fn.countAll<number>().as('all'),
    ])
    .executeTakeFirstOrThrow();
  if (count <= rulesMax && all <= allMax) return 'created';
  await sql.deleteFrom('pull_rules').where('id', '=', rule.id).execute();
  return 'limit';
}

export async function updatePullRule(
  sql: Sql,
  { registry, prefix, id, change, now }: Parameters<RuleMetadata['updatePullRule']>[0],
): Promise<PullRuleRow | undefined> {
  // Locks the row on both engines, so that two changes beside each other are both made.
  const row = await sql
    .updateTable('pull_rules')
    .set({ updated_at: now })
    .where('registry', '=', registry)
    .where('prefix', '=', prefix)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const before = pullRuleOf(row);
  const after: PullRuleRow = {
    ...before,
    credentialArn: changed(before.credentialArn, change.credentialArn),
    roleArn: changed(before.roleArn, change.roleArn),
    settings: withSettings(before.settings, change.settings ?? {}),
  };
  await sql
    .updateTable('pull_rules')
    .set(rowOfPullRule(after))
    .where('id', '=', after.id)
    .execute();
  return after;
}

/** `null` takes it away, nothing leaves it. */
function changed(
  before: string | undefined,
  change: string | null | undefined,
): string | undefined {
  return change === undefined ? before : (change ?? undefined);
}

export async function deletePullRule(
  sql: Sql,
  { registry, prefix }: PullRuleKey,
): Promise<PullRuleRow | undefined> {
  const row = await sql
    .deleteFrom('pull_rules')
    .where('registry', '=', registry)
    .where('prefix', '=', prefix)
    .returningAll()
    .executeTakeFirst();
  return row && pullRuleOf(row);
}

export async function setRuleHolder(
  sql: Sql,
  { id, holder }: { readonly id: string; readonly holder: CredentialHolder },
): Promise<boolean> {
  const row = await sql
    .updateTable('pull_rules')
    .set({ holder: JSON.stringify(holder) })
    .where('id', '=', id)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}
