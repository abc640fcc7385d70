import type { Kysely } from 'kysely';
import { sql } from 'kysely';

/** What owners keep of a principal: its tags, as a JSON array; null: none. */
export async function up(database: Kysely<unknown>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  await database.schema.alterTable('principals').addColumn('tags', text).execute();
}
