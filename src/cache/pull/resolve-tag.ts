import type { Tag } from '../../domain/names/tag.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { CacheOutcome } from '../../domain/verdict.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { RegistryError } from '../../domain/errors.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { StoredTag } from '../../metadata/contract/metadata.ts';
import type { ManifestHead, UpstreamTarget } from '../../ports/upstream.ts';
import { LRUCache } from 'lru-cache';
import type { FetchManifestParts, ManifestFetcher } from './fetch-manifest.ts';
import { isHeadsNo, saysAbsent } from '../memory/head-hints.ts';
import { findOwnTag } from '../memory/manifest-memory.ts';
import { sizeOfFailure, sizeOfKey } from '../memory/memory-size.ts';
import { stoppedFailure } from '../memory/repository-stops.ts';
import type { Revalidation } from './revalidate-tag.ts';
import { asFailure, revalidateTag } from './revalidate-tag.ts';
import { SingleFlight, waitUnder, waitWithin } from '../single-flight.ts';
import {
  actionOn,
  freshnessOf,
  immutableOutcome,
  isOwn,
  ownOutcome,
  staleDetail,
} from '../memory/tag-freshness.ts';
import type { RuledRequest } from '../pull-request.ts';
import { isPrivate, repositoryKey, ruledKey, sourceOf } from '../pull-request.ts';

const failureBytesMax = 32 * 1024 * 1024;
const failureKnownForMs = { notFound: 5000, denied: 30_000, other: 5000 } as const;

/** What a tag leads to now, and how that came about. */
export interface ResolvedTag {
  readonly tag: StoredTag;
  readonly outcome: CacheOutcome;
}

export interface TagResolver {
  /** For a tag that is held: fresh from memory, stale within the rule's budget. Throws the failure where the rule says `stop`, or where a foreign tag can't be validated. */
  resolve(request: RuledRequest, tag: StoredTag, signal: AbortSignal): Promise<ResolvedTag>;
  /**
   * For a tag that is held, without asking upstream. Throws what upstream last said where the rule says `stop` for it;
   * `undefined` where the tag was read from another source than the rule's.
   */
  resolveHeld(request: RuledRequest, tag: StoredTag): Promise<ResolvedTag | undefined>;
  /**
   * For a tag whose digest can't be had: the manifest is asked for by the tag, and stored with it. Throws the failure;
   * `undefined` where the tag may not move.
   */
  reread(
    request: RuledRequest,
    tag: StoredTag,
    signal: AbortSignal,
  ): Promise<StoredTag | undefined>;
  /** For a tag that is not held: one upstream HEAD, kept as validated; or a GET where HEAD can't say. */
  learn(request: RuledRequest, tag: Tag, signal: AbortSignal): Promise<ResolvedTag>;
  /** Asks upstream now, whatever the freshness: `breakwater refresh`. Throws the failure. */
  refresh: (
    request: RuledRequest,
    tag: Tag,
    signal: AbortSignal,
  ) => Promise<{
    readonly before: Digest | undefined;
    readonly after: Digest;
    readonly changed: boolean;
  }>;
  /** Forgets which checks failed a moment ago: after a reload. */
  clear(): void;
}

export function createTagResolver(
  parts: FetchManifestParts,
  fetcher: ManifestFetcher,
): TagResolver {
  const checks = new SingleFlight<Revalidation>();
  const heads = new SingleFlight<StoredTag>();
  const began = new Map<string, number>();
  const failedChecks = new LRUCache<string, { failure: UpstreamFailure; until: number }>({
    maxSize: failureBytesMax,
    sizeCalculation: ({ failure }, key) => sizeOfKey(key) + sizeOfFailure(failure),
  });

  function check(
    request: RuledRequest,
    tag: StoredTag,
    unreachable = false,
  ): { promise: Promise<Revalidation>; startedAt: number } {
    const key = ruledKey(request, tag.tag);
    const { promise } = checks.join(unreachable ? `${key} by GET` : key, async () => {
      began.set(key, parts.clock.elapsed());
      try {
        const own = await findOwnTag(parts.memory, request, tag.tag);
        if (own !== undefined) return { kind: 'same', tag: own };
        const standing = {
          held: (await parts.memory.findManifest(request, tag.digest)) !== undefined,
          immutable: await isKept(request, tag),
          unreachable,
        };
        const result = await revalidateTag(request, tag, standing, parts, fetcher);
        if (result.kind === 'failed') remember(key, result.failure);
        else failedChecks.delete(key);
        return result;
      } finally {
        began.delete(key);
      }
    });
    return { promise, startedAt: began.get(key) ?? parts.clock.elapsed() };
  }

  /** An immutable tag stays what its source has once said. */
  async function isKept(request: RuledRequest, tag: StoredTag): Promise<boolean> {
    const { kind } = freshnessOf(tag, request, parts.clock.now());
    return kind !== 'foreign' && (await parts.immutable.has(request, tag.tag));
  }

  function remember(key: string, failure: UpstreamFailure): void {
    const ms =
      failure.kind === 'notFound' || failure.kind === 'denied'
        ? failureKnownForMs[failure.kind]
        : failureKnownForMs.other;
    failedChecks.set(key, { failure, until: parts.clock.elapsed() + ms });
  }

  function recentFailure(key: string): UpstreamFailure | undefined {
    const entry = failedChecks.get(key);
    return entry !== undefined && entry.until > parts.clock.elapsed() ? entry.failure : undefined;
  }

  /** The last known digest, or the failure where the rule says so. */
  function afterFailure(
    request: RuledRequest,
    tag: StoredTag,
    failure: UpstreamFailure,
    ttlSeconds: number,
  ): ResolvedTag {
    if (actionOn(request.target.rule, failure.kind) === 'stop') throw failure;
    const status = failure.status === undefined ? {} : { upstreamStatus: failure.status };
    return {
      tag,
      outcome: { verdict: 'stale', detail: staleDetail(failure.kind), ttlSeconds, ...status },
    };
  }

  function settled(
    request: RuledRequest,
    tag: StoredTag,
    result: Revalidation,
    ttlSeconds: number,
  ): ResolvedTag {
    const freshFor = request.target.rule.freshForMs / 1000;
    switch (result.kind) {
      case 'same':
        if (isOwn(result.tag)) return { tag: result.tag, outcome: ownOutcome(result.tag) };
        return {
          tag: result.tag,
          outcome: { verdict: 'revalidated', upstreamStatus: 200, ttlSeconds: freshFor },
        };
      case 'moved':
        return {
          tag: result.tag,
          outcome: {
            verdict: 'revalidated',
            detail: 'tag moved',
            upstreamStatus: 200,
            ttlSeconds: freshFor,
          },
        };
      case 'failed':
        if (result.lost !== undefined) {
          return {
            tag,
            outcome: { verdict: 'stale', detail: 'new digest cannot be had', ttlSeconds },
          };
        }
        return afterFailure(request, tag, result.failure, ttlSeconds);
    }
  }

  async function resolve(
    request: RuledRequest,
    tag: StoredTag,
    signal: AbortSignal,
  ): Promise<ResolvedTag> {
    const freshness = freshnessOf(tag, request, parts.clock.now());
    if (freshness.kind === 'own') return { tag, outcome: ownOutcome(tag) };
    if (freshness.kind !== 'foreign' && !(await parts.stops.isStopped(request))) {
      if (freshness.kind === 'fresh')
        return { tag, outcome: { verdict: 'hit', ttlSeconds: freshness.ttlSeconds } };
      if (await isKept(request, tag)) return { tag, outcome: immutableOutcome };
    }
    const key = ruledKey(request, tag.tag);
    if (freshness.kind === 'foreign') {
      const recent = recentFailure(key);
      if (recent !== undefined) throw recent;
      const result = await waitUnder(check(request, tag).promise, signal);
      if (result.kind === 'failed') throw result.failure;
      return settled(request, tag, result, 0);
    }
    const recent = recentFailure(key);
    if (recent !== undefined) return afterFailure(request, tag, recent, freshness.ttlSeconds);
    const { promise, startedAt } = check(request, tag);
    const leftMs = request.target.rule.staleBudgetMs - (parts.clock.elapsed() - startedAt);
    const result = await waitWithin(promise, leftMs, parts.clock, signal);
    if (result !== undefined) return settled(request, tag, result, freshness.ttlSeconds);
    const slow = new UpstreamFailure('upstream did not answer within staleBudget', {
      kind: 'timeout',
      reason: 'totalTimeout',
      upstream: request.target.rule.urls[0]?.host ?? '',
    });
    return afterFailure(request, tag, slow, freshness.ttlSeconds);
  }

  async function resolveHeld(
    request: RuledRequest,
    tag: StoredTag,
  ): Promise<ResolvedTag | undefined> {
    const freshness = freshnessOf(tag, request, parts.clock.now());
    if (freshness.kind === 'own') return { tag, outcome: ownOutcome(tag) };
    if (freshness.kind === 'foreign') return undefined;
    if (await parts.stops.isStopped(request)) throw stoppedFailure(request);
    const { kind, ttlSeconds } = freshness;
    if (kind === 'fresh') return { tag, outcome: { verdict: 'hit', ttlSeconds } };
    if (await isKept(request, tag)) return { tag, outcome: immutableOutcome };
    const failure = recentFailure(ruledKey(request, tag.tag)) ?? failureSaidBy(tag, request);
    if (failure !== undefined) return afterFailure(request, tag, failure, ttlSeconds);
    return { tag, outcome: { verdict: 'stale', detail: 'not validated', ttlSeconds } };
  }

  async function reread(
    request: RuledRequest,
    tag: StoredTag,
    signal: AbortSignal,
  ): Promise<StoredTag | undefined> {
    if (isOwn(tag) || (await isKept(request, tag))) return undefined;
    const recent = recentFailure(ruledKey(request, tag.tag));
    if (recent !== undefined) throw recent;
    const result = await waitUnder(check(request, tag, true).promise, signal);
    if (result.kind === 'failed') throw result.failure;
    return result.tag;
  }

  async function learnNow(request: RuledRequest, tag: Tag): Promise<StoredTag> {
    const { rule, upstreamRepository: repository } = request.target;
    let failure: UpstreamFailure | undefined;
    for (const url of rule.urls) {
      try {
        return await learnFrom(request, tag, url, { rule, url, repository });
      } catch (error) {
        failure ??= asFailure(error, url);
      }
    }
    throw failure as UpstreamFailure;
  }

  async function learnFrom(
    request: RuledRequest,
    tag: Tag,
    url: UpstreamUrl,
    target: UpstreamTarget,
  ): Promise<StoredTag> {
    const reference = { kind: 'tag', tag } as const;
    const head = await headOf(reference, url, target);
    if (head?.digest === undefined || head.size === undefined || head.mediaType === undefined) {
      // A HEAD that does not say what it found can't be answered or kept: the manifest itself has to be read.
      const manifest = await fetcher.fetch(request, reference).promise;
      const known = parts.memory.peekTag(request, tag);
      if (known !== undefined) return known;
      return tagOf(request, tag, url, { ...manifest, size: manifest.bytes.length });
    }
    const stored = tagOf(request, tag, url, {
      digest: head.digest,
      mediaType: head.mediaType,
      size: head.size,
    });
    const stamp = parts.changes.stamp(request);
    const own = await findOwnTag(parts.memory, request, tag);
    if (own !== undefined) return own;
    try {
      await parts.metadata.setTag({
        ...repositoryKey(request),
        ...stored,
        private: isPrivate(request.target),
      });
    } catch (error) {
      parts.events.emit({ type: 'storageFailed', operation: 'setTag', message: String(error) });
    }
    parts.memory.putTag(request, stored, stamp);
    return stored;
  }

  /** `undefined` where HEAD says nothing at this upstream. That there is no such tag is said by a HEAD as by a GET, to HEADs. */
  async function headOf(
    reference: Reference,
    url: UpstreamUrl,
    target: UpstreamTarget,
  ): Promise<ManifestHead | undefined> {
    if (parts.heads.isUseless(url)) return undefined;
    try {
      return await parts.upstream.headManifest(target, reference, parts.signal);
    } catch (error) {
      if (isHeadsNo(error) && !saysAbsent(error)) return undefined;
      throw error;
    }
  }

  function tagOf(
    request: RuledRequest,
    tag: Tag,
    url: UpstreamUrl,
    { digest, mediaType, size }: Pick<StoredTag, 'digest' | 'mediaType' | 'size'>,
  ): StoredTag {
    const source = sourceOf(url, request.target);
    const validatedAt = parts.clock.now();
    return {
      tag,
      digest,
      mediaType,
      size,
      source,
      validatedAt,
      status: 'ok',
      provenance: 'cached',
    };
  }

  return {
    resolve,
    resolveHeld,
    reread,
    learn: async (request, tag, signal) => {
      const { promise, joined } = heads.join(ruledKey(request, tag), () => learnNow(request, tag));
      const stored = await waitUnder(promise, signal);
      if (isOwn(stored)) return { tag: stored, outcome: ownOutcome(stored) };
      const ttlSeconds = request.target.rule.freshForMs / 1000;
      return {
        tag: stored,
        outcome: { verdict: joined ? 'coalesced' : 'miss', upstreamStatus: 200, ttlSeconds },
      };
    },
    refresh: async (request, tag, signal) => {
      const stored = await parts.memory.findTag(request, tag);
      if (stored === undefined) {
        const manifest = await waitUnder(
          fetcher.fetch(request, { kind: 'tag', tag }).promise,
          signal,
        );
        return { before: undefined, after: manifest.digest, changed: true };
      }
      if (isOwn(stored)) throw notUpstreams(stored);
      if (await isKept(request, stored)) throw notMoved(stored);
      const result = await waitUnder(check(request, stored).promise, signal);
      if (result.kind === 'failed') throw result.failure;
      return { before: stored.digest, after: result.tag.digest, changed: result.kind === 'moved' };
    },
    clear: () => failedChecks.clear(),
  };
}

/** The failure that the last check left in the tag's row. */
function failureSaidBy(tag: StoredTag, request: RuledRequest): UpstreamFailure | undefined {
  if (tag.status !== 'gone' && tag.status !== 'denied') return undefined;
  return new UpstreamFailure(`upstream said that the tag ${tag.tag} is ${tag.status}`, {
    kind: tag.status === 'gone' ? 'notFound' : 'denied',
    reason: 'status',
    upstream: request.target.rule.urls[0]?.host ?? '',
  });
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
