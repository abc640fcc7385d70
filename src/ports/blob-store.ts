import type { ByteReader, ByteSpan } from '../domain/byte-source.ts';
import type { Digest } from '../domain/digest.ts';
import type { VerifiedFile } from './spool.ts';

/** Content-addressed bytes. A blob is there whole or not at all, under its digest; presence here is the truth for bytes. */
export interface BlobStore {
  /** Bytes; `undefined` when the blob is not there. */
  size(digest: Digest): Promise<number | undefined>;
  /** `undefined` when the blob is not there. The caller owns the reader. */
  open(digest: Digest, span: ByteSpan | undefined): Promise<ByteReader | undefined>;
  /** Takes a sealed spool file over: renamed into place, its folder synced before this resolves. A blob already there wins; the file is discarded. */
  adopt(file: VerifiedFile): Promise<void>;
  /** Idempotent; a blob that is not there is no error. */
  delete(digest: Digest): Promise<void>;
  /** Every blob, in no order; for upkeep alone: it walks the tree. */
  list(): AsyncIterable<Digest>;
  /** Free and total bytes of the volume. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}
