import type { Kysely } from 'kysely';
import { sql } from 'kysely';

/** What was done and answered to calls that their clients may make again. */
export async function up(database: Kysely<unknown>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const table = database.schema
    .createTable('call_records')
    .addColumn('call', text, (column) => column.notNull())
    .addColumn('part', text, (column) => column.notNull())
    .addColumn('at', integer, (column) => column.notNull())
    .addColumn('content', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('call_records_key', ['call', 'part']);
  await (dialect === 'sqlite' ? table.modifyEnd(sql`strict, without rowid`) : table).execute();
  await database.schema
    .createIndex('call_records_at')
    .on('call_records')
    .columns(['at', 'call', 'part'])
    .execute();
}
