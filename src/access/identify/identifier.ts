import { hash } from 'node:crypto';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { RegistryError } from '../../domain/errors.ts';
import { anonymousCaller } from '../access.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { Caller, Identifier, RequestFrom } from '../access.ts';
import type { ShownCredentials } from './authorization-header.ts';
import { authorizationCharactersMax, parseAuthorization } from './authorization-header.ts';
import { endsLogins } from './checked-credentials.ts';
import type { RefusedCredentials } from './checked-credentials.ts';
import type { CredentialChecks, CredentialChecksOptions } from './credential-checks.ts';
import { areSigned, createCredentialChecks } from './credential-checks.ts';
import type { CredentialUse } from './credential-use.ts';
import type { LoginFailures } from './login-failures.ts';
import { tooManyFailures, unauthorized } from './login-failures.ts';

export interface IdentifierOptions extends CredentialChecksOptions {
  readonly failures: LoginFailures;
  readonly use: CredentialUse;
  readonly invalidations: Pick<Invalidations, 'subscribe'>;
}

/** Under the SHA-256 of its header, so that no secret is kept. */
interface Remembered {
  readonly caller: Caller;
  readonly scheme: ShownCredentials['scheme'];
  /** Of a pair or a named token: the addresses that it was right from. */
  readonly addresses: Set<string> | undefined;
  readonly bytes: number;
}

/** Of their headers; a token's scopes, once parsed, take some four times as much. */
const bytesMax = 8 * 1024 * 1024;
const rememberedMs = 60_000;
const addressesMax = 1000;

type Options = Parameters<Identifier['identify']>[2];

/** Credentials as they come in one request. */
interface Showing {
  /** Under which they are remembered. */
  readonly key: string;
  readonly shown: ShownCredentials;
  readonly from: RequestFrom;
  readonly mirror: boolean;
}

/** Verifies credentials once, and remembers for a minute whom they speak for. */
export class RememberingIdentifier implements Identifier {
  readonly #options: CredentialChecksOptions;
  readonly #checks: CredentialChecks;
  readonly #failures: LoginFailures;
  readonly #use: CredentialUse;
  readonly #memory: TimedMemory<Remembered>;
  /** Counts invalidations, so that what was verified before one is not remembered after it. */
  #age = 0;

  constructor(options: IdentifierOptions) {
    this.#options = options;
    this.#checks = createCredentialChecks(options);
    this.#failures = options.failures;
    this.#use = options.use;
    this.#memory = new TimedMemory(options.clock, { bytesMax, bytesOf: ({ bytes }) => bytes });
    options.invalidations.subscribe((each) => {
      if (!endsLogins(each)) return;
      this.#age += 1;
      this.#memory.clear();
    });
  }

  identify(
    authorization: string | undefined,
    from: RequestFrom,
    options: Options,
  ): Caller | Promise<Caller> {
    if (authorization === undefined) return anonymousCaller;
    return this.#recall(authorization, from, options) ?? this.#read(authorization, from, options);
  }

  /** Who was verified lately. A source that must wait is not answered from memory: that would tell a right secret from a guess. */
  #recall(
    authorization: string,
    from: RequestFrom,
    { basicOnly = false }: Options,
  ): Caller | undefined {
    if (authorization.length > authorizationCharactersMax) return undefined;
    const known = this.#memory.get(keyOf(authorization));
    if (known === undefined) return undefined;
    if (basicOnly && known.scheme !== 'basic') return undefined;
    const { caller, addresses } = known;
    if (addresses === undefined || addresses.has(from.address)) return caller;
    const shown = parseAuthorization(authorization);
    if (shown === undefined || this.#failures.waitMs(shown, from) > 0) return undefined;
    this.#failures.right(shown, from);
    if (addresses.size < addressesMax) addresses.add(from.address);
    return caller;
  }

  #read(
    authorization: string,
    from: RequestFrom,
    { mirror, basicOnly = false }: Options,
  ): Caller | Promise<Caller> {
    const shown = parseAuthorization(authorization);
    if (shown?.scheme === 'basic' && shown.username === '' && shown.password === '')
      return anonymousCaller;
    const refused = shown === undefined || (basicOnly && shown.scheme === 'bearer');
    if (refused && mirror) return anonymousCaller;
    if (shown === undefined)
      throw this.#failures.record(shown, from, { why: 'malformed', kind: 'unknown' });
    if (refused) throw unauthorized();
    const showing = { key: keyOf(authorization), shown, from, mirror };
    const waitMs = this.#failures.waitMs(shown, from);
    return waitMs === 0 ? this.#verify(showing) : this.#verifySigned(showing, waitMs);
  }

  /** Signed tokens are not rate-limited by address: behind a NAT where somebody guesses passwords, others keep working. */
  async #verifySigned(showing: Showing, waitMs: number): Promise<Caller> {
    const { shown, mirror } = showing;
    if ((await unlessDown(mirror, () => areSigned(shown, this.#options))) === true)
      return this.#verify(showing);
    if (mirror) return anonymousCaller;
    throw tooManyFailures(waitMs);
  }

  async #verify(showing: Showing): Promise<Caller> {
    const { shown, from, mirror } = showing;
    const begunAt = this.#age;
    const checked = await unlessDown(mirror, () => this.#checks(shown));
    if (checked === undefined) return anonymousCaller;
    const guessable = 'why' in checked || isGuessable(checked.caller);
    // Asked again: of guesses that are sent at once, those after the tenth are answered alike, whether right or wrong.
    const waitMs = guessable ? this.#failures.waitMs(shown, from) : 0;
    if (waitMs > 0 && mirror) return anonymousCaller;
    if (waitMs > 0) throw tooManyFailures(waitMs);
    if ('why' in checked) return this.#refuse(showing, checked);
    const { caller, used } = checked;
    if (guessable) this.#failures.right(shown, from);
    if (used !== undefined) this.#use.touch(used);
    if (begunAt === this.#age) this.#remember(showing, caller, guessable);
    return caller;
  }

  #refuse({ key, shown, from, mirror }: Showing, refused: RefusedCredentials): Caller {
    this.#memory.forget(key);
    // A node shows a mirror what it has for another registry, which names nothing here; what does is a login, wherever it is sent.
    if (mirror && refused.kind !== 'wrong') return anonymousCaller;
    const error = this.#failures.record(shown, from, refused);
    if (mirror) return anonymousCaller;
    throw error;
  }

  #remember({ key, shown, from }: Showing, caller: Caller, guessable: boolean): void {
    const { clock } = this.#options;
    const forMs = Math.min(rememberedMs, (caller.expiresAt ?? Infinity) - clock.now());
    const addresses = guessable ? new Set([from.address]) : undefined;
    const bytes = 256 + ('token' in shown ? shown.token : shown.password).length;
    this.#memory.set(key, { caller, scheme: shown.scheme, addresses, bytes }, forMs);
  }
}

/** Others are signed: nobody comes to them by guessing. */
function isGuessable({ via }: Caller): boolean {
  return via === 'key' || via === 'token';
}

/** `undefined`: an issuer is down, which is nothing to a mirror. */
async function unlessDown<T>(mirror: boolean, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (mirror && error instanceof RegistryError) return undefined;
    throw error;
  }
}

function keyOf(authorization: string): string {
  return hash('sha256', authorization, 'base64');
}
