import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Uploads } from '../../ports/uploads.ts';
import { createContentCheck } from './check-content.ts';
import { createDeletions } from './delete-content.ts';
import type { ManifestFetcher } from '../pull/fetch-manifest.ts';
import type { TagLister } from '../pull/list-tags.ts';
import { createBlobMount } from './mount-blob.ts';
import type { BlobPuller } from '../pull/pull-blob.ts';
import { createManifestPush } from './push-manifest.ts';
import type { PushSettings } from './push-target.ts';
import { createPushTarget } from './push-target.ts';
import { createBlobPushes } from './push-upload.ts';
import type { Pushes } from './pushes.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import type { RuleOf } from '../whose-bytes.ts';

export interface PushParts {
  readonly uploads: Uploads;
  readonly blobs: BlobStore;
  readonly metadata: Metadata;
  readonly repositories: RepositoryMemory;
  readonly filler: Pick<BlobPuller, 'fill'>;
  readonly fetcher: ManifestFetcher;
  readonly ruleOf: RuleOf;
  readonly tagLists: Pick<TagLister, 'knowsUpstreamTag'>;
  readonly space: SpaceGate;
  readonly settings: () => PushSettings;
  readonly maxBlobBytes: number;
  readonly clock: Clock;
  readonly events: Events;
  /** Ends with the server. */
  readonly signal: AbortSignal;
}

/** The pushing side over the same blobs, metadata and memory that the pulls use. */
export function createPushes(given: PushParts): {
  readonly pushes: Pushes;
  readonly bodies: { readonly count: number };
} {
  const target = createPushTarget(given.metadata, given.settings);
  const parts = { ...given, target, check: createContentCheck(given) };
  const { bodies, ...blobPushes } = createBlobPushes(parts);
  const pushes: Pushes = {
    requirePush: (request) => target.require(request),
    ...blobPushes,
    ...createBlobMount(parts),
    ...createManifestPush(parts),
    ...createDeletions(parts),
  };
  return { pushes, bodies };
}
