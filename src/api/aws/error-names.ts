import type { SignatureProblem } from '../../access/access.ts';
import type { ErrorCode, RegistryError } from '../../domain/errors.ts';
import { AwsError } from './aws-error.ts';
import type { AwsErrorOptions } from './aws-error.ts';

/** What every AWS service has a name for; signatures of another time are wrong ones to it. */
type CommonError =
  | Exclude<SignatureProblem, 'late' | 'early'>
  | 'invalid'
  | 'denied'
  | 'tooLarge'
  | 'unknownOperation'
  | 'failed';

/** What each code is to a service that has no word of its own for it. */
const commonErrors = {
  nameInvalid: 'invalid',
  nameUnknown: 'invalid',
  tagInvalid: 'invalid',
  digestInvalid: 'invalid',
  manifestUnknown: 'invalid',
  blobUnknown: 'invalid',
  manifestBlobUnknown: 'invalid',
  manifestInvalid: 'invalid',
  tagImmutable: 'invalid',
  uploadUnknown: 'invalid',
  uploadInvalid: 'invalid',
  uploadRange: 'invalid',
  sizeInvalid: 'invalid',
  paginationInvalid: 'invalid',
  requestInvalid: 'invalid',
  requestTooLarge: 'tooLarge',
  routeUnknown: 'unknownOperation',
  unsupported: 'unknownOperation',
  unauthorized: 'unknownKey',
  denied: 'denied',
  conflict: 'invalid',
  tooManyRequests: 'throttled',
  storageFull: 'failed',
  storageFailed: 'failed',
  unavailable: 'failed',
  upstreamInvalid: 'failed',
  upstreamTimeout: 'failed',
  // Never sent.
  clientLeft: 'failed',
  internal: 'failed',
} as const satisfies Record<ErrorCode, CommonError>;

export type ErrorNames = Readonly<
  Record<CommonError, { readonly code: string; readonly status: number }>
>;

/** Of services that speak JSON, where they have none of their own (AWS General Reference, "Common errors"). */
export const commonNames: ErrorNames = {
  missing: { code: 'MissingAuthenticationTokenException', status: 400 },
  incomplete: { code: 'IncompleteSignatureException', status: 400 },
  unknownKey: { code: 'UnrecognizedClientException', status: 400 },
  expiredKey: { code: 'ExpiredTokenException', status: 400 },
  wrong: { code: 'InvalidSignatureException', status: 400 },
  invalid: { code: 'InvalidParameterException', status: 400 },
  denied: { code: 'AccessDeniedException', status: 400 },
  throttled: { code: 'ThrottlingException', status: 400 },
  tooLarge: { code: 'RequestEntityTooLargeException', status: 413 },
  unknownOperation: { code: 'UnknownOperationException', status: 400 },
  failed: { code: 'ServerException', status: 500 },
};

/** Of STS and IAM. */
export const queryNames: ErrorNames = {
  missing: { code: 'MissingAuthenticationToken', status: 403 },
  incomplete: { code: 'IncompleteSignature', status: 400 },
  unknownKey: { code: 'InvalidClientTokenId', status: 403 },
  expiredKey: { code: 'ExpiredToken', status: 403 },
  wrong: { code: 'SignatureDoesNotMatch', status: 403 },
  invalid: { code: 'ValidationError', status: 400 },
  denied: { code: 'AccessDenied', status: 403 },
  throttled: { code: 'Throttling', status: 400 },
  tooLarge: { code: 'RequestEntityTooLarge', status: 413 },
  unknownOperation: { code: 'InvalidAction', status: 400 },
  failed: { code: 'ServiceFailure', status: 500 },
};

/** The error by the service's name for it; what failed inside tells nothing of itself. */
export function commonError(error: RegistryError, names: ErrorNames, message?: string): AwsError {
  const { code, status } = names[commonErrors[error.code]];
  const said = error.code === 'internal' ? 'An internal error occurred.' : error.message;
  return new AwsError(code, message ?? said, {
    status,
    retryAfterMs: error.retryAfterMs,
    because: error.because ?? error.message,
  });
}

/** A signature that is not believed, by the names that SDKs know. */
export function signatureError(
  problem: SignatureProblem,
  message: string,
  names: ErrorNames,
  rest: Pick<AwsErrorOptions, 'retryAfterMs' | 'because'> = {},
): AwsError {
  const { code, status } = names[problem === 'late' || problem === 'early' ? 'wrong' : problem];
  return new AwsError(code, message, { ...rest, status });
}
