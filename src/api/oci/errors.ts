import type { ErrorCode } from '../../domain/errors.ts';
import { RegistryError } from '../../domain/errors.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Verdict } from '../../domain/verdict.ts';
import { formatCacheStatus } from '../../domain/verdict.ts';
import type { ReplyNote } from '../../domain/served.ts';
import type { Reply } from '../../http/reply.ts';

interface WireError {
  readonly status: number;
  /** Of the specification's table where it has one (distribution-spec, "Error Codes"). */
  readonly code: string;
}

/** A tag that can't exist is a manifest that isn't there: the conformance suite asks for one by such a name. */
const wireErrors = {
  nameInvalid: { status: 400, code: 'NAME_INVALID' },
  nameUnknown: { status: 404, code: 'NAME_UNKNOWN' },
  tagInvalid: { status: 404, code: 'MANIFEST_UNKNOWN' },
  digestInvalid: { status: 400, code: 'DIGEST_INVALID' },
  manifestUnknown: { status: 404, code: 'MANIFEST_UNKNOWN' },
  blobUnknown: { status: 404, code: 'BLOB_UNKNOWN' },
  manifestBlobUnknown: { status: 404, code: 'MANIFEST_BLOB_UNKNOWN' },
  manifestInvalid: { status: 400, code: 'MANIFEST_INVALID' },
  // ECR's own code for it, and status.
  tagImmutable: { status: 400, code: 'TAG_INVALID' },
  uploadUnknown: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
  uploadInvalid: { status: 400, code: 'BLOB_UPLOAD_INVALID' },
  uploadRange: { status: 416, code: 'BLOB_UPLOAD_INVALID' },
  sizeInvalid: { status: 400, code: 'SIZE_INVALID' },
  paginationInvalid: { status: 400, code: 'PAGINATION_NUMBER_INVALID' },
  requestInvalid: { status: 400, code: 'UNSUPPORTED' },
  requestTooLarge: { status: 413, code: 'SIZE_INVALID' },
  routeUnknown: { status: 404, code: 'UNSUPPORTED' },
  unsupported: { status: 405, code: 'UNSUPPORTED' },
  unauthorized: { status: 401, code: 'UNAUTHORIZED' },
  denied: { status: 403, code: 'DENIED' },
  conflict: { status: 409, code: 'DENIED' },
  storageFull: { status: 507, code: 'INSUFFICIENT_STORAGE' },
  storageFailed: { status: 500, code: 'UNKNOWN' },
  tooManyRequests: { status: 429, code: 'TOOMANYREQUESTS' },
  unavailable: { status: 503, code: 'UNAVAILABLE' },
  upstreamInvalid: { status: 502, code: 'UNAVAILABLE' },
  upstreamTimeout: { status: 504, code: 'UNAVAILABLE' },
  // As nginx logs it; never sent.
  clientLeft: { status: 499, code: 'UNKNOWN' },
  internal: { status: 500, code: 'UNKNOWN' },
} as const satisfies Record<ErrorCode, WireError>;

export const apiVersionHeader = { 'Docker-Distribution-API-Version': 'registry/2.0' } as const;

/**
 * The answer to anything that was thrown: the specification's error body with the typed cause in `detail`, never a stack. What
 * is no `RegistryError` is `internal`, and tells the request's id alone. A 401's challenge is the handler's to add.
 */
export function errorReply(
  error: unknown,
  requestId: string,
  note: ReplyNote = { route: 'none' },
): Reply {
  const known = error instanceof RegistryError ? error : internal(requestId);
  const { status, code } = wireErrors[known.code];
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': 'application/json',
    'Cache-Status': statusOf(known),
    'X-Content-Type-Options': 'nosniff',
  };
  if (known.retryAfterMs !== undefined)
    headers['Retry-After'] = String(Math.max(1, Math.ceil(known.retryAfterMs / 1000)));
  const allow = known.detail?.['allow'];
  if (status === 405) headers['Allow'] = typeof allow === 'string' ? allow : 'GET, HEAD';
  const detail = known.detail === undefined ? {} : { detail: known.detail };
  const body = `${JSON.stringify({ errors: [{ code, message: known.message, ...detail }] })}\n`;
  return { status, headers, body, note: { ...verdictOf(known), reason: reasonOf(known), ...note } };
}

/** For the access log: what decided, or what upstream failed with; else what the client is told. */
function reasonOf(error: RegistryError): string {
  const { because, cause, message } = error;
  if (because !== undefined) return because;
  return cause instanceof UpstreamFailure ? cause.message : message;
}

function internal(requestId: string): RegistryError {
  return new RegistryError('internal', 'internal error', { detail: { requestId } });
}

/** Failures of this server's own; what else comes from no upstream was refused before the cache was asked. */
const ownFailures: ReadonlySet<ErrorCode> = new Set([
  'storageFull',
  'storageFailed',
  'unavailable',
  'upstreamInvalid',
  'upstreamTimeout',
  'internal',
]);

/** None for what was refused, and for a client that left before its answer. */
function verdictOf({ code, outcome, cause }: RegistryError): { readonly verdict?: Verdict } {
  if (outcome !== undefined) return { verdict: outcome.verdict };
  if (code === 'clientLeft') return {};
  if (cause instanceof UpstreamFailure)
    return { verdict: cause.kind === 'notFound' ? 'negative' : 'error' };
  if (code === 'manifestUnknown' || code === 'blobUnknown') return { verdict: 'negative' };
  return ownFailures.has(code) ? { verdict: 'error' } : {};
}

/** An upstream's failure says so; what never left this server names its reason alone (RFC 9211 §2.8). */
function statusOf(error: RegistryError): string {
  const { cause, outcome } = error;
  if (outcome !== undefined) return formatCacheStatus(outcome);
  if (!(cause instanceof UpstreamFailure)) return localStatus(error.code);
  return formatCacheStatus({
    verdict: 'error',
    detail: cause.reason,
    ...(cause.status === undefined ? {} : { upstreamStatus: cause.status }),
  });
}

/** `Cache-Status` of an answer that neither the cache nor an upstream gave. */
export function localStatus(reason: string): string {
  return `Breakwater; detail="${reason}"`;
}
