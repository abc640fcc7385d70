import type { Kysely } from 'kysely';

type Dialect = 'sqlite' | 'postgres';

/** An access key may end by itself; those that there are do not. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  await database.schema
    .alterTable('access_keys')
    .addColumn('expires_at', dialect === 'sqlite' ? 'integer' : 'bigint')
    .execute();
}
