import type { RegistryKey } from '../domain/names/registry.ts';
import type { RulesOf } from '../domain/rules/rule-set.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { Invalidations } from '../ports/invalidations.ts';
import type { Spool } from '../ports/spool.ts';
import type { Uploads } from '../ports/uploads.ts';
import type { Upstream } from '../ports/upstream.ts';
import type { Cache } from './cache.ts';
import { Downloads } from './download/downloads.ts';
import { UpstreamPace } from './download/upstream-pace.ts';
import { UpstreamSources } from './download/upstream-sources.ts';
import type { AnonymousAccess, Explain } from './explain/explain.ts';
import { createExplainer } from './explain/explain.ts';
import type { Refresh } from './explain/refresh.ts';
import { createRefresher } from './explain/refresh.ts';
import { HeadHints } from './memory/head-hints.ts';
import type { MadeRepositories } from './memory/made-repositories.ts';
import { createMadeRepositories, noteMade } from './memory/made-repositories.ts';
import { LastTries, Refusals } from './memory/refusals.ts';
import { RepositoryMemory } from './memory/repository-memory.ts';
import { ImageCompletion } from './pull/complete-image.ts';
import { ManifestFetcher } from './pull/fetch-manifest.ts';
import { ReferrersLister } from './pull/list-referrers.ts';
import { TagLister } from './pull/list-tags.ts';
import { ListTurns } from './pull/list-turns.ts';
import { BlobPuller } from './pull/pull-blob.ts';
import { ManifestPuller } from './pull/pull-manifest.ts';
import { TagResolver } from './pull/resolve-tag.ts';
import type { RepairedBlobs } from './pull/stored-blob.ts';
import { createRepairedBlobs } from './pull/stored-blob.ts';
import { createPushes } from './push/create-pushes.ts';
import type { PushSettings } from './push/push-parts.ts';
import type { Pushes } from './push/pushes.ts';
import type { MinFree, SpaceGate } from './space/space-gate.ts';
import { createSpaceGate } from './space/space-gate.ts';
import type { CountRecords, RuleOf } from './whose-bytes.ts';
import { countingRecords } from './whose-bytes.ts';

export interface CacheParts {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly uploads: Uploads;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly events: Events;
  readonly invalidations: Invalidations;
  /** The home registry: what is explained and refreshed is its. */
  readonly registry: RegistryKey;
  readonly rules: RulesOf;
  /** Our own addresses as an image may begin with them: lower case, with port. */
  readonly ownHosts: () => ReadonlySet<string>;
  readonly anonymousAccess: AnonymousAccess;
}

export interface CacheLimits {
  readonly parallelAboveBytes: number;
  readonly pieceBytes: number;
  readonly connectionsPerBlob: number;
  readonly minFree: MinFree;
  readonly maxBlobBytes: number;
  readonly downloadsMax: number;
  /** As the configuration says now: each push asks. */
  readonly pushSettings: () => PushSettings;
}

/** The cache as the front-ends and the server's life see it. Disposing cuts what runs; partials are journalled. */
export interface RunningCache extends Cache, AsyncDisposable {
  readonly explain: Explain;
  readonly refresh: Refresh;
  readonly downloads: Pick<Downloads, 'count'>;
  readonly completion: Pick<ImageCompletion, 'idle'>;
  readonly pushes: Pushes;
  /** Repositories that pulls and pushes made. */
  readonly made: Pick<MadeRepositories, 'take'>;
  readonly counting: CountRecords;
  /** Ends what ran for rules that are in force no more. */
  rulesChanged(): void;
  /** Bodies of uploads that are being received. */
  readonly uploadBodies: { readonly count: number };
}

export function createCache(given: CacheParts, limits: CacheLimits): RunningCache {
  const ended = new AbortController();
  const made = createMadeRepositories(given.clock);
  const metadata = noteMade(given.metadata, {
    note: async (key) => {
      made.note(key);
      // A template may have given it a policy, and tags that are immutable.
      const { registry, repository } = key;
      const templates = await given.metadata.templates.listTemplates(registry, '', 1);
      if (templates.length > 0)
        given.invalidations.note({ kind: 'repository', registry, repository });
    },
  });
  const blobs = createRepairedBlobs(given.blobs);
  const repositories = new RepositoryMemory(metadata, given.clock, given.invalidations);
  const shared = { ...given, metadata, blobs, repositories, signal: ended.signal };
  const space = createSpaceGate(shared, limits.minFree);
  const pulls = createPulls({ ...shared, space }, limits);
  const { manifests, tagLists, referrers, downloads, completion } = pulls;
  const ruleOf: RuleOf = ({ registry, repository }) =>
    given.rules(registry).byPath(repository)?.rule;
  const { pushes, bodies } = createPushes({
    ...shared,
    fetcher: pulls.fetcher,
    filler: pulls.blobs,
    tagLists,
    ruleOf,
    space,
    settings: limits.pushSettings,
    maxBlobBytes: limits.maxBlobBytes,
  });
  const forgetting = given.invalidations.subscribe(({ kind }) => {
    if (kind !== 'configuration' && kind !== 'missed') return;
    for (const memory of pulls.memories) memory.clear();
  });
  return {
    peekManifest: manifests.peek.bind(manifests),
    pullManifest: manifests.pull.bind(manifests),
    pullBlob: pulls.blobs.pull.bind(pulls.blobs),
    listTags: tagLists.list.bind(tagLists),
    listReferrers: referrers.list.bind(referrers),
    explain: createExplainer({ ...shared, ...pulls, blobs, space }),
    refresh: createRefresher({ ...shared, ...pulls }),
    downloads,
    completion,
    pushes,
    made,
    counting: async (request) =>
      countingRecords(request.target, await repositories.isStopped(request)),
    rulesChanged: () => completion.endUnasked(),
    uploadBodies: bodies,
    [Symbol.asyncDispose]: async () => {
      forgetting[Symbol.dispose]();
      ended.abort(new Error('the server is shutting down'));
      await downloads[Symbol.asyncDispose]();
      await completion[Symbol.asyncDispose]();
    },
  };
}

interface PullingParts extends CacheParts {
  readonly blobs: RepairedBlobs;
  readonly repositories: RepositoryMemory;
  readonly space: SpaceGate;
  readonly signal: AbortSignal;
}

/** The pulling side; `memories` end with a reload, or where changes may have been missed. */
function createPulls(given: PullingParts, limits: CacheLimits) {
  const { clock, signal } = given;
  const sources = new UpstreamSources(clock);
  const heads = new HeadHints(clock);
  const refusals = new Refusals(clock);
  const tries = new LastTries(clock);
  const turns = new ListTurns(clock, signal);
  const pace = new UpstreamPace();
  const parts = { ...given, sources, heads, refusals, tries, turns };
  const fetcher = new ManifestFetcher(parts);
  const tags = new TagResolver({ ...parts, fetcher });
  const downloads = new Downloads({ ...parts, pace, ...limits }, limits.downloadsMax);
  const blobs = new BlobPuller({ ...parts, downloads });
  const completion = new ImageCompletion({
    ...parts,
    fetcher,
    blobs,
    downloads,
    rules: given.rules,
  });
  const manifests = new ManifestPuller({ ...parts, fetcher, tags, completion });
  const tagLists = new TagLister(parts);
  const referrers = new ReferrersLister(parts);
  const memories = [refusals, heads, tags, blobs, completion, manifests, tagLists, referrers];
  const running = { fetcher, downloads, completion, tries, memories };
  return { manifests, blobs, tagLists, referrers, tags, ...running };
}
