import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { sourceOf } from '../domain/names/client-source.ts';
import { RegistryError } from '../domain/errors.ts';
import type { Holding } from '../coordination/fair-memory.ts';
import { turnFor } from '../coordination/loop-share.ts';
import type { Client, ClientRules, Peer } from './client.ts';
import { clientBehind, isForwarded, isOwnHost, isTrustedProxy } from './client.ts';
import { crossSiteReason } from './cross-site.ts';
import { givenId } from './request-id.ts';
import { Progress } from './progress.ts';
import type { Served } from '../domain/served.ts';
import type { Incoming, Reply } from './reply.ts';
import { GatheredBody, memoryOfBody } from './bodies/gathered-body.ts';
import { RequestBody } from './bodies/request-body.ts';
import type { WholeBodies } from './bodies/whole-bodies.ts';

/** What the exchanges of one connection share. */
export interface Connection extends Peer {
  readonly socket: Socket;
  /** Those not yet told to `onServed`, in the order of their requests. */
  readonly exchanges: Exchange[];
  /** The client's address is one of loopback. */
  readonly isLoopback: boolean;
  /** The host that was found to be this server's own last. */
  ownHost: string | undefined;
  /** Nothing that comes behind is answered. */
  ends: boolean;
}

export interface ExchangeOwner {
  readonly now: () => number;
  readonly nextId: () => string;
  readonly clients: ClientRules;
  readonly wholeBodies: WholeBodies;
  /** Called once at the exchange's end. */
  readonly ended: (exchange: Exchange, served: Served) => void;
}

/** The client closed the connection: nobody's fault, and never logged as an error. */
export class ClientLeft extends RegistryError {
  override readonly name = 'ClientLeft';

  constructor() {
    super('clientLeft', 'the client closed the connection');
  }
}

/** One request and its reply: what a handler sees of it, and what becomes of it on the wire. */
export class Exchange implements Incoming {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly progress: Progress = new Progress();
  readonly startedMs: number;
  /** Body bytes handed over to the operating system. */
  bytes = 0;
  /** The socket is gone: nothing more can be written. */
  closed = false;
  /** The client sent `Expect: 100-continue` and has not been told to go on. */
  expectsContinue = false;
  #owner: ExchangeOwner;
  #reply: Reply | undefined;
  #ended = false;
  #client: Client | undefined;
  #trusted: boolean | undefined;
  #forwarded: boolean | undefined;
  #body: RequestBody | undefined;
  #abort: AbortController | undefined;
  #onClose: (() => void) | undefined;
  #requestHeld: Holding | undefined;
  #replyHeld: Holding | undefined;
  #gathered: GatheredBody | undefined;

  constructor(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
    owner: ExchangeOwner,
  ) {
    this.connection = connection;
    this.request = request;
    this.response = response;
    this.#owner = owner;
    this.startedMs = owner.now();
    this.method = request.method ?? 'GET';
    this.headers = request.headers;
    this.id = this.#givenId() ?? owner.nextId();
    const target = originForm(request.url ?? '/');
    const mark = target.indexOf('?');
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
  }

  get rawHeaders(): readonly string[] {
    return this.request.rawHeaders;
  }

  get clientAddress(): string {
    return this.#clientBehind()?.address ?? this.connection.clientAddress;
  }

  get secure(): boolean {
    return this.#clientBehind()?.secure ?? this.connection.secure;
  }

  get host(): string | undefined {
    return this.#isTrusted() ? this.#clientBehind()?.host : this.headers.host;
  }

  get isProxied(): boolean {
    return !this.#isTrusted() && (this.#forwarded ??= isForwarded(this.request));
  }

  get isLoopback(): boolean {
    const isHere = this.#clientBehind()?.isLoopback ?? this.#isDirectLoopback();
    // A page of another site can make a browser on this machine ask for anything by GET.
    return isHere && (!isOfPage(this.headers) || crossSiteReason(this, '') === undefined);
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.closed) this.#abort.abort(new ClientLeft());
    }
    return this.#abort.signal;
  }

  /** True for what a body throws only because its client went away. */
  isLeaving(error: unknown): boolean {
    return (
      error instanceof ClientLeft ||
      (this.closed && error instanceof Error && error.name === 'AbortError')
    );
  }

  get bodyBytes(): number | undefined {
    const announced = this.headers['content-length'];
    return announced === undefined ? undefined : Number(announced);
  }

  get body(): RequestBody {
    this.#body ??= new RequestBody(this.request, this.#hasBody(), {
      wanted: () => this.#askForBody(),
      waiting: () => this.progress.begin(this.#owner.now()),
      taken: (bytes) => this.progress.end(this.#owner.now(), bytes),
      left: () => new ClientLeft(),
    });
    return this.#body;
  }

  /** True while bytes of the request's body are still to come off the connection. */
  get bodyUnread(): boolean {
    return this.#hasBody() && !this.request.complete;
  }

  /** Nobody reads the body any more; what is left of it is thrown away as it comes. */
  discardBody(onBytes?: (bytes: number) => void): void {
    this.body.discard(onBytes);
  }

  async readBody(bytesMax: number): Promise<Uint8Array> {
    using body = await this.#gather('requests', bytesMax);
    return await body.join();
  }

  async readCall(
    bytesMax: number,
    onChunk: (chunk: Uint8Array) => void,
  ): Promise<readonly Uint8Array[]> {
    const { chunks } = await this.#gather('calls', bytesMax, onChunk);
    return chunks;
  }

  /** Memory is taken for all that is announced before the first byte is read: of bodies that come at once those that fit are served, and the others refused. */
  async #gather(
    which: 'requests' | 'calls',
    bytesMax: number,
    onChunk?: (chunk: Uint8Array) => void,
  ): Promise<GatheredBody> {
    const announced = this.bodyBytes;
    if ((announced ?? 0) > bytesMax) throw tooLarge(bytesMax);
    const holding = this.#hold(which);
    this.#requestHeld = holding;
    holding.reserve(memoryOfBody(announced));
    const gathered = new GatheredBody(this.#owner.wholeBodies.blocks, announced);
    this.#gathered = gathered;
    for await (const chunk of this.body) {
      if (gathered.length + chunk.length > bytesMax) throw tooLarge(bytesMax);
      const turn = turnFor(chunk.length);
      if (turn !== undefined) await turn;
      onChunk?.(chunk);
      // Also where nothing is added: the client has not stalled.
      holding.add(gathered.add(chunk));
    }
    holding.complete();
    return gathered;
  }

  /** The reply that goes out; the last one set is what the log is told. */
  replyWith(reply: Reply): void {
    this.#reply = reply;
  }

  /** The reply's body is in memory until the exchange ends. Throws `unavailable` where such replies hold too much already. */
  holdReply(body: string | Uint8Array, bytes: number): Holding {
    const holding = this.#hold('replies');
    this.#replyHeld = holding;
    holding.add(bytes, typeof body === 'string' ? undefined : body);
    return holding;
  }

  /** From now on there is something to send. */
  sending(): void {
    this.progress.begin(this.#owner.now());
  }

  /** Called back once when the socket closes; at once when it has. Only one caller at a time. */
  whenClosed(callback: (() => void) | undefined): void {
    this.#onClose = callback;
    if (this.closed) callback?.();
  }

  /** The socket closed. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#abort?.abort(new ClientLeft());
    this.#onClose?.();
  }

  /** What a trusted proxy calls the request. */
  #givenId(): string | undefined {
    const { headers } = this;
    const isNamed = headers['x-request-id'] !== undefined || headers.traceparent !== undefined;
    return isNamed && this.#isTrusted() ? givenId(headers) : undefined;
  }

  /** Its headers announce a body of at least one byte, or one of unknown length. */
  #hasBody(): boolean {
    const { headers } = this;
    return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  }

  /** By the configuration in force now, and the same for all of the request: proxies keep connections open over many reloads. */
  #isTrusted(): boolean {
    return (this.#trusted ??= isTrustedProxy(this.connection.clientAddress, this.#owner.clients));
  }

  /** What a trusted proxy says. */
  #clientBehind(): Client | undefined {
    if (!this.#isTrusted()) return undefined;
    return (this.#client ??= clientBehind(this.connection, this.request, this.#owner.clients));
  }

  #isDirectLoopback(): boolean {
    const { connection } = this;
    const { host } = this.headers;
    if (!connection.isLoopback || this.isProxied) return false;
    if (host !== undefined && host === connection.ownHost) return true;
    if (!isOwnHost(host, this.#owner.clients)) return false;
    connection.ownHost = host;
    return true;
  }

  #hold(which: 'calls' | 'replies' | 'requests'): Holding {
    return this.#owner.wholeBodies[which].join(sourceOf(this.clientAddress), () =>
      this.connection.socket.destroy(),
    );
  }

  #askForBody(): void {
    if (!this.expectsContinue || this.response.headersSent) return;
    this.expectsContinue = false;
    this.response.writeContinue();
  }

  /** Tells the owner, once. An exchange whose handler still runs at the socket's end is told by the writer later. */
  end(complete: boolean): void {
    if (this.#ended || this.#reply === undefined) return;
    this.#ended = true;
    this.#requestHeld?.[Symbol.dispose]();
    this.#replyHeld?.[Symbol.dispose]();
    this.#gathered?.[Symbol.dispose]();
    const durationMs = this.#owner.now() - this.startedMs;
    this.#owner.ended(this, {
      request: this,
      reply: this.#reply,
      bytes: this.bytes,
      durationMs,
      complete,
    });
  }
}

/** Browsers say so of what a page asks for; clients of registries don't. */
function isOfPage(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-site'] !== undefined || headers.origin !== undefined;
}

function tooLarge(bytesMax: number): RegistryError {
  return new RegistryError('requestTooLarge', `the request body is larger than ${bytesMax} bytes`);
}

/** The path of a request target; a proxy's absolute form loses its scheme and host (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const scheme = target.indexOf('://');
  if (scheme < 0) return `/${target}`;
  const slash = target.indexOf('/', scheme + 3);
  return slash < 0 ? '/' : target.slice(slash);
}
