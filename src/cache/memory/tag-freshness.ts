import type { Tag } from '../../domain/names/tag.ts';
import type { FailureKind, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { PullRule, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import type { CacheOutcome } from '../../domain/verdict.ts';
import type { StoredTag, TagStatus } from '../../metadata/contract/rows.ts';
import type { PullRequest } from '../pull-request.ts';
import { isSource, sourceOf } from '../pull-request.ts';

/** Whether a stored tag may be served as it is, by its rule as it is now. */
export type Freshness =
  /** Served without a word to upstream. */
  | { readonly kind: 'fresh'; readonly ttlSeconds: number }
  /** To be revalidated unless it is immutable; served as it is where upstream can't say better. */
  | { readonly kind: 'stale'; readonly ttlSeconds: number }
  /** Pushed here: nobody upstream is asked about it, whatever the rule says. */
  | { readonly kind: 'own' }
  /** Read from another URL or path than the rule has now: never served until validated, not even where it is immutable. */
  | { readonly kind: 'foreign' };

/** Decides with the wall clock, since `validatedAt` outlives the process; a time in the future is stale (ARCHITECTURE.md, "Tags"). */
export function freshnessOf(tag: StoredTag, request: PullRequest, now: number): Freshness {
  if (isOwn(tag)) return { kind: 'own' };
  const rule = request.target.rule;
  if (rule === undefined) return { kind: 'fresh', ttlSeconds: 0 };
  if (!isFrom(tag.source, rule, request)) return { kind: 'foreign' };
  const ageMs = now - tag.validatedAt;
  const leftMs = ageMs < 0 ? 0 : rule.freshForMs - ageMs;
  const fresh = leftMs > 0 && tag.status === 'ok';
  return { kind: fresh ? 'fresh' : 'stale', ttlSeconds: leftMs / 1000 };
}

/** Whether the tag was read where the rule leads now. Nothing is allocated where the first URL is it: warm pulls come here. */
function isFrom(source: string, { urls }: PullRule, { target }: PullRequest): boolean {
  for (const url of urls) if (isSource(source, url, target)) return true;
  return false;
}

/** A tag as the URL has it now. */
export function cachedTag(
  request: PullRequest,
  url: UpstreamUrl,
  tag: Tag,
  { digest, mediaType, size }: Pick<StoredTag, 'digest' | 'mediaType' | 'size'>,
  now: number,
): StoredTag {
  const source = sourceOf(url, request.target);
  const seen = { source, validatedAt: now, status: 'ok', provenance: 'cached' } as const;
  return { tag, digest, mediaType, size, ...seen };
}

/** True for a tag that did not come from the rule's upstream: pushed, or replicated from another registry of ours. */
export function isOwn(tag: StoredTag): boolean {
  return tag.provenance !== 'cached';
}

/** The answer of a tag that was pushed here. */
export function ownOutcome(tag: StoredTag): CacheOutcome {
  return { verdict: 'hit', detail: tag.provenance };
}

/** The answer of a tag that its repository's setting keeps where it is. */
export const immutableOutcome: CacheOutcome = { verdict: 'hit', detail: 'immutable' };

export function freshOutcome(ttlSeconds: number): CacheOutcome {
  return { verdict: 'hit', ttlSeconds };
}

/** What a rule does with its last known digest after this failure. Unusable bytes from upstream never stop what is stored here. */
export function actionOn(rule: PullRule, kind: FailureKind): 'keep' | 'stop' {
  return kind === 'invalid' ? 'keep' : rule.onFailure[kind];
}

/** The mark a tag gets after a failure; absent: the failure says nothing about the tag. */
export function statusAfter(failure: UpstreamFailure): TagStatus | undefined {
  if (failure.kind === 'notFound') return 'gone';
  if (failure.kind === 'denied') return 'denied';
  return undefined;
}

/** The `detail` of a stale answer's Cache-Status. */
export function staleDetail(kind: FailureKind): string {
  switch (kind) {
    case 'notFound':
      return 'upstream gone';
    case 'denied':
      return 'upstream denied';
    case 'rateLimited':
      return 'upstream rate limited';
    case 'serverError':
      return 'upstream error';
    case 'timeout':
      return 'upstream timeout';
    case 'network':
      return 'upstream unreachable';
    case 'invalid':
      return 'upstream answer unusable';
  }
}
