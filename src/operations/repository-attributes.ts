import type { Asker } from '../access/access.ts';
import type { LabelView } from '../contract/access-view.ts';
import { repositoryUnknown } from '../domain/errors.ts';
import {
  repositoryTagsMax,
  requireRepositoryTags,
  tooManyRepositoryTags,
} from '../domain/names/repository-tag.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Places, RepositoryInput } from './places.ts';
import { changeRepository } from './repository-change.ts';
import type { ChangeParts } from './repository-change.ts';

/** What owners keep of a repository beside its content: labels, and whether pushes are scanned. Each throws `RegistryError`. */
export interface RepositoryAttributeOperations {
  tags(asker: Asker, input: RepositoryInput): Promise<readonly LabelView[]>;
  /** Puts, or replaces those of the same keys. */
  tag(
    asker: Asker,
    input: RepositoryInput & { readonly tags: readonly LabelView[] },
  ): Promise<void>;
  /** Keys that are not there are passed over. */
  untag(asker: Asker, input: RepositoryInput & { readonly keys: readonly string[] }): Promise<void>;
  setScanOnPush(
    asker: Asker,
    input: RepositoryInput & { readonly scanOnPush: boolean },
  ): Promise<void>;
}

export interface RepositoryAttributesParts extends ChangeParts {
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories'>;
}

export function createRepositoryAttributes(
  parts: RepositoryAttributesParts,
): RepositoryAttributeOperations {
  const { admission, places, metadata } = parts;
  const changeTags = async (
    asker: Asker,
    input: RepositoryInput,
    action: Action,
    change: { readonly remove: readonly string[]; readonly set: readonly LabelView[] },
  ): Promise<void> => {
    const place = places.place(input, asker);
    const key = { registry: place.registry, repository: place.target.repository };
    await changeRepository(parts, asker, place, {
      right: [action],
      action,
      apply: async () => {
        requireRepositoryTags(change.set);
        const limits = { tagsMax: repositoryTagsMax };
        const done = await metadata.repositories.changeRepositoryTags({
          ...key,
          ...change,
          ...limits,
        });
        if (done === 'notFound') throw repositoryUnknown(key.repository);
        if (done === 'tooMany') throw tooManyRepositoryTags();
      },
      audited: () => ({
        detail: { keys: [...change.remove, ...change.set.map((tag) => tag.key)].join(' ') },
      }),
    });
  };
  return {
    tags: async (asker, input) => {
      const place = places.place(input, asker);
      await admission.require(asker, place, [actions.listTagsForResource]);
      const { repository } = place.target;
      const row = await metadata.repositories.findRepository({
        registry: place.registry,
        repository,
      });
      if (row === undefined) throw repositoryUnknown(repository);
      return row.attributes?.tags ?? [];
    },
    tag: (asker, { tags, ...input }) =>
      changeTags(asker, input, actions.tagResource, { remove: [], set: tags }),
    untag: (asker, { keys, ...input }) =>
      changeTags(asker, input, actions.untagResource, { remove: keys, set: [] }),
    setScanOnPush: async (asker, { scanOnPush, ...input }) => {
      const place = places.place(input, asker);
      const action = actions.putImageScanningConfiguration;
      const key = { registry: place.registry, repository: place.target.repository };
      await changeRepository(parts, asker, place, {
        right: [action],
        action,
        apply: async () => {
          if (!(await metadata.repositories.setScanOnPush({ ...key, scanOnPush })))
            throw repositoryUnknown(key.repository);
        },
        audited: () => ({ detail: { scanOnPush } }),
      });
    },
  };
}
