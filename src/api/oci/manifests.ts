import { formatContentRange } from '../../domain/byte-range.ts';
import { formatCacheStatus } from '../../domain/verdict.ts';
import type { CacheOutcome } from '../../domain/verdict.ts';
import type { ManifestAnswer } from '../../cache/cache.ts';
import type { ReplyNote } from '../../domain/served.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { joinedBytesMax, latin1Text } from '../../http/writer.ts';
import type { Pulls } from '../../operations/pulls.ts';
import { entityTag, isUnchanged, requestedRange } from './conditions.ts';
import { apiVersionHeader } from './errors.ts';
import type { Asked, RepositoryPlan } from './plan.ts';
import type { ContentRoute } from './route.ts';

export type ManifestRoute = Extract<ContentRoute, { readonly kind: 'manifest' }>;

/**
 * A manifest by tag or digest: its exact bytes under its own type, whatever `Accept` says (distribution-spec, "Pulling manifests"). At
 * once where the answer is in memory.
 */
export function pullManifest(
  pulls: Pulls,
  asked: Asked,
  route: ManifestRoute,
): Reply | Promise<Reply> {
  const { plan, request } = asked;
  const answer = pulls.manifest(
    asked,
    {
      registry: plan.registry,
      target: plan.target,
      reference: route.reference,
      method: request.method === 'HEAD' ? 'HEAD' : 'GET',
    },
    request,
  );
  return answer instanceof Promise
    ? answer.then((known) => replyOf(plan, known, request))
    : replyOf(plan, answer, request);
}

function replyOf(plan: RepositoryPlan, answer: ManifestAnswer, request: Incoming): Reply {
  const { method } = request;
  const { ns } = plan.route;
  const whole =
    method !== 'HEAD' && isUnconditional(request) ? wholeReply(plan, answer) : undefined;
  if (whole !== undefined) return whole;
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

function isUnconditional({ headers }: Incoming): boolean {
  return headers['if-none-match'] === undefined && headers.range === undefined;
}

interface WholeReply {
  readonly plan: ReplyNote;
  readonly answer: ManifestAnswer;
  reply: Reply;
}

/** The last reply made of a manifest, as long as its bytes are in memory: the next one is the same, but for another second of freshness. */
const lastReplies = new WeakMap<Uint8Array, WholeReply>();

/** `undefined` for a manifest that is too large to be kept as text too, or is not here. */
function wholeReply(plan: RepositoryPlan, answer: ManifestAnswer): Reply | undefined {
  const { bytes } = answer;
  if (bytes === undefined || bytes.length > joinedBytesMax) return undefined;
  const last = lastReplies.get(bytes);
  // The note is the plan's own: the same one means the same route, repository, reference and `ns`.
  const again = last?.plan === plan.note && last.reply.note.digest === answer.digest;
  if (again && isSame(last.answer, answer)) {
    if (last.reply.repeats !== true) last.reply = { ...last.reply, repeats: true };
    return last.reply;
  }
  const { digest, outcome } = answer;
  const { verdict } = outcome;
  const repeats = again && last.reply.note.verdict === verdict;
  const reply: Reply = {
    status: 200,
    headers: manifestHeaders(answer, plan.route.ns),
    body: last?.reply.body ?? latin1Text(bytes),
    encoding: 'latin1',
    note: repeats ? last.reply.note : { ...plan.note, digest, verdict },
    repeats,
  };
  lastReplies.set(bytes, { plan: plan.note, answer, reply });
  return reply;
}

function isSame(one: ManifestAnswer, other: ManifestAnswer): boolean {
  const [a, b] = [one.outcome, other.outcome];
  return (
    one.digest === other.digest &&
    one.mediaType === other.mediaType &&
    a.verdict === b.verdict &&
    a.detail === b.detail &&
    a.upstreamStatus === b.upstreamStatus &&
    wholeSeconds(a) === wholeSeconds(b)
  );
}

function wholeSeconds({ ttlSeconds }: CacheOutcome): number | undefined {
  return ttlSeconds === undefined ? undefined : Math.trunc(ttlSeconds);
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
