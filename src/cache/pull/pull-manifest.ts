import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { noRuleText } from '../../domain/rules/no-rule.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { CacheOutcome } from '../../domain/verdict.ts';
import type { StoredManifest, StoredTag } from '../../metadata/contract/metadata.ts';
import type { ManifestHead } from '../../ports/upstream.ts';
import type { Cache, ManifestAnswer, ManifestRequest } from '../cache.ts';
import type { ImageCompletion } from './complete-image.ts';
import type { FetchManifestParts, ManifestFetcher } from './fetch-manifest.ts';
import { isHeadsNo, saysAbsent } from '../memory/head-hints.ts';
import type { LastTries } from '../memory/last-tries.ts';
import type { NegativeMemory } from '../memory/negative-memory.ts';
import type { OwnRepositories } from '../memory/own-repositories.ts';
import { stoppedFailure } from '../memory/repository-stops.ts';
import type { TagResolver } from './resolve-tag.ts';
import { SingleFlight, waitUnder } from '../single-flight.ts';
import { freshnessOf, freshOutcome, isOwn, ownOutcome } from '../memory/tag-freshness.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import type { RuledRequest } from '../pull-request.ts';
import { repositoryKey, ruledKey, identityOf, isRuled } from '../pull-request.ts';

const headsMax = 10_000;
const headKnownForMs = 60_000;

export interface PullManifestParts extends FetchManifestParts {
  readonly fetcher: ManifestFetcher;
  readonly tags: TagResolver;
  readonly negative: NegativeMemory;
  readonly tries: LastTries;
  readonly own: OwnRepositories;
  readonly completion: Pick<ImageCompletion, 'sent'>;
}

/** Manifests by tag and by digest: memory, metadata, then upstream, once for any number of pulls (ARCHITECTURE.md, "Tags"). */
export function createManifestPuller(
  parts: PullManifestParts,
): Pick<Cache, 'peekManifest' | 'pullManifest'> & { clear(): void } {
  const heads = new LRUCache<string, { answer: ManifestAnswer; until: number }>(atMost(headsMax));
  const headFlights = new SingleFlight<ManifestHead | undefined>();

  /** A manifest that is here, with what completes its image set going where it goes out whole. */
  function held(
    request: ManifestRequest,
    manifest: StoredManifest,
    outcome: CacheOutcome,
  ): ManifestAnswer {
    if (request.method === 'GET' && request.heldOnly !== true)
      parts.completion.sent(request, manifest);
    const { digest, mediaType, bytes } = manifest;
    return { digest, mediaType, size: bytes.length, bytes, outcome };
  }

  async function pull(asked: ManifestRequest, signal: AbortSignal): Promise<ManifestAnswer> {
    const { reference } = asked;
    try {
      const request = await parts.own.of(asked);
      if (!isRuled(request)) return await pullWithoutRule(request);
      if (request.heldOnly === true) return await pullHeld(request);
      if (reference.kind === 'digest') return await pullByDigest(request, reference.digest, signal);
      return await pullByTag(request, reference.tag, signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      const subject = reference.kind === 'tag' ? reference.tag : reference.digest;
      const restMs = parts.negative.restMs(refusalKey(asked, subject));
      parts.tries.note(asked, reference, error, restMs);
      throw answerOf(error, 'manifest');
    }
  }

  /** No rule leads here any more: what is held stays readable, and nothing is asked. */
  async function pullWithoutRule(request: ManifestRequest): Promise<ManifestAnswer> {
    const { reference } = request;
    const tag =
      reference.kind === 'tag' ? await parts.memory.findTag(request, reference.tag) : undefined;
    const digest = reference.kind === 'digest' ? reference.digest : tag?.digest;
    const manifest =
      digest === undefined ? undefined : await parts.memory.findManifest(request, digest);
    if (manifest === undefined)
      throw unknownManifest(reference, `not here, and ${noRuleText(request.target.repository)}`);
    const detail = tag !== undefined && isOwn(tag) ? tag.provenance : 'no rule';
    return held(request, manifest, { verdict: 'hit', detail });
  }

  /** For a caller that may import nothing: what is held, under the rule's stops and sources. Upstream is not asked. */
  async function pullHeld(request: ManifestRequest & RuledRequest): Promise<ManifestAnswer> {
    const { reference } = request;
    let digest: Digest;
    let outcome: CacheOutcome = { verdict: 'hit' };
    if (reference.kind === 'tag') {
      const stored = await parts.memory.findTag(request, reference.tag);
      const resolved = stored && (await parts.tags.resolveHeld(request, stored));
      if (resolved === undefined) throw unknownManifest(reference, notHeld);
      digest = resolved.tag.digest;
      outcome = resolved.outcome;
    } else digest = reference.digest;
    const manifest = await parts.memory.findManifest(request, digest);
    if (manifest === undefined) throw unknownManifest(reference, notHeld);
    if (manifest.provenance === undefined && (await parts.stops.isStopped(request)))
      throw answerOf(stoppedFailure(request), 'manifest', 'negative');
    return held(request, manifest, outcome);
  }

  async function pullByDigest(
    request: ManifestRequest & RuledRequest,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const stopped = await parts.stops.isStopped(request);
    const manifest = await parts.memory.findManifest(request, digest);
    if (manifest !== undefined && (!stopped || manifest.provenance !== undefined))
      return held(request, manifest, { verdict: 'hit' });
    refuseKnown(request, digest);
    try {
      if (request.method === 'HEAD') return await headByDigest(request, digest, signal);
      const answer = await getMissing(request, { kind: 'digest', digest }, signal);
      if (stopped) parts.stops.lift(request);
      return answer;
    } catch (error) {
      await noteDigest(request, digest, error);
      throw error;
    }
  }

  async function noteDigest(
    request: ManifestRequest,
    digest: Digest,
    error: unknown,
  ): Promise<void> {
    if (!(error instanceof UpstreamFailure)) return;
    const claim = await parts.metadata
      .findBlobClaim(repositoryKey(request), identityOf(request.target), digest)
      .catch(() => undefined);
    const about = claim?.namedBytes === undefined ? 'digest' : 'named';
    parts.negative.note(refusalKey(request, digest), about, error);
  }

  /** One upstream HEAD for a manifest that is not held, kept 60 s. */
  async function headByDigest(
    request: ManifestRequest & RuledRequest,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const key = ruledKey(request, digest);
    const known = heads.get(key);
    if (known !== undefined && known.until > parts.clock.elapsed()) {
      return { ...known.answer, outcome: { verdict: 'hit' } };
    }
    const { rule, upstreamRepository: repository } = request.target;
    const reference = { kind: 'digest', digest } as const;
    const { promise, joined } = headFlights.join(key, () =>
      askInTurn(rule.urls, parts.signal, (url) =>
        parts.upstream.headManifest({ rule, url, repository }, reference, parts.signal),
      ).catch((error: unknown) => {
        if (isHeadsNo(error) && !saysAbsent(error)) return undefined;
        throw error;
      }),
    );
    const head = await waitUnder(promise, signal);
    if (head?.size === undefined || head.mediaType === undefined)
      return getMissing(request, reference, signal);
    const verdict = joined ? 'coalesced' : 'miss';
    const answer: ManifestAnswer = {
      digest,
      mediaType: head.mediaType,
      size: head.size,
      bytes: undefined,
      outcome: { verdict, upstreamStatus: 200 },
    };
    heads.set(key, { answer, until: parts.clock.elapsed() + headKnownForMs });
    return answer;
  }

  async function pullByTag(
    request: ManifestRequest & RuledRequest,
    tag: Tag,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const stored = await parts.memory.findTag(request, tag);
    if (stored === undefined) {
      refuseKnown(request, tag);
      try {
        return await pullUnknownTag(request, tag, signal);
      } catch (error) {
        parts.negative.note(refusalKey(request, tag), 'tag', error);
        throw error;
      }
    }
    const resolved = await parts.tags.resolve(request, stored, signal);
    return answerTag(request, resolved.tag, resolved.outcome, signal);
  }

  async function pullUnknownTag(
    request: ManifestRequest & RuledRequest,
    tag: Tag,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    if (request.method === 'GET') {
      const answer = await getMissing(request, { kind: 'tag', tag }, signal);
      const url = request.target.rule.urls[0];
      const refusedHead = parts.negative.get(refusalKey({ ...request, method: 'HEAD' }, tag));
      if (refusedHead !== undefined && url !== undefined) parts.heads.noteUseless(url);
      return answer;
    }
    const learned = await parts.tags.learn(request, tag, signal);
    return answerTag(request, learned.tag, learned.outcome, signal);
  }

  /** The manifest that a tag leads to: held, or fetched by the digest that the tag was validated with. */
  async function answerTag(
    request: ManifestRequest & RuledRequest,
    tag: StoredTag,
    outcome: CacheOutcome,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const manifest = await parts.memory.findManifest(request, tag.digest);
    if (manifest !== undefined) return held(request, manifest, outcome);
    const { digest, mediaType, size } = tag;
    if (request.method === 'HEAD') return { digest, mediaType, size, bytes: undefined, outcome };
    try {
      return await getMissing(request, { kind: 'digest', digest }, signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || !isGone(error)) throw error;
      // The tag may have moved since its digest was learned.
      const next = await parts.tags.reread(request, tag, signal);
      const found = next && (await parts.memory.findManifest(request, next.digest));
      if (found === undefined) throw error;
      return held(request, found, { verdict: 'miss', upstreamStatus: 200 });
    }
  }

  async function getMissing(
    request: ManifestRequest & RuledRequest,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const { promise, joined } = parts.fetcher.fetch(request, reference);
    const manifest = await waitUnder(promise, signal);
    const ttl =
      reference.kind === 'tag' ? { ttlSeconds: request.target.rule.freshForMs / 1000 } : {};
    return held(request, manifest, {
      verdict: joined ? 'coalesced' : 'miss',
      upstreamStatus: 200,
      ...ttl,
    });
  }

  /** What a GET was refused is refused to all; what a HEAD was, to HEADs alone. */
  function refuseKnown(request: ManifestRequest, subject: Digest | Tag): void {
    const failure =
      parts.negative.get(refusalKey(request, subject)) ??
      parts.negative.get(ruledKey(request, subject));
    if (failure !== undefined) throw answerOf(failure, 'manifest', 'negative');
  }

  return {
    peekManifest: warm,
    pullManifest: pull,
    clear: () => heads.clear(),
  };

  /** The hot path: a fresh tag or a digest in memory. */
  function warm(request: ManifestRequest): ManifestAnswer | undefined {
    const { rule } = request.target;
    if (rule === undefined || rule.onFailure.denied === 'stop') return undefined;
    if (request.reference.kind === 'digest') {
      const manifest = parts.memory.peekManifest(request, request.reference.digest);
      return manifest && held(request, manifest, { verdict: 'hit' });
    }
    const tag = parts.memory.peekTag(request, request.reference.tag);
    if (tag === undefined) return undefined;
    const freshness = freshnessOf(tag, request, parts.clock.now());
    if (freshness.kind !== 'fresh' && freshness.kind !== 'own') return undefined;
    const manifest = parts.memory.peekManifest(request, tag.digest);
    if (manifest === undefined) return undefined;
    const outcome = freshness.kind === 'own' ? ownOutcome(tag) : freshOutcome(freshness.ttlSeconds);
    return held(request, manifest, outcome);
  }
}

/** Where a refusal is remembered, by the rule that was refused: a HEAD's apart. */
function refusalKey(request: ManifestRequest, subject: Digest | Tag): string {
  return ruledKey(request, request.method === 'HEAD' ? `HEAD ${subject}` : subject);
}

/** Upstream does not have the digest, does not give it, or has something else under it. */
function isGone({ kind }: UpstreamFailure): boolean {
  return kind === 'notFound' || kind === 'denied' || kind === 'invalid';
}

const notHeld = 'not here, and nothing new may be fetched';

function unknownManifest(reference: Reference, why: string): RegistryError {
  const asked = reference.kind === 'tag' ? { tag: reference.tag } : { digest: reference.digest };
  return new RegistryError('manifestUnknown', 'manifest unknown', {
    detail: { ...asked, cause: why },
  });
}
