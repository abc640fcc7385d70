import type { RepositoryView } from '../../contract/access-view.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { timestamp } from '../aws/service-model.ts';
import type { AwsAsking } from '../aws/service-table.ts';
import { labelsOf } from '../aws/tag-list.ts';
import { invalidParameter } from './errors.ts';
import type {
  DescribeRepositoriesResponse,
  EncryptionConfiguration,
  ImageTagMutabilityExclusionFilter,
  Repository,
} from './model.ts';
import {
  arnInAnswer,
  endpointInAnswer,
  listOf,
  pageOfCall,
  registryOfCall,
  repositoryOfCall,
  requireNoPage,
} from './parts.ts';
import type { EcrParts, EcrRows, PageOfCall, RegistryOfCall } from './parts.ts';

/** Repositories and their settings. */
export function repositoryRows(parts: EcrParts): EcrRows {
  return { ...lifeRows(parts), ...settingRows(parts) };
}

function lifeRows(parts: EcrParts): EcrRows {
  const { repositories } = parts;
  const view = (asking: AwsAsking, repository: RepositoryView): Repository =>
    viewRepository(hostInAnswer(parts, asking, repository.account), asking, repository);
  return {
    CreateRepository: {
      changes: true,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const made = await repositories.create(asking, {
          ...place,
          tagMutability: mutabilityOfCall(input),
          labels: input.tags && labelsOf(input.tags),
          scanOnPush: input.imageScanningConfiguration?.scanOnPush,
          encryption: encryptionOfCall(input.encryptionConfiguration, keyOfAlias(place)),
        });
        return { repository: view(asking, made) };
      },
    },
    DescribeRepositories: {
      changes: false,
      answer: async (input, asking) => {
        const registry = registryOfCall(asking, input);
        const { repositoryNames: names } = input;
        if (names === undefined) return await describePage(parts, asking, registry, input);
        requireNoPage('repositoryNames', input);
        const found: Repository[] = [];
        for (const repository of new Set(names))
          found.push(
            view(asking, await repositories.describe(asking, { ...registry, repository })),
          );
        return { repositories: found };
      },
    },
    DeleteRepository: {
      changes: true,
      answer: async ({ force = false, ...input }, asking) => {
        const place = repositoryOfCall(asking, input);
        const deleted = await repositories.delete(asking, { ...place, force });
        return { repository: view(asking, deleted) };
      },
    },
  };
}

async function describePage(
  parts: EcrParts,
  asking: AwsAsking,
  registry: RegistryOfCall,
  input: PageOfCall,
): Promise<DescribeRepositoriesResponse> {
  const list = listOf('DescribeRepositories', registry);
  const asked = { ...registry, ...pageOfCall(parts, list, input) };
  const page = await parts.repositories.describeAll(asking, asked, asking.signal);
  const host = hostInAnswer(parts, asking, registry.account);
  return {
    repositories: page.items.map((each) => viewRepository(host, asking, each)),
    nextToken: parts.pages.write(list, page.next),
  };
}

function settingRows({ repositories, repositoryAttributes }: EcrParts): EcrRows {
  return {
    PutImageTagMutability: {
      changes: true,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const filters = input.imageTagMutabilityExclusionFilters;
        const tagMutability = mutabilityOf(input.imageTagMutability, filters);
        const set = await repositories.setTagMutability(asking, { ...place, tagMutability });
        return {
          registryId: set.account,
          repositoryName: set.repository,
          ...viewMutability(set.tagMutability),
        };
      },
    },
    PutImageScanningConfiguration: {
      changes: true,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const { scanOnPush = false } = input.imageScanningConfiguration;
        await repositoryAttributes.setScanOnPush(asking, { ...place, scanOnPush });
        return {
          registryId: place.account,
          repositoryName: input.repositoryName,
          imageScanningConfiguration: { scanOnPush },
        };
      },
    },
  };
}

interface MutabilityOfCall {
  readonly imageTagMutability?: TagMutability['mode'] | undefined;
  readonly imageTagMutabilityExclusionFilters?:
    | readonly ImageTagMutabilityExclusionFilter[]
    | undefined;
}

/** `undefined`: the call says nothing of it. */
export function mutabilityOfCall({
  imageTagMutability: mode,
  imageTagMutabilityExclusionFilters: filters,
}: MutabilityOfCall): TagMutability | undefined {
  return mode === undefined && filters === undefined ? undefined : mutabilityOf(mode, filters);
}

function mutabilityOf(
  mode: TagMutability['mode'] = 'MUTABLE',
  filters: readonly ImageTagMutabilityExclusionFilter[] = [],
): TagMutability {
  return { mode, exclusions: filters.map(({ filter }) => filter) };
}

export function viewMutability({
  mode,
  exclusions,
}: TagMutability): Pick<Repository, 'imageTagMutability' | 'imageTagMutabilityExclusionFilters'> {
  const filters = exclusions.map((filter) => ({ filter, filterType: 'WILDCARD' }) as const);
  return {
    imageTagMutability: mode,
    imageTagMutabilityExclusionFilters: filters.length === 0 ? undefined : filters,
  };
}

/** `undefined`: the call says nothing of it. `keyDefault`: of what is encrypted by KMS and names no key, or an empty one. */
export function encryptionOfCall(
  given: EncryptionConfiguration | undefined,
  keyDefault?: string,
): { readonly type: EncryptionConfiguration['encryptionType']; readonly key?: string } | undefined {
  if (given === undefined) return undefined;
  const { encryptionType: type, kmsKey } = given;
  if (type === 'AES256' && kmsKey)
    throw invalidParameter('encryptionConfiguration', 'AES256 takes no kmsKey');
  const key = type === 'AES256' ? undefined : kmsKey || keyDefault;
  return key === undefined ? { type } : { type, key };
}

/** AWS's alias for ECR, as KMS would make it: the same for an account and region each time. */
function keyOfAlias({ account, region }: RegistryOfCall): string {
  return `arn:aws:kms:${region}:${account}:alias/aws/ecr`;
}

/** Of URIs, which have no scheme. */
function hostInAnswer(parts: EcrParts, asking: AwsAsking, account: string): string {
  const url = endpointInAnswer(parts, asking, account);
  return url.slice(url.indexOf('://') + 3);
}

function viewRepository(host: string, asking: AwsAsking, view: RepositoryView): Repository {
  const { account, repository, encryption } = view;
  return {
    repositoryArn: arnInAnswer(asking, account, repository),
    registryId: account,
    repositoryName: repository,
    repositoryUri: `${host}/${repository}`,
    createdAt: timestamp(Date.parse(view.createdAt)),
    ...viewMutability(view.tagMutability),
    imageScanningConfiguration: { scanOnPush: view.scanOnPush },
    encryptionConfiguration: {
      encryptionType: encryption.type,
      kmsKey: encryption.key ?? undefined,
    },
  };
}
