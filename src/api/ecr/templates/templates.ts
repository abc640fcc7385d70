import type { CreationTemplate } from '../../../operations/registries/creation-templates.ts';
import { timestamp } from '../../aws/service-model.ts';
import type {
  CreateRepositoryCreationTemplateRequest,
  RepositoryCreationTemplate,
  UpdateRepositoryCreationTemplateRequest,
} from '../model.ts';
import { invalidParameter } from '../errors.ts';
import { pageDefault, registryOfCall } from '../parts.ts';
import type { EcrParts, EcrRows } from '../parts.ts';
import { mutabilityOf, viewMutability } from '../repositories.ts';

/** What repositories take their settings from when a pull or a push makes them. */
export function templateRows(parts: EcrParts): EcrRows {
  const { creationTemplates } = parts;
  const place = (asking: Parameters<typeof registryOfCall>[0], prefix: string) => ({
    ...registryOfCall(asking, {}),
    prefix,
  });
  const answer = (account: string, template: CreationTemplate) => ({
    registryId: account,
    repositoryCreationTemplate: viewTemplate(template),
  });
  return {
    CreateRepositoryCreationTemplate: {
      changes: true,
      answer: async (input, asking) => {
        const settings = { ...settingsOf(input), appliedFor: input.appliedFor };
        const made = await creationTemplates.create(asking, {
          ...place(asking, input.prefix),
          settings,
        });
        return answer(asking.account, made);
      },
    },
    UpdateRepositoryCreationTemplate: {
      changes: true,
      answer: async (input, asking) => {
        const settings = settingsOf(input);
        const changed = await creationTemplates.update(asking, {
          ...place(asking, input.prefix),
          settings,
        });
        return answer(asking.account, changed);
      },
    },
    DeleteRepositoryCreationTemplate: {
      changes: true,
      answer: async ({ prefix }, asking) =>
        answer(asking.account, await creationTemplates.delete(asking, place(asking, prefix))),
    },
    DescribeRepositoryCreationTemplates: {
      changes: false,
      answer: (input, asking) => describe(parts, asking, input),
    },
  };
}

async function describe(
  { creationTemplates, pages }: EcrParts,
  asking: Parameters<EcrParts['creationTemplates']['list']>[0] &
    Parameters<typeof registryOfCall>[0],
  input: {
    readonly prefixes?: readonly string[] | undefined;
    readonly nextToken?: string | undefined;
    readonly maxResults?: number | undefined;
  },
): Promise<{
  readonly registryId: string;
  readonly repositoryCreationTemplates: readonly RepositoryCreationTemplate[];
  readonly nextToken?: string | undefined;
}> {
  const registry = registryOfCall(asking, {});
  const { prefixes = [], nextToken, maxResults } = input;
  if (prefixes.length > 0) {
    if (nextToken !== undefined || maxResults !== undefined)
      throw invalidParameter(
        nextToken === undefined ? 'maxResults' : 'nextToken',
        'cannot be used together with prefixes',
      );
    const found = await creationTemplates.named(asking, { ...registry, prefixes });
    return {
      registryId: registry.account,
      repositoryCreationTemplates: found.map(viewTemplate),
    };
  }
  const list = `DescribeRepositoryCreationTemplates ${registry.account}/${registry.region}`;
  const page = await creationTemplates.list(asking, {
    ...registry,
    limit: maxResults ?? pageDefault,
    cursor: pages.read(list, nextToken),
  });
  return {
    registryId: registry.account,
    repositoryCreationTemplates: page.items.map(viewTemplate),
    nextToken: pages.write(list, page.next),
  };
}

function settingsOf(
  input: CreateRepositoryCreationTemplateRequest | UpdateRepositoryCreationTemplateRequest,
) {
  const { imageTagMutability, encryptionConfiguration: encryption } = input;
  const exclusions = input.imageTagMutabilityExclusionFilters;
  if (encryption?.encryptionType === 'AES256' && encryption.kmsKey)
    throw invalidParameter('encryptionConfiguration', 'AES256 takes no kmsKey');
  return {
    ...(input.appliedFor === undefined ? {} : { appliedFor: input.appliedFor }),
    description: input.description,
    encryption: encryption && {
      type: encryption.encryptionType,
      ...(encryption.kmsKey ? { key: encryption.kmsKey } : {}),
    },
    tags: input.resourceTags?.map(({ Key, Value }) => ({ key: Key, value: Value })),
    tagMutability:
      imageTagMutability === undefined && exclusions === undefined
        ? undefined
        : mutabilityOf(imageTagMutability ?? 'MUTABLE', exclusions),
    policy: input.repositoryPolicy,
    lifecycle: input.lifecyclePolicy,
    roleArn: input.customRoleArn,
  };
}

function viewTemplate({
  settings,
  createdAt,
  updatedAt,
}: CreationTemplate): RepositoryCreationTemplate {
  const { encryption, tags } = settings;
  return {
    prefix: settings.givenPrefix,
    description: settings.description,
    encryptionConfiguration: encryption && {
      encryptionType: encryption.type,
      kmsKey: encryption.key,
    },
    resourceTags: tags?.map(({ key, value }) => ({ Key: key, Value: value })),
    ...(settings.tagMutability && viewMutability(settings.tagMutability)),
    repositoryPolicy: settings.policy,
    lifecyclePolicy: settings.lifecycle,
    appliedFor: settings.appliedFor,
    customRoleArn: settings.roleArn,
    createdAt: timestamp(createdAt),
    updatedAt: timestamp(updatedAt),
  };
}
