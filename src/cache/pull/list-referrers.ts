import type { Joined } from '../../coordination/flights.ts';
import { Flights } from '../../coordination/flights.ts';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { waitUnder, waitWithin } from '../../coordination/waiting.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { ReferrersAnswer, ReferrersRequest } from '../cache.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import { failureBound, sizeOfDescriptors, sizeOfKey } from '../memory/memory-size.ts';
import { isStopping, stoppedFailure } from '../memory/repository-memory.ts';
import { staleDetail } from '../memory/tag-freshness.ts';
import { isRuled, mayAsk, repositoryKey, ruledKey } from '../pull-request.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { countingRecords } from '../whose-bytes.ts';
import type { PullParts } from './pull-parts.ts';
import { tooSlow } from './pull-parts.ts';
import { ReferrersTagReader } from './referrers-tag.ts';

/** Of all remembered lists; one is read of 16 MiB of JSON at most. */
const listBytesMax = 32 * 1024 * 1024;
const failureBytesMax = 16 * 1024 * 1024;
/** An image is looked at before it is signed: that nothing refers to it is no news to keep. */
const emptyKnownForMs = 5000;
const failureKnownForMs = 5000;

type Descriptors = readonly Descriptor[];

/** Referrers of upstream and of ours together, fresh like a tag (ARCHITECTURE.md, "Lists"). */
export class ReferrersLister {
  readonly #parts: PullParts;
  readonly #lists: TimedMemory<Descriptors>;
  readonly #failures: TimedMemory<UpstreamFailure>;
  readonly #flights: Flights<Descriptors>;
  readonly #tags: ReferrersTagReader;

  constructor(parts: PullParts) {
    this.#parts = parts;
    this.#lists = new TimedMemory(parts.clock, {
      bytesMax: listBytesMax,
      bytesOf: (descriptors, key) => sizeOfKey(key) + sizeOfDescriptors(descriptors),
    });
    this.#failures = new TimedMemory(parts.clock, failureBound(failureBytesMax));
    this.#flights = new Flights(parts.clock);
    this.#tags = new ReferrersTagReader(parts);
  }

  async list(asked: ReferrersRequest, signal: AbortSignal): Promise<ReferrersAnswer> {
    const { repositories } = this.#parts;
    const request = await repositories.withoutRootIfOwn(asked);
    const isStopped = await repositories.isStopped(request);
    const ours = await this.#ourReferrers(request, isStopped);
    if (mayAsk(request)) return this.#listRuled(request, ours, isStopped, signal);
    if (isStopped && !(await repositories.isPushed(request)))
      throw answerOf(stoppedFailure(request), 'referrers', 'negative');
    const detail = isRuled(request) ? 'held only' : 'no rule';
    return { descriptors: ours, outcome: { verdict: 'hit', detail } };
  }

  /** Believes nothing of the repository's lists any longer, and asks for this one now; a failure is left to the next look. */
  async refresh(request: RuledRequest, subject: Digest, signal: AbortSignal): Promise<void> {
    this.#lists.expire(listKey(request, ''));
    await waitUnder(this.#read(request, subject).promise, signal).catch((error: unknown) => {
      if (!(error instanceof UpstreamFailure)) throw error;
    });
  }

  clear(): void {
    this.#lists.clear();
    this.#failures.clear();
  }

  async #listRuled(
    request: ReferrersRequest & RuledRequest,
    ours: Descriptors,
    isStopped: boolean,
    signal: AbortSignal,
  ): Promise<ReferrersAnswer> {
    const key = listKey(request, request.subject);
    const known = isStopped ? undefined : this.#lists.get(key);
    if (known !== undefined)
      return { descriptors: united(ours, known), outcome: { verdict: 'hit' } };
    const kept = this.#lists.last(key) ?? [];
    // Who has something to be served with waits for upstream no longer than a stale tag does.
    const soon =
      kept.length > 0 || ours.length > 0 || (await this.#parts.repositories.isPushed(request));
    try {
      const { descriptors, outcome } = await this.#upstreamNow(request, soon, signal);
      return { descriptors: united(ours, descriptors), outcome };
    } catch (error) {
      if (error instanceof ListsBusy && !isStopped) {
        const here = united(ours, kept);
        if (here.length === 0) throw error;
        return { descriptors: here, outcome: { verdict: 'stale', detail: 'too many lists' } };
      }
      if (!(error instanceof UpstreamFailure)) throw error;
      const stops = isStopped || isStopping(request, error);
      if (stops && !(await this.#parts.repositories.isPushed(request)))
        throw answerOf(error, 'referrers');
      const descriptors = stops ? await this.#ourReferrers(request, true) : united(ours, kept);
      // That nothing is known is no list: it would say that the image is not signed.
      if (descriptors.length === 0) throw answerOf(error, 'referrers');
      return { descriptors, outcome: { verdict: 'stale', detail: staleDetail(error.kind) } };
    }
  }

  /** Upstream's list; throws its failure where it can't be had now. `soon`: after the rule's staleBudget that is a failure. */
  async #upstreamNow(
    request: ReferrersRequest & RuledRequest,
    soon: boolean,
    signal: AbortSignal,
  ): Promise<ReferrersAnswer> {
    const failed = this.#failures.get(listKey(request, request.subject));
    if (failed !== undefined) throw failed;
    const { promise, joined } = this.#read(request, request.subject);
    const { staleBudgetMs } = request.target.rule;
    const descriptors = soon
      ? await waitWithin(promise, staleBudgetMs, this.#parts.clock, signal)
      : await waitUnder(promise, signal);
    if (descriptors === undefined) throw tooSlow(request);
    const verdict = joined ? 'coalesced' : 'miss';
    return { descriptors, outcome: { verdict, upstreamStatus: 200 } };
  }

  #read(request: RuledRequest, subject: Digest): Joined<Descriptors> {
    const key = listKey(request, subject);
    return this.#flights.join(key, async () => {
      try {
        const descriptors = await this.#readNow(request, subject);
        const { freshForMs } = request.target.rule;
        const isEmpty = descriptors.length === 0;
        const forMs = isEmpty ? Math.min(freshForMs, emptyKnownForMs) : freshForMs;
        this.#lists.set(key, descriptors, forMs);
        this.#failures.forget(key);
        return descriptors;
      } catch (error) {
        if (error instanceof UpstreamFailure) this.#failures.set(key, error, failureKnownForMs);
        throw error;
      }
    });
  }

  #readNow(request: RuledRequest, subject: Digest): Promise<Descriptors> {
    const { upstream, turns, signal } = this.#parts;
    return askInTurn(request.target, signal, (target) =>
      turns.run(target.url.host, async (gather) => {
        const listed = await upstream.listReferrers(target, subject, signal);
        return listed ?? (await this.#tags.read(target, subject, gather));
      }),
    );
  }

  #ourReferrers(request: ReferrersRequest, stopped: boolean): Promise<Descriptors> {
    const counting = countingRecords(request.target, stopped);
    const { metadata } = this.#parts;
    return metadata.manifests.listReferrers(repositoryKey(request), request.subject, counting);
  }
}

function listKey(request: PullRequest, subject: Digest | ''): string {
  return ruledKey(request, `referrers ${subject}`);
}

/** Each digest once. Ours was read from the manifest itself; upstream's may say less, or something else. */
function united(ours: Descriptors, theirs: Descriptors): Descriptors {
  return [...new Map([...theirs, ...ours].map((one) => [one.digest, one])).values()];
}
