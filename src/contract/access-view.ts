import type { TagMutability } from '../domain/names/tag-mutability.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { PolicyProblem } from '../domain/policy/problem.ts';

/** Who a credential speaks for, as `/api/v1/whoami` says it. */
export interface WhoamiView {
  readonly principal: string;
  /** As IAM has it: of a root the account, of others one that no later principal of the name has. */
  readonly id: string;
  readonly account: string;
  readonly kind: 'administrator' | 'user' | 'robot' | 'role';
  /** `null`: the account's root; of an assumed role the role's. */
  readonly name: string | null;
  /** How it was shown: an access key, a named token, … */
  readonly via: string;
  /** What the credential is limited to; `null`: to nothing. */
  readonly scopes: readonly string[] | null;
  /** True for the home account's administrator, whose the server is. */
  readonly operator: boolean;
}

/** What `docker login` takes: base64 of `AWS:<password>`. */
export interface AuthorizationTokenView {
  readonly authorizationToken: string;
  readonly expiresAt: string;
  readonly proxyEndpoint: string;
}

export interface AccountView {
  readonly account: string;
  readonly name: string;
  readonly createdAt: string;
}

export interface UserView {
  readonly account: string;
  readonly name: string;
  readonly arn: string;
  /** As IAM gives it: the next user of the name has another. */
  readonly id: string;
  readonly kind: 'user' | 'robot';
  readonly tags: readonly LabelView[];
  readonly createdAt: string;
}

export interface RoleView {
  readonly account: string;
  readonly name: string;
  /** `/`, or names between slashes; a part of its ARN alone. */
  readonly path: string;
  readonly arn: string;
  /** As IAM gives it: the next role of the name has another. */
  readonly id: string;
  readonly description: string;
  /** Who may assume it; verbatim. */
  readonly trustPolicy: string;
  readonly maxSessionSeconds: number;
  readonly tags: readonly LabelView[];
  readonly createdAt: string;
  /** `null`: never, as far as is known. */
  readonly lastUsedAt: string | null;
}

export interface AccessKeyView {
  readonly accessKeyId: string;
  readonly account: string;
  /** `null`: the account's root. */
  readonly user: string | null;
  readonly active: boolean;
  readonly createdAt: string;
  /** `null`: it has no end. */
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}

/** Shown once: the pair is user name and password for registry clients. */
export interface NewAccessKeyView extends AccessKeyView {
  readonly secretAccessKey: string;
}

export interface RotatedAccessKeyView extends NewAccessKeyView {
  /** Ids that are refused from now on. */
  readonly revoked: readonly string[];
  /** Ids of the owner's other keys, which are still good. */
  readonly kept: readonly string[];
  /** The server's own file that holds the pair; `null`: none does. */
  readonly file: string | null;
}

export interface NewAccountView extends AccountView {
  readonly key: NewAccessKeyView;
}

export interface TokenView {
  readonly name: string;
  readonly account: string;
  readonly user: string | null;
  /** As `repository:<pattern>:<rights>`; none: all that its owner may. */
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}

/** Shown once. */
export interface NewTokenView extends TokenView {
  readonly token: string;
}

export interface IdentityPolicyView {
  readonly account: string;
  /** The user or robot that has it; `null`: a role has. */
  readonly user: string | null;
  readonly role: string | null;
  readonly name: string;
  /** Verbatim. */
  readonly policy: string;
  readonly updatedAt: string;
}

/** A policy that stands for itself. */
export interface ManagedPolicyView {
  readonly arn: string;
  readonly name: string;
  readonly path: string;
  /** As IAM gives it: the next policy of the name has another. */
  readonly id: string;
  readonly description: string;
  /** `v1`: the version that counts. */
  readonly defaultVersion: string;
  /** Principals of the asker's account, or the policy's own, that it is attached to. */
  readonly attachments: number;
  readonly tags: readonly LabelView[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface PolicyVersionView {
  readonly version: string;
  readonly isDefault: boolean;
  /** Verbatim. */
  readonly policy: string;
  readonly createdAt: string;
}

/** A managed policy that counts among those of a user or role. */
export interface AttachedPolicyView {
  readonly account: string;
  /** `null`: it is a role's. */
  readonly user: string | null;
  /** `null`: it is a user's. */
  readonly role: string | null;
  readonly arn: string;
  readonly name: string;
  readonly path: string;
}

export interface RepositoryPolicyView {
  readonly account: string;
  readonly repository: string;
  /** Verbatim. */
  readonly policy: string;
}

export interface RegistryPolicyView {
  readonly account: string;
  readonly region: string;
  /** Verbatim. */
  readonly policy: string;
}

export interface PolicyValidation {
  readonly valid: boolean;
  readonly problems: readonly PolicyProblem[];
  /** What it says in vain; none where it is not valid. */
  readonly warnings: readonly PolicyProblem[];
}

export interface RepositoryView {
  readonly repository: string;
  readonly arn: string;
  readonly account: string;
  readonly region: string;
  readonly createdAt: string;
  /** The prefix of the rule that leads to it. */
  readonly rule: string | null;
  /** A credential fetched something of it. */
  readonly private: boolean;
  /** Somebody pushed into it, or it was made by hand. */
  readonly pushed: boolean;
  readonly madeBy: RepositoryMaker;
  readonly tagMutability: TagMutability;
  readonly hasPolicy: boolean;
  /** Labels of the repository itself, by their keys. */
  readonly labels: readonly LabelView[];
  readonly scanOnPush: boolean;
  /** As it was asked for; `key` null: none was named. */
  readonly encryption: {
    readonly type: 'AES256' | 'KMS' | 'KMS_DSSE';
    readonly key: string | null;
  };
}

/** What made a repository. */
export interface RepositoryMaker {
  /** `api`: somebody, by its name; `unknown`: a push or somebody, before that was kept. */
  readonly by: 'pull' | 'push' | 'replication' | 'api' | 'unknown';
  /** The prefix of the template that its settings were taken from. */
  readonly template: string | null;
  /** Of a pull: where the rule led then. */
  readonly upstream: string | null;
}

/** What became of a repository in a clean-up, or would. */
export interface CleanedRepositoryView {
  readonly repository: string;
  readonly madeBy: RepositoryMaker;
  readonly outcome: 'deleted' | 'kept' | 'refused';
  /** Why it was not deleted. */
  readonly because: string | null;
  /** Bytes of blobs that nothing else refers to once it is deleted. */
  readonly bytes: number;
  /** The rule that leads to it still: a pull through it makes the repository again. */
  readonly rule: { readonly prefix: string; readonly origin: PullRule['origin'] } | null;
}

/** A page of a clean-up. */
export interface CleanUpView {
  readonly items: readonly CleanedRepositoryView[];
  readonly next: string | null;
  /** Within which the bytes are off the disk. */
  readonly bytesFreedWithinSeconds: number;
}

/** What a template says of a repository that is there, and what became of it, or would. */
export interface AppliedTemplateView {
  readonly repository: string;
  /** The prefix of the longest one that matches and is for what made the repository; `null`: none does. */
  readonly template: string | null;
  /** None: the repository is as the template says. */
  readonly changes: readonly AppliedSettingView[];
  /** What of the template no repository that is there can be given. */
  readonly notApplied: readonly { readonly setting: 'encryption'; readonly because: string }[];
}

export interface AppliedSettingView {
  readonly setting: 'tagMutability' | 'labels' | 'lifecyclePolicy' | 'policy';
  /** Texts as they are kept; `null`: there was none. */
  readonly before: string | null;
  readonly after: string;
  readonly outcome: 'applied' | 'refused';
  /** Why it was refused. */
  readonly because: string | null;
}

/** A label of a repository, a user or a robot: what AWS calls a tag. */
export interface LabelView {
  readonly key: string;
  readonly value: string;
}

export interface TagView {
  readonly tag: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly provenance: 'pushed' | 'cached' | 'replicated';
  /** Where it was read from; `null` for a pushed one. */
  readonly source: string | null;
  readonly validatedAt: string;
  readonly lastPulledAt: string | null;
}

export interface ImageView {
  readonly digest: string;
  readonly mediaType: string;
  readonly artifactType: string | null;
  /** Bytes of the manifest with config and layers, as claimed; an index's: its largest child's. */
  readonly size: number;
  readonly tags: readonly string[];
  readonly provenance: 'pushed' | 'cached' | 'replicated';
  readonly createdAt: string;
  readonly lastPulledAt: string | null;
  /** What it refers to: a signature's image. */
  readonly subject: string | null;
}

export interface ImageDetailView {
  readonly repository: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of the manifest itself. */
  readonly size: number;
  /** Where it was asked for by a tag. */
  readonly tag: {
    readonly name: string;
    readonly provenance: 'pushed' | 'cached' | 'replicated';
    readonly source: string | null;
    readonly validatedAt: string;
    /** Digests that the tag has had, newest first, twenty at most. */
    readonly history: readonly { readonly digest: string; readonly seenAt: string }[];
  } | null;
  /** What the manifest names. */
  readonly children: readonly {
    readonly role: 'manifest' | 'config' | 'layer';
    readonly digest: string;
    readonly mediaType: string;
    readonly size: number;
    readonly platform: string | null;
  }[];
  readonly referrers: readonly {
    readonly digest: string;
    readonly mediaType: string;
    readonly artifactType: string | null;
    readonly size: number;
  }[];
}

/** What was deleted: the manifest's digest, and the tags that went with it or alone. */
export interface DeletedImageView {
  readonly repository: string;
  readonly digest: string;
  readonly tags: readonly string[];
}

export interface AuditView {
  readonly id: number;
  readonly at: string;
  readonly kind: string;
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly registry: string;
  readonly outcome: string;
  readonly address: string;
  readonly requestId: string;
  readonly detail: Readonly<Record<string, string | number | boolean>>;
  /** How many such, the last of them `at`. */
  readonly count: number;
}

export interface AccessDecisionView {
  readonly allowed: boolean;
  /** Which policy and statement decided, or that none spoke. */
  readonly because: string;
}
