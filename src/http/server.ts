import { X509Certificate, createPrivateKey, randomBytes } from 'node:crypto';
import { createServer as createPlainServer } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { createBodySender } from './bodies/body.ts';
import type { BodyBuffers } from './bodies/body-buffers.ts';
import type { ClientRules } from './client.ts';
import { noClientRules } from './client.ts';
import { createConnectionPlaces } from './connections/connection-places.ts';
import { createConnections } from './connections/connections.ts';
import type { Connections } from './connections/connections.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeOwner } from './exchange.ts';
import { refuse } from './bad-request.ts';
import { createCertificateNames, withNames } from './connections/certificate-names.ts';
import { progressLimits } from './progress.ts';
import type { ProgressLimits } from './progress.ts';
import type { Served, ReplyNote } from '../domain/served.ts';
import type { Handler, Incoming, Reply } from './reply.ts';
import {
  answerPlainHttp,
  handshakeRefusal,
  parserRefusal,
} from './connections/refused-connection.ts';
import type { RefusedConnection } from './connections/refused-connection.ts';
import type { Timer } from './timer.ts';
import { createWholeBodies } from './bodies/whole-bodies.ts';
import type { WholeBodies } from './bodies/whole-bodies.ts';
import { Writer } from './writer.ts';

/** PEM texts; what follows the server's certificate in `cert` goes out with it. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

export interface HttpServerOptions {
  readonly handler: Handler;
  readonly listen: { readonly host: string; readonly port: number };
  /** Present: this listener speaks TLS. */
  readonly tls?: TlsPair;
  /** Shared out by client address. */
  readonly connectionsMax: number;
  /** Shared by all listeners of a process. */
  readonly buffers: BodyBuffers;
  /** The same; absent: this listener has its own. */
  readonly wholeBodies?: WholeBodies;
  readonly timer: Timer;
  /** Told once for each exchange, when its last byte went out or its socket closed. Must not throw. */
  readonly onServed?: (served: Served) => void;
  /** Told of connections that came to nothing. Must not throw. */
  readonly onRefused?: (refused: RefusedConnection) => void;
  /** What a handler threw, or a body that broke after its headers. Must not throw. */
  readonly onError?: (error: unknown, request: Incoming) => void;
  /** The reply to an error thrown by a handler, or by a body before its first byte: then with the note of the reply it was to be. Without it a plain 500. */
  readonly replyTo?: (error: unknown, request: Incoming, note?: ReplyNote) => Reply;
  /** Absent: nobody stands before it, and it has no names. */
  readonly clients?: ClientRules;
  readonly bodyWaitMs?: number;
  /** How long a TLS handshake may take; 10 s. */
  readonly handshakeMs?: number;
  readonly progress?: ProgressLimits;
}

export interface RunningServer {
  readonly address: string;
  /** The one chosen where 0 was asked for. */
  readonly port: number;
  /** Requests whose replies are not out. */
  readonly inFlight: number;
  /**
   * Connections from now on are shown this pair; those open go on. Throws where the two can't be used together, or where
   * this listener speaks plain HTTP, and leaves the old pair in force.
   */
  readonly setTls: (pair: TlsPair) => void;
  /** Refuses new connections and closes the idle ones; replies from now on close theirs. */
  readonly stopAccepting: () => void;
  /** Stops accepting, lets running replies finish and cuts what is left after `deadlineMs`. */
  readonly drain: (deadlineMs: number) => Promise<'drained' | 'cut'>;
  /** Closes every connection now. */
  readonly cut: () => Promise<void>;
}

/** Requests of one connection that are answered at the same time, at most: a client that pipelines more is cut off. */
const pipelinedMax = 64;

const serverOptions: ServerOptions = {
  requestTimeout: 0,
  headersTimeout: 30_000,
  connectionsCheckingInterval: 5000,
  keepAliveTimeout: 120_000,
  keepAlive: true,
  noDelay: true,
  maxHeaderSize: 16 * 1024,
  optimizeEmptyRequests: true,
};

const minVersion = 'TLSv1.2';

/** Resolves once the port is bound; rejects when it can't be. */
export async function createServer(options: HttpServerOptions): Promise<RunningServer> {
  const secured =
    options.tls &&
    createSecureServer({
      ...serverOptions,
      ...options.tls,
      minVersion,
      handshakeTimeout: options.handshakeMs ?? 10_000,
    });
  const server: Server = secured ?? createPlainServer(serverOptions);
  server.timeout = 0;
  const { timer } = options;
  const names = createCertificateNames(options.tls);
  const clients = withNames(options.clients ?? noClientRules, names);
  const connections = createConnections(timer, options.progress ?? progressLimits);
  const secure = secured !== undefined;
  const places = createConnectionPlaces(options.connectionsMax, (clientAddress) =>
    options.onRefused?.({
      clientAddress,
      reason: 'full',
      message: `${options.connectionsMax} are open`,
    }),
  );
  server.on('connection', places.take);
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) =>
    places.settle(connections.add(socket, secure)),
  );
  if (secure) refuseHandshakes(server, connections, options);
  serve(server, { ...options, clients }, connections);
  refuseBroken(server, connections, options);
  const bound = Promise.withResolvers<void>();
  server.once('error', bound.reject);
  server.listen(options.listen.port, options.listen.host, () => bound.resolve());
  await bound.promise;
  server.off('error', bound.reject);
  // Accepting can fail later, when the process is out of descriptors; those running go on.
  server.on('error', ({ message }) =>
    options.onRefused?.({ clientAddress: '', reason: 'accept', message }),
  );
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    get inFlight(): number {
      return connections.inFlight();
    },
    setTls: (pair) => {
      setTls(secured, pair);
      names.use(pair);
    },
    ...createEnding(server, connections, timer),
  };
}

function setTls(server: SecureServer | undefined, { cert, key }: TlsPair): void {
  if (server === undefined) throw new Error('this listener speaks plain HTTP');
  // Node takes an empty text for none, and serves nobody then.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error('the key is of another certificate');
  // Throws before the server forgets its old pair.
  createSecureContext({ cert, key, minVersion });
  server.setSecureContext({ cert, key, minVersion });
}

/** Everything between Node's events and the handler. */
function serve(
  server: Server,
  options: HttpServerOptions & { readonly clients: ClientRules },
  connections: Connections,
): void {
  const { timer, handler, onServed, onError } = options;
  /** Ids are unique in this process and, by this random beginning, beyond it. */
  const idPrefix = randomBytes(6).toString('hex');
  let ids = 0;
  const owner: ExchangeOwner = {
    now: () => timer.elapsed(),
    nextId: () => `${idPrefix}-${(ids++).toString(36)}`,
    clients: options.clients,
    wholeBodies: options.wholeBodies ?? createWholeBodies(timer),
    ended: (exchange, served) => {
      const { socket, exchanges } = exchange.connection;
      exchanges.splice(exchanges.indexOf(exchange), 1);
      if (connections.stopping() && exchanges.length === 0) socket.destroySoon();
      onServed?.(served);
    },
  };
  const replyTo = (error: unknown, exchange: Exchange, note?: ReplyNote): Reply =>
    options.replyTo?.(error, exchange, note) ?? internalError;
  const waitMs = options.bodyWaitMs ?? 10_000;
  const writer = new Writer({
    bodies: createBodySender({ buffers: options.buffers, waitMs, timer }),
    timer,
    replyTo,
    closing: connections.stopping,
    onBroken: (error, exchange) => onError?.(error, exchange),
  });
  const answer = (
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): void => {
    const connection = connections.of(request.socket);
    if (connection === undefined) return void request.socket.destroy();
    // A request behind one that ends its connection is not answered.
    if (!connection.socket.writable || connection.ends) return;
    const exchange = new Exchange(connection, request, response, owner);
    exchange.expectsContinue = expectsContinue;
    connection.exchanges.push(exchange);
    if (connection.exchanges.length > pipelinedMax) return void request.socket.destroy();
    const wrong = hostProblem(request);
    if (wrong !== undefined) {
      connection.ends = true;
      return writer.write(exchange, badHost(wrong));
    }
    const failed = (error: unknown): void => {
      onError?.(error, exchange);
      writer.write(exchange, replyTo(error, exchange));
    };
    let reply: Reply | Promise<Reply>;
    try {
      reply = handler(exchange);
    } catch (error) {
      return failed(error);
    }
    if (reply instanceof Promise) reply.then((settled) => writer.write(exchange, settled), failed);
    else writer.write(exchange, reply);
  };
  server.on('request', (request, response) => answer(request, response, false));
  server.on('checkContinue', (request, response) => answer(request, response, true));
}

/** What is no HTTP request is answered where nothing else was, and ends its connection. */
function refuseBroken(
  server: Server,
  connections: Connections,
  { onRefused }: HttpServerOptions,
): void {
  server.on('clientError', (error, socket) => {
    const connection = connections.of(socket as Socket);
    // In a TLS handshake nobody can be answered here: an answer would wait for the handshake's end, and so would the connection.
    if (connection === undefined) return void socket.destroy();
    const refused = parserRefusal(error, connection.clientAddress);
    if (refused !== undefined) onRefused?.(refused);
    const [first, second] = connection.exchanges;
    // Bytes of ours may be out already, or are still to come for the requests before.
    if (second !== undefined || first?.response.headersSent === true) socket.destroy();
    else {
      first?.close();
      refuse(error, socket as Socket);
    }
  });
}

/** Tells of handshakes that fail, and answers plain HTTP in words. */
function refuseHandshakes(
  server: Server,
  connections: Connections,
  { onRefused }: HttpServerOptions,
): void {
  // Before Node's own listener, which ends the socket.
  server.prependListener('tlsClientError', (error: Error, socket: Socket) => {
    if (connections.of(socket) !== undefined) return;
    const refused = handshakeRefusal(error, socket);
    if (refused?.reason === 'plainHttp') answerPlainHttp(socket);
    if (refused !== undefined) onRefused?.(refused);
  });
}

/**
 * What is wrong with the host of a request, or `undefined`: Host is there once (RFC 9112 §3.2), and a target in absolute form, as
 * proxies are sent, names the same one. Two readers of one request must not see two servers.
 */
function hostProblem({ rawHeaders, url, headers }: IncomingMessage): string | undefined {
  let seen = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host' && (seen += 1) > 1)
      return 'Host is there twice';
  }
  if (url === undefined || url.startsWith('/') || !url.includes('://')) return undefined;
  const target = URL.parse(url);
  if (target === null || (target.protocol !== 'http:' && target.protocol !== 'https:'))
    return 'the request target is no http URL';
  if (target.username !== '' || target.password !== '')
    return 'the request target holds a user name';
  // As the URL has it: in lower case, without the scheme's own port.
  const host = headers.host && URL.parse(`${target.protocol}//${headers.host}`)?.host;
  return host === undefined || host === '' || host === target.host
    ? undefined
    : 'the request target and Host name two hosts';
}

function badHost(problem: string): Reply {
  return {
    status: 400,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' },
    body: `${problem}\n`,
    note: { route: 'none' },
  };
}

function createEnding(
  server: Server,
  connections: Connections,
  timer: Timer,
): Pick<RunningServer, 'stopAccepting' | 'drain' | 'cut'> {
  const stopAccepting = (): void => {
    server.close();
    connections.stop();
  };
  const cut = async (): Promise<void> => {
    stopAccepting();
    server.closeAllConnections();
    connections.destroyAll();
    await connections.gone;
  };
  return {
    stopAccepting,
    cut,
    drain: async (deadlineMs) => {
      stopAccepting();
      const late = Promise.withResolvers<'late'>();
      using _timer = timer.after(deadlineMs, () => late.resolve('late'));
      const first = await Promise.race([connections.gone, late.promise]);
      if (first !== 'late') return 'drained';
      await cut();
      return 'cut';
    },
  };
}

const internalError: Reply = {
  status: 500,
  headers: { 'Content-Type': 'text/plain; charset=utf-8' },
  body: 'internal error\n',
  note: { route: 'none' },
};
