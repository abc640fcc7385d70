import type { CreateTableBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';

/** What owners keep of repositories (tags, scanning, encryption), and the settings of a registry by their names. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  await database.schema.alterTable('repositories').addColumn('attributes', text).execute();
  const table: CreateTableBuilder<string, string> =
    database.schema.createTable('registry_settings');
  const begun = dialect === 'sqlite' ? table.modifyEnd(sql`strict, without rowid`) : table;
  await begun
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('value', text, (column) => column.notNull())
    .addColumn('updated_at', dialect === 'sqlite' ? 'integer' : 'bigint', (column) =>
      column.notNull(),
    )
    .addPrimaryKeyConstraint('registry_settings_key', ['registry', 'name'])
    .execute();
}
