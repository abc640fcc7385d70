import { parseManifest } from '../../domain/manifests/manifest-parser.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { ruleIdentity } from '../../domain/rules/rule-identity.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Metadata, StoredManifest } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { FetchedManifest, Upstream } from '../../ports/upstream.ts';
import type { HeadHints } from '../memory/head-hints.ts';
import type { ImmutableTags } from '../memory/immutable-tags.ts';
import type { ManifestMemory } from '../memory/manifest-memory.ts';
import { findOwnTag } from '../memory/manifest-memory.ts';
import type { RepositoryChanges } from '../memory/repository-changes.ts';
import type { RepositoryStops } from '../memory/repository-stops.ts';
import { SingleFlight } from '../single-flight.ts';
import type { UpstreamSources } from '../download/upstream-sources.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import type { RuledRequest } from '../pull-request.ts';
import { isPrivate, memoryKey, repositoryKey, sourceOf } from '../pull-request.ts';

export interface FetchManifestParts {
  readonly upstream: Upstream;
  readonly metadata: Metadata;
  readonly memory: ManifestMemory;
  readonly changes: RepositoryChanges;
  readonly immutable: ImmutableTags;
  readonly sources: UpstreamSources;
  readonly heads: HeadHints;
  readonly stops: RepositoryStops;
  readonly clock: Clock;
  readonly events: Events;
  /** Ends with the server: a fetch belongs to the cache, not to a request. */
  readonly signal: AbortSignal;
}

/** Fetches manifests and stores them; one fetch per repository and reference for any number of pulls. */
export interface ManifestFetcher {
  /** From the rule's URLs in turn; stored, then remembered. `joined`: another pull had begun it. */
  fetch(
    request: RuledRequest,
    reference: Reference,
  ): { readonly promise: Promise<StoredManifest>; readonly joined: boolean };
  /** A manifest that was fetched otherwise: stored with its children, and the tag when one is given. */
  store(
    request: RuledRequest,
    fetched: FetchedManifest,
    tag: FetchedTag | undefined,
  ): Promise<StoredManifest>;
}

export interface FetchedTag {
  readonly tag: Tag;
  readonly url: UpstreamUrl;
}

export function createManifestFetcher(parts: FetchManifestParts): ManifestFetcher {
  const flights = new SingleFlight<StoredManifest>();

  async function fetchNow(request: RuledRequest, reference: Reference): Promise<StoredManifest> {
    const { rule, upstreamRepository: repository } = request.target;
    const urls =
      reference.kind === 'digest'
        ? parts.sources.awake(request.target, reference.digest)
        : rule.urls;
    let from: UpstreamUrl | undefined;
    const fetched = await askInTurn(urls, parts.signal, async (url) => {
      from = url;
      const answer = await parts.upstream
        .getManifest({ rule, url, repository }, reference, undefined, parts.signal)
        .catch((error: unknown) => noteWrongBytes(error, { url, repository }, reference));
      return answer ?? unasked304(url);
    });
    const tag =
      reference.kind === 'tag' && from !== undefined
        ? { tag: reference.tag, url: from }
        : undefined;
    return store(request, fetched, tag);
  }

  function noteWrongBytes(
    error: unknown,
    { url, repository }: { readonly url: UpstreamUrl; readonly repository: RepositoryName },
    reference: Reference,
  ): never {
    if (
      error instanceof UpstreamFailure &&
      error.reason === 'wrongDigest' &&
      reference.kind === 'digest'
    ) {
      parts.sources.rest(url, repository, reference.digest);
      parts.events.emit({ type: 'digestMismatch', upstream: url.host, digest: reference.digest });
    }
    throw error;
  }

  async function store(
    request: RuledRequest,
    fetched: FetchedManifest,
    tag: FetchedTag | undefined,
  ): Promise<StoredManifest> {
    const parsed = parseManifest(fetched.bytes, fetched.mediaType);
    const { digest, bytes } = fetched;
    const rule = ruleIdentity(request.target.rule);
    const manifest = { digest, mediaType: parsed.mediaType, bytes, rule };
    const now = parts.clock.now();
    const stamp = parts.changes.stamp(request);
    const own = tag && (await findOwnTag(parts.memory, request, tag.tag));
    const stored = tag !== undefined &&
      own === undefined && {
        tag: tag.tag,
        source: sourceOf(tag.url, request.target),
        validatedAt: now,
      };
    try {
      await parts.metadata.storeManifest({
        ...repositoryKey(request),
        manifest,
        parsed,
        rule,
        private: isPrivate(request.target),
        now,
        ...(stored === false ? {} : { tag: stored }),
      });
    } catch (error) {
      parts.events.emit({
        type: 'storageFailed',
        operation: 'storeManifest',
        message: String(error),
      });
    }
    parts.memory.putManifest(request, manifest, stamp);
    if (stored !== false) {
      const { mediaType } = manifest;
      const found = { digest, mediaType, size: bytes.length, provenance: 'cached' } as const;
      parts.memory.putTag(request, { ...stored, ...found, status: 'ok' }, stamp);
    }
    return manifest;
  }

  return {
    store,
    fetch: (request, reference) => {
      const subject = reference.kind === 'tag' ? reference.tag : reference.digest;
      const key = memoryKey(request, `${ruleIdentity(request.target.rule)} ${subject}`);
      return flights.join(key, () => fetchNow(request, reference));
    },
  };
}

function unasked304(url: UpstreamUrl): never {
  throw new UpstreamFailure('upstream answered 304 to an unconditional request', {
    kind: 'invalid',
    reason: 'status',
    upstream: url.host,
    status: 304,
  });
}
