import { timestamp } from '../aws/service-model.ts';
import { invalidParameter } from './errors.ts';
import type { SecretVersionsListEntry } from './model.ts';
import { namedInAnswer, secretOfCall, valueOfCall } from './parts.ts';
import type { SecretsRows, SecretsServiceParts } from './parts.ts';

const versionsPerPage = 100;

/** Values, their versions, and the labels of these. */
export function valueRows(parts: SecretsServiceParts): SecretsRows {
  return { ...heldRows(parts), ...versionRows(parts) };
}

function heldRows({ secrets }: SecretsServiceParts): SecretsRows {
  return {
    PutSecretValue: {
      changes: true,
      answer: async (input, asking) => {
        const { secret, version } = await secrets.put(asking, {
          ...secretOfCall(asking, input),
          value: valueOfCall(input),
          token: input.ClientRequestToken,
          stages: input.VersionStages,
        });
        return {
          ...namedInAnswer(asking, secret),
          VersionId: version.id,
          VersionStages: version.stages,
        };
      },
    },
    GetSecretValue: {
      changes: false,
      answer: async (input, asking) => {
        const { secret, version, value } = await secrets.value(asking, {
          ...secretOfCall(asking, input),
          version: input.VersionId,
          stage: input.VersionStage,
        });
        return {
          ...namedInAnswer(asking, secret),
          VersionId: version.id,
          ...('text' in value
            ? { SecretString: value.text }
            : { SecretBinary: Buffer.from(value.bytes).toString('base64') }),
          VersionStages: version.stages,
          CreatedDate: timestamp(version.createdAt),
        };
      },
    },
  };
}

function versionRows({ secrets, pages }: SecretsServiceParts): SecretsRows {
  return {
    UpdateSecretVersionStage: {
      changes: true,
      answer: async (input, asking) => {
        const secret = await secrets.moveStage(asking, {
          ...secretOfCall(asking, input),
          stage: input.VersionStage,
          from: input.RemoveFromVersionId,
          to: input.MoveToVersionId,
        });
        return namedInAnswer(asking, secret);
      },
    },
    ListSecretVersionIds: {
      changes: false,
      answer: async (input, asking) => {
        const { MaxResults = versionsPerPage, NextToken, IncludeDeprecated = false } = input;
        const secret = await secrets.versions(asking, secretOfCall(asking, input));
        const named = namedInAnswer(asking, secret);
        const list = `ListSecretVersionIds ${named.ARN}`;
        const after = pages.read(list, NextToken);
        const versions = secret.versions
          .filter(({ stages }) => IncludeDeprecated || stages.length > 0)
          .toReversed();
        const from = after === undefined ? 0 : versions.findIndex(({ id }) => id === after) + 1;
        if (after !== undefined && from === 0)
          throw invalidParameter('The versions have changed: list them anew.');
        const page = versions.slice(from, from + MaxResults);
        const isLast = from + page.length >= versions.length;
        return {
          ...named,
          Versions: page.map(viewVersion),
          NextToken: pages.write(list, isLast ? null : (page.at(-1)?.id ?? null)),
        };
      },
    },
  };
}

function viewVersion({
  id,
  stages,
  createdAt,
  accessedAt,
}: {
  readonly id: string;
  readonly stages: readonly string[];
  readonly createdAt: number;
  readonly accessedAt?: number;
}): SecretVersionsListEntry {
  return {
    VersionId: id,
    VersionStages: stages.length === 0 ? undefined : stages,
    CreatedDate: timestamp(createdAt),
    LastAccessedDate: timestamp(accessedAt),
    KmsKeyIds: ['DefaultEncryptionKey'],
  };
}
