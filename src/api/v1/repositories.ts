import * as z from 'zod';
import type { Asker, Audit } from '../../access/access.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import type { VisibleRepositories } from '../../access/authorize/visible-repositories.ts';
import type { Pushes } from '../../cache/push/pushes.ts';
import type { RepositorySettings } from '../../cache/push/repository-settings.ts';
import { requireTagMutability } from '../../cache/push/repository-settings.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { RepositoryView } from '../../contract/access-view.ts';
import { repositoryUnknown } from '../../domain/errors.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { registryOf, repositoryArn } from '../../domain/names/registry.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RepositoryRow } from '../../metadata/contract/rows.ts';
import type { Admission, Place } from './admission.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields } from './input.ts';
import * as outputs from './outputs.ts';
import { isoTime, readCursor, writeCursor } from './page.ts';

export interface RepositoryParts {
  readonly admission: Admission;
  readonly metadata: Pick<Metadata, 'repositories'>;
  readonly visibleRepositories: VisibleRepositories;
  readonly pushes: Pick<Pushes, 'createRepository' | 'deleteRepository'>;
  readonly settings: RepositorySettings;
  readonly audit: Audit;
}

const place = {
  repository: fields.repository,
  account: fields.account,
  region: fields.region,
};

/** Repositories of a registry, as far as the asker may see them. */
export function repositoryEndpoints(parts: RepositoryParts): readonly Endpoint[] {
  return [...listEndpoints(parts), ...changeEndpoints(parts)];
}

function listEndpoints(parts: RepositoryParts): readonly Endpoint[] {
  const { admission, visibleRepositories } = parts;
  return [
    endpoint({
      method: 'GET',
      path: 'repositories',
      summary:
        'The repositories of a registry that the caller may see; a page may be short, even empty, and have a next one',
      input: z.strictObject({
        prefix: z.string().max(255).default(''),
        account: fields.account,
        region: fields.region,
        limit: fields.limit,
        cursor: fields.cursor,
      }),
      output: outputs.listOf(outputs.repository),
      answer: async ({ input, request, ...asker }) => {
        const registry = admission.registry(input, asker);
        const { rows, next } = await visibleRepositories.list(
          {
            caller: asker.caller,
            from: asker.from,
            registry,
            prefix: input.prefix,
            after: readCursor(input.cursor, 1)?.[0] ?? '',
            limit: input.limit,
            isVisible: (row) => {
              const where = { repository: row.name, ...registryOf(registry) };
              return (
                admission.admits(asker, admission.place(where, asker)) &&
                admission.maySee(asker, registry, row.name, row)
              );
            },
          },
          request.signal,
        );
        return {
          items: rows.map((row) => viewRepository(registry, row, parts)),
          next: next === undefined ? null : writeCursor([next]),
        };
      },
    }),
  ];
}

function changeEndpoints(parts: RepositoryParts): readonly Endpoint[] {
  const { admission, pushes, settings } = parts;
  return [
    endpoint({
      method: 'POST',
      path: 'repositories',
      summary: 'Makes a repository',
      created: true,
      input: z.strictObject({ ...place, tagMutability: fields.tagMutability.optional() }),
      output: outputs.repository,
      answer: async ({ input, ...asker }) => {
        const where = admission.place(input, asker);
        const { tagMutability } = input;
        await admission.requireInRegistry(
          asker,
          actions.createRepository,
          where.registry,
          where.target,
        );
        if (tagMutability !== undefined) requireTagMutability(tagMutability);
        await pushes.createRepository({
          ...where,
          ...(tagMutability === undefined ? {} : { tagMutability }),
        });
        told(parts, asker, actions.createRepository, where);
        return readRepository(parts, where);
      },
    }),
    endpoint({
      method: 'PATCH',
      path: 'repositories',
      summary: 'Changes the settings of a repository',
      input: z.strictObject({ ...place, tagMutability: fields.tagMutability }),
      output: outputs.repository,
      answer: async ({ input: { tagMutability, ...input }, ...asker }) => {
        const where = admission.place(input, asker);
        await admission.require(asker, actions.setTagMutability, where);
        await settings.setTagMutability({ ...where, tagMutability });
        told(parts, asker, actions.setTagMutability, where, {
          mode: tagMutability.mode,
          exclusions: tagMutability.exclusions.join(' '),
        });
        return readRepository(parts, where);
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'repositories',
      summary: 'Deletes a repository; one that holds images only with force',
      input: z.strictObject({ ...place, force: fields.flag }),
      output: undefined,
      answer: async ({ input: { force, ...input }, ...asker }) => {
        const where = admission.place(input, asker);
        await admission.require(asker, actions.deleteRepository, where);
        await pushes.deleteRepository({ ...where, force });
        told(parts, asker, actions.deleteRepository, where, { force });
      },
    }),
  ];
}

async function readRepository(
  parts: RepositoryParts,
  { registry, target: { repository } }: Place,
): Promise<RepositoryView> {
  const row = await parts.metadata.repositories.findRepository({ registry, repository });
  if (row === undefined) throw repositoryUnknown(repository);
  return viewRepository(registry, { ...row, name: repository }, parts);
}

function viewRepository(
  registry: RegistryKey,
  row: RepositoryRow,
  { admission }: Pick<RepositoryParts, 'admission'>,
): RepositoryView {
  return {
    repository: row.name,
    arn: repositoryArn(registry, row.name),
    ...registryOf(registry),
    createdAt: isoTime(row.createdAt),
    rule: admission.ruleOf(registry, row.name)?.prefix ?? null,
    private: row.private,
    pushed: row.pushed,
    tagMutability: row.tagMutability,
    hasPolicy: row.policy !== undefined,
  };
}

/** The audit's entry of a change that was made. */
export function told(
  { audit }: Pick<RepositoryParts, 'audit'>,
  asker: Asker,
  action: Action,
  { registry, target: { repository } }: Place,
  detail: Readonly<Record<string, string | number | boolean>> = {},
): void {
  audit.record(changeOf(asker, action, { registry, resource: repository }, detail));
}
