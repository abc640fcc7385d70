import { isIPv4, isIPv6 } from 'node:net';
import type { ListenAddress } from '../config.ts';

const hostName = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62}(?:\.[a-zA-Z0-9-]{1,63}){0,8})$/;

/** `127.0.0.1:5000`, `[::1]:5000`, `localhost:0`, and `:5000` for every address, whose `host` is empty. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([^\]]{2,64})\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, bare = '', digits] = match;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  if (bare === '') return { host: '', port };
  // All digits and dots, but no address: a slip, not a name.
  const fits = /^[\d.]+$/.test(bare) ? isIPv4(bare) : hostName.test(bare);
  return fits ? { host: bare, port } : undefined;
}

/** What `parseListenAddress` reads back as the same. */
export function formatListenAddress(address: ListenAddress): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Whether two listeners can't both be bound. */
export function listensTwice(a: ListenAddress, b: ListenAddress): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  return (
    a.host === b.host ||
    [a.host, b.host].some((host) => host === '' || host === '::' || host === '0.0.0.0')
  );
}
