import { sourceOf } from '../../domain/names/client-source.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Audit, RequestFrom } from '../access.ts';
import type { ShownCredentials } from './authorization-header.ts';
import type { RefusedCredentials } from './checked-credentials.ts';
import { ecrUserName } from './own-tokens.ts';
import { createLoginHistory } from './login-history.ts';
import { createLoginThrottle } from './login-throttle.ts';
import { idOfToken } from '../secrets/named-token.ts';

/** What becomes of credentials that are not right: slower answers and entries of the audit. */
export interface LoginFailures {
  /** How long this source must wait before it tries that principal; 0: it may. What was right from it within a day need not wait. */
  waitMs(shown: ShownCredentials, from: RequestFrom): number;
  /** They were right, and are let through from this source from now on. */
  right(shown: ShownCredentials, from: RequestFrom): void;
  /**
   * Records, and counts what is a guess: not what was once right, nor what was refused before. Answers the error to throw.
   * `shown` undefined: a header that holds nothing that is known, and so guesses at nothing.
   */
  record(
    shown: ShownCredentials | undefined,
    from: RequestFrom,
    refused: RefusedCredentials,
  ): RegistryError;
}

const shownCharactersMax = 32;

export function createLoginFailures(options: {
  readonly clock: Clock;
  readonly audit: Audit;
  readonly home: RegistryKey;
}): LoginFailures {
  const { audit, home } = options;
  const throttle = createLoginThrottle(options.clock);
  const history = createLoginHistory(options.clock);
  return {
    waitMs: (shown, from) => {
      const wait = throttle.waitMs(from.address, principalOf(shown));
      return wait > 0 && history.wasRight(shown, sourceOf(from.address)) ? 0 : wait;
    },
    right: (shown, from) => history.right(shown, sourceOf(from.address)),
    record: (shown, from, { why, kind }) => {
      const outdated = kind === 'outdated';
      const fresh = shown !== undefined && history.refused(shown);
      if (fresh && !outdated) throttle.failed(from.address, principalOf(shown));
      // Clients show a bearer token until it is refused, and get themselves another.
      if (!outdated || shown?.scheme === 'basic') {
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
    },
  };
}

export function tooManyFailures(retryAfterMs: number): RegistryError {
  return new RegistryError('tooManyRequests', 'too many failed logins; wait before the next', {
    retryAfterMs,
  });
}

export function unauthorized(): RegistryError {
  return new RegistryError('unauthorized', 'the credentials are not known here', {
    detail: { fix: 'use an access key or a token of this server, or none' },
  });
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
