import type { Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';

/** What repositories take their settings from when a pull or a push makes them, of a registry each. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const table = database.schema.createTable('creation_templates');
  const ended = dialect === 'postgres' ? table : table.modifyEnd(sql`strict, without rowid`);
  await ended
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('prefix', text, (column) => column.notNull())
    .addColumn('settings', text, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('updated_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('creation_templates_key', ['registry', 'prefix'])
    .execute();
}
