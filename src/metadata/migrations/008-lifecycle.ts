import type { CreateTableBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';
type Table = CreateTableBuilder<string, string>;

/** Lifecycle policies of repositories, what previews of them have found, and which index names which manifest, of all of a repository at once. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const create = (name: string): Table => {
    const table: Table = database.schema.createTable(name);
    return dialect === 'sqlite' ? table.modifyEnd(sql`strict, without rowid`) : table;
  };
  await create('lifecycle_policies')
    .addColumn('repository_id', integer, (column) =>
      column.primaryKey().notNull().references('repositories.id'),
    )
    .addColumn('text', text, (column) => column.notNull())
    .addColumn('updated_at', integer, (column) => column.notNull())
    .addColumn('evaluated_at', integer)
    .addColumn('due_at', integer, (column) => column.notNull())
    .execute();
  await database.schema
    .createIndex('lifecycle_policies_due')
    .on('lifecycle_policies')
    .columns(['due_at', 'repository_id'])
    .execute();
  await create('lifecycle_previews')
    .addColumn('repository_id', integer, (column) =>
      column.primaryKey().notNull().references('repositories.id'),
    )
    .addColumn('id', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('policy', text, (column) => column.notNull())
    .addColumn('started_at', integer, (column) => column.notNull())
    .addColumn('ended_at', integer)
    .addColumn('expiring', integer, (column) => column.notNull())
    .addColumn('transitioning', integer, (column) => column.notNull())
    .execute();
  await database.schema
    .createIndex('lifecycle_previews_ended')
    .on('lifecycle_previews')
    .columns(['status', 'ended_at', 'repository_id'])
    .execute();
  await create('lifecycle_preview_pages')
    .addColumn('repository_id', integer, (column) => column.notNull().references('repositories.id'))
    .addColumn('untagged', integer, (column) => column.notNull())
    .addColumn('first_digest', text, (column) => column.notNull())
    .addColumn('results', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('lifecycle_preview_pages_key', [
      'repository_id',
      'untagged',
      'first_digest',
    ])
    .execute();
  await database.schema
    .createIndex('manifest_children_manifests')
    .on('manifest_children')
    .columns(['repository_id', 'manifest_id', 'digest'])
    .where(sql.ref('role'), '=', sql.lit('manifest'))
    .execute();
}
