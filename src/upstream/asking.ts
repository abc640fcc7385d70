import { failure, unusable } from '../domain/upstream-failure.ts';
import type { Clock } from '../ports/clock.ts';
import type { UpstreamRequestKind } from '../ports/events.ts';
import type { Admission } from '../domain/names/address-guard.ts';
import { classifyAddress, classifyHost } from '../domain/names/address-guard.ts';
import type { Authorization } from './login/authorization.ts';
import { discard } from './wire/body-reading.ts';
import type { PoolName } from './wire/dispatchers.ts';
import type { Resolver } from './wire/dns.ts';
import type { Answer } from './wire/exchange.ts';
import { headerOf, readUrl } from './wire/exchange.ts';
import type { Origin } from '../ports/upstream.ts';
import { hostnameOf, isNamed } from './credentials.ts';
import { isRedirect } from './statuses.ts';
import type { Hop, Wire } from './wire/wire.ts';

/** What is asked of a rule's URL, wherever its redirects lead. */
export interface Question {
  readonly origin: Origin;
  /** Empty for `/v2/` itself. */
  readonly repository: string;
  readonly kind: UpstreamRequestKind;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  readonly pool: PoolName;
  readonly firstByteMs: number;
}

/** Where to ask. */
export interface Place {
  readonly url: URL;
  /** Whether every hop so far was of the rule's own origin, the only one that gets the rule's credential. */
  readonly own: boolean;
  /** What led here, as Go's client says it: some registries and stores answer only where it is said. */
  readonly referer?: string;
}

const redirectsMax = 5;
const laterHopMsMin = 1000;

export interface AskingParts {
  readonly clock: Clock;
  readonly wire: Wire;
  readonly authorization: Authorization;
  readonly admissionOf: (origin: Origin, url: URL) => Admission;
}

/** An answer, and where it came from. */
export interface Found {
  readonly answer: Answer;
  readonly place: Place;
}

/** Follows redirects by hand, 5 at most. The answer may have any status but 3xx with a Location and 429. */
export async function ask(
  parts: AskingParts,
  question: Question,
  from: Place,
  signal: AbortSignal,
): Promise<Found> {
  const { clock, wire, authorization, admissionOf } = parts;
  const { origin, repository } = question;
  const { blocked } = origin.rule;
  if (blocked !== undefined) throw failure(blocked, 'denied', 'blocked', origin.url.host);
  const startedAt = clock.elapsed();
  const seen = new Set<string>();
  let place = from;
  for (;;) {
    wire.assertNotHeld(place.url.host, origin);
    const spentMs = seen.size === 0 ? 0 : clock.elapsed() - startedAt;
    const { referer } = place;
    const hop: Hop = {
      ...question,
      headers: referer === undefined ? question.headers : { ...question.headers, referer },
      url: place.url,
      admission: admissionOf(origin, place.url),
      identified: place.own,
      firstByteMs: Math.max(question.firstByteMs - spentMs, laterHopMsMin),
    };
    const answer = await (place.own
      ? authorization.send(hop, repository, true, signal)
      : sendElsewhere(parts, hop, signal));
    if (!isRedirect(answer.status)) return { answer, place };
    discard(answer, clock);
    seen.add(place.url.href);
    place = nextPlace(origin, place, answer);
    if (seen.size > redirectsMax || seen.has(place.url.href)) {
      const { host } = origin.url;
      throw unusable(`${host}: redirects do not end`, 'redirectLoop', host);
    }
  }
}

/** Behind a redirect another registry may challenge as registries do; any other host is only read from. */
function sendElsewhere(
  { wire, authorization }: AskingParts,
  hop: Hop,
  signal: AbortSignal,
): Promise<Answer> {
  const repository = repositoryIn(hop.url.pathname);
  return repository === undefined
    ? wire.send(hop, signal)
    : authorization.send(hop, repository, false, signal);
}

function nextPlace(origin: Origin, from: Place, answer: Answer): Place {
  const { host } = origin.url;
  const url = readUrl(headerOf(answer, 'location'), from.url);
  if (url === undefined)
    throw unusable(`${host}: a redirect without a usable Location`, 'badHeader', host);
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || from.url.protocol === 'https:')) {
    const message = `${host}: a redirect from https to ${url.protocol.slice(0, -1)}`;
    throw unusable(message, 'redirectRefused', host);
  }
  const own = from.own && url.origin === from.url.origin;
  const referer = refererOf(from.url, url);
  return referer === undefined ? { url, own } : { url, own, referer };
}

/** The repository of a path of a registry's API, empty for its base; `undefined` for any other path. */
function repositoryIn(pathname: string): string | undefined {
  if (pathname.endsWith('/v2/') || pathname.endsWith('/v2')) return '';
  const found = /\/v2\/(?:(.+)\/(?:manifests|blobs|tags|referrers)\/[^/]+|[^/]+\/?)$/.exec(
    pathname,
  );
  return found === null ? undefined : (found[1] ?? '');
}

/** The `Referer` of a request to where a redirect led, as Go's client says it: some registries and stores ask for it. */
function refererOf(from: URL, to: URL): string | undefined {
  if (from.protocol === 'https:' && to.protocol !== 'https:') return undefined;
  // Without user and password, and without the query, which may be a signature.
  return from.origin + from.pathname;
}

/**
 * What a hop may dial: anything for the host that the operator wrote, of a rule made through an API public addresses alone; loopback and private where that host is such a one
 * itself, or where `allowHosts` names the hop's.
 */
export function createAdmission(resolver: Resolver): (origin: Origin, url: URL) => Admission {
  return ({ rule, url: own }, url) => {
    if (rule.reach === 'public') return 'public';
    const hostname = hostnameOf(own);
    if (url.hostname === hostname) return 'any';
    if (isNamed(rule, url.hostname, url.host)) return 'loopback';
    const classes = new Set([
      classifyHost(hostname),
      ...resolver.known(hostname).map(({ address }) => classifyAddress(address)),
    ]);
    if (classes.has('loopback')) return 'loopback';
    return classes.has('private') ? 'private' : 'public';
  };
}
