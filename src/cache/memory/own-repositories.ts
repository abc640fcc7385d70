import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import { RegistryError } from '../../domain/errors.ts';
import { rootPrefix } from '../../domain/rules/rule-set.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RepositoryChanges } from './repository-changes.ts';
import type { PullRequest } from '../pull-request.ts';
import { memoryKey, repositoryKey } from '../pull-request.ts';

const repositoriesMax = 20_000;

/**
 * Repositories that nothing is fetched into by ROOT: something was pushed there, so that the name is ours, and a tag that was
 * not pushed is no tag of whatever bears the same name at ROOT's upstream. What was pulled before is ROOT's still: readable
 * while ROOT leads where it led then, and doesn't stop the repository.
 */
export interface OwnRepositories {
  /** The request, asking for what is held alone where its rule is ROOT and the repository is our own; without waiting where that is known. */
  of<R extends PullRequest>(request: R): R | Promise<R>;
  clear(): void;
}

export function createOwnRepositories(
  metadata: Pick<Metadata, 'findRepository'>,
  changes: RepositoryChanges,
): OwnRepositories {
  /** With the stamp under which each was read, which the first push renews. */
  const known = new LRUCache<string, { readonly pushed: boolean; readonly stamp: number }>(
    atMost(repositoriesMax),
  );

  async function look<R extends PullRequest>(request: R, stamp: number): Promise<R> {
    const row = await metadata.findRepository(repositoryKey(request));
    const pushed = row?.pushed === true;
    known.set(memoryKey(request, ''), { pushed, stamp });
    return pushed ? heldOnly(request) : request;
  }

  return {
    of: (request) => {
      if (request.target.rule?.prefix !== rootPrefix) return request;
      const stamp = changes.stamp(request);
      const entry = known.get(memoryKey(request, ''));
      if (entry?.stamp !== stamp) return look(request, stamp);
      return entry.pushed ? heldOnly(request) : request;
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

/** The rule stays: what it brought counts by its identity, and its stops hold. */
function heldOnly<R extends PullRequest>(request: R): R {
  return request.heldOnly === true ? request : { ...request, heldOnly: true };
}
