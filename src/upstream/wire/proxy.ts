import { BlockList, isIP } from 'node:net';

/** The environment variables that name proxies; the lower-case spelling wins, as with curl. */
export interface ProxyEnvironment {
  readonly HTTP_PROXY?: string | undefined;
  readonly HTTPS_PROXY?: string | undefined;
  readonly NO_PROXY?: string | undefined;
  readonly http_proxy?: string | undefined;
  readonly https_proxy?: string | undefined;
  readonly no_proxy?: string | undefined;
}

/** Which proxy a URL goes through; `undefined`: none. Throws on a proxy URL that is none. */
export type ProxyChoice = (url: URL) => string | undefined;

export function createProxyChoice(env: ProxyEnvironment): ProxyChoice {
  const plain = parseProxy(env.http_proxy || env.HTTP_PROXY);
  const secure = parseProxy(env.https_proxy || env.HTTPS_PROXY);
  const exceptions = (env.no_proxy || env.NO_PROXY || '')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  return (url) => {
    const proxy = url.protocol === 'https:' ? secure : plain;
    return proxy === undefined || exceptions.some((entry) => isExcepted(url, entry))
      ? undefined
      : proxy;
  };
}

function parseProxy(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const written = text.includes('://') ? text : `http://${text}`;
  const url = URL.parse(written);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new Error('HTTP_PROXY or HTTPS_PROXY is no http(s) URL');
  return url.href;
}

/** `*`, a host, a domain with or without a leading dot (its subdomains count), any of these with a port, an address or a CIDR block. */
function isExcepted(url: URL, entry: string): boolean {
  if (entry === '*') return true;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (entry.includes('/')) return isIP(host) !== 0 && isInBlock(host, entry);
  const { name, port } = splitPort(entry.toLowerCase());
  const ownPort = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (port !== undefined && port !== ownPort) return false;
  const bare = name.replace(/^\*?\./, '');
  return host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`));
}

function splitPort(entry: string): { readonly name: string; readonly port: string | undefined } {
  if (isIP(entry) !== 0) return { name: entry, port: undefined };
  const found = /^(?:\[(?<six>.+)\]|(?<name>[^:]+))(?::(?<port>\d+))?$/.exec(entry)?.groups;
  return { name: found?.['six'] ?? found?.['name'] ?? entry, port: found?.['port'] };
}

function isInBlock(address: string, entry: string): boolean {
  const [network = '', bits = ''] = entry.split('/');
  const version = isIP(network);
  if (version === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128))
    return false;
  const block = new BlockList();
  block.addSubnet(network, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  return block.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}
