import type { Joined } from '../../coordination/flights.ts';
import { Flights } from '../../coordination/flights.ts';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { waitUnder, waitWithin } from '../../coordination/waiting.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { failure } from '../../domain/upstream-failure.ts';
import type { CacheOutcome } from '../../domain/verdict.ts';
import type { StoredTag } from '../../metadata/contract/rows.ts';
import type { UpstreamTarget } from '../../ports/upstream.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import { headTag, saysNothing } from '../memory/head-hints.ts';
import { failureBound } from '../memory/memory-size.ts';
import { notRoots, stoppedFailure } from '../memory/repository-memory.ts';
import {
  actionOn,
  cachedTag,
  freshnessOf,
  freshOutcome,
  immutableOutcome,
  isOwn,
  ownOutcome,
  staleDetail,
} from '../memory/tag-freshness.ts';
import type { RuledRequest } from '../pull-request.ts';
import { mayAsk, ruledKey } from '../pull-request.ts';
import { tooSlow } from './pull-parts.ts';
import type { Revalidation, RevalidationParts } from './revalidate-tag.ts';
import { asFailure, keepTag, revalidateTag } from './revalidate-tag.ts';

const failureBytesMax = 32 * 1024 * 1024;
const deniedKnownForMs = 30_000;
const failureKnownForMs = 5000;

/** What a tag leads to now, and how that came about. */
export interface ResolvedTag {
  readonly tag: StoredTag;
  readonly outcome: CacheOutcome;
}

/** What a check that was asked for came to. */
export interface RefreshedTag {
  readonly before: Digest | undefined;
  readonly after: Digest;
  readonly changed: boolean;
}

/** What tags lead to: fresh ones at once, stale ones after one check at upstream for all who ask (ARCHITECTURE.md, "Tags"). */
export class TagResolver {
  readonly #parts: RevalidationParts;
  readonly #checks: Flights<Revalidation>;
  readonly #learning: Flights<StoredTag>;
  /** Checks that failed a moment ago. */
  readonly #failedChecks: TimedMemory<UpstreamFailure>;

  constructor(parts: RevalidationParts) {
    this.#parts = parts;
    this.#checks = new Flights(parts.clock);
    this.#learning = new Flights(parts.clock);
    this.#failedChecks = new TimedMemory(parts.clock, failureBound(failureBytesMax));
  }

  /** For a tag that is here: a stale one within the rule's budget. Throws the failure where the rule says `stop`, or where a foreign tag can't be validated. */
  async resolve(request: RuledRequest, tag: StoredTag, signal: AbortSignal): Promise<ResolvedTag> {
    const { repositories, clock } = this.#parts;
    const freshness = freshnessOf(tag, request, clock.now());
    if (freshness.kind === 'own') return { tag, outcome: ownOutcome(tag) };
    if (freshness.kind === 'foreign')
      return settled(request, tag, await this.#validated(request, tag, signal), 0);
    const { ttlSeconds } = freshness;
    if (!(await repositories.isStopped(request))) {
      if (freshness.kind === 'fresh') return { tag, outcome: freshOutcome(ttlSeconds) };
      if (await this.#isKept(request, tag)) return { tag, outcome: immutableOutcome };
    }
    const recent = this.#failedChecks.get(ruledKey(request, tag.tag));
    if (recent !== undefined) return afterFailure(request, tag, recent, ttlSeconds);
    const { promise, startedAt } = this.#check(request, tag);
    const leftMs = request.target.rule.staleBudgetMs - (clock.elapsed() - startedAt);
    const result = await waitWithin(promise, leftMs, clock, signal);
    if (result !== undefined) return settled(request, tag, result, ttlSeconds);
    return afterFailure(request, tag, tooSlow(request), ttlSeconds);
  }

  /**
   * For a tag that is here, without asking upstream. Throws what upstream last said where the rule says `stop` for it;
   * `undefined` where the tag was read from another source than the rule's.
   */
  async resolveHeld(request: RuledRequest, tag: StoredTag): Promise<ResolvedTag | undefined> {
    const { repositories, clock } = this.#parts;
    const freshness = freshnessOf(tag, request, clock.now());
    if (freshness.kind === 'own') return { tag, outcome: ownOutcome(tag) };
    if (freshness.kind === 'foreign') return undefined;
    if (await repositories.isStopped(request)) throw stoppedFailure(request);
    const { kind, ttlSeconds } = freshness;
    if (kind === 'fresh') return { tag, outcome: freshOutcome(ttlSeconds) };
    if (await this.#isKept(request, tag)) return { tag, outcome: immutableOutcome };
    const failure =
      this.#failedChecks.get(ruledKey(request, tag.tag)) ?? failureSaidBy(tag, request);
    if (failure !== undefined) return afterFailure(request, tag, failure, ttlSeconds);
    return { tag, outcome: { verdict: 'stale', detail: 'not validated', ttlSeconds } };
  }

  /**
   * For a tag whose digest can't be had: the manifest is asked for by the tag, and stored with it. Throws the failure;
   * `undefined` where the tag may not move.
   */
  async reread(
    request: RuledRequest,
    tag: StoredTag,
    signal: AbortSignal,
  ): Promise<StoredTag | undefined> {
    if (isOwn(tag) || (await this.#isKept(request, tag))) return undefined;
    return (await this.#validated(request, tag, signal, true)).tag;
  }

  /** For a tag that is not here: one upstream HEAD, kept as validated; or a GET where HEAD can't say. */
  async learn(request: RuledRequest, tag: Tag, signal: AbortSignal): Promise<ResolvedTag> {
    const { promise, joined } = this.#learning.join(ruledKey(request, tag), () =>
      askInTurn(request.target, this.#parts.signal, (target) => this.#ask(request, tag, target)),
    );
    const stored = await waitUnder(promise, signal);
    if (isOwn(stored)) return { tag: stored, outcome: ownOutcome(stored) };
    const verdict = joined ? 'coalesced' : 'miss';
    const ttlSeconds = request.target.rule.freshForMs / 1000;
    return { tag: stored, outcome: { verdict, upstreamStatus: 200, ttlSeconds } };
  }

  /** Asks upstream now, whatever the freshness: `breakwater refresh`. Throws the failure. */
  async refresh(asked: RuledRequest, tag: Tag, signal: AbortSignal): Promise<RefreshedTag> {
    const { repositories, fetcher } = this.#parts;
    const request = await repositories.withoutRootIfOwn(asked);
    if (!mayAsk(request)) throw notRoots(request);
    const stored = await repositories.findTag(request, tag);
    if (stored === undefined) {
      const { digest } = await waitUnder(fetcher.byTag(request, tag).promise, signal);
      return { before: undefined, after: digest, changed: true };
    }
    if (isOwn(stored)) throw notUpstreams(stored);
    if (await this.#isKept(request, stored)) throw notMoved(stored);
    const result = await waitUnder(this.#check(request, stored).promise, signal);
    if (result.kind === 'failed') throw result.failure;
    return { before: stored.digest, after: result.tag.digest, changed: result.kind === 'moved' };
  }

  /** Forgets which checks failed a moment ago: after a reload. */
  clear(): void {
    this.#failedChecks.clear();
  }

  /** What a check finds now. Throws its failure, or that of a moment ago. */
  async #validated(
    request: RuledRequest,
    tag: StoredTag,
    signal: AbortSignal,
    unreachable = false,
  ): Promise<Exclude<Revalidation, { readonly kind: 'failed' }>> {
    const recent = this.#failedChecks.get(ruledKey(request, tag.tag));
    if (recent !== undefined) throw recent;
    const result = await waitUnder(this.#check(request, tag, unreachable).promise, signal);
    if (result.kind === 'failed') throw result.failure;
    return result;
  }

  #check(request: RuledRequest, tag: StoredTag, unreachable = false): Joined<Revalidation> {
    const key = ruledKey(request, tag.tag);
    return this.#checks.join(unreachable ? `${key} by GET` : key, async () => {
      const { repositories } = this.#parts;
      const own = await repositories.findOwnTag(request, tag.tag);
      if (own !== undefined) return { kind: 'same', tag: own };
      const isHere = (await repositories.findManifest(request, tag.digest)) !== undefined;
      const immutable = await this.#isKept(request, tag);
      const toCheck = { tag, isHere, immutable, unreachable };
      const result = await revalidateTag(this.#parts, request, toCheck);
      if (result.kind !== 'failed') this.#failedChecks.forget(key);
      else this.#failedChecks.set(key, result.failure, knownForMs(result.failure));
      return result;
    });
  }

  /** An immutable tag stays what its source has once said. */
  async #isKept(request: RuledRequest, tag: StoredTag): Promise<boolean> {
    const { repositories, clock } = this.#parts;
    const { kind } = freshnessOf(tag, request, clock.now());
    return kind !== 'foreign' && (await repositories.isImmutable(request, tag.tag));
  }

  /** What the URL says of a tag that is not here, remembered. */
  async #ask(request: RuledRequest, tag: Tag, target: UpstreamTarget): Promise<StoredTag> {
    try {
      return await this.#learnFrom(request, tag, target);
    } catch (error) {
      throw asFailure(error, target.url);
    }
  }

  async #learnFrom(request: RuledRequest, tag: Tag, target: UpstreamTarget): Promise<StoredTag> {
    const { repositories, fetcher, clock } = this.#parts;
    const { url } = target;
    // That there is no such tag is said by a HEAD as by a GET, to HEADs.
    const { digest, mediaType, size } =
      (await headTag(this.#parts, target, tag, saysNothing)) ?? {};
    if (digest === undefined || size === undefined || mediaType === undefined) {
      // A HEAD that does not say what it found can't be answered or kept: the manifest itself has to be read.
      const manifest = await fetcher.byTag(request, tag).promise;
      const known = repositories.peekTag(request, tag, repositories.stamp(request));
      if (known !== undefined) return known;
      const found = { ...manifest, size: manifest.bytes.length };
      return cachedTag(request, url, tag, found, clock.now());
    }
    const found = cachedTag(request, url, tag, { digest, mediaType, size }, clock.now());
    const stamp = repositories.stamp(request);
    const own = await repositories.findOwnTag(request, tag);
    if (own !== undefined) return own;
    await keepTag(this.#parts, request, found, stamp);
    return found;
  }
}

function knownForMs({ kind }: UpstreamFailure): number {
  return kind === 'denied' ? deniedKnownForMs : failureKnownForMs;
}

function settled(
  request: RuledRequest,
  tag: StoredTag,
  result: Revalidation,
  ttlSeconds: number,
): ResolvedTag {
  if (result.kind === 'failed') {
    if (result.lost === undefined) return afterFailure(request, tag, result.failure, ttlSeconds);
    const detail = 'new digest cannot be had';
    return { tag, outcome: { verdict: 'stale', detail, ttlSeconds } };
  }
  if (isOwn(result.tag)) return { tag: result.tag, outcome: ownOutcome(result.tag) };
  const freshFor = { upstreamStatus: 200, ttlSeconds: request.target.rule.freshForMs / 1000 };
  const detail = result.kind === 'moved' ? { detail: 'tag moved' } : {};
  return { tag: result.tag, outcome: { verdict: 'revalidated', ...detail, ...freshFor } };
}

/** The last known digest, or the failure where the rule says so. */
function afterFailure(
  request: RuledRequest,
  tag: StoredTag,
  failure: UpstreamFailure,
  ttlSeconds: number,
): ResolvedTag {
  const { kind, status } = failure;
  if (actionOn(request.target.rule, kind) === 'stop') throw failure;
  const upstreamStatus = status === undefined ? {} : { upstreamStatus: status };
  const detail = staleDetail(kind);
  return { tag, outcome: { verdict: 'stale', detail, ttlSeconds, ...upstreamStatus } };
}

/** The failure that the last check left in the tag's row. */
function failureSaidBy(tag: StoredTag, request: RuledRequest): UpstreamFailure | undefined {
  if (tag.status !== 'gone' && tag.status !== 'denied') return undefined;
  return failure(
    `upstream said that the tag ${tag.tag} is ${tag.status}`,
    tag.status === 'gone' ? 'notFound' : 'denied',
    'status',
    request.target.rule.urls[0].host,
  );
}

/** A pushed tag is what was pushed; nothing upstream could make it fresher. */
function notUpstreams({ tag, digest, provenance }: StoredTag): RegistryError {
  return new RegistryError('requestInvalid', `the tag ${tag} was ${provenance} here`, {
    detail: { tag, digest, hint: 'delete it to have the upstream’s again' },
  });
}

/** The repository's setting keeps it, whatever upstream has now. */
function notMoved({ tag, digest }: StoredTag): RegistryError {
  return new RegistryError('requestInvalid', `the tag ${tag} is immutable here`, {
    detail: { tag, digest, hint: 'make the repository’s tags mutable, or delete this one' },
  });
}
