import { join } from 'node:path';
import { createLocalInvalidations } from '../coordination/local-invalidations.ts';
import { createLocalLeases } from '../coordination/local-leases.ts';
import { errorText } from '../domain/error-text.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import { openSqliteMetadata } from '../metadata/engine/sqlite.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { Invalidations } from '../ports/invalidations.ts';
import type { Leases } from '../ports/leases.ts';
import type { Spool } from '../ports/spool.ts';
import type { Uploads } from '../ports/uploads.ts';
import { createFileStorage } from '../storage/file-storage.ts';
import type { Log } from '../telemetry/log.ts';

/** Where a server keeps what outlives it, and how it agrees with others that use the same. */
export interface Stores extends AsyncDisposable {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly uploads: Uploads;
  readonly invalidations: Invalidations;
  readonly leases: Leases;
}

export interface StoresParts {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Not told of anything before the stores are open. */
  readonly events: Events;
}

/** SQLite and files of one data folder, for the one process that holds its lock. */
export async function openStores({ dataDir, clock, log, events }: StoresParts): Promise<Stores> {
  await using opened = new AsyncDisposableStack();
  const metadata = opened.use(
    await openSqliteMetadata(join(dataDir, 'metadata.sqlite'), {
      onFailure: ({ message }) => log.error(message, { logger: 'metadata' }),
    }),
  );
  const { blobs, spool, uploads } = opened.use(await createFileStorage({ dataDir, clock, events }));
  const all = opened.move();
  return {
    metadata,
    blobs,
    spool,
    uploads,
    invalidations: createLocalInvalidations((error) =>
      log.error('what is remembered could not be forgotten', { error: errorText(error) }),
    ),
    leases: createLocalLeases(clock),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
