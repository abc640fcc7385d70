import { LRUCache } from 'lru-cache';
import type { Digest } from '../domain/digest.ts';
import type { Metadata, StoredManifest, StoredTag } from '../metadata/metadata.ts';
import type { Tag } from '../domain/tag.ts';
import type { PullRequest } from './cache.ts';
import { memoryKey, repositoryKey } from './keys.ts';

const manifestBytesMax = 64 * 1024 * 1024;
const tagsMax = 20_000;

/**
 * Manifests and tags as last read or written, so that a warm answer costs neither disk nor SQL. Whoever writes metadata for a
 * tag calls `forgetTag` or `putTag`; manifests by digest never change.
 */
export interface ManifestMemory {
  /** From memory, else from metadata, then remembered. */
  findManifest(request: PullRequest, digest: Digest): Promise<StoredManifest | undefined>;
  findTag(request: PullRequest, tag: Tag): Promise<StoredTag | undefined>;
  /** Without waiting: what is in memory now. */
  peekManifest(request: PullRequest, digest: Digest): StoredManifest | undefined;
  peekTag(request: PullRequest, tag: Tag): StoredTag | undefined;
  putManifest(request: PullRequest, manifest: StoredManifest): void;
  putTag(request: PullRequest, tag: StoredTag): void;
  forgetTag(request: PullRequest, tag: Tag): void;
  clear(): void;
}

export function createManifestMemory(metadata: Metadata): ManifestMemory {
  const manifests = new LRUCache<string, StoredManifest>({
    maxSize: manifestBytesMax,
    sizeCalculation: (manifest) => manifest.bytes.length + 512,
  });
  const tags = new LRUCache<string, StoredTag>({ max: tagsMax });
  const peekManifest: ManifestMemory['peekManifest'] = (request, digest) =>
    manifests.get(memoryKey(request, digest));
  const peekTag: ManifestMemory['peekTag'] = (request, tag) => tags.get(memoryKey(request, tag));
  return {
    peekManifest,
    peekTag,
    findManifest: async (request, digest) => {
      const known = peekManifest(request, digest);
      if (known !== undefined) return known;
      const stored = await metadata.findManifest(repositoryKey(request), digest);
      if (stored !== undefined) manifests.set(memoryKey(request, digest), stored);
      return stored;
    },
    findTag: async (request, tag) => {
      const known = peekTag(request, tag);
      if (known !== undefined) return known;
      const stored = await metadata.findTag(repositoryKey(request), tag);
      if (stored !== undefined) tags.set(memoryKey(request, tag), stored);
      return stored;
    },
    putManifest: (request, manifest) =>
      void manifests.set(memoryKey(request, manifest.digest), manifest),
    putTag: (request, tag) => void tags.set(memoryKey(request, tag.tag), tag),
    forgetTag: (request, tag) => void tags.delete(memoryKey(request, tag)),
    clear: () => {
      manifests.clear();
      tags.clear();
    },
  };
}
