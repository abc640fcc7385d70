// A front before a real registry: it behaves as the public registries do, counts every request, and misbehaves on command.
import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { sendBody } from './front-body.ts';
import { createFaults, plainBehaviour } from './front-behaviour.ts';
import type { Behaviour, Fault, OrderedFault, RequestKind, Wrong } from './front-behaviour.ts';
import { createTokens } from './front-tokens.ts';
import type { OwnAnswer } from './front-tokens.ts';
import { openStage } from './stage.ts';

/** One request that came, and what it got. Changes while it is being answered. */
export interface SeenRequest {
  readonly kind: RequestKind;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly at: number;
  /** 0 until there is an answer. */
  status: number;
  /** Body bytes sent. */
  bytes: number;
  /** True once the answer is over, one way or another. */
  ended: boolean;
}

export interface RequestFilter {
  readonly kind?: RequestKind | readonly RequestKind[];
  readonly method?: string;
  readonly path?: string | RegExp;
  readonly status?: number;
}

export interface Front {
  /** `http://127.0.0.1:PORT`: what a rule's `upstream` is. */
  readonly url: string;
  readonly host: string;
  /** The host that blobs are redirected to. */
  readonly blobHost: string;
  readonly requests: readonly SeenRequest[];
  /** Requests that match; all of them without a filter. */
  count(filter?: RequestFilter): number;
  /** Body bytes sent for requests that match. */
  bytes(filter?: RequestFilter): number;
  /** Forgets the requests so far. */
  clear(): void;
  /** Changes the behaviour from the next request on. */
  behave(change: Partial<Behaviour>): void;
  /** Orders a fault; faults are tried in the order they were made. */
  fault(fault: Fault): OrderedFault;
  /** Ends every fault. */
  heal(): void;
  revokeTokens(): void;
  /** Refuses connections and cuts those there are. */
  down(): Promise<void>;
  /** Listens again, on the same ports. */
  up(): Promise<void>;
  close(): Promise<void>;
}

export interface FrontOptions {
  /** `http://127.0.0.1:PORT` of the registry behind. */
  readonly registry: string;
  readonly behaviour?: Partial<Behaviour>;
}

const seenMax = 100_000;

export async function startFront(options: FrontOptions): Promise<Front> {
  const faults = createFaults();
  const tokens = createTokens();
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const seen: SeenRequest[] = [];
  const signatures = new Map<string, number>();
  let behaviour: Behaviour = { ...plainBehaviour, ...options.behaviour };

  const handle = async (
    request: IncomingMessage,
    response: ServerResponse,
    blobSide: boolean,
  ): Promise<void> => {
    const now = behaviour;
    const url = request.url ?? '/';
    const asked = readUrl(url);
    const kind = blobSide ? 'redirected' : asked.kind;
    const entry: SeenRequest = {
      kind,
      method: request.method ?? 'GET',
      url,
      headers: request.headers,
      at: performance.now(),
      status: 0,
      bytes: 0,
      ended: false,
    };
    if (seen.length < seenMax) seen.push(entry);
    response.on('close', () => (entry.ended = true));
    const wrong = faults.meet({ kind, method: entry.method, url });
    if (wrong !== undefined && 'hold' in wrong) await wrong.hold;
    if (wrong !== undefined && 'delayMs' in wrong)
      await delay(wrong.delayMs, undefined, { ref: false });
    if (now.latencyMs > 0) await delay(now.latencyMs);
    if (response.destroyed) return;
    const own = ownAnswer(request, kind, asked.repository, now, wrong);
    if (own === 'reset') request.socket.resetAndDestroy();
    else if (own === undefined) await proxy(request, response, entry, asked, now, wrong);
    else answer(response, entry, own);
  };

  const ownAnswer = (
    request: IncomingMessage,
    kind: RequestKind,
    repository: string | undefined,
    now: Behaviour,
    wrong: Wrong | undefined,
  ): OwnAnswer | 'reset' | undefined => {
    if (wrong !== undefined && 'resetAt' in wrong && wrong.resetAt === 0) return 'reset';
    if (wrong !== undefined && 'status' in wrong) return wrong;
    if (wrong !== undefined && 'headerBytes' in wrong) {
      return { status: 200, headers: { 'x-padding': 'a'.repeat(wrong.headerBytes) } };
    }
    if (kind === 'token') return tokens.issue(request, now.auth);
    if (kind === 'redirected') return checkSignature(request);
    const refused = tokens.check(request, now.auth, repository, origin(request));
    if (refused !== undefined) return refused;
    return redirect(request, kind, now);
  };

  const origin = (request: IncomingMessage): string =>
    `http://${request.headers.host ?? front.host}`;

  const redirect = (
    request: IncomingMessage,
    kind: RequestKind,
    now: Behaviour,
  ): OwnAnswer | undefined => {
    const url = new URL(request.url ?? '/', front.url);
    if (now.redirect === undefined || !(now.redirect.kinds ?? ['blob']).includes(kind)) return;
    if (url.searchParams.has('X-Signature')) return checkSignature(request);
    const signature = randomUUID();
    signatures.set(signature, performance.now() + (now.redirect.signedForMs ?? 600_000));
    url.searchParams.set('X-Signature', signature);
    const host = now.redirect.location === 'elsewhere' ? `http://${front.blobHost}` : '';
    return { status: 307, headers: { location: `${host}${url.pathname}${url.search}` } };
  };

  /** A presigned URL: it expires, and takes no Authorization beside it, as S3 does. */
  const checkSignature = (request: IncomingMessage): OwnAnswer | undefined => {
    const query = new URL(request.url ?? '/', front.url).searchParams;
    const expiresAt = signatures.get(query.get('X-Signature') ?? '');
    const xml = { 'content-type': 'application/xml' };
    if (request.headers.authorization !== undefined) {
      const body =
        '<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism</Message></Error>';
      return { status: 400, headers: xml, body };
    }
    if (expiresAt !== undefined && expiresAt > performance.now()) return undefined;
    return { status: 403, headers: xml, body: '<Error><Code>AccessDenied</Code></Error>' };
  };

  const proxy = async (
    request: IncomingMessage,
    response: ServerResponse,
    entry: SeenRequest,
    asked: Asked,
    now: Behaviour,
    wrong: Wrong | undefined,
  ): Promise<void> => {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    for (const name of ['accept', 'range', 'if-none-match', 'if-range'] as const) {
      const value = request.headers[name]?.toString();
      if (value !== undefined && !(name === 'range' && now.ranges === 'ignore'))
        headers[name] = value;
    }
    const target = new URL(registryPath(asked, now), options.registry);
    const inner = httpRequest(target, { agent, method: entry.method, headers });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    inner.on('response', resolve);
    inner.on('error', reject);
    inner.end();
    response.on('close', () => inner.destroy());
    const from = await promise;
    entry.status = from.statusCode ?? 502;
    response.writeHead(entry.status, answerHeaders(from, entry, now, wrong));
    if (entry.method === 'HEAD') {
      from.resume();
      response.end();
      return;
    }
    await sendBody(from, response, entry, now.bytesPerSecond, wrong);
  };

  const main = await openStage((request, response) => {
    handle(request, response, false).catch(() => response.destroy());
  });
  const blobs = await openStage(
    (request, response) => {
      handle(request, response, true).catch(() => response.destroy());
    },
    undefined,
    '127.0.0.2',
  );
  const down = async (): Promise<void> => {
    await Promise.all([main.down(), blobs.down()]);
  };

  const front: Front = {
    url: main.url,
    host: main.host,
    blobHost: blobs.host,
    requests: seen,
    count: (filter = {}) => seen.filter((each) => fits(each, filter)).length,
    bytes: (filter = {}) =>
      seen.filter((each) => fits(each, filter)).reduce((sum, each) => sum + each.bytes, 0),
    clear: () => void seen.splice(0),
    behave: (change) => (behaviour = { ...behaviour, ...change }),
    fault: (fault) => faults.order(fault),
    heal: () => faults.clear(),
    revokeTokens: () => tokens.revoke(),
    down,
    async up() {
      await Promise.all([main.up(), blobs.up()]);
    },
    async close() {
      await down();
      agent.destroy();
    },
  };
  return front;
}

function answer(response: ServerResponse, entry: SeenRequest, own: OwnAnswer): void {
  entry.status = own.status;
  const body = entry.method === 'HEAD' ? '' : (own.body ?? '');
  entry.bytes = Buffer.byteLength(body);
  response.writeHead(own.status, {
    'content-length': String(Buffer.byteLength(own.body ?? '')),
    ...own.headers,
  });
  response.end(body);
}

function answerHeaders(
  from: IncomingMessage,
  entry: SeenRequest,
  now: Behaviour,
  wrong: Wrong | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(from.headers)) {
    if (typeof value === 'string' && name !== 'connection' && name !== 'keep-alive') {
      headers[name] = value;
    }
  }
  if (!now.digestHeader) delete headers['docker-content-digest'];
  if (!now.contentLength && entry.method !== 'HEAD') delete headers['content-length'];
  if (now.ranges === 'ignore') headers['accept-ranges'] = 'none';
  if (now.rateLimit !== undefined && entry.kind === 'manifest') {
    const { limit, remaining, windowSeconds, source } = now.rateLimit;
    headers['ratelimit-limit'] = `${limit};w=${windowSeconds}`;
    headers['ratelimit-remaining'] = `${remaining};w=${windowSeconds}`;
    if (source !== undefined) headers['docker-ratelimit-source'] = source;
  }
  if (wrong === undefined) return headers;
  if ('appendBytes' in wrong) {
    headers['content-length'] = String(Number(headers['content-length']) + wrong.appendBytes);
  }
  if ('endless' in wrong || 'endAt' in wrong) delete headers['content-length'];
  if ('change' in wrong) {
    for (const [name, value] of Object.entries(wrong.change)) {
      if (value === undefined) delete headers[name];
      else headers[name] = value;
    }
  }
  return headers;
}

interface Asked {
  readonly kind: RequestKind;
  readonly repository: string | undefined;
  /** After the repository. */
  readonly rest: string;
  readonly query: string;
}

function readUrl(url: string): Asked {
  const [path = '/', query = ''] = url.split('?', 2);
  const none = { repository: undefined, rest: path, query };
  if (path === '/token') return { kind: 'token', ...none };
  if (path === '/v2/' || path === '/v2') return { kind: 'ping', ...none };
  const match = /^\/v2\/(.+?)(\/(manifests|blobs|tags|referrers)\/[^/]+)$/.exec(path);
  if (match === null) return { kind: 'other', ...none };
  const kinds = {
    manifests: 'manifest',
    blobs: 'blob',
    tags: 'tags',
    referrers: 'referrers',
  } as const;
  const kind = kinds[match[3] as keyof typeof kinds];
  return { kind, repository: match[1], rest: match[2] ?? '', query };
}

function registryPath(asked: Asked, now: Behaviour): string {
  const query = asked.query === '' ? '' : `?${asked.query}`;
  if (asked.repository === undefined) return `${asked.rest}${query}`;
  const prefix = now.registryPrefix === '' ? '' : `${now.registryPrefix}/`;
  const repository = `${prefix}${asked.repository}`;
  if (asked.kind === 'referrers' && now.referrers === 'api') {
    const tag = asked.rest.slice('/referrers/'.length).replace(':', '-');
    return `/v2/${repository}/manifests/${tag}`;
  }
  return `/v2/${repository}${asked.rest}${query}`;
}

function fits(request: SeenRequest, filter: RequestFilter): boolean {
  if (filter.kind !== undefined && ![filter.kind].flat().includes(request.kind)) return false;
  if (filter.method !== undefined && filter.method !== request.method) return false;
  if (filter.status !== undefined && filter.status !== request.status) return false;
  if (filter.path === undefined) return true;
  return typeof filter.path === 'string'
    ? request.url.includes(filter.path)
    : filter.path.test(request.url);
}
