import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
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
