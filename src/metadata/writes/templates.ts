import type { TemplateKey, TemplateRow, TemplateSettings } from '../contract/templates.ts';
import { templateOf } from '../rows/creation-template-row.ts';
import type { Sql } from '../sql/schema.ts';

export async function createTemplate(
  sql: Sql,
  { template, templatesMax }: { readonly template: TemplateRow; readonly templatesMax: number },
): Promise<'created' | 'exists' | 'limit'> {
  const { registry, prefix, settings, createdAt, updatedAt } = template;
  const row = await sql
    .insertInto('creation_templates')
    .values({
      registry,
      prefix,
      settings: JSON.stringify(settings),
      created_at: createdAt,
      updated_at: updatedAt,
    })
    .onConflict((conflict) => conflict.columns(['registry', 'prefix']).doNothing())
    .returning('prefix')
    .executeTakeFirst();
  if (row === undefined) return 'exists';
  const { count } = await sql
    .selectFrom('creation_templates')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('registry', '=', registry)
    .executeTakeFirstOrThrow();
  if (count <= templatesMax) return 'created';
  await deleteTemplate(sql, template);
  return 'limit';
}

export async function updateTemplate(
  sql: Sql,
  {
    registry,
    prefix,
    change,
    now,
  }: TemplateKey & { readonly change: Partial<TemplateSettings>; readonly now: number },
): Promise<TemplateRow | undefined> {
  // Locks the row on both engines, so that two changes beside each other are both made.
  const row = await sql
    .updateTable('creation_templates')
    .set({ updated_at: now })
    .where('registry', '=', registry)
    .where('prefix', '=', prefix)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const before = templateOf(row);
  const after = { ...before, settings: { ...before.settings, ...change } };
  await sql
    .updateTable('creation_templates')
    .set({ settings: JSON.stringify(after.settings) })
    .where('registry', '=', registry)
    .where('prefix', '=', prefix)
    .execute();
  return after;
}

export async function deleteTemplate(
  sql: Sql,
  { registry, prefix }: TemplateKey,
): Promise<TemplateRow | undefined> {
  const row = await sql
    .deleteFrom('creation_templates')
    .where('registry', '=', registry)
    .where('prefix', '=', prefix)
    .returningAll()
    .executeTakeFirst();
  return row && templateOf(row);
}
