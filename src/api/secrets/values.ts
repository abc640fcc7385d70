import type { SecretVersion } from '../../domain/secrets/secret.ts';
import { timestamp } from '../aws/service-model.ts';
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
        const list = `ListSecretVersionIds ${named.ARN} ${IncludeDeprecated}`;
        const rest = versionsAfter(secret.versions, pages.read(list, NextToken)).filter(
          ({ stages }) => IncludeDeprecated || stages.length > 0,
        );
        const page = rest.slice(0, MaxResults);
        const last = rest.length > page.length ? page.at(-1) : undefined;
        return {
          ...named,
          Versions: page.map(viewVersion),
          NextToken: pages.write(list, last === undefined ? null : `${last.createdAt} ${last.id}`),
        };
      },
    },
  };
}

/** The newest first, after the last one of a page; where that is gone, after its time. */
function versionsAfter(
  versions: readonly SecretVersion[],
  cursor: string | undefined,
): readonly SecretVersion[] {
  const newest = versions.toReversed();
  if (cursor === undefined) return newest;
  const [at = '', id] = cursor.split(' ');
  const found = newest.findIndex((each) => each.id === id);
  if (found >= 0) return newest.slice(found + 1);
  return newest.filter(({ createdAt }) => createdAt <= Number(at));
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
