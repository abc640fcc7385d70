import { createHash, createHmac, hash } from 'node:crypto';
import type { Hash, Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { SignedRequest } from '../../../src/access/access.ts';
import type { KeyPair } from '../../../src/access/secrets/credentials.ts';

/** A request as a client makes it; texts are UTF-8 on the wire. */
export interface ClientRequest {
  readonly method?: string;
  /** As it is on the wire. */
  readonly path?: string;
  /** Not encoded. */
  readonly query?: Readonly<Record<string, string | string[]>>;
  /** Beside `host` and those of the signature; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Signing {
  readonly pair: KeyPair & { readonly sessionToken?: string };
  /** Wall time, ms. */
  readonly at: number;
  readonly region?: string;
  readonly service?: string;
  /** Present: a presigned URL that says so. */
  readonly expiresSeconds?: number;
}

/** A request on the wire, with its body. */
export interface SentRequest extends SignedRequest {
  readonly body: string;
}

/** Signed by AWS's own package for JavaScript. */
export async function signedByAws(
  { method = 'POST', path = '/', query = {}, headers = {}, body = '' }: ClientRequest,
  { pair, at, region = 'eu-west-1', service = 'ecr', expiresSeconds }: Signing,
): Promise<SentRequest> {
  const signer = new SignatureV4({ credentials: pair, region, service, sha256: Sha256 });
  const plain = {
    method,
    protocol: 'http:',
    hostname: '127.0.0.1',
    path,
    query: { ...query },
    headers: { host: '127.0.0.1:5000', ...headers },
    body,
  };
  const signingDate = new Date(at);
  const signed =
    expiresSeconds === undefined
      ? await signer.sign(plain, { signingDate })
      : await signer.presign(plain, { signingDate, expiresIn: expiresSeconds });
  return {
    method,
    path,
    query: queryText(signed.query ?? {}),
    rawHeaders: Object.entries(signed.headers).flatMap(([name, value]) => [name, onWire(value)]),
    body,
  };
}

export function sha256Of({ body }: SentRequest): Buffer {
  return hash('sha256', body, 'buffer');
}

/** Characters as bytes, as Node reads header lines. */
function onWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function queryText(query: Readonly<Record<string, string | string[] | null>>): string {
  return Object.entries(query)
    .flatMap(([name, value]) => [value ?? ''].flat().map((each) => [name, each]))
    .map((pair) => pair.map(encodeURIComponent).join('='))
    .join('&');
}

/** What the package asks of whoever brings the hash. */
export class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: ArrayBuffer | ArrayBufferView | string) {
    this.#hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array);
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('a hash is used once');
  }
}
