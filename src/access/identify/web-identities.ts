import { RegistryError } from '../../domain/errors.ts';
import type { ErrorKind } from '../../domain/errors.ts';
import type { RequestFrom } from '../access.ts';
import type { ShownCredentials } from './authorization-header.ts';
import { outdated, unknown } from './checked-credentials.ts';
import type { RefusedCredentials } from './checked-credentials.ts';
import type { LoginFailures } from './login-failures.ts';
import { tooManyFailures } from './login-failures.ts';
import type { Oidc } from './oidc.ts';

/** Whom an issuer vouches for. */
export interface WebIdentity {
  /** As `iss` has it. */
  readonly issuer: string;
  /** The issuer without its scheme, as policies name it. */
  readonly provider: string;
  readonly subject: string;
  readonly audience: string;
  /** What the token says, as condition keys: `<provider>:sub`, in lower case. */
  readonly claims: ReadonlyMap<string, readonly string[]>;
}

/** Tokens of the configured issuers, whomever they speak for. */
export interface WebIdentities {
  /** Throws `requestInvalid` with its kind; what is wrong is a failed login. */
  verify(token: string, from: RequestFrom): Promise<WebIdentity>;
}

/** Claims that policies may ask for, of one token, and values of one. */
const claimsMax = 100;
const valuesMax = 100;

export function createWebIdentities({
  oidc,
  failures,
}: {
  readonly oidc: Oidc;
  readonly failures: Pick<LoginFailures, 'record' | 'waitMs'>;
}): WebIdentities {
  const refuse = (
    shown: ShownCredentials,
    from: RequestFrom,
    refused: RefusedCredentials,
    [kind, message]: readonly [ErrorKind, string],
  ): RegistryError => {
    const waitMs = failures.waitMs(shown, from);
    if (waitMs > 0) return tooManyFailures(waitMs);
    failures.record(shown, from, refused);
    return new RegistryError('requestInvalid', message, { kind });
  };
  return {
    verify: async (token, from) => {
      const shown: ShownCredentials = { scheme: 'bearer', token };
      const issuer = oidc.issuerOf(token);
      if (issuer === undefined)
        throw refuse(shown, from, unknown('a token of no issuer of `oidc`'), noProvider);
      const verified = await oidc.claimsOf(token, issuer);
      if (verified === undefined)
        throw refuse(shown, from, unknown(`not a token of ${issuer.issuer}`), notRight);
      if (verified === 'expired')
        throw refuse(shown, from, outdated(`expired token of ${issuer.issuer}`), hasExpired);
      if (verified === 'early')
        throw refuse(
          shown,
          from,
          outdated(`token of ${issuer.issuer} that begins later`),
          tooEarly,
        );
      const identity = identityOf(issuer.issuer, verified.claims);
      if (identity === undefined)
        throw refuse(shown, from, outdated(`token of ${issuer.issuer} without sub`), noSubject);
      return identity;
    },
  };
}

const noProvider = [
  'identityTokenInvalid',
  'No OpenIDConnect provider found in your account for the issuer of the token: name it in oidc of the configuration',
] as const;
const notRight = [
  'identityTokenInvalid',
  'The web identity token is not right: its signature, or its audience',
] as const;
const hasExpired = [
  'identityTokenExpired',
  'Token expired: current date/time must be before the expiration date/time',
] as const;
const tooEarly = ['identityTokenRejected', 'The token begins later: the clocks differ'] as const;
const noSubject = ['identityTokenRejected', 'The token has no claim sub'] as const;

function identityOf(
  issuer: string,
  claims: Readonly<Record<string, unknown>>,
): WebIdentity | undefined {
  const provider = issuer.replace(/^https?:\/\//, '');
  const [subject] = textsOf(claims['sub']);
  const [audience = ''] = textsOf(claims['aud']);
  if (subject === undefined || subject === '') return undefined;
  const keys = new Map<string, readonly string[]>();
  for (const name of namesOf(claims)) {
    const key = `${provider}:${name}`.toLowerCase();
    const values = textsOf(claims[name]);
    if (values.length > 0 && !keys.has(key)) keys.set(key, values);
  }
  return { issuer, provider, subject, audience, claims: keys };
}

/**
 * Those that say who it is come first, and of names that differ by case the one in lower case: a claim that whoever the token is for may add
 * takes the place of none, and pushes none out.
 */
function namesOf(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const rankOf = (name: string): number =>
    registered.has(name) ? 0 : name === name.toLowerCase() ? 1 : 2;
  return Object.keys(claims)
    .toSorted((one, other) => rankOf(one) - rankOf(other))
    .slice(0, claimsMax);
}

/** Of RFC 7519, which every issuer writes itself. */
const registered: ReadonlySet<string> = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti']);

/** Texts, numbers and booleans, alone or in a list; what else there is can't be compared. */
function textsOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values
    .slice(0, valuesMax)
    .flatMap((one) =>
      typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean'
        ? [String(one)]
        : [],
    );
}
