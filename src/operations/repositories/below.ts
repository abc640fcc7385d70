import type { Asker } from '../../access/access.ts';
import type { RepositoryView } from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import type { PageInput } from '../page.ts';
import type { RegistryInput } from '../places.ts';
import type { Repositories } from '../repositories.ts';

/** Repositories that something is done to one after the other: a page is one request. */
export interface BelowInput extends RegistryInput, PageInput {
  /** Of whole path segments, with or without a slash at its end. */
  readonly prefix: string;
}

const pageMax = 100;

/** `k8s/` is `k8s`. Throws `requestInvalid` for what no name begins with. */
export function wholePrefix(given: string): string {
  const prefix = given.replace(/\/$/, '');
  if (parseRepositoryName(prefix) !== undefined) return prefix;
  throw new RegistryError('requestInvalid', 'prefix: not the begin of a repository name', {
    detail: {
      field: 'prefix',
      value: given.slice(0, 255),
      hint: 'whole path segments, as k8s or team/base',
    },
  });
}

/** A page, 100 at most, of the repositories that the asker may see at the prefix itself and below it, in byte order. */
export async function repositoriesBelow(
  repositories: Pick<Repositories, 'list'>,
  asker: Asker,
  { prefix, limit, ...input }: BelowInput,
  signal: AbortSignal,
): Promise<Listing<RepositoryView>> {
  const below = { ...input, prefix: `${prefix}/`, limit: Math.min(limit, pageMax) };
  const page = await repositories.list(asker, below, signal);
  if (input.cursor !== undefined) return page;
  const first = await repositories.list(asker, { ...input, prefix, limit: 1 }, signal);
  const self = first.items.filter(({ repository }) => repository === prefix);
  return { items: [...self, ...page.items], next: page.next };
}
