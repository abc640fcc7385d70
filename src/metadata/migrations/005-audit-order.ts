import type { Kysely } from 'kysely';
import { sql } from 'kysely';

/**
 * What is too old in the audit is found by the order in which it was written, which the wall clock need not follow. The time
 * and the principal let counting and looking stay in the index.
 */
export async function up(database: Kysely<unknown>): Promise<void> {
  for (const [name, condition] of kinds) {
    await sql`drop index ${sql.ref(name)}`.execute(database);
    await sql`create index ${sql.ref(name)} on audit (id, at, principal) where ${condition}`.execute(
      database,
    );
  }
}

const kinds = [
  ['audit_anonymous_denials', sql`kind = 'denial' and principal = 'anonymous'`],
  ['audit_denials', sql`kind = 'denial' and principal <> 'anonymous'`],
  ['audit_logins', sql`kind = 'login'`],
  ['audit_changes', sql`kind = 'change'`],
] as const;
