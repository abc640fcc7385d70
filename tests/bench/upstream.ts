import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { chunkBytes, createFiller, syntheticBlob, syntheticImage } from './synthetic-image.ts';
import type { SyntheticBlob, SyntheticImage } from './synthetic-image.ts';

/** What was asked since the last reset. */
export interface UpstreamStats {
  readonly requests: number;
  readonly blobRequests: number;
  /** Blob bytes handed to sockets. */
  readonly blobBytes: number;
  readonly log: readonly string[];
}

export interface PublishRequest {
  readonly repository: string;
  readonly tag: string;
  readonly layers: readonly { readonly seed: string; readonly size: number }[];
}

/** A registry upstream of synthetic images: reads only, ranges, a limit a connection, and it can be made to play dead. */
export interface Upstream extends AsyncDisposable {
  readonly url: string;
  publish(request: PublishRequest): SyntheticImage;
  /** Of each connection; 0: none. */
  limit(bytesPerSecond: number): void;
  /** As if it were so many milliseconds away: each answer begins that much later, the first of a connection twice, for its handshake. */
  away(roundTripMs: number): void;
  /** While down, every connection is destroyed without an answer. */
  setDown(down: boolean): void;
  stats(): UpstreamStats;
  reset(): void;
}

interface State {
  readonly manifests: Map<string, SyntheticImage>;
  readonly blobs: Map<string, SyntheticBlob>;
  readonly buckets: WeakMap<Socket, { tokens: number; at: number }>;
  bytesPerSecond: number;
  roundTripMs: number;
  /** Whose handshake was counted. */
  readonly connected: WeakSet<Socket>;
  down: boolean;
  requests: number;
  blobRequests: number;
  blobBytes: number;
  log: string[];
}

const logLinesMax = 1000;

export async function createUpstream(port: number = 0): Promise<Upstream> {
  const state: State = {
    manifests: new Map(),
    blobs: new Map(),
    buckets: new WeakMap(),
    bytesPerSecond: 0,
    roundTripMs: 0,
    connected: new WeakSet(),
    down: false,
    requests: 0,
    blobRequests: 0,
    blobBytes: 0,
    log: [],
  };
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 });
  const upstream = createControls(state, server);
  server.on('request', (request, response) => {
    answer(state, upstream, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { ...upstream, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function createControls(state: State, server: Server): Omit<Upstream, 'url'> {
  return {
    publish({ repository, tag, layers }) {
      const image = syntheticImage(
        repository,
        tag,
        layers.map((layer) => syntheticBlob(layer.seed, layer.size)),
      );
      for (const reference of [tag, image.digest])
        state.manifests.set(`${repository} ${reference}`, image);
      for (const blob of [image.config, ...image.layers])
        state.blobs.set(`${repository} ${blob.digest}`, blob);
      return image;
    },
    limit(bytesPerSecond) {
      state.bytesPerSecond = bytesPerSecond;
    },
    away(roundTripMs) {
      state.roundTripMs = roundTripMs;
    },
    setDown(down) {
      state.down = down;
      if (down) server.closeAllConnections();
    },
    stats: () => ({
      requests: state.requests,
      blobRequests: state.blobRequests,
      blobBytes: state.blobBytes,
      log: state.log,
    }),
    reset() {
      state.requests = state.blobRequests = state.blobBytes = 0;
      state.log = [];
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

const route =
  /^\/v2\/(?<repository>[^?]+)\/(?<kind>manifests|blobs)\/(?<reference>[^/?]+)(?:\?.*)?$/;

async function answer(
  state: State,
  controls: Omit<Upstream, 'url'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? '/';
  if (url.startsWith('/-/')) return control(controls, url.slice(3), request, response);
  if (state.down) {
    request.socket.destroy();
    return;
  }
  state.requests += 1;
  if (state.log.length < logLinesMax)
    state.log.push(`${request.method} ${url} ${request.headers.range ?? ''}`.trim());
  if (state.roundTripMs > 0) await travel(state, request.socket);
  if (url === '/v2/') {
    response.writeHead(200, { 'content-length': 2 }).end('{}');
    return;
  }
  const { repository, kind, reference } = route.exec(url)?.groups ?? {};
  const key = `${repository} ${decodeURIComponent(reference ?? '')}`;
  if (kind === 'manifests') return sendManifest(state.manifests.get(key), request, response);
  return sendBlob(state, state.blobs.get(key), request, response);
}

function travel(state: State, socket: Socket): Promise<void> {
  const roundTrips = state.connected.has(socket) ? 1 : 2;
  state.connected.add(socket);
  return delay(roundTrips * state.roundTripMs);
}

function notFound(response: ServerResponse, code: string): void {
  response.writeHead(404, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: 'not here' }] }));
}

function sendManifest(
  image: SyntheticImage | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (image === undefined) return notFound(response, 'MANIFEST_UNKNOWN');
  response.writeHead(200, {
    'content-type': image.mediaType,
    'content-length': image.manifest.length,
    'docker-content-digest': image.digest,
  });
  response.end(request.method === 'HEAD' ? undefined : image.manifest);
}

async function sendBlob(
  state: State,
  blob: SyntheticBlob | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  state.blobRequests += 1;
  if (blob === undefined) return notFound(response, 'BLOB_UNKNOWN');
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range === null ? 0 : Number(range[1]);
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, blob.size) : blob.size;
  if (start >= end) {
    response.writeHead(416, { 'content-range': `bytes */${blob.size}` }).end();
    return;
  }
  response.writeHead(range === null ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    'accept-ranges': 'bytes',
    'docker-content-digest': blob.digest,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${blob.size}` }),
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const filler = createFiller(blob.seed);
  for (let offset = start; offset < end;) {
    const wanted = state.bytesPerSecond > 0 ? limitedChunkBytes : chunkBytes;
    const bytes = filler.at(offset, Math.min(wanted, end - offset));
    if (state.bytesPerSecond > 0) await takeTokens(state, request.socket, bytes.length);
    state.blobBytes += bytes.length;
    offset += bytes.length;
    await write(response, bytes);
  }
  response.end();
}

/** Resolves when the socket has taken the bytes, so that their buffer can be filled again; rejects when it has gone. */
function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) {
      reject(new Error('the client left'));
      return;
    }
    response.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

const limitedChunkBytes = 64 * 1024;
/** How much of a pause a connection may make up for. */
const burstSeconds = 0.02;

async function takeTokens(state: State, socket: Socket, bytes: number): Promise<void> {
  const now = performance.now();
  const bucket = state.buckets.get(socket) ?? { tokens: 0, at: now };
  const rate = state.bytesPerSecond / 1000;
  bucket.tokens = Math.min(
    bucket.tokens + (now - bucket.at) * rate,
    state.bytesPerSecond * burstSeconds,
  );
  bucket.at = now;
  bucket.tokens -= bytes;
  state.buckets.set(socket, bucket);
  if (bucket.tokens < 0) await delay(-bucket.tokens / rate);
}

async function control(
  controls: Omit<Upstream, 'url'>,
  verb: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const input: unknown =
    chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
  let output: unknown = {};
  if (verb === 'publish') {
    const image = controls.publish(input as PublishRequest);
    output = { ...image, manifest: image.manifest.toString('base64') };
  } else if (verb === 'limit') controls.limit(input as number);
  else if (verb === 'away') controls.away(input as number);
  else if (verb === 'down') controls.setDown(input as boolean);
  else if (verb === 'stats') output = controls.stats();
  else if (verb === 'reset') controls.reset();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(output));
}

// Started by `upstream-client.ts` as a process of its own; says where it listens on its first line.
if (import.meta.main) {
  const upstream = await createUpstream();
  process.stdout.write(`${upstream.url}\n`);
}
