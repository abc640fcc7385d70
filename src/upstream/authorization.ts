import { LRUCache } from 'lru-cache';
import type { Credential } from '../domain/pull-rule.ts';
import type { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import { discard } from './body-reading.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { credentialKey } from './credential-key.ts';
import type { Answer } from './exchange.ts';
import { failure } from './failures.ts';
import { credentialFor } from './realm-guard.ts';
import { basic, type Token, type TokenSource } from './token-source.ts';
import type { Hop, Wire } from './wire.ts';

/** Sends to a rule's own origin with what it takes to be let in. */
export interface Authorization {
  /** Answers a challenge once; an answer that is 401 still comes back as it is. `repository` is empty for `/v2/`. */
  send(hop: Hop, repository: string, signal: AbortSignal): Promise<Answer>;
  reset(): void;
}

export interface AuthorizationParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly wire: Wire;
  readonly tokens: TokenSource;
}

type Scheme =
  | { readonly kind: 'basic' }
  | {
      readonly kind: 'bearer';
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    };

interface Grant {
  readonly header: string;
  readonly token: Token | undefined;
}

interface Asker {
  readonly hop: Hop;
  readonly repository: string;
  readonly credential: Credential | undefined;
  readonly credentialKey: string;
  /** Key of what was learnt for this repository. */
  readonly key: string;
  /** Key of what was learnt for the origin. */
  readonly originKey: string;
}

const learntMax = 10_000;
const refusalMs = 30_000;

/**
 * Remembers which challenge an origin puts, so that later requests bring their token along. What was refused although
 * its token was fresh is refused here for 30 s, so that a storm of 401 costs no requests and locks no account.
 */
export function createAuthorization(parts: AuthorizationParts): Authorization {
  const { clock, events, wire, tokens } = parts;
  const schemes = new LRUCache<string, Scheme>({ max: learntMax });
  const refusals = new LRUCache<string, number>({ max: learntMax });

  const grant = async (
    asker: Asker,
    scheme: Scheme,
    refused: Token | undefined,
    signal: AbortSignal,
  ): Promise<Grant> => {
    try {
      return await grantFrom(tokens, asker, scheme, refused, signal);
    } catch (error) {
      // A realm that gives nothing is not asked again unless the registry names it again.
      schemes.delete(asker.key);
      schemes.delete(asker.originKey);
      throw error;
    }
  };
  const learn = (asker: Asker, scheme: Scheme): void => {
    schemes.set(asker.key, scheme);
    if (scheme.kind === 'basic' || scheme.scope === pullScope(asker.repository))
      schemes.set(asker.originKey, scheme);
  };
  const refuse = (asker: Asker, granted: Grant | undefined): void => {
    if (asker.credential !== undefined)
      events.emit({ type: 'authFailed', upstream: asker.hop.origin.url.host });
    if (granted?.token?.accepted !== true) refusals.set(asker.key, clock.elapsed() + refusalMs);
  };

  return {
    async send(hop, repository, signal) {
      const asker = askerOf(hop, repository);
      if ((refusals.get(asker.key) ?? 0) > clock.elapsed()) throw refusedAlready(hop);
      const known = schemes.get(asker.key) ?? predicted(schemes.get(asker.originKey), repository);
      const brought = known && (await grant(asker, known, undefined, signal));
      const answer = await deliver(wire, hop, brought, signal);
      if (answer.status !== 401) return answer;

      const scheme = chooseScheme(
        parseChallenges(answer.headers['www-authenticate']),
        asker.credential,
      );
      if (scheme === undefined || (scheme.kind === 'basic' && known?.kind === 'basic')) {
        refuse(asker, brought);
        return answer;
      }
      discard(answer, clock);
      const granted = await grant(asker, scheme, brought?.token, signal);
      const second = await deliver(wire, hop, granted, signal);
      if (second.status === 401) refuse(asker, granted);
      else learn(asker, scheme);
      return second;
    },
    reset() {
      tokens.reset();
      schemes.clear();
      refusals.clear();
    },
  };
}

async function deliver(
  wire: Wire,
  hop: Hop,
  granted: Grant | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const headers =
    granted === undefined ? hop.headers : { ...hop.headers, authorization: granted.header };
  const answer = await wire.send({ ...hop, headers }, signal);
  if (answer.status !== 401 && granted?.token !== undefined) granted.token.accepted = true;
  return answer;
}

async function grantFrom(
  tokens: TokenSource,
  { credential, credentialKey, hop }: Asker,
  scheme: Scheme,
  refused: Token | undefined,
  signal: AbortSignal,
): Promise<Grant> {
  if (scheme.kind === 'basic') {
    return { header: credential === undefined ? '' : basic(credential), token: undefined };
  }
  const { realm, service, scope } = scheme;
  const request = { origin: hop.origin, realm, service, scope, credential, credentialKey };
  const token = await tokens.get(request, refused, signal);
  return { header: `Bearer ${token.value}`, token };
}

function askerOf(hop: Hop, repository: string): Asker {
  const { rule, url } = hop.origin;
  const credential = credentialFor(rule, url);
  const shownKey = credentialKey(credential);
  const originKey = JSON.stringify([url.origin, rule.prefix, shownKey]);
  return {
    hop,
    repository,
    credential,
    credentialKey: shownKey,
    originKey,
    key: `${originKey} ${repository}`,
  };
}

function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

/** What an origin that asked for the usual scope of one repository will ask for another. */
function predicted(scheme: Scheme | undefined, repository: string): Scheme | undefined {
  if (scheme?.kind !== 'bearer') return scheme;
  return { ...scheme, scope: repository === '' ? undefined : pullScope(repository) };
}

/** Bearer before Basic; Basic only where there is a credential to give. */
function chooseScheme(
  challenges: readonly Challenge[],
  credential: Credential | undefined,
): Scheme | undefined {
  for (const { scheme, parameters } of challenges) {
    const realm = parameters.get('realm');
    if (scheme === 'bearer' && realm !== undefined) {
      return {
        kind: 'bearer',
        realm,
        service: parameters.get('service'),
        scope: parameters.get('scope'),
      };
    }
  }
  const basicAsked =
    credential !== undefined && challenges.some(({ scheme }) => scheme === 'basic');
  return basicAsked ? { kind: 'basic' } : undefined;
}

function refusedAlready(hop: Hop): UpstreamFailure {
  const upstream = hop.origin.url.host;
  return failure(`${upstream}: refused a moment ago`, 'denied', 'status', upstream, {
    status: 401,
  });
}
