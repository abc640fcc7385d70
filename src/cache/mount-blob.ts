import type { Digest } from '../domain/digest.ts';
import type { RepositoryName } from '../domain/repository-name.ts';
import type { Metadata } from '../metadata/metadata.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { PullRequest } from './cache.ts';
import { repositoryKey } from './keys.ts';
import type { PushSettings, PushTarget } from './push-target.ts';
import { noRepository } from './push-target.ts';
import type { Pushes } from './pushes.ts';
import { storageAnswer } from './storage-answer.ts';

const sourcesMax = 100;

/** Blobs that another repository of the registry holds, made this one's too: rights change, no byte moves. */
export function createBlobMount(parts: {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly target: PushTarget;
  readonly settings: () => PushSettings;
  readonly clock: Clock;
  readonly events: Events;
}): Pick<Pushes, 'mountSources' | 'mountBlob'> {
  const { metadata, blobs } = parts;

  async function holds(
    { registry }: PullRequest,
    repository: RepositoryName,
    digest: Digest,
  ): Promise<boolean> {
    if ((await blobs.size(digest)) === undefined) return false;
    return metadata.holdsBlob({ registry, repository }, digest);
  }

  async function told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageAnswer(error, 'mountBlob', parts.events);
    }
  }

  return {
    mountSources: (request) =>
      told(async () => {
        await parts.target.require(request);
        const { registry, digest, from } = request;
        if (from !== undefined) return (await holds(request, from, digest)) ? [from] : [];
        if ((await blobs.size(digest)) === undefined) return [];
        return metadata.findBlobHolders(registry, digest, sourcesMax);
      }),
    mountBlob: (request) =>
      told(async () => {
        await parts.target.require(request);
        const { digest, from } = request;
        if (!(await holds(request, from, digest))) return false;
        const held = await metadata.holdBlob({
          ...repositoryKey(request),
          digest,
          create: parts.settings().createOnPush,
          now: parts.clock.now(),
        });
        if (held === 'noRepository') throw noRepository(request);
        return true;
      }),
  };
}
