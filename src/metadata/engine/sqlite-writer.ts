import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { errorText } from '../../domain/error-text.ts';
import { refusalReason } from '../contract/metadata-error.ts';
import type { Refusal } from '../contract/metadata-error.ts';
import { migrate } from './migrate.ts';
import { nodeSqliteDialect } from './node-sqlite-dialect.ts';
import type { Schema } from '../sql/schema.ts';
import type { WriteRequest } from '../writes/writes.ts';
import { runWrite } from '../writes/writes.ts';

/** How long a statement waits for another process that holds the database. */
export const busyTimeoutMs = 5000;

export type WriteOutcome =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly message: string; readonly reason: Refusal };

/** The connection that writes to a SQLite file. Lives in the write thread; in tests also without one. */
export interface SqliteWriter {
  /**
   * Runs the writes in one transaction, each in a savepoint: one that fails fails alone. Resolves after the commit with an
   * outcome for each; never rejects. One call at a time.
   */
  run(batch: readonly WriteRequest[]): Promise<readonly WriteOutcome[]>;
  /** Brings the log into the file and closes it. */
  close(): void;
}

/** Opens the file, makes it where it is missing and brings its schema up to date. `onStatement` may throw instead of a statement. */
export async function openSqliteWriter(
  file: string,
  onStatement?: (sql: string) => void,
): Promise<SqliteWriter> {
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs });
  try {
    database.exec('pragma journal_mode = wal');
    database.exec('pragma synchronous = full');
    database.exec('pragma journal_size_limit = 67108864');
    database.exec('pragma cache_size = -16384');
    const sql = new Kysely<Schema>({ dialect: nodeSqliteDialect(database, onStatement) });
    const execute = (text: string): void => {
      onStatement?.(text);
      database.exec(text);
    };
    await migrateFile(database, sql);
    return {
      async run(batch) {
        const outcomes: WriteOutcome[] = [];
        while (outcomes.length < batch.length)
          await runGroup({ database, sql, execute }, batch, outcomes);
        return outcomes;
      },
      close() {
        database.exec('pragma wal_checkpoint(truncate)');
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

async function migrateFile(database: DatabaseSync, sql: Kysely<Schema>): Promise<void> {
  database.exec('begin immediate');
  try {
    await migrate(sql as unknown as Kysely<unknown>, 'sqlite');
    database.exec('commit');
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  }
}

interface Connection {
  readonly database: DatabaseSync;
  readonly sql: Kysely<Schema>;
  readonly execute: (sql: string) => void;
}

/** Adds outcomes for what follows those already there: for all of it, or, where SQLite gave the transaction up, for a part. */
async function runGroup(
  connection: Connection,
  batch: readonly WriteRequest[],
  outcomes: WriteOutcome[],
): Promise<void> {
  const { database, execute } = connection;
  const first = outcomes.length;
  try {
    execute('begin immediate');
    for (const request of batch.slice(first)) {
      outcomes.push(await runOne(connection, request));
      if (!database.isTransaction) throw new TransactionLost(outcomes.at(-1));
    }
    execute('commit');
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    const failed = error instanceof TransactionLost ? error.outcome : failureOf(error);
    const end = outcomes.length === first ? batch.length : outcomes.length;
    outcomes.length = first;
    while (outcomes.length < end) outcomes.push(failed);
  }
}

async function runOne(
  { database, sql, execute }: Connection,
  request: WriteRequest,
): Promise<WriteOutcome> {
  execute('savepoint one');
  try {
    const output = await runWrite(sql, request);
    execute('release one');
    return { ok: true, output };
  } catch (error) {
    if (database.isTransaction) {
      database.exec('rollback to one');
      database.exec('release one');
    }
    return failureOf(error);
  }
}

type Failure = Extract<WriteOutcome, { ok: false }>;

function failureOf(error: unknown): Failure {
  return { ok: false, message: errorText(error), reason: refusalReason(error) };
}

/** SQLite gave the whole transaction up with a write that failed. */
class TransactionLost extends Error {
  readonly outcome: Failure;

  constructor(outcome: WriteOutcome | undefined) {
    super('the transaction was lost');
    this.outcome = outcome === undefined || outcome.ok ? failureOf(this) : outcome;
  }
}
