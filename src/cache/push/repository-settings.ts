import { repositoryUnknown } from '../../domain/errors.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { requireTagMutability } from '../../domain/names/tag-mutability.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

/** Settings of a repository that is there. */
export interface RepositorySettings {
  /** Holds for the next push and the next pull. Throws `requestInvalid` for filters that don't fit the mode, `nameUnknown` where there is no repository. */
  setTagMutability(request: PullRequest & { readonly tagMutability: TagMutability }): Promise<void>;
}

export function createRepositorySettings({
  metadata,
  repositories,
}: {
  readonly metadata: Pick<Metadata, 'repositories'>;
  readonly repositories: RepositoryMemory;
}): RepositorySettings {
  return {
    async setTagMutability(request) {
      const { tagMutability } = request;
      requireTagMutability(tagMutability);
      const setting = { ...repositoryKey(request), tagMutability };
      const isThere = await repositories.change(
        request,
        () => metadata.repositories.setTagMutability(setting),
        (found) => found,
      );
      if (!isThere) throw repositoryUnknown(request.target.repository);
    },
  };
}
