import type { CreationTemplate } from '../../../operations/registries/creation-templates.ts';
import { timestamp } from '../../aws/service-model.ts';
import type { AwsAsking } from '../../aws/service-table.ts';
import { labelsOf, tagsOf } from '../../aws/tag-list.ts';
import type {
  CreateRepositoryCreationTemplateRequest,
  DescribeRepositoryCreationTemplatesRequest,
  DescribeRepositoryCreationTemplatesResponse,
  RepositoryCreationTemplate,
  UpdateRepositoryCreationTemplateRequest,
} from '../model.ts';
import { listOf, pageOfCall, registryOfCall, requireNoPage } from '../parts.ts';
import type { EcrParts, EcrRows } from '../parts.ts';
import { encryptionOfCall, mutabilityOfCall, viewMutability } from '../repositories.ts';

/** What repositories take their settings from when a pull or a push makes them. */
export function templateRows(parts: EcrParts): EcrRows {
  const { creationTemplates } = parts;
  const place = (asking: AwsAsking, prefix: string) => ({ ...registryOfCall(asking), prefix });
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
  parts: EcrParts,
  asking: AwsAsking,
  input: DescribeRepositoryCreationTemplatesRequest,
): Promise<DescribeRepositoryCreationTemplatesResponse> {
  const { creationTemplates, pages } = parts;
  const registry = registryOfCall(asking);
  const { prefixes = [] } = input;
  if (prefixes.length > 0) {
    requireNoPage('prefixes', input);
    const found = await creationTemplates.named(asking, { ...registry, prefixes });
    return {
      registryId: registry.account,
      repositoryCreationTemplates: found.map(viewTemplate),
    };
  }
  const list = listOf('DescribeRepositoryCreationTemplates', registry);
  const asked = { ...registry, ...pageOfCall(parts, list, input) };
  const page = await creationTemplates.list(asking, asked);
  return {
    registryId: registry.account,
    repositoryCreationTemplates: page.items.map(viewTemplate),
    nextToken: pages.write(list, page.next),
  };
}

function settingsOf(
  input: CreateRepositoryCreationTemplateRequest | UpdateRepositoryCreationTemplateRequest,
) {
  return {
    ...(input.appliedFor === undefined ? {} : { appliedFor: input.appliedFor }),
    description: input.description,
    encryption: encryptionOfCall(input.encryptionConfiguration),
    tags: input.resourceTags && labelsOf(input.resourceTags),
    tagMutability: mutabilityOfCall(input),
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
    resourceTags: tags && tagsOf(tags),
    ...(settings.tagMutability && viewMutability(settings.tagMutability)),
    repositoryPolicy: settings.policy,
    lifecyclePolicy: settings.lifecycle,
    appliedFor: settings.appliedFor,
    customRoleArn: settings.roleArn,
    createdAt: timestamp(createdAt),
    updatedAt: timestamp(updatedAt),
  };
}
