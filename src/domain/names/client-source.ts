import { parseIpAddress } from './ip-address.ts';

const textCharactersMax = 128;

/**
 * Whom what clients share is shared out by: an IPv4 address, also where it is written as IPv6, or the first 64 bits of an
 * IPv6 address, which one host has for itself. What is no address stands for itself, cut to 128 characters.
 */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address.slice(0, textCharactersMax);
  const parsed = parseIpAddress(address);
  if (parsed === undefined) return address.slice(0, textCharactersMax);
  if (parsed.version === 4) return parsed.parts.join('.');
  return parsed.parts
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':');
}
