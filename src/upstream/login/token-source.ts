import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { createSharedFlights } from '../shared-flight.ts';
import type { IssuedToken } from './token-answer.ts';
import {
  fetchByGet,
  fetchByGetAfter,
  fetchByPost,
  isIdentityToken,
  type TokenParts,
  type TokenRequest,
} from './token-request.ts';

export interface Token {
  readonly value: string;
  readonly expiresAt: number;
  /** True once an answer other than 401 and 403 came for it. */
  accepted: boolean;
}

export interface TokenSource {
  /** A kept token where it lives and is not `refused`; else one request for any number of callers. Throws `UpstreamFailure`. */
  get(request: TokenRequest, refused: Token | undefined, signal: AbortSignal): Promise<Token>;
  reset(): void;
}

const tokensMax = 10_000;
/** A token may have 48 KiB; most have one or two. */
const tokenBytesMax = 16 * 1024 * 1024;
const tokenMemory = {
  maxSize: tokenBytesMax,
  sizeCalculation: ({ value }: Token, key: string): number => 256 + key.length + value.length,
};
/** Refusals keep what the service said. */
const refusalMemory = {
  maxSize: tokenBytesMax,
  sizeCalculation: ({ failure }: Refusal, key: string): number =>
    2048 + key.length + 2 * failure.message.length,
};
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
  let kept = new LRUCache<string, Token>(tokenMemory);
  let goodLogins = new LRUCache<string, true>(atMost(tokensMax));
  let refusals = new LRUCache<string, Refusal>(refusalMemory);
  let withoutPost = new LRUCache<string, true>(atMost(tokensMax));

  const refusedNow = (key: string): Refusal | undefined => {
    const refusal = refusals.get(key);
    return refusal !== undefined && refusal.until > clock.elapsed() ? refusal : undefined;
  };

  const exchange = async (
    login: string,
    request: TokenRequest,
    signal: AbortSignal,
  ): Promise<IssuedToken> => {
    const lacksPost = withoutPost;
    if (isIdentityToken(request.credential) && !lacksPost.has(login)) {
      const answer = await fetchByPost(parts, request, signal);
      if ('issued' in answer) return answer.issued;
      const issued = await fetchByGetAfter(answer.refused, parts, request, signal);
      lacksPost.set(login, true);
      return issued;
    }
    return await fetchByGet(parts, request, signal);
  };

  const fetchInto = async (
    { login, token: key }: Keys,
    request: TokenRequest,
    signal: AbortSignal,
  ): Promise<Token> => {
    const [tokens, refused, good] = [kept, refusals, goodLogins];
    try {
      const issued = await exchange(login, request, signal);
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
      kept = new LRUCache(tokenMemory);
      goodLogins = new LRUCache(atMost(tokensMax));
      refusals = new LRUCache(refusalMemory);
      withoutPost = new LRUCache(atMost(tokensMax));
    },
  };
}

interface Keys {
  /** Who asks whom, whatever for. */
  readonly login: string;
  readonly token: string;
}

function keysOf(request: TokenRequest): Keys {
  const { origin, registry, own, realm, service, scope, credentialKey } = request;
  const login = [registry.origin, own, realm, service, credentialKey, origin.rule.prefix];
  return { login: JSON.stringify(login), token: JSON.stringify([...login, scope]) };
}
