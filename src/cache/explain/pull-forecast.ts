import type { ExplainedTag, Explanation, PullForecast } from '../../contract/explanation.ts';
import type { FailureKind } from '../../domain/upstream-failure.ts';

/** An explanation before its last word. */
export type Findings = Omit<Explanation, 'verdict' | 'lastTry' | 'probe'>;

type Verdict = Explanation['verdict'];

/** What upstream said when it was last asked for the image itself, which it did not give. */
export interface UpstreamsNo {
  readonly kind: FailureKind;
  /** Of HTTP, where that is known. */
  readonly status?: number;
  readonly message: string;
  /** ISO 8601, in UTC; absent: upstream is not asked at all. */
  readonly at?: string;
}

interface Seen {
  readonly upstreamHas: boolean;
  readonly isPushed: boolean;
  readonly no: UpstreamsNo | undefined;
}

/**
 * What a pull now would do, from what was found. Pure. `upstreamHas`: a probe, or a list of a
 * moment ago, shows that upstream has what was asked for. `isPushed`: the manifest that is held was pushed. `no`: the
 * probe's, or without one the last pull's.
 */
export function forecastPull(found: Findings, { upstreamHas, isPushed, no }: Seen): Verdict {
  const manifestHeld = found.content.state !== 'absent';
  const provenance = found.tag?.provenance ?? 'cached';
  if (manifestHeld && provenance !== 'cached' && found.admission.allowed) {
    const hides = upstreamHas ? '; it hides the upstream’s tag of the same name' : '';
    return fromCache(found, blockedBy(found), `the tag was ${provenance} here${hides}`);
  }
  if (!found.admission.allowed) return say('denied', `refused with 403: ${found.admission.reason}`);
  const isTag = !found.reference.includes(':');
  if (manifestHeld && !isTag && isPushed)
    return fromCache(found, blockedBy(found), 'it was pushed here');
  if (found.rule === null || found.upstream === null) return withoutRule(found, manifestHeld);
  if (found.stopped !== null)
    return say(
      'stopped',
      `${found.upstream.url} is asked first and must admit it; otherwise refused with 403: ${found.stopped.reason}`,
    );
  const blocked = blockedBy(found);
  if (!manifestHeld || (isTag && found.tag === null)) return toBeFetched(found, blocked, no);
  if (!isTag) return fromCache(found, blocked, 'digests never change');
  return ofTag(found, blocked, no);
}

interface Block {
  readonly code: 'rateLimited' | 'unavailable';
  readonly why: string;
}

function blockedBy(found: Findings): Block | undefined {
  const limiter = found.limiter;
  if (limiter === null) return undefined;
  if (limiter.heldUntil !== null)
    return {
      code: 'rateLimited',
      why: `${limiter.upstream} limits us until ${limiter.heldUntil}`,
    };
  if (limiter.restsUntil !== null)
    return {
      code: 'unavailable',
      why: `${limiter.upstream} failed several times in a row and is not asked until ${limiter.restsUntil}`,
    };
  return undefined;
}

function withoutRule(found: Findings, manifestHeld: boolean): Verdict {
  if (manifestHeld && found.stopped !== null)
    return say('stopped', `refused with 403: ${found.stopped.reason}`);
  if (manifestHeld && found.tag?.sourceChanged !== true)
    return say(
      'hit',
      'served from the cache; no rule leads here any more, so it is never refreshed',
    );
  return say('noRule', 'answered 404: no rule leads to this name');
}

function toBeFetched(
  found: Findings,
  blocked: Block | undefined,
  no: UpstreamsNo | undefined,
): Verdict {
  if (blocked === undefined && no !== undefined) return asUpstreamSaid(no);
  if (blocked === undefined)
    return say('fetch', `fetched from ${found.upstream?.url} and ${kept(found)}`);
  const status = blocked.code === 'rateLimited' ? '429' : '503';
  return say(blocked.code, `answered ${status}: not held, and ${blocked.why}`);
}

function kept({ space }: Findings): string {
  return space === null
    ? 'kept, streamed as it arrives'
    : `streamed as it arrives; its blobs are not kept: ${whyNotKept(space)}`;
}

function whyNotKept({ freeBytes, minFreeBytes }: NonNullable<Findings['space']>): string {
  return `${freeBytes} bytes of the volume are free, of which cache.minFree keeps ${minFreeBytes}`;
}

/** As a client is answered such a failure (`answerOf`). */
function asUpstreamSaid({ kind, status, message, at }: UpstreamsNo): Verdict {
  const [code, answered] = forecastOf(kind, status);
  const when = at === undefined ? 'is not asked' : `was asked at ${at}`;
  return say(code, `answered ${answered}: not held, and upstream ${when}: ${message}`);
}

function forecastOf(kind: FailureKind, status?: number): readonly [PullForecast, number] {
  switch (kind) {
    case 'notFound':
      return ['upstreamMissing', 404];
    case 'denied':
      return ['upstreamDenied', 403];
    case 'rateLimited':
      return ['rateLimited', 429];
    case 'network':
      return ['unavailable', 503];
    case 'timeout':
      return ['upstreamTimeout', 504];
    case 'serverError':
      return status === 503 ? ['unavailable', 503] : ['upstreamInvalid', 502];
    case 'invalid':
      return ['upstreamInvalid', 502];
  }
}

function ofTag(found: Findings, blocked: Block | undefined, no: UpstreamsNo | undefined): Verdict {
  const upstream = found.upstream?.url ?? '';
  if (found.tag?.sourceChanged === true) {
    if (blocked !== undefined || no !== undefined) return toBeFetched(found, blocked, no);
    return say(
      'revalidate',
      `held, but read from another source than the rule's; ${upstream} is asked before it is served`,
    );
  }
  if (found.tag?.fresh === true) return fromCache(found, blocked, whyFresh(found.tag));
  if (blocked !== undefined)
    return say('stale', `the last known digest is served although not fresh: ${blocked.why}`);
  return say(
    'revalidate',
    `${upstream} is asked with one HEAD; the held digest is served where it is unchanged or cannot be had`,
  );
}

function whyFresh({ freshUntil }: ExplainedTag): string {
  return freshUntil === null ? 'the tag is immutable' : `the tag is fresh until ${freshUntil}`;
}

function fromCache(found: Findings, blocked: Block | undefined, why: string): Verdict {
  const { missing, state } = found.content;
  if (state === 'complete')
    return say('hit', `served from the cache without asking upstream; ${why}`);
  const parts = [count(missing.manifests, 'manifest'), count(missing.blobs, 'blob')].filter(
    (part) => part !== '',
  );
  const rest = parts.length === 0 ? 'what is not held' : parts.join(' and ');
  const then = blocked === undefined ? fetchedLater(found) : `not to be had: ${blocked.why}`;
  return say('hitPartial', `the manifest is served from the cache; ${rest} would be ${then}`);
}

function fetchedLater({ space }: Findings): string {
  return `fetched when asked for${space === null ? '' : ` and not kept: ${whyNotKept(space)}`}`;
}

function count(many: number, noun: string): string {
  if (many === 0) return '';
  return `${many} ${noun}${many === 1 ? '' : 's'}`;
}

function say(code: PullForecast, text: string): Verdict {
  return { code, text };
}
