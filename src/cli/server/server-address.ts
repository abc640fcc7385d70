import { networkInterfaces } from 'node:os';
import { isLoopbackHost } from '../../domain/names/server-url.ts';
import type { RunningServer } from './run-record.ts';

/** By name or address; what is sent there stays on this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname.endsWith('.localhost') || isLoopbackHost(hostname);
}

/** Whether the URL is an address of that server: where it listens on this machine, or its `publicUrl`. */
export function isAddressOf(url: URL, server: RunningServer): boolean {
  const { listen, publicUrl, everywhere } = server;
  const own = new URL(listen);
  if (publicUrl !== undefined && URL.parse(publicUrl)?.origin === url.origin) return true;
  if (url.protocol !== own.protocol || portOf(url) !== portOf(own)) return false;
  if (url.hostname === own.hostname) return true;
  if (isLoopback(own) && url.hostname === 'localhost') return true;
  return everywhere && (isLoopback(url) || machineAddresses().has(url.hostname));
}

/** With their ports: of `publicUrl`, of `listen`, and the names of loopback where that is one. */
export function hostsOf({ listen, publicUrl }: RunningServer): readonly string[] {
  const own = new URL(listen);
  const loopback = isLoopback(own) ? [`localhost:${portOf(own)}`] : [];
  const shown = publicUrl === undefined ? [] : [new URL(publicUrl).host];
  return [...new Set([...shown, ...loopback, own.host])];
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === 'https:' ? '443' : '80');
}

function machineAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .map(({ family, address }) => (family === 'IPv6' ? `[${address}]` : address)),
  );
}
