import type { KyselyPlugin } from 'kysely';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { Pool, types } from 'pg';
import { errorText } from '../../domain/error-text.ts';
import { MetadataError, refusalReason } from '../contract/metadata-error.ts';
import type { Metadata } from '../contract/metadata.ts';
import { migrate } from './migrate.ts';
import type { Schema } from '../sql/schema.ts';
import { runList } from '../lists/lists.ts';
import { createMetadata, dropAllDeleted } from '../store.ts';
import { waitingMax } from './write-thread.ts';
import type { CallStep } from '../../coordination/call-attempt.ts';
import type { Write, WriteName, WriteRequest } from '../writes/writes.ts';
import { runWrite } from '../writes/writes.ts';

const connectionsMax = 10;
const connectTimeoutMs = 5000;
const statementTimeoutMs = 30_000;
/** One number for all that migrate one database at the same time. */
const migrationLock = 0x62726b77;
const attemptsMax = 5;
/**
 * `serialization_failure`, `deadlock_detected` and `foreign_key_violation` (another process deleted what this one builds on, or
 * builds on what this one deletes): the transaction was rolled back whole and may be tried again.
 */
const repeatable: ReadonlySet<unknown> = new Set(['40001', '40P01', '23503']);

export interface PostgresMetadataOptions {
  /** Told when an idle connection breaks; the pool makes another. */
  readonly onFailure?: (error: MetadataError) => void;
  /** Seen by every query but begin and commit. */
  readonly plugins?: readonly KyselyPlugin[];
}

/**
 * Connects and brings the schema up to date; what a deletion that was cut short has left is dropped.
 * @throws {MetadataError} `version` when a newer Breakwater wrote the database, `failed` when it cannot be reached.
 */
export async function openPostgresMetadata(
  connectionString: string,
  options: PostgresMetadataOptions = {},
): Promise<Metadata> {
  const pool = createPool(connectionString);
  pool.on('error', (error) =>
    options.onFailure?.(new MetadataError('failed', `PostgreSQL: ${error.message}`, error)),
  );
  const plain = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  try {
    await plain.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(transaction);
      await migrate(transaction as unknown as Kysely<unknown>, 'postgres');
    });
    await dropAllDeleted(createInPlaceWrites(plain).write);
  } catch (error) {
    await plain.destroy();
    throw error instanceof MetadataError
      ? error
      : new MetadataError('failed', `PostgreSQL: ${errorText(error)}`, error);
  }
  const kysely = (options.plugins ?? []).reduce(
    (instance, plugin) => instance.withPlugin(plugin),
    plain,
  );
  const { write, drain } = createInPlaceWrites(kysely);
  return createMetadata({
    sql: kysely,
    list: (name, input) => runList(kysely, name, input),
    write,
    async dispose() {
      await drain();
      await plain.destroy();
    },
  });
}

function createPool(connectionString: string): Pool {
  return new Pool({
    connectionString,
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    application_name: 'breakwater',
    types: {
      getTypeParser(id: number, format?: 'text' | 'binary') {
        if (id === types.builtins.INT8) return Number;
        const parse = types.getTypeParser(id, format as 'text') as (value: string) => unknown;
        if (id !== types.builtins.BYTEA) return parse;
        return (value: string) => new Uint8Array(parse(value) as Buffer);
      },
    } as typeof types,
  });
}

/** Writes to one repository run in the order they were called; others beside them. */
function createInPlaceWrites(kysely: Kysely<Schema>): {
  readonly write: Write;
  readonly drain: () => Promise<void>;
} {
  const last = new Map<string, Promise<unknown>>();
  let waiting = 0;
  let closed = false;
  const run = async (request: WriteRequest): Promise<unknown> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await kysely.transaction().execute((transaction) => runWrite(transaction, request));
      } catch (error) {
        if (attempt < attemptsMax && repeatable.has((error as { code?: unknown }).code)) continue;
        throw new MetadataError(
          refusalReason(error),
          `metadata: a write failed: ${errorText(error)}`,
          error,
        );
      }
    }
  };
  const write = async (name: WriteName, input: unknown, step?: CallStep): Promise<unknown> => {
    if (closed) throw new MetadataError('closed', 'the metadata is closed');
    if (waiting >= waitingMax)
      throw new MetadataError('busy', `${waiting} metadata writes wait already`);
    waiting += 1;
    const key = laneOf(input);
    const before = last.get(key);
    const request = { name, input, step };
    const mine = before ? before.then(() => run(request)) : run(request);
    const ended = mine.catch(() => {});
    last.set(key, ended);
    try {
      return await mine;
    } finally {
      waiting -= 1;
      if (last.get(key) === ended) last.delete(key);
    }
  };
  return {
    write: write as Write,
    async drain() {
      closed = true;
      await Promise.all(last.values());
    },
  };
}

function laneOf(input: unknown): string {
  const { registry, repository } = input as {
    readonly registry?: string;
    readonly repository?: string;
  };
  return repository === undefined ? '' : `${registry} ${repository}`;
}
