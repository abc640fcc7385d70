import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Events } from '../../ports/events.ts';
import type { PushTarget } from './push-target.ts';
import type { Pushes } from './pushes.ts';
import { answeringStorage } from '../space/storage-answer.ts';
import { holdsBlob } from '../whose-bytes.ts';
import type { RuleOf } from '../whose-bytes.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { identityOf } from '../pull-request.ts';

const sourcesMax = 100;

interface MountParts {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly repositories: RepositoryMemory;
  readonly target: PushTarget;
  readonly ruleOf: RuleOf;
  readonly events: Events;
}

/** Blobs that another repository of the registry holds, made this one's too: rights change, no byte moves. */
export function createBlobMount(parts: MountParts): Pick<Pushes, 'mountSources' | 'mountBlob'> {
  const answering = <T>(work: () => Promise<T>): Promise<T> =>
    answeringStorage('mountBlob', parts.events, work);
  return {
    mountSources: (request) =>
      answering(async () => {
        await parts.target.require(request);
        const { registry, digest, from } = request;
        if (from !== undefined) return (await holds(parts, request, from, digest)) ? [from] : [];
        if ((await parts.blobs.size(digest)) === undefined) return [];
        const holders = await parts.metadata.blobs.findBlobHolders(registry, digest, sourcesMax);
        const sources: RepositoryName[] = [];
        for (const name of holders)
          if (await holds(parts, request, name, digest)) sources.push(name);
        return sources;
      }),
    mountBlob: (request) =>
      answering(async () => {
        await parts.target.require(request);
        const { digest, from } = request;
        if (!(await holds(parts, request, from, digest))) return false;
        await parts.target.hold(request, digest);
        return true;
      }),
  };
}

/** Whether the blob is here and this repository's. */
async function holds(
  { blobs, metadata, repositories, ruleOf }: MountParts,
  { registry }: PullRequest,
  repository: RepositoryName,
  digest: Digest,
): Promise<boolean> {
  if ((await blobs.size(digest)) === undefined) return false;
  const rule = ruleOf({ registry, repository });
  const target = { rule, repository, upstreamRepository: repository };
  const key = { registry, repository };
  const claim = await metadata.blobs.findBlobClaim(key, identityOf(target), digest);
  return holdsBlob(claim, await repositories.isStopped({ registry, target }));
}
