import type { Asker } from '../../access/access.ts';
import type { Admission, Place } from '../../access/admission/admission.ts';
import type {
  AppliedSettingView,
  AppliedTemplateView,
  RepositoryView,
} from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import type { TemplateUse } from '../../domain/registries/creation-template.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type { TemplateSettings } from '../../metadata/contract/templates.ts';
import type { LifecycleOperations } from '../lifecycles.ts';
import type { Places, RepositoryInput } from '../places.ts';
import type { PolicyOperations } from '../policies.ts';
import type { Repositories } from '../repositories.ts';
import type { RepositoryAttributeOperations } from '../repository-attributes.ts';
import { repositoriesBelow, wholePrefix } from './below.ts';
import type { BelowInput } from './below.ts';

export interface TemplateApplicationInput extends BelowInput {
  /** Nothing is changed: what would be is answered. */
  readonly dryRun: boolean;
}

/**
 * Gives repositories that are there what the longest template that matches them says. What it doesn't say stays. Each setting is a change of
 * its own, with its right and its audit: what is interrupted goes on where it ended. Throws `RegistryError`.
 */
export interface TemplateApplications {
  apply(
    asker: Asker,
    input: TemplateApplicationInput,
    signal: AbortSignal,
  ): Promise<Listing<AppliedTemplateView>>;
}

export interface TemplateApplicationsParts {
  readonly admission: Pick<Admission, 'may' | 'requireInRegistry'>;
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories' | 'templates' | 'lifecycles'>;
  readonly repositories: Pick<Repositories, 'list' | 'setTagMutability'>;
  readonly repositoryAttributes: Pick<RepositoryAttributeOperations, 'tag'>;
  readonly lifecycles: Pick<LifecycleOperations, 'put'>;
  readonly policies: Pick<PolicyOperations, 'setOfRepository'>;
}

export function createTemplateApplications(parts: TemplateApplicationsParts): TemplateApplications {
  const { admission, places, repositories } = parts;
  return {
    apply: async (asker, { prefix: given, dryRun, ...input }, signal) => {
      const prefix = wholePrefix(given);
      const registry = places.registry(input, asker);
      await admission.requireInRegistry(asker, actions.describeTemplates, registry);
      const page = await repositoriesBelow(repositories, asker, { ...input, prefix }, signal);
      const items: AppliedTemplateView[] = [];
      for (const view of page.items) {
        signal.throwIfAborted();
        const place = places.at(registry, view.repository);
        const applied = await applyTo(parts, asker, { place, view, dryRun });
        if (applied !== undefined) items.push(applied);
      }
      return { items, next: page.next };
    },
  };
}

interface Work {
  readonly place: Place;
  readonly view: RepositoryView;
  readonly dryRun: boolean;
}

/** `undefined`: it is gone meanwhile. */
async function applyTo(
  parts: TemplateApplicationsParts,
  asker: Asker,
  { place, view, dryRun }: Work,
): Promise<AppliedTemplateView | undefined> {
  const { metadata } = parts;
  const { account, region, repository } = view;
  const key = { registry: place.registry, repository: place.target.repository };
  const row = await metadata.repositories.findRepository(key);
  if (row === undefined) return undefined;
  const template = await metadata.templates.findTemplateFor(key, useOf(view.madeBy.by));
  if (template === undefined) return { repository, template: null, changes: [], notApplied: [] };
  const lifecycle = (await metadata.lifecycles.findLifecycle(key))?.text;
  const input = { account, region, repository };
  const changes: AppliedSettingView[] = [];
  for (const change of changesOf(parts, template.settings, { row, lifecycle, input })) {
    const { setting, before, after } = change;
    const because = dryRun
      ? await foresee(parts, asker, place, change)
      : await reasonAgainst(() => change.apply(asker));
    const outcome = because === null ? 'applied' : 'refused';
    changes.push({ setting, before, after, outcome, because });
  }
  const notApplied = encryptionKept(template.settings, row);
  return { repository, template: template.prefix, changes, notApplied };
}

function useOf(by: RepositoryView['madeBy']['by']): TemplateUse {
  if (by === 'pull') return 'PULL_THROUGH_CACHE';
  return by === 'replication' ? 'REPLICATION' : 'CREATE_ON_PUSH';
}

interface Change extends Pick<AppliedSettingView, 'setting' | 'before' | 'after'> {
  readonly right: Action;
  readonly apply: (asker: Asker) => Promise<unknown>;
}

interface Found {
  readonly row: StoredRepository;
  readonly lifecycle: string | undefined;
  readonly input: RepositoryInput;
}

/** What is as the template says already is no change. */
function changesOf(
  parts: TemplateApplicationsParts,
  settings: TemplateSettings,
  found: Found,
): readonly Change[] {
  const { row, lifecycle, input } = found;
  const { tagMutability, policy } = settings;
  const changes: Change[] = [];
  if (
    tagMutability !== undefined &&
    mutabilityText(tagMutability) !== mutabilityText(row.tagMutability)
  )
    changes.push({
      setting: 'tagMutability',
      before: mutabilityText(row.tagMutability),
      after: mutabilityText(tagMutability),
      right: actions.setTagMutability,
      apply: (asker) => parts.repositories.setTagMutability(asker, { ...input, tagMutability }),
    });
  changes.push(...labelChange(parts, settings, found));
  if (settings.lifecycle && settings.lifecycle !== lifecycle) {
    const after = settings.lifecycle;
    changes.push({
      setting: 'lifecyclePolicy',
      before: lifecycle ?? null,
      after,
      right: actions.putLifecyclePolicy,
      apply: (asker) => parts.lifecycles.put(asker, { ...input, policy: after }),
    });
  }
  // The last: it may take the right to the others away.
  if (policy && policy !== row.policy)
    changes.push({
      setting: 'policy',
      before: row.policy ?? null,
      after: policy,
      right: actions.setRepositoryPolicy,
      apply: (asker) => parts.policies.setOfRepository(asker, { ...input, policy }),
    });
  return changes;
}

/** Those of the template that the repository has not, or not so; its others stay. */
function labelChange(
  { repositoryAttributes }: TemplateApplicationsParts,
  settings: TemplateSettings,
  { row, input }: Found,
): readonly Change[] {
  const own = new Map((row.attributes?.tags ?? []).map(({ key, value }) => [key, value]));
  const tags = (settings.tags ?? []).filter(({ key, value }) => own.get(key) !== value);
  if (tags.length === 0) return [];
  const words = (each: readonly { readonly key: string; readonly value: string }[]): string =>
    each.map(({ key, value }) => `${key}=${value}`).join(' ');
  const there = tags.flatMap(({ key }) => {
    const value = own.get(key);
    return value === undefined ? [] : [{ key, value }];
  });
  return [
    {
      setting: 'labels',
      before: words(there) || null,
      after: words(tags),
      right: actions.tagResource,
      apply: (asker) => repositoryAttributes.tag(asker, { ...input, tags }),
    },
  ];
}

function mutabilityText({ mode, exclusions }: TagMutability): string {
  return [mode, ...exclusions.toSorted()].join(' ');
}

function encryptionKept(
  { encryption: wanted }: TemplateSettings,
  { attributes }: StoredRepository,
): AppliedTemplateView['notApplied'] {
  if (wanted === undefined) return [];
  const { type, key } = attributes?.encryption ?? { type: 'AES256' as const, key: undefined };
  if (type === wanted.type && key === wanted.key) return [];
  const words = [type, ...(key === undefined ? [] : [key])].join(' ');
  return [
    { setting: 'encryption', because: `it is chosen as a repository is made: ${words} stays` },
  ];
}

async function foresee(
  { admission }: TemplateApplicationsParts,
  asker: Asker,
  place: Place,
  { right }: Change,
): Promise<string | null> {
  return (await admission.may(asker, place, [right])) ? null : `${right} is not allowed here`;
}

/** Why it was refused; `null`: it was done. What is wrong with the server is thrown. */
async function reasonAgainst(apply: () => Promise<unknown>): Promise<string | null> {
  try {
    await apply();
    return null;
  } catch (error) {
    const refused = ['denied', 'requestInvalid', 'conflict', 'nameUnknown'];
    if (error instanceof RegistryError && refused.includes(error.code)) return error.message;
    throw error;
  }
}
