import { LRUCache } from 'lru-cache';
import { algorithmOf, hexOf, type Digest } from '../domain/digest.ts';
import type { Descriptor } from '../domain/manifest.ts';
import { parseManifest } from '../domain/manifest-parser.ts';
import { parseTag } from '../domain/tag.ts';
import { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { UpstreamTarget } from '../ports/upstream.ts';
import type { Cache, PullRequest, ReferrersAnswer } from './cache.ts';
import type { FetchManifestParts, RuledRequest } from './fetch-manifest.ts';
import { memoryKey, repositoryKey } from './keys.ts';
import { isRuled } from './pull-manifest.ts';
import { SingleFlight, waitUnder, waitWithin } from './single-flight.ts';
import { staleDetail } from './tag-freshness.ts';
import { askInTurn } from './upstream-sources.ts';

const listsMax = 10_000;

type Parts = Pick<FetchManifestParts, 'upstream' | 'metadata' | 'clock' | 'signal'>;

/** Referrers of upstream and of ours together, fresh like a tag (design.md §3, "Referrers"). */
export function createReferrersLister(
  parts: Parts,
): Pick<Cache, 'listReferrers'> & { clear(): void } {
  const lists = new LRUCache<string, { descriptors: readonly Descriptor[]; at: number }>({
    max: listsMax,
  });
  const flights = new SingleFlight<readonly Descriptor[]>();

  async function readUpstream(
    request: RuledRequest,
    subject: Digest,
  ): Promise<readonly Descriptor[]> {
    const { rule, upstreamRepository: repository } = request.target;
    return askInTurn(rule.urls, parts.signal, async (url) => {
      const target = { rule, url, repository };
      return (
        (await parts.upstream.listReferrers(target, subject, parts.signal)) ??
        readTagSchema(target, subject)
      );
    });
  }

  /** Where upstream has no referrers API: the index under the subject's `sha256-<hex>` tag, or none (distribution-spec, "Referrers Tag Schema"). */
  async function readTagSchema(
    target: UpstreamTarget,
    subject: Digest,
  ): Promise<readonly Descriptor[]> {
    const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`);
    if (tag === undefined) return [];
    try {
      const fetched = await parts.upstream.getManifest(
        target,
        { kind: 'tag', tag },
        undefined,
        parts.signal,
      );
      return fetched === undefined ? [] : parseManifest(fetched.bytes, fetched.mediaType).manifests;
    } catch (error) {
      if (error instanceof UpstreamFailure && error.kind === 'notFound') return [];
      throw error;
    }
  }

  async function upstreamOf(
    request: RuledRequest,
    subject: Digest,
    soon: boolean,
    signal: AbortSignal,
  ): Promise<ReferrersAnswer> {
    const key = memoryKey(request, `referrers ${subject}`);
    const known = lists.get(key);
    const freshFor = request.target.rule.freshForMs;
    if (known !== undefined && parts.clock.elapsed() - known.at < freshFor) {
      return { descriptors: known.descriptors, outcome: { verdict: 'hit' } };
    }
    const { promise, joined } = flights.join(key, async () => {
      const descriptors = await readUpstream(request, subject);
      lists.set(key, { descriptors, at: parts.clock.elapsed() });
      return descriptors;
    });
    try {
      const descriptors = await (soon
        ? waitWithin(promise, request.target.rule.staleBudgetMs, parts.clock, signal)
        : waitUnder(promise, signal));
      if (descriptors === undefined)
        return {
          descriptors: known?.descriptors ?? [],
          outcome: { verdict: 'stale', detail: 'upstream timeout' },
        };
      return {
        descriptors,
        outcome: { verdict: joined ? 'coalesced' : 'miss', upstreamStatus: 200 },
      };
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      return {
        descriptors: known?.descriptors ?? [],
        outcome: { verdict: 'stale', detail: staleDetail(error.kind) },
      };
    }
  }

  async function isPushed(request: PullRequest): Promise<boolean> {
    return (await parts.metadata.findRepository(repositoryKey(request)))?.pushed === true;
  }

  return {
    clear: () => lists.clear(),
    listReferrers: async (request, signal) => {
      const ours = await parts.metadata.listReferrers(repositoryKey(request), request.subject);
      if (!isRuled(request))
        return { descriptors: ours, outcome: { verdict: 'hit', detail: 'no rule' } };
      if (request.heldOnly === true)
        return { descriptors: ours, outcome: { verdict: 'hit', detail: 'held only' } };
      // Who asks for the referrers of what was pushed here waits for upstream no longer than a stale tag does.
      const soon = await isPushed(request);
      const theirs = await upstreamOf(request, request.subject, soon, signal);
      const united = new Map([...ours, ...theirs.descriptors].map((one) => [one.digest, one]));
      return { descriptors: [...united.values()], outcome: theirs.outcome };
    },
  };
}
