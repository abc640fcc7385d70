import type { ErrorKind, RegistryError } from '../../domain/errors.ts';
import { AwsError } from '../aws/aws-error.ts';
import { queryError } from '../aws/query-errors.ts';
import type { FailedCall } from '../aws/service-table.ts';

/** STS's own names; each name's status is the model's. */
const codes: Readonly<Partial<Record<ErrorKind, string>>> = {
  policyInvalid: 'MalformedPolicyDocument',
  sessionTooLarge: 'PackedPolicyTooLarge',
  identityTokenInvalid: 'InvalidIdentityToken',
  identityTokenExpired: 'ExpiredTokenException',
  identityTokenRejected: 'IDPRejectedClaim',
  identityProviderDown: 'IDPCommunicationError',
};

export function stsError(error: RegistryError, { model }: FailedCall): AwsError {
  const code = error.kind === undefined ? undefined : codes[error.kind];
  if (code === undefined) return queryError(error);
  return new AwsError(code, error.message, {
    status: model.statuses[code],
    because: error.because ?? error.message,
  });
}

/** What STS takes and nothing here could keep: refused, since what it says would not hold. */
export function refuseUnkept(input: Readonly<Record<string, unknown>>): void {
  for (const [member, why] of unkept)
    if (input[member] !== undefined) throw new AwsError('ValidationError', `${member}: ${why}`);
}

const unkept = [
  ['PolicyArns', 'managed policies are no session policies here; give the text as Policy'],
  ['SourceIdentity', 'source identities are not kept here; RoleSessionName stands in the audit'],
  ['ProvidedContexts', 'there are no context providers here'],
  ['SerialNumber', 'there are no MFA devices here; leave it out'],
  ['TokenCode', 'there are no MFA devices here; leave it out'],
  ['ProviderId', 'tokens of OAuth 2.0 providers are not known here; send an ID token without it'],
] as const;
