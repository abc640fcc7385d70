import { SignJWT, errors, jwtVerify } from 'jose';
import type { ScopeRight } from '../domain/access-action.ts';
import type { Clock } from '../ports/clock.ts';
import type { Scope } from './access.ts';
import type { KeyStore } from './key-store.ts';
import { randomText, lowerAlphabet } from './random-text.ts';

/** `bearer`: the token service's; `ecr`: the password of `AWS:…`. One is never taken for the other. */
export type OwnTokenKind = 'bearer' | 'ecr';

export interface OwnTokenClaims {
  /** ARN, or `anonymous`. */
  readonly subject: string;
  /** As in `Caller`. */
  readonly credential: string | undefined;
  readonly scopes: readonly Scope[] | undefined;
  /** Wall times, ms; the end is that of its second. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** The compact JWTs that this server makes and takes back. */
export interface OwnTokens {
  /** `service`: the host that it was asked for, told to whoever reads it. */
  issue(kind: OwnTokenKind, claims: OwnTokenClaims, service?: string): Promise<string>;
  /** `expired` only where it is ours in all else; `undefined` for any other text. */
  verify(kind: OwnTokenKind, text: string): Promise<OwnTokenClaims | 'expired' | undefined>;
}

// One algorithm, symmetric: there is no public key that could be taken for a secret.
const algorithm = 'HS256';
const issuer = 'urn:breakwater';
const kinds: Readonly<Record<OwnTokenKind, { readonly typ: string; readonly audience: string }>> = {
  bearer: { typ: 'at+jwt', audience: 'urn:breakwater:registry' },
  ecr: { typ: 'ecr+jwt', audience: 'urn:breakwater:ecr' },
};
const charactersMax = 16_384;

export function createOwnTokens({
  signing,
  clock,
}: {
  readonly signing: KeyStore['signing'];
  readonly clock: Clock;
}): OwnTokens {
  const keys = new Map(signing.map((key) => [key.id, key.bytes]));
  const [newest] = signing;
  if (newest === undefined) throw new Error('there is no key to sign tokens with');
  return {
    issue: async (kind, claims, service) => {
      const { typ, audience } = kinds[kind];
      return await new SignJWT(bodyOf(claims))
        .setProtectedHeader({ alg: algorithm, typ, kid: newest.id })
        .setIssuer(issuer)
        .setAudience(service === undefined ? audience : [audience, service])
        .setSubject(claims.subject)
        .setIssuedAt(Math.floor(claims.issuedAt / 1000))
        .setNotBefore(Math.floor(claims.issuedAt / 1000))
        .setExpirationTime(Math.ceil(claims.expiresAt / 1000))
        .setJti(randomText(lowerAlphabet, 16))
        .sign(newest.bytes);
    },
    verify: async (kind, text) => {
      if (text.length > charactersMax) return undefined;
      const { typ, audience } = kinds[kind];
      try {
        const { payload } = await jwtVerify(
          text,
          ({ kid }) => {
            // Nothing but our own keys, whatever else the header offers (CVE-2025-24976).
            const key = kid === undefined ? undefined : keys.get(kid);
            if (key === undefined) throw new errors.JWKSNoMatchingKey();
            return key;
          },
          {
            algorithms: [algorithm],
            issuer,
            audience,
            typ,
            currentDate: new Date(clock.now()),
            requiredClaims: ['sub', 'exp', 'iat'],
          },
        );
        return claimsOf(payload);
      } catch (error) {
        if (error instanceof errors.JWTExpired) return 'expired';
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

/** What is not among the registered claims. `access` is as in distribution's tokens; `ms` is the time of issue to the millisecond. */
function bodyOf({ scopes, credential, issuedAt }: OwnTokenClaims): Record<string, unknown> {
  return {
    ms: issuedAt,
    ...(credential === undefined ? {} : { cred: credential }),
    ...(scopes === undefined
      ? {}
      : {
          access: scopes.map(({ repository, rights }) => ({
            type: 'repository',
            name: repository,
            actions: rights,
          })),
        }),
  };
}

/** The signature is ours: what stands in it was written by `bodyOf`. */
function claimsOf(payload: Readonly<Record<string, unknown>>): OwnTokenClaims {
  const { sub, exp, ms, cred, access } = payload;
  return {
    subject: String(sub),
    credential: typeof cred === 'string' ? cred : undefined,
    scopes: Array.isArray(access)
      ? (access as { name: string; actions: ScopeRight[] }[]).map(({ name, actions }) => ({
          repository: name,
          rights: actions,
        }))
      : undefined,
    issuedAt: Number(ms),
    expiresAt: Number(exp) * 1000,
  };
}
