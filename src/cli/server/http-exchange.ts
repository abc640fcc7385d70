import { request as requestPlain } from 'node:http';
import type { RequestOptions } from 'node:https';
import { request as requestSecure } from 'node:https';

/** Bytes of an answer that are read. */
const answerBytesMax = 64 * 1024 * 1024;

export interface Exchange {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** PEM of the one certificate that is accepted, whatever name it carries; absent: the system's roots decide. */
  readonly pinnedCertificate?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** One request, its answer read whole. Throws the system's error, or the signal's reason. */
export function exchange(input: Exchange, signal: AbortSignal): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options: RequestOptions = {
    method: input.method,
    headers: {
      ...input.headers,
      ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    agent: false,
    signal,
    ...(input.pinnedCertificate === undefined ? {} : pinTo(input.pinnedCertificate)),
  };
  const send = input.url.protocol === 'https:' ? requestSecure : requestPlain;
  const request = send(input.url, options, (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > answerBytesMax) response.destroy(new Error('the answer is too large'));
      else chunks.push(chunk);
    });
    response.on('error', reject);
    response.on('end', () =>
      resolve({
        status: response.statusCode ?? 0,
        contentType: response.headers['content-type'] ?? '',
        text: Buffer.concat(chunks).toString('utf8'),
      }),
    );
  });
  request.on('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
  request.end(input.body);
  return promise;
}

/** The server's own certificate, read from its configuration: it proves the server better than a name would. */
function pinTo(certificate: string): RequestOptions {
  return {
    ca: certificate,
    allowPartialTrustChain: true,
    checkServerIdentity: () => undefined,
  };
}
