import { DatabaseSync } from 'node:sqlite';

/** What a call is remembered by, and what is recorded of it: no state of what it changes. */
const records: ReadonlySet<string> = new Set(['call_records', 'audit']);

/** When a preview ended: a repeat may have it carried on. */
const volatile: ReadonlySet<string> = new Set(['ended_at']);

/** Every row of every table of a SQLite file, by table: what a call that changes nothing leaves as it was. */
export function metadataState(file: string): Readonly<Record<string, readonly unknown[]>> {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const tables = database
      .prepare("select name from sqlite_master where type = 'table' order by name")
      .all();
    return Object.fromEntries(
      tables
        .map(({ name }) => String(name))
        .filter((name) => !records.has(name))
        .map((name) => [name, rowsOf(database, name)]),
    );
  } finally {
    database.close();
  }
}

function rowsOf(database: DatabaseSync, table: string): unknown[] {
  const rows = database.prepare(`select * from "${table}" order by 1, 2`).all();
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([column]) => !volatile.has(column))),
  );
}
