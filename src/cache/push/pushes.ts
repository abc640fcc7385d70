import type { ByteStream } from '../../domain/byte-source.ts';
import type { Digest, DigestAlgorithm } from '../../domain/names/digest.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { ExpiringImage, RepositoryAttributes } from '../../metadata/contract/rows.ts';
import type { PullRequest } from '../pull-request.ts';

/** A chunk's place by its Content-Range, both ends included. */
export interface ChunkRange {
  readonly start: number;
  readonly end: number;
}

export interface UploadState {
  readonly id: string;
  /** Bytes that are there. */
  readonly size: number;
}

export interface PutManifestAnswer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** The manifest's subject, which the registry understood: said in `OCI-Subject`. */
  readonly subject: Digest | undefined;
  /** Those set by this push, in the order given. */
  readonly tags: readonly Tag[];
  /** A tag that upstream has too and that now hides it; said in a Warning header. */
  readonly hides: readonly Tag[];
}

/**
 * What a push can ask; each throws `RegistryError` and none knows who is asking. Everything acknowledged is on the disk.
 * Every call that makes something makes the repository where it is missing and `createOnPush` is true; else `nameUnknown`.
 * A push under a rule that does not say `push: true` is `denied`, naming rule and setting (ROOT excepted).
 */
export interface Pushes {
  /** Refuses what may not be pushed here at all: the rule, or a repository that may not be made. */
  requirePush(request: PullRequest): Promise<void>;
  /** `owner`: for whom open uploads are counted (`Uploads.create`). */
  startUpload(
    request: PullRequest & {
      readonly algorithm: DigestAlgorithm;
      readonly owner?: string | undefined;
    },
  ): Promise<UploadState>;
  uploadState(request: PullRequest & { readonly id: string }): Promise<UploadState>;
  /** `range` absent: a stream that is appended. `bytes`: Content-Length, where there is one. `uploadRange` where the chunk does not begin at the end. */
  appendUpload(
    request: PullRequest & {
      readonly id: string;
      readonly range: ChunkRange | undefined;
      readonly bytes: number | undefined;
      readonly body: ByteStream;
    },
    signal: AbortSignal,
  ): Promise<UploadState>;
  /** The last chunk, if any, then the digest: `digestInvalid` where it is not the bytes', and the upload is gone. */
  finishUpload(
    request: PullRequest & {
      readonly id: string;
      readonly digest: Digest;
      readonly range: ChunkRange | undefined;
      readonly bytes: number | undefined;
      readonly body: ByteStream;
    },
    signal: AbortSignal,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** A whole blob in one request; `owner` as in `startUpload`. */
  putBlob(
    request: PullRequest & {
      readonly owner?: string | undefined;
      readonly digest: Digest;
      readonly bytes: number | undefined;
      readonly body: ByteStream;
    },
    signal: AbortSignal,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
  cancelUpload(request: PullRequest & { readonly id: string }): Promise<void>;
  /** Repositories from which the blob can be mounted, at most 100, the named one alone where `from` is given. The caller decides which of them may be read. */
  mountSources(
    request: PullRequest & { readonly digest: Digest; readonly from: RepositoryName | undefined },
  ): Promise<readonly RepositoryName[]>;
  /** Makes the blob this repository's too, without a byte moving; false where it is not held by `from` any more. */
  mountBlob(
    request: PullRequest & { readonly digest: Digest; readonly from: RepositoryName },
  ): Promise<boolean>;
  /** The bytes as they are. By digest with `tags` (the `tag` parameters), or by a tag. */
  putManifest(
    request: PullRequest & {
      readonly reference: Reference;
      readonly tags: readonly Tag[];
      readonly bytes: Uint8Array;
      readonly contentType: string | undefined;
      readonly algorithm: DigestAlgorithm;
      /** Asked before what it names, and is not held, is fetched from the rule's upstream; false: it is missing. */
      readonly mayImport: () => Promise<boolean>;
    },
  ): Promise<PutManifestAnswer>;
  /** By tag: the tag alone. By digest: the manifest with its tags. `manifestUnknown` where it is not held. */
  deleteManifest(
    request: PullRequest & { readonly reference: Reference },
  ): Promise<{ readonly digest: Digest; readonly tags: readonly Tag[] }>;
  /** Of these, at most 100, those that are still as they are said to be, and that no index names: with their tags, in this order. Their digests. */
  expireManifests(
    request: PullRequest & { readonly images: readonly ExpiringImage[] },
  ): Promise<readonly Digest[]>;
  /** The repository's hold on the blob alone: its bytes stay in the store. `blobUnknown` where it is not held. */
  deleteBlob(request: PullRequest & { readonly digest: Digest }): Promise<void>;
  /** Makes a repository; `conflict` where there is one. Under a rule's prefix it is always allowed. */
  createRepository(
    request: PullRequest & {
      readonly tagMutability?: TagMutability;
      readonly attributes?: RepositoryAttributes;
    },
  ): Promise<void>;
  /**
   * `conflict` where it holds manifests and `force` is false, or where something was pushed into it, or it was made by hand, and
   * `unlessPushed` is true; `nameUnknown` where it is not there.
   */
  deleteRepository(
    request: PullRequest & { readonly force: boolean; readonly unlessPushed?: boolean },
  ): Promise<void>;
  /** Holds for the next push and the next pull. `requestInvalid` for filters that don't fit the mode, `nameUnknown` where there is no repository. */
  setTagMutability(request: PullRequest & { readonly tagMutability: TagMutability }): Promise<void>;
}

/** What one of them is asked with. */
export type PushRequest<Name extends keyof Pushes> = Parameters<Pushes[Name]>[0];
