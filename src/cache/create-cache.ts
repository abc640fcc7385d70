import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { Spool } from '../ports/spool.ts';
import type { Upstream } from '../ports/upstream.ts';
import type { Uploads } from '../ports/uploads.ts';
import type { Cache } from './cache.ts';
import type { BlobFiller } from './pull/pull-blob.ts';
import { createBlobPuller } from './pull/pull-blob.ts';
import { createDownloads, type Downloads } from './download/downloads.ts';
import { createImageCompletion, type ImageCompletion } from './pull/complete-image.ts';
import { createManifestFetcher } from './pull/fetch-manifest.ts';
import { createHeadHints } from './memory/head-hints.ts';
import { createImmutableTags } from './memory/immutable-tags.ts';
import { createPushes } from './push/create-pushes.ts';
import { createReferrersLister, type ReferrersLister } from './pull/list-referrers.ts';
import { createTagLister, type TagLister } from './pull/list-tags.ts';
import { createListTurns } from './pull/list-turns.ts';
import { createManifestMemory } from './memory/manifest-memory.ts';
import {
  createMadeRepositories,
  noteMade,
  type MadeRepositories,
} from './memory/made-repositories.ts';
import { createManifestPuller } from './pull/pull-manifest.ts';
import {
  asOwn,
  createOwnRepositories,
  notRoots,
  type OwnRepositories,
} from './memory/own-repositories.ts';
import { createLastTries, type LastTries } from './memory/last-tries.ts';
import { createNegativeMemory } from './memory/negative-memory.ts';
import type { PushSettings } from './push/push-target.ts';
import type { Pushes } from './push/pushes.ts';
import { createRepairedBlobs } from './pull/repaired-blobs.ts';
import { createRepositoryChanges } from './memory/repository-changes.ts';
import { createRepositorySettings, type RepositorySettings } from './push/repository-settings.ts';
import { createRepositoryStops } from './memory/repository-stops.ts';
import { createTagResolver, type TagResolver } from './pull/resolve-tag.ts';
import { createSpaceGate, type MinFree } from './space/space-gate.ts';
import { createUpstreamPace } from './download/upstream-pace.ts';
import { createUpstreamSources } from './download/upstream-sources.ts';
import { countingRecords, type CountRecords, type RuleOf } from './whose-bytes.ts';
import { mayAsk } from './pull-request.ts';

export interface CacheParts {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly uploads: Uploads;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly events: Events;
  /** By the configuration as it is now. */
  readonly ruleOf: RuleOf;
}

export interface CacheLimits {
  readonly parallelAboveBytes: number;
  readonly pieceBytes: number;
  readonly connectionsPerBlob: number;
  readonly minFree: MinFree;
  readonly maxBlobBytes: number;
  readonly downloadsMax: number;
  /** Those in force now. */
  readonly rules: () => readonly PullRule[];
  /** As the configuration says now: each push asks. */
  readonly pushSettings: () => PushSettings;
}

/** The cache as the front-ends and the server's life see it. Disposing cuts what runs; partials are journalled. */
export interface RunningCache extends Cache, AsyncDisposable {
  /** Asks upstream for the tag now, whatever its freshness. */
  readonly refreshTag: TagResolver['refresh'];
  /** Asks upstream for a manifest's referrers now; none of the repository's lists are believed any longer. */
  readonly refreshReferrers: ReferrersLister['refresh'];
  readonly downloads: Pick<Downloads, 'count'>;
  readonly completion: Pick<ImageCompletion, 'idle'>;
  readonly pushes: Pushes;
  readonly settings: RepositorySettings;
  /** Repositories that pulls and pushes made. */
  readonly made: Pick<MadeRepositories, 'take'>;
  readonly knowsUpstreamTag: TagLister['knowsUpstreamTag'];
  readonly lastTry: LastTries['find'];
  readonly counting: CountRecords;
  /** Bodies of uploads that are being received. */
  readonly uploadBodies: { readonly count: number };
  /** Forgets refusals, failed checks and all that was read from metadata: after a reload or a credential's change. */
  reset(): void;
}

export function createCache(parts: CacheParts, limits: CacheLimits): RunningCache {
  const { upstream, clock, events, spool } = parts;
  const made = createMadeRepositories(clock);
  const metadata = noteMade(parts.metadata, made);
  const blobs = createRepairedBlobs(parts.blobs);
  const ended = new AbortController();
  const sources = createUpstreamSources(clock);
  const heads = createHeadHints(clock);
  const negative = createNegativeMemory(clock);
  const tries = createLastTries(clock);
  const changes = createRepositoryChanges();
  const own = createOwnRepositories(metadata, changes);
  const stops = createRepositoryStops(metadata, changes);
  const immutable = createImmutableTags(metadata, changes);
  const memory = createManifestMemory(metadata, changes);
  const space = createSpaceGate({ blobs, clock, events }, limits.minFree);
  const fetchParts = {
    upstream,
    metadata,
    memory,
    changes,
    immutable,
    sources,
    heads,
    stops,
    clock,
    events,
    signal: ended.signal,
  };
  const fetcher = createManifestFetcher(fetchParts);
  const tags = createTagResolver(fetchParts, fetcher);
  const pace = createUpstreamPace();
  const downloads = createDownloads(
    { upstream, spool, blobs, clock, events, sources, space, pace, ...limits },
    limits.downloadsMax,
  );
  const blobPuller = createBlobPuller({ ...fetchParts, blobs, downloads, negative });
  const filler: BlobFiller = blobPuller;
  const completion = createImageCompletion({
    ...fetchParts,
    fetcher,
    filler,
    downloads,
    rules: limits.rules,
  });
  const manifests = createManifestPuller({
    ...fetchParts,
    fetcher,
    tags,
    negative,
    tries,
    own,
    completion: ofOwn(own, completion),
  });
  const turns = createListTurns(clock);
  const tagLister = createTagLister({ ...fetchParts, negative, turns });
  const referrers = createReferrersLister({ ...fetchParts, turns });
  const { pushes, bodies } = createPushes({
    ...parts,
    metadata,
    blobs,
    stops,
    memory,
    changes,
    filler,
    fetcher,
    knowsUpstreamTag: tagLister.knowsUpstreamTag,
    space,
    settings: limits.pushSettings,
    maxBlobBytes: limits.maxBlobBytes,
    signal: ended.signal,
  });
  const memories = [
    negative,
    heads,
    own,
    stops,
    immutable,
    memory,
    tags,
    blobPuller,
    completion,
    manifests,
    tagLister,
    referrers,
  ];
  return {
    peekManifest: manifests.peekManifest,
    pullManifest: manifests.pullManifest,
    pullBlob: asOwn(own, blobPuller.pullBlob),
    listTags: asOwn(own, tagLister.listTags),
    listReferrers: asOwn(own, referrers.listReferrers),
    refreshTag: asOwn(own, (request, tag, signal) =>
      mayAsk(request) ? tags.refresh(request, tag, signal) : Promise.reject(notRoots(request)),
    ),
    refreshReferrers: referrers.refresh,
    downloads,
    completion,
    pushes,
    settings: createRepositorySettings({ metadata, changes }),
    made,
    knowsUpstreamTag: tagLister.knowsUpstreamTag,
    lastTry: tries.find,
    counting: async (request) => countingRecords(request.target, await stops.isStopped(request)),
    uploadBodies: bodies,
    reset: () => {
      for (const one of memories) one.clear();
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort(new Error('the server is shutting down'));
      await downloads[Symbol.asyncDispose]();
      await completion[Symbol.asyncDispose]();
    },
  };
}

/** Nothing of ROOT's completes an image of a repository that is our own. */
function ofOwn(own: OwnRepositories, completion: ImageCompletion): Pick<ImageCompletion, 'sent'> {
  const complete: ImageCompletion['sent'] = (request, manifest) => {
    if (mayAsk(request)) completion.sent(request, manifest);
  };
  return {
    sent: (request, manifest) => {
      const asked = own.of(request);
      if (!(asked instanceof Promise)) return complete(asked, manifest);
      asked.then(
        (known) => complete(known, manifest),
        () => {},
      );
    },
  };
}
