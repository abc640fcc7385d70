import type {
  RefusalReason,
  RefusedConnection,
} from '../../http/connections/refused-connection.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { createThrottle } from '../../telemetry/throttle.ts';

/** A client that is set up wrongly, or a health check of a kind that does not fit, comes again and again. */
const onceInMs = 600_000;

const messages: Readonly<Record<RefusalReason, string>> = {
  certificate:
    'a client does not accept the certificate: it must trust its authority, and use a name that it is for',
  tlsVersion:
    'a client has no TLS version or cipher in common with this server, which asks for TLS 1.2',
  plainHttp: 'a client sent plain HTTP to the TLS port: its address must begin with https://',
  tls: 'a client sent TLS to the plain HTTP port: set tls, or have it use http:// (docker: insecure-registries)',
  timeout: 'a client connected and did not finish the TLS handshake in time',
  noise: 'a client sent what is neither TLS nor HTTP',
  full: 'as many connections are open as limits.connections allows: this client, who has most, lost one',
  accept: 'connections cannot be accepted; is it the limit of open files (ulimit -n)?',
};

/** Logs connections that came to nothing: each client's first of a kind, then one in ten minutes with how many there were. */
export function createRefusalLog(
  log: Log,
  clock: Clock,
): (setting: string, refused: RefusedConnection) => void {
  const tell = createThrottle(log.of('http'), clock, onceInMs);
  return (setting, { reason, clientAddress, message }) =>
    tell(`${setting} ${reason} ${clientAddress}`, 'warn', messages[reason], {
      setting,
      ...(clientAddress === '' ? {} : { client: clientAddress }),
      error: message,
    });
}
