/** How an answer came about: the `result` of metrics, pull records and `Cache-Status`. */
export type Verdict =
  | 'hit'
  | 'miss'
  | 'stale'
  | 'revalidated'
  | 'coalesced'
  | 'negative'
  | 'bypass'
  | 'error';

/** What a handler knows of an answer's origin; `formatCacheStatus` makes the header of it. */
export interface CacheOutcome {
  readonly verdict: Verdict;
  /** Why: `upstream gone`, `rate limited`, `timeout`, … ; absent where the verdict says all. */
  readonly detail?: string;
  /** What upstream answered, where it was asked for this answer. */
  readonly upstreamStatus?: number;
  /** Seconds of freshness left; negative when stale. Absent for content by digest. */
  readonly ttlSeconds?: number;
}

/** The `Cache-Status` value (RFC 9211 §2). */
export function formatCacheStatus(outcome: CacheOutcome): string {
  const parts = ['Breakwater', ...statusParameters(outcome)];
  if (outcome.upstreamStatus !== undefined) parts.push(`fwd-status=${outcome.upstreamStatus}`);
  if (outcome.ttlSeconds !== undefined) parts.push(`ttl=${Math.trunc(outcome.ttlSeconds)}`);
  if (outcome.detail !== undefined)
    parts.push(`detail="${outcome.detail.replaceAll(/[^ !#-[\]-~]/g, '_')}"`);
  return parts.join('; ');
}

function statusParameters(outcome: CacheOutcome): string[] {
  switch (outcome.verdict) {
    case 'hit':
    case 'stale':
    case 'negative':
      return ['hit'];
    case 'miss':
      return ['fwd=uri-miss', 'stored'];
    case 'coalesced':
      return ['fwd=uri-miss', 'collapsed'];
    case 'revalidated':
      return ['fwd=stale'];
    case 'bypass':
      return ['fwd=bypass'];
    case 'error':
      return ['fwd=uri-miss'];
  }
}
