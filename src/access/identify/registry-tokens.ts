import { describePrincipal } from '../../domain/policy/principal.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Caller } from '../access.ts';
import type { OwnTokens } from './own-tokens.ts';
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

export function createTokenService({
  tokens,
  clock,
}: {
  readonly tokens: OwnTokens;
  readonly clock: Clock;
}): TokenService {
  return {
    issueToken: async ({ caller, scopes, service }) => {
      const { principal, credential, madeAt } = caller;
      const issuedAt = clock.now();
      const longest = principal.kind === 'anonymous' ? anonymousLifetimeMs : lifetimeMs;
      const expiresAt = Math.min(issuedAt + longest, caller.expiresAt ?? Infinity);
      const token = await tokens.issue(
        'bearer',
        {
          subject: describePrincipal(principal),
          credential,
          madeAt,
          scopes: grantScopes(scopes, caller.scopes),
          issuedAt,
          expiresAt,
        },
        service,
      );
      return {
        token,
        access_token: token,
        expires_in: Math.max(1, Math.floor((expiresAt - issuedAt) / 1000)),
        issued_at: new Date(issuedAt).toISOString(),
      };
    },
  };
}
