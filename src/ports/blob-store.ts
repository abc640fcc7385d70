import type { ByteReader, ByteSpan } from '../domain/byte-source.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { VerifiedFile } from './verified-file.ts';

/** Content-addressed bytes. A blob is there whole or not at all, under its digest; presence here is the truth for bytes. */
export interface BlobStore {
  /** Bytes; `undefined` when the blob is not there. */
  size(digest: Digest): Promise<number | undefined>;
  /** `undefined` when the blob is not there. The caller owns the reader. */
  open(digest: Digest, span: ByteSpan | undefined): Promise<ByteReader | undefined>;
  /**
   * Takes a sealed file over: renamed into place, its folder synced before this resolves. A blob already there wins, unless
   * its length is another or `replace` is set: then the file takes its place at once, and who reads the old one reads on.
   */
  adopt(file: VerifiedFile, replace?: boolean): Promise<void>;
  /** Idempotent; a blob that is not there is no error. */
  delete(digest: Digest): Promise<void>;
  /** Every blob, in no order; for upkeep alone: it walks the tree. */
  list(): AsyncIterable<Digest>;
  /** Free and total bytes of the volume. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}
