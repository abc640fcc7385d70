import type { SignatureProblem } from '../../access/access.ts';
import { AwsError } from './aws-error.ts';
import type { Protocol } from './service-table.ts';

/** A signature that is not believed, in the codes that SDKs know (AWS General Reference, "Common errors"). */
const codes: Readonly<
  Record<SignatureProblem, { readonly json: string; readonly query: readonly [string, number] }>
> = {
  missing: {
    json: 'MissingAuthenticationTokenException',
    query: ['MissingAuthenticationToken', 403],
  },
  incomplete: { json: 'IncompleteSignatureException', query: ['IncompleteSignature', 400] },
  unknownKey: { json: 'UnrecognizedClientException', query: ['InvalidClientTokenId', 403] },
  expiredKey: { json: 'ExpiredTokenException', query: ['ExpiredToken', 403] },
  wrong: { json: 'InvalidSignatureException', query: ['SignatureDoesNotMatch', 403] },
  late: { json: 'InvalidSignatureException', query: ['SignatureDoesNotMatch', 403] },
  early: { json: 'InvalidSignatureException', query: ['SignatureDoesNotMatch', 403] },
  throttled: { json: 'ThrottlingException', query: ['Throttling', 400] },
};

export function signatureError(
  problem: SignatureProblem,
  message: string,
  kind: Protocol['kind'],
  rest: { readonly retryAfterMs?: number | undefined; readonly because?: string | undefined } = {},
): AwsError {
  const { json, query } = codes[problem];
  return kind === 'json'
    ? new AwsError(json, message, rest)
    : new AwsError(query[0], message, { ...rest, status: query[1] });
}
