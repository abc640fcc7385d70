import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import { mutableTags, requireTagMutability } from '../../domain/names/tag-mutability.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';
import { answeringStorage } from '../space/storage-answer.ts';
import type { PushParts } from './push-parts.ts';
import type { PushRequest } from './pushes.ts';

/** What it takes to change a repository without bytes. */
export type ChangeParts = Pick<PushParts, 'metadata' | 'repositories' | 'clock' | 'events'>;

/** A write that changes the repository; what it fails with is answered as a failure of the storage. */
export function changing<T>(
  { repositories, events }: ChangeParts,
  request: PullRequest,
  operation: string,
  write: () => Promise<T>,
): Promise<T> {
  return answeringStorage(operation, events, () => repositories.change(request, write));
}

export async function createRepository(
  parts: ChangeParts,
  request: PushRequest<'createRepository'>,
): Promise<void> {
  const made = await changing(parts, request, 'createRepository', () =>
    parts.metadata.repositories.createRepository({
      ...repositoryKey(request),
      tagMutability: request.tagMutability ?? mutableTags,
      ...(request.attributes === undefined ? {} : { attributes: request.attributes }),
      now: parts.clock.now(),
    }),
  );
  if (made) return;
  const detail = { name: request.target.repository };
  throw new RegistryError('conflict', 'the repository exists already', {
    kind: 'repositoryExists',
    detail,
  });
}

export async function deleteRepository(
  parts: ChangeParts,
  request: PushRequest<'deleteRepository'>,
): Promise<void> {
  const { force, unlessPushed = false, target } = request;
  const name = target.repository;
  const result = await changing(parts, request, 'deleteRepository', () =>
    parts.metadata.repositories.deleteRepository({
      ...repositoryKey(request),
      force,
      unlessPushed,
    }),
  );
  if (result === 'notFound') throw repositoryUnknown(name);
  if (result === 'notEmpty')
    throw new RegistryError('conflict', 'the repository holds manifests: force deletes them', {
      kind: 'repositoryNotEmpty',
      detail: { name, hint: 'force' },
    });
  if (result === 'pushed')
    throw new RegistryError('conflict', 'the repository was pushed into, or made by hand', {
      kind: 'repositoryPushed',
      detail: { name },
    });
  parts.events.emit({ type: 'deleted', kind: 'repository', repository: name, digest: undefined });
}

export async function setTagMutability(
  { metadata, repositories }: ChangeParts,
  request: PushRequest<'setTagMutability'>,
): Promise<void> {
  const { tagMutability } = request;
  requireTagMutability(tagMutability);
  const setting = { ...repositoryKey(request), tagMutability };
  const isThere = await repositories.change(
    request,
    () => metadata.repositories.setTagMutability(setting),
    (found) => found,
  );
  if (!isThere) throw repositoryUnknown(request.target.repository);
}
