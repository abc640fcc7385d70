import { LRUCache } from 'lru-cache';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Credential, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { failure, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import { discard } from '../wire/body-reading.ts';
import type { Answer } from '../wire/exchange.ts';
import { credentialFor, credentialKey } from '../credentials.ts';
import { type Scheme, schemeKey, schemesOf, scopeOf } from './schemes.ts';
import { basic } from './token-request.ts';
import type { Token, TokenSource } from './token-source.ts';
import type { Hop, Wire } from '../wire/wire.ts';

/** Sends to a registry with what it takes to be let in. */
export interface Authorization {
  /**
   * Answers challenges; an answer that is 401 or 403 nevertheless comes back as it is. `own`: the hop is of the rule's own
   * origin, the only one that gets the credential; others are answered anonymously. `repository` is empty for `/v2/`.
   */
  send(hop: Hop, repository: string, own: boolean, signal: AbortSignal): Promise<Answer>;
  reset(): void;
}

export interface AuthorizationParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly wire: Wire;
  readonly tokens: TokenSource;
}

function charactersOf(scheme: Scheme): number {
  if (scheme.kind === 'basic') return 0;
  const { realm, service = '', scopes } = scheme;
  return realm.length + service.length + scopes.length;
}

interface Grant {
  readonly scheme: Scheme;
  readonly header: string;
  readonly token: Token | undefined;
  /** Whether the token had been taken for an earlier request: refused now, it has been withdrawn. */
  readonly wasGood: boolean;
}

interface Asker {
  readonly hop: Hop;
  readonly repository: string;
  readonly own: boolean;
  /** The registry that challenges. */
  readonly registry: UpstreamUrl;
  readonly credential: Credential | undefined;
  readonly credentialKey: string;
  /** Key of what was learnt for this repository. */
  readonly key: string;
  /** Key of what was learnt for the origin. */
  readonly originKey: string;
}

const learntMax = 10_000;
/** Challenges are as long as an upstream makes them. */
const learntCharactersMax = 8 * 1024 * 1024;
const refusalMs = 30_000;
/** Ways tried for one request after the one that it brought along. */
const attemptsMax = 3;

/**
 * Remembers which challenge an origin puts, so that later requests bring their token along. What was refused although
 * its token was fresh is refused here for 30 s, so that a storm of 401 costs no requests and locks no account.
 */
export function createAuthorization(parts: AuthorizationParts): Authorization {
  const { clock } = parts;
  const schemes = new LRUCache<string, Scheme>({
    maxSize: learntCharactersMax,
    sizeCalculation: (scheme, key) => 256 + key.length + charactersOf(scheme),
  });
  const refusals = new TimedMemory<true>(clock, { entriesMax: learntMax });
  const renewals = new TimedMemory<true>(clock, { entriesMax: learntMax });
  const memory: Memory = { schemes, refusals, renewals };

  return {
    async send(hop, repository, own, signal) {
      const asker = askerOf(hop, repository, own);
      if (refusals.get(asker.key) === true) throw refusedAlready(hop);
      const known = schemes.get(asker.key) ?? schemes.get(asker.originKey);
      const brought = known && (await bring(parts, memory, asker, known, signal));
      const answer = await deliver(parts.wire, hop, brought, signal);
      if (answer.status !== 401 && answer.status !== 403) return answer;
      const tried = new Set<string>();
      return await convince({ parts, memory, asker, tried, signal }, answer, brought);
    },
    reset() {
      parts.tokens.reset();
      schemes.clear();
      refusals.clear();
      renewals.clear();
    },
  };
}

interface Memory {
  readonly schemes: LRUCache<string, Scheme>;
  /** What is refused, and not asked for again meanwhile. */
  readonly refusals: TimedMemory<true>;
  /** Where a new token was refused by 403 like the one before: it is not renewed again meanwhile. */
  readonly renewals: TimedMemory<true>;
}

async function bring(
  parts: AuthorizationParts,
  { schemes }: Memory,
  asker: Asker,
  known: Scheme,
  signal: AbortSignal,
): Promise<Grant | undefined> {
  try {
    return await grant(parts, asker, known, undefined, signal);
  } catch (error) {
    // A realm that gives nothing is not asked again unless the registry names it again.
    schemes.delete(asker.key);
    schemes.delete(asker.originKey);
    if (!asker.own && error instanceof UpstreamFailure) return undefined;
    throw error;
  }
}

/** One request that was refused. */
interface Refused {
  readonly parts: AuthorizationParts;
  readonly memory: Memory;
  readonly asker: Asker;
  /** Keys of the schemes that are not tried again. */
  readonly tried: Set<string>;
  readonly signal: AbortSignal;
}

/** Tries the ways that are left until one is let in; the last answer where none is. */
async function convince(
  refused: Refused,
  first: Answer,
  brought: Grant | undefined,
): Promise<Answer> {
  const { parts, memory, asker, tried, signal } = refused;
  const { clock, wire } = parts;
  if (brought !== undefined && !brought.wasGood) tried.add(schemeKey(brought.scheme));
  let answer = first;
  let last = brought;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const granted = await firstGrant(refused, answer, last);
    if (granted === undefined) break;
    const renews = answer.status === 403;
    discard(answer, clock);
    answer = await deliver(wire, asker.hop, granted, signal);
    last = granted;
    if (renews && answer.status === 403) memory.renewals.set(asker.key, true, refusalMs);
    if (answer.status !== 401) {
      learn(memory, asker, granted.scheme);
      return answer;
    }
  }
  if (answer.status === 401) refuse(parts, memory, asker, last);
  return answer;
}

/**
 * What may be tried after a refusal: the same way with a new token where the old one had been good, then what the challenge
 * offers. A 403 is a no for good, unless it refuses a token that had been good.
 */
function waysOn(
  { asker, memory, tried }: Refused,
  answer: Answer,
  last: Grant | undefined,
): readonly Scheme[] {
  const withdrawn = last?.token !== undefined && last.wasGood ? [last.scheme] : [];
  if (answer.status === 403) {
    return memory.renewals.get(asker.key) === true ? [] : withdrawn;
  }
  const { repository, credential } = asker;
  const header = answer.headers['www-authenticate'];
  const offered = schemesOf(header, repository, credential !== undefined);
  // Harbor answers a token that it no longer takes by Basic alone.
  const all = offered.some(({ kind }) => kind === 'bearer') ? offered : [...withdrawn, ...offered];
  return all.filter((way) => !tried.has(schemeKey(way)));
}

/** The first of the ways that a token is had for. Throws the first failure where there is none and nothing else to say. */
async function firstGrant(
  refused: Refused,
  answer: Answer,
  last: Grant | undefined,
): Promise<Grant | undefined> {
  const { parts, memory, asker, tried, signal } = refused;
  let failed: UpstreamFailure | undefined;
  for (const way of waysOn(refused, answer, last)) {
    tried.add(schemeKey(way));
    try {
      return await grant(parts, asker, way, last?.token, signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || signal.aborted) throw error;
      failed ??= error;
      if (isFinal(error, asker)) break;
    }
  }
  if (failed === undefined) return undefined;
  memory.schemes.delete(asker.key);
  memory.schemes.delete(asker.originKey);
  // Behind a redirect, and after a 403, the answer itself says more than a token service that gives nothing.
  if (!asker.own || answer.status === 403) return undefined;
  discard(answer, parts.clock);
  throw failed;
}

/** A refused login is not repeated in another form: it would lock the account. A limit is kept. */
function isFinal(error: UpstreamFailure, { credential }: Asker): boolean {
  if (error.kind === 'rateLimited') return true;
  return error.reason === 'tokenRefused' && error.status === 401 && credential !== undefined;
}

async function grant(
  { tokens }: AuthorizationParts,
  { credential, credentialKey: key, hop, registry, own, repository }: Asker,
  scheme: Scheme,
  refused: Token | undefined,
  signal: AbortSignal,
): Promise<Grant> {
  if (scheme.kind === 'basic') {
    const header = credential === undefined ? '' : basic(credential);
    return { scheme, header, token: undefined, wasGood: false };
  }
  const { realm, service, scopes } = scheme;
  const scope = scopeOf(scopes, repository);
  const request = { origin: hop.origin, registry, own, realm, service, scope };
  const token = await tokens.get({ ...request, credential, credentialKey: key }, refused, signal);
  return { scheme, header: `Bearer ${token.value}`, token, wasGood: token.accepted };
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
  const { status } = answer;
  if (status !== 401 && status !== 403 && granted?.token !== undefined)
    granted.token.accepted = true;
  return answer;
}

function learn({ schemes }: Memory, asker: Asker, scheme: Scheme): void {
  schemes.set(asker.key, scheme);
  // What one repository needed beside its own scope says nothing of another.
  if (scheme.kind === 'basic' || scheme.scopes === '') schemes.set(asker.originKey, scheme);
}

function refuse(
  { events }: AuthorizationParts,
  { refusals }: Memory,
  asker: Asker,
  granted: Grant | undefined,
): void {
  if (asker.credential !== undefined)
    events.emit({ type: 'authFailed', upstream: asker.hop.origin.url.host });
  // Behind a redirect the way itself may be what is refused, as with a signature that ran out.
  if (asker.own && granted?.token?.accepted !== true) refusals.set(asker.key, true, refusalMs);
}

function askerOf(hop: Hop, repository: string, own: boolean): Asker {
  const { rule, url } = hop.origin;
  const credential = own ? credentialFor(rule, url) : undefined;
  const { origin, host, protocol } = hop.url;
  const registry = own ? url : { origin, host, plain: protocol === 'http:' };
  const shown = credentialKey(credential);
  const originKey = JSON.stringify([registry.origin, rule.prefix, own, shown]);
  const key = `${originKey} ${repository}`;
  return { hop, repository, own, registry, credential, credentialKey: shown, originKey, key };
}

function refusedAlready(hop: Hop): UpstreamFailure {
  const upstream = hop.origin.url.host;
  return failure(`${upstream}: refused a moment ago`, 'denied', 'status', upstream, {
    status: 401,
  });
}
