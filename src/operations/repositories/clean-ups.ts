import type { Asker } from '../../access/access.ts';
import type { Place } from '../../access/admission/admission.ts';
import type {
  CleanedRepositoryView,
  CleanUpView,
  RepositoryView,
} from '../../contract/access-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { unusedBlobsGoneAfterMs } from '../../domain/unused-blobs.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { LeavingRepositories } from '../../metadata/contract/rows.ts';
import type { Admission } from '../../access/admission/admission.ts';
import type { Places } from '../places.ts';
import type { Repositories } from '../repositories.ts';
import { repositoriesBelow, wholePrefix } from './below.ts';
import type { BelowInput } from './below.ts';

export interface CleanUpInput extends BelowInput {
  /** Also those that were pushed into, or made by hand; with images only with `force`. */
  readonly all: boolean;
  readonly force: boolean;
  /** Nothing is deleted: what would be is answered. */
  readonly dryRun: boolean;
}

/**
 * Deletes what pulls made, with its images: they come again with the next pull. A page at a time; each repository is a change of its own,
 * with its right, its audit and its transaction, so that what is interrupted goes on where it ended. Throws `RegistryError`.
 */
export interface RepositoryCleanUps {
  cleanUp(asker: Asker, input: CleanUpInput, signal: AbortSignal): Promise<CleanUpView>;
}

export interface CleanUpParts {
  readonly admission: Pick<Admission, 'may'>;
  readonly places: Places;
  readonly repositories: Pick<Repositories, 'list' | 'delete'>;
  readonly metadata: Pick<Metadata, 'blobs' | 'manifests'>;
}

type Cleaned = Pick<CleanedRepositoryView, 'outcome' | 'because'>;

const deleted: Cleaned = { outcome: 'deleted', because: null };
const pushed: Cleaned = {
  outcome: 'kept',
  because: 'it was pushed into or made by hand: --all --force deletes it',
};
const holdsImages: Cleaned = { outcome: 'kept', because: 'it holds images: --force deletes it' };

export function createRepositoryCleanUps(parts: CleanUpParts): RepositoryCleanUps {
  const { places, repositories, metadata } = parts;
  return {
    cleanUp: async (asker, { prefix: given, all, force, dryRun, ...input }, signal) => {
      const prefix = wholePrefix(given);
      const page = await repositoriesBelow(repositories, asker, { ...input, prefix }, signal);
      const registry = places.registry(input, asker);
      const rights = { all, force };
      const leaving = dryRun ? { prefix, pushed: all && force } : undefined;
      const items: CleanedRepositoryView[] = [];
      for (const view of page.items) {
        if (signal.aborted) break;
        const place = places.at(registry, view.repository);
        const work = { asker, place, view, rights };
        const bytes = await ownBytes(metadata, place, leaving);
        const done = dryRun ? await foresee(parts, work) : await remove(parts, work);
        if (done !== undefined) items.push(viewCleaned(place, view, done, bytes));
      }
      const bytesFreedWithinSeconds = unusedBlobsGoneAfterMs / 1000;
      return { items, next: page.next, bytesFreedWithinSeconds };
    },
  };
}

interface Work {
  readonly asker: Asker;
  readonly place: Place;
  readonly view: RepositoryView;
  readonly rights: Pick<CleanUpInput, 'all' | 'force'>;
}

async function ownBytes(
  metadata: CleanUpParts['metadata'],
  place: Place,
  leaving: LeavingRepositories | undefined,
): Promise<number> {
  return (await metadata.blobs.sumOwnBlobs(keyOf(place), leaving)).bytes;
}

async function foresee(
  { admission, metadata }: CleanUpParts,
  { asker, place, view, rights: { all, force } }: Work,
): Promise<Cleaned> {
  if (view.pushed && !all) return pushed;
  if (!(await admission.may(asker, place, [actions.deleteRepository])))
    return { outcome: 'refused', because: `${actions.deleteRepository} is not allowed here` };
  if (!view.pushed || force) return deleted;
  const key = keyOf(place);
  const images = await metadata.manifests.listManifests(key, { after: '' }, 1);
  return images.length > 0 ? holdsImages : deleted;
}

/** `undefined`: it is gone already. What was pushed into it meanwhile is looked at as it is deleted. */
async function remove(
  { repositories }: CleanUpParts,
  { asker, view, rights: { all, force } }: Work,
): Promise<Cleaned | undefined> {
  if (view.pushed && !all) return pushed;
  const { account, region, repository } = view;
  try {
    await repositories.delete(asker, {
      account,
      region,
      repository,
      force: force || !view.pushed,
      unlessPushed: !view.pushed && !(all && force),
    });
    return deleted;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    if (error.code === 'nameUnknown') return undefined;
    if (error.kind === 'repositoryPushed') return pushed;
    if (error.kind === 'repositoryNotEmpty') return holdsImages;
    if (error.code === 'denied') return { outcome: 'refused', because: error.message };
    throw error;
  }
}

function keyOf({ registry, target: { repository } }: Place): RepositoryKey {
  return { registry, repository };
}

function viewCleaned(
  { target: { rule } }: Place,
  { repository, madeBy }: RepositoryView,
  done: Cleaned,
  bytes: number,
): CleanedRepositoryView {
  return {
    repository,
    madeBy,
    ...done,
    bytes: done.outcome === 'deleted' ? bytes : 0,
    rule: rule === undefined ? null : { prefix: rule.prefix, origin: rule.origin },
  };
}
