import type { Joined } from '../../coordination/flights.ts';
import { Flights } from '../../coordination/flights.ts';
import { parseManifest } from '../../domain/manifests/manifest-parser.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { ruleIdentity } from '../../domain/rules/rule-identity.ts';
import { unusable, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { StoredManifest } from '../../metadata/contract/rows.ts';
import type { FetchedManifest, UpstreamTarget } from '../../ports/upstream.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import { cachedTag } from '../memory/tag-freshness.ts';
import type { RuledRequest } from '../pull-request.ts';
import { isPrivate, repositoryKey, ruledKey } from '../pull-request.ts';
import type { PullParts } from './pull-parts.ts';
import { tryWrite } from './pull-parts.ts';

/** A tag that led to a manifest, and the URL where it did. */
export interface FetchedTag {
  readonly tag: Tag;
  readonly url: UpstreamUrl;
}

/** Fetches manifests from the rule's URLs in turn and stores them: once per repository and name for any number of pulls. */
export class ManifestFetcher {
  readonly #parts: PullParts;
  readonly #flights: Flights<StoredManifest>;

  constructor(parts: PullParts) {
    this.#parts = parts;
    this.#flights = new Flights(parts.clock);
  }

  /** What the tag leads to now; stored with the tag. */
  byTag(request: RuledRequest, tag: Tag): Joined<StoredManifest> {
    return this.#flights.join(ruledKey(request, tag), async () => {
      const { rule } = request.target;
      const { fetched, url } = await this.#ask(request, { kind: 'tag', tag }, rule.urls);
      return this.store(request, fetched, { tag, url });
    });
  }

  byDigest(request: RuledRequest, digest: Digest): Joined<StoredManifest> {
    return this.#flights.join(ruledKey(request, digest), async () => {
      const urls = this.#parts.sources.awake(request.target, digest);
      const { fetched } = await this.#ask(request, { kind: 'digest', digest }, urls);
      return this.store(request, fetched, undefined);
    });
  }

  /** Keeps a manifest with its children, and the tag that led to it unless a client has pushed that tag meanwhile. */
  async store(
    request: RuledRequest,
    fetched: FetchedManifest,
    from: FetchedTag | undefined,
  ): Promise<StoredManifest> {
    const { repositories, metadata, clock } = this.#parts;
    const parsed = parseManifest(fetched.bytes, fetched.mediaType);
    const { digest, bytes } = fetched;
    const { mediaType } = parsed;
    const rule = ruleIdentity(request.target.rule);
    const manifest = { digest, mediaType, bytes, rule };
    const now = clock.now();
    const stamp = repositories.stamp(request);
    const isOurs = from && (await repositories.findOwnTag(request, from.tag)) !== undefined;
    const found = { digest, mediaType, size: bytes.length };
    const tag =
      from === undefined || isOurs === true
        ? undefined
        : cachedTag(request, from.url, from.tag, found, now);
    await tryWrite(this.#parts, 'storeManifest', () =>
      metadata.manifests.storeManifest({
        ...repositoryKey(request),
        manifest,
        parsed,
        rule,
        private: isPrivate(request.target),
        now,
        ...(tag === undefined ? {} : { tag }),
      }),
    );
    repositories.putManifest(request, manifest, stamp);
    if (tag !== undefined) repositories.putTag(request, tag, stamp);
    return manifest;
  }

  async #ask(
    { target }: RuledRequest,
    reference: Reference,
    urls: readonly UpstreamUrl[],
  ): Promise<{ readonly fetched: FetchedManifest; readonly url: UpstreamUrl }> {
    const { upstream, signal } = this.#parts;
    const ask = async (from: UpstreamTarget) => {
      const fetched = await upstream
        .getManifest(from, reference, undefined, signal)
        .catch((error: unknown) => this.#noteWrongBytes(error, from, reference));
      return { fetched: fetched ?? unasked304(from.url), url: from.url };
    };
    return askInTurn(target, signal, ask, urls);
  }

  #noteWrongBytes(error: unknown, { url, repository }: UpstreamTarget, asked: Reference): never {
    const { sources, events } = this.#parts;
    const isWrong = error instanceof UpstreamFailure && error.reason === 'wrongDigest';
    if (isWrong && asked.kind === 'digest') {
      sources.rest(url, repository, asked.digest);
      events.emit({ type: 'digestMismatch', upstream: url.host, digest: asked.digest });
    }
    throw error;
  }
}

function unasked304(url: UpstreamUrl): never {
  throw unusable('upstream answered 304 to an unconditional request', 'status', url.host, 304);
}
