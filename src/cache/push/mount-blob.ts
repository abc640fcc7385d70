import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { identityOf } from '../pull-request.ts';
import type { PullRequest } from '../pull-request.ts';
import { answeringStorage } from '../space/storage-answer.ts';
import { holdsBlob } from '../whose-bytes.ts';
import type { PushParts } from './push-parts.ts';
import { holdBlob, requirePush } from './push-target.ts';
import type { PushRequest } from './pushes.ts';

const sourcesMax = 100;

/** Where a blob can be mounted from: a mount changes rights, and moves no byte. */
export function mountSources(
  parts: PushParts,
  request: PushRequest<'mountSources'>,
): Promise<readonly RepositoryName[]> {
  return answeringStorage('mountBlob', parts.events, async () => {
    await requirePush(parts, request);
    const { registry, digest, from } = request;
    if (from !== undefined) return (await holds(parts, request, from, digest)) ? [from] : [];
    if ((await parts.blobs.size(digest)) === undefined) return [];
    const holders = await parts.metadata.blobs.findBlobHolders(registry, digest, sourcesMax);
    const sources: RepositoryName[] = [];
    for (const name of holders) if (await holds(parts, request, name, digest)) sources.push(name);
    return sources;
  });
}

export function mountBlob(parts: PushParts, request: PushRequest<'mountBlob'>): Promise<boolean> {
  return answeringStorage('mountBlob', parts.events, async () => {
    await requirePush(parts, request);
    const { digest, from } = request;
    if (!(await holds(parts, request, from, digest))) return false;
    await holdBlob(parts, request, digest);
    return true;
  });
}

/** Whether the blob is here and this repository's. */
async function holds(
  { blobs, metadata, repositories, ruleOf }: PushParts,
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
