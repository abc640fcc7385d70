import { LRUCache } from 'lru-cache';
import type { Digest } from '../../domain/names/digest.ts';
import type { Metadata, StoredManifest, StoredTag } from '../../metadata/contract/metadata.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { sizeOfKey } from './memory-size.ts';
import type { RepositoryChanges } from './repository-changes.ts';
import { isOwn } from './tag-freshness.ts';
import { holdsManifest } from '../whose-bytes.ts';
import type { PullRequest } from '../pull-request.ts';
import { memoryKey, repositoryKey } from '../pull-request.ts';

const manifestBytesMax = 64 * 1024 * 1024;
const tagBytesMax = 24 * 1024 * 1024;

/**
 * Manifests and tags as last read or written, so that a warm answer costs neither disk nor SQL. Each counts under its
 * repository's stamp: whoever puts one gives the stamp that was current before it was read or written. A manifest that came
 * through another rule than the one that leads to the repository now is not found.
 */
export interface ManifestMemory {
  /** From memory, else from metadata, then remembered. */
  findManifest(request: PullRequest, digest: Digest): Promise<StoredManifest | undefined>;
  findTag(request: PullRequest, tag: Tag): Promise<StoredTag | undefined>;
  /** Without waiting: what is in memory now. */
  peekManifest(request: PullRequest, digest: Digest): StoredManifest | undefined;
  peekTag(request: PullRequest, tag: Tag): StoredTag | undefined;
  putManifest(request: PullRequest, manifest: StoredManifest, stamp: number): void;
  putTag(request: PullRequest, tag: StoredTag, stamp: number): void;
  clear(): void;
}

/**
 * A tag that was pushed here, maybe while upstream was being asked about it: it is not upstream's to move. Metadata that
 * can't be read can't be written either, so that nothing of upstream's is lost by not knowing.
 */
export async function findOwnTag(
  memory: ManifestMemory,
  request: PullRequest,
  tag: Tag,
): Promise<StoredTag | undefined> {
  try {
    const known = await memory.findTag(request, tag);
    return known !== undefined && isOwn(known) ? known : undefined;
  } catch {
    return undefined;
  }
}

interface Remembered<T> {
  readonly value: T;
  readonly stamp: number;
}

function counting(
  { target }: PullRequest,
  manifest: StoredManifest | undefined,
): StoredManifest | undefined {
  return manifest !== undefined && holdsManifest(manifest, target.rule) ? manifest : undefined;
}

export function createManifestMemory(
  metadata: Metadata,
  changes: RepositoryChanges,
): ManifestMemory {
  const manifests = new LRUCache<string, Remembered<StoredManifest>>({
    maxSize: manifestBytesMax,
    // A reply that is made of one keeps its bytes as text beside them.
    sizeCalculation: ({ value }, key) => 2 * value.bytes.length + 1024 + sizeOfKey(key),
  });
  const tags = new LRUCache<string, Remembered<StoredTag>>({
    maxSize: tagBytesMax,
    sizeCalculation: ({ value }, key) => 512 + 2 * value.source.length + sizeOfKey(key),
  });
  function current<T>(request: PullRequest, found: Remembered<T> | undefined): T | undefined {
    return found?.stamp === changes.stamp(request) ? found.value : undefined;
  }
  const peekManifest: ManifestMemory['peekManifest'] = (request, digest) =>
    counting(request, current(request, manifests.get(memoryKey(request, digest))));
  const peekTag: ManifestMemory['peekTag'] = (request, tag) =>
    current(request, tags.get(memoryKey(request, tag)));
  const putManifest: ManifestMemory['putManifest'] = (request, value, stamp) =>
    void manifests.set(memoryKey(request, value.digest), { value, stamp });
  const putTag: ManifestMemory['putTag'] = (request, value, stamp) =>
    void tags.set(memoryKey(request, value.tag), { value, stamp });
  return {
    peekManifest,
    peekTag,
    findManifest: async (request, digest) => {
      const known = peekManifest(request, digest);
      if (known !== undefined) return known;
      const stamp = changes.stamp(request);
      const stored = await metadata.findManifest(repositoryKey(request), digest);
      if (stored !== undefined) putManifest(request, stored, stamp);
      return counting(request, stored);
    },
    findTag: async (request, tag) => {
      const known = peekTag(request, tag);
      if (known !== undefined) return known;
      const stamp = changes.stamp(request);
      const stored = await metadata.findTag(repositoryKey(request), tag);
      if (stored !== undefined) putTag(request, stored, stamp);
      return stored;
    },
    putManifest,
    putTag,
    clear: () => {
      manifests.clear();
      tags.clear();
    },
  };
}
