import type { Compilable, CompiledQuery } from 'kysely';
import type { Sql } from './schema.ts';

/** Stands in a compiled query for a value that each execution brings. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * A query that is built and compiled once a connection, since building costs more than the point read itself. `build` must use
 * the values of `slots` as they are: as parameters, never to decide anything. Answers all rows.
 */
export function rowsQuery<I extends object, R>(
  build: (sql: Sql, slots: I) => Compilable<R>,
): (sql: Sql, input: I) => Promise<readonly R[]> {
  const slots = new Proxy({} as I, { get: (_, name) => new Slot(String(name)) });
  const compiled = new WeakMap<Sql, CompiledQuery<R>>();
  return async (sql, input) => {
    let query = compiled.get(sql);
    if (!query) {
      query = build(sql, slots).compile();
      compiled.set(sql, query);
    }
    const parameters = query.parameters.map((value) =>
      value instanceof Slot ? input[value.name as keyof I] : value,
    );
    return (await sql.executeQuery<R>({ ...query, parameters })).rows;
  };
}

/** A `rowsQuery` that answers the first row. */
export function pointQuery<I extends object, R>(
  build: (sql: Sql, slots: I) => Compilable<R>,
): (sql: Sql, input: I) => Promise<R | undefined> {
  const rows = rowsQuery(build);
  return async (sql, input) => (await rows(sql, input))[0];
}
