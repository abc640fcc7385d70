import { join, resolve } from 'node:path';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { Spool } from '../ports/spool.ts';
import { createFileBlobs } from './blobs.ts';
import { nodeFileSystem } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import { createFolders, makeFolders } from './folders.ts';
import { createHashPool } from './hash-pool.ts';
import type { HashPool } from './hash-pool.ts';
import { createFileSpool } from './spool.ts';

export interface FileStorageOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly events: Events;
  readonly fileSystem?: FileSystem;
  /** A pool given here stays the caller's to dispose. */
  readonly hashPool?: HashPool;
  readonly journalEveryBytes?: number;
  readonly journalEveryMs?: number;
  readonly hashInPlaceMaxBytes?: number;
}

/** Blobs and the spool that fills them, on one volume. Spool files are their openers' to dispose, before this. */
export interface Storage extends AsyncDisposable {
  readonly blobs: BlobStore;
  readonly spool: Spool;
}

/** Makes `dataDir` and the folders `blobs` and `spool` in it; walks neither. */
export async function createFileStorage(options: FileStorageOptions): Promise<Storage> {
  const { clock, events, fileSystem: files = nodeFileSystem } = options;
  const dataDir = resolve(options.dataDir);
  const blobsRoot = join(dataDir, 'blobs');
  const spoolRoot = join(dataDir, 'spool');
  const folders = createFolders(files);
  await makeFolders(files, dataDir);
  await folders.ensure(blobsRoot);
  await folders.ensure(spoolRoot);
  const pool = options.hashPool ?? createHashPool();
  const context = {
    files,
    folders,
    clock,
    events,
    pool,
    journalEveryBytes: options.journalEveryBytes ?? 64 * 1024 * 1024,
    journalEveryMs: options.journalEveryMs ?? 5000,
    hashInPlaceMaxBytes: options.hashInPlaceMaxBytes ?? 1024 * 1024,
  };
  return {
    blobs: createFileBlobs({ files, folders, events }, blobsRoot),
    spool: createFileSpool(context, spoolRoot),
    [Symbol.asyncDispose]: async () => {
      if (options.hashPool === undefined) await pool[Symbol.asyncDispose]();
    },
  };
}
