import { formatContentRange } from '../../domain/byte-range.ts';
import { RegistryError } from '../../domain/errors.ts';
import { formatCacheStatus } from '../../domain/verdict.ts';
import type { BlobAnswer } from '../../cache/cache.ts';
import type { ReplyNote } from '../../domain/served.ts';
import type { Reply } from '../../http/reply.ts';
import type { Pulls } from '../../operations/pulls.ts';
import { beginsLater, entityTag, isUnchanged, requestedRange } from './conditions.ts';
import { apiVersionHeader } from './errors.ts';
import type { Asked } from './plan.ts';
import type { ContentRoute } from './route.ts';

export type BlobRoute = Extract<ContentRoute, { readonly kind: 'blob' }>;

/** A blob, whole or one range of it; several ranges at once get the whole (distribution-spec, "Pulling blobs"). */
export async function pullBlob(pulls: Pulls, asked: Asked, route: BlobRoute): Promise<Reply> {
  const { plan, request } = asked;
  const { digest, ns } = route;
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  const { registry, target } = plan;
  const answer = await pulls.blob(asked, { registry, target, digest, method }, request);
  const headers = blobHeaders(answer, ns);
  const note: ReplyNote = { ...plan.note, verdict: answer.outcome.verdict };
  if (isUnchanged(request, digest)) return { status: 304, headers, note };
  const { size, source } = answer;
  if (method === 'HEAD') {
    if (size !== undefined) headers['Content-Length'] = String(size);
    return { status: 200, headers, note };
  }
  if (source === undefined) throw new Error('the cache answered a GET without a source');
  if (size === undefined) {
    if (beginsLater(request, digest)) throw sizeUnknown();
    return { status: 200, headers, body: source, note };
  }
  const range = requestedRange(request, digest, size);
  if (range.kind === 'whole') return { status: 200, headers, body: source, note };
  if (range.kind === 'unsatisfiable') {
    return {
      status: 416,
      headers: { ...headers, 'Content-Range': formatContentRange(undefined, size) },
      note,
    };
  }
  headers['Content-Range'] = formatContentRange(range.span, size);
  return { status: 206, headers, body: source, span: range.span, note };
}

function blobHeaders(answer: BlobAnswer, ns: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': answer.digest,
    ETag: entityTag(answer.digest),
    'Cache-Status': formatCacheStatus(answer.outcome),
    'X-Content-Type-Options': 'nosniff',
  };
  if (answer.size !== undefined) headers['Accept-Ranges'] = 'bytes';
  if (ns !== undefined) headers['OCI-Namespace'] = ns;
  return headers;
}

/** A client that resumes would append a 200's first bytes to what it has: it is told to come back instead. */
function sizeUnknown(): RegistryError {
  return new RegistryError('unavailable', 'the size is not known yet, so no range can be served', {
    retryAfterMs: 1000,
  });
}
