import { parseIp, sharesPrefix } from './ip-address.ts';

/** `never`: link-local, metadata, unspecified, multicast. `loopback` and `private` need an admission. */
export type AddressClass = 'public' | 'private' | 'loopback' | 'never';

/** What a hop may dial: `any` for the host that the operator wrote, else the widest class besides `public`. */
export type Admission = 'any' | 'loopback' | 'private' | 'public';

/** An address that a redirect or a realm must not lead to (ARCHITECTURE.md, "Where a rule leads"). */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  /** What DNS answered, for the operator alone; empty where nothing was looked up. */
  readonly addresses: readonly string[];

  constructor(message: string, addresses: readonly string[] = []) {
    super(message);
    this.addresses = addresses;
  }
}

/** The class of an IP literal, brackets allowed; IPv4 inside of IPv6 counts as itself. `undefined` for what is no literal. */
export function classifyAddress(text: string): AddressClass | undefined {
  const address = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const parsed = parseIp(address);
  if (parsed === undefined) return undefined;
  return parsed.version === 4 ? classifyFour(parsed.parts) : classifySix(parsed.parts);
}

/** The class of a host without asking DNS: literals, and the names that mean this machine or a cloud's metadata. */
export function classifyHost(hostname: string): AddressClass | undefined {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return 'loopback';
  if (metadataNames.has(name)) return 'never';
  return classifyAddress(name);
}

const metadataNames: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'instance-data.ec2.internal',
]);

export function admits(admission: Admission, address: AddressClass): boolean {
  if (admission === 'any' || address === 'public') return true;
  if (address === 'never' || admission === 'public') return false;
  return address === 'private' || admission === 'loopback';
}

/** Throws `AddressRefused` where the host is known, without DNS, to be one that the admission excludes. */
export function assertAdmitted(admission: Admission, hostname: string): void {
  const known = classifyHost(hostname);
  if (known !== undefined && !admits(admission, known))
    throw new AddressRefused(`the address is ${known}`);
}

type Block = readonly [network: readonly number[], bits: number, is: AddressClass];

const fourBlocks: readonly Block[] = [
  [[127, 0, 0, 0], 8, 'loopback'],
  [[10, 0, 0, 0], 8, 'private'],
  [[172, 16, 0, 0], 12, 'private'],
  [[192, 168, 0, 0], 16, 'private'],
  // Alibaba Cloud's metadata service lies inside of the shared address space of RFC 6598.
  [[100, 100, 100, 200], 32, 'never'],
  [[100, 64, 0, 0], 10, 'private'],
  // AWS, Azure, Google and others: link-local. 168.63.129.16 is Azure's wire server, 192.0.0.192 Oracle's metadata.
  [[169, 254, 0, 0], 16, 'never'],
  [[168, 63, 129, 16], 32, 'never'],
  [[192, 0, 0, 192], 32, 'never'],
  [[192, 0, 0, 0], 24, 'private'],
  [[198, 18, 0, 0], 15, 'private'],
  [[0, 0, 0, 0], 8, 'never'],
  [[224, 0, 0, 0], 3, 'never'],
];

function classifyFour(octets: readonly number[]): AddressClass {
  return (
    fourBlocks.find(([network, bits]) => sharesPrefix(octets, network, bits, 8))?.[2] ?? 'public'
  );
}

const sixBlocks: readonly Block[] = [
  [[0, 0, 0, 0, 0, 0, 0, 1], 128, 'loopback'],
  [[0, 0, 0, 0, 0, 0, 0, 0], 128, 'never'],
  [[0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, 'never'],
  [[0xff00, 0, 0, 0, 0, 0, 0, 0], 8, 'never'],
  [[0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0], 32, 'never'],
  [[0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254], 128, 'never'],
  [[0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, 'private'],
  [[0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, 'private'],
];

function classifySix(groups: readonly number[]): AddressClass {
  const found = sixBlocks.find(([network, bits]) => sharesPrefix(groups, network, bits, 16));
  if (found !== undefined) return found[2];
  const inner = embeddedFour(groups);
  return inner === undefined ? 'public' : classifyFour(inner);
}

/** The IPv4 address inside of a mapped, compatible, translated (NAT64) or 6to4 one. */
function embeddedFour(groups: readonly number[]): readonly number[] | undefined {
  const zeros = (count: number): boolean => groups.slice(0, count).every((group) => group === 0);
  if (zeros(5) && (groups[5] === 0xffff || groups[5] === 0)) return splitGroups(groups, 6);
  if (zeros(4) && groups[4] === 0xffff && groups[5] === 0) return splitGroups(groups, 6);
  if (groups[0] === 0x64 && groups[1] === 0xff9b) return splitGroups(groups, 6);
  if (groups[0] === 0x2002) return splitGroups(groups, 1);
  return undefined;
}

function splitGroups(groups: readonly number[], at: number): readonly number[] {
  return groups.slice(at, at + 2).flatMap((group) => [group >> 8, group & 255]);
}
