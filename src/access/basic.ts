import { hash, timingSafeEqual } from 'node:crypto';
import { RegistryError } from '../domain/errors.ts';
import type { Credentials } from './credentials.ts';

/** Who is asking, as far as there is access control yet. */
export type Who = 'anonymous' | 'administrator';

/** Characters; a longer Authorization is not looked at. */
const headerCharactersMax = 8192;

interface Expected {
  /** Of the header as clients send it, so that a known caller costs one hash. */
  readonly header: Buffer;
  readonly username: Buffer;
  readonly password: Buffer;
}

const expectedOf = new WeakMap<Credentials, Expected>();

/**
 * Who an Authorization header speaks for; none, or an empty pair, is anonymous. On a `mirror` request unknown credentials are
 * anonymous too: kubelets send a mirror what they hold for the registry behind it.
 * @throws {RegistryError} `unauthorized` for any other credentials that are not the administrator's.
 */
export function authenticate(
  authorization: string | undefined,
  credentials: Credentials,
  options: { readonly mirror: boolean },
): Who {
  if (authorization === undefined) return 'anonymous';
  const who =
    authorization.length > headerCharactersMax
      ? undefined
      : check(authorization, expect(credentials));
  if (who !== undefined) return who;
  if (options.mirror) return 'anonymous';
  throw new RegistryError('unauthorized', 'the credentials are not known here', {
    detail: { fix: 'use the key pair of dataDir/credentials as user and password, or none' },
  });
}

function check(authorization: string, expected: Expected): Who | undefined {
  if (timingSafeEqual(digestOf(authorization), expected.header)) return 'administrator';
  const encoded = /^basic +([A-Za-z0-9+/_-]*={0,2}) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  if (pair === ':') return 'anonymous';
  const username = timingSafeEqual(digestOf(pair.slice(0, colon)), expected.username);
  const password = timingSafeEqual(digestOf(pair.slice(colon + 1)), expected.password);
  return username && password ? 'administrator' : undefined;
}

function expect(credentials: Credentials): Expected {
  let expected = expectedOf.get(credentials);
  if (!expected) {
    const { accessKeyId, secretAccessKey } = credentials;
    const pair = Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64');
    expected = {
      header: digestOf(`Basic ${pair}`),
      username: digestOf(accessKeyId),
      password: digestOf(secretAccessKey),
    };
    expectedOf.set(credentials, expected);
  }
  return expected;
}

/** Digests have one length, which the comparison in constant time needs. */
function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
