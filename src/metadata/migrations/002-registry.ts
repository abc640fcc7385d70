import type { Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';

/** Where content came from, settings and policies of repositories, and the orders in which content is listed and let go. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const { schema } = database;
  // SQLite adds one column a statement.
  await schema
    .alterTable('repositories')
    .addColumn('pushed', integer, (column) => column.notNull().defaultTo(0))
    .execute();
  await schema.alterTable('repositories').addColumn('tag_mutability', text).execute();
  await schema.alterTable('repositories').addColumn('policy', text).execute();
  for (const table of ['manifests', 'tags']) {
    await schema
      .alterTable(table)
      .addColumn('provenance', text, (column) => column.notNull().defaultTo('cached'))
      .execute();
  }
  await schema.alterTable('tags').addColumn('pushed_at', integer).execute();
  await schema
    .createIndex('manifests_newest')
    .on('manifests')
    .columns(['repository_id', 'created_at', 'digest'])
    .execute();
  await schema.createIndex('manifests_content').on('manifests').column('digest').execute();
  await schema
    .createIndex('tags_digest')
    .on('tags')
    .columns(['repository_id', 'digest', 'tag'])
    .execute();
  await schema
    .createIndex('repository_blobs_digest')
    .on('repository_blobs')
    .columns(['digest', 'repository_id'])
    .execute();
}
