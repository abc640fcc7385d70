import type { IncomingHttpHeaders } from 'node:http';
import type { ByteSource, ByteSpan, ByteStream } from '../domain/byte-source.ts';
import type { ReplyNote } from '../domain/served.ts';

/** What a handler sees of a request. */
export interface Incoming {
  /** Sent back as X-Request-Id and logged. */
  readonly id: string;
  readonly method: string;
  /** The raw path, before any `?`; not decoded. */
  readonly path: string;
  /** The raw query, after the `?`; empty where there is none. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** The header lines as they came: names and values in turn, each character a byte. */
  readonly rawHeaders: readonly string[];
  /** The connection's, or whom a proxy of `trustedProxies` names. */
  readonly clientAddress: string;
  /** True where the client speaks TLS, to this listener or to a trusted proxy. */
  readonly secure: boolean;
  /** As the client named this server, its port included: Host, or a trusted proxy's X-Forwarded-Host. */
  readonly host: string | undefined;
  /**
   * Somebody on this machine, and no foreign page that a browser of it shows: the address is loopback, no unknown proxy stands between,
   * and the host is a name of loopback, an IP literal or one of this server's own names.
   */
  readonly isLoopback: boolean;
  /** Its headers, or HTTP/1.0, say that a proxy stands between, which is none of `trustedProxies`. */
  readonly isProxied: boolean;
  /** Aborts when the client goes away; a getter that makes the signal on first use. */
  readonly signal: AbortSignal;
  /** Bytes announced by Content-Length; `undefined` where there is none: a streamed body, or no body at all. */
  readonly bodyBytes: number | undefined;
  /**
   * The request's body as it comes, read no faster than it is consumed; chunks may be reused by nobody else. Answers
   * `100-continue` at the first read. Ends at the body's end; throws `ClientLeft` when the socket closes before it,
   * `sizeInvalid` never (Node counts Content-Length itself). At most once, and not beside `readBody`.
   */
  readonly body: ByteStream;
  /** Reads a request's body whole; throws `requestTooLarge` beyond `bytesMax`, `unavailable` where bodies so read hold too much memory already. */
  readBody(bytesMax: number): Promise<Uint8Array>;
  /**
   * Reads the body of a call of the AWS APIs, for which there is a memory of its own: throws `tooManyRequests` where that is used up.
   * Its chunks, of which `onChunk` is told as they come, are there until the reply is out, then their memory is freed.
   */
  readCall(bytesMax: number, onChunk: (chunk: Uint8Array) => void): Promise<readonly Uint8Array[]>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Printable ASCII that is put behind the status in the status line: some clients print nothing else of an answer without a body. */
  readonly statusText?: string;
  /** Never written for HEAD, 204 and 304; Content-Length is the writer's, from the body or the span, except for HEAD replies that set it. */
  readonly body?: string | Uint8Array | ByteSource;
  /** `latin1`: each character of the string body is a byte, so that one that is sent again and again is made once. */
  readonly encoding?: 'latin1';
  /** With a `ByteSource` and status 206: the span to send. */
  readonly span?: ByteSpan;
  readonly note: ReplyNote;
  /** Who asked, as the audit has it; absent for anonymous, unless it was refused something. */
  readonly principal?: string;
  /** The note will be told again, the same object each time: what is made of it may be kept as long as it lives. */
  readonly repeats?: boolean;
}

/** Answers at once where nothing has to be waited for. */
export type Handler = (request: Incoming) => Reply | Promise<Reply>;
