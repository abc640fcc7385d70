import { startDeadline } from '../../coordination/waiting.ts';
import type { Credential, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { failure, unusable, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { Admission } from '../../domain/names/address-guard.ts';
import { discard } from '../wire/body-reading.ts';
import { deadlinesMs } from '../wire/deadlines.ts';
import type { Answer } from '../wire/exchange.ts';
import { headerOf, readUrl } from '../wire/exchange.ts';
import type { Origin } from '../../ports/upstream.ts';
import { admitsRealm, admitsScheme } from '../credentials.ts';
import { secretsOf } from '../redaction.ts';
import { failureOfStatus, isRedirect } from '../statuses.ts';
import type { IssuedToken } from './token-answer.ts';
import { readToken } from './token-answer.ts';
import type { Wire } from '../wire/wire.ts';

/** What a Bearer challenge asks for. */
export interface TokenRequest {
  readonly origin: Origin;
  /** The registry that names the realm: the origin's own, or one that it redirects to. */
  readonly registry: UpstreamUrl;
  readonly own: boolean;
  readonly realm: string;
  readonly service: string | undefined;
  /** Separated by spaces. */
  readonly scope: string | undefined;
  readonly credential: Credential | undefined;
  /** Tells credentials apart without being one. */
  readonly credentialKey: string;
}

export interface TokenParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly wire: Wire;
  readonly admissionOf: (origin: Origin, url: URL) => Admission;
}

const redirectsMax = 5;
const clientId = 'breakwater';

/** User names under which docker and Azure's command line keep an identity token in the place of a password. */
const identityTokenUsers: ReadonlySet<string> = new Set([
  '<token>',
  '00000000-0000-0000-0000-000000000000',
]);

/** Whether the secret is a refresh token, which OAuth2 exchanges by POST (distribution, "OAuth2 Token Authentication"). */
export function isIdentityToken(credential: Credential | undefined): boolean {
  return credential !== undefined && identityTokenUsers.has(credential.username.toLowerCase());
}

/** Statuses by which a token service says that it has no such method. */
const lacksMethod: ReadonlySet<number> = new Set([404, 405, 501]);

/** What a token service answered to OAuth2's POST; where it gave no token, the failure that it would be. */
export type PostAnswer = { readonly issued: IssuedToken } | { readonly refused: UpstreamFailure };

/**
 * Any 4xx but 429 may mean the POST and not the token: GCR answers 404, Docker Hub 405, Artifactory 401, ACR 400 in some forms, gateways
 * 403, 406 and 415. Throws `UpstreamFailure` for what says nothing of either.
 */
export async function fetchByPost(
  parts: TokenParts,
  request: TokenRequest,
  signal: AbortSignal,
): Promise<PostAnswer> {
  const { service, scope, credential } = request;
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: clientId,
    ...(service === undefined ? {} : { service }),
    ...(scope === undefined ? {} : { scope }),
    refresh_token: credential?.accessToken ?? '',
  });
  const url = realmUrl(request);
  let refused: UpstreamFailure | undefined;
  const issued = await readAnswer(parts, request, url, signal, async (within) => {
    const answer = await follow(parts, request, url, form.toString(), within);
    const { status } = answer;
    // A redirect that turns a POST into a GET leaves the form behind.
    const isNo = isRedirect(status) || (status >= 400 && status < 500) || status === 501;
    if (!isNo) return answer;
    discard(answer, parts.clock);
    refused = tokenRefused(request, url, status);
    return undefined;
  });
  return issued === undefined ? { refused: refused! } : { issued };
}

/** By GET what the POST was refused. Throws the POST's failure where the token service has no GET. */
export async function fetchByGetAfter(
  refused: UpstreamFailure,
  parts: TokenParts,
  request: TokenRequest,
  signal: AbortSignal,
): Promise<IssuedToken> {
  try {
    return await fetchByGet(parts, request, signal);
  } catch (error) {
    const lacksGet = error instanceof UpstreamFailure && lacksMethod.has(error.status ?? 0);
    throw lacksGet && !lacksMethod.has(refused.status ?? 0) ? refused : error;
  }
}

/** Throws `UpstreamFailure`. */
export async function fetchByGet(
  parts: TokenParts,
  request: TokenRequest,
  signal: AbortSignal,
): Promise<IssuedToken> {
  const { service, scope } = request;
  const url = realmUrl(request);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const one of scope?.split(' ') ?? []) url.searchParams.append('scope', one);
  const issued = await readAnswer(parts, request, url, signal, (within) =>
    follow(parts, request, url, undefined, within),
  );
  return issued!;
}

async function readAnswer(
  parts: TokenParts,
  { origin, credential }: TokenRequest,
  url: URL,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Answer | undefined>,
): Promise<IssuedToken | undefined> {
  const upstream = origin.url.host;
  const asked = `token of ${secretsOf(origin.rule).redact(url.host)}`;
  const late = (): Error =>
    failure(`${asked}: not whole in time`, 'timeout', 'totalTimeout', upstream);
  using deadline = startDeadline(parts.clock, deadlinesMs.wholeToken, late, signal);
  const answer = await ask(deadline.signal);
  if (answer === undefined) return undefined;
  const { status } = answer;
  if (status >= 200 && status < 300)
    return await readToken(answer, asked, upstream, parts.clock.now());
  if (status >= 500) throw await failureOfStatus(answer, asked, upstream, parts.clock);
  discard(answer, parts.clock);
  if (credential !== undefined || status === 401)
    parts.events.emit({ type: 'authFailed', upstream });
  throw tokenRefused({ origin }, url, status);
}

function tokenRefused(
  { origin }: Pick<TokenRequest, 'origin'>,
  url: URL,
  status: number,
): UpstreamFailure {
  const message = `token of ${secretsOf(origin.rule).redact(url.host)}: ${status}`;
  return failure(message, 'denied', 'tokenRefused', origin.url.host, { status });
}

/**
 * Asks the realm and follows its redirects, 5 at most. The credential goes on to the same host alone, and there only where a
 * realm would be given it. A redirect of a POST other than 307 and 308 is returned.
 */
async function follow(
  parts: TokenParts,
  request: TokenRequest,
  realm: URL,
  form: string | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const { host } = request.origin.url;
  let url = realm;
  let { credential } = request;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await ask(parts, { ...request, credential }, url, form, signal);
    const keepsMethod = answer.status === 307 || answer.status === 308;
    if (!isRedirect(answer.status) || (form !== undefined && !keepsMethod)) return answer;
    discard(answer, parts.clock);
    if (redirects >= redirectsMax)
      throw unusable(`${host}: redirects of the token service do not end`, 'redirectLoop', host);
    const next = nextUrl(request, url, answer);
    const { origin, registry } = request;
    const keeps = next.hostname === url.hostname && admitsRealm(origin.rule, registry, next);
    if (!keeps) credential = undefined;
    if (form !== undefined && !keeps) throw realmRefused(request, next.host);
    url = next;
  }
}

function nextUrl(request: TokenRequest, from: URL, answer: Answer): URL {
  const { host } = request.origin.url;
  const next = readUrl(headerOf(answer, 'location'), from);
  if (next === undefined)
    throw unusable(
      `${host}: a redirect of the token service without a usable Location`,
      'badHeader',
      host,
    );
  return secured(request, next);
}

async function ask(
  parts: TokenParts,
  request: TokenRequest,
  url: URL,
  form: string | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const { origin, registry, own, credential } = request;
  const headers =
    form !== undefined
      ? { 'content-type': 'application/x-www-form-urlencoded' }
      : credential === undefined
        ? {}
        : { authorization: basic(credential) };
  try {
    return await parts.wire.send(
      {
        origin,
        kind: 'token',
        method: form === undefined ? 'GET' : 'POST',
        url,
        headers,
        ...(form === undefined ? {} : { body: form }),
        pool: 'quick',
        admission: parts.admissionOf(origin, url),
        identified: own && admitsRealm(origin.rule, registry, url),
        firstByteMs: deadlinesMs.firstByte,
      },
      signal,
    );
  } catch (error) {
    if (error instanceof UpstreamFailure && error.reason === 'addressRefused')
      throw realmRefused(request, url.host, error.cause);
    throw error;
  }
}

/** Throws `realmRefused` ahead of any request where the realm must not be asked like this. */
function realmUrl(request: TokenRequest): URL {
  const { origin, registry, credential } = request;
  const read = readUrl(request.realm, new URL(registry.origin));
  if (read === undefined) throw realmRefused(request, 'no URL');
  const url = secured(request, read);
  if (credential !== undefined && !admitsRealm(origin.rule, registry, url))
    throw realmRefused(request, url.host);
  return url;
}

/**
 * By https where the registry is asked by https: one that ends TLS in front of it often names its realm by http. Throws
 * `realmRefused` for other schemes.
 */
function secured(request: TokenRequest, url: URL): URL {
  const { registry } = request;
  const safe = new URL(url);
  if (safe.protocol === 'http:' && !registry.plain) safe.protocol = 'https:';
  if (!admitsScheme(registry, safe)) throw realmRefused(request, url.host);
  return safe;
}

function realmRefused(
  { origin, registry }: TokenRequest,
  host: string,
  cause?: unknown,
): UpstreamFailure {
  const secrets = secretsOf(origin.rule);
  return failure(
    `the token service that ${secrets.redact(registry.host)} names is not admitted: ${secrets.redact(host)}`,
    'denied',
    'realmRefused',
    origin.url.host,
    cause === undefined ? {} : { cause },
  );
}

export function basic(credential: Pick<Credential, 'username' | 'accessToken'>): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.accessToken}`, 'utf8').toString('base64')}`;
}
