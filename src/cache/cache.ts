import type { ByteSource } from '../domain/byte-source.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { Descriptor } from '../domain/manifests/manifest.ts';
import type { Reference } from '../domain/names/reference.ts';
import type { CacheOutcome } from '../domain/verdict.ts';
import type { PullRequest } from './pull-request.ts';

export interface ManifestAnswer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** Absent only for `method: 'HEAD'` where the manifest itself is not stored here. */
  readonly bytes: Uint8Array | undefined;
  readonly outcome: CacheOutcome;
}

export interface BlobAnswer {
  readonly digest: Digest;
  /** Absent where nobody has said it yet. */
  readonly size: number | undefined;
  /** Absent only for `method: 'HEAD'` where the blob is not stored here. */
  readonly source: ByteSource | undefined;
  readonly outcome: CacheOutcome;
}

export interface TagsAnswer {
  readonly tags: readonly string[];
  readonly more: boolean;
  /** The `last` of the next page, where it is not the last of these tags. */
  readonly next?: string | undefined;
  readonly outcome: CacheOutcome;
}

export interface ReferrersAnswer {
  /** All of them; filtering by artifactType is the front-end's. */
  readonly descriptors: readonly Descriptor[];
  readonly outcome: CacheOutcome;
}

export interface ManifestRequest extends PullRequest {
  readonly reference: Reference;
  readonly method: 'GET' | 'HEAD';
}

export interface BlobRequest extends PullRequest {
  readonly digest: Digest;
  readonly method: 'GET' | 'HEAD';
  /** Called when the download that this pull began is stored and recorded, which its answer does not wait for. */
  readonly stored?: () => void;
}

export interface TagsRequest extends PullRequest {
  readonly n: number;
  readonly last: string;
}

export interface ReferrersRequest extends PullRequest {
  readonly subject: Digest;
}

/** What a pull can ask. Each throws `RegistryError`; none knows who is asking. */
export interface Cache {
  /** What `pullManifest` would answer, where that needs no waiting: a fresh tag or a digest that is in memory. */
  peekManifest(request: ManifestRequest): ManifestAnswer | undefined;
  pullManifest(request: ManifestRequest, signal: AbortSignal): Promise<ManifestAnswer>;
  pullBlob(request: BlobRequest, signal: AbortSignal): Promise<BlobAnswer>;
  /** At most `n` tags after `last`, in byte order; of a list that is too long to be read whole, a page as upstream gives it. */
  listTags(request: TagsRequest, signal: AbortSignal): Promise<TagsAnswer>;
  listReferrers(request: ReferrersRequest, signal: AbortSignal): Promise<ReferrersAnswer>;
}
