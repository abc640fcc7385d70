import { AccessRefused } from '../../access/admission/admission.ts';
import type { Problem } from '../../contract/admin-view.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Reply } from '../../http/reply.ts';

/** The one place that says how an error looks in `/api/v1` (RFC 9457). */
const problems = {
  nameInvalid: { status: 400, code: 'NAME_INVALID', title: 'Invalid name' },
  nameUnknown: { status: 404, code: 'NAME_UNKNOWN', title: 'Unknown name' },
  tagInvalid: { status: 400, code: 'TAG_INVALID', title: 'Invalid tag' },
  digestInvalid: { status: 400, code: 'DIGEST_INVALID', title: 'Invalid digest' },
  manifestUnknown: { status: 404, code: 'MANIFEST_UNKNOWN', title: 'Unknown manifest' },
  blobUnknown: { status: 404, code: 'BLOB_UNKNOWN', title: 'Unknown blob' },
  manifestBlobUnknown: { status: 400, code: 'MANIFEST_BLOB_UNKNOWN', title: 'Unknown content' },
  manifestInvalid: { status: 400, code: 'MANIFEST_INVALID', title: 'Invalid manifest' },
  tagImmutable: { status: 409, code: 'TAG_IMMUTABLE', title: 'Immutable tag' },
  uploadUnknown: { status: 404, code: 'UPLOAD_UNKNOWN', title: 'Unknown upload' },
  uploadInvalid: { status: 400, code: 'UPLOAD_INVALID', title: 'Invalid upload' },
  uploadRange: { status: 416, code: 'UPLOAD_RANGE', title: 'Wrong range' },
  sizeInvalid: { status: 400, code: 'SIZE_INVALID', title: 'Invalid size' },
  paginationInvalid: { status: 400, code: 'PAGINATION_INVALID', title: 'Invalid page' },
  requestInvalid: { status: 400, code: 'REQUEST_INVALID', title: 'Invalid request' },
  requestTooLarge: { status: 413, code: 'REQUEST_TOO_LARGE', title: 'Request too large' },
  routeUnknown: { status: 404, code: 'ROUTE_UNKNOWN', title: 'Not found' },
  unsupported: { status: 405, code: 'METHOD_NOT_ALLOWED', title: 'Method not allowed' },
  unauthorized: { status: 401, code: 'UNAUTHORIZED', title: 'Credentials required' },
  denied: { status: 403, code: 'DENIED', title: 'Denied' },
  conflict: { status: 409, code: 'CONFLICT', title: 'Conflict' },
  storageFull: { status: 507, code: 'STORAGE_FULL', title: 'The volume is full' },
  storageFailed: { status: 500, code: 'STORAGE_FAILED', title: 'The volume cannot be written' },
  tooManyRequests: { status: 429, code: 'TOO_MANY_REQUESTS', title: 'Too many requests' },
  unavailable: { status: 503, code: 'UNAVAILABLE', title: 'Unavailable' },
  upstreamInvalid: { status: 502, code: 'UPSTREAM_INVALID', title: 'Unusable upstream answer' },
  upstreamTimeout: { status: 504, code: 'UPSTREAM_TIMEOUT', title: 'Upstream timed out' },
  // As nginx logs it; never sent.
  clientLeft: { status: 499, code: 'CLIENT_LEFT', title: 'The client left' },
  internal: { status: 500, code: 'INTERNAL', title: 'Internal error' },
} as const satisfies Record<ErrorCode, { status: number; code: string; title: string }>;

const authenticateHeader = { 'www-authenticate': 'Basic realm="breakwater", charset="UTF-8"' };

/** The reply of an error, with who asked for the log; anything that is no `RegistryError` is `internal` and tells nothing of itself. */
export function problemReply(error: unknown, requestId: string, principal?: string): Reply {
  const known =
    error instanceof RegistryError ? error : new RegistryError('internal', 'an internal error');
  const row = problems[known.code];
  const allow = known.detail?.['allow'];
  return {
    status: row.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(known.code === 'unauthorized' ? authenticateHeader : {}),
      ...(known.code === 'unsupported' && typeof allow === 'string' ? { allow } : {}),
      ...(known.retryAfterMs === undefined
        ? {}
        : { 'retry-after': String(Math.ceil(known.retryAfterMs / 1000)) }),
    },
    body: `${JSON.stringify(problemOf(known, row, requestId))}\n`,
    note: { route: 'api', reason: known.because ?? known.message },
    ...(principal === undefined ? {} : { principal }),
  };
}

function problemOf(
  error: RegistryError,
  row: (typeof problems)[ErrorCode],
  requestId: string,
): Problem {
  const { fix, hint = fix ?? hintOf(error), errors, allow: _allow, ...rest } = error.detail ?? {};
  return {
    type: 'about:blank',
    title: row.title,
    status: row.status,
    detail: error.message,
    code: row.code,
    requestId,
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(Array.isArray(errors) ? { errors: errors as NonNullable<Problem['errors']> } : {}),
    ...(Object.keys(rest).length === 0 ? {} : { cause: rest }),
  };
}

/** Who can do what policies forbid, or say why they do. */
function hintOf(error: RegistryError): string | undefined {
  if (!(error instanceof AccessRefused) || error.reason !== 'forbidden') return undefined;
  return error.question.action.startsWith('ecr:')
    ? 'breakwater access can says why, to an administrator'
    : "the account's administrator may, and whose identity policy allows it";
}
