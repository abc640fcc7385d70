import { get as getPlain } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getSecure } from 'node:https';
import type { JSONWebKeySet } from 'jose';
import { createLocalJWKSet } from 'jose';
import { errorText } from '../../domain/error-text.ts';
import { parseJsonObject } from '../../domain/json.ts';
import { isLoopbackHost } from '../../domain/names/server-url.ts';

export interface KeySetPlace {
  /** As the `iss` claim has it. */
  readonly issuer: string;
  /** Absent: found by discovery. */
  readonly jwksUrl: string | undefined;
  /** PEM; absent: the system's roots. */
  readonly ca: string | undefined;
}

/** Why an issuer's keys could not be fetched, fit for a log: it holds no query, no body and nothing of a token. */
export class KeyFetchFailure extends Error {
  override readonly name = 'KeyFetchFailure';
  /** What was asked, without its query. */
  readonly url: string;
  /** Both absent where no answer came. */
  readonly status: number | undefined;
  readonly contentType: string | undefined;

  constructor(message: string, url: string, answer?: IncomingMessage) {
    super(message);
    this.url = url.split('?', 1)[0] ?? '';
    this.status = answer?.statusCode;
    this.contentType = answer?.headers['content-type']?.slice(0, 128);
  }
}

/** Of names, connections and answers together. */
const timeoutMs = 5000;
const bytesMax: number = 256 * 1024;

/**
 * Kubernetes' API server answers 406 unless the key set's own type is accepted (RFC 7517 §8.5.2); most others serve
 * `application/json`, and some neither, so the content decides.
 */
const keySetTypes = 'application/jwk-set+json, application/json;q=0.9, */*;q=0.1';
const documentTypes = 'application/json, */*;q=0.1';

export type FetchedKeys = ReturnType<typeof createLocalJWKSet>;

/** An issuer's keys, each to be judged when it is used. Rejects with `KeyFetchFailure`. */
export async function fetchKeys({ issuer, jwksUrl, ca }: KeySetPlace): Promise<FetchedKeys> {
  const signal = AbortSignal.timeout(timeoutMs);
  const url = jwksUrl ?? (await discover(issuer, ca, signal));
  const { value, refuse } = await fetchJson({ url, accept: keySetTypes, ca }, signal);
  try {
    return createLocalJWKSet(value as unknown as JSONWebKeySet);
  } catch {
    throw refuse('the answer is no key set');
  }
}

/** OpenID Connect Discovery 1.0 §4. */
async function discover(
  issuer: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { value, refuse } = await fetchJson({ url, accept: documentTypes, ca }, signal);
  if (value['issuer'] !== issuer) throw refuse('the answer speaks for another issuer');
  const text = value['jwks_uri'];
  const found = typeof text === 'string' ? URL.parse(text) : null;
  // Plain http only where the operator wrote it for the issuer, which is on this machine then.
  const here = issuer.startsWith('http:') && found?.protocol === 'http:';
  if (found === null || (found.protocol !== 'https:' && !(here && isLoopbackHost(found.hostname))))
    throw refuse('the answer names no jwks_uri that may be asked');
  return found.href;
}

interface Asked {
  readonly url: string;
  readonly accept: string;
  readonly ca: string | undefined;
}

interface Fetched {
  readonly value: Readonly<Record<string, unknown>>;
  /** The failure of an answer that will not do. */
  readonly refuse: (why: string) => KeyFetchFailure;
}

/** Redirects are not followed: they are no 200. */
async function fetchJson(asked: Asked, signal: AbortSignal): Promise<Fetched> {
  const { url } = asked;
  let answer: IncomingMessage | undefined;
  try {
    answer = await get(asked, signal);
    const refuse = (why: string): KeyFetchFailure => new KeyFetchFailure(why, url, answer);
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > bytesMax) throw refuse(`the answer is larger than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
    if (answer.statusCode !== 200) throw refuse('the answer is no 200');
    const value = parseJsonObject(Buffer.concat(chunks).toString('utf8'));
    if (value === undefined) throw refuse('the answer is no JSON object');
    return { value, refuse };
  } catch (error) {
    if (error instanceof KeyFetchFailure) throw error;
    throw new KeyFetchFailure(reasonOf(error, signal), url, answer);
  } finally {
    answer?.destroy();
  }
}

/** Of a connection that could not be made, or broke: `ECONNREFUSED`, a certificate's error, the deadline. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return `there was no whole answer within ${timeoutMs / 1000} s`;
  return errorText(error);
}

/** On a connection of its own: it is asked every ten minutes. */
async function get({ url, accept, ca }: Asked, signal: AbortSignal): Promise<IncomingMessage> {
  const options = { agent: false, signal, headers: { accept } };
  return await new Promise((resolve, reject) => {
    const asking = url.startsWith('https:')
      ? getSecure(url, { ...options, ...(ca === undefined ? {} : { ca }) })
      : getPlain(url, options);
    asking.once('response', resolve);
    // Stays: what breaks after the answer has begun comes here too, and the body tells it.
    asking.on('error', reject);
  });
}
