import { get as getPlain } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getSecure } from 'node:https';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { createLocalJWKSet, errors } from 'jose';
import type { Clock } from '../ports/clock.ts';

export interface KeySetPlace {
  /** As the `iss` claim has it. */
  readonly issuer: string;
  /** Absent: found by discovery. */
  readonly jwksUrl: string | undefined;
  /** PEM; absent: the system's roots. */
  readonly ca: string | undefined;
}

/** An issuer's public keys, as far as they are known. */
export interface KeySet {
  /**
   * Verifies by them; fetches where none are known, they are old, or `kid` is new to them. While the issuer can't be asked, the last
   * ones stay. Rejects with `KeysUnavailable` where there are none.
   */
  readonly getKey: JWTVerifyGetKey;
}

/** The issuer's keys could not be had. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

const freshMs = 600_000;
/** Between two fetches because of an unknown `kid`. */
const unknownKidMs = 30_000;
const retryMs = 5000;
const timeoutMs = 5000;
const bytesMax: number = 256 * 1024;

type LocalKeySet = ReturnType<typeof createLocalJWKSet>;

export function createKeySet(place: KeySetPlace, clock: Clock): KeySet {
  let keys: LocalKeySet | undefined;
  let fetchedAt = -Infinity;
  let triedAt = -Infinity;
  let running: Promise<void> | undefined;
  let failure: unknown;

  const fetchOnce = async (): Promise<void> => {
    triedAt = clock.elapsed();
    try {
      keys = createLocalJWKSet(await fetchKeys(place));
      fetchedAt = clock.elapsed();
      failure = undefined;
    } catch (error) {
      failure = error;
    } finally {
      running = undefined;
    }
  };
  const refresh = (notWithinMs: number): Promise<void> | undefined => {
    if (running === undefined && clock.elapsed() - triedAt < notWithinMs) return undefined;
    running ??= fetchOnce();
    return running;
  };

  return {
    getKey: async (header, token) => {
      if (keys === undefined) await refresh(retryMs);
      else if (clock.elapsed() - fetchedAt > freshMs) await refresh(unknownKidMs);
      if (keys === undefined) {
        throw new KeysUnavailable(`the keys of ${place.issuer} cannot be had`, { cause: failure });
      }
      try {
        return await keys(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        await refresh(unknownKidMs);
        return await keys(header, token);
      }
    },
  };
}

async function fetchKeys({ issuer, jwksUrl, ca }: KeySetPlace): Promise<JSONWebKeySet> {
  // Of all of it together: names, connections, answers.
  const signal = AbortSignal.timeout(timeoutMs);
  const url = jwksUrl ?? (await discover(issuer, ca, signal));
  const set = await fetchJson(url, ca, signal);
  if (!Array.isArray(set['keys'])) throw new Error(`${url} answers no key set`);
  // Each key is judged when it is used; jose refuses those that will not do.
  return { keys: set['keys'] };
}

/** OpenID Connect Discovery 1.0 §4. */
async function discover(
  issuer: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await fetchJson(url, ca, signal);
  if (document['issuer'] !== issuer) throw new Error(`${url} speaks for another issuer`);
  const text = document['jwks_uri'];
  const found = typeof text === 'string' ? URL.parse(text) : null;
  // Plain http only where the operator wrote it for the issuer, which is on this machine then.
  const here = issuer.startsWith('http:') && found !== null && isLoopback(found);
  if (found === null || (found.protocol !== 'https:' && !here))
    throw new Error(`${url} names no jwks_uri that may be asked`);
  return found.href;
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** Redirects are not followed: they are no 200. */
async function fetchJson(
  url: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await get(url, ca, signal);
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > bytesMax) throw new Error(`${url} answers more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
    if (answer.statusCode !== 200) throw new Error(`${url} answers ${answer.statusCode}`);
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value !== 'object' || value === null) throw new Error(`${url} answers no object`);
    return value as Readonly<Record<string, unknown>>;
  } finally {
    answer.destroy();
  }
}

/** On a connection of its own: it is asked every ten minutes. */
async function get(
  url: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const options = { agent: false, signal, headers: { accept: 'application/json' } };
  return await new Promise((resolve, reject) => {
    const asking = url.startsWith('https:')
      ? getSecure(url, { ...options, ...(ca === undefined ? {} : { ca }) })
      : getPlain(url, options);
    asking.once('response', resolve);
    // Stays: what breaks after the answer has begun comes here too, and the body tells it.
    asking.on('error', reject);
  });
}
