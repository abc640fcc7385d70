import { LRUCache } from 'lru-cache';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Credential, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { ruleName } from '../../domain/rules/rule-identity.ts';
import { failure, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import { credentialFor, credentialKey } from '../credentials.ts';
import { discard } from '../wire/body-reading.ts';
import type { Answer } from '../wire/exchange.ts';
import type { Hop, Wire } from '../wire/wire.ts';
import type { Scheme } from './schemes.ts';
import { schemeKey, schemesOf, scopeOf } from './schemes.ts';
import { ecrPlaceOf, ecrRealm } from './ecr-password.ts';
import { basic } from './token-request.ts';
import type { Token, TokenSource } from './token-source.ts';

export interface AuthorizationParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly wire: Wire;
  readonly tokens: TokenSource;
}

interface Grant {
  readonly scheme: Scheme;
  readonly header: string;
  readonly token: Token | undefined;
  /** Whether the token had been taken for an earlier request: refused now, it has been withdrawn. */
  readonly wasGood: boolean;
}

/** One request, and who asks with it. */
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
  /** Keys of the schemes that are not tried again for this request. */
  readonly tried: Set<string>;
}

const learntMax = 10_000;
/** Challenges are as long as an upstream makes them. */
const learntCharactersMax = 8 * 1024 * 1024;
const refusalMs = 30_000;
/** Ways tried for one request after the one that it brought along. */
const attemptsMax = 3;

/**
 * Sends to a registry with what it takes to be let in. Remembers which challenge an origin puts, so that later requests bring
 * their token along. What was refused although its token was fresh is refused here for 30 s, so that a storm of 401 costs no
 * requests and locks no account.
 */
export class Authorization {
  readonly #parts: AuthorizationParts;
  readonly #schemes = new LRUCache<string, Scheme>({
    maxSize: learntCharactersMax,
    sizeCalculation: (scheme, key) => 256 + key.length + charactersOf(scheme),
  });
  /** What is refused, and not asked for again meanwhile. */
  readonly #refusals: TimedMemory<true>;
  /** Where a new token was refused by 403 like the one before: it is not renewed again meanwhile. */
  readonly #renewals: TimedMemory<true>;

  constructor(parts: AuthorizationParts) {
    this.#parts = parts;
    this.#refusals = new TimedMemory(parts.clock, { entriesMax: learntMax });
    this.#renewals = new TimedMemory(parts.clock, { entriesMax: learntMax });
  }

  /**
   * Answers challenges; an answer that is 401 or 403 nevertheless comes back as it is. `own`: the hop is of the rule's own
   * origin, the only one that gets the credential; others are answered anonymously. `repository` is empty for `/v2/`.
   */
  async send(hop: Hop, repository: string, own: boolean, signal: AbortSignal): Promise<Answer> {
    const asker = askerOf(hop, repository, own);
    if (this.#refusals.get(asker.key) === true) throw refusedAlready(hop);
    const known = this.#schemes.get(asker.key) ?? this.#schemes.get(asker.originKey);
    const brought = known && (await this.#bring(asker, known, signal));
    const answer = await this.#deliver(hop, brought, signal);
    if (answer.status !== 401 && answer.status !== 403) return answer;
    return await this.#convince(asker, answer, brought, signal);
  }

  reset(): void {
    this.#parts.tokens.reset();
    this.#schemes.clear();
    this.#refusals.clear();
    this.#renewals.clear();
  }

  async #bring(asker: Asker, known: Scheme, signal: AbortSignal): Promise<Grant | undefined> {
    try {
      return await this.#grant(asker, known, undefined, signal);
    } catch (error) {
      // A realm that gives nothing is not asked again unless the registry names it again.
      this.#unlearn(asker);
      if (!asker.own && error instanceof UpstreamFailure) return undefined;
      throw error;
    }
  }

  /** Tries the ways that are left until one is let in; the last answer where none is. */
  async #convince(
    asker: Asker,
    first: Answer,
    brought: Grant | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    if (brought !== undefined && !brought.wasGood) asker.tried.add(schemeKey(brought.scheme));
    let answer = first;
    let last = brought;
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const granted = await this.#firstGrant(asker, answer, last, signal);
      if (granted === undefined) break;
      const renews = answer.status === 403;
      discard(answer, this.#parts.clock);
      answer = await this.#deliver(asker.hop, granted, signal);
      last = granted;
      if (renews && answer.status === 403) this.#renewals.set(asker.key, true, refusalMs);
      if (answer.status !== 401) {
        this.#learn(asker, granted.scheme);
        return answer;
      }
    }
    if (answer.status === 401) this.#refuse(asker, last);
    return answer;
  }

  /** The first of the ways that a token is had for. Throws the first failure where there is none and nothing else to say. */
  async #firstGrant(
    asker: Asker,
    answer: Answer,
    last: Grant | undefined,
    signal: AbortSignal,
  ): Promise<Grant | undefined> {
    let failed: UpstreamFailure | undefined;
    for (const way of this.#waysOn(asker, answer, last)) {
      asker.tried.add(schemeKey(way));
      try {
        return await this.#grant(asker, way, last?.token, signal);
      } catch (error) {
        if (!(error instanceof UpstreamFailure) || signal.aborted) throw error;
        failed ??= error;
        if (isFinal(error, asker)) break;
      }
    }
    if (failed === undefined) return undefined;
    this.#unlearn(asker);
    // Behind a redirect, and after a 403, the answer itself says more than a token service that gives nothing.
    if (!asker.own || answer.status === 403) return undefined;
    discard(answer, this.#parts.clock);
    throw failed;
  }

  /**
   * What may be tried after a refusal: the same way with a new token where the old one had been good, then what the challenge
   * offers. A 403 is a no for good, unless it refuses a token that had been good.
   */
  #waysOn(
    { repository, credential, key, tried }: Asker,
    answer: Answer,
    last: Grant | undefined,
  ): readonly Scheme[] {
    const withdrawn = last?.token !== undefined && last.wasGood ? [last.scheme] : [];
    if (answer.status === 403) return this.#renewals.get(key) === true ? [] : withdrawn;
    const header = answer.headers['www-authenticate'];
    const offered = schemesOf(header, repository, credential !== undefined);
    // Harbor answers a token that it no longer takes by Basic alone.
    const all = offered.some(({ kind }) => kind === 'bearer')
      ? offered
      : [...withdrawn, ...offered];
    return all.filter((way) => !tried.has(schemeKey(way)));
  }

  async #grant(
    { credential, credentialKey: shown, hop, registry, own, repository }: Asker,
    scheme: Scheme,
    refused: Token | undefined,
    signal: AbortSignal,
  ): Promise<Grant> {
    if (scheme.kind === 'basic' && own && ecrPlaceOf(registry, credential) !== undefined) {
      const { origin } = hop;
      const asked = { origin, registry, own, realm: ecrRealm, service: origin.rule.role };
      const request = { ...asked, scope: undefined, credential, credentialKey: shown };
      const token = await this.#parts.tokens.get(request, refused, signal);
      const header = basic({ username: 'AWS', accessToken: token.value });
      return { scheme, header, token, wasGood: token.accepted };
    }
    if (scheme.kind === 'basic') {
      const header = credential === undefined ? '' : basic(credential);
      return { scheme, header, token: undefined, wasGood: false };
    }
    const { realm, service, scopes } = scheme;
    const scope = scopeOf(scopes, repository);
    const { origin } = hop;
    const request = {
      origin,
      registry,
      own,
      realm,
      service,
      scope,
      credential,
      credentialKey: shown,
    };
    const token = await this.#parts.tokens.get(request, refused, signal);
    return { scheme, header: `Bearer ${token.value}`, token, wasGood: token.accepted };
  }

  async #deliver(hop: Hop, granted: Grant | undefined, signal: AbortSignal): Promise<Answer> {
    const headers =
      granted === undefined ? hop.headers : { ...hop.headers, authorization: granted.header };
    const answer = await this.#parts.wire.send({ ...hop, headers }, signal);
    const { status } = answer;
    if (status !== 401 && status !== 403 && granted?.token !== undefined)
      granted.token.accepted = true;
    return answer;
  }

  #learn(asker: Asker, scheme: Scheme): void {
    this.#schemes.set(asker.key, scheme);
    // What one repository needed beside its own scope says nothing of another.
    if (scheme.kind === 'basic' || scheme.scopes === '') this.#schemes.set(asker.originKey, scheme);
  }

  #unlearn(asker: Asker): void {
    this.#schemes.delete(asker.key);
    this.#schemes.delete(asker.originKey);
  }

  #refuse({ credential, hop, own, key }: Asker, granted: Grant | undefined): void {
    if (credential !== undefined)
      this.#parts.events.emit({ type: 'authFailed', upstream: hop.origin.url.host });
    // Behind a redirect the way itself may be what is refused, as with a signature that ran out.
    if (own && granted?.token?.accepted !== true) this.#refusals.set(key, true, refusalMs);
  }
}

function charactersOf(scheme: Scheme): number {
  if (scheme.kind === 'basic') return 0;
  const { realm, service = '', scopes } = scheme;
  return realm.length + service.length + scopes.length;
}

/** A refused login is not repeated in another form: it would lock the account. A limit is kept. */
function isFinal(error: UpstreamFailure, { credential }: Asker): boolean {
  if (error.kind === 'rateLimited') return true;
  return error.reason === 'tokenRefused' && error.status === 401 && credential !== undefined;
}

function askerOf(hop: Hop, repository: string, own: boolean): Asker {
  const { rule, url } = hop.origin;
  const credential = own ? credentialFor(rule, url) : undefined;
  const { origin, host, protocol } = hop.url;
  const registry = own ? url : { origin, host, plain: protocol === 'http:' };
  const shown = credentialKey(credential);
  const originKey = JSON.stringify([registry.origin, ruleName(rule), own, shown, rule.role]);
  const key = `${originKey} ${repository}`;
  const tried = new Set<string>();
  return {
    hop,
    repository,
    own,
    registry,
    credential,
    credentialKey: shown,
    originKey,
    key,
    tried,
  };
}

function refusedAlready(hop: Hop): UpstreamFailure {
  const upstream = hop.origin.url.host;
  return failure(`${upstream}: refused a moment ago`, 'denied', 'status', upstream, {
    status: 401,
  });
}
