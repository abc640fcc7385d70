import type { Asker } from '../access/access.ts';
import type { Place } from '../access/admission/admission.ts';
import type { VisiblePage, VisibleRepositories } from '../access/authorize/visible-repositories.ts';
import type { Pushes } from '../cache/push/pushes.ts';
import { onceRead } from '../coordination/call-attempt.ts';
import type { LabelView, RepositoryMaker, RepositoryView } from '../contract/access-view.ts';
import type { Listing } from '../contract/admin-view.ts';
import { repositoryUnknown } from '../domain/errors.ts';
import { inKeyOrder } from '../domain/names/label.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import { registryOf, repositoryArn } from '../domain/names/registry.ts';
import {
  repositoryTagsMax,
  requireRepositoryTags,
  tooManyRepositoryTags,
} from '../domain/names/repository-tag.ts';
import { requireTagMutability } from '../domain/names/tag-mutability.ts';
import type { TagMutability } from '../domain/names/tag-mutability.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import { isAdmitted } from '../domain/rules/name-pattern.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type {
  RepositoryAttributes,
  RepositoryEncryption,
  RepositoryRow,
} from '../metadata/contract/rows.ts';
import { isoTime, readCursor, writeCursor } from './page.ts';
import type { PageInput } from './page.ts';
import type { Places, RegistryInput, RepositoryInput } from './places.ts';
import { changeRepository } from './repository-change.ts';
import type { ChangeParts } from './repository-change.ts';

export interface VisibleInput {
  readonly registry: RegistryKey;
  readonly prefix: string;
  /** Any name, or the `next` of a page. */
  readonly after: string;
  readonly limit: number;
}

/** Repositories of a registry, as far as the asker may see them. Each throws `RegistryError`. */
export interface Repositories {
  /** `seenBy`: any of these rights shows a repository, where the rule's patterns do. */
  visible(
    asker: Asker,
    input: VisibleInput,
    seenBy: readonly Action[],
    signal: AbortSignal,
  ): Promise<VisiblePage>;
  /** A page may be short, even empty, and have a next one. The operator sees what patterns hide, too. */
  list(
    asker: Asker,
    input: RegistryInput & PageInput & { readonly prefix: string },
    signal: AbortSignal,
  ): Promise<Listing<RepositoryView>>;
  /** All of a registry that the asker may describe; who may not describe all of them is refused, as at ECR. */
  describeAll(
    asker: Asker,
    input: RegistryInput & PageInput,
    signal: AbortSignal,
  ): Promise<Listing<RepositoryView>>;
  describe(asker: Asker, input: RepositoryInput): Promise<RepositoryView>;
  /** With labels, the right to set them is needed too. */
  create(asker: Asker, input: NewRepository): Promise<RepositoryView>;
  setTagMutability(
    asker: Asker,
    input: RepositoryInput & { readonly tagMutability: TagMutability },
  ): Promise<RepositoryView>;
  /** One that holds images only with `force`; none that was pushed into, or made by hand, with `unlessPushed`. */
  delete(
    asker: Asker,
    input: RepositoryInput & { readonly force: boolean; readonly unlessPushed?: boolean },
  ): Promise<RepositoryView>;
}

/** What is not said is as ECR has it: mutable, not scanned, AES256. */
export interface NewRepository extends RepositoryInput {
  readonly tagMutability?: TagMutability | undefined;
  readonly labels?: readonly LabelView[] | undefined;
  readonly scanOnPush?: boolean | undefined;
  readonly encryption?: RepositoryEncryption | undefined;
}

export interface RepositoriesParts extends ChangeParts {
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories'>;
  readonly visibleRepositories: VisibleRepositories;
  readonly pushes: Pick<Pushes, 'createRepository' | 'deleteRepository' | 'setTagMutability'>;
}

export function createRepositories(parts: RepositoriesParts): Repositories {
  return { ...repositoryViews(parts), ...repositoryChanges(parts) };
}

function repositoryViews(parts: RepositoriesParts) {
  const { admission, places, visibleRepositories } = parts;
  const visible = (
    asker: Asker,
    input: VisibleInput,
    isVisible: (place: Place, row: RepositoryRow) => boolean | Promise<boolean>,
    signal: AbortSignal,
  ): Promise<VisiblePage> => {
    const { registry } = input;
    const isRowVisible = (row: RepositoryRow): boolean | Promise<boolean> =>
      isVisible(places.at(registry, row.name), row);
    return visibleRepositories.list({ ...input, ...asker, isVisible: isRowVisible }, signal);
  };
  return {
    visible: (asker, input, seenBy, signal) =>
      visible(
        asker,
        input,
        (place, row) => isAdmitted(place.target) && admission.mayAny(asker, place, seenBy, row),
        signal,
      ),
    list: async (asker, { prefix, limit, cursor, ...input }, signal) => {
      const registry = places.registry(input, asker);
      const after = readCursor(cursor, 1)?.[0] ?? '';
      const isOperator = admission.isOperator(asker.caller);
      const { rows, next } = await visible(
        asker,
        { registry, prefix, after, limit },
        (place, row) =>
          (isOperator || isAdmitted(place.target)) &&
          admission.mayAny(asker, place, [actions.listRepositories, actions.getManifest], row),
        signal,
      );
      return {
        items: rows.map((row) => viewRepository(places.at(registry, row.name), row)),
        next: next === undefined ? null : writeCursor([next]),
      };
    },
    describeAll: async (asker, { limit, cursor, ...input }, signal) => {
      const registry = places.registry(input, asker);
      const action = actions.listRepositories;
      await admission.requireOfAll(asker, action, registry);
      const after = readCursor(cursor, 1)?.[0] ?? '';
      const { rows, next } = await visible(
        asker,
        { registry, prefix: '', after, limit },
        (place, row) => admission.mayAny(asker, place, [action], row),
        signal,
      );
      return {
        items: rows.map((row) => viewRepository(places.at(registry, row.name), row)),
        next: next === undefined ? null : writeCursor([next]),
      };
    },
    describe: async (asker, input) => {
      const place = places.place(input, asker);
      await admission.require(asker, place, [actions.listRepositories]);
      return readRepository(parts, place);
    },
  } satisfies Partial<Repositories>;
}

function repositoryChanges(parts: RepositoriesParts) {
  const { admission, places, pushes } = parts;
  return {
    create: async (asker, { tagMutability, labels = [], scanOnPush, encryption, ...input }) => {
      const place = places.place(input, asker);
      const action = actions.createRepository;
      await changeRepository(parts, asker, place, {
        right: async () => {
          const { registry, target } = place;
          await admission.requireInRegistry(asker, action, registry, target.repository);
          if (labels.length === 0) return;
          await admission.requireInRegistry(
            asker,
            actions.tagResource,
            registry,
            target.repository,
          );
        },
        action,
        apply: async () => {
          if (tagMutability !== undefined) requireTagMutability(tagMutability);
          requireRepositoryTags(labels);
          if (labels.length > repositoryTagsMax) throw tooManyRepositoryTags();
          const attributes = attributesOf({ labels, scanOnPush, encryption });
          await pushes.createRepository({
            ...place,
            ...(tagMutability === undefined ? {} : { tagMutability }),
            ...(attributes === undefined ? {} : { attributes }),
          });
        },
        audited: () => ({ detail: {} }),
      });
      return readRepository(parts, place);
    },
    setTagMutability: async (asker, { tagMutability, ...input }) => {
      const place = places.place(input, asker);
      const action = actions.setTagMutability;
      await changeRepository(parts, asker, place, {
        right: [action],
        action,
        apply: () => pushes.setTagMutability({ ...place, tagMutability }),
        audited: () => ({
          detail: { mode: tagMutability.mode, exclusions: tagMutability.exclusions.join(' ') },
        }),
      });
      return readRepository(parts, place);
    },
    delete: async (asker, { force, unlessPushed = false, ...input }) => {
      const place = places.place(input, asker);
      const action = actions.deleteRepository;
      return await changeRepository(parts, asker, place, {
        right: [action],
        action,
        apply: async () => {
          const before = await onceRead('deleted', () => readRepository(parts, place));
          await pushes.deleteRepository({ ...place, force, unlessPushed });
          return before;
        },
        audited: () => ({ detail: { force } }),
      });
    },
  } satisfies Partial<Repositories>;
}

/** `undefined`: nothing that has to be kept. */
function attributesOf({
  labels = [],
  scanOnPush = false,
  encryption,
}: Pick<NewRepository, 'labels' | 'scanOnPush' | 'encryption'>): RepositoryAttributes | undefined {
  const attributes: RepositoryAttributes = {
    ...(labels.length > 0 ? { tags: inKeyOrder(labels) } : {}),
    ...(scanOnPush ? { scanOnPush } : {}),
    ...(encryption === undefined ? {} : { encryption }),
  };
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}

async function readRepository(
  { metadata }: Pick<RepositoriesParts, 'metadata'>,
  place: Place,
): Promise<RepositoryView> {
  const { repository } = place.target;
  const row = await metadata.repositories.findRepository({ registry: place.registry, repository });
  if (row === undefined) throw repositoryUnknown(repository);
  return viewRepository(place, { ...row, name: repository });
}

function viewRepository({ registry, target }: Place, row: RepositoryRow): RepositoryView {
  return {
    repository: row.name,
    arn: repositoryArn(registry, row.name),
    ...registryOf(registry),
    createdAt: isoTime(row.createdAt),
    rule: target.rule?.prefix ?? null,
    private: row.private,
    pushed: row.pushed,
    madeBy: viewMaker(row),
    tagMutability: row.tagMutability,
    hasPolicy: row.policy !== undefined,
    labels: row.attributes?.tags ?? [],
    scanOnPush: row.attributes?.scanOnPush ?? false,
    encryption: {
      type: row.attributes?.encryption?.type ?? 'AES256',
      key: row.attributes?.encryption?.key ?? null,
    },
  };
}

const makers = {
  PULL_THROUGH_CACHE: 'pull',
  CREATE_ON_PUSH: 'push',
  REPLICATION: 'replication',
  API: 'api',
} as const;

function viewMaker({ pushed, attributes }: RepositoryRow): RepositoryMaker {
  const { use, template = null, upstream = null } = attributes?.madeBy ?? {};
  if (use !== undefined) return { by: makers[use], template, upstream };
  // It was made before that was kept; of those, only what a pull made was never pushed.
  return { by: pushed ? 'unknown' : 'pull', template, upstream };
}
