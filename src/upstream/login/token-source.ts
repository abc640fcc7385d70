import { LRUCache } from 'lru-cache';
import type { Flight } from '../../coordination/flights.ts';
import { Flights } from '../../coordination/flights.ts';
import { atMost } from '../../coordination/memory-bound.ts';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { ruleName } from '../../domain/rules/rule-identity.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { ecrPlaceOf, ecrRealm, fetchEcrPassword } from './ecr-password.ts';
import type { IssuedToken } from './token-answer.ts';
import type { TokenParts, TokenRequest } from './token-request.ts';
import { fetchByGet, fetchByGetAfter, fetchByPost, isIdentityToken } from './token-request.ts';

export interface Token {
  readonly value: string;
  /** True once an answer other than 401 and 403 came for it. */
  accepted: boolean;
}

export interface TokenSource {
  /** A kept token where it lives and is not `refused`; else one request for any number of callers. Throws `UpstreamFailure`. */
  get(request: TokenRequest, refused: Token | undefined, signal: AbortSignal): Promise<Token>;
  /** What is on its way meanwhile is not kept. */
  reset(): void;
}

const loginsMax = 10_000;
/** A token may have 48 KiB; most have one or two. */
const tokenBytesMax = 16 * 1024 * 1024;
/** Refusals keep what the service said. */
const refusalBytesMax = 16 * 1024 * 1024;
const refusalMs = 30_000;

/**
 * Tokens by (origin, realm, service, scope, credential), kept until they expire; a refusal is kept 30 s. A credential refused
 * by 401 that got nothing since its last refusal is refused for every scope: repeated logins lock the account.
 */
export function createTokenSource(parts: TokenParts): TokenSource {
  const { clock } = parts;
  const flights = new Flights<Token>(clock);
  const kept = new TimedMemory<Token>(clock, {
    bytesMax: tokenBytesMax,
    bytesOf: ({ value }, key) => 256 + key.length + value.length,
  });
  const refusals = new TimedMemory<UpstreamFailure>(clock, {
    bytesMax: refusalBytesMax,
    bytesOf: ({ message }, key) => 2048 + key.length + 2 * message.length,
  });
  const goodLogins = new LRUCache<string, true>(atMost(loginsMax));
  const withoutPost = new LRUCache<string, true>(atMost(loginsMax));

  const refuse = ({ login, token: key }: Keys, request: TokenRequest, error: unknown): void => {
    if (!(error instanceof UpstreamFailure) || error.reason !== 'tokenRefused') return;
    const isLogin = error.status === 401 && request.credential !== undefined;
    const subject = isLogin && !goodLogins.has(login) ? login : key;
    if (isLogin) goodLogins.delete(login);
    refusals.set(subject, error, refusalMs);
  };

  const fetchToken = async (keys: Keys, request: TokenRequest, flight: Flight): Promise<Token> => {
    try {
      const { value, usableMs } = await exchange(parts, withoutPost, keys.login, request, flight);
      const token = { value, accepted: false };
      if (flight.forgotten) return token;
      kept.set(keys.token, token, usableMs);
      goodLogins.set(keys.login, true);
      return token;
    } catch (error) {
      // What was fetched since a reset is not this one's to forget.
      if (!flight.forgotten) {
        kept.forget(keys.token);
        refuse(keys, request, error);
      }
      throw error;
    }
  };

  return {
    async get(request, refused, signal) {
      const keys = keysOf(request);
      const token = kept.get(keys.token);
      if (token !== undefined && token !== refused) return token;
      const refusal = refusals.get(keys.token) ?? refusals.get(keys.login);
      if (refusal !== undefined) throw refusal;
      return flights.share(keys.token, (flight) => fetchToken(keys, request, flight), signal);
    },
    reset() {
      flights.clear();
      kept.clear();
      goodLogins.clear();
      refusals.clear();
      withoutPost.clear();
    },
  };
}

/** `withoutPost`: the logins whose service knows no POST. */
async function exchange(
  parts: TokenParts,
  withoutPost: LRUCache<string, true>,
  login: string,
  request: TokenRequest,
  flight: Flight,
): Promise<IssuedToken> {
  const { signal } = flight;
  const ecr =
    request.realm === ecrRealm ? ecrPlaceOf(request.registry, request.credential) : undefined;
  if (ecr !== undefined) return await fetchEcrPassword(parts, request, ecr, signal);
  if (!isIdentityToken(request.credential) || withoutPost.has(login))
    return await fetchByGet(parts, request, signal);
  const answer = await fetchByPost(parts, request, signal);
  if ('issued' in answer) return answer.issued;
  const issued = await fetchByGetAfter(answer.refused, parts, request, signal);
  if (!flight.forgotten) withoutPost.set(login, true);
  return issued;
}

interface Keys {
  /** Who asks whom, whatever for. */
  readonly login: string;
  readonly token: string;
}

function keysOf(request: TokenRequest): Keys {
  const { origin, registry, own, realm, service, scope, credentialKey } = request;
  const login = [registry.origin, own, realm, service, credentialKey, ruleName(origin.rule)];
  return { login: JSON.stringify(login), token: JSON.stringify([...login, scope]) };
}
