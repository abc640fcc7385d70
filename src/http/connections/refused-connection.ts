import type { Socket } from 'node:net';

/** A connection that came to nothing, and why. */
export interface RefusedConnection {
  /** Of the machine that connected, be it a proxy; empty where it is not known. */
  readonly clientAddress: string;
  readonly reason: RefusalReason;
  /** What TLS or the parser said. */
  readonly message: string;
}

export type RefusalReason =
  /** The client ended the handshake: it does not accept our certificate. */
  | 'certificate'
  /** Both speak TLS, but no version or cipher in common. */
  | 'tlsVersion'
  /** Plain HTTP, sent to a listener of TLS. */
  | 'plainHttp'
  /** TLS, sent to a listener of plain HTTP. */
  | 'tls'
  /** No handshake in time. */
  | 'timeout'
  /** No TLS, and no HTTP either. */
  | 'noise'
  /** As many are open as may be. */
  | 'full'
  /** The system could not hand it over. */
  | 'accept';

const reasons: Readonly<Record<string, RefusalReason>> = {
  ERR_SSL_HTTP_REQUEST: 'plainHttp',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'plainHttp',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'certificate',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'certificate',
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: 'certificate',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tlsVersion',
  ERR_SSL_NO_SHARED_CIPHER: 'tlsVersion',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'tlsVersion',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'tlsVersion',
  ERR_SSL_INAPPROPRIATE_FALLBACK: 'tlsVersion',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
};

/** OpenSSL's error as Node gives it (since OpenSSL 3.2 alerts of SSLv3 are called `SSL/TLS`); `reason` is its text without the place in its source. */
type TlsError = NodeJS.ErrnoException & { readonly reason?: string };

/** What a failed handshake says; `undefined` where the client only went away, as one does that looks whether the port is open. */
export function handshakeRefusal(error: TlsError, failed: Socket): RefusedConnection | undefined {
  const { code = '', reason, message } = error;
  if (code === 'ECONNRESET' || code === 'EPIPE') return undefined;
  return {
    clientAddress: below(failed)?.remoteAddress ?? failed.remoteAddress ?? '',
    reason: reasons[code.replace('SSL/TLS_', 'SSLV3_')] ?? 'noise',
    message: reason ?? message,
  };
}

const tlsHandshakeRecord = 0x16;

/** What bytes that are no HTTP say: only a TLS handshake is worth telling. */
export function parserRefusal(
  error: NodeJS.ErrnoException & { readonly rawPacket?: Uint8Array },
  clientAddress: string,
): RefusedConnection | undefined {
  if (error.rawPacket?.[0] !== tlsHandshakeRecord) return undefined;
  return { clientAddress, reason: 'tls', message: 'a TLS handshake' };
}

const words = 'this port speaks TLS: plain HTTP was sent to it; begin the address with https://';
const body = `${JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: words }] })}\n`;
/** containerd asks by HEAD, and prints the status line alone. */
const plainAnswer =
  `HTTP/1.1 400 Bad Request: ${words}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${body.length}\r\n\r\n${body}`;

/** Answers plain HTTP in its own words; to be called while the failed handshake is being told of. */
export function answerPlainHttp(failed: Socket): void {
  below(failed)?.write(plainAnswer);
}

/** The socket that TLS is spoken over. Node has no public name for it; the tests see that it is there. */
function below(socket: Socket): Socket | undefined {
  return (socket as Socket & { readonly _parent?: Socket })._parent;
}
