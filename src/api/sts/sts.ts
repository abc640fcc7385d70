import type { AccessViews } from '../../operations/access-views.ts';
import { queryNames } from '../aws/error-names.ts';
import { queryInputError } from '../aws/query-errors.ts';
import { timestamp } from '../aws/service-model.ts';
import { loadedOnce, rowsOf } from '../aws/service-table.ts';
import type { AwsRows, AwsService } from '../aws/service-table.ts';
import { labelsOf } from '../aws/tag-list.ts';
import type { BegunSession, SessionOperations } from '../../operations/roles/sessions.ts';
import { refuseUnkept, stsError } from './errors.ts';
import type { Credentials, StsOperations } from './model.ts';

export interface StsParts {
  readonly accessViews: Pick<AccessViews, 'whoami'>;
  readonly sessions: SessionOperations;
}

/** The Security Token Service; it answers the same in every region. */
export function stsService(parts: StsParts): AwsService {
  return {
    name: 'sts',
    endpointVariable: 'AWS_ENDPOINT_URL_STS',
    actionPrefix: 'sts',
    protocol: {
      kind: 'query',
      version: '2011-06-15',
      xmlNamespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    },
    model: loadedOnce(() => import('./model.ts')),
    rows: rowsOf<StsOperations>(callerRows(parts), sessionRows(parts)),
    errorNames: queryNames,
    inputError: queryInputError,
    knownError: stsError,
  };
}

function callerRows({ accessViews }: StsParts): AwsRows<StsOperations> {
  return {
    // Needs no right: whoever can sign may ask whom they sign for.
    GetCallerIdentity: {
      changes: false,
      answer: (_input, asking) => {
        const { principal, account, id } = accessViews.whoami(asking);
        return { UserId: id, Account: account, Arn: principal };
      },
    },
  };
}

/** What ends by itself is no change for who may not change anything lasting; who asks signs, or shows an issuer's token. */
function sessionRows({ sessions }: StsParts): AwsRows<StsOperations> {
  return {
    AssumeRole: {
      changes: true,
      answer: async (input, asking) => {
        refuseUnkept({ ...input });
        const begun = await sessions.assumeRole(asking, {
          roleArn: input.RoleArn,
          sessionName: input.RoleSessionName,
          durationSeconds: input.DurationSeconds,
          policy: input.Policy,
          externalId: input.ExternalId,
          tags: labelsOf(input.Tags ?? []),
          transitive: input.TransitiveTagKeys,
        });
        return sessionOf(begun);
      },
    },
    AssumeRoleWithWebIdentity: {
      changes: false,
      unsigned: true,
      answer: async (input, asking) => {
        refuseUnkept({ ...input });
        const begun = await sessions.assumeRoleWithWebIdentity(asking, {
          roleArn: input.RoleArn,
          sessionName: input.RoleSessionName,
          token: input.WebIdentityToken,
          durationSeconds: input.DurationSeconds,
          policy: input.Policy,
        });
        return {
          ...sessionOf(begun),
          SubjectFromWebIdentityToken: begun.subject,
          Provider: begun.issuer,
          Audience: begun.audience,
        };
      },
    },
    GetSessionToken: {
      changes: true,
      answer: async ({ DurationSeconds, ...rest }, asking) => {
        refuseUnkept({ ...rest });
        const made = await sessions.sessionToken(asking, { durationSeconds: DurationSeconds });
        return { Credentials: credentialsOf(made) };
      },
    },
  };
}

function sessionOf({ key, id, arn, packedPercent }: BegunSession) {
  return {
    Credentials: credentialsOf(key),
    AssumedRoleUser: { AssumedRoleId: id, Arn: arn },
    PackedPolicySize: packedPercent,
  };
}

function credentialsOf(key: BegunSession['key']): Credentials {
  return {
    AccessKeyId: key.accessKeyId,
    SecretAccessKey: key.secretAccessKey,
    SessionToken: key.sessionToken,
    Expiration: timestamp(key.expiresAt),
  };
}
