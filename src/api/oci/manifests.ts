import { formatContentRange } from '../../domain/byte-range.ts';
import { formatCacheStatus } from '../../domain/verdict.ts';
import type { Cache, ManifestAnswer } from '../../cache/cache.ts';
import type { Incoming, Reply, ReplyNote } from '../../http/reply.ts';
import { entityTag, isUnchanged, requestedRange } from './conditions.ts';
import { apiVersionHeader } from './errors.ts';
import type { RepositoryPlan } from './plan.ts';
import type { ContentRoute } from './route.ts';

export type ManifestPlan = RepositoryPlan<Extract<ContentRoute, { readonly kind: 'manifest' }>>;

/** A manifest by tag or digest: its exact bytes under its own type, whatever `Accept` says (distribution-spec, "Pulling manifests"). */
export async function pullManifest(
  cache: Cache,
  plan: ManifestPlan,
  request: Incoming,
): Promise<Reply> {
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  const { reference, ns } = plan.route;
  const answer = await cache.pullManifest(
    { registry: plan.registry, target: plan.target, heldOnly: plan.heldOnly, reference, method },
    request.signal,
  );
  const headers = manifestHeaders(answer, ns);
  const note: ReplyNote = { ...plan.note, digest: answer.digest, verdict: answer.outcome.verdict };
  if (isUnchanged(request, answer.digest)) return { status: 304, headers, note };
  const { bytes } = answer;
  if (method === 'HEAD')
    return { status: 200, headers: { ...headers, 'Content-Length': String(answer.size) }, note };
  if (bytes === undefined) throw new Error('the cache answered a GET without the bytes');
  const range = requestedRange(request, answer.digest, bytes.length);
  if (range.kind === 'whole') return { status: 200, headers, body: bytes, note };
  if (range.kind === 'unsatisfiable') {
    return {
      status: 416,
      headers: { ...headers, 'Content-Range': formatContentRange(undefined, bytes.length) },
      note,
    };
  }
  const { start, end } = range.span;
  headers['Content-Range'] = formatContentRange(range.span, bytes.length);
  return { status: 206, headers, body: bytes.subarray(start, end + 1), note };
}

function manifestHeaders(answer: ManifestAnswer, ns: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': answer.mediaType,
    'Docker-Content-Digest': answer.digest,
    ETag: entityTag(answer.digest),
    'Cache-Status': formatCacheStatus(answer.outcome),
    'X-Content-Type-Options': 'nosniff',
  };
  if (ns !== undefined) headers['OCI-Namespace'] = ns;
  // Upstream chose the type: what a browser would render gets no rights on this origin.
  if (!answer.mediaType.startsWith('application/')) headers['Content-Security-Policy'] = 'sandbox';
  return headers;
}
