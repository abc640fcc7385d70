import type { PullRuleKey, PullRuleRow } from '../contract/rows.ts';
import { pullRuleOf } from '../rows/pull-rule-row.ts';
import type { Sql } from '../sql/schema.ts';

export async function listAllPullRules(
  sql: Sql,
  after: PullRuleKey | undefined,
  limit: number,
): Promise<readonly PullRuleRow[]> {
  const { registry, prefix } = after ?? { registry: '', prefix: '' };
  const rows = await sql
    .selectFrom('pull_rules')
    .selectAll()
    .where((where) =>
      where.or([
        where('registry', '>', registry),
        where.and([where('registry', '=', registry), where('prefix', '>', prefix)]),
      ]),
    )
    .orderBy('registry')
    .orderBy('prefix')
    .limit(limit)
    .execute();
  return rows.map(pullRuleOf);
}
