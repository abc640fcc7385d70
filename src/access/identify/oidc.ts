import { decodeJwt, errors, jwtVerify } from 'jose';
import { RegistryError } from '../../domain/errors.ts';
import { matchesGlob } from '../../domain/wildcard.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeySetPlace } from './key-fetch.ts';
import type { KeySet, KeysFailed } from './key-set.ts';
import { KeysUnavailable, createKeySet } from './key-set.ts';

/** Whose JWTs are accepted, and for whom they speak (`oidc` of the configuration). */
export interface JwtIssuer extends KeySetPlace {
  readonly audiences: readonly string[];
  /** The first whose claims all match decides; values are patterns of `*` and `?`. */
  readonly principals: readonly {
    readonly claims: Readonly<Record<string, string>>;
    readonly principal: string;
    readonly account: string;
  }[];
}

/** For whom a JWT speaks, as its issuer's claims are mapped. */
export interface JwtSpeaker {
  readonly account: string;
  readonly name: string;
  /** Wall time, ms. */
  readonly expiresAt: number;
}

export interface Oidc {
  /** `undefined`: of no configured issuer, or no JWT. Nobody is asked for it. */
  issuerOf(text: string): JwtIssuer | undefined;
  /**
   * `expired`, or `early` where it begins later by this server's clock, only where the rest is right; `undefined` where anything
   * else is not. Throws `unavailable` where the issuer's keys can't be had.
   */
  verify(text: string, issuer: JwtIssuer): Promise<JwtSpeaker | 'expired' | 'early' | undefined>;
  /** The same, whomever it speaks for: what it says. */
  claimsOf(text: string, issuer: JwtIssuer): Promise<JwtClaims | 'expired' | 'early' | undefined>;
}

/** What a token says whose signature, issuer, audience and times are right. */
export interface JwtClaims {
  readonly claims: Readonly<Record<string, unknown>>;
  /** Wall time, ms. */
  readonly expiresAt: number;
}

const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const leewaySeconds = 30;
const charactersMax = 16_384;
const retryAfterMs = 5000;

/** `issuers` is asked each time: a reload may change them. What is known of an issuer's keys outlives it. */
export function createOidc({
  issuers,
  clock,
  keysFailed,
}: {
  readonly issuers: () => readonly JwtIssuer[];
  readonly clock: Clock;
  readonly keysFailed: KeysFailed;
}): Oidc {
  const keySets = new Map<string, KeySet>();
  const keySetOf = (issuer: JwtIssuer): KeySet => {
    const id = placeOf(issuer);
    let keySet = keySets.get(id);
    if (keySet === undefined) {
      const wanted = new Set(issuers().map(placeOf));
      for (const known of keySets.keys()) if (!wanted.has(known)) keySets.delete(known);
      keySet = createKeySet(issuer, clock, keysFailed);
      keySets.set(id, keySet);
    }
    return keySet;
  };

  const claimsOf: Oidc['claimsOf'] = async (text, issuer) => {
    try {
      const { payload } = await jwtVerify(text, keySetOf(issuer).getKey, {
        algorithms,
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        clockTolerance: leewaySeconds,
        currentDate: new Date(clock.now()),
        requiredClaims: ['exp'],
      });
      return { claims: payload, expiresAt: ((payload.exp ?? 0) + leewaySeconds) * 1000 };
    } catch (error) {
      return whyNot(error, issuer);
    }
  };

  return {
    issuerOf: (text) => {
      if (issuers().length === 0) return undefined;
      const claimed = claimedIssuer(text);
      return issuers().find(({ issuer }) => issuer === claimed);
    },
    verify: async (text, issuer) => {
      const verified = await claimsOf(text, issuer);
      if (verified === undefined || typeof verified === 'string') return verified;
      const { claims, expiresAt } = verified;
      const found = issuer.principals.find((each) => matchClaims(each.claims, claims));
      return found && { account: found.account, name: found.principal, expiresAt };
    },
    claimsOf,
  };
}

/** Throws what is no fault of the token. */
function whyNot(error: unknown, { issuer }: JwtIssuer): 'expired' | 'early' | undefined {
  if (error instanceof KeysUnavailable) {
    throw new RegistryError('unavailable', `the keys of ${issuer} cannot be had`, {
      kind: 'identityProviderDown',
      retryAfterMs,
      cause: error,
    });
  }
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf')
    return error.reason === 'check_failed' ? 'early' : undefined;
  // What is wrong with a key or a signature comes as either of these.
  if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
  throw error;
}

function placeOf({ issuer, jwksUrl, ca }: KeySetPlace): string {
  return JSON.stringify([issuer, jwksUrl, ca]);
}

/** Unverified: says only whom to ask. */
function claimedIssuer(text: string): string | undefined {
  if (text.length > charactersMax || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return undefined;
  try {
    const { iss } = decodeJwt(text);
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

/** Whether all of the patterns match; a list matches by any of its elements. */
function matchClaims(
  patterns: Readonly<Record<string, string>>,
  claims: Readonly<Record<string, unknown>>,
): boolean {
  return Object.entries(patterns).every(([name, pattern]) => {
    const value = claims[name];
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.some((one) => isScalar(one) && matchesGlob(pattern, String(one)));
  });
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
