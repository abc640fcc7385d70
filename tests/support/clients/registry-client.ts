// A client of the registry API that sends what it is told and hides nothing: for tests of the specification's clauses.
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import { mediaTypes } from '../../../src/domain/manifests/media-type.ts';
import { basicOf, rulesOnly, startBreakwater } from '../processes/breakwater.ts';
import type { Breakwater, BreakwaterOptions } from '../processes/breakwater.ts';
import { exchange } from './http-exchange.ts';
import type { HttpAnswer, HttpQuestion } from './http-exchange.ts';
import { digestOf } from '../samples/digest.ts';

export type Algorithm = 'sha256' | 'sha512';
export const algorithms: readonly Algorithm[] = ['sha256', 'sha512'];

export type Question = Pick<HttpQuestion, 'headers' | 'body' | 'streamed'>;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface RegistryClient extends AsyncDisposable {
  readonly breakwater: Breakwater;
  /** A path of this server, or a Location that it gave, also before a restart. */
  ask(method: string, location: string, question?: Question): Promise<HttpAnswer>;
  /** Begins an upload and answers its Location. */
  begin(repository: string, query?: string): Promise<string>;
  /** Pushes a blob by POST and PUT. */
  pushBlob(repository: string, bytes: Uint8Array | string, algorithm?: Algorithm): Promise<string>;
  /** Pushes a manifest under a reference, by default its digest; anything but 201 throws. */
  pushManifest(
    repository: string,
    manifest: object | string,
    options?: {
      readonly reference?: string;
      readonly algorithm?: Algorithm;
      readonly type?: string;
    },
  ): Promise<Descriptor & { readonly answer: HttpAnswer; readonly text: string }>;
  /** Pushes config and layers of a small image, and answers its manifest, which is not pushed. */
  image(repository: string, change?: object, algorithm?: Algorithm): Promise<object>;
}

/** A Breakwater of this client's own, whose administrator the client is. */
export async function startRegistryClient(
  config: Readonly<Record<string, unknown>> = {},
  options: Pick<BreakwaterOptions, 'entry' | 'env'> = {},
): Promise<RegistryClient> {
  const breakwater = await startBreakwater({ ...options, config: { ...rulesOnly(), ...config } });
  const authorization = await basicOf(breakwater);

  const ask: RegistryClient['ask'] = async (method, location, { headers, body, streamed } = {}) => {
    const type = body === undefined ? {} : { 'Content-Type': 'application/octet-stream' };
    const answer = await exchange(Number(new URL(breakwater.url).port), pathOf(location), {
      method,
      headers: { Authorization: authorization, ...type, ...headers },
      ...(body === undefined ? {} : { body }),
      ...(streamed === undefined ? {} : { streamed }),
    });
    if (!answer.complete) throw new Error(`the answer to ${method} ${location} broke off`);
    return answer;
  };

  const begin: RegistryClient['begin'] = async (repository, query = '') => {
    const answer = await ask('POST', `/v2/${repository}/blobs/uploads/${query}`);
    equal(answer.status, 202, answer.text);
    return locationOf(answer);
  };

  const pushBlob: RegistryClient['pushBlob'] = async (repository, bytes, algorithm = 'sha256') => {
    const digest = digestOf(bytes, algorithm);
    const answer = await ask('PUT', withQuery(await begin(repository), { digest }), {
      body: bytes,
    });
    equal(answer.status, 201, answer.text);
    return digest;
  };

  const image: RegistryClient['image'] = async (repository, change = {}, algorithm = 'sha256') => {
    const config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}';
    const layer = randomBytes(64);
    await pushBlob(repository, config, algorithm);
    await pushBlob(repository, layer, algorithm);
    return {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptorOf('application/vnd.oci.image.config.v1+json', config, algorithm),
      layers: [descriptorOf('application/vnd.oci.image.layer.v1.tar', layer, algorithm)],
      ...change,
    };
  };

  return {
    breakwater,
    ask,
    begin,
    pushBlob,
    image,
    async pushManifest(repository, manifest, { reference, algorithm = 'sha256', type } = {}) {
      const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
      const digest = digestOf(text, algorithm);
      const mediaType = type ?? mediaTypeOf(text);
      const answer = await ask('PUT', `/v2/${repository}/manifests/${reference ?? digest}`, {
        headers: { 'Content-Type': mediaType },
        body: text,
      });
      equal(answer.status, 201, answer.text);
      return { mediaType, digest, size: Buffer.byteLength(text), answer, text };
    },
    [Symbol.asyncDispose]: () => breakwater.close(),
  };
}

/** One for all tests of a file, which end with its server's end. */
export async function clientOfFile(
  config: Readonly<Record<string, unknown>> = {},
): Promise<RegistryClient> {
  const client = await startRegistryClient(config);
  after(() => client[Symbol.asyncDispose]());
  return client;
}

let repositories = 0;

/** A repository that no other test uses. */
export function freshRepository(): string {
  return `conformance/r${String(++repositories)}`;
}

export function descriptorOf(
  mediaType: string,
  bytes: Uint8Array | string,
  algorithm: Algorithm = 'sha256',
): Descriptor {
  return { mediaType, digest: digestOf(bytes, algorithm), size: Buffer.byteLength(bytes) };
}

export function locationOf(answer: HttpAnswer): string {
  const { location } = answer.headers;
  ok(location !== undefined, 'the answer has a Location');
  return location;
}

/** The Location with more parameters; those that it has stay. */
export function withQuery(location: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(location, 'http://127.0.0.1');
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.pathname + url.search;
}

/** An error in the specification's form, with one of the codes first. */
export function assertError(
  answer: HttpAnswer,
  status: number | readonly number[],
  ...codes: readonly string[]
): void {
  ok([status].flat().includes(answer.status), `${String(answer.status)} ${answer.text}`);
  equal(answer.headers['content-type'], 'application/json');
  const { errors } = JSON.parse(answer.text) as { errors: { code: string; message: string }[] };
  ok(errors.length > 0);
  for (const { code, message } of errors) {
    match(code, /^[A-Z_]+$/);
    equal(typeof message, 'string');
  }
  ok(codes.includes(errors[0]?.code ?? ''), answer.text);
}

/** The Location of an answer gives these bytes, with their length and digest. */
export async function assertPullable(
  client: RegistryClient,
  answer: HttpAnswer,
  bytes: Uint8Array | string,
  digest: string,
): Promise<void> {
  for (const method of ['GET', 'HEAD']) {
    const pulled = await client.ask(method, locationOf(answer));
    deepEqual(
      [
        pulled.status,
        pulled.headers['content-length'],
        pulled.headers['docker-content-digest'],
        pulled.bytes.length,
      ],
      [
        200,
        String(Buffer.byteLength(bytes)),
        digest,
        method === 'GET' ? Buffer.byteLength(bytes) : 0,
      ],
    );
    if (method === 'GET') ok(pulled.bytes.equals(Buffer.from(bytes)), 'the bytes are the same');
  }
}

function mediaTypeOf(text: string): string {
  const { mediaType } = JSON.parse(text) as { mediaType?: string };
  return mediaType ?? mediaTypes.ociManifest;
}

function pathOf(location: string): string {
  const url = new URL(location, 'http://127.0.0.1');
  return url.pathname + url.search;
}
