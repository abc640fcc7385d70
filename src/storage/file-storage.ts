import { join, resolve } from 'node:path';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { Spool } from '../ports/spool.ts';
import type { Uploads } from '../ports/uploads.ts';
import { createFileBlobs } from './blobs/blobs.ts';
import { nodeFileSystem } from './disk/file-system.ts';
import type { FileSystem } from './disk/file-system.ts';
import { createFolders, makeFolders } from './disk/folders.ts';
import { createHashPool } from './hash/hash-pool.ts';
import type { HashPool } from './hash/hash-pool.ts';
import { createFileSpool } from './spool/spool.ts';
import { createIdleHashes } from './uploads/upload-file.ts';
import { UploadFolder } from './uploads/upload-folder.ts';
import { FileUploads } from './uploads/uploads.ts';
import type { UploadsContext } from './uploads/uploads.ts';

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
  readonly writebackEveryBytes?: number;
  readonly uploadBounds?: UploadsContext['bounds'];
}

/** Hashes of large uploads that live on between two requests; each holds a descriptor. */
const idleHashesMax = 64;

/** Blobs, and the spool and the uploads that fill them, on one volume. Their files are their openers' to dispose, before this. */
export interface Storage extends AsyncDisposable {
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly uploads: Uploads;
}

/** Makes `dataDir` and the folders `blobs`, `spool` and `uploads` in it; walks none but the last, for the names alone. */
export async function createFileStorage(options: FileStorageOptions): Promise<Storage> {
  const { clock, events, fileSystem: files = nodeFileSystem } = options;
  const dataDir = resolve(options.dataDir);
  const blobsRoot = join(dataDir, 'blobs');
  const spoolRoot = join(dataDir, 'spool');
  const uploadsRoot = join(dataDir, 'uploads');
  const folders = createFolders(files);
  await makeFolders(files, dataDir);
  await folders.ensure(blobsRoot);
  await folders.ensure(spoolRoot);
  await folders.ensure(uploadsRoot);
  const pool = options.hashPool ?? createHashPool(undefined, undefined, undefined, clock);
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
  const folder = await UploadFolder.open(
    {
      ...context,
      direct: { blocks: pool.blocks, possible: true },
      writebackEveryBytes: options.writebackEveryBytes ?? 16 * 1024 * 1024,
      idleHashes: createIdleHashes(idleHashesMax),
    },
    uploadsRoot,
  );
  const { uploadBounds: bounds = {} } = options;
  return {
    blobs: createFileBlobs({ files, folders, events }, blobsRoot),
    spool: createFileSpool(context, spoolRoot),
    uploads: new FileUploads({ clock, events, bounds }, folder),
    [Symbol.asyncDispose]: async () => {
      if (options.hashPool === undefined) await pool[Symbol.asyncDispose]();
    },
  };
}
