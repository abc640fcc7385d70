import type { ByteSpan } from '../domain/byte-source.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { VerifiedFile } from './verified-file.ts';

/** Where a download's bytes are kept until they are verified. Shares its file system with the blobs. */
export interface Spool {
  /**
   * Opens the partial of (`owner`, digest), with what its journal proves has arrived, or a new one. `owner` names registry
   * and rule: partials of two rules never meet. At most one open file a key; a second call while one is open throws.
   */
  open(owner: string, digest: Digest): Promise<SpoolFile>;
  /** Removes partials older than 24 h or beyond 10 % of the disk, oldest first, and litter of a crash; never an open one. */
  sweep(): Promise<void>;
}

export interface SpoolFile extends AsyncDisposable {
  readonly digest: Digest;
  /** The blob's size as the journal of an earlier attempt recorded it, or as `expect` set it. */
  readonly size: number | undefined;
  /** Sorted, disjoint, never touching: what has arrived and can be read back. Live view. */
  readonly arrived: readonly ByteSpan[];
  /** Sets the whole size, or forgets it; changing a known size throws away what has arrived. */
  expect(size: number | undefined): Promise<void>;
  /** Writes at a position; resolves when the bytes can be read back by anyone. ENOSPC passes through as the system error. Journals every 64 MiB or 5 s by itself. */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>;
  /** Bytes that have arrived at `position`, at most `into.length`; never waits; 0 only where nothing has arrived there. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Resolves when all bytes 0…size-1 were hashed in a worker: true when the digest is right. Call when everything has arrived. */
  verify(): Promise<boolean>;
  /** After `verify` gave true: syncs the data. The file stays readable here until disposed. */
  seal(expected: Digest): Promise<VerifiedFile>;
  /** Journals what has arrived (data synced first), so that a later process takes it up. */
  journal(): Promise<void>;
  /** Forgets all bytes and the journal, and starts empty: after a wrong digest. */
  reset(): Promise<void>;
  /** Removes file and journal; the handle is closed by disposing. */
  discard(): Promise<void>;
}
