import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { ruleDefaults } from '../../../src/domain/rules/builtin-rules.ts';
import type { PullRule, UpstreamUrl } from '../../../src/domain/rules/pull-rule.ts';
import { parseReference, type Reference } from '../../../src/domain/names/reference.ts';
import { parseRepositoryName } from '../../../src/domain/names/repository-name.ts';
import { UpstreamFailure } from '../../../src/domain/upstream-failure.ts';
import type { Event } from '../../../src/ports/events.ts';
import type { Upstream, UpstreamTarget } from '../../../src/ports/upstream.ts';
import { createUpstream, type UpstreamOptions } from '../../../src/upstream/client.ts';
import { createFakeClock, type FakeClock } from '../rigs/fake-clock.ts';
import { digestOf } from '../samples/digest.ts';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly headers: IncomingMessage['headers'];
}

/** A server on loopback that misbehaves as its handler says and remembers what it was asked. */
export interface Stage extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  /** The first hundred thousand. */
  readonly seen: Seen[];
  /** Resolves once so many requests were seen. */
  reached(count: number): Promise<void>;
  /** Resolves once a connection has been closed, by whichever side, since the call. */
  disconnected(): Promise<void>;
  /** Refuses connections and cuts those there are. */
  down(): Promise<void>;
  /** Listens again, on the same port. */
  up(): Promise<void>;
}

export type StageHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  count: number,
) => void;

const seenMax = 100_000;
const serverOptions = { requestTimeout: 0, keepAliveTimeout: 60_000 };

export async function openStage(
  handler: StageHandler,
  tls?: ServerOptions,
  address: string = '127.0.0.1',
): Promise<Stage> {
  const seen: Seen[] = [];
  let count = 0;
  let changed = Promise.withResolvers<void>();
  let gone = Promise.withResolvers<void>();
  let server: Server | undefined;
  let port = 0;
  const listener: RequestListener = (request, response) => {
    count += 1;
    if (seen.length < seenMax)
      seen.push({
        method: request.method ?? '',
        path: request.url ?? '',
        host: request.headers.host ?? '',
        headers: request.headers,
      });
    changed.resolve();
    changed = Promise.withResolvers();
    response.on('error', () => {});
    handler(request, response, count);
  };
  const up = async (): Promise<void> => {
    const fresh =
      tls === undefined
        ? createServer(serverOptions, listener)
        : createSecureServer({ ...serverOptions, ...tls }, listener);
    fresh.on('connection', (socket: Socket) => {
      socket.on('error', () => {});
      socket.on('close', () => {
        gone.resolve();
        gone = Promise.withResolvers();
      });
    });
    fresh.listen(port, address);
    await once(fresh, 'listening');
    ({ port } = fresh.address() as AddressInfo);
    server = fresh;
  };
  const down = async (): Promise<void> => {
    const closing = server;
    if (closing === undefined) return;
    server = undefined;
    closing.closeAllConnections();
    closing.close();
    await once(closing, 'close');
  };
  await up();
  const host = `${address}:${port}`;
  return {
    port,
    host,
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    seen,
    async reached(wanted) {
      while (count < wanted) await changed.promise;
    },
    disconnected: () => gone.promise,
    down,
    up,
    [Symbol.asyncDispose]: down,
  };
}

/** An upstream client under test, on a clock that stands still; every name leads to a public address that is really loopback. */
export interface Rig extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly clock: FakeClock;
  readonly events: Event[];
  of<Type extends Event['type']>(type: Type): Extract<Event, { type: Type }>[];
}

export const publicAddress = '203.0.113.10';

export function createRig(options: Partial<UpstreamOptions> = {}): Rig {
  const clock = createFakeClock();
  const events: Event[] = [];
  const upstream = createUpstream({
    clock,
    events: { emit: (event) => void events.push(event) },
    env: {},
    lookup: async () => [{ address: publicAddress, family: 4 }],
    dial: (address) => (address === publicAddress ? '127.0.0.1' : address),
    ...options,
  });
  return {
    upstream,
    clock,
    events,
    of: (type) => events.filter((event) => event.type === type) as never,
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
}

export function urlOf(origin: string): UpstreamUrl {
  const url = new URL(origin);
  return { origin: url.origin, host: url.host, plain: url.protocol === 'http:' };
}

export function ruleOf(origin: string, more: Partial<PullRule> = {}): PullRule {
  const url = urlOf(origin);
  return {
    ...ruleDefaults,
    prefix: 'test',
    origin: 'file',
    urls: [url],
    upstreamHost: url.host,
    ...more,
  };
}

/** A repository of `registry.vendor.com`, which is the stage. */
export function targetAt(
  stage: Stage,
  more: Partial<PullRule> = {},
  repository = 'team/app',
): UpstreamTarget {
  return targetOf(ruleOf(`http://registry.vendor.com:${stage.port}`, more), repository);
}

export function targetOf(
  rule: PullRule,
  repository = 'team/app',
  url: UpstreamUrl = rule.urls[0]!,
): UpstreamTarget {
  return { rule, url, repository: parseRepositoryName(repository)! };
}

export const secret = { name: 'vendor', username: 'robot', accessToken: 'sesame-open-42' };

/** What a Basic header holds for `secret`. */
export const secretBasic: string = `Basic ${Buffer.from('robot:sesame-open-42').toString('base64')}`;

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';

export const manifestBytes: Buffer = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: manifestType, layers: [] }),
);

export function sendManifest(
  response: ServerResponse,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, {
    'content-type': manifestType,
    'content-length': String(manifestBytes.length),
    'docker-content-digest': digestOf(manifestBytes),
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : manifestBytes);
}

export function reference(text: string): Reference {
  return parseReference(text)!;
}

export const latest: Reference = reference('latest');

export const never: AbortSignal = new AbortController().signal;

/** Waits for a rejection and answers the failure; anything else fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<UpstreamFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UpstreamFailure) return error;
    throw new Error('not an UpstreamFailure', { cause: error });
  }
  throw new Error('nothing failed');
}

export async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const chunk of chunks) read.push(chunk);
  return Buffer.concat(read);
}
