import type { PullRuleKey, PullRuleRow } from '../contract/rows.ts';
import { pullRuleOf } from '../rows/pull-rule-row.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

const ruleByPrefix = pointQuery((sql, slots: PullRuleKey) =>
  sql
    .selectFrom('pull_rules')
    .selectAll()
    .where('registry', '=', slots.registry)
    .where('prefix', '=', slots.prefix),
);

export async function findPullRule(
  sql: Sql,
  { registry, prefix }: PullRuleKey,
): Promise<PullRuleRow | undefined> {
  const row = await ruleByPrefix(sql, { registry, prefix });
  return row && pullRuleOf(row);
}

export async function hasPullRules(sql: Sql): Promise<boolean> {
  const row = await sql.selectFrom('pull_rules').select('id').limit(1).executeTakeFirst();
  return row !== undefined;
}
