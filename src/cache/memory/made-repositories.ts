import type { RepositoryKey } from '../../domain/names/registry.ts';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';

/** The repositories that writes of this process made, until the audit takes them. */
export interface MadeRepositories {
  note(key: RepositoryKey): void;
  /** True once for each that was made at `since` (monotonic ms) or later. */
  take(key: RepositoryKey, since: number): boolean;
}

const notTakenMax = 10_000;

/** By what each write says of itself, never by a row's time of making: the wall clock may have been set meanwhile. */
export function createMadeRepositories(clock: Clock): MadeRepositories {
  const madeAt = new LRUCache<string, number>(atMost(notTakenMax));
  const nameOf = ({ registry, repository }: RepositoryKey): string => `${registry} ${repository}`;
  return {
    note: (key) => void madeAt.set(nameOf(key), clock.elapsed()),
    take: (key, since) => {
      const name = nameOf(key);
      const at = madeAt.get(name);
      return at !== undefined && at >= since && madeAt.delete(name);
    },
  };
}

/** The metadata with its writes of pulls and pushes noted, where they make a repository. */
export function noteMade(
  metadata: Metadata,
  made: { readonly note: (key: RepositoryKey) => Promise<void> },
): Metadata {
  const noted =
    <I extends RepositoryKey, R>(write: (input: I) => Promise<R>, isMade: (result: R) => boolean) =>
    async (input: I): Promise<R> => {
      const result = await write(input);
      if (isMade(result)) await made.note(input);
      return result;
    };
  const { repositories, manifests, tags, blobs } = metadata;
  const itself = (result: boolean): boolean => result;
  return {
    ...metadata,
    repositories: {
      ...repositories,
      stopRepository: noted((input) => repositories.stopRepository(input), itself),
    },
    manifests: {
      ...manifests,
      storeManifest: noted((input) => manifests.storeManifest(input), itself),
      putManifest: noted(
        (input) => manifests.putManifest(input),
        (result) => result.kind === 'stored' && result.createdRepository,
      ),
    },
    tags: { ...tags, setTag: noted((input) => tags.setTag(input), itself) },
    blobs: {
      ...blobs,
      recordFetch: noted((input) => blobs.recordFetch(input), itself),
      proveBlob: noted((input) => blobs.proveBlob(input), itself),
      holdBlob: noted(
        (input) => blobs.holdBlob(input),
        (result) => result === 'made',
      ),
    },
  };
}
