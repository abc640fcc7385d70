import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type {
  CompiledQuery,
  DatabaseConnection,
  Dialect,
  Driver,
  Kysely,
  QueryResult,
} from 'kysely';
import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';

/** Prepared statements kept; the oldest goes first. */
const statementsMax = 256;

interface Prepared {
  readonly statement: StatementSync;
  /** Of the rows that it returns; none where it returns no rows. */
  readonly columns: readonly string[];
}

/**
 * Kysely over one open `node:sqlite` connection, statements kept prepared. The connection stays its owner's: whoever opened it
 * begins, commits and closes. `onStatement` sees each statement before it runs and may throw instead of it.
 */
export function nodeSqliteDialect(
  database: DatabaseSync,
  onStatement?: (sql: string) => void,
): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => createDriver(createConnection(database, onStatement)),
    createIntrospector: (kysely: Kysely<unknown>) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function createDriver(connection: DatabaseConnection): Driver {
  const refuse = (): Promise<never> =>
    Promise.reject(new Error('transactions belong to the owner of the connection'));
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    init: nothing,
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    releaseConnection: nothing,
    destroy: nothing,
  };
}

function createConnection(
  database: DatabaseSync,
  onStatement: ((sql: string) => void) | undefined,
): DatabaseConnection {
  const kept = new Map<string, Prepared>();
  const prepare = (text: string): Prepared => {
    const known = kept.get(text);
    if (known) return known;
    const statement = database.prepare(text);
    // As arrays: SQLite's own row objects are dictionaries, which cost twice the time and memory of plain ones.
    statement.setReturnArrays(true);
    const prepared = { statement, columns: statement.columns().map(({ name }) => name) };
    if (kept.size >= statementsMax) {
      const oldest = kept.keys().next();
      if (!oldest.done) kept.delete(oldest.value);
    }
    kept.set(text, prepared);
    return prepared;
  };
  return {
    executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      try {
        onStatement?.(query.sql);
        const { statement, columns } = prepare(query.sql);
        const parameters = query.parameters as readonly SQLInputValue[];
        if (columns.length > 0) {
          const rows = statement.all(...parameters) as unknown as readonly unknown[][];
          return Promise.resolve({ rows: rows.map((values) => rowOf(columns, values) as R) });
        }
        const { changes } = statement.run(...parameters);
        return Promise.resolve({ rows: [], numAffectedRows: BigInt(changes) });
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    },
    // oxlint-disable-next-line require-yield -- point reads and bounded lists only: nothing streams rows.
    async *streamQuery(): AsyncIterableIterator<never> {
      throw new Error('rows are not streamed');
    },
  };
}

function rowOf(columns: readonly string[], values: readonly unknown[]): unknown {
  const row: Record<string, unknown> = {};
  for (let at = 0; at < columns.length; at += 1) row[columns[at] ?? ''] = values[at];
  return row;
}
