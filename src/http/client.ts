import type { IncomingHttpHeaders } from 'node:http';
import type { IpBlock } from '../domain/names/ip-address.ts';
import { isInBlock, parseIpAddress } from '../domain/names/ip-address.ts';
import { isLoopbackAddress } from '../domain/names/ip-address.ts';
import { hostnameOf, isLoopbackName } from './loopback.ts';

/** What a listener knows of whom it serves: from the configuration in force. */
export interface ClientRules {
  /** Proxies whose X-Forwarded-For, -Proto and -Host are believed. */
  readonly trustedProxies: () => readonly IpBlock[];
  /** Whether a host name, without its port, is one of this server's own beside those of loopback. */
  readonly isOwnName: (hostname: string) => boolean;
}

/** Nobody stands before this listener, and it has no names. */
export const noClientRules: ClientRules = { trustedProxies: () => [], isOwnName: () => false };

/** The other end of a connection. */
export interface Peer {
  readonly clientAddress: string;
  /** Over TLS. */
  readonly secure: boolean;
}

/** Who sent a request, as a trusted proxy says. */
export interface Client {
  readonly address: string;
  readonly secure: boolean;
  /** As the client named this server, its port included; `undefined` where it did not. */
  readonly host: string | undefined;
  readonly isLoopback: boolean;
}

interface Head {
  readonly headers: IncomingHttpHeaders;
  readonly httpVersion: string;
}

/** At most so many addresses of X-Forwarded-For are looked at, from the right. */
const hopsMax = 32;
const hostForm = /^(?:\[[\da-fA-F:.]{2,45}\]|[\w.-]{1,253})(?::\d{1,5})?$/;

/** Headers that a proxy sets, and HTTP/1.0, which of all that ask a registry only proxies speak: nginx, unless it is told otherwise. */
export function isForwarded({ headers, httpVersion }: Head): boolean {
  return (
    headers['x-forwarded-for'] !== undefined ||
    headers.forwarded !== undefined ||
    headers.via !== undefined ||
    headers['x-forwarded-host'] !== undefined ||
    headers['x-forwarded-proto'] !== undefined ||
    headers['x-real-ip'] !== undefined ||
    httpVersion === '1.0'
  );
}

export function isTrustedProxy(address: string, { trustedProxies }: ClientRules): boolean {
  const blocks = trustedProxies();
  return blocks.length > 0 && isIn(address, blocks);
}

/** Whether a host, with or without its port, is a name of loopback, an IP literal or one of this server's own names: DNS rebinding has only foreign ones. */
export function isOwnHost(host: string | undefined, rules: ClientRules): boolean {
  const hostname = host === undefined ? undefined : hostnameOf(host);
  return hostname !== undefined && (isLoopbackName(hostname) || rules.isOwnName(hostname));
}

/**
 * The client behind a trusted proxy: the rightmost address of X-Forwarded-For that is no trusted proxy's, and of -Proto and -Host what
 * stands as far from the right, or the only value. What is absent or can't be read is the connection's own; a client whose address is
 * not told is not on this machine, and one that a proxy elsewhere calls loopback is on that proxy's.
 */
export function clientBehind(peer: Peer, { headers }: Head, rules: ClientRules): Client {
  const hop = clientHop(peer.clientAddress, headers['x-forwarded-for'], rules.trustedProxies());
  const proto = forwardedAt(headers['x-forwarded-proto'], hop.fromRight)?.toLowerCase();
  const named = forwardedAt(headers['x-forwarded-host'], hop.fromRight);
  const host = named !== undefined && hostForm.test(named) ? named : headers.host;
  return {
    address: hop.address,
    secure: proto === 'https' || (proto !== 'http' && peer.secure),
    host,
    isLoopback: hop.isLocal && isLoopbackAddress(hop.address) && isOwnHost(host, rules),
  };
}

interface Hop {
  readonly address: string;
  /** Its place in the list: 0 is the last one. */
  readonly fromRight: number;
  /** The proxies say whom they ask for, and all of them are on this machine. */
  readonly isLocal: boolean;
}

function clientHop(
  peer: string,
  header: string | readonly string[] | undefined,
  trusted: readonly IpBlock[],
): Hop {
  const listed = listOf(header).slice(-hopsMax).toReversed();
  let last: Hop = { address: peer, fromRight: 0, isLocal: false };
  for (const [fromRight, entry] of listed.entries()) {
    const address = addressIn(entry);
    if (address === undefined) return { ...last, isLocal: false };
    const by = last.address;
    const isLocal = isLoopbackAddress(by) && (fromRight === 0 || last.isLocal);
    last = { address, fromRight, isLocal };
    if (!isIn(address, trusted)) break;
  }
  return last;
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`; nothing else. */
function addressIn(entry: string): string | undefined {
  const bare =
    /^\[([^\]]*)\](?::\d{1,5})?$/.exec(entry)?.[1] ??
    /^([\d.]+):\d{1,5}$/.exec(entry)?.[1] ??
    entry;
  return !bare.includes('%') && parseIpAddress(bare) !== undefined ? bare.toLowerCase() : undefined;
}

function forwardedAt(
  header: string | readonly string[] | undefined,
  fromRight: number,
): string | undefined {
  const values = listOf(header);
  return values.at(-1 - Math.min(fromRight, values.length - 1));
}

/** Node joins the values of a header that comes several times. */
function listOf(header: string | readonly string[] | undefined): readonly string[] {
  if (header === undefined) return [];
  const text = typeof header === 'string' ? header : header.join(',');
  return text.split(',').map((each) => each.trim());
}

function isIn(address: string, blocks: readonly IpBlock[]): boolean {
  const parsed = parseIpAddress(address);
  return parsed !== undefined && blocks.some((block) => isInBlock(parsed, block));
}
