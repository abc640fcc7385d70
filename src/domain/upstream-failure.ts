import { RegistryError } from './errors.ts';

/** The kinds that a rule's `onFailure` table decides on, and `invalid`: an answer that can't be used. */
export type FailureKind =
  | 'notFound'
  | 'denied'
  | 'rateLimited'
  | 'serverError'
  | 'timeout'
  | 'network'
  | 'invalid';

/** What exactly went wrong, for `detail`, logs and metrics. */
export type FailureReason =
  | 'status'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'reset'
  | 'breakerOpen'
  | 'connectTimeout'
  | 'firstByteTimeout'
  | 'idleTimeout'
  | 'totalTimeout'
  /** The rule's own: its secret can't be had, or its upstream is not admitted. Nobody was asked. */
  | 'blocked'
  | 'tokenRefused'
  | 'realmRefused'
  | 'addressRefused'
  | 'redirectLoop'
  | 'redirectRefused'
  | 'html'
  | 'badJson'
  | 'badHeader'
  | 'headersTooLarge'
  | 'wrongDigest'
  | 'wrongLength'
  | 'wrongRange'
  | 'tooLarge';

export interface FailureOptions {
  readonly kind: FailureKind;
  readonly reason: FailureReason;
  /** The host that was asked, with a port where it is not the default one. */
  readonly upstream: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** An upstream's failure to give what was asked. Thrown by the `Upstream` port, decided on by `cache/`. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly kind: FailureKind;
  readonly reason: FailureReason;
  readonly upstream: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = options.kind;
    this.reason = options.reason;
    this.upstream = options.upstream;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** An `UpstreamFailure` of what is said of each one, in order. */
export function failure(
  message: string,
  kind: FailureKind,
  reason: FailureReason,
  upstream: string,
  more: Omit<FailureOptions, 'kind' | 'reason' | 'upstream'> = {},
): UpstreamFailure {
  return new UpstreamFailure(message, { kind, reason, upstream, ...more });
}

/** An answer that can't be used, with its HTTP status where that says more. */
export function unusable(
  message: string,
  reason: FailureReason,
  upstream: string,
  status?: number,
): UpstreamFailure {
  return failure(message, 'invalid', reason, upstream, status === undefined ? {} : { status });
}

/**
 * What a client is told of an upstream's failure (ARCHITECTURE.md, "Numbers and statuses"); `subject` says what was asked,
 * `verdict` whether upstream was asked for this answer or its no was remembered.
 */
export function answerOf(
  failure: UpstreamFailure,
  subject: 'manifest' | 'blob' | 'tags' | 'referrers',
  verdict: 'error' | 'negative' = 'error',
): RegistryError {
  const status = failure.status === undefined ? {} : { upstreamStatus: failure.status };
  const options = {
    outcome: { verdict, detail: failure.reason, ...status },
    detail: {
      upstream: failure.upstream,
      cause: failure.reason,
      ...(failure.status === undefined ? {} : { status: failure.status }),
      message: failure.message,
    },
    cause: failure,
  };
  switch (failure.kind) {
    case 'notFound':
      if (subject === 'blob')
        return new RegistryError('blobUnknown', 'blob unknown upstream', options);
      if (subject === 'manifest')
        return new RegistryError('manifestUnknown', 'manifest unknown upstream', options);
      return new RegistryError('nameUnknown', 'repository unknown upstream', options);
    case 'denied':
      return new RegistryError('denied', 'upstream denied access', options);
    case 'rateLimited':
      return new RegistryError('tooManyRequests', 'upstream rate limit reached', {
        ...options,
        retryAfterMs: failure.retryAfterMs ?? 60_000,
      });
    case 'network':
      return new RegistryError('unavailable', 'upstream cannot be reached', {
        ...options,
        retryAfterMs: failure.retryAfterMs ?? 1000,
      });
    case 'timeout':
      return new RegistryError('upstreamTimeout', 'upstream did not answer in time', options);
    case 'serverError':
      if (failure.status === 503)
        return new RegistryError('unavailable', 'upstream is unavailable for the moment', {
          ...options,
          retryAfterMs: failure.retryAfterMs ?? 1000,
        });
      return new RegistryError('upstreamInvalid', 'upstream gave an unusable answer', options);
    case 'invalid':
      return new RegistryError('upstreamInvalid', 'upstream gave an unusable answer', options);
  }
}
