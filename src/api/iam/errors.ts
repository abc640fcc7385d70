import type { ErrorKind, RegistryError } from '../../domain/errors.ts';
import { AwsError } from '../aws/aws-error.ts';
import { queryError } from '../aws/query-errors.ts';
import type { FailedCall } from '../aws/service-table.ts';

interface Words {
  readonly code: string;
  /** Absent: the error's own. */
  readonly message?: (input: FailedCall['input']) => string;
}

/** IAM's own names and texts; each name's status is the model's. */
const words: Readonly<Partial<Record<ErrorKind, Words>>> = {
  principalUnknown: {
    code: 'NoSuchEntity',
    message: ({ UserName, RoleName }) =>
      RoleName === undefined
        ? `The user with name ${named(UserName)} cannot be found.`
        : `The role with name ${named(RoleName)} cannot be found.`,
  },
  accessKeyUnknown: {
    code: 'NoSuchEntity',
    message: ({ AccessKeyId }) => `The Access Key with id ${named(AccessKeyId)} cannot be found.`,
  },
  principalPolicyUnknown: {
    code: 'NoSuchEntity',
    message: ({ RoleName, PolicyName }) =>
      `The ${RoleName === undefined ? 'user' : 'role'} policy with name ${named(PolicyName)} cannot be found.`,
  },
  principalExists: {
    code: 'EntityAlreadyExists',
    message: ({ UserName, RoleName }) =>
      RoleName === undefined
        ? `User with name ${named(UserName)} already exists.`
        : `Role with name ${named(RoleName)} already exists.`,
  },
  principalInUse: { code: 'DeleteConflict' },
  principalLimit: { code: 'LimitExceeded' },
  managedPolicyUnknown: { code: 'NoSuchEntity' },
  managedPolicyExists: { code: 'EntityAlreadyExists' },
  policyArnInvalid: { code: 'InvalidInput' },
  policyInvalid: { code: 'MalformedPolicyDocument' },
};

/** An error of identities in IAM's words. */
export function iamError(error: RegistryError, { input, model }: FailedCall): AwsError {
  const own = error.kind === undefined ? undefined : words[error.kind];
  if (own === undefined) return queryError(error);
  const { code, message } = own;
  return new AwsError(code, message?.(input) ?? error.message, {
    status: model.statuses[code],
    because: error.because ?? error.message,
  });
}

function named(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What IAM has and no principal here does: refused, since what it says would not hold. */
export function refuseUnkept(input: {
  readonly Path?: string | undefined;
  readonly PermissionsBoundary?: string | undefined;
  readonly MaxSigninSessionDuration?: number | undefined;
}): void {
  const { Path = '/', PermissionsBoundary, MaxSigninSessionDuration } = input;
  if (MaxSigninSessionDuration !== undefined)
    throw new AwsError(
      'InvalidInput',
      'MaxSigninSessionDuration: nobody signs in to a console here; MaxSessionDuration is kept',
    );
  if (Path !== '/')
    throw new AwsError(
      'InvalidInput',
      `Path: '${Path}' is not kept here: leave it out, or write /`,
    );
  if (PermissionsBoundary !== undefined)
    throw new AwsError(
      'InvalidInput',
      'PermissionsBoundary: boundaries are not enforced here; a Deny statement in a policy is',
    );
}
