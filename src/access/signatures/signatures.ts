import { hash, timingSafeEqual } from 'node:crypto';
import { ReadMemory } from '../../coordination/read-memory.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { Caller, RequestFrom, SignedIdentity, SignedRequest, Signatures } from '../access.ts';
import type { AccessKeysOptions } from '../identify/access-keys.ts';
import { findKey } from '../identify/access-keys.ts';
import type { ShownCredentials } from '../identify/authorization-header.ts';
import type {
  CheckedCredentials,
  RefusedCredentials,
  UsedCredential,
} from '../identify/checked-credentials.ts';
import { endsLogins, expiredKey, outdated, unknown } from '../identify/checked-credentials.ts';
import type { CredentialUse } from '../identify/credential-use.ts';
import { callerOfSession } from '../identify/session-callers.ts';
import { openSessionToken } from '../secrets/temporary-key.ts';
import type { LoginFailures } from '../identify/login-failures.ts';
import { tooManyFailures } from '../identify/login-failures.ts';
import { requireTimely, scopeText } from './credential-scope.ts';
import { readSignature } from './presented-signature.ts';
import type { PresentedSignature } from './presented-signature.ts';
import { algorithm } from './signature-parts.ts';
import { SignatureRefused, wrong } from './signature-refused.ts';
import { createSigningKeys, hmac } from './signing-keys.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface SignaturesOptions extends AccessKeysOptions {
  readonly failures: LoginFailures;
  readonly use: CredentialUse;
  readonly invalidations: Pick<Invalidations, 'subscribe'>;
}

/** A key that was in force when it was read. */
interface KnownKey {
  /** The secret is its password: what is right as a pair is right as a signature. */
  readonly pair: Extract<ShownCredentials, { readonly scheme: 'basic' }>;
  readonly caller: Caller;
  readonly account: string;
  readonly used: UsedCredential | undefined;
  /** Those that it was right from. */
  readonly addresses: Set<string>;
}

type LookedUp = KnownKey | RefusedCredentials;

interface Parts {
  readonly options: SignaturesOptions;
  readonly keys: ReadMemory<LookedUp>;
  /** By key and session token. */
  readonly sessions: ReadMemory<LookedUp>;
  readonly signingKeys: SigningKeys;
}

const keysMax = 10_000;
/** A token has some 700 characters, with a policy and labels up to 7,000. */
const sessionsMax = 2000;
const rememberedMs = 60_000;
const addressesMax = 1000;

const problemTexts = {
  unknownKey: 'The security token included in the request is invalid.',
  expiredKey: 'The security token included in the request is expired',
} as const;

/** Verifies signatures with the keys that `identify/` knows, and counts what is wrong beside its failed logins. */
export function createSignatures(options: SignaturesOptions): Signatures {
  const { clock, invalidations } = options;
  const keys = new ReadMemory<LookedUp>(clock, {
    bound: { entriesMax: keysMax },
    believeMs: rememberedMs,
    read: (id) => readKey(id, options),
    keeps: (_, looked) => !('why' in looked),
  });
  const sessions = new ReadMemory<LookedUp>(clock, {
    bound: { entriesMax: sessionsMax },
    believeMs: rememberedMs,
    read: (shown) => {
      const [id = '', token = ''] = shown.split(' ');
      return readSession(id, token, options);
    },
    keeps: (_, looked) => !('why' in looked),
  });
  const parts: Parts = { options, keys, sessions, signingKeys: createSigningKeys(clock) };
  invalidations.subscribe((each) => {
    if (!endsLogins(each)) return;
    keys.clear();
    sessions.clear();
    parts.signingKeys.clear();
  });
  return {
    begin: (request, from) => {
      const presented = present(parts, request, from);
      const { accessKeyId, presigned, scope } = presented;
      const { region, service } = scope;
      const claimOf = (looked: LookedUp): ReturnType<Signatures['begin']> => {
        admit(parts, presented, looked, from);
        const verify = (sha256: Buffer): Promise<SignedIdentity> =>
          verifySignature(parts, presented, sha256, from);
        return { accessKeyId, region, service, presigned, verify };
      };
      const looked = lookUp(parts, presented);
      return looked instanceof Promise ? looked.then(claimOf) : claimOf(looked);
    },
  };
}

async function readKey(id: string, options: SignaturesOptions): Promise<LookedUp> {
  const found = await findKey(id, options);
  if ('why' in found) return found;
  const checked = await found.speaksFor();
  return 'why' in checked ? checked : knownKey(id, found.secret, checked);
}

function knownKey(
  id: string,
  secret: string,
  { caller, used }: Exclude<CheckedCredentials, RefusedCredentials>,
): LookedUp {
  if (caller.principal.kind === 'anonymous') return outdated('no such principal');
  return {
    pair: { scheme: 'basic', username: id, password: secret },
    caller,
    account: caller.principal.account,
    used,
    addresses: new Set(),
  };
}

/** Temporary keys are known by their session token, which is theirs alone. */
async function readSession(
  accessKeyId: string,
  token: string,
  options: SignaturesOptions,
): Promise<LookedUp> {
  const content = openSessionToken(options.keys, accessKeyId, token);
  if (content === undefined) return unknown('unknown session token');
  const checked = await callerOfSession(accessKeyId, content, options);
  return 'why' in checked ? checked : knownKey(accessKeyId, content.secret, checked);
}

function lookUp(
  { keys, sessions }: Parts,
  { accessKeyId, sessionToken }: PresentedSignature,
): LookedUp | Promise<LookedUp> {
  return sessionToken === undefined
    ? keys.get(accessKeyId)
    : sessions.get(`${accessKeyId} ${sessionToken}`);
}

/** What a request shows, where its form and its time are right. */
function present(
  { options: { clock, failures } }: Parts,
  request: SignedRequest,
  from: RequestFrom,
): PresentedSignature {
  let presented: PresentedSignature | undefined;
  try {
    presented = readSignature(request);
    requireTimely(presented.time, clock.now(), presented.expiresMs);
    return presented;
  } catch (error) {
    if (!(error instanceof SignatureRefused) || error.problem === 'missing') throw error;
    // What can't be read guesses at nothing, and names nobody.
    if (presented === undefined) failures.record(undefined, from, unknown(error.message));
    else failures.record(shownAs(presented.accessKeyId, ''), from, outdated(error.message));
    throw error;
  }
}

/** The key, where it is in force and this source may try it. */
function admit(
  { options: { clock, failures } }: Parts,
  { accessKeyId }: PresentedSignature,
  looked: LookedUp,
  from: RequestFrom,
): KnownKey {
  const known = inForce(looked, clock.now());
  const shown = 'why' in known ? shownAs(accessKeyId, '') : known.pair;
  requireNoWait(failures, shown, from);
  if (!('why' in known)) return known;
  failures.record(shown, from, known);
  const problem = known === expiredKey ? 'expiredKey' : 'unknownKey';
  throw new SignatureRefused(problem, problemTexts[problem]);
}

function inForce(looked: LookedUp, now: number): LookedUp {
  if ('why' in looked) return looked;
  const { expiresAt } = looked.caller;
  return expiresAt !== undefined && expiresAt <= now ? expiredKey : looked;
}

/** Looks the key up anew: it may have ended while the body came. */
async function verifySignature(
  parts: Parts,
  presented: PresentedSignature,
  bodySha256: Buffer,
  from: RequestFrom,
): Promise<SignedIdentity> {
  const { failures, use } = parts.options;
  const { accessKeyId, scope } = presented;
  const looked = lookUp(parts, presented);
  const key = admit(parts, presented, looked instanceof Promise ? await looked : looked, from);
  const bodyHex = bodySha256.toString('hex');
  if (presented.contentSha256 !== undefined && presented.contentSha256 !== bodyHex) {
    const text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    failures.record(shownAs(accessKeyId, ''), from, outdated(text));
    throw wrong(text);
  }
  if (!isRight(parts.signingKeys, presented, key.pair.password, bodyHex)) {
    // The same signature again is the same guess.
    const shown = shownAs(accessKeyId, presented.signature);
    requireNoWait(failures, shown, from);
    failures.record(shown, from, { why: 'wrong signature', kind: 'wrong' });
    throw wrong();
  }
  if (!key.addresses.has(from.address)) {
    failures.right(key.pair, from);
    if (key.used !== undefined) use.touch(key.used);
    if (key.addresses.size < addressesMax) key.addresses.add(from.address);
  }
  const { region, service } = scope;
  return { caller: key.caller, account: key.account, accessKeyId, region, service };
}

function isRight(
  signingKeys: SigningKeys,
  { accessKeyId, scope, time, signature, canonicalHead }: PresentedSignature,
  secret: string,
  bodyHex: string,
): boolean {
  const signingKey = signingKeys.of(accessKeyId, secret, scope);
  const canonical = hash('sha256', Buffer.from(canonicalHead + bodyHex, 'latin1'), 'hex');
  const signed = `${algorithm}\n${time.text}\n${scopeText(scope)}\n${canonical}`;
  const right = timingSafeEqual(hmac(signingKey, signed), Buffer.from(signature, 'hex'));
  if (right) signingKeys.keep(accessKeyId, secret, scope, signingKey);
  return right;
}

/** As the throttle and the history of logins know it: by the pair that it stands for. */
function shownAs(username: string, password: string): ShownCredentials {
  return { scheme: 'basic', username, password };
}

function requireNoWait(failures: LoginFailures, shown: ShownCredentials, from: RequestFrom): void {
  const waitMs = failures.waitMs(shown, from);
  if (waitMs === 0) return;
  throw new SignatureRefused('throttled', tooManyFailures(waitMs).message, waitMs);
}
