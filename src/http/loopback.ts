import { isLoopbackAddress, parseIpAddress } from '../domain/names/ip-address.ts';

/**
 * A loopback address, but nobody on this machine: asked for another host, as a page of a foreign site is whose name leads here (DNS
 * rebinding), or behind a proxy that is not known.
 */
export function isMisdirected(request: {
  readonly clientAddress: string;
  readonly isLoopback: boolean;
}): boolean {
  return !request.isLoopback && isLoopbackAddress(request.clientAddress);
}

/** `localhost`, what lies under it, and any IP literal: names that nobody's DNS can lead here. In lower case, without a port. */
export function isLoopbackName(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true;
  return parseIpAddress(hostname) !== undefined;
}

/** The host of `host:port` in lower case, without brackets or a final dot; `undefined` where it is no host. */
export function hostnameOf(host: string): string | undefined {
  const [, bracketed, bare] =
    /^(?:\[([^\]]+)\]|([^.:[\]\s][^:[\]\s]*))(?::\d{0,5})?$/.exec(host) ?? [];
  const name = bracketed ?? bare;
  return name?.toLowerCase().replace(/\.$/, '');
}
