import { createHmac } from 'node:crypto';
import { SignJWT, errors, jwtVerify } from 'jose';
import type { ScopeRight } from '../../domain/policy/access-action.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RoleSession, Scope } from '../access.ts';
import type { KeyStore } from '../secrets/key-store.ts';
import type { StoredKey } from '../secrets/sealing.ts';
import { randomText, lowerAlphabet } from '../secrets/random-text.ts';
import { sameSecret } from '../secrets/same-secret.ts';

/** `bearer`: the token service's; `ecr`: the password of `AWS:…`; `download`: that of a download URL. One is never taken for another. */
export type OwnTokenKind = 'bearer' | 'ecr' | 'download';

/** ECR's: the user name beside its passwords. */
export const ecrUserName = 'AWS';

export interface OwnTokenClaims {
  /** ARN, or `anonymous`. */
  readonly subject: string;
  /** As in `Caller`. */
  readonly credential: string | undefined;
  readonly madeAt: number | undefined;
  /** Of a session of a role, which `subject` is then. */
  readonly session?: RoleSession | undefined;
  readonly scopes: readonly Scope[] | undefined;
  /** Wall times, ms; the end is that of its second. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/**
 * The compact JWTs that this server makes and takes back. They have no `nbf`: whoever verifies one made it, and a clock that
 * was set back since must not refuse it.
 */
export interface OwnTokens {
  /** `service`: the host that it was asked for, written into its `aud` for whoever reads the token. */
  issue(kind: OwnTokenKind, claims: OwnTokenClaims, service?: string): Promise<string>;
  /** `expired`: past its end, or of a secret that is another one now, and ours in all else; `undefined` for any other text. */
  verify(kind: OwnTokenKind, text: string): Promise<OwnTokenClaims | 'expired' | undefined>;
}

// One algorithm, symmetric: there is no public key that could be taken for a secret.
const algorithm = 'HS256';
const issuer = 'urn:breakwater';
const kinds: Readonly<Record<OwnTokenKind, { readonly typ: string; readonly audience: string }>> = {
  bearer: { typ: 'at+jwt', audience: 'urn:breakwater:registry' },
  ecr: { typ: 'ecr+jwt', audience: 'urn:breakwater:ecr' },
  download: { typ: 'download+jwt', audience: 'urn:breakwater:download' },
};
const charactersMax = 16_384;

export interface OwnTokensOptions {
  /** As they are now: the first signs. */
  readonly signing: () => KeyStore['signing'];
  readonly clock: Clock;
  /** Of a credential that keeps its name when its secret changes: what was made with it ends with the secret. */
  readonly secretOf?: (credential: string) => string | undefined;
}

export function createOwnTokens({ signing, clock, secretOf }: OwnTokensOptions): OwnTokens {
  const newestKey = (): StoredKey => {
    const [newest] = signing();
    if (newest === undefined) throw new Error('there is no key to sign tokens with');
    return newest;
  };
  const markOf = (credential: string | undefined, key: Uint8Array): string | undefined => {
    const secret = credential === undefined ? undefined : secretOf?.(credential);
    return secret === undefined ? undefined : markOfSecret(`${credential}\n${secret}`, key);
  };
  return {
    issue: async (kind, claims, service) => {
      const { typ, audience } = kinds[kind];
      const newest = newestKey();
      const mark = markOf(claims.credential, newest.bytes);
      return await new SignJWT({ ...bodyOf(claims), ...(mark === undefined ? {} : { mark }) })
        .setProtectedHeader({ alg: algorithm, typ, kid: newest.id })
        .setIssuer(issuer)
        .setAudience(service === undefined ? audience : [audience, service])
        .setSubject(claims.subject)
        .setIssuedAt(Math.floor(claims.issuedAt / 1000))
        .setExpirationTime(Math.ceil(claims.expiresAt / 1000))
        .setJti(randomText(lowerAlphabet, 16))
        .sign(newest.bytes);
    },
    verify: async (kind, text) => {
      if (text.length > charactersMax || !isSpeltOnce(text)) return undefined;
      const { typ, audience } = kinds[kind];
      try {
        const { payload, key } = await jwtVerify(
          text,
          ({ kid }) => {
            // Nothing but our own keys, whatever else the header offers (CVE-2025-24976).
            const found = signing().find(({ id }) => id === kid);
            if (found === undefined) throw new errors.JWKSNoMatchingKey();
            return found.bytes;
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
        const claims = claimsOf(payload);
        const mark = markOf(claims.credential, key);
        if (mark !== undefined && !sameSecret(String(payload['mark']), mark)) return 'expired';
        return claims;
      } catch (error) {
        if (error instanceof errors.JWTExpired) return 'expired';
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

/** Keyed: whoever holds the token can't try secrets against it. No JWT begins like this. */
function markOfSecret(secret: string, key: Uint8Array): string {
  return createHmac('sha256', key).update(`secret\n${secret}`).digest('base64url').slice(0, 22);
}

/** What base64url leaves over at the end must not be a second spelling of the signature. */
function isSpeltOnce(text: string): boolean {
  const signature = text.slice(text.lastIndexOf('.') + 1);
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}

/** What is not among the registered claims. `access` is as in distribution's tokens; `ms` is the time of issue to the millisecond. */
function bodyOf({
  scopes,
  credential,
  issuedAt,
  madeAt,
  session,
}: OwnTokenClaims): Record<string, unknown> {
  return {
    ms: issuedAt,
    ...(madeAt === undefined ? {} : { made: madeAt }),
    ...(credential === undefined ? {} : { cred: credential }),
    ...(session === undefined ? {} : { session }),
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
  const { sub, exp, ms, made, cred, access, session } = payload;
  return {
    subject: String(sub),
    credential: typeof cred === 'string' ? cred : undefined,
    scopes: Array.isArray(access)
      ? (access as { name: string; actions: ScopeRight[] }[]).map(({ name, actions }) => ({
          repository: name,
          rights: actions,
        }))
      : undefined,
    madeAt: typeof made === 'number' ? made : undefined,
    ...(session === undefined ? {} : { session: session as RoleSession }),
    issuedAt: Number(ms),
    expiresAt: Number(exp) * 1000,
  };
}
