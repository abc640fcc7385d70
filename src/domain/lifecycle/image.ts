import type { Digest } from '../names/digest.ts';

/** What an evaluation knows of an image: of every manifest of the repository, children of indexes and referrers too. Times are wall ms. */
export interface LifecycleImage {
  readonly digest: Digest;
  readonly tags: readonly string[];
  readonly pushedAt: number;
  /** 0: never. */
  readonly lastPulledAt: number;
  /** What it refers to, where its manifest says so. */
  readonly subject?: Digest | undefined;
  /** The manifests that it names as an index. */
  readonly children?: readonly Digest[] | undefined;
  /** Absent: it is not in the archive. */
  readonly archivedAt?: number | undefined;
  /** When it was last taken out of the archive; absent: never. */
  readonly activatedAt?: number | undefined;
}
