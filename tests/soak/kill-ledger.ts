import type { SyntheticBlob, SyntheticImage } from '../bench/synthetic-image.ts';

/** What Breakwater has acknowledged and so must serve after any crash, with upstream gone. */
export interface KillLedger {
  readonly images: readonly SyntheticImage[];
  add(image: SyntheticImage): void;
  /** A hit: the store said that it has it. */
  acknowledgeManifest(image: SyntheticImage): void;
  acknowledgeBlob(image: SyntheticImage, blob: SyntheticBlob): void;
  /** Acknowledged since the last call. */
  takeRecent(): Acknowledged;
  all(): Acknowledged;
  clear(): void;
}

export interface Acknowledged {
  readonly manifests: readonly SyntheticImage[];
  readonly blobs: readonly {
    readonly image: SyntheticImage;
    readonly blob: SyntheticBlob;
  }[];
}

export function createKillLedger(): KillLedger {
  let images: SyntheticImage[] = [];
  const manifests = new Set<SyntheticImage>();
  const blobs = new Map<SyntheticBlob, SyntheticImage>();
  let recentManifests: SyntheticImage[] = [];
  let recentBlobs: { image: SyntheticImage; blob: SyntheticBlob }[] = [];
  return {
    get images() {
      return images;
    },
    add(image) {
      images.push(image);
    },
    acknowledgeManifest(image) {
      if (manifests.has(image)) return;
      manifests.add(image);
      recentManifests.push(image);
    },
    acknowledgeBlob(image, blob) {
      if (blobs.has(blob)) return;
      blobs.set(blob, image);
      recentBlobs.push({ image, blob });
    },
    takeRecent() {
      const recent = { manifests: recentManifests, blobs: recentBlobs };
      recentManifests = [];
      recentBlobs = [];
      return recent;
    },
    all: () => ({
      manifests: [...manifests],
      blobs: [...blobs].map(([blob, image]) => ({ image, blob })),
    }),
    clear() {
      images = [];
      manifests.clear();
      blobs.clear();
      recentManifests = [];
      recentBlobs = [];
    },
  };
}
