import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { TemplateUse } from '../../domain/registries/creation-template.ts';
import type { TemplateKey, TemplateRow } from '../contract/templates.ts';
import { longestTemplate, templateOf } from '../rows/creation-template-row.ts';
import type { Sql } from '../sql/schema.ts';
import { textBefore } from '../sql/text-order.ts';

export async function findTemplate(
  sql: Sql,
  { registry, prefix }: TemplateKey,
): Promise<TemplateRow | undefined> {
  const row = await sql
    .selectFrom('creation_templates')
    .selectAll()
    .where('registry', '=', registry)
    .where('prefix', '=', prefix)
    .executeTakeFirst();
  return row && templateOf(row);
}

export function findTemplateFor(
  sql: Sql,
  key: RepositoryKey,
  use: TemplateUse,
): Promise<TemplateRow | undefined> {
  return longestTemplate(sql, key, use);
}

export async function listTemplates(
  sql: Sql,
  registry: RegistryKey,
  after: string,
  limit: number,
): Promise<readonly TemplateRow[]> {
  const rows = await sql
    .selectFrom('creation_templates')
    .selectAll()
    .where('registry', '=', registry)
    .where('prefix', '>', textBefore(after))
    .orderBy('prefix')
    .limit(limit)
    .execute();
  return rows.map(templateOf);
}
