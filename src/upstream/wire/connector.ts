import type { LookupFunction, Socket } from 'node:net';
import { connect as connectPlain, isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { connect as connectTls, getCACertificates } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '../../ports/clock.ts';
import type { Admission } from '../../domain/names/address-guard.ts';
import {
  admits,
  AddressRefused,
  assertAdmitted,
  classifyAddress,
} from '../../domain/names/address-guard.ts';
import { deadlinesMs } from './deadlines.ts';
import type { Address, Resolver } from './dns.ts';

/** What a TLS connection presents and trusts; all absent: the system's roots and no certificate of ours. */
export interface TlsIdentity {
  /** PEM; trusted beside the system's roots, since a redirect may lead to a public store. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface ConnectorParts {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly tls: TlsIdentity;
  /** Tests map a checked address to the one really dialled. */
  readonly dial: ((address: string) => string) | undefined;
}

/** An undici connector for one origin: looks up by itself, dials admitted addresses alone, and ends after 5 s with DNS and TLS within. */
export function createConnector(parts: ConnectorParts): buildConnector.connector {
  const lookup = guardedLookup(parts);
  const identity = tlsOptions(parts.tls);
  let session: Buffer | undefined;

  return ({ hostname, protocol, port }, callback) => {
    try {
      assertAdmitted(parts.admission, hostname);
    } catch (error) {
      callback(error as Error, null);
      return;
    }
    const secure = protocol === 'https:';
    const common = {
      host: hostname,
      port: Number(port || (secure ? 443 : 80)),
      lookup,
      noDelay: true,
      keepAlive: true,
    };
    const socket: Socket | TLSSocket = secure
      ? connectTls({ ...common, ...identity, session, ALPNProtocols: ['http/1.1'] })
      : connectPlain(common);
    if (secure) socket.on('session', (fresh: Buffer) => (session = fresh));

    const timer = parts.clock.after(deadlinesMs.connect, () =>
      socket.destroy(connectTimeout(hostname)),
    );
    const failed = (error: Error): void => {
      timer[Symbol.dispose]();
      callback(error, null);
    };
    const closed = (): void =>
      failed(Object.assign(new Error('closed while connecting'), { code: 'ECONNRESET' }));
    socket.once('error', failed);
    socket.once('close', closed);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      timer[Symbol.dispose]();
      socket.off('error', failed);
      socket.off('close', closed);
      callback(null, socket);
    });
    socket.once('error', () => socket.off('close', closed));
  };
}

/** Node's lookup contract over our resolver; addresses that the admission excludes are left out, and none left is a refusal. */
function guardedLookup(parts: ConnectorParts): LookupFunction {
  return (hostname, options, callback) => {
    parts.resolver.resolve(hostname).then(
      (found) => {
        const addresses = found.filter(({ address }) =>
          admits(parts.admission, classifyAddress(address) ?? 'never'),
        );
        const [first] = addresses;
        if (first === undefined) {
          callback(
            new AddressRefused(
              'no address is admitted',
              found.map(({ address }) => address),
            ),
            '',
          );
          return;
        }
        const dialled =
          parts.dial === undefined ? addresses : addresses.map((one) => redialled(one, parts.dial));
        if (options.all === true) callback(null, [...dialled]);
        else
          callback(null, dialled[0]?.address ?? first.address, dialled[0]?.family ?? first.family);
      },
      (error: Error) => callback(error, ''),
    );
  };
}

function redialled(address: Address, dial: ((address: string) => string) | undefined): Address {
  const to = dial?.(address.address) ?? address.address;
  return { address: to, family: isIP(to) === 6 ? 6 : 4 };
}

/** Node's options for an identity. */
export function tlsOptions(tls: TlsIdentity): { ca?: string[]; cert?: string; key?: string } {
  return {
    ...(tls.ca === undefined ? {} : { ca: [...getCACertificates('default'), tls.ca] }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}

function connectTimeout(hostname: string): Error {
  return Object.assign(new Error(`connect to ${hostname} timed out`), {
    code: 'UND_ERR_CONNECT_TIMEOUT',
  });
}
