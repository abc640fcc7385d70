/** An IP address in its parts: four octets, or eight groups of 16 bits. */
export interface IpAddress {
  readonly version: 4 | 6;
  readonly parts: readonly number[];
}

/** A network: the first `bits` of its address count. */
export interface IpBlock extends IpAddress {
  readonly bits: number;
}

/** The longest address: eight groups, or six and four octets. */
const addressCharactersMax = 45;

/** Reads an address as it is written; a zone (`%eth0`) is dropped, an IPv4 address inside of an IPv6 one stays there. */
export function parseIp(text: string): IpAddress | undefined {
  const zoneAt = text.indexOf('%');
  const bare = zoneAt < 0 ? text : text.slice(0, zoneAt);
  if (bare.length > addressCharactersMax) return undefined;
  if (zoneAt >= 0 && !/^%[\w.:-]+$/.test(text.slice(zoneAt))) return undefined;
  const octets = zoneAt < 0 ? octetsOf(bare) : undefined;
  if (octets !== undefined) return { version: 4, parts: octets };
  const groups = groupsOf(bare);
  return groups === undefined ? undefined : { version: 6, parts: groups };
}

/** The same, with IPv4 in its mapped form (`::ffff:10.0.0.1`) read as IPv4: a listener on `::` sees its clients so. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const address = parseIp(text);
  if (address === undefined || !isMapped(address)) return address;
  return { version: 4, parts: fourOf(address.parts) };
}

/** `10.0.0.0/8`, `2001:db8::/32`, or one address. Bits behind the prefix don't matter. */
export function parseIpBlock(text: string): IpBlock | undefined {
  const match = /^([^/%]{2,45})(?:\/(0|[1-9]\d{0,2}))?$/.exec(text);
  if (match === null) return undefined;
  const address = parseIp(match[1] ?? '');
  if (address === undefined) return undefined;
  const width = address.version === 4 ? 32 : 128;
  const bits = match[2] === undefined ? width : Number(match[2]);
  if (bits > width) return undefined;
  if (isMapped(address) && bits >= 96)
    return { version: 4, parts: fourOf(address.parts), bits: bits - 96 };
  return { ...address, bits };
}

/** Never across versions: `::/0` holds no IPv4 address. */
export function isInBlock(address: IpAddress, block: IpBlock): boolean {
  if (address.version !== block.version) return false;
  return sharesPrefix(address.parts, block.parts, block.bits, address.version === 4 ? 8 : 16);
}

/** Whether the first `bits` are the same; each part holds `width` of them. */
export function sharesPrefix(
  parts: readonly number[],
  network: readonly number[],
  bits: number,
  width: 8 | 16,
): boolean {
  return network.every((part, index) => {
    const covered = Math.min(Math.max(bits - index * width, 0), width);
    const mask = ((1 << covered) - 1) << (width - covered);
    return ((parts[index] ?? 0) & mask) === (part & mask);
  });
}

function isMapped(address: IpAddress): boolean {
  return address.version === 6 && sharesPrefix(address.parts, [0, 0, 0, 0, 0, 0xffff], 96, 16);
}

function fourOf(groups: readonly number[]): readonly number[] {
  return groups.slice(6).flatMap((group) => [group >> 8, group & 255]);
}

/** Leading zeros are refused: to some they mean octal. */
function octetsOf(text: string): readonly number[] | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)) return undefined;
  const octets = text.split('.').map(Number);
  return octets.every((octet) => octet <= 255) ? octets : undefined;
}

function groupsOf(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = '', tail] = halves;
  const left = groupsOfHalf(head, tail === undefined);
  const right = tail === undefined ? [] : groupsOfHalf(tail, true);
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  return [...left, ...Array<number>(missing).fill(0), ...right];
}

/** Only the end of an address may be written as IPv4. */
function groupsOfHalf(text: string, isEnd: boolean): readonly number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const words = text.split(':');
  for (const [index, word] of words.entries()) {
    const octets = isEnd && index === words.length - 1 ? octetsOf(word) : undefined;
    if (octets !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = octets;
      groups.push((a << 8) | b, (c << 8) | d);
    } else if (/^[\da-f]{1,4}$/i.test(word)) {
      groups.push(Number.parseInt(word, 16));
    } else {
      return undefined;
    }
  }
  return groups.length > 8 ? undefined : groups;
}

/** 127.0.0.0/8 and ::1, also as an IPv6 listener sees them. */
export function isLoopbackAddress(address: string): boolean {
  // The two that nearly all have.
  if (address === '127.0.0.1' || address === '::1') return true;
  const parsed = parseIpAddress(address);
  if (parsed === undefined) return false;
  const { version, parts } = parsed;
  if (version === 4) return parts[0] === 127;
  return parts.every((part, index) => part === (index === 7 ? 1 : 0));
}
