import { hash } from 'node:crypto';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { anonymousCaller } from '../access.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { Audit, Caller, Identifier, RequestFrom } from '../access.ts';
import type { ShownCredentials } from './authorization-header.ts';
import { authorizationCharactersMax, parseAuthorization } from './authorization-header.ts';
import type { CredentialChecksOptions } from './credential-checks.ts';
import { areSigned, createCredentialChecks } from './credential-checks.ts';
import { createCredentialUse } from './credential-use.ts';
import { createLoginFailures, tooManyFailures, unauthorized } from './login-failures.ts';

export interface IdentifierOptions extends Omit<CredentialChecksOptions, 'homeAccount'> {
  readonly home: RegistryKey;
  readonly audit: Audit;
  readonly invalidations: Pick<Invalidations, 'subscribe'>;
}

/** Disposing writes when credentials were last used. */
export interface OpenIdentifier extends Identifier, AsyncDisposable {}

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

export function createIdentifier(options: IdentifierOptions): OpenIdentifier {
  const { clock } = options;
  const checksOptions = { ...options, homeAccount: registryOf(options.home).account };
  const checks = createCredentialChecks(checksOptions);
  const failures = createLoginFailures(options);
  const use = createCredentialUse(options.metadata, clock);
  const memory = new TimedMemory<Remembered>(clock, { bytesMax, bytesOf: ({ bytes }) => bytes });
  let age = 0;
  options.invalidations.subscribe(({ kind }) => {
    if (kind === 'repository' || kind === 'policies') return;
    age += 1;
    memory.clear();
  });

  const verify = async (
    key: string,
    shown: ShownCredentials,
    from: RequestFrom,
    mirror: boolean,
  ): Promise<Caller> => {
    const begunAt = age;
    const checked = await unlessDown(mirror, () => checks(shown));
    if (checked === undefined) return anonymousCaller;
    const guessable = 'why' in checked || isGuessable(checked.caller);
    // Asked again: of guesses that are sent at once, what comes after the tenth says nothing, whether right or wrong.
    const waitMs = guessable ? failures.waitMs(shown, from) : 0;
    if (waitMs > 0 && mirror) return anonymousCaller;
    if (waitMs > 0) throw tooManyFailures(waitMs);
    if ('why' in checked) {
      memory.forget(key);
      // What a node holds for another registry names nothing of here; what does is a login, wherever it is sent.
      if (mirror && checked.kind !== 'wrong') return anonymousCaller;
      const error = failures.record(shown, from, checked);
      if (mirror) return anonymousCaller;
      throw error;
    }
    const { caller, used } = checked;
    if (guessable) failures.right(shown, from);
    if (used !== undefined) use.touch(used);
    const forMs = Math.min(rememberedMs, (caller.expiresAt ?? Infinity) - clock.now());
    const addresses = guessable ? new Set([from.address]) : undefined;
    const bytes = 256 + ('token' in shown ? shown.token : shown.password).length;
    const { scheme } = shown;
    if (begunAt === age) memory.set(key, { caller, scheme, addresses, bytes }, forMs);
    return caller;
  };

  /** A signature is no guess: the innocent behind an address that guesses go on with the tokens that they get. */
  const verifySigned = async (
    waitMs: number,
    ...given: Parameters<typeof verify>
  ): Promise<Caller> => {
    const [, shown, , mirror] = given;
    if ((await unlessDown(mirror, () => areSigned(shown, checksOptions))) === true)
      return await verify(...given);
    if (mirror) return anonymousCaller;
    throw tooManyFailures(waitMs);
  };

  const identify = (
    authorization: string,
    from: RequestFrom,
    { mirror, basicOnly = false }: Options,
  ): Caller | Promise<Caller> => {
    const shown = parseAuthorization(authorization);
    if (shown?.scheme === 'basic' && shown.username === '' && shown.password === '')
      return anonymousCaller;
    const refused = shown === undefined || (basicOnly && shown.scheme === 'bearer');
    if (refused && mirror) return anonymousCaller;
    if (shown === undefined)
      throw failures.record(shown, from, { why: 'malformed', kind: 'unknown' });
    if (refused) throw unauthorized();
    const key = keyOf(authorization);
    const waitMs = failures.waitMs(shown, from);
    return waitMs === 0
      ? verify(key, shown, from, mirror)
      : verifySigned(waitMs, key, shown, from, mirror);
  };

  /** Who was verified lately. What must wait is not told from a guess by being known. */
  const recall = (
    authorization: string,
    from: RequestFrom,
    { basicOnly = false }: Options,
  ): Caller | undefined => {
    if (authorization.length > authorizationCharactersMax) return undefined;
    const known = memory.get(keyOf(authorization));
    if (known === undefined) return undefined;
    if (basicOnly && known.scheme !== 'basic') return undefined;
    const { caller, addresses } = known;
    if (addresses === undefined || addresses.has(from.address)) return caller;
    const shown = parseAuthorization(authorization);
    if (shown === undefined || failures.waitMs(shown, from) > 0) return undefined;
    failures.right(shown, from);
    if (addresses.size < addressesMax) addresses.add(from.address);
    return caller;
  };

  return {
    identify: (authorization, from, choice) => {
      if (authorization === undefined) return anonymousCaller;
      return recall(authorization, from, choice) ?? identify(authorization, from, choice);
    },
    [Symbol.asyncDispose]: () => use[Symbol.asyncDispose](),
  };
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
