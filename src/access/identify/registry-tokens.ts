import { describePrincipal } from '../../domain/policy/principal.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Caller } from '../access.ts';
import type { OwnTokenKind, OwnTokens } from './own-tokens.ts';
import type { RequestedScope } from '../secrets/scopes.ts';
import { grantScopes } from '../secrets/scopes.ts';

/** The answer of a token endpoint, as registry clients read it (distribution's token specification). */
export interface IssuedToken {
  readonly token: string;
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in: number;
  /** RFC 3339. */
  readonly issued_at: string;
}

export interface TokenRequest {
  readonly caller: Caller;
  /** By `parseRequestedScopes`; a token without any is good for `/v2/` alone. */
  readonly scopes: readonly RequestedScope[];
  /** The host that the token is for. */
  readonly service: string;
}

/** Gives bearer tokens for the registry: never more than what the caller's own credential is limited to, never longer. */
export interface TokenService {
  issueToken(request: TokenRequest): Promise<IssuedToken>;
}

const anonymousLifetimeMs = 300_000;
const lifetimeMs = 900_000;
const passwordLifetimeMs = 12 * 3_600_000;

interface TokenParts {
  readonly tokens: OwnTokens;
  readonly clock: Clock;
}

export function createTokenService(parts: TokenParts): TokenService {
  return {
    issueToken: async ({ caller, scopes, service }) => {
      const longestMs = caller.principal.kind === 'anonymous' ? anonymousLifetimeMs : lifetimeMs;
      const limited = { ...caller, scopes: grantScopes(scopes, caller.scopes) };
      const made = await issueOwnToken(parts, 'bearer', limited, longestMs, service);
      const { token, issuedAt, expiresAt } = made;
      return {
        token,
        access_token: token,
        expires_in: Math.max(1, Math.floor((expiresAt - issuedAt) / 1000)),
        issued_at: new Date(issuedAt).toISOString(),
      };
    },
  };
}

export interface EcrPassword {
  /** Without a colon. */
  readonly password: string;
  /** Wall time, ms. */
  readonly expiresAt: number;
}

/** A password for `AWS:<password>`: 12 hours, within the caller's own limits, and only as long as what it was made with is there. */
export async function mintEcrPassword(caller: Caller, parts: TokenParts): Promise<EcrPassword> {
  if (caller.principal.kind === 'anonymous') throw new Error('there is no ECR password for nobody');
  const { token: password, expiresAt } = await issueOwnToken(
    parts,
    'ecr',
    caller,
    passwordLifetimeMs,
  );
  return { password, expiresAt };
}

/** A token that speaks for the caller: within its limits, never longer than its own credential. `service`: the host that it is for. */
export async function issueOwnToken(
  { tokens, clock }: TokenParts,
  kind: OwnTokenKind,
  { principal, credential, madeAt, session, scopes, expiresAt: end = Infinity }: Caller,
  longestMs: number,
  service?: string,
): Promise<{ readonly token: string; readonly issuedAt: number; readonly expiresAt: number }> {
  const issuedAt = clock.now();
  const expiresAt = Math.min(issuedAt + longestMs, end);
  const subject = describePrincipal(principal);
  const claims = { subject, credential, madeAt, session, scopes, issuedAt, expiresAt };
  return { token: await tokens.issue(kind, claims, service), issuedAt, expiresAt };
}
