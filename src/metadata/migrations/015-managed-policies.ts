import type { CreateTableBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';
type Table = CreateTableBuilder<string, string>;

/** Policies that stand for themselves, their versions, and whom they are attached to: by their name, AWS's own by ARN. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const create = (name: string): Table => {
    const table: Table = database.schema.createTable(name);
    return dialect === 'sqlite' ? table.modifyEnd(sql`strict, without rowid`) : table;
  };
  await create('managed_policies')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('path', text, (column) => column.notNull())
    .addColumn('description', text, (column) => column.notNull())
    .addColumn('default_version', integer, (column) => column.notNull())
    .addColumn('last_version', integer, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('updated_at', integer, (column) => column.notNull())
    .addColumn('tags', text)
    .addPrimaryKeyConstraint('managed_policies_key', ['account', 'name'])
    .execute();
  await create('managed_policy_versions')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('version', integer, (column) => column.notNull())
    .addColumn('text', text, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('managed_policy_versions_key', ['account', 'name', 'version'])
    .addForeignKeyConstraint(
      'managed_policy_versions_policy',
      ['account', 'name'],
      'managed_policies',
      ['account', 'name'],
      (key) => key.onDelete('cascade'),
    )
    .execute();
  await create('policy_attachments')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('policy', text, (column) => column.notNull())
    .addColumn('attached_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('policy_attachments_key', ['account', 'principal', 'policy'])
    .addForeignKeyConstraint(
      'policy_attachments_principal',
      ['account', 'principal'],
      'principals',
      ['account', 'name'],
      (key) => key.onDelete('cascade'),
    )
    .execute();
  await database.schema
    .createIndex('policy_attachments_policy')
    .on('policy_attachments')
    .columns(['account', 'policy', 'principal'])
    .execute();
}
