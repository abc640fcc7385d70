import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { BlobStore } from '../../ports/blob-store.ts';

const damagedMax = 10_000;

/**
 * The blob store as the cache uses it. A file that can't be read stays where it is, since others may hold the blob and a disk
 * may recover; the next verified file of the same blob takes its place.
 */
export interface RepairedBlobs extends BlobStore {
  /** The blob's file could not be read, or lost bytes. */
  noteDamaged(digest: Digest): void;
  isDamaged(digest: Digest): boolean;
}

export function createRepairedBlobs(blobs: BlobStore): RepairedBlobs {
  const damaged = new LRUCache<Digest, true>(atMost(damagedMax));
  return {
    size: (digest) => blobs.size(digest),
    open: (digest, span) => blobs.open(digest, span),
    delete: (digest) => blobs.delete(digest),
    list: () => blobs.list(),
    space: () => blobs.space(),
    adopt: async (file) => {
      await blobs.adopt(file, damaged.has(file.digest));
      damaged.delete(file.digest);
    },
    noteDamaged: (digest) => void damaged.set(digest, true),
    isDamaged: (digest) => damaged.size > 0 && damaged.has(digest),
  };
}
