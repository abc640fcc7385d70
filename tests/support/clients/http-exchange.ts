import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  /** What stands behind the status. */
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** False where the connection ended before the body did. */
  readonly complete: boolean;
}

export interface HttpQuestion {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sent with Transfer-Encoding: chunked, in two pieces, instead of a length. */
  readonly streamed?: boolean;
  /** The client's own address, one of 127.0.0.0/8. */
  readonly from?: string;
}

/** One exchange over a connection of its own; a broken body is an answer, not an error. */
export function exchange(
  port: number,
  path: string,
  question: HttpQuestion = {},
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const { method = 'GET', headers = {}, body, streamed = false, from } = question;
  const length =
    body === undefined || streamed ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const sent = request(
    {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { ...length, ...headers },
      agent: false,
      ...(from === undefined ? {} : { localAddress: from }),
    },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', () => undefined);
      answer.on('close', () => {
        const bytes = Buffer.concat(chunks);
        resolve({
          status: answer.statusCode ?? 0,
          statusText: answer.statusMessage ?? '',
          headers: answer.headers,
          bytes,
          text: bytes.toString(),
          complete: answer.complete,
        });
      });
    },
  );
  sent.on('error', reject);
  if (streamed) for (const half of halves(Buffer.from(body ?? ''))) sent.write(half);
  sent.end(streamed ? undefined : body);
  return promise;
}

/** In two writes, so that a stream is more than one piece; an empty piece would end it. */
function halves(bytes: Buffer): readonly Buffer[] {
  const middle = Math.floor(bytes.length / 2);
  return [bytes.subarray(0, middle), bytes.subarray(middle)].filter((part) => part.length > 0);
}

/** Sends bytes as they are and answers all that comes until the other side closes. */
export function exchangeRaw(port: number, text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
  return promise;
}
