import { LRUCache } from 'lru-cache';
import type { Credential } from '../domain/pull-rule.ts';
import { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { Admission } from './address-guard.ts';
import { discard } from './body-reading.ts';
import { deadlinesMs, startDeadline } from './deadlines.ts';
import type { Answer } from './exchange.ts';
import { failure } from './failures.ts';
import { secretsOf } from './redaction.ts';
import { admitsRealm, admitsScheme } from './realm-guard.ts';
import { createSharedFlights } from './shared-flight.ts';
import { failureOfStatus } from './statuses.ts';
import { readToken } from './token-answer.ts';
import type { Origin, Wire } from './wire.ts';

/** What a Bearer challenge asks for. */
export interface TokenRequest {
  readonly origin: Origin;
  readonly realm: string;
  readonly service: string | undefined;
  readonly scope: string | undefined;
  readonly credential: Credential | undefined;
  /** Tells credentials apart without being one. */
  readonly credentialKey: string;
}

export interface Token {
  readonly value: string;
  readonly expiresAt: number;
  /** True once an answer other than 401 came for it. */
  accepted: boolean;
}

export interface TokenSource {
  /** A kept token where it lives and is not `refused`; else one request for any number of callers. Throws `UpstreamFailure`. */
  get(request: TokenRequest, refused: Token | undefined, signal: AbortSignal): Promise<Token>;
  reset(): void;
}

export interface TokenParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly wire: Wire;
  readonly admissionOf: (origin: Origin, url: URL) => Admission;
}

const tokensMax = 10_000;
const refusalMs = 30_000;

interface Refusal {
  readonly failure: UpstreamFailure;
  readonly until: number;
}

/**
 * Tokens by (origin, realm, service, scope, credential), kept until they expire; a refusal is kept 30 s. A credential refused
 * by 401 that got nothing since its last refusal is refused for every scope: repeated logins lock the account.
 */
export function createTokenSource(parts: TokenParts): TokenSource {
  const { clock } = parts;
  const flights = createSharedFlights<Token>();
  let kept = new LRUCache<string, Token>({ max: tokensMax });
  let goodLogins = new LRUCache<string, true>({ max: tokensMax });
  let refusals = new LRUCache<string, Refusal>({ max: tokensMax });

  const refusedNow = (key: string): Refusal | undefined => {
    const refusal = refusals.get(key);
    return refusal !== undefined && refusal.until > clock.elapsed() ? refusal : undefined;
  };

  const fetchInto = async (
    { login, token: key }: Keys,
    request: TokenRequest,
    signal: AbortSignal,
  ): Promise<Token> => {
    const [tokens, refused, good] = [kept, refusals, goodLogins];
    try {
      const issued = await fetchToken(parts, request, signal);
      const token = {
        value: issued.value,
        expiresAt: clock.elapsed() + issued.usableMs,
        accepted: false,
      };
      tokens.set(key, token);
      good.set(login, true);
      return token;
    } catch (error) {
      tokens.delete(key);
      if (error instanceof UpstreamFailure && error.reason === 'tokenRefused') {
        const isLogin = error.status === 401 && request.credential !== undefined;
        const subject = isLogin && !good.has(login) ? login : key;
        if (isLogin) good.delete(login);
        refused.set(subject, { failure: error, until: clock.elapsed() + refusalMs });
      }
      throw error;
    }
  };

  return {
    async get(request, refused, signal) {
      const keys = keysOf(request);
      const token = kept.get(keys.token);
      if (token !== undefined && token !== refused && token.expiresAt > clock.elapsed())
        return token;
      const refusal = refusedNow(keys.token) ?? refusedNow(keys.login);
      if (refusal !== undefined) throw refusal.failure;
      return flights.join(keys.token, (shared) => fetchInto(keys, request, shared), signal);
    },
    reset() {
      // New caches, so that what is on its way lands in the old ones.
      kept = new LRUCache({ max: tokensMax });
      goodLogins = new LRUCache({ max: tokensMax });
      refusals = new LRUCache({ max: tokensMax });
    },
  };
}

interface Keys {
  /** Who asks whom, whatever for. */
  readonly login: string;
  readonly token: string;
}

function keysOf({ origin, realm, service, scope, credentialKey }: TokenRequest): Keys {
  const login = [origin.url.origin, realm, service, credentialKey, origin.rule.prefix];
  return { login: JSON.stringify(login), token: JSON.stringify([...login, scope]) };
}

async function fetchToken(
  parts: TokenParts,
  request: TokenRequest,
  signal: AbortSignal,
): Promise<{ readonly value: string; readonly usableMs: number }> {
  const { origin, credential } = request;
  const upstream = origin.url.host;
  const url = realmUrl(request);
  const asked = `token of ${secretsOf(origin.rule).redact(url.host)}`;
  const late = (): Error =>
    failure(`${asked}: not whole in time`, 'timeout', 'totalTimeout', upstream);
  using deadline = startDeadline(parts.clock, deadlinesMs.wholeToken, late, signal);
  const answer = await ask(parts, request, url, deadline.signal);
  if (answer.status === 200) return await readToken(answer, asked, upstream);
  if (answer.status >= 500) throw await failureOfStatus(answer, asked, upstream, parts.clock);
  discard(answer, parts.clock);
  if (credential !== undefined || answer.status === 401)
    parts.events.emit({ type: 'authFailed', upstream });
  throw failure(`${asked}: ${answer.status}`, 'denied', 'tokenRefused', upstream, {
    status: answer.status,
  });
}

async function ask(
  parts: TokenParts,
  request: TokenRequest,
  url: URL,
  signal: AbortSignal,
): Promise<Answer> {
  const { origin, credential } = request;
  try {
    return await parts.wire.send(
      {
        origin,
        kind: 'token',
        method: 'GET',
        url,
        headers: credential === undefined ? {} : { authorization: basic(credential) },
        pool: 'quick',
        admission: parts.admissionOf(origin, url),
        identified: admitsRealm(origin.rule, origin.url, url),
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

/** The realm with service and scopes; throws `realmRefused` ahead of any request where it must not be asked like this. */
function realmUrl(request: TokenRequest): URL {
  const { origin, credential, service, scope } = request;
  const url = URL.parse(request.realm);
  if (url === null) throw realmRefused(request, 'no URL');
  url.hash = '';
  url.username = '';
  url.password = '';
  const admitted =
    credential === undefined
      ? admitsScheme(origin.url, url)
      : admitsRealm(origin.rule, origin.url, url);
  if (!admitted) throw realmRefused(request, url.host);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const one of scope?.split(' ') ?? []) if (one !== '') url.searchParams.append('scope', one);
  return url;
}

function realmRefused(request: TokenRequest, host: string, cause?: unknown): UpstreamFailure {
  const upstream = request.origin.url.host;
  return failure(
    `the token service that ${upstream} names is not admitted: ${secretsOf(request.origin.rule).redact(host)}`,
    'denied',
    'realmRefused',
    upstream,
    cause === undefined ? {} : { cause },
  );
}

export function basic(credential: Credential): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.accessToken}`, 'utf8').toString('base64')}`;
}
