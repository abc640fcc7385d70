import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Reply } from './reply.ts';

/** Answers bytes that are no HTTP request, where there is still somebody to answer, and ends the connection. */
export function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, text] = answers[error.code ?? ''] ?? [400, 'Bad Request'];
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

const answers: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

/**
 * What is wrong with the host of a request, or `undefined`: Host is there once (RFC 9112 §3.2), and a target in absolute form, as
 * proxies are sent, names the same one. Two readers of one request must not see two servers.
 */
export function hostProblem({ rawHeaders, url, headers }: IncomingMessage): string | undefined {
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

export function badHost(problem: string): Reply {
  return {
    status: 400,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' },
    body: `${problem}\n`,
    note: { route: 'none' },
  };
}
