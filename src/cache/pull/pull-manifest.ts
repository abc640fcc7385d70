import type { Joined } from '../../coordination/flights.ts';
import { Flights } from '../../coordination/flights.ts';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { waitUnder } from '../../coordination/waiting.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { CacheOutcome } from '../../domain/verdict.ts';
import type { StoredManifest, StoredTag } from '../../metadata/contract/rows.ts';
import type { ManifestHead } from '../../ports/upstream.ts';
import type { ManifestAnswer, ManifestRequest } from '../cache.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import { saysNothing } from '../memory/head-hints.ts';
import { stoppedFailure } from '../memory/repository-memory.ts';
import { freshnessOf, freshOutcome, isOwn, ownOutcome } from '../memory/tag-freshness.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { identityOf, isRuled, mayAsk, repositoryKey, ruledKey } from '../pull-request.ts';
import type { ImageCompletion } from './complete-image.ts';
import type { ManifestFetcher } from './fetch-manifest.ts';
import type { PullParts } from './pull-parts.ts';
import { whyNotAsked } from './pull-parts.ts';
import type { TagResolver } from './resolve-tag.ts';

const headsMax = 10_000;
const headKnownForMs = 60_000;

export interface PullManifestParts extends PullParts {
  readonly fetcher: ManifestFetcher;
  readonly tags: TagResolver;
  readonly completion: Pick<ImageCompletion, 'sent'>;
}

/** A pull of a manifest, whatever it is asked by. */
type ManifestPull = PullRequest & Pick<ManifestRequest, 'method'>;
type RuledPull = RuledRequest & Pick<ManifestRequest, 'method'>;

/** Manifests by tag and by digest: memory, metadata, then upstream, once for any number of pulls (ARCHITECTURE.md, "Tags"). */
export class ManifestPuller {
  readonly #parts: PullManifestParts;
  /** What HEADs by digest were answered. */
  readonly #heads: TimedMemory<ManifestAnswer>;
  readonly #headFlights: Flights<ManifestHead | undefined>;

  constructor(parts: PullManifestParts) {
    this.#parts = parts;
    this.#heads = new TimedMemory(parts.clock, { entriesMax: headsMax });
    this.#headFlights = new Flights(parts.clock);
  }

  /** What `pull` would answer, where that needs no waiting: a fresh tag, or a digest that is in memory. */
  peek(asked: ManifestRequest): ManifestAnswer | undefined {
    const { repositories, clock } = this.#parts;
    const { reference, target } = asked;
    if (target.rule === undefined || target.rule.onFailure.denied === 'stop') return undefined;
    const request = repositories.peekWithoutRootIfOwn(asked);
    if (request === undefined) return undefined;
    const stamp = repositories.stamp(request);
    if (reference.kind === 'digest') {
      const manifest = repositories.peekManifest(request, reference.digest, stamp);
      return manifest && this.#answer(request, manifest, { verdict: 'hit' }, stamp);
    }
    const tag = repositories.peekTag(request, reference.tag, stamp);
    if (tag === undefined) return undefined;
    const freshness = freshnessOf(tag, request, clock.now());
    if (freshness.kind !== 'fresh' && freshness.kind !== 'own') return undefined;
    const manifest = repositories.peekManifest(request, tag.digest, stamp);
    if (manifest === undefined) return undefined;
    const outcome = freshness.kind === 'own' ? ownOutcome(tag) : freshOutcome(freshness.ttlSeconds);
    return this.#answer(request, manifest, outcome, stamp);
  }

  async pull(asked: ManifestRequest, signal: AbortSignal): Promise<ManifestAnswer> {
    const { repositories, refusals, tries } = this.#parts;
    const { reference } = asked;
    try {
      const request = await repositories.withoutRootIfOwn(asked);
      return reference.kind === 'tag'
        ? await this.#pullByTag(request, reference.tag, signal)
        : await this.#pullByDigest(request, reference.digest, signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      const subject = reference.kind === 'tag' ? reference.tag : reference.digest;
      tries.note(asked, subject, error, refusals.leftMs('manifest', asked, subject));
      throw answerOf(error, 'manifest');
    }
  }

  clear(): void {
    this.#heads.clear();
  }

  async #pullByTag(request: ManifestPull, tag: Tag, signal: AbortSignal): Promise<ManifestAnswer> {
    const { repositories, tags, refusals } = this.#parts;
    const stored = await repositories.findTag(request, tag);
    if (!mayAsk(request)) return this.#tagFromHere(request, tag, stored);
    if (stored !== undefined) {
      const resolved = await tags.resolve(request, stored, signal);
      return this.#resolved(request, resolved.tag, resolved.outcome, signal);
    }
    this.#refuseKnown(request, tag);
    try {
      return await this.#pullNewTag(request, tag, signal);
    } catch (error) {
      refusals.note('manifest', request, tag, 'tag', error);
      throw error;
    }
  }

  async #pullNewTag(request: RuledPull, tag: Tag, signal: AbortSignal): Promise<ManifestAnswer> {
    const { fetcher, tags, refusals, heads } = this.#parts;
    if (request.method === 'HEAD') {
      const learned = await tags.learn(request, tag, signal);
      return this.#resolved(request, learned.tag, learned.outcome, signal);
    }
    const ttlSeconds = request.target.rule.freshForMs / 1000;
    const answer = await this.#fetched(request, fetcher.byTag(request, tag), signal, ttlSeconds);
    const [url] = request.target.rule.urls;
    const refusedHead = refusals.ofHead('manifest', request, tag);
    if (refusedHead !== undefined && url !== undefined) heads.noteUseless(url);
    return answer;
  }

  /** The manifest that a tag leads to: from here, or fetched by the digest that the tag was validated with. */
  async #resolved(
    request: RuledPull,
    tag: StoredTag,
    outcome: CacheOutcome,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const { repositories, tags } = this.#parts;
    const { digest, mediaType, size } = tag;
    const manifest = await repositories.findManifest(request, digest);
    if (manifest !== undefined) return this.#answer(request, manifest, outcome);
    if (request.method === 'HEAD') return { digest, mediaType, size, bytes: undefined, outcome };
    try {
      return await this.#fetchByDigest(request, digest, signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || !isGone(error)) throw error;
      // The tag may have moved since its digest was learned.
      const next = await tags.reread(request, tag, signal);
      const found = next && (await repositories.findManifest(request, next.digest));
      if (found === undefined) throw error;
      return this.#answer(request, found, { verdict: 'miss', upstreamStatus: 200 });
    }
  }

  async #pullByDigest(
    request: ManifestPull,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const { repositories } = this.#parts;
    if (!mayAsk(request)) return this.#digestFromHere(request, digest, hit(request), { digest });
    const stopped = await repositories.isStopped(request);
    const manifest = await repositories.findManifest(request, digest);
    if (manifest !== undefined && (!stopped || manifest.provenance !== undefined))
      return this.#answer(request, manifest, { verdict: 'hit' });
    this.#refuseKnown(request, digest);
    try {
      if (request.method === 'HEAD') return await this.#headByDigest(request, digest, signal);
      const answer = await this.#fetchByDigest(request, digest, signal);
      if (stopped) repositories.liftStop(request);
      return answer;
    } catch (error) {
      await this.#noteDigest(request, digest, error);
      throw error;
    }
  }

  async #noteDigest(request: ManifestPull, digest: Digest, error: unknown): Promise<void> {
    if (!(error instanceof UpstreamFailure)) return;
    const { metadata, refusals } = this.#parts;
    const claim = await metadata.blobs
      .findBlobClaim(repositoryKey(request), identityOf(request.target), digest)
      .catch(() => undefined);
    const about = claim?.namedBytes === undefined ? 'digest' : 'named';
    refusals.note('manifest', request, digest, about, error);
  }

  /** One upstream HEAD for a manifest that is not here, kept 60 s. */
  async #headByDigest(
    request: RuledPull,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<ManifestAnswer> {
    const { upstream, signal: ended } = this.#parts;
    const key = ruledKey(request, digest);
    const known = this.#heads.get(key);
    if (known !== undefined) return { ...known, outcome: { verdict: 'hit' } };
    const { promise, joined } = this.#headFlights.join(key, () =>
      askInTurn(request.target, ended, (target) =>
        upstream.headManifest(target, { kind: 'digest', digest }, ended),
      ).catch((error: unknown) => {
        if (saysNothing(error)) return undefined;
        throw error;
      }),
    );
    const { size, mediaType } = (await waitUnder(promise, signal)) ?? {};
    if (size === undefined || mediaType === undefined)
      return this.#fetchByDigest(request, digest, signal);
    const verdict = joined ? 'coalesced' : 'miss';
    const outcome: CacheOutcome = { verdict, upstreamStatus: 200 };
    const answer = { digest, mediaType, size, bytes: undefined, outcome };
    this.#heads.set(key, answer, headKnownForMs);
    return answer;
  }

  /** Upstream is not asked: no rule leads here, who asks may import nothing, or the repository is our own and the rule is ROOT. */
  async #tagFromHere(
    request: ManifestPull,
    tag: Tag,
    stored: StoredTag | undefined,
  ): Promise<ManifestAnswer> {
    if (stored === undefined) throw unknownManifest(request, { tag });
    const outcome = isOwn(stored) ? ownOutcome(stored) : hit(request);
    const resolved = isRuled(request)
      ? await this.#parts.tags.resolveHeld(request, stored)
      : { tag: stored, outcome };
    if (resolved === undefined) throw unknownManifest(request, { tag });
    return this.#digestFromHere(request, resolved.tag.digest, resolved.outcome, { tag });
  }

  async #digestFromHere(
    request: ManifestPull,
    digest: Digest,
    outcome: CacheOutcome,
    asked: { readonly tag: Tag } | { readonly digest: Digest },
  ): Promise<ManifestAnswer> {
    const { repositories } = this.#parts;
    const manifest = await repositories.findManifest(request, digest);
    if (manifest === undefined) throw unknownManifest(request, asked);
    if (manifest.provenance === undefined && (await repositories.isStopped(request)))
      throw answerOf(stoppedFailure(request), 'manifest', 'negative');
    return this.#answer(request, manifest, outcome);
  }

  #fetchByDigest(request: RuledPull, digest: Digest, signal: AbortSignal): Promise<ManifestAnswer> {
    return this.#fetched(request, this.#parts.fetcher.byDigest(request, digest), signal);
  }

  async #fetched(
    request: RuledPull,
    { promise, joined }: Joined<StoredManifest>,
    signal: AbortSignal,
    ttlSeconds?: number,
  ): Promise<ManifestAnswer> {
    const manifest = await waitUnder(promise, signal);
    const verdict = joined ? 'coalesced' : 'miss';
    const ttl = ttlSeconds === undefined ? {} : { ttlSeconds };
    return this.#answer(request, manifest, { verdict, upstreamStatus: 200, ...ttl });
  }

  /** A manifest that is here, with what makes its image whole set going where it goes out to a GET. */
  #answer(
    request: ManifestPull,
    manifest: StoredManifest,
    outcome: CacheOutcome,
    stamp: number = this.#parts.repositories.stamp(request),
  ): ManifestAnswer {
    if (request.method === 'GET' && mayAsk(request))
      this.#parts.completion.sent(request, manifest, stamp);
    const { digest, mediaType, bytes } = manifest;
    return { digest, mediaType, size: bytes.length, bytes, outcome };
  }

  #refuseKnown(request: ManifestPull, subject: Digest | Tag): void {
    const failure = this.#parts.refusals.find('manifest', request, subject);
    if (failure !== undefined) throw answerOf(failure, 'manifest', 'negative');
  }
}

/** Upstream does not have the digest, does not give it, or has something else under it. */
function isGone({ kind }: UpstreamFailure): boolean {
  return kind === 'notFound' || kind === 'denied' || kind === 'invalid';
}

function hit(request: PullRequest): CacheOutcome {
  return isRuled(request) ? { verdict: 'hit' } : { verdict: 'hit', detail: 'no rule' };
}

function unknownManifest(
  request: PullRequest,
  asked: { readonly tag: Tag } | { readonly digest: Digest },
): RegistryError {
  return new RegistryError('manifestUnknown', 'manifest unknown', {
    detail: { ...asked, cause: `not here, and ${whyNotAsked(request)}` },
  });
}
