import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Uploads } from '../../ports/uploads.ts';
import { createDeletions } from './delete-content.ts';
import type { ManifestFetcher } from '../pull/fetch-manifest.ts';
import type { TagLister } from '../pull/list-tags.ts';
import { createBlobMount } from './mount-blob.ts';
import type { BlobPuller } from '../pull/pull-blob.ts';
import { putManifest } from './push-manifest.ts';
import type { PushSettings } from './push-target.ts';
import { PushTarget } from './push-target.ts';
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
  const target = new PushTarget(given);
  const parts = { ...given, target };
  const { bodies, ...blobPushes } = createBlobPushes(parts);
  const pushes: Pushes = {
    requirePush: (request) => target.require(request),
    ...blobPushes,
    ...createBlobMount(parts),
    putManifest: (request) => putManifest(parts, request),
    ...createDeletions(parts),
  };
  return { pushes, bodies };
}
