import type { Action, ScopeRight } from '../domain/policy/access-action.ts';
import type { IdentityAction } from '../domain/policy/identity-action.ts';
import { anonymous } from '../domain/policy/principal.ts';
import type { Principal } from '../domain/policy/principal.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { Label } from '../domain/names/label.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import type { RepositoryName } from '../domain/names/repository-name.ts';
import type { StoredRepository } from '../metadata/contract/rows.ts';

/** A principal as one request speaks for it. One object a verified credential, shared by its requests. */
export interface Caller {
  readonly principal: Principal;
  /** How it was shown: `key` an access key as Basic or by a signature, `session` temporary keys by a signature, `token` a named token, `ecr` the 12-hour password, `bearer` our token service's, `download` a download URL, `oidc` a JWT. */
  readonly via: 'none' | 'key' | 'session' | 'token' | 'ecr' | 'bearer' | 'download' | 'oidc';
  /** What the credential itself is limited to; `undefined`: to nothing. Rights are never more than the principal's. */
  readonly scopes: readonly Scope[] | undefined;
  /**
   * Of a registry token or an ECR password: the limits of the credential that it was made with, which `scopes` lies within.
   * Absent: none, or there is no such credential.
   */
  readonly credentialScopes?: readonly Scope[];
  /** What it goes back to: `key/AKIA…`, `token/…`; absent for others. Never a secret. */
  readonly credential?: string;
  /** When the principal was made, which tells it from an earlier one of its name; absent: the server's first administrator, anonymous. */
  readonly madeAt?: number;
  /** Labels of the principal, a session's own among them: `aws:PrincipalTag`. */
  readonly tags?: readonly Label[] | undefined;
  /** Of whoever assumed a role. */
  readonly session?: RoleSession | undefined;
  /** Wall time, ms, where the credential itself ends; what is made with it ends then too. */
  readonly expiresAt?: number;
}

/** What a session of a role was begun with, for as long as it lasts. */
export interface RoleSession {
  /** Text of its own policy: the role's allow no more than it does. */
  readonly policy?: string | undefined;
  readonly tags?: readonly Label[] | undefined;
  /** Keys of `tags` that go on to the sessions which are begun with this one. */
  readonly transitive?: readonly string[] | undefined;
  /** ARN of the identity provider that vouched for whoever began it. */
  readonly provider?: string | undefined;
}

/** Whoever comes without credentials. */
export const anonymousCaller: Caller = { principal: anonymous, via: 'none', scopes: undefined };

/** `repository:team/*:pull,push`: names with `*` and `?`. */
export interface Scope {
  readonly repository: string;
  readonly rights: readonly ScopeRight[];
}

/** Where a request came from: for conditions, throttling and the audit. */
export interface RequestFrom {
  readonly address: string;
  readonly secure: boolean;
  /** On this machine, by address and by Host. */
  readonly isLoopback: boolean;
  /** Its first 1,024 characters. */
  readonly userAgent: string | undefined;
  readonly requestId: string;
  /** Why it comes from a page of another site, which made a browser ask: nothing new is fetched for it. */
  readonly otherSite?: string | undefined;
}

/** Who asks for something, and from where. */
export interface Asker {
  readonly caller: Caller;
  readonly from: RequestFrom;
}

/** Who is asking. Known credentials are answered without waiting. */
export interface Identifier {
  /**
   * Who an Authorization header speaks for: none, or an empty Basic pair, is anonymous. `mirror`: unknown credentials are
   * anonymous too, neither counted nor logged (kubelets send a mirror what they hold for the registry behind it);
   * a wrong secret of a key or token of here is anonymous, and a failed login. Throws `unauthorized` for wrong credentials, `tooManyRequests` while the source or the principal is throttled.
   */
  identify(
    authorization: string | undefined,
    from: RequestFrom,
    options: { readonly mirror: boolean; readonly basicOnly?: boolean },
  ): Caller | Promise<Caller>;
}

/** A request as it came off the wire, nothing decoded: what AWS's Signature Version 4 signs. */
export interface SignedRequest {
  readonly method: string;
  /** Before any `?`. */
  readonly path: string;
  /** After the `?`; empty where there is none. */
  readonly query: string;
  /** Names and values in turn, in the order of their lines; each character is a byte. */
  readonly rawHeaders: readonly string[];
}

/** Whom a signature speaks for. */
export interface SignedIdentity {
  readonly caller: Caller;
  /** The caller's own. */
  readonly account: string;
  readonly accessKeyId: string;
  /** As the client wrote it into the credential's scope; it may be one that this server does not name. */
  readonly region: string;
  /** The scope's: `ecr`, `sts`, … */
  readonly service: string;
}

/** A request whose signature has all that it needs, of a key that is here. Nobody is known yet: the secret is not proved before `verify`. */
export interface SignedClaim {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
  /** The parameters of its query sign it (a presigned URL), not its Authorization header. */
  readonly presigned: boolean;
  /** Once, with the SHA-256 of the request's body as it was sent. Throws `SignatureRefused`. */
  verify(bodySha256: Buffer): Promise<SignedIdentity>;
}

/** Who signed a request (AWS Signature Version 4), in two steps: most is refused before the body is read. */
export interface Signatures {
  /**
   * All that can be known without the body, answered without waiting where the key is in memory. Throws `SignatureRefused`;
   * what is refused is a failed login, but for a request that is not signed at all.
   */
  begin(request: SignedRequest, from: RequestFrom): SignedClaim | Promise<SignedClaim>;
}

/**
 * Why a request is not believed, for each protocol to name in its own codes:
 * `missing` it is not signed; `incomplete` its signature lacks a part, or has one that can't be read; `unknownKey` the key, or the session
 * token, is not known or not in force; `expiredKey` it has ended; `wrong` the signature, or its scope, is not right; `late` and `early` it was signed at
 * another time than this server's clock says; `throttled` too many failed logins.
 */
export type SignatureProblem =
  | 'missing'
  | 'incomplete'
  | 'unknownKey'
  | 'expiredKey'
  | 'wrong'
  | 'late'
  | 'early'
  | 'throttled';

export interface Question extends Asker {
  readonly action: Action | IdentityAction;
  readonly registry: RegistryKey;
  /** Absent where the action has no repository: listing all, the registry's policy. */
  readonly repository: RepositoryName | undefined;
  /** The rule that leads to the repository, where one does: what its credential fetched is private unless it says so. */
  readonly rule: PullRule | undefined;
  /** ARN of what is asked about where it is no repository: a user. */
  readonly resource?: string;
  /** As it is named to whoever is refused, where the ARN would tell more than was asked. */
  readonly resourceAsAsked?: string;
  /** Of a managed policy that is attached or detached, for `iam:PolicyARN`. */
  readonly policyArn?: string;
  /** The resource's own policy: of a secret. */
  readonly resourcePolicy?: string | undefined;
  /** Where a role is to be assumed. */
  readonly trust?: TrustAsked;
}

/** What is known beside the caller, where a role is to be assumed. */
export interface TrustAsked {
  /** The role's trust policy; `undefined`: there is no such role, which nobody may assume. */
  readonly policy: string | undefined;
  /** Condition keys of the request, in lower case. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** Names of the identity provider that vouches for the caller, who is anonymous then. */
  readonly federated?: readonly string[];
}

export interface Verdict {
  readonly allowed: boolean;
  /** One sentence: which policy and statement decided, or that none spoke. For `access can`, logs and the audit; never for the caller who was refused. */
  readonly because: string;
}

/** What a pull needs to know at once. */
export interface PullRights {
  /** Of what was asked itself. */
  readonly pulls: Verdict;
  /** Whether what is not held may be fetched for it, as far as its repository is there … */
  readonly imports: Verdict;
  /** … and whether the repository may be made where it is not. */
  readonly makes: Verdict;
}

/** May they. Every front-end asks it, before the cache. */
export interface Authorizer {
  /** Without waiting where all that is needed is in memory. Denials are audited. */
  may(question: Question): Verdict | Promise<Verdict>;
  /** The answer of `may`, and beside it those of `explain` to what a pull may bring with it; each is looked up no more than once. */
  pullRights(question: Question): PullRights | Promise<PullRights>;
  /**
   * The same without an audit entry, for listings that leave out and for `access can`. `row`: the repository's, where it has just
   * been read; nothing is read or kept for it then.
   */
  explain(question: Question, row?: StoredRepository): Verdict | Promise<Verdict>;
}

/** A change, a denial or a login, recorded once. Never holds a secret. */
export interface AuditEntry {
  readonly kind: 'change' | 'denial' | 'login';
  /** ARN, or `anonymous`; for a failed login the user name as it was sent, shortened. */
  readonly principal: string;
  /** `ecr:PutImage`, `account:Create`, `login`, … */
  readonly action: string;
  /** The repository's name, the user's, the account's; empty where there is none. */
  readonly resource: string;
  readonly registry: RegistryKey;
  readonly outcome: 'allowed' | 'denied' | 'failed';
  readonly address: string;
  readonly requestId: string;
  /** More of it: tag, digest, policy's name, why. */
  readonly detail: Readonly<Record<string, string | number | boolean>>;
}

/** Append-only. Never awaited on the data path, never throws; a change is recorded after its commit. */
export interface Audit {
  record(entry: AuditEntry): void;
}
