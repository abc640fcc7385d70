import type { Digest } from '../../domain/names/digest.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import type { LabelChange } from '../../domain/names/label.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { CallMetadata } from './calls.ts';
import type { LifecycleMetadata } from './lifecycle.ts';
import type { PullRecord } from '../../domain/pull-record.ts';
import type {
  AccessKeyRow,
  AccountRow,
  AuditPruning,
  AuditRow,
  BlobClaim,
  BlobInput,
  BlobSum,
  Child,
  Counting,
  CredentialHolder,
  CredentialUse,
  DigestKey,
  ExpiringImage,
  IdentityPolicyRow,
  ImageRow,
  LeavingRepositories,
  ListedImage,
  NamedImage,
  ManifestInfo,
  PrincipalInput,
  PrincipalRow,
  Pruning,
  NewPullRule,
  PullRuleChange,
  PullRuleKey,
  PullRuleRow,
  PullRow,
  PutManifestInput,
  PutManifestResult,
  RepositoryAttributes,
  RepositoryRow,
  StoredManifest,
  StoredRepository,
  StoredTag,
  StoreManifestInput,
  TagFilter,
  TagInput,
  TagKey,
  TagRow,
  TokenRow,
} from './rows.ts';
import type { ManagedPolicyMetadata } from './managed-policies.ts';
import type { TemplateMetadata } from './templates.ts';
import type { RoleMetadata } from './roles.ts';
import type { SealedMetadata } from './sealed.ts';
import type { SecretMetadata } from './secrets.ts';

/**
 * Metadata over SQLite or PostgreSQL, as eleven stores. What is not there is `undefined`, false or an empty list, never an error.
 * A write is one transaction and is answered after its commit; writes to one repository are made in the order in which they
 * were called. A write may be repeated: that changes nothing but times. All reject with a `MetadataError`.
 */
export interface Metadata extends AsyncDisposable {
  readonly repositories: RepositoryMetadata;
  readonly manifests: ManifestMetadata;
  readonly tags: TagMetadata;
  readonly blobs: BlobMetadata;
  readonly lifecycles: LifecycleMetadata;
  readonly identities: IdentityMetadata;
  readonly managedPolicies: ManagedPolicyMetadata;
  readonly rules: RuleMetadata;
  readonly templates: TemplateMetadata;
  readonly roles: RoleMetadata;
  readonly secrets: SecretMetadata;
  readonly sealed: SealedMetadata;
  readonly records: RecordMetadata;
  readonly calls: CallMetadata;
}

/** Repositories with their settings and their policy. */
export interface RepositoryMetadata {
  findRepository(key: RepositoryKey): Promise<StoredRepository | undefined>;
  /** In byte order after `after`; `prefix` empty: all. */
  listRepositories(
    registry: RegistryKey,
    options: { readonly prefix: string; readonly after: string; readonly limit: number },
  ): Promise<readonly RepositoryRow[]>;

  /** False where it is there already. `pushed` is set. */
  createRepository(
    input: RepositoryKey & {
      readonly tagMutability: TagMutability;
      readonly attributes?: RepositoryAttributes;
      readonly now: number;
    },
  ): Promise<boolean>;
  /**
   * `notEmpty` where it holds manifests and `force` is false; `pushed` where something was pushed into it, or it was made by hand, and
   * `unlessPushed` is set. Deletes tags, manifests, blob holds, policy.
   */
  deleteRepository(
    input: RepositoryKey & { readonly force: boolean; readonly unlessPushed?: boolean },
  ): Promise<'deleted' | 'notFound' | 'notEmpty' | 'pushed'>;
  /** False where there is no repository. */
  setTagMutability(
    input: RepositoryKey & { readonly tagMutability: TagMutability },
  ): Promise<boolean>;
  /** `text` undefined: no policy any more. False where there is no repository. */
  setRepositoryPolicy(
    input: RepositoryKey & { readonly text: string | undefined },
  ): Promise<boolean>;
  /** Takes away, then sets; `tooMany` where there would be more than `tagsMax`, and nothing is changed. */
  changeRepositoryTags(
    input: RepositoryKey & LabelChange & { readonly tagsMax: number },
  ): Promise<'changed' | 'notFound' | 'tooMany'>;
  /** False where there is no repository. */
  setScanOnPush(input: RepositoryKey & { readonly scanOnPush: boolean }): Promise<boolean>;
  /** A registry's setting of that name; `undefined`: it was never set. */
  findRegistrySetting(registry: RegistryKey, name: string): Promise<string | undefined>;
  /** `value` undefined: it is no more. */
  setRegistrySetting(input: {
    readonly registry: RegistryKey;
    readonly name: string;
    readonly value: string | undefined;
    readonly now: number;
  }): Promise<void>;
  /** Adds to a setting that holds members with the times at which they came; `tooMany` beyond `membersMax`. */
  addToRegistrySetting(input: {
    readonly registry: RegistryKey;
    readonly name: string;
    readonly member: string;
    readonly membersMax: number;
    readonly now: number;
  }): Promise<'added' | 'exists' | 'tooMany'>;
  /** False where it was no member. */
  removeFromRegistrySetting(input: {
    readonly registry: RegistryKey;
    readonly name: string;
    readonly member: string;
    readonly now: number;
  }): Promise<boolean>;
  /** In the order of their texts. */
  listRegistrySetting(
    registry: RegistryKey,
    name: string,
  ): Promise<readonly { readonly member: string; readonly at: number }[]>;
  /** `reason` undefined: the stop is lifted. True where it made the repository. */
  stopRepository(
    input: RepositoryKey & { readonly reason: string | undefined; readonly now: number },
  ): Promise<boolean>;
}

/** Manifests, what they name and what refers to them. */
export interface ManifestMetadata {
  findManifest(key: RepositoryKey, digest: Digest): Promise<StoredManifest | undefined>;
  findManifestInfo(key: RepositoryKey, digest: Digest): Promise<ManifestInfo | undefined>;
  /** What the stored manifest names: config, layers and child manifests. */
  findChildren(key: RepositoryKey, digest: Digest): Promise<readonly Child[]>;
  /** Manifests of the repository whose subject is the digest. `artifactType` and annotations as the manifest says them. */
  listReferrers(
    key: RepositoryKey,
    subject: Digest,
    counting?: Counting,
  ): Promise<readonly Descriptor[]>;
  /** Newest first; `before` is the `createdAt` and digest of the last one seen. Children of an index are left out unless tagged, as are their sizes where they don't count. */
  listImages(
    key: RepositoryKey,
    before: { readonly createdAt: number; readonly digest: string } | undefined,
    limit: number,
    counting?: Counting,
  ): Promise<readonly ImageRow[]>;
  /** Every manifest, children of indexes too, in the order of their digests after `after`. */
  listManifests(
    key: RepositoryKey,
    from: { readonly after: string; readonly tags?: TagFilter | undefined },
    limit: number,
    counting?: Counting,
  ): Promise<readonly ListedImage[]>;
  /** The same of those digests that are here, at most 100, in any order. */
  findManifests(
    key: RepositoryKey,
    digests: readonly Digest[],
    counting?: Counting,
  ): Promise<readonly ListedImage[]>;
  /** Every manifest once for each of its tags, in the order of digests, then tags. */
  listImageNames(
    key: RepositoryKey,
    from: {
      readonly after: { readonly digest: string; readonly tag: string };
      readonly tags?: TagFilter | undefined;
    },
    limit: number,
    counting?: Counting,
  ): Promise<readonly NamedImage[]>;

  /** What was pulled: manifest, children and tag, all or nothing. True where it made the repository. */
  storeManifest(input: StoreManifestInput): Promise<boolean>;
  /** What was pushed: manifest, children and tags, all or nothing, after the checks. */
  putManifest(input: PutManifestInput): Promise<PutManifestResult>;
  /** The manifest and every tag that names it; `undefined` where it is not here. */
  deleteManifest(input: DigestKey): Promise<{ readonly tags: readonly Tag[] } | undefined>;
  /** Of these, at most 100, those that are as they are said to be and that no index of the repository names: deleted with their tags, in this order. Their digests. */
  expireManifests(
    input: RepositoryKey & { readonly images: readonly ExpiringImage[] },
  ): Promise<readonly Digest[]>;
}

/** Tags, and every digest that each has had. */
export interface TagMetadata {
  findTag(key: RepositoryKey, tag: Tag): Promise<StoredTag | undefined>;
  /** Tags after `after`, in byte order, at most `limit`. */
  listTags(
    key: RepositoryKey,
    after: string,
    limit: number,
    counting?: Counting,
  ): Promise<readonly Tag[]>;
  /** The same with what is known of each. */
  listTagRows(
    key: RepositoryKey,
    after: string,
    limit: number,
    counting?: Counting,
  ): Promise<readonly TagRow[]>;
  /** Every digest the tag has had, newest first, at most `limit`. */
  tagHistory(
    key: RepositoryKey,
    tag: Tag,
    limit: number,
  ): Promise<readonly { readonly digest: Digest; readonly seenAt: number }[]>;

  /** A tag as a HEAD validated it, whose manifest may not be stored (yet). History gains the digest where it is new. True where it made the repository. */
  setTag(input: TagInput & { readonly private: boolean }): Promise<boolean>;
  /** The same digest was seen again upstream: validatedAt, source, status ok. */
  validateTag(input: TagKey & Pick<TagInput, 'source' | 'validatedAt'>): Promise<void>;
  markTag(input: TagKey & Pick<StoredTag, 'status'>): Promise<void>;
  /** The digest that it named. The manifest stays. */
  deleteTag(input: TagKey): Promise<Digest | undefined>;
}

/** Which repository holds which blob, and through which rule it came. */
export interface BlobMetadata {
  /** `rule` is the identity of the rule that asks; `undefined` where none leads to the repository. */
  findBlobClaim(key: RepositoryKey, rule: string | undefined, digest: Digest): Promise<BlobClaim>;
  /** Repositories of the registry that have come to hold the blob in any way, in byte order, at most `limit`; whether one still does, `findBlobClaim` says. */
  findBlobHolders(
    registry: RegistryKey,
    digest: Digest,
    limit: number,
  ): Promise<readonly RepositoryName[]>;
  /** Those of these, at most 128, that any repository of any registry holds. */
  findHeldBlobs(digests: readonly Digest[]): Promise<readonly Digest[]>;
  /**
   * What the repository holds and no other one of any registry does. Of blobs that it shares with none but `leaving` ones, which are taken
   * to go with it, each is one of these repositories' alone, so that their sums add up. Sizes as fetched, or as a manifest claims.
   */
  sumOwnBlobs(key: RepositoryKey, leaving: LeavingRepositories | undefined): Promise<BlobSum>;

  /** After adopt: the rule of this identity fetched the blob whole and verified, in this repository, which holds it now. True where it made the repository. */
  recordFetch(input: BlobInput & { readonly size: number }): Promise<boolean>;
  /** The rule of this identity has fetched the blob elsewhere, and upstream has answered a GET of it in this repository, which holds it now. True as above. */
  proveBlob(input: BlobInput): Promise<boolean>;
  /** A blob that was pushed or mounted: the repository holds it. `made`: this made the repository; `first`: nothing was pushed there before, nor was it created. `noRepository` where it is missing and `create` is false. */
  holdBlob(
    input: DigestKey & { readonly create: boolean; readonly now: number },
  ): Promise<'made' | 'first' | 'held' | 'noRepository'>;
  /** False where it was not held. A rule's own record of having fetched it stays. */
  releaseBlob(input: DigestKey): Promise<boolean>;
}

/** Accounts, principals, their keys and tokens, and the policies of principals and registries. */
export interface IdentityMetadata {
  findAccount(id: string): Promise<AccountRow | undefined>;
  findPrincipal(account: string, name: string): Promise<PrincipalRow | undefined>;
  findAccessKey(id: string): Promise<AccessKeyRow | undefined>;
  findToken(id: string): Promise<TokenRow | undefined>;
  findRegistryPolicy(registry: RegistryKey): Promise<string | undefined>;
  listAccounts(): Promise<readonly AccountRow[]>;
  listPrincipals(account: string): Promise<readonly PrincipalRow[]>;
  /** `name` undefined: the root's. */
  listAccessKeys(account: string, name: string | undefined): Promise<readonly AccessKeyRow[]>;
  listTokens(account: string, principal: string | undefined): Promise<readonly TokenRow[]>;
  listIdentityPolicies(account: string, principal: string): Promise<readonly IdentityPolicyRow[]>;

  /** False where the id is taken. That it is not the home account's is the caller's to see. */
  createAccount(input: AccountRow): Promise<boolean>;
  /** `noAccount` where a row is required and missing. */
  createPrincipal(input: PrincipalInput): Promise<'created' | 'exists' | 'noAccount'>;
  /** With its keys, tokens and policies; a role too, as `role/<name>`. False where there is none. */
  deletePrincipal(input: Pick<PrincipalRow, 'account' | 'name'>): Promise<boolean>;
  /** The same of one that has none of them; else the first that it has. */
  deleteUnusedPrincipal(
    input: Pick<PrincipalRow, 'account' | 'name'>,
  ): Promise<'deleted' | 'notFound' | 'hasKeys' | 'hasTokens' | 'hasPolicies' | 'hasAttachments'>;
  /** `tooMany`: more than `tagsMax` would be there; nothing is changed then. */
  changePrincipalTags(
    input: Pick<PrincipalRow, 'account' | 'name'> & LabelChange & { readonly tagsMax: number },
  ): Promise<'changed' | 'tooMany' | 'notFound'>;
  /** At most two keys a principal, as IAM. */
  createAccessKey(input: AccessKeyRow): Promise<'created' | 'limit' | 'noPrincipal'>;
  /** False where there is none. */
  setAccessKeyActive(input: Pick<AccessKeyRow, 'id' | 'active'>): Promise<boolean>;
  deleteAccessKey(input: Pick<AccessKeyRow, 'id'>): Promise<boolean>;
  createToken(input: TokenRow): Promise<'created' | 'exists' | 'noPrincipal'>;
  /** By its name. False where there is none. */
  deleteToken(input: Pick<TokenRow, 'account' | 'principal' | 'name'>): Promise<boolean>;
  /** Batched by the caller; at most some may be lost, 10 s' worth. Times only grow; what is gone stays so. */
  touchCredentials(input: {
    readonly keys: readonly CredentialUse[];
    readonly tokens: readonly CredentialUse[];
  }): Promise<void>;
  /** Puts or replaces. How many a principal may have is the caller's to see. */
  putIdentityPolicy(input: IdentityPolicyRow): Promise<'stored' | 'noPrincipal'>;
  deleteIdentityPolicy(
    input: Pick<IdentityPolicyRow, 'account' | 'principal' | 'name'>,
  ): Promise<boolean>;
  /** `text` undefined: none any more. */
  setRegistryPolicy(input: {
    readonly registry: RegistryKey;
    readonly text: string | undefined;
    readonly now: number;
  }): Promise<void>;
}

/** Rules that were made through an API, of each registry. */
export interface RuleMetadata {
  findPullRule(key: PullRuleKey): Promise<PullRuleRow | undefined>;
  /** Whether there is any, of whatever registry. */
  hasPullRules(): Promise<boolean>;
  /** Of all registries, in byte order of registry and prefix after `after`. */
  listAllPullRules(after: PullRuleKey | undefined, limit: number): Promise<readonly PullRuleRow[]>;

  /** `limit`: the registry has `rulesMax` of them, or all registries together `allMax`. */
  createPullRule(input: NewPullRule): Promise<'created' | 'exists' | 'limit'>;
  /** The rule as it is now; `undefined` where there is none of that prefix and id: another one may lead elsewhere. */
  updatePullRule(
    input: PullRuleKey &
      Pick<PullRuleRow, 'id'> & { readonly change: PullRuleChange; readonly now: number },
  ): Promise<PullRuleRow | undefined>;
  /** As it was; `undefined` where there is none. */
  deletePullRule(input: PullRuleKey): Promise<PullRuleRow | undefined>;
  /** Remembers whose secret was read last. False where the rule is gone. */
  setRuleHolder(input: {
    readonly id: string;
    readonly holder: CredentialHolder;
  }): Promise<boolean>;
}

/** What has happened: pulls and the audit. */
export interface RecordMetadata {
  /** Newest first, at most `limit`. */
  listPulls(limit: number): Promise<readonly PullRow[]>;
  /** Newest first; of the registries of one account, and those with an id below `before`, where they are given. */
  listAudit(options: {
    readonly account: string | undefined;
    readonly before: number | undefined;
    readonly limit: number;
  }): Promise<readonly AuditRow[]>;

  /** Batched by the caller, and in several transactions. Also sets the pull times of tags and manifests. */
  recordPulls(pulls: readonly PullRecord[]): Promise<void>;
  prunePulls(input: Pruning): Promise<void>;
  /** In their order: ids grow with it. In several transactions. */
  appendAudit(rows: readonly Omit<AuditRow, 'id'>[]): Promise<void>;
  pruneAudit(input: AuditPruning): Promise<void>;
}
