import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { Kysely } from 'kysely';
import { errorText } from '../../domain/error-text.ts';
import type { ListName } from '../lists/lists.ts';
import { handedOver, runList } from '../lists/lists.ts';
import type { Schema } from '../sql/schema.ts';
import { nodeSqliteDialect } from './node-sqlite-dialect.ts';
import { letOthersGoFirst } from './thread-priority.ts';
import { busyTimeoutMs } from './sqlite-writer.ts';

/** What the thread is asked, one at a time. */
export interface ListRequest {
  readonly name: ListName;
  readonly input: readonly unknown[];
}

/** What it answers. */
export type ListOutcome =
  | { readonly ok: true; readonly rows: unknown }
  | { readonly ok: false; readonly message: string };

export interface ReaderData {
  readonly file: string;
  readonly isBackground: boolean;
}

// The thread of `ReadThread`.
if (parentPort) serve(parentPort, workerData as ReaderData);

function serve(port: NonNullable<typeof parentPort>, { file, isBackground }: ReaderData): void {
  if (isBackground) letOthersGoFirst();
  const database = new DatabaseSync(file, { readOnly: true, timeout: busyTimeoutMs });
  const sql = new Kysely<Schema>({ dialect: nodeSqliteDialect(database) });
  port.on('message', ({ name, input }: ListRequest) => {
    void runList(sql, name, input).then(
      (rows) => port.postMessage({ ok: true, rows } satisfies ListOutcome, handedOver(name, rows)),
      (error: unknown) =>
        port.postMessage({ ok: false, message: errorText(error) } satisfies ListOutcome),
    );
  });
}
