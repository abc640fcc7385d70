import type { CreateTableBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';

/** Repositories, manifests, tags, blob claims and pull records. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  await createRepositories(database, dialect);
  await createManifests(database, dialect);
  await createTags(database, dialect);
  await createBlobs(database, dialect);
  await createPulls(database, dialect);
}

/** Text that compares by its bytes on both; SQLite does so by itself. */
function textOf(dialect: Dialect): ReturnType<typeof sql> {
  return dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
}

function integerOf(dialect: Dialect): 'integer' | 'bigint' {
  return dialect === 'sqlite' ? 'integer' : 'bigint';
}

type Table = CreateTableBuilder<string, string>;

function tableWithId(database: Kysely<unknown>, dialect: Dialect, name: string): Table {
  const table: Table = database.schema.createTable(name);
  const strict = dialect === 'sqlite' ? table.modifyEnd(sql`strict`) : table;
  return strict.addColumn('id', integerOf(dialect), (column) =>
    dialect === 'sqlite' ? column.primaryKey() : column.primaryKey().generatedAlwaysAsIdentity(),
  );
}

/** Rows lie in the order of the primary key, which the caller adds. */
function tableByKey(database: Kysely<unknown>, dialect: Dialect, name: string): Table {
  const table: Table = database.schema.createTable(name);
  return dialect === 'sqlite' ? table.modifyEnd(sql`strict, without rowid`) : table;
}

async function createRepositories(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = textOf(dialect);
  const integer = integerOf(dialect);
  await tableWithId(database, dialect, 'repositories')
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('private', integer, (column) => column.notNull())
    .addColumn('stopped_at', integer)
    .addColumn('stopped_reason', text)
    .addColumn('created_at', integer, (column) => column.notNull())
    .addUniqueConstraint('repositories_name', ['registry', 'name'])
    .execute();
}

async function createManifests(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = textOf(dialect);
  const integer = integerOf(dialect);
  const contents: Table = database.schema.createTable('manifest_contents');
  await (dialect === 'sqlite' ? contents.modifyEnd(sql`strict`) : contents)
    .addColumn('digest', text, (column) => column.primaryKey().notNull())
    .addColumn('bytes', dialect === 'sqlite' ? 'blob' : 'bytea', (column) => column.notNull())
    .execute();
  await tableWithId(database, dialect, 'manifests')
    .addColumn('repository_id', integer, (column) => column.notNull().references('repositories.id'))
    .addColumn('digest', text, (column) => column.notNull().references('manifest_contents.digest'))
    .addColumn('media_type', text, (column) => column.notNull())
    .addColumn('size', integer, (column) => column.notNull())
    .addColumn('subject', text)
    .addColumn('artifact_type', text)
    .addColumn('annotations', text)
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('last_pulled_at', integer, (column) => column.notNull())
    .addUniqueConstraint('manifests_digest', ['repository_id', 'digest'])
    .execute();
  await database.schema
    .createIndex('manifests_subject')
    .on('manifests')
    .columns(['repository_id', 'subject', 'id'])
    .where(sql.ref('subject'), 'is not', null)
    .execute();
  await tableByKey(database, dialect, 'manifest_children')
    .addColumn('manifest_id', integer, (column) =>
      column.notNull().references('manifests.id').onDelete('cascade'),
    )
    .addColumn('position', integer, (column) => column.notNull())
    .addColumn('repository_id', integer, (column) => column.notNull().references('repositories.id'))
    .addColumn('role', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('media_type', text, (column) => column.notNull())
    .addColumn('size', integer, (column) => column.notNull())
    .addColumn('os', text)
    .addColumn('architecture', text)
    .addColumn('variant', text)
    .addColumn('urls', text)
    .addPrimaryKeyConstraint('manifest_children_key', ['manifest_id', 'position'])
    .execute();
  await database.schema
    .createIndex('manifest_children_digest')
    .on('manifest_children')
    .columns(['repository_id', 'digest', 'manifest_id', 'position'])
    .execute();
}

async function createTags(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = textOf(dialect);
  const integer = integerOf(dialect);
  await tableByKey(database, dialect, 'tags')
    .addColumn('repository_id', integer, (column) => column.notNull().references('repositories.id'))
    .addColumn('tag', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('media_type', text, (column) => column.notNull())
    .addColumn('size', integer, (column) => column.notNull())
    .addColumn('source', text, (column) => column.notNull())
    .addColumn('validated_at', integer, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('last_pulled_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('tags_key', ['repository_id', 'tag'])
    .execute();
  await tableWithId(database, dialect, 'tag_history')
    .addColumn('repository_id', integer, (column) => column.notNull().references('repositories.id'))
    .addColumn('tag', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('seen_at', integer, (column) => column.notNull())
    .addUniqueConstraint('tag_history_digest', ['repository_id', 'tag', 'digest'])
    .execute();
  await database.schema
    .createIndex('tag_history_order')
    .on('tag_history')
    .columns(['repository_id', 'tag', 'id'])
    .execute();
}

async function createBlobs(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = textOf(dialect);
  const integer = integerOf(dialect);
  await tableByKey(database, dialect, 'rule_blobs')
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('rule', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('size', integer, (column) => column.notNull())
    .addColumn('fetched_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('rule_blobs_key', ['registry', 'rule', 'digest'])
    .execute();
  await tableByKey(database, dialect, 'repository_blobs')
    .addColumn('repository_id', integer, (column) => column.notNull().references('repositories.id'))
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('proven_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('repository_blobs_key', ['repository_id', 'digest'])
    .execute();
}

async function createPulls(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = textOf(dialect);
  const integer = integerOf(dialect);
  await tableWithId(database, dialect, 'pull_records')
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('hour', integer, (column) => column.notNull())
    .addColumn('client_address', text, (column) => column.notNull())
    .addColumn('ns', text, (column) => column.notNull())
    .addColumn('image', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('verdict', text, (column) => column.notNull())
    .addColumn('count', integer, (column) => column.notNull())
    .addColumn('last_at', integer, (column) => column.notNull())
    .addUniqueConstraint('pull_records_key', [
      'registry',
      'hour',
      'client_address',
      'ns',
      'image',
      'digest',
      'verdict',
    ])
    .execute();
  await database.schema
    .createIndex('pull_records_last')
    .on('pull_records')
    .column('last_at')
    .execute();
}
