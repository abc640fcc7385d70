import type { PullRequest } from '../pull-request.ts';
import { memoryKey } from '../pull-request.ts';

const repositoriesMax = 20_000;

/**
 * Tells whether anything was pushed into or deleted from a repository since a moment. What is read, or written, is remembered
 * under the stamp taken before it, and counts only while that is still the repository's stamp: so nothing that a delete took
 * away, or a push replaced, is served or remembered by a pull that was under way.
 */
export interface RepositoryChanges {
  stamp(request: PullRequest): number;
  /** After the commit of a change, before it is acknowledged. */
  note(request: PullRequest): void;
}

export function createRepositoryChanges(): RepositoryChanges {
  const stamps = new Map<string, number>();
  let last = 0;
  /** The stamp of all that are not in the map. */
  let others = 0;
  return {
    stamp: (request) =>
      stamps.size === 0 ? others : (stamps.get(memoryKey(request, '')) ?? others),
    note: (request) => {
      last += 1;
      if (stamps.size >= repositoriesMax) {
        stamps.clear();
        others = last;
      } else stamps.set(memoryKey(request, ''), last);
    },
  };
}
