import type { CacheOutcome } from './verdict.ts';

/** Everything that can be answered instead of content; each protocol maps it in one table. */
export type ErrorCode =
  | 'nameInvalid'
  | 'nameUnknown'
  | 'tagInvalid'
  | 'digestInvalid'
  | 'manifestUnknown'
  | 'blobUnknown'
  /** A manifest names what this repository does not hold; the digests are in `detail`. */
  | 'manifestBlobUnknown'
  | 'manifestInvalid'
  /** The tag exists, and the repository's mutability setting protects it. */
  | 'tagImmutable'
  | 'uploadUnknown'
  | 'uploadInvalid'
  /** A chunk that does not begin where the last one ended; `detail` holds `id` and `size`. */
  | 'uploadRange'
  /** A length that is not what was said. */
  | 'sizeInvalid'
  | 'paginationInvalid'
  | 'requestInvalid'
  | 'requestTooLarge'
  | 'routeUnknown'
  | 'unsupported'
  | 'unauthorized'
  | 'denied'
  /** What is to be made is there already, or is not empty. */
  | 'conflict'
  | 'tooManyRequests'
  /** The volume is full. */
  | 'storageFull'
  /** The volume can't be written: read-only, or broken. */
  | 'storageFailed'
  | 'unavailable'
  | 'upstreamInvalid'
  | 'upstreamTimeout'
  /** Nobody is there to be answered: told to the logs alone. */
  | 'clientLeft'
  | 'internal';

/** What exactly it is, for protocols that have a word of their own for it; to the others `code` says enough. */
export type ErrorKind =
  | 'repositoryUnknown'
  | 'repositoryExists'
  | 'repositoryNotEmpty'
  /** Somebody pushed into it, or made it by hand. */
  | 'repositoryPushed'
  | 'repositoryPolicyUnknown'
  | 'registryPolicyUnknown'
  | 'signingConfigurationUnknown'
  | 'exclusionUnknown'
  | 'exclusionExists'
  | 'backfillUnknown'
  /** What would do it is no part of this server. */
  | 'engineNotAvailable'
  | 'limitExceeded'
  | 'templateExists'
  | 'templateUnknown'
  | 'policyInvalid'
  | 'lifecyclePolicyInvalid'
  | 'lifecyclePolicyUnknown'
  | 'lifecyclePreviewUnknown'
  | 'lifecyclePreviewInProgress'
  | 'ruleExists'
  | 'ruleUnknown'
  /** It stands in the configuration file. */
  | 'ruleOfFile'
  | 'tooManyRules'
  /** None that a rule may lead to, or not without a credential. */
  | 'upstreamUnsupported'
  | 'secretUnknown'
  | 'secretInaccessible'
  | 'secretUndecryptable'
  | 'imageUnknown'
  | 'imageExists'
  | 'uploadEmpty'
  | 'secretExists'
  | 'secretVersionExists'
  /** The state that a secret is in does not let it. */
  | 'secretRequestInvalid'
  /** A staging label may not be moved so. */
  | 'secretStageInvalid'
  | 'secretLimit'
  | 'secretPolicyPublic'
  | 'repositoryTagInvalid'
  | 'tooManyTags'
  /** No user, robot, or account of that name. */
  | 'principalUnknown'
  | 'principalExists'
  /** It has keys, tokens or policies, which were to go first. */
  | 'principalInUse'
  | 'accessKeyUnknown'
  | 'principalPolicyUnknown'
  /** No managed policy of that ARN, or not that version. */
  | 'managedPolicyUnknown'
  | 'managedPolicyExists'
  /** It is no ARN of a managed policy. */
  | 'policyArnInvalid'
  /** More keys, policies or tags of a principal than IAM gives it. */
  | 'principalLimit'
  /** A session's policy and labels are too long. */
  | 'sessionTooLarge'
  /** The token of an identity provider. */
  | 'identityTokenInvalid'
  | 'identityTokenExpired'
  | 'identityTokenRejected'
  | 'identityProviderDown';

export interface ErrorOptionsOf {
  readonly kind?: ErrorKind | undefined;
  /** Goes to the client as the error's `detail`: the field, the value, the fix or the upstream's cause; never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>;
  /** Sent as Retry-After, rounded up to whole seconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
  /** Why, for the operator's log alone: which statement or setting decided. Never sent. */
  readonly because?: string;
  /** How the cache came to this answer, for `Cache-Status`; absent where it was not asked. */
  readonly outcome?: CacheOutcome;
}

/** The one error type that front-ends translate; anything else that is thrown is answered as `internal`. */
export class RegistryError extends Error {
  override readonly name: string = 'RegistryError';
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterMs: number | undefined;
  readonly outcome: CacheOutcome | undefined;
  readonly because: string | undefined;
  readonly kind: ErrorKind | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsOf = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs;
    this.outcome = options.outcome;
    this.because = options.because;
    this.kind = options.kind;
  }

  /** The same error in other words. */
  reworded(message: string): RegistryError {
    const { detail, retryAfterMs, outcome, because, kind, cause } = this;
    return new RegistryError(this.code, message, {
      kind,
      ...(detail === undefined ? {} : { detail }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(because === undefined ? {} : { because }),
      cause,
    });
  }
}

/** That a repository is not there. It reads the same for one that the caller may not see; `because` says in the log which it is. */
export function repositoryUnknown(name: string, because?: string): RegistryError {
  return new RegistryError('nameUnknown', 'repository unknown', {
    kind: 'repositoryUnknown',
    detail: { name },
    ...(because === undefined ? {} : { because }),
  });
}
