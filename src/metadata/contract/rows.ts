import type { Digest } from '../../domain/names/digest.ts';
import type { Descriptor, Manifest } from '../../domain/manifests/manifest.ts';
import type { Label } from '../../domain/names/label.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { RuleSettings, RuleSettingsChange } from '../../domain/rules/rule-settings.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { PullRecord } from '../../domain/pull-record.ts';
import type { TemplateUse } from '../../domain/registries/creation-template.ts';

export interface TagKey extends RepositoryKey {
  readonly tag: Tag;
}

/** Of a manifest or a blob. */
export interface DigestKey extends RepositoryKey {
  readonly digest: Digest;
}

/** How content came here. */
export type Provenance = 'pushed' | 'cached' | 'replicated';

/**
 * Which records of a repository count beside those of pushes: manifests that came through the rule of this identity, and tags
 * that were read from one of these sources. Neither: pushed ones alone. Where no `Counting` is given, all do.
 */
export interface Counting {
  readonly rule: string | undefined;
  readonly sources: readonly string[];
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
  /** Absent: nothing of it was ever set. */
  readonly attributes?: RepositoryAttributes;
}

/** What its owner keeps of a repository; nothing of it decides about content. */
export interface RepositoryAttributes {
  /** In the order of their keys, none twice. */
  readonly tags?: readonly Label[];
  readonly scanOnPush?: boolean;
  /** Absent: AES256. */
  readonly encryption?: RepositoryEncryption;
  /** Absent: it was made before this was kept. */
  readonly madeBy?: MadeBy;
}

/** What made a repository. */
export interface MadeBy {
  /** `API`: somebody made it by its name. */
  readonly use: TemplateUse | 'API';
  /** The prefix of the template that its settings were taken from; absent: none. */
  readonly template?: string;
  /** Of a pull: where the rule led, URL and prefix there. */
  readonly upstream?: string;
}

/** Repositories that are about to be deleted: those at and below a prefix, of whole path segments. */
export interface LeavingRepositories {
  readonly prefix: string;
  /** Those that were pushed into too. */
  readonly pushed: boolean;
}

/** Blobs, and what they take. */
export interface BlobSum {
  readonly blobs: number;
  readonly bytes: number;
}

export interface RepositoryEncryption {
  readonly type: 'AES256' | 'KMS' | 'KMS_DSSE';
  /** ARN, id or alias of the key as it was given. */
  readonly key?: string;
}

export interface RepositoryRow extends StoredRepository {
  readonly name: RepositoryName;
}

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

/** A manifest without its bytes; `size` is their number. */
export interface ManifestInfo extends Omit<StoredManifest, 'digest' | 'bytes'> {
  readonly size: number;
}

export type ChildRole = 'manifest' | 'config' | 'layer';

/** What a manifest names, with the size and type that it claims. */
export interface Child extends Descriptor {
  readonly role: ChildRole;
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

/** The same of any manifest, children of indexes too. */
export interface ListedImage extends ImageRow {
  /** Media type of its config; absent: an index, or it has none. */
  readonly configType: string | undefined;
}

/** A manifest under one of its tags; `tag` absent: it has none. */
export interface NamedImage {
  readonly digest: Digest;
  readonly tag: Tag | undefined;
}

export type TagFilter = 'tagged' | 'untagged';

/** An image as it was when it was decided that it goes. */
export interface ExpiringImage {
  readonly digest: Digest;
  /** In byte order. */
  readonly tags: readonly Tag[];
  /** Wall ms, where the decision was for the last pull: what was pulled since stays. */
  readonly lastPulledAt?: number;
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
  readonly tag?: Omit<TagInput, keyof DigestKey | 'mediaType' | 'size'> & { readonly tag: Tag };
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

export type TagStatus = 'ok' | 'gone' | 'denied' | 'unknown';

export interface TagRow {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** A pushed tag is never validated upstream; its `source` is empty. */
  readonly provenance: Provenance;
  /** URL and path that it was read from: `https://registry-1.docker.io/library/nginx`. A changed source is never served until validated. */
  readonly source: string;
  /** Wall time, ms; one in the future is stale. */
  readonly validatedAt: number;
  /** 0: never. */
  readonly lastPulledAt: number;
}

export interface StoredTag extends Omit<TagRow, 'lastPulledAt'> {
  readonly status: TagStatus;
}

/** A tag as upstream was seen to have it. */
export interface TagInput extends TagKey {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly source: string;
  readonly validatedAt: number;
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

export interface BlobInput extends DigestKey {
  /** Identity of the rule through which the blob came. */
  readonly rule: string;
  readonly private: boolean;
  readonly now: number;
}

export interface AccountRow {
  /** Twelve digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
}

export interface PrincipalRow {
  readonly account: string;
  readonly name: string;
  readonly kind: 'user' | 'robot';
  readonly createdAt: number;
  /** In the order of their keys, none twice; absent: none. */
  readonly tags?: readonly Label[];
}

export interface PrincipalInput extends PrincipalRow {
  /** True: the account must have a row. The home account has none. */
  readonly requireAccount?: boolean;
}

/** An access key. `name` absent: the account's root. */
export interface AccessKeyRow {
  readonly id: string;
  readonly account: string;
  readonly name: string | undefined;
  /** The secret, encrypted: only `access/` opens it. */
  readonly sealedSecret: string;
  readonly active: boolean;
  readonly createdAt: number;
  /** Wall time, ms; absent: it has no end. */
  readonly expiresAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

/** A rule's prefix in its registry, with aliases applied. */
export interface PullRuleKey {
  readonly registry: RegistryKey;
  readonly prefix: string;
}

/** Whose secret a rule shows: what its content is told apart by, which stays known while the secret can't be read. */
export interface CredentialHolder {
  readonly secret: string;
  readonly username: string;
  readonly account: string | undefined;
}

/** A rule that was made through an API; texts as they were given. */
export interface PullRuleRow extends PullRuleKey {
  /** Its own for life; no prefix looks like it. */
  readonly id: string;
  readonly givenPrefix: string;
  readonly upstreamUrl: string;
  readonly upstreamRegistry: string | undefined;
  readonly upstreamPrefix: string | undefined;
  readonly credentialArn: string | undefined;
  readonly roleArn: string | undefined;
  readonly settings: RuleSettings;
  readonly holder: CredentialHolder | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface NewPullRule {
  readonly rule: PullRuleRow;
  /** Of its registry. */
  readonly rulesMax: number;
  /** Of all registries. */
  readonly allMax: number;
}

/** What of a rule is another now; absent: as it was; `null`: none, of a setting its default. */
export interface PullRuleChange {
  readonly credentialArn?: string | null | undefined;
  readonly roleArn?: string | null | undefined;
  readonly settings?: RuleSettingsChange | undefined;
}

export interface TokenRow {
  /** A part of the token itself, by which it is found. */
  readonly id: string;
  readonly account: string;
  /** The principal's; absent: the account's root. */
  readonly principal: string | undefined;
  /** As its owner called it; unique for the principal. */
  readonly name: string;
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  /** As `repository:<pattern>:<rights>`; empty: no limit beyond the principal's. */
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly lastUsedAt: number | undefined;
}

/** A key or token by its id, and the wall time in ms of its use. */
export interface CredentialUse {
  readonly id: string;
  readonly at: number;
}

export interface IdentityPolicyRow {
  readonly account: string;
  readonly principal: string;
  readonly name: string;
  /** Verbatim. */
  readonly text: string;
  readonly updatedAt: number;
}

export interface PullRow extends Omit<PullRecord, 'at' | 'count' | 'principal'> {
  /** Wall time in ms of the hour's beginning. */
  readonly hour: number;
  readonly count: number;
  readonly lastAt: number;
}

export interface AuditRow {
  /** Grows with each row. */
  readonly id: number;
  readonly at: number;
  readonly kind: string;
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly registry: RegistryKey;
  readonly outcome: string;
  readonly address: string;
  readonly requestId: string;
  /** JSON. */
  readonly detail: string;
  /** How many such, the last of them `at`. */
  readonly count: number;
}

/** Which rows are too many: those written before `before`, and the first beyond `rowsMax`. Wall times, ms. */
export interface Pruning {
  readonly before: number;
  readonly now: number;
  readonly rowsMax: number;
}

export interface AuditPruning extends Pruning {
  /** `denial`: of those who are known. */
  readonly kind: 'anonymousDenial' | 'denial' | 'login' | 'change';
}
