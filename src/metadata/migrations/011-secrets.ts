import type { CreateTableBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';
type Table = CreateTableBuilder<string, string>;

/** Secrets of a registry each, and their values, which are sealed. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const create = (name: string): Table => {
    const table: Table = database.schema.createTable(name);
    return dialect === 'sqlite' ? table.modifyEnd(sql`strict, without rowid`) : table;
  };
  await create('secrets')
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('suffix', text, (column) => column.notNull())
    .addColumn('state', text, (column) => column.notNull())
    .addColumn('gone_at', integer)
    .addPrimaryKeyConstraint('secrets_key', ['registry', 'name'])
    .execute();
  await database.schema
    .createIndex('secrets_gone')
    .on('secrets')
    .columns(['gone_at', 'registry', 'name'])
    .where('gone_at', 'is not', null)
    .execute();
  await create('secret_values')
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('version', text, (column) => column.notNull())
    .addColumn('sealed', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('secret_values_key', ['registry', 'name', 'version'])
    .addForeignKeyConstraint(
      'secret_values_secret',
      ['registry', 'name'],
      'secrets',
      ['registry', 'name'],
      (key) => key.onDelete('cascade'),
    )
    .execute();
}
