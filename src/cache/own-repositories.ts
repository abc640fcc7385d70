import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/entry-limit.ts';
import { RegistryError } from '../domain/errors.ts';
import { rootPrefix } from '../domain/rule-set.ts';
import type { Metadata } from '../metadata/metadata.ts';
import type { PullRequest } from './cache.ts';
import { memoryKey, repositoryKey } from './keys.ts';
import type { RepositoryChanges } from './repository-changes.ts';

const repositoriesMax = 20_000;

/**
 * Repositories that ROOT has no say in: something was pushed there, so that the name is ours, and a tag that was not pushed is
 * no tag of whatever bears the same name at ROOT's upstream. What was pulled before stays readable.
 */
export interface OwnRepositories {
  /** The request, without its rule where that is ROOT and the repository is our own; without waiting where that is known. */
  of<R extends PullRequest>(request: R): R | Promise<R>;
  clear(): void;
}

export function createOwnRepositories(
  metadata: Pick<Metadata, 'findRepository'>,
  changes: RepositoryChanges,
): OwnRepositories {
  /** With the stamp under which each was read, which every pushed manifest renews. */
  const known = new LRUCache<string, { readonly pushed: boolean; readonly stamp: number }>(
    atMost(repositoriesMax),
  );

  async function look<R extends PullRequest>(request: R, stamp: number): Promise<R> {
    const row = await metadata.findRepository(repositoryKey(request));
    const pushed = row?.pushed === true;
    known.set(memoryKey(request, ''), { pushed, stamp });
    return pushed ? withoutRule(request) : request;
  }

  return {
    of: (request) => {
      if (request.target.rule?.prefix !== rootPrefix) return request;
      const stamp = changes.stamp(request);
      const entry = known.get(memoryKey(request, ''));
      if (entry?.stamp !== stamp) return look(request, stamp);
      return entry.pushed ? withoutRule(request) : request;
    },
    clear: () => known.clear(),
  };
}

/** Calls with the request as it is for its repository. */
export function asOwn<R extends PullRequest, Rest extends readonly unknown[], A>(
  own: OwnRepositories,
  call: (request: R, ...rest: Rest) => Promise<A>,
): (request: R, ...rest: Rest) => Promise<A> {
  return (request, ...rest) => {
    const asked = own.of(request);
    return asked instanceof Promise
      ? asked.then((known) => call(known, ...rest))
      : call(asked, ...rest);
  };
}

/** What is asked of upstream by name where there is nobody to ask. */
export function notRoots(request: PullRequest): RegistryError {
  const { repository } = request.target;
  return new RegistryError(
    'requestInvalid',
    `${repository} was pushed to: nothing of ROOT is taken into it`,
    {
      detail: { name: repository },
    },
  );
}

function withoutRule<R extends PullRequest>(request: R): R {
  return { ...request, target: { ...request.target, rule: undefined } };
}
