import { Agent as PlainAgent, request as requestPlain } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as requestSecure } from 'node:https';
import { createGunzip } from 'node:zlib';
import type { Presented } from './credentials.ts';
import type { ClusterTarget } from './target.ts';

export interface WireLimits {
  /** Milliseconds until the first byte of an answer, connecting included. */
  readonly firstByteMs: number;
  /** Milliseconds without a byte in an answer. */
  readonly idleMs: number;
  /** Milliseconds for one answer in all. */
  readonly wholeMs: number;
  readonly bytesMax: number;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** An answer that came too late; `what` says which of the limits it was. */
export class AnswerTooLate extends Error {
  override readonly name = 'AnswerTooLate';
}

/** An answer above `bytesMax`: a shorter page may do. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

/** Connections to one API server. */
export interface Wire extends AsyncDisposable {
  /** One GET, its answer read whole. Throws the system's error, `AnswerTooLate`, `AnswerTooLarge`, or the signal's reason. */
  get(path: string, accept: string, presented: Presented, signal: AbortSignal): Promise<WireAnswer>;
}

const socketsMax = 8;

export function createWire(
  target: ClusterTarget,
  env: NodeJS.ProcessEnv,
  limits: WireLimits,
): Wire {
  const { server } = target;
  const isPlain = server.protocol === 'http:';
  const options = {
    keepAlive: true,
    maxSockets: socketsMax,
    proxyEnv: proxyOf(target, env),
  };
  const agent = isPlain ? new PlainAgent(options) : new Agent({ ...options, ...tlsOf(target) });
  // Compressing costs the API server more than a short way saves.
  const encoding = isLoopback(server.hostname) ? 'identity' : 'gzip';
  return {
    async get(path, accept, { headers, cert, key }, signal) {
      const url = new URL(server);
      const [pathname = '', search] = path.split('?');
      url.pathname = `${url.pathname.replace(/\/$/, '')}${pathname}`;
      url.search = search ?? '';
      const sent = {
        agent,
        headers: { accept, 'accept-encoding': encoding, 'user-agent': 'breakwater', ...headers },
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
      };
      const limit = new AbortController();
      const late = (what: string) => (): void => limit.abort(new AnswerTooLate(what));
      const whole = setTimeout(
        late(`no whole answer within ${limits.wholeMs / 1000} s`),
        limits.wholeMs,
      );
      const first = setTimeout(
        late(`no answer within ${limits.firstByteMs / 1000} s`),
        limits.firstByteMs,
      );
      const both = AbortSignal.any([signal, limit.signal]);
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      let outgoing: ClientRequest | undefined;
      try {
        // Throws at once for a header that can't be sent, or a certificate that is none.
        outgoing = (isPlain ? requestPlain : requestSecure)(
          url,
          { ...sent, signal: both },
          resolve,
        );
        outgoing.on('error', (error) => reject(both.aborted ? (both.reason as Error) : error));
        outgoing.end();
        const response = await promise;
        clearTimeout(first);
        return await read(response, limits, both, late(`no byte for ${limits.idleMs / 1000} s`));
      } catch (error) {
        outgoing?.destroy();
        throw both.aborted ? (both.reason as Error) : error;
      } finally {
        clearTimeout(whole);
        clearTimeout(first);
      }
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await Promise.resolve();
    },
  };
}

async function read(
  response: IncomingMessage,
  limits: WireLimits,
  signal: AbortSignal,
  late: () => void,
): Promise<WireAnswer> {
  const zipped = response.headers['content-encoding'] === 'gzip';
  const unzipped = zipped ? response.pipe(createGunzip()) : response;
  // `pipe` passes no error on.
  if (zipped) response.on('error', (error) => unzipped.destroy(error));
  signal.addEventListener('abort', () => unzipped.destroy(signal.reason as Error), { once: true });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let idle = setTimeout(late, limits.idleMs);
  try {
    for await (const chunk of unzipped as AsyncIterable<Buffer>) {
      idle.refresh();
      bytes += chunk.length;
      if (bytes > limits.bytesMax)
        throw new AnswerTooLarge(`the answer is larger than ${limits.bytesMax} bytes`);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(idle);
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: Buffer.concat(chunks, bytes).toString('utf8'),
  };
}

/** Nothing but the kubeconfig turns the check of the server off. */
function tlsOf({ ca, insecure, serverName }: ClusterTarget): object {
  return {
    ...(ca !== undefined && { ca }),
    ...(insecure && { rejectUnauthorized: false }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

/** The kubeconfig's own proxy, else what the environment says; loopback is asked direct, as by kubectl. */
function proxyOf({ proxyUrl, server }: ClusterTarget, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (proxyUrl === undefined) return isLoopback(server.hostname) ? {} : env;
  return { HTTP_PROXY: proxyUrl.href, HTTPS_PROXY: proxyUrl.href };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}
