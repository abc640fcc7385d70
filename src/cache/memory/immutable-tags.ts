import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { isTagImmutable } from '../../domain/names/tag-mutability.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RepositoryChanges } from './repository-changes.ts';
import type { PullRequest } from '../pull-request.ts';
import { memoryKey, repositoryKey } from '../pull-request.ts';

const repositoriesMax = 20_000;

/** Which tags their repository's setting keeps where they are. */
export interface ImmutableTags {
  /** Without an answer of metadata nothing is: what can't be read can't be moved either. */
  has(request: PullRequest, tag: Tag): Promise<boolean>;
  clear(): void;
}

export function createImmutableTags(metadata: Metadata, changes: RepositoryChanges): ImmutableTags {
  const known = new LRUCache<string, { setting: TagMutability; stamp: number }>(
    atMost(repositoriesMax),
  );

  async function settingOf(request: PullRequest): Promise<TagMutability | undefined> {
    const key = memoryKey(request, '');
    const stamp = changes.stamp(request);
    const entry = known.get(key);
    if (entry?.stamp === stamp) return entry.setting;
    const stored = await metadata.findRepository(repositoryKey(request)).catch(() => undefined);
    if (stored === undefined) return undefined;
    known.set(key, { setting: stored.tagMutability, stamp });
    return stored.tagMutability;
  }

  return {
    has: async (request, tag) => {
      const setting = await settingOf(request);
      return setting !== undefined && isTagImmutable(setting, tag);
    },
    clear: () => known.clear(),
  };
}
