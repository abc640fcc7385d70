import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from '../../domain/names/digest.ts';
import type { UploadPlace } from '../../ports/uploads.ts';

/** What is known of an upload for as long as it lives. */
export interface UploadRecord {
  readonly id: string;
  readonly algorithm: DigestAlgorithm;
  /** Wall time in ms. */
  readonly startedAt: number;
  readonly placeKey: string;
}

/** The bytes of one upload. Between `open` and `close` it has one holder, who calls one thing after the other. */
export interface UploadData {
  /** `undefined` where somebody took the file away. */
  size(): Promise<number | undefined>;
  /** Wall time in ms of the last change, as far as it is known; `undefined` where nothing is there. */
  modifiedAt(): Promise<number | undefined>;
  /** The size; `undefined` where bytes that were there are gone. */
  open(): Promise<number | undefined>;
  /** The size after it. A failed call leaves the size as it was. `taken`: the chunks are not needed any more. */
  append(chunks: readonly Uint8Array[], taken: () => void): Promise<number>;
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  /** The hex digest of all bytes. */
  hash(algorithm: DigestAlgorithm): Promise<string>;
  /** Makes the bytes ready to be a blob: no more and no less of them, synced. */
  seal(): Promise<void>;
  moveTo(path: string): Promise<void>;
  /** Never throws. */
  close(): Promise<void>;
  /** Also while it is open: the holder's further calls change nothing that anybody sees. */
  remove(): Promise<void>;
}

/** Where the bytes of all uploads are kept. */
export interface UploadShelf {
  /** What an earlier process left. */
  readonly found: readonly UploadRecord[];
  /** Makes an empty one; answers once a power cut can't undo it. A failed call leaves nothing. */
  create(record: UploadRecord, place: UploadPlace): Promise<void>;
  /** The bytes of one that was found, or is being created; touches nothing. */
  of(record: UploadRecord): UploadData;
  /** `undefined` where it can't be known. */
  place(placeKey: string): Promise<UploadPlace | undefined>;
  /** Removes all that belongs to none of these. */
  removeLitter(uploads: ReadonlyMap<string, { readonly record: UploadRecord }>): Promise<void>;
}

/** The place in 32 characters that suit a file name. */
export function placeKeyOf({ registry, repository }: UploadPlace): string {
  return createHash('sha256').update(`${registry}\n${repository}`).digest('hex').slice(0, 32);
}
