import type { Asker, Audit } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parseLifecyclePolicy } from '../../domain/lifecycle/parser.ts';
import type { GrammarOptions } from '../../domain/lifecycle/rule-reader.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import {
  repositoryTagsMax,
  requireRepositoryTags,
  tooManyRepositoryTags,
} from '../../domain/names/repository-tag.ts';
import { requireTagMutability } from '../../domain/names/tag-mutability.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import { requireTemplateUses, templatePrefix } from '../../domain/registries/creation-template.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { TemplateRow, TemplateSettings } from '../../metadata/contract/templates.ts';
import type { Clock } from '../../ports/clock.ts';
import { pageOf, readCursor } from '../page.ts';
import type { PageInput } from '../page.ts';
import type { Places, RegistryInput } from '../places.ts';

interface TemplateInput extends RegistryInput {
  /** With or without a slash at its end; `ROOT`: of what no other template matches. */
  readonly prefix: string;
}

/** As it is kept. */
export type CreationTemplate = TemplateRow;

type GivenSettings = Omit<TemplateSettings, 'givenPrefix'>;

/** What repositories take their settings from when a pull or a push makes them. Each throws `RegistryError`. */
export interface CreationTemplates {
  create(
    asker: Asker,
    input: TemplateInput & { readonly settings: GivenSettings },
  ): Promise<TemplateRow>;
  /** Absent members stay; empty texts are none any more. */
  update(
    asker: Asker,
    input: TemplateInput & { readonly settings: Partial<GivenSettings> },
  ): Promise<TemplateRow>;
  delete(asker: Asker, input: TemplateInput): Promise<TemplateRow>;
  list(asker: Asker, input: RegistryInput & PageInput): Promise<Listing<TemplateRow>>;
  /** Those that are there. */
  named(
    asker: Asker,
    input: RegistryInput & { readonly prefixes: readonly string[] },
  ): Promise<readonly TemplateRow[]>;
}

export interface CreationTemplatesParts {
  readonly admission: Pick<Admission, 'requireInRegistry'>;
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'templates'>;
  readonly lifecycleGrammar: () => GrammarOptions;
  readonly audit: Audit;
  readonly clock: Clock;
}

const templatesMax = 1000;

export function createCreationTemplates(parts: CreationTemplatesParts): CreationTemplates {
  return { ...templateViews(parts), ...templateChanges(parts) };
}

async function admitted(
  { places, admission }: CreationTemplatesParts,
  asker: Asker,
  input: RegistryInput,
  action: Action,
): Promise<RegistryKey> {
  const registry = places.registry(input, asker);
  await admission.requireInRegistry(asker, action, registry);
  return registry;
}

function templateViews(parts: CreationTemplatesParts): Pick<CreationTemplates, 'list' | 'named'> {
  const { templates } = parts.metadata;
  return {
    list: async (asker, { limit, cursor, ...input }) => {
      const registry = await admitted(parts, asker, input, actions.describeTemplates);
      const after = readCursor(cursor, 1)?.[0] ?? '';
      const rows = await templates.listTemplates(registry, after, limit + 1);
      return pageOf(rows, limit, { view: (row) => row, keyOf: (row) => [row.prefix] });
    },
    named: async (asker, { prefixes, ...input }) => {
      const registry = await admitted(parts, asker, input, actions.describeTemplates);
      const found: TemplateRow[] = [];
      for (const prefix of new Set(prefixes.map(templatePrefix))) {
        const row = await templates.findTemplate({ registry, prefix });
        if (row !== undefined) found.push(row);
      }
      return found;
    },
  };
}

function templateChanges(
  parts: CreationTemplatesParts,
): Pick<CreationTemplates, 'create' | 'update' | 'delete'> {
  const { clock, audit } = parts;
  const { templates } = parts.metadata;
  return {
    create: async (asker, { prefix: givenPrefix, settings, ...input }) => {
      const registry = await admitted(parts, asker, input, actions.createTemplate);
      requireSettings(parts, settings);
      const prefix = templatePrefix(givenPrefix);
      const now = clock.now();
      const template: TemplateRow = {
        registry,
        prefix,
        settings: { ...settings, givenPrefix },
        createdAt: now,
        updatedAt: now,
      };
      const made = await templates.createTemplate({ template, templatesMax });
      if (made === 'exists')
        throw new RegistryError(
          'conflict',
          `The repository creation template with prefix '${givenPrefix}' already exists`,
          { kind: 'templateExists' },
        );
      if (made === 'limit')
        throw new RegistryError('conflict', `there are ${templatesMax} templates at most`, {
          kind: 'limitExceeded',
        });
      audit.record(changeOf(asker, actions.createTemplate, { registry, resource: prefix }));
      return template;
    },
    update: async (asker, { prefix: given, settings, ...input }) => {
      const registry = await admitted(parts, asker, input, actions.updateTemplate);
      requireSettings(parts, settings);
      const key = { registry, prefix: templatePrefix(given) };
      const said = Object.entries(settings).filter(([, value]) => value !== undefined);
      const change = Object.fromEntries(said) as Partial<TemplateSettings>;
      const row = await templates.updateTemplate({ ...key, change, now: clock.now() });
      if (row === undefined) throw unknownTemplate(given);
      audit.record(changeOf(asker, actions.updateTemplate, { registry, resource: key.prefix }));
      return row;
    },
    delete: async (asker, { prefix: given, ...input }) => {
      const registry = await admitted(parts, asker, input, actions.deleteTemplate);
      const key = { registry, prefix: templatePrefix(given) };
      const row = await templates.deleteTemplate(key);
      if (row === undefined) throw unknownTemplate(given);
      audit.record(changeOf(asker, actions.deleteTemplate, { registry, resource: key.prefix }));
      return row;
    },
  };
}

function requireSettings(
  { lifecycleGrammar }: CreationTemplatesParts,
  { appliedFor, tags, tagMutability, policy, lifecycle }: Partial<GivenSettings>,
): void {
  if (appliedFor !== undefined) requireTemplateUses(appliedFor);
  if (tagMutability !== undefined) requireTagMutability(tagMutability);
  requireRepositoryTags(tags ?? []);
  if ((tags ?? []).length > repositoryTagsMax) throw tooManyRepositoryTags();
  if (policy) parsePolicy(policy, 'repository');
  if (lifecycle) parseLifecyclePolicy(lifecycle, lifecycleGrammar());
}

function unknownTemplate(prefix: string): RegistryError {
  return new RegistryError(
    'nameUnknown',
    `The repository creation template with prefix '${prefix}' does not exist`,
    { kind: 'templateUnknown' },
  );
}
