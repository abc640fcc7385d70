import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { RegistryError } from '../domain/errors.ts';
import { anonymous } from '../domain/principal.ts';
import type { RegistryKey } from '../domain/registry.ts';
import { registryOf } from '../domain/registry.ts';
import type { Audit, Caller, Identifier, RequestFrom } from './access.ts';
import type { ShownCredentials } from './authorization-header.ts';
import { authorizationCharactersMax, parseAuthorization } from './authorization-header.ts';
import type {
  CheckedCredentials,
  CredentialChecksOptions,
  RefusedCredentials,
} from './credential-checks.ts';
import { createCredentialChecks } from './credential-checks.ts';
import { createCredentialUse } from './credential-use.ts';
import { ecrUserName } from './ecr-password.ts';
import { createLoginThrottle } from './login-throttle.ts';
import { idOfToken } from './named-token.ts';

export interface IdentifierOptions extends Omit<CredentialChecksOptions, 'homeAccount'> {
  readonly home: RegistryKey;
  readonly audit: Audit;
}

/** Disposing writes when credentials were last used. */
export interface OpenIdentifier extends Identifier, AsyncDisposable {
  /** Forgets what was verified: after a change of principals, keys, tokens or issuers. */
  reset(): void;
}

/** Who came without credentials. */
export const anonymousCaller: Caller = { principal: anonymous, via: 'none', scopes: undefined };

interface Remembered {
  readonly caller: Caller;
  readonly scheme: ShownCredentials['scheme'];
  /** Wall time, ms. Past it, it is verified again; it has been right, and is not throttled. */
  readonly until: number;
}

const rememberedMax = 10_000;
const rememberedMs = 60_000;
const shownCharactersMax = 32;

type Options = Parameters<Identifier['identify']>[2];

export function createIdentifier(options: IdentifierOptions): OpenIdentifier {
  const { clock, audit, home } = options;
  const check = createCredentialChecks({ ...options, homeAccount: registryOf(home).account });
  const throttle = createLoginThrottle(clock);
  const use = createCredentialUse(options.metadata, clock);
  // By SHA-256 of the header, so that no secret is kept.
  const memory = new LRUCache<string, Remembered>({ max: rememberedMax });
  let age = 0;

  const verify = async (
    key: string,
    shown: ShownCredentials,
    from: RequestFrom,
    mirror: boolean,
  ): Promise<Caller> => {
    const begunAt = age;
    let checked: CheckedCredentials;
    try {
      checked = await check(shown);
    } catch (error) {
      // An issuer that is down is nothing to a mirror.
      if (mirror && error instanceof RegistryError) return anonymousCaller;
      throw error;
    }
    if ('why' in checked) {
      memory.delete(key);
      if (mirror) return anonymousCaller;
      throw refuse(shown, from, checked);
    }
    const { caller, used } = checked;
    if (used !== undefined) use.touch(used);
    const until = Math.min(clock.now() + rememberedMs, caller.expiresAt ?? Infinity);
    if (begunAt === age) memory.set(key, { caller, scheme: shown.scheme, until });
    return caller;
  };

  const refuse = (
    shown: ShownCredentials | undefined,
    from: RequestFrom,
    { why, outdated }: RefusedCredentials,
  ): RegistryError => {
    const bearer = shown === undefined || shown.scheme === 'bearer';
    if (!outdated) throttle.failed(from.address, shown && principalOf(shown));
    // Clients show a bearer token until it is refused, and get themselves another.
    if (!outdated || !bearer) {
      audit.record({
        kind: 'login',
        principal: shown === undefined ? '' : nameOf(shown),
        action: 'login',
        resource: '',
        registry: home,
        outcome: 'failed',
        address: from.address,
        requestId: from.requestId,
        detail: { why },
      });
    }
    return unauthorized();
  };

  const identify = (
    authorization: string,
    from: RequestFrom,
    { mirror, basicOnly = false }: Options,
  ): Caller | Promise<Caller> => {
    const shown = parseAuthorization(authorization);
    if (shown?.scheme === 'basic' && shown.username === '' && shown.password === '')
      return anonymousCaller;
    if (shown === undefined || (basicOnly && shown.scheme === 'bearer')) {
      if (mirror) return anonymousCaller;
      throw shown === undefined
        ? refuse(shown, from, { why: 'malformed', outdated: false })
        : unauthorized();
    }
    const key = keyOf(authorization);
    const waitMs = memory.has(key) ? 0 : throttle.waitMs(from.address, principalOf(shown));
    if (waitMs === 0) return verify(key, shown, from, mirror);
    if (mirror) return anonymousCaller;
    throw new RegistryError('tooManyRequests', 'too many failed logins; wait before the next', {
      retryAfterMs: waitMs,
    });
  };

  return {
    identify: (authorization, from, choice) => {
      if (authorization === undefined) return anonymousCaller;
      if (authorization.length <= authorizationCharactersMax) {
        const known = memory.get(keyOf(authorization));
        if (known !== undefined && known.until > clock.now()) {
          if (choice.basicOnly !== true || known.scheme === 'basic') return known.caller;
        }
      }
      return identify(authorization, from, choice);
    },
    reset: () => {
      age += 1;
      memory.clear();
    },
    [Symbol.asyncDispose]: () => use[Symbol.asyncDispose](),
  };
}

function keyOf(authorization: string): string {
  return hash('sha256', authorization, 'base64');
}

/** Whom guesses are counted against. A JWT can't be guessed, and names nobody that may be believed. */
function principalOf(shown: ShownCredentials): string | undefined {
  const token = idOfToken(shown.scheme === 'basic' ? shown.password : shown.token);
  if (token !== undefined) return `token/${token}`;
  if (shown.scheme === 'bearer' || shown.username === ecrUserName) return undefined;
  return shown.username;
}

/**
 * The user name as it was sent, for the audit, without what does not print; of a bearer nothing but a token's id. A long one may be
 * a secret in the wrong place: its beginning has to do.
 */
function nameOf(shown: ShownCredentials): string {
  const text = shown.scheme === 'basic' ? shown.username : (principalOf(shown) ?? '');
  const short = text.length > shownCharactersMax ? `${text.slice(0, 8)}…` : text;
  return short.replaceAll(/[^\x20-\x7e…]/g, '?');
}

function unauthorized(): RegistryError {
  return new RegistryError('unauthorized', 'the credentials are not known here', {
    detail: { fix: 'use an access key or a token of this server, or none' },
  });
}
