import type { Digest } from '../../domain/names/digest.ts';
import type { BlobMetadata, Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PushSettings } from './push-target.ts';
import { noRepository } from './push-target.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

/**
 * Makes a blob the repository's as pushed. The first one makes the repository our own, which what is remembered of it must
 * learn before the push is acknowledged; a further one changes nothing that is remembered. Throws `nameUnknown` where there
 * is no repository and pushes make none.
 */
export async function holdPushed(
  parts: {
    readonly metadata: Pick<Metadata, 'blobs'>;
    readonly repositories: RepositoryMemory;
    readonly settings: () => PushSettings;
    readonly clock: Clock;
  },
  request: PullRequest,
  digest: Digest,
): Promise<void> {
  let held: Awaited<ReturnType<BlobMetadata['holdBlob']>> | undefined;
  try {
    held = await parts.metadata.blobs.holdBlob({
      ...repositoryKey(request),
      digest,
      create: parts.settings().createOnPush,
      now: parts.clock.now(),
    });
  } finally {
    // Of one that failed it is not known whether it was committed.
    if (held === 'made' || held === 'first' || held === undefined)
      parts.repositories.noteChange(request);
  }
  if (held === 'noRepository') throw noRepository(request);
}
