import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { errorText } from '../../domain/error-text.ts';
import { MetadataError } from '../contract/metadata-error.ts';
import type { Metadata } from '../contract/metadata.ts';
import { nodeSqliteDialect } from './node-sqlite-dialect.ts';
import type { Schema } from '../sql/schema.ts';
import { busyTimeoutMs } from './sqlite-writer.ts';
import { isEvaluation } from '../lists/lists.ts';
import { createMetadata, dropAllDeleted } from '../store.ts';
import { ReadThread } from './read-thread.ts';
import type { ReadThreadOptions } from './read-thread.ts';
import { WriteThread } from './write-thread.ts';

/** One of 100,000 images and 50 rules takes a second of a core, and several where every core is busy with what goes first. */
const evaluationOptions: ReadThreadOptions = {
  listMs: 300_000,
  idleMs: 10_000,
  isBackground: true,
};

export interface SqliteMetadataOptions {
  /** Told when the write thread dies; what waited was rejected, and later writes start it again. */
  readonly onFailure?: (error: MetadataError) => void;
}

/**
 * Opens the file, makes it (closed to others) where it is missing, and brings its schema up to date. Nothing walks a table; what a
 * deletion that was cut short has left is dropped.
 * @throws {MetadataError} `version` when a newer Breakwater wrote it, `failed` when it cannot be opened.
 */
export async function openSqliteMetadata(
  file: string,
  options: SqliteMetadataOptions = {},
): Promise<Metadata> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await (await open(file, 'a', 0o600)).close();
  } catch (error) {
    throw new MetadataError('failed', `${file}: ${errorText(error)}`, error);
  }
  const thread = new WriteThread(file, options.onFailure ?? (() => {}));
  await thread.open();
  let reader: DatabaseSync;
  try {
    await dropAllDeleted(thread.write);
    reader = new DatabaseSync(file, { readOnly: true, timeout: busyTimeoutMs });
    reader.exec('pragma cache_size = -16384');
  } catch (error) {
    await thread[Symbol.asyncDispose]();
    throw new MetadataError('failed', `${file}: ${errorText(error)}`, error);
  }
  const lists = new ReadThread(file);
  const evaluations = new ReadThread(file, evaluationOptions);
  return createMetadata({
    sql: new Kysely<Schema>({ dialect: nodeSqliteDialect(reader) }),
    list: (name, input) => (isEvaluation(name) ? evaluations : lists).list(name, input),
    write: thread.write,
    async dispose() {
      // The writer is last: only the last to close can bring the log into the file.
      await evaluations[Symbol.asyncDispose]();
      await lists[Symbol.asyncDispose]();
      reader.close();
      await thread[Symbol.asyncDispose]();
    },
  });
}
