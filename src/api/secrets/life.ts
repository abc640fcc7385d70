import type { SecretFilter } from '../../domain/secrets/secret-listing.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import { AwsError } from '../aws/aws-error.ts';
import { timestamp } from '../aws/service-model.ts';
import type { AwsAsking } from '../aws/service-table.ts';
import { labelsOf, tagsOf } from '../aws/tag-list.ts';
import { invalidParameter } from './errors.ts';
import type { DeleteSecretRequest, Filter, SecretListEntry } from './model.ts';
import { namedInAnswer, secretOfCall, stagesInAnswer, valueOfCall } from './parts.ts';
import type { SecretsRows, SecretsServiceParts } from './parts.ts';

const secretsPerPage = 100;
/** Days until a deleted secret is gone. */
const window = { least: 7, default: 30, most: 30 };

/** Secrets as they are made, described, deleted and brought back. */
export function lifeRows(parts: SecretsServiceParts): SecretsRows {
  return { ...makingRows(parts), ...viewRows(parts), ...endRows(parts) };
}

function makingRows({ secrets }: SecretsServiceParts): SecretsRows {
  return {
    CreateSecret: {
      changes: true,
      answer: async (input, asking) => {
        if (input.AddReplicaRegions !== undefined)
          throw new AwsError(
            'InvalidParameterException',
            'AddReplicaRegions: secrets are not replicated to other regions here.',
          );
        const { account, region } = asking;
        const value = valueOfCall(input);
        const secret = await secrets.create(asking, {
          account,
          region,
          name: input.Name,
          description: input.Description,
          kmsKey: input.KmsKeyId,
          type: input.Type,
          tags: input.Tags && labelsOf(input.Tags),
          token: input.ClientRequestToken,
          value,
        });
        return {
          ...namedInAnswer(asking, secret),
          VersionId: value === undefined ? undefined : secret.token,
        };
      },
    },
    UpdateSecret: {
      changes: true,
      answer: async (input, asking) => {
        const { secret, version } = await secrets.update(asking, {
          ...secretOfCall(asking, input),
          description: input.Description,
          kmsKey: input.KmsKeyId,
          type: input.Type,
          token: input.ClientRequestToken,
          value: valueOfCall(input),
        });
        return { ...namedInAnswer(asking, secret), VersionId: version?.id };
      },
    },
  };
}

function viewRows({ secrets, pages }: SecretsServiceParts): SecretsRows {
  return {
    DescribeSecret: {
      changes: false,
      answer: async (input, asking) => {
        const secret = await secrets.describe(asking, secretOfCall(asking, input));
        return { ...viewSecret(asking, secret), VersionIdsToStages: stagesInAnswer(secret) };
      },
    },
    ListSecrets: {
      changes: false,
      answer: async (input, asking) => {
        const { account, region } = asking;
        const { SortBy = 'created-date', SortOrder = 'desc' } = input;
        const { Filters, IncludePlannedDeletion } = input;
        const filtered = JSON.stringify({ Filters, IncludePlannedDeletion });
        const list = `ListSecrets ${account}/${region} ${SortBy} ${SortOrder} ${filtered}`;
        const page = await secrets.list(asking, {
          account,
          region,
          filters: (input.Filters ?? []).map(filterOf),
          withDeleted: input.IncludePlannedDeletion ?? false,
          by: SortBy,
          descending: SortOrder === 'desc',
          limit: input.MaxResults ?? secretsPerPage,
          cursor: pages.read(list, input.NextToken),
        });
        const items = page.items.map((secret) => ({
          ...viewSecret(asking, secret),
          SecretVersionsToStages: stagesInAnswer(secret),
        }));
        return { SecretList: items, NextToken: pages.write(list, page.next) };
      },
    },
  };
}

function filterOf({ Key, Values }: Filter): SecretFilter {
  if (Key === undefined || Values === undefined)
    throw invalidParameter('A filter needs both Key and Values.');
  return { key: Key, values: Values };
}

function viewSecret(asking: AwsAsking, secret: Secret): SecretListEntry {
  const { description, kmsKey, type, accessedAt, deletion, tags } = secret;
  return {
    ...namedInAnswer(asking, secret),
    Type: type,
    Description: description === '' ? undefined : description,
    KmsKeyId: kmsKey,
    LastChangedDate: timestamp(secret.changedAt),
    LastAccessedDate: timestamp(accessedAt),
    DeletedDate: timestamp(deletion?.askedAt),
    Tags: tags.length === 0 ? undefined : tagsOf(tags),
    CreatedDate: timestamp(secret.createdAt),
  };
}

function endRows({ secrets }: SecretsServiceParts): SecretsRows {
  return {
    DeleteSecret: {
      changes: true,
      answer: async (input, asking) => {
        const days = daysOf(input);
        const call = secretOfCall(asking, input);
        const { secret, at } = await secrets.delete(asking, { ...call, days });
        const named =
          secret === undefined
            ? { ARN: call.secret, Name: call.secret }
            : namedInAnswer(asking, secret);
        return { ...named, DeletionDate: timestamp(at) };
      },
    },
    RestoreSecret: {
      changes: true,
      answer: async (input, asking) =>
        namedInAnswer(asking, await secrets.restore(asking, secretOfCall(asking, input))),
    },
  };
}

/** `undefined`: at once. */
function daysOf({
  RecoveryWindowInDays: days,
  ForceDeleteWithoutRecovery: force = false,
}: DeleteSecretRequest): number | undefined {
  if (force && days !== undefined)
    throw invalidParameter(
      "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    );
  if (days !== undefined && (days < window.least || days > window.most))
    throw invalidParameter(
      `The RecoveryWindowInDays value must be between ${window.least} and ${window.most} days (inclusive).`,
    );
  return force ? undefined : (days ?? window.default);
}
