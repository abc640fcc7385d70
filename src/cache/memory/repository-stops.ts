import { LRUCache } from 'lru-cache';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RepositoryChanges } from './repository-changes.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey, ruledKey } from '../pull-request.ts';

const repositoriesMax = 20_000;

/** Which repositories a denied check has stopped (`onFailure.denied: stop`): tags and digests, until a check succeeds. */
export interface RepositoryStops {
  isStopped(request: PullRequest): Promise<boolean>;
  stop(request: PullRequest): void;
  lift(request: PullRequest): void;
  clear(): void;
}

/** What is told of a stopped repository where upstream is not asked again. */
export function stoppedFailure(request: PullRequest): UpstreamFailure {
  return new UpstreamFailure('upstream denied this repository, and the rule stops it then', {
    kind: 'denied',
    reason: 'status',
    upstream: request.target.rule?.urls[0]?.host ?? '',
  });
}

/** Whether upstream's refusal is one that the rule stops a repository for. */
export function isStopping({ target }: PullRequest, failure: unknown): boolean {
  return (
    target.rule?.onFailure.denied === 'stop' &&
    failure instanceof UpstreamFailure &&
    failure.kind === 'denied'
  );
}

export function createRepositoryStops(
  metadata: Metadata,
  changes: RepositoryChanges,
): RepositoryStops {
  const known = new LRUCache<string, { stopped: boolean; stamp: number }>(atMost(repositoriesMax));
  const put = (request: PullRequest, stopped: boolean, stamp = changes.stamp(request)): void =>
    void known.set(ruledKey(request, ''), { stopped, stamp });
  return {
    isStopped: async (request) => {
      // Only a rule that says `stop` can stop a repository; for all others there is nothing to look up.
      if (request.target.rule?.onFailure.denied !== 'stop') return false;
      const entry = known.get(ruledKey(request, ''));
      const stamp = changes.stamp(request);
      if (entry?.stamp === stamp) return entry.stopped;
      const stopped =
        (await metadata.findRepository(repositoryKey(request)))?.stopped !== undefined;
      put(request, stopped, stamp);
      return stopped;
    },
    stop: (request) => put(request, true),
    lift: (request) => put(request, false),
    clear: () => known.clear(),
  };
}
