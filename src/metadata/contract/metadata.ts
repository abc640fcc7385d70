import type { Digest } from '../../domain/names/digest.ts';
import type { Descriptor, Manifest } from '../../domain/manifests/manifest.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { Verdict } from '../../domain/verdict.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { AccessMetadata } from './access-metadata.ts';
import type { Counting } from '../rows/counting.ts';
import type { Pruning } from '../rows/oldest-rows.ts';
import type { RegistryMetadata } from './registry-metadata.ts';

/** Where a row lives: every key begins with the registry. */
export interface RepositoryKey {
  readonly registry: RegistryKey;
  readonly repository: RepositoryName;
}

export interface StoredRepository {
  /** True once anything in it was fetched with a credential under a rule without `anonymousPull: true`. */
  readonly private: boolean;
  /** Set while `stop` on 401/403 holds the repository, digests too (ARCHITECTURE.md, "Tags"). */
  readonly stopped: { readonly at: number; readonly reason: string } | undefined;
  readonly createdAt: number;
  /** True once anything was pushed into it, or it was made by hand: not for anonymous unless a policy says so. */
  readonly pushed: boolean;
  readonly tagMutability: TagMutability;
  /** Text of its policy, verbatim. */
  readonly policy: string | undefined;
}

/** How content came here. */
export type Provenance = 'pushed' | 'cached' | 'replicated';

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Exact bytes. */
  readonly bytes: Uint8Array;
  /** Absent: it came from upstream. */
  readonly provenance?: Exclude<Provenance, 'cached'>;
  /** Identity of the rule through which it came; absent where it was pushed. */
  readonly rule?: string;
}

export type TagStatus = 'ok' | 'gone' | 'denied' | 'unknown';

export interface StoredTag {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** URL and path that it was read from: `https://registry-1.docker.io/library/nginx`. A changed source is never served until validated. */
  readonly source: string;
  /** Wall time, ms; one in the future is stale. */
  readonly validatedAt: number;
  readonly status: TagStatus;
  /** A pushed tag is never validated upstream; its `source` is empty. */
  readonly provenance: Provenance;
}

/** What is known of a blob in a repository, as it is asked for under one rule (ARCHITECTURE.md, "Whose bytes"). */
export interface BlobClaim {
  /**
   * How the repository came to hold it: `pushed` (or mounted), or `fetched`: its bytes came through the rule that asks, in
   * this repository, or upstream showed by a GET that it is there. `undefined`: not held, whatever names it. Where no rule
   * leads to the repository any more, whatever rule it came through counts.
   */
  readonly held: 'pushed' | 'fetched' | undefined;
  /** Its bytes, where the rule that asks has fetched it whole and verified, in any repository. */
  readonly fetchedBytes: number | undefined;
  /** Its bytes as a manifest claims that came through the rule that asks. Proves nothing. */
  readonly namedBytes: number | undefined;
}

export interface TagInput extends RepositoryKey {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly source: string;
  readonly validatedAt: number;
}

export interface StoreManifestInput extends RepositoryKey {
  readonly manifest: StoredManifest;
  /** Children are indexed from it. */
  readonly parsed: Manifest;
  /** Identity of the rule through which it came. */
  readonly rule: string;
  readonly private: boolean;
  readonly now: number;
  /** Set or moved in the same transaction; its history gains the digest where it is new. */
  readonly tag?: Omit<TagInput, keyof RepositoryKey | 'digest' | 'mediaType' | 'size'>;
}

/** One pull of an image by a client, to be counted in its hour. */
export interface PullRecord {
  readonly registry: RegistryKey;
  readonly clientAddress: string;
  /** The `ns` of a mirror request, else empty. */
  readonly ns: string;
  /** The local repository with `:tag` or `@digest`. */
  readonly image: string;
  readonly digest: Digest | undefined;
  readonly verdict: Verdict;
  readonly at: number;
  /** How many such pulls this stands for, the last of them `at`; 1 where absent. All within one hour. */
  readonly count?: number;
}

export interface PullRow extends Omit<PullRecord, 'at' | 'count'> {
  /** Wall time in ms of the hour's beginning. */
  readonly hour: number;
  readonly count: number;
  readonly lastAt: number;
}

/**
 * Metadata over SQLite or PostgreSQL. Reads are point reads; writes are answered after their commit, in the order they were
 * called. A write is idempotent: repeating it changes nothing but times.
 */
export interface Metadata extends RegistryMetadata, AccessMetadata, AsyncDisposable {
  findRepository(key: RepositoryKey): Promise<StoredRepository | undefined>;
  findManifest(key: RepositoryKey, digest: Digest): Promise<StoredManifest | undefined>;
  /** The same without the bytes; `size` is their number. */
  findManifestInfo(
    key: RepositoryKey,
    digest: Digest,
  ): Promise<(Omit<StoredManifest, 'digest' | 'bytes'> & { readonly size: number }) | undefined>;
  findTag(key: RepositoryKey, tag: Tag): Promise<StoredTag | undefined>;
  /** Tags after `after`, in byte order, at most `limit`. */
  listTags(
    key: RepositoryKey,
    after: string,
    limit: number,
    counting?: Counting,
  ): Promise<readonly Tag[]>;
  /** Every digest a tag has had, newest first, at most `limit`. */
  tagHistory(
    key: RepositoryKey,
    tag: Tag,
    limit: number,
  ): Promise<readonly { readonly digest: Digest; readonly seenAt: number }[]>;
  /** Manifests of the repository whose subject is the digest. `artifactType` and annotations as the manifest says them. */
  listReferrers(
    key: RepositoryKey,
    subject: Digest,
    counting?: Counting,
  ): Promise<readonly Descriptor[]>;
  /** What the stored manifest names: config and layers (with the size and type claimed) and child manifests. */
  findChildren(
    key: RepositoryKey,
    digest: Digest,
  ): Promise<readonly (Descriptor & { readonly role: 'manifest' | 'config' | 'layer' })[]>;
  /** `rule` is the identity of the rule that asks; `undefined` where none leads to the repository. */
  findBlobClaim(key: RepositoryKey, rule: string | undefined, digest: Digest): Promise<BlobClaim>;
  /** Newest first, at most `limit`. */
  listPulls(limit: number): Promise<readonly PullRow[]>;

  /** True where it made the repository, as of the other writes of a pull that answer so. */
  storeManifest(input: StoreManifestInput): Promise<boolean>;
  /** A tag as a HEAD validated it, whose manifest may not be stored (yet). History gains the digest where it is new. True as above. */
  setTag(input: TagInput & { readonly private: boolean }): Promise<boolean>;
  /** The same digest was seen again upstream: validatedAt, source, status ok. */
  validateTag(
    input: RepositoryKey & {
      readonly tag: Tag;
      readonly source: string;
      readonly validatedAt: number;
    },
  ): Promise<void>;
  markTag(input: RepositoryKey & { readonly tag: Tag; readonly status: TagStatus }): Promise<void>;
  /** `reason` absent: the stop is lifted. True where it made the repository. */
  stopRepository(
    input: RepositoryKey & { readonly reason: string | undefined; readonly now: number },
  ): Promise<boolean>;
  /** After adopt: the rule of this identity fetched the blob whole and verified, in this repository, which holds it now. True where it made the repository. */
  recordFetch(
    input: RepositoryKey & {
      readonly rule: string;
      readonly digest: Digest;
      readonly size: number;
      readonly private: boolean;
      readonly now: number;
    },
  ): Promise<boolean>;
  /** The rule of this identity has fetched the blob elsewhere, and upstream has answered a GET of it in this repository, which holds it now. True as above. */
  proveBlob(
    input: RepositoryKey & {
      readonly rule: string;
      readonly digest: Digest;
      readonly private: boolean;
      readonly now: number;
    },
  ): Promise<boolean>;
  /** Batched by the caller. Also sets the pull times of tags and manifests. */
  recordPulls(pulls: readonly PullRecord[]): Promise<void>;
  prunePulls(input: Pruning): Promise<void>;
}
