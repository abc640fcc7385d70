import type { ErrorKind, RegistryError } from '../../domain/errors.ts';
import { AwsError } from '../aws/aws-error.ts';
import { commonError, commonNames } from '../aws/error-names.ts';
import type { ErrorNames } from '../aws/error-names.ts';
import { typeProblem, validationText } from '../aws/input-words.ts';
import type { InputProblem } from '../aws/input.ts';

export const secretsErrorNames: ErrorNames = {
  ...commonNames,
  failed: { code: 'InternalServiceError', status: 500 },
};

/** Secrets Manager's names; the texts are the operations' own. */
const names: Readonly<Partial<Record<ErrorKind, string>>> = {
  secretUnknown: 'ResourceNotFoundException',
  secretExists: 'ResourceExistsException',
  secretVersionExists: 'ResourceExistsException',
  secretRequestInvalid: 'InvalidRequestException',
  secretStageInvalid: 'InvalidParameterException',
  secretLimit: 'LimitExceededException',
  secretUndecryptable: 'DecryptionFailure',
  secretPolicyPublic: 'PublicPolicyException',
  policyInvalid: 'MalformedPolicyDocumentException',
};

/** An error of the registry in Secrets Manager's words. */
export function secretsError(error: RegistryError): AwsError {
  const { kind, code, message, because } = error;
  const name = kind === undefined ? undefined : names[kind];
  if (name !== undefined) return new AwsError(name, message, { because });
  if (code === 'paginationInvalid')
    return new AwsError('InvalidNextTokenException', 'Invalid token', { because: message });
  return commonError(error, secretsErrorNames);
}

/** An input that does not fit the model. */
export function secretsInputError(problem: InputProblem): AwsError {
  return problem.why === 'type'
    ? new AwsError('SerializationException', typeProblem(problem))
    : invalidParameter(validationText(problem));
}

export function invalidParameter(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}
