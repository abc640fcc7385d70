import type { Digest, DigestAlgorithm } from '../domain/names/digest.ts';
import type { RepositoryKey } from '../domain/names/registry.ts';
import type { VerifiedFile } from './verified-file.ts';

/** Appends that begin and end at multiples of it are the cheap ones. */
export const appendBlockBytes: number = 1024 * 1024;

/**
 * Blobs on their way in. An upload outlives the request, the connection and the server that began it, and shares its file
 * system with the blobs. Unknown, of another repository, cancelled, finished and expired ones are all `undefined`.
 */
export interface Uploads {
  /**
   * Begins an empty upload; its id is a UUID. `algorithm` is the one the digest will likely have: only its hash is free at the end.
   * `owner`: a key of whoever begins it, opaque here; it is counted as long as this process lives.
   * So many may be open on the server, in a repository and of an owner: beyond it an empty one that idled for five minutes
   * is given up for it, else one that idled for an hour, else it throws `tooManyRequests`, naming the bound.
   */
  create(place: RepositoryKey, algorithm: DigestAlgorithm, owner?: string): Promise<string>;
  /**
   * Takes the upload for one request; whoever comes meanwhile waits its turn, under `signal`.
   * Throws `RegistryError` `unavailable` when the turn does not come within 10 s.
   */
  take(place: RepositoryKey, id: string, signal: AbortSignal): Promise<UploadLease | undefined>;
  /** The bytes that a taken or idle upload has; never waits for a turn. */
  size(place: RepositoryKey, id: string): Promise<number | undefined>;
  /** Removes the upload, also while a request writes to it, whose `cancelled` then aborts. False where there is none. */
  cancel(place: RepositoryKey, id: string): Promise<boolean>;
  /** Uploads of a registry, oldest first, for upkeep and the console. */
  list(): Promise<
    readonly (RepositoryKey & {
      readonly id: string;
      readonly size: number;
      readonly startedAt: number;
    })[]
  >;
  /** Removes uploads untouched for 24 h, and litter of a crash; never a taken one. */
  sweep(): Promise<void>;
}

/** An upload while one request has it. Disposing passes it to the next and keeps what was written. */
export interface UploadLease extends AsyncDisposable {
  readonly id: string;
  /** Bytes that were written, which is where the next ones go. */
  readonly size: number;
  /** Aborts when the upload is cancelled by another request. */
  readonly cancelled: AbortSignal;
  /**
   * Appends. The chunks may be reused from when `taken` is called, before it resolves, or from when it rejects. ENOSPC, EROFS, EDQUOT and
   * EIO pass through as system errors, with `size` unchanged by the failed call.
   */
  append(chunks: readonly Uint8Array[], taken?: () => void): Promise<void>;
  /** Back to `size` bytes: a chunk that turned out to be wrong leaves nothing. */
  truncate(size: number): Promise<void>;
  /** What was appended survives a power cut; before a chunk is acknowledged. */
  sync(): Promise<void>;
  /** Hashes what is there, in a worker where it is large: true when the digest is right. */
  verify(expected: Digest): Promise<boolean>;
  /** After `verify` gave true: syncs. The upload is gone once `BlobStore.adopt` took the file. */
  seal(expected: Digest): Promise<VerifiedFile>;
  /** Removes the upload. */
  discard(): Promise<void>;
}
