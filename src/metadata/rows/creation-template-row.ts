import type { Selectable } from 'kysely';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import { templatePrefixesOf } from '../../domain/registries/creation-template.ts';
import type { TemplateUse } from '../../domain/registries/creation-template.ts';
import type { TemplateRow, TemplateSettings } from '../contract/templates.ts';
import { batches } from '../sql/batches.ts';
import type { Schema, Sql } from '../sql/schema.ts';

export function templateOf(row: Selectable<Schema['creation_templates']>): TemplateRow {
  return {
    registry: row.registry as RegistryKey,
    prefix: row.prefix,
    settings: JSON.parse(row.settings) as TemplateSettings,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The longest that matches the repository and is for this. */
export async function longestTemplate(
  sql: Sql,
  { registry, repository }: RepositoryKey,
  use: TemplateUse,
): Promise<TemplateRow | undefined> {
  for (const prefixes of batches(templatePrefixesOf(repository))) {
    const rows = await sql
      .selectFrom('creation_templates')
      .selectAll()
      .where('registry', '=', registry)
      .where('prefix', 'in', prefixes)
      .execute();
    const found = rows
      .map(templateOf)
      .filter(({ settings }) => settings.appliedFor.includes(use))
      .toSorted((one, other) => prefixes.indexOf(one.prefix) - prefixes.indexOf(other.prefix));
    if (found[0] !== undefined) return found[0];
  }
  return undefined;
}
