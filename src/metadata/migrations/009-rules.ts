import type { Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';

/** Rules that are made through an API, of a registry each. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const table = database.schema.createTable('pull_rules');
  const ended = dialect === 'postgres' ? table : table.modifyEnd(sql`strict, without rowid`);
  await ended
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('prefix', text, (column) => column.notNull())
    .addColumn('id', text, (column) => column.notNull().unique())
    .addColumn('given_prefix', text, (column) => column.notNull())
    .addColumn('upstream_url', text, (column) => column.notNull())
    .addColumn('upstream_registry', text)
    .addColumn('upstream_prefix', text)
    .addColumn('credential_arn', text)
    .addColumn('role_arn', text)
    .addColumn('settings', text, (column) => column.notNull())
    .addColumn('holder', text)
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('updated_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('pull_rules_key', ['registry', 'prefix'])
    .execute();
}
