import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { FailureKind } from '../domain/upstream-failure.ts';

/**
 * What `explain` says of an image: the body of `GET /api/v1/explain` and of `explain -o json`. Times are ISO 8601 in UTC;
 * what does not apply is `null`, so that every key is always there.
 */
export interface Explanation {
  readonly image: string;
  /** The canonical local name. */
  readonly repository: string;
  readonly reference: string;
  readonly rule: ExplainedRule | null;
  readonly upstream: ExplainedUpstream | null;
  readonly admission: { readonly allowed: boolean; readonly reason: string };
  readonly access: { readonly anonymous: boolean; readonly reason: string };
  /** Set while `stop` on 401 or 403 holds the whole repository. */
  readonly stopped: { readonly at: string; readonly reason: string } | null;
  readonly tag: ExplainedTag | null;
  readonly content: ExplainedContent;
  readonly limiter: ExplainedLimiter | null;
  /** Set where the volume has no more free than `cache.minFree` keeps: blobs that are not held are passed on and not kept. In bytes. */
  readonly space: { readonly freeBytes: number; readonly minFreeBytes: number } | null;
  /** The last pull of this image that upstream refused; until `nextAt` the next is refused alike, without asking. */
  readonly lastTry: {
    readonly at: string;
    readonly message: string;
    readonly nextAt: string | null;
  } | null;
  /** For the callers that were asked about; without any, for who may have it fetched. */
  readonly verdict: { readonly code: PullForecast; readonly text: string };
  /** What callers would get; absent where only the image was looked at. */
  readonly callers?: readonly ExplainedCaller[];
  /** Only where it was asked for. */
  readonly probe: ExplainedProbe | null;
}

/** What one caller would get of a pull now. */
export interface ExplainedCaller {
  /** An ARN, or `anonymous`. */
  readonly as: string;
  /** An IP address, `this machine` or `another machine`. */
  readonly from: string;
  /** Of the answer that decides whether they get the image. */
  readonly status: number;
  readonly text: string;
}

/** What a pull now would do. */
export type PullForecast =
  /** By what the caller may; the rest are the rule's and the upstream's doing. */
  | 'refused'
  | 'noRule'
  | 'denied'
  | 'stopped'
  | 'hit'
  | 'hitPartial'
  | 'revalidate'
  | 'stale'
  | 'fetch'
  | 'rateLimited'
  | 'unavailable'
  /** What upstream answered, to the probe or to a pull of this image a moment ago: it would say so again. */
  | 'upstreamMissing'
  | 'upstreamDenied'
  | 'upstreamTimeout'
  | 'upstreamInvalid';

export interface ExplainedRule {
  readonly prefix: string;
  readonly origin: PullRule['origin'];
  /** The credential's name, never what it holds. */
  readonly credential: string | null;
  readonly anonymousPull: boolean;
  readonly freshForSeconds: number;
  readonly platforms: string;
}

export interface ExplainedUpstream {
  readonly url: string;
  readonly mirrors: readonly string[];
  /** The name at the upstream. */
  readonly repository: string;
}

export interface ExplainedTag {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly validatedAt: string;
  /** `null` where it is never revalidated. */
  readonly freshUntil: string | null;
  readonly fresh: boolean;
  /** True where the tag was read from another place than the rule leads to now. */
  readonly sourceChanged: boolean;
  /** Its repository's setting keeps it where it is. */
  readonly immutable: boolean;
  readonly status: string;
  /** `cached`: it came from the rule's upstream. Any other is never validated there. */
  readonly provenance: 'pushed' | 'cached' | 'replicated';
  /** Digests that the tag has had, at most 100 counted. */
  readonly historyCount: number;
}

export interface ExplainedContent {
  readonly state: 'complete' | 'partial' | 'absent';
  readonly digest: string | null;
  readonly mediaType: string | null;
  readonly held: { readonly manifests: number; readonly blobs: number };
  readonly missing: { readonly manifests: number; readonly blobs: number };
  /** Of an index, one per child that names a platform. */
  readonly platforms: readonly {
    readonly platform: string;
    readonly state: 'complete' | 'partial' | 'absent';
  }[];
  /** The first of what is missing. */
  readonly examples: readonly {
    readonly role: 'manifest' | 'config' | 'layer';
    readonly digest: string;
  }[];
  /** True where the walk ended at its bound, so that the numbers are lower bounds. */
  readonly truncated: boolean;
}

export interface ExplainedLimiter {
  readonly upstream: string;
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** Set while an open breaker keeps requests from it; after that the next one is tried. */
  readonly restsUntil: string | null;
  readonly heldUntil: string | null;
  readonly lastSuccessAt: string | null;
  readonly lastFailure: { readonly at: string; readonly message: string } | null;
  readonly limit: ExplainedLimit | null;
}

/** What the upstream says of its pull quota. */
export interface ExplainedLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number;
  readonly account: string;
  readonly resetAt: string | null;
  readonly observedAt: string;
}

export interface ExplainedProbe {
  readonly ok: boolean;
  readonly upstream: string;
  readonly durationMs: number;
  readonly digest: string | null;
  readonly mediaType: string | null;
  /** Set where it failed. */
  readonly failure: {
    readonly kind: FailureKind;
    readonly reason: string;
    readonly message: string;
  } | null;
}
