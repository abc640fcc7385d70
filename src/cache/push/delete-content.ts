import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Pushes } from './pushes.ts';
import { answeringStorage } from '../space/storage-answer.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

type Deletions = Pick<
  Pushes,
  'deleteManifest' | 'deleteBlob' | 'createRepository' | 'deleteRepository'
>;
type Request<Name extends keyof Deletions> = Parameters<Deletions[Name]>[0];

interface DeletionParts {
  readonly metadata: Metadata;
  readonly repositories: RepositoryMemory;
  readonly clock: Clock;
  readonly events: Events;
}

/** Takes content away, pushed or cached, and makes and removes repositories. No reader is served what was deleted before it asked. */
export function createDeletions(parts: DeletionParts): Deletions {
  return {
    deleteManifest: (request) => deleteManifest(parts, request),
    deleteBlob: (request) => deleteBlob(parts, request),
    createRepository: (request) => createRepository(parts, request),
    deleteRepository: (request) => deleteRepository(parts, request),
  };
}

function changing<T>(
  { repositories, events }: DeletionParts,
  request: PullRequest,
  operation: string,
  write: () => Promise<T>,
): Promise<T> {
  return answeringStorage(operation, events, () => repositories.change(request, write));
}

async function deleteManifest(
  parts: DeletionParts,
  request: Request<'deleteManifest'>,
): ReturnType<Deletions['deleteManifest']> {
  const { metadata, events } = parts;
  const { reference, target } = request;
  const name = target.repository;
  const key = repositoryKey(request);
  const deleted = await changing(parts, request, 'deleteManifest', async () => {
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
    const detail = { [reference.kind]: asked, name };
    throw new RegistryError('manifestUnknown', 'manifest unknown', { detail });
  }
  const kind = reference.kind === 'tag' ? 'tag' : 'manifest';
  events.emit({ type: 'deleted', kind, repository: name, digest: deleted.digest });
  return deleted;
}

async function deleteBlob(parts: DeletionParts, request: Request<'deleteBlob'>): Promise<void> {
  const { digest, target } = request;
  const name = target.repository;
  const released = await changing(parts, request, 'deleteBlob', () =>
    parts.metadata.blobs.releaseBlob({ ...repositoryKey(request), digest }),
  );
  if (!released)
    throw new RegistryError('blobUnknown', 'blob unknown', { detail: { digest, name } });
  parts.events.emit({ type: 'deleted', kind: 'blob', repository: name, digest });
}

async function createRepository(
  parts: DeletionParts,
  request: Request<'createRepository'>,
): Promise<void> {
  const made = await changing(parts, request, 'createRepository', () =>
    parts.metadata.repositories.createRepository({
      ...repositoryKey(request),
      tagMutability: request.tagMutability ?? mutableTags,
      now: parts.clock.now(),
    }),
  );
  if (made) return;
  const detail = { name: request.target.repository };
  throw new RegistryError('conflict', 'the repository exists already', { detail });
}

async function deleteRepository(
  parts: DeletionParts,
  request: Request<'deleteRepository'>,
): Promise<void> {
  const { force, target } = request;
  const name = target.repository;
  const result = await changing(parts, request, 'deleteRepository', () =>
    parts.metadata.repositories.deleteRepository({ ...repositoryKey(request), force }),
  );
  if (result === 'notFound') throw repositoryUnknown(name);
  if (result === 'notEmpty')
    throw new RegistryError('conflict', 'the repository holds manifests: force deletes them', {
      detail: { name, hint: 'force' },
    });
  parts.events.emit({ type: 'deleted', kind: 'repository', repository: name, digest: undefined });
}
