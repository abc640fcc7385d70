import { LRUCache } from 'lru-cache';
import type { Digest } from '../../domain/names/digest.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Cache, ReferrersAnswer, ReferrersRequest } from '../cache.ts';
import type { FetchManifestParts } from './fetch-manifest.ts';
import type { ListTurns } from './list-turns.ts';
import { sizeOfDescriptors, sizeOfFailure, sizeOfKey } from '../memory/memory-size.ts';
import { createReferrersTagReader } from './referrers-tag.ts';
import { isStopping, stoppedFailure } from '../memory/repository-stops.ts';
import { SingleFlight, waitUnder, waitWithin } from '../single-flight.ts';
import { staleDetail } from '../memory/tag-freshness.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import { countingRecords } from '../whose-bytes.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { repositoryKey, ruledKey, isRuled } from '../pull-request.ts';

/** Of all remembered lists; one is read of 16 MiB of JSON at most. */
const listBytesMax = 32 * 1024 * 1024;
const failureBytesMax = 16 * 1024 * 1024;
/** An image is looked at before it is signed: that nothing refers to it is no news to keep. */
const emptyKnownForMs = 5000;
const failureKnownForMs = 5000;

interface Parts extends Pick<
  FetchManifestParts,
  'upstream' | 'metadata' | 'stops' | 'clock' | 'signal'
> {
  readonly turns: ListTurns;
}

/** What upstream last said, and until when that is believed (of the process's clock). */
interface KnownList {
  readonly descriptors: readonly Descriptor[];
  readonly freshUntil: number;
}

export interface ReferrersLister extends Pick<Cache, 'listReferrers'> {
  /** Believes nothing of the repository's lists any longer, and asks for this one now; a failure is left to the next look. */
  readonly refresh: (request: RuledRequest, subject: Digest, signal: AbortSignal) => Promise<void>;
  clear(): void;
}

/** Referrers of upstream and of ours together, fresh like a tag (ARCHITECTURE.md, "Lists"). */
export function createReferrersLister(parts: Parts): ReferrersLister {
  const lists = new LRUCache<string, KnownList>({
    maxSize: listBytesMax,
    sizeCalculation: ({ descriptors }, key) => sizeOfKey(key) + sizeOfDescriptors(descriptors),
  });
  const failures = new LRUCache<string, { failure: UpstreamFailure; until: number }>({
    maxSize: failureBytesMax,
    sizeCalculation: ({ failure }, key) => sizeOfKey(key) + sizeOfFailure(failure),
  });
  const flights = new SingleFlight<readonly Descriptor[]>();
  const readTag = createReferrersTagReader(parts);

  async function readUpstream(
    request: RuledRequest,
    subject: Digest,
  ): Promise<readonly Descriptor[]> {
    const { rule, upstreamRepository: repository } = request.target;
    return askInTurn(rule.urls, parts.signal, (url) => {
      const target = { rule, url, repository };
      return parts.turns.run(url.host, async (gather) => {
        const listed = await parts.upstream.listReferrers(target, subject, parts.signal);
        return listed ?? (await readTag(target, subject, gather));
      });
    });
  }

  function read(
    request: RuledRequest,
    subject: Digest,
  ): { readonly promise: Promise<readonly Descriptor[]>; readonly joined: boolean } {
    const key = keyOf(request, subject);
    return flights.join(key, async () => {
      try {
        const descriptors = await readUpstream(request, subject);
        const { freshForMs } = request.target.rule;
        const ms = descriptors.length === 0 ? Math.min(freshForMs, emptyKnownForMs) : freshForMs;
        lists.set(key, { descriptors, freshUntil: parts.clock.elapsed() + ms });
        failures.delete(key);
        return descriptors;
      } catch (error) {
        if (error instanceof UpstreamFailure)
          failures.set(key, { failure: error, until: parts.clock.elapsed() + failureKnownForMs });
        throw error;
      }
    });
  }

  /** Upstream's list; throws its failure where it can't be had now. `soon`: after the rule's staleBudget that is a failure. */
  async function upstreamNow(
    request: RuledRequest,
    subject: Digest,
    soon: boolean,
    signal: AbortSignal,
  ): Promise<ReferrersAnswer> {
    const failed = failures.get(keyOf(request, subject));
    if (failed !== undefined && failed.until > parts.clock.elapsed()) throw failed.failure;
    const { promise, joined } = read(request, subject);
    const descriptors = soon
      ? await waitWithin(promise, request.target.rule.staleBudgetMs, parts.clock, signal)
      : await waitUnder(promise, signal);
    if (descriptors === undefined) throw tooSlow(request);
    return {
      descriptors,
      outcome: { verdict: joined ? 'coalesced' : 'miss', upstreamStatus: 200 },
    };
  }

  async function listRuled(
    request: ReferrersRequest & RuledRequest,
    ours: readonly Descriptor[],
    signal: AbortSignal,
  ): Promise<ReferrersAnswer> {
    const { subject } = request;
    const known = lists.get(keyOf(request, subject));
    const isStopped = await parts.stops.isStopped(request);
    if (!isStopped && known !== undefined && known.freshUntil > parts.clock.elapsed())
      return { descriptors: united(ours, known.descriptors), outcome: { verdict: 'hit' } };
    const kept = known?.descriptors ?? [];
    // Who has something to be served with waits for upstream no longer than a stale tag does.
    const soon = kept.length > 0 || ours.length > 0 || (await isPushed(request));
    try {
      const { descriptors, outcome } = await upstreamNow(request, subject, soon, signal);
      return { descriptors: united(ours, descriptors), outcome };
    } catch (error) {
      if (error instanceof ListsBusy && !isStopped) {
        const here = united(ours, kept);
        if (here.length === 0) throw error;
        return { descriptors: here, outcome: { verdict: 'stale', detail: 'too many lists' } };
      }
      if (!(error instanceof UpstreamFailure)) throw error;
      const stops = isStopped || isStopping(request, error);
      if (stops && !(await isPushed(request))) throw answerOf(error, 'referrers');
      const descriptors = stops ? await ourReferrers(request, true) : united(ours, kept);
      // That nothing is known is no list: it would say that the image is not signed.
      if (descriptors.length === 0) throw answerOf(error, 'referrers');
      return { descriptors, outcome: { verdict: 'stale', detail: staleDetail(error.kind) } };
    }
  }

  function ourReferrers(
    request: ReferrersRequest,
    stopped: boolean,
  ): Promise<readonly Descriptor[]> {
    const counting = countingRecords(request.target, stopped);
    return parts.metadata.listReferrers(repositoryKey(request), request.subject, counting);
  }

  async function isPushed(request: PullRequest): Promise<boolean> {
    return (await parts.metadata.findRepository(repositoryKey(request)))?.pushed === true;
  }

  return {
    clear: () => {
      lists.clear();
      failures.clear();
    },
    refresh: async (request, subject, signal) => {
      const ofRepository = ruledKey(request, 'referrers ');
      for (const [key, { descriptors }] of lists.entries())
        if (key.startsWith(ofRepository)) lists.set(key, { descriptors, freshUntil: 0 });
      await waitUnder(read(request, subject).promise, signal).catch((error: unknown) => {
        if (!(error instanceof UpstreamFailure)) throw error;
      });
    },
    listReferrers: async (request, signal) => {
      const ours = await ourReferrers(request, await parts.stops.isStopped(request));
      if (isRuled(request) && request.heldOnly !== true) return listRuled(request, ours, signal);
      if ((await parts.stops.isStopped(request)) && !(await isPushed(request)))
        throw answerOf(stoppedFailure(request), 'referrers', 'negative');
      const detail = isRuled(request) ? 'held only' : 'no rule';
      return { descriptors: ours, outcome: { verdict: 'hit', detail } };
    },
  };
}

function keyOf(request: RuledRequest, subject: Digest): string {
  return ruledKey(request, `referrers ${subject}`);
}

/** Each digest once. Ours was read from the manifest itself; upstream's may say less, or something else. */
function united(ours: readonly Descriptor[], theirs: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map([...theirs, ...ours].map((one) => [one.digest, one])).values()];
}

function tooSlow(request: RuledRequest): UpstreamFailure {
  return new UpstreamFailure('upstream did not answer within staleBudget', {
    kind: 'timeout',
    reason: 'totalTimeout',
    upstream: request.target.rule.urls[0]?.host ?? '',
  });
}
