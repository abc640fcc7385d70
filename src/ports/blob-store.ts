import type { ByteReader, ByteSpan } from '../domain/byte-source.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { VerifiedFile } from './verified-file.ts';

/** A file of the store, as upkeep finds it. */
export interface FoundBlob {
  readonly digest: Digest;
  readonly retired: boolean;
}

/**
 * Content-addressed bytes. A blob is there whole or not at all, under its digest; presence here is the truth for bytes.
 *
 * What nothing refers to is deleted in two steps, since it may be come to be referred to at any moment: it is retired first, which nobody
 * notices, because whoever asks for it brings it back; what is retired is deleted later.
 */
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
  /** Idempotent; a blob that is not there is no error. A retired one goes too. */
  delete(digest: Digest): Promise<void>;
  /**
   * Every blob, in no order; for upkeep alone: it walks the tree. What is retired meanwhile is not found as retired. A digest may be
   * found twice, where a retired blob came anew.
   */
  list(): AsyncIterable<FoundBlob>;
  /** Idempotent, as the next two. */
  retire(digest: Digest): Promise<void>;
  /** A retired blob is as it was. */
  revive(digest: Digest): Promise<void>;
  /** Only a blob that is retired still. Its bytes; `undefined` where there was none. */
  deleteRetired(digest: Digest): Promise<number | undefined>;
  /** Free and total bytes of the volume. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}
