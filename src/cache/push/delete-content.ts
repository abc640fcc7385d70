import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Pushes } from './pushes.ts';
import { storageAnswer } from '../space/storage-answer.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

type Deletions = Pick<
  Pushes,
  'deleteManifest' | 'deleteBlob' | 'createRepository' | 'deleteRepository'
>;

/** Takes content away, pushed or cached, and makes and removes repositories. No reader is served what was deleted before it asked. */
export function createDeletions(parts: {
  readonly metadata: Metadata;
  readonly repositories: RepositoryMemory;
  readonly clock: Clock;
  readonly events: Events;
}): Deletions {
  const { metadata, repositories, events } = parts;

  /** Memory forgets before the deletion is acknowledged, also where it is not known whether it was committed. */
  async function changing<T>(
    request: PullRequest,
    operation: string,
    write: () => Promise<T>,
  ): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw storageAnswer(error, operation, events);
    } finally {
      repositories.noteChange(request);
    }
  }

  return {
    deleteManifest: async (request) => {
      const { reference, target } = request;
      const key = repositoryKey(request);
      const deleted = await changing(request, 'deleteManifest', async () => {
        if (reference.kind === 'tag') {
          const digest = await metadata.tags.deleteTag({ ...key, tag: reference.tag });
          return digest && { digest, tags: [reference.tag] };
        }
        const { digest } = reference;
        const found = await metadata.manifests.deleteManifest({ ...key, digest });
        return found && { digest, tags: found.tags };
      });
      if (deleted === undefined) {
        const asked = reference.kind === 'tag' ? reference.tag : reference.digest;
        throw new RegistryError('manifestUnknown', 'manifest unknown', {
          detail: { [reference.kind]: asked, name: target.repository },
        });
      }
      const kind = reference.kind === 'tag' ? 'tag' : 'manifest';
      events.emit({ type: 'deleted', kind, repository: target.repository, digest: deleted.digest });
      return deleted;
    },
    deleteBlob: async (request) => {
      const { digest, target } = request;
      const released = await changing(request, 'deleteBlob', () =>
        metadata.blobs.releaseBlob({ ...repositoryKey(request), digest }),
      );
      if (!released)
        throw new RegistryError('blobUnknown', 'blob unknown', {
          detail: { digest, name: target.repository },
        });
      events.emit({ type: 'deleted', kind: 'blob', repository: target.repository, digest });
    },
    createRepository: async (request) => {
      const made = await changing(request, 'createRepository', () =>
        metadata.repositories.createRepository({
          ...repositoryKey(request),
          tagMutability: request.tagMutability ?? mutableTags,
          now: parts.clock.now(),
        }),
      );
      if (!made)
        throw new RegistryError('conflict', 'the repository exists already', {
          detail: { name: request.target.repository },
        });
    },
    deleteRepository: async (request) => {
      const { force, target } = request;
      const name = target.repository;
      const result = await changing(request, 'deleteRepository', () =>
        metadata.repositories.deleteRepository({ ...repositoryKey(request), force }),
      );
      if (result === 'notFound') throw repositoryUnknown(name);
      if (result === 'notEmpty')
        throw new RegistryError('conflict', 'the repository holds manifests: force deletes them', {
          detail: { name, hint: 'force' },
        });
      events.emit({ type: 'deleted', kind: 'repository', repository: name, digest: undefined });
    },
  };
}
