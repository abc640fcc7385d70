import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import { holdPushed } from './hold-pushed.ts';
import type { PushSettings, PushTarget } from './push-target.ts';
import type { Pushes } from './pushes.ts';
import { storageAnswer } from '../space/storage-answer.ts';
import { holdsBlob } from '../whose-bytes.ts';
import type { RuleOf } from '../whose-bytes.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { identityOf } from '../pull-request.ts';

const sourcesMax = 100;

/** Blobs that another repository of the registry holds, made this one's too: rights change, no byte moves. */
export function createBlobMount(parts: {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly repositories: RepositoryMemory;
  readonly target: PushTarget;
  readonly ruleOf: RuleOf;
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
    const rule = parts.ruleOf({ registry, repository });
    const target = { rule, repository, upstreamRepository: repository };
    const claim = await metadata.blobs.findBlobClaim(
      { registry, repository },
      identityOf(target),
      digest,
    );
    return holdsBlob(claim, await parts.repositories.isStopped({ registry, target }));
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
        const sources: RepositoryName[] = [];
        for (const name of await metadata.blobs.findBlobHolders(registry, digest, sourcesMax)) {
          if (await holds(request, name, digest)) sources.push(name);
        }
        return sources;
      }),
    mountBlob: (request) =>
      told(async () => {
        await parts.target.require(request);
        const { digest, from } = request;
        if (!(await holds(request, from, digest))) return false;
        await holdPushed(parts, request, digest);
        return true;
      }),
  };
}
