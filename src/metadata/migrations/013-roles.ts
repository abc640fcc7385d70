import type { Kysely } from 'kysely';
import { sql } from 'kysely';

/** Roles are principals of the name `role/<name>`; these are theirs alone. The trust policy is kept verbatim. */
export async function up(database: Kysely<unknown>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  for (const column of ['path', 'trust_policy', 'description'])
    await database.schema.alterTable('principals').addColumn(column, text).execute();
  for (const column of ['session_seconds_max', 'last_used_at'])
    await database.schema.alterTable('principals').addColumn(column, integer).execute();
}
