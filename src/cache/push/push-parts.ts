import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Uploads } from '../../ports/uploads.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { ManifestFetcher } from '../pull/fetch-manifest.ts';
import type { TagLister } from '../pull/list-tags.ts';
import type { BlobPuller } from '../pull/pull-blob.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import type { RuleOf } from '../whose-bytes.ts';
import type { UploadBudget } from './upload-budget.ts';

/** Settings of a push, as they are now. */
export interface PushSettings {
  readonly createOnPush: boolean;
  /** Whether an index may name manifests that are not here. */
  readonly sparseIndexes: boolean;
}

/** What all pushes share. */
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
  /** Of the bodies that are being received. */
  readonly memory: UploadBudget;
  /** How many these are. */
  readonly bodies: { count: number };
  readonly clock: Clock;
  readonly events: Events;
  /** Ends with the server. */
  readonly signal: AbortSignal;
}
