import { STATUS_CODES } from 'node:http';
import type { ByteSource } from '../domain/byte-source.ts';
import type { BodySender } from './bodies/body.ts';
import type { Exchange } from './exchange.ts';
import { heldBody } from './bodies/held-body.ts';
import { linger, passOver } from './connections/linger.ts';
import type { ReplyNote } from '../domain/served.ts';
import type { Reply } from './reply.ts';
import type { Timer } from './timer.ts';

/** Bodies up to this many bytes go out as one string with their headers: one system call, no buffer of their own. */
export const joinedBytesMax: number = 16 * 1024;
/**
 * What is made whole and longer than this takes part in the memory of replies, and in the read buffers: a client that stops reading
 * pins it, while the system takes in all of a shorter one. Behind other replies of its connection even a short one stays in memory.
 */
const freeBytesMax = 64 * 1024;
const freeBytesMaxBehind = 4 * 1024;
/** A request body up to this many bytes that nobody read is passed over; beyond that the connection ends. */
const unreadBytesMax = 64 * 1024;

export interface WriterOptions {
  readonly bodies: BodySender;
  readonly timer: Timer;
  /** What is answered to an error that comes before the first byte of a body, or instead of a reply. */
  readonly replyTo: (error: unknown, exchange: Exchange, note: ReplyNote) => Reply;
  /** True once the server stops: replies then say `Connection: close`. */
  readonly closing: () => boolean;
  /** A body broke after its headers were sent, or a reply could not be written. */
  readonly onBroken: (error: unknown, exchange: Exchange) => void;
}

/** Writes replies: the only code that opens a `ByteSource`, and the only caller of a response's methods. */
export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  write(exchange: Exchange, reply: Reply): void {
    this.#write(exchange, reply, false);
  }

  /** `isFailure`: of the reply before. It is short, and goes out whatever memory is used. */
  #write(exchange: Exchange, reply: Reply, isFailure: boolean): void {
    exchange.replyWith(reply);
    if (exchange.closed) return exchange.end(false);
    const { body } = reply;
    const length = lengthOf(reply, exchange.method);
    const silent = exchange.method === 'HEAD' || bodyless(reply.status);
    try {
      if (silent || body === undefined) this.#writeWhole(exchange, reply, undefined, length);
      else if (typeof body !== 'string' && !(body instanceof Uint8Array))
        void this.#writeSource(exchange, reply, length, () => body);
      else if (isFailure || isFree(exchange, length))
        this.#writeWhole(exchange, reply, body, length);
      else {
        const held = (): ByteSource => hold(exchange, reply, body, length ?? 0);
        void this.#writeSource(exchange, reply, length, held);
      }
    } catch (error) {
      this.#options.onBroken(error, exchange);
      if (exchange.response.headersSent) exchange.connection.socket.destroy();
      else this.#writeFailure(exchange, reply, error);
    }
  }

  #writeFailure(exchange: Exchange, { note }: Reply, error: unknown): void {
    this.#write(exchange, this.#options.replyTo(error, exchange, note), true);
  }

  #head(exchange: Exchange, reply: Reply, length: number | undefined): void {
    const { response } = exchange;
    const ends = this.#options.closing() || (exchange.bodyUnread && !smallUnread(exchange));
    const fields = fieldsOf(exchange.id, reply, length, ends);
    if (reply.statusText === undefined) response.writeHead(reply.status, fields);
    else response.writeHead(reply.status, phraseOf(reply.status, reply.statusText), fields);
  }

  /** Headers and body in one go; `body` is left out where only its length is told. */
  #writeWhole(
    exchange: Exchange,
    reply: Reply,
    body: string | Uint8Array | undefined,
    length: number | undefined,
  ): void {
    this.#head(exchange, reply, length);
    exchange.sending();
    const { response } = exchange;
    const finished = (): void => {
      if (body !== undefined) exchange.bytes += length ?? 0;
      exchange.end(true);
    };
    if (exchange.bodyUnread) this.#finishUnread(exchange, asBytes(reply, body), finished);
    else if (body === undefined || length === 0) response.end(finished);
    else if (reply.encoding !== undefined) response.end(body, reply.encoding, finished);
    else if (typeof body !== 'string' && body.length <= joinedBytesMax)
      response.end(latin1Text(body), 'latin1', finished);
    else response.end(body, finished);
  }

  /** The answer to a request whose body was not read to its end; a response waiting behind others is ended as usual. */
  #finishUnread(
    exchange: Exchange,
    body: string | Uint8Array | undefined,
    finished: () => void,
  ): void {
    const { response } = exchange;
    const { timer } = this.#options;
    if (smallUnread(exchange) || response.socket === null) {
      passOver(exchange, timer);
      response.end(body, finished);
      return;
    }
    if (body === undefined || body.length === 0) response.flushHeaders();
    else response.write(body);
    linger(exchange, timer, finished);
  }

  async #writeSource(
    exchange: Exchange,
    reply: Reply,
    length: number | undefined,
    make: () => ByteSource,
  ): Promise<void> {
    const { bodies, timer, onBroken } = this.#options;
    const span = reply.status === 206 ? reply.span : undefined;
    try {
      await bodies.send(exchange, make(), span, () => this.#head(exchange, reply, length));
    } catch (error) {
      if (exchange.closed || exchange.response.headersSent) {
        if (!exchange.closed) exchange.connection.socket.destroy();
        if (!exchange.isLeaving(error)) onBroken(error, exchange);
        exchange.end(false);
      } else this.#writeFailure(exchange, reply, error);
      return;
    }
    if (exchange.closed) return exchange.end(false);
    if (exchange.bodyUnread) passOver(exchange, timer);
    exchange.response.end(() => exchange.end(true));
  }
}

/** `503 Service Unavailable: upstream cannot be reached` (RFC 9112 §4: a reason phrase means nothing to clients but text). */
function phraseOf(status: number, text: string): string {
  return `${STATUS_CODES[status] ?? 'Error'}: ${text}`;
}

/** Names and values in turn, which Node sends as they are. */
function fieldsOf(
  id: string,
  { headers }: Reply,
  length: number | undefined,
  ends: boolean,
): string[] {
  const fields: string[] = ['X-Request-Id', id];
  for (const name in headers) fields.push(name, headers[name] ?? '');
  if (length !== undefined) fields.push('Content-Length', String(length));
  if (ends) fields.push('Connection', 'close');
  return fields;
}

function asBytes(
  { encoding }: Reply,
  body: string | Uint8Array | undefined,
): string | Uint8Array | undefined {
  return encoding !== undefined && typeof body === 'string' ? Buffer.from(body, encoding) : body;
}

/** The body of a reply whose `encoding` is `latin1`. */
export function latin1Text(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
}

function isFree({ response }: Exchange, length = 0): boolean {
  return length <= (response.socket === null ? freeBytesMaxBehind : freeBytesMax);
}

function hold(
  exchange: Exchange,
  { encoding }: Reply,
  body: string | Uint8Array,
  length: number,
): ByteSource {
  return heldBody(body, encoding, length, exchange.holdReply(body, length));
}

function bodyless(status: number): boolean {
  return status === 204 || status === 304;
}

/** Content-Length as it is to be sent; `undefined`: chunked, or a HEAD whose handler says it where it is known. */
function lengthOf(reply: Reply, method: string): number | undefined {
  const { body, status, encoding } = reply;
  if (status === 204 || status === 304) return undefined;
  if (body === undefined && status === 416) return 0;
  if (body === undefined) return method === 'HEAD' ? undefined : 0;
  if (typeof body === 'string')
    return encoding === undefined ? Buffer.byteLength(body) : body.length;
  if (body instanceof Uint8Array) return body.length;
  return reply.status === 206 && reply.span !== undefined
    ? reply.span.end - reply.span.start + 1
    : body.size;
}

function smallUnread(exchange: Exchange): boolean {
  const announced = exchange.headers['content-length'];
  return (
    announced !== undefined && Number(announced) <= unreadBytesMax && !exchange.expectsContinue
  );
}
