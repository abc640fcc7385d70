import type { Digest } from '../../domain/names/digest.ts';
import type { Manifest } from '../../domain/manifests/manifest.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { Counting } from '../rows/counting.ts';
import type { Provenance, RepositoryKey, StoredManifest, StoredRepository } from './metadata.ts';

export interface RepositoryRow extends StoredRepository {
  readonly name: RepositoryName;
}

/** An image as lists show it: a manifest that a tag names or that no index of the repository names. */
export interface ImageRow {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  /** Bytes of the manifest with config and layers, as claimed; an index's: its largest child's. */
  readonly size: number;
  readonly tags: readonly Tag[];
  readonly provenance: Provenance;
  readonly createdAt: number;
  /** 0: never. */
  readonly lastPulledAt: number;
  readonly subject: Digest | undefined;
}

export interface TagRow {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly provenance: Provenance;
  readonly source: string;
  readonly validatedAt: number;
  /** 0: never. */
  readonly lastPulledAt: number;
}

export interface PutManifestInput extends RepositoryKey {
  readonly manifest: StoredManifest;
  readonly parsed: Manifest;
  /** In the order given, none twice. */
  readonly tags: readonly Tag[];
  /** Whether the repository may be made by this. */
  readonly create: boolean;
  /** Whether an index may name manifests, and an image layers, that are not here. */
  readonly sparse: boolean;
  readonly provenance: Exclude<Provenance, 'cached'>;
  /** Identity of the rule that leads to the repository: what came through it counts as held, and is pushed content from then on. `undefined`: none leads there, and any counts. */
  readonly rule: string | undefined;
  /** The rule stops the repository: only what was pushed counts as held. */
  readonly stopped?: boolean;
  readonly now: number;
}

export type PutManifestResult =
  | {
      readonly kind: 'stored';
      /** False where the same manifest was there already. */
      readonly added: boolean;
      /** Tags that were cached from upstream until now. */
      readonly hides: readonly Tag[];
      readonly createdRepository: boolean;
    }
  | { readonly kind: 'noRepository' }
  /** Nothing was stored: the first tag that may not move, and where it is. */
  | { readonly kind: 'immutable'; readonly tag: Tag; readonly digest: Digest }
  /** Nothing was stored: config, layers (those with `urls` or a non-distributable type apart) and children that are not held here, at most 100. */
  | { readonly kind: 'missing'; readonly digests: readonly Digest[] };

/** What a whole registry needs beside the pulls. Writes are answered after their commit; each is one transaction. */
export interface RegistryMetadata {
  /** In byte order after `after`; `prefix` empty: all. */
  listRepositories(
    registry: RegistryKey,
    options: { readonly prefix: string; readonly after: string; readonly limit: number },
  ): Promise<readonly RepositoryRow[]>;
  /** In byte order of tags. */
  listTagRows(
    key: RepositoryKey,
    after: string,
    limit: number,
    counting?: Counting,
  ): Promise<readonly TagRow[]>;
  /** Newest first; `before` is the `createdAt` and digest of the last one seen. Children of an index are left out unless tagged, as are their sizes where they don't count. */
  listImages(
    key: RepositoryKey,
    before: { readonly createdAt: number; readonly digest: string } | undefined,
    limit: number,
    counting?: Counting,
  ): Promise<readonly ImageRow[]>;
  /** Repositories of the registry that have come to hold the blob in any way, in byte order, at most `limit`; whether one still does, `findBlobClaim` says. */
  findBlobHolders(
    registry: RegistryKey,
    digest: Digest,
    limit: number,
  ): Promise<readonly RepositoryName[]>;

  /** False where it is there already. `pushed` is set. */
  createRepository(
    input: RepositoryKey & { readonly tagMutability: TagMutability; readonly now: number },
  ): Promise<boolean>;
  /** `notEmpty` where it holds manifests and `force` is false. Deletes tags, manifests, blob holds, policy. */
  deleteRepository(
    input: RepositoryKey & { readonly force: boolean },
  ): Promise<'deleted' | 'notFound' | 'notEmpty'>;
  /** False where there is no repository. */
  setTagMutability(
    input: RepositoryKey & { readonly tagMutability: TagMutability },
  ): Promise<boolean>;
  /** `text` undefined: no policy any more. False where there is no repository. */
  setRepositoryPolicy(
    input: RepositoryKey & { readonly text: string | undefined },
  ): Promise<boolean>;
  /** Manifest, children and tags in one transaction, after the checks. */
  putManifest(input: PutManifestInput): Promise<PutManifestResult>;
  /** The manifest and every tag that names it; `undefined` where it is not here. */
  deleteManifest(
    input: RepositoryKey & { readonly digest: Digest },
  ): Promise<{ readonly tags: readonly Tag[] } | undefined>;
  /** The digest that it named; `undefined` where there is no such tag. The manifest stays. */
  deleteTag(input: RepositoryKey & { readonly tag: Tag }): Promise<Digest | undefined>;
  /** A blob that was pushed or mounted: the repository holds it. `made`: this made the repository; `first`: nothing was pushed there before, nor was it created. `noRepository` where it is missing and `create` is false. */
  holdBlob(
    input: RepositoryKey & {
      readonly digest: Digest;
      readonly create: boolean;
      readonly now: number;
    },
  ): Promise<'made' | 'first' | 'held' | 'noRepository'>;
  /** False where it was not held. A rule's own record of having fetched it stays. */
  releaseBlob(input: RepositoryKey & { readonly digest: Digest }): Promise<boolean>;
}
