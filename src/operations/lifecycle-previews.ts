import { randomUUID } from 'node:crypto';
import { createInOrder } from '../coordination/in-order.ts';
import { once } from '../coordination/call-attempt.ts';
import { RegistryError, repositoryUnknown } from '../domain/errors.ts';
import type { LifecyclePolicy } from '../domain/lifecycle/policy.ts';
import type { RepositoryKey } from '../domain/names/registry.ts';
import type { StoredPreview } from '../metadata/contract/lifecycle.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Clock } from '../ports/clock.ts';

/** Previews under way in this process, those that wait their turn included. */
const previewsMax = 64;
/** After it what has not ended counts as failed: its process has died. */
const lateAfterMs = 600_000;
/** How long results are kept. */
const keptForMs = 86_400_000;
/** Pages in one write, each of a hundred images. */
const pagesPerWrite = 20;
const retryAfterMs = 5000;

export interface PreviewParts {
  readonly metadata: Pick<Metadata, 'lifecycles'>;
  readonly clock: Clock;
}

/** Previews as jobs: begun by a request, and carried on without it. One at a time for a repository. */
export interface PreviewJobs {
  /** Answers once it has begun. Throws `conflict` where one is under way, `tooManyRequests` where too many are. */
  begin(key: RepositoryKey, text: string, policy: LifecyclePolicy): Promise<void>;
  /** The last one of a repository. */
  find(key: RepositoryKey): Promise<StoredPreview | undefined>;
}

export function createPreviewJobs({ metadata, clock }: PreviewParts): PreviewJobs {
  const { lifecycles } = metadata;
  let underWay = 0;
  // One after the other: the results of a whole repository are in memory until they are written.
  const inOrder = createInOrder();
  return {
    begin: async (key, text, policy) => {
      if (underWay >= previewsMax) {
        const message = `${underWay} previews of lifecycle policies are under way`;
        throw new RegistryError('tooManyRequests', message, { retryAfterMs });
      }
      underWay += 1;
      let begun = false;
      try {
        const id = once('preview', () => randomUUID());
        const now = clock.now();
        const times = { now, staleBefore: now - lateAfterMs };
        const outcome = await lifecycles.beginPreview({ ...key, id, text, ...times });
        if (outcome === 'noRepository') throw repositoryUnknown(key.repository);
        if (outcome === 'inProgress') throw previewInProgress(key);
        begun = true;
        // What fails here is told by the status; where that can't be written either, by its age.
        void inOrder(() => run(metadata, clock, { key, id, policy }))
          .catch(() => {})
          .finally(() => (underWay -= 1));
      } finally {
        if (!begun) underWay -= 1;
      }
    },
    find: async (key) => {
      const found = await lifecycles.findPreview(key);
      return found && { ...found, status: statusAt(found, clock.now()) };
    },
  };
}

function statusAt(preview: StoredPreview, now: number): StoredPreview['status'] {
  const { status, startedAt, endedAt } = preview;
  if (status === 'inProgress' && startedAt < now - lateAfterMs) return 'failed';
  const isOld = endedAt !== undefined && endedAt < now - keptForMs;
  return status === 'complete' && isOld ? 'expired' : status;
}

interface Job {
  readonly key: RepositoryKey;
  readonly id: string;
  readonly policy: LifecyclePolicy;
}

async function run(
  { lifecycles }: PreviewParts['metadata'],
  clock: Clock,
  { key, id, policy }: Job,
): Promise<void> {
  const end = (
    status: 'complete' | 'failed',
    counts: { readonly expiring: number; readonly transitioning: number },
  ): Promise<void> => lifecycles.endPreview({ ...key, id, status, ...counts, now: clock.now() });
  try {
    const question = { policy, now: clock.now() };
    const { pages, ...counts } = await lifecycles.previewLifecycle(key, question);
    for (let from = 0; from < pages.length; from += pagesPerWrite) {
      const some = pages.slice(from, from + pagesPerWrite);
      if (!(await lifecycles.addPreviewPages({ ...key, id, pages: some }))) return;
    }
    await end('complete', counts);
  } catch {
    await end('failed', { expiring: 0, transitioning: 0 });
  }
}

function previewInProgress({ repository }: RepositoryKey): RegistryError {
  const message = `a lifecycle policy preview of ${repository} is under way`;
  return new RegistryError('conflict', message, {
    kind: 'lifecyclePreviewInProgress',
    detail: { name: repository },
  });
}
