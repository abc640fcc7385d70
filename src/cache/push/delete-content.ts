import { RegistryError } from '../../domain/errors.ts';
import { repositoryKey } from '../pull-request.ts';
import { changing } from './repositories.ts';
import type { ChangeParts } from './repositories.ts';
import type { PushRequest, Pushes } from './pushes.ts';

/** Pushed or cached. No reader is served what was deleted before it asked. */
export async function deleteManifest(
  parts: ChangeParts,
  request: PushRequest<'deleteManifest'>,
): ReturnType<Pushes['deleteManifest']> {
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

/** As `deleteManifest` of each: one change of the repository. */
export async function expireManifests(
  parts: ChangeParts,
  request: PushRequest<'expireManifests'>,
): ReturnType<Pushes['expireManifests']> {
  const { metadata, events } = parts;
  const { images, target } = request;
  const expired = await changing(parts, request, 'expireManifests', () =>
    metadata.manifests.expireManifests({ ...repositoryKey(request), images }),
  );
  for (const digest of expired)
    events.emit({ type: 'deleted', kind: 'manifest', repository: target.repository, digest });
  return expired;
}

export async function deleteBlob(
  parts: ChangeParts,
  request: PushRequest<'deleteBlob'>,
): Promise<void> {
  const { digest, target } = request;
  const name = target.repository;
  const released = await changing(parts, request, 'deleteBlob', () =>
    parts.metadata.blobs.releaseBlob({ ...repositoryKey(request), digest }),
  );
  if (!released)
    throw new RegistryError('blobUnknown', 'blob unknown', { detail: { digest, name } });
  parts.events.emit({ type: 'deleted', kind: 'blob', repository: name, digest });
}
