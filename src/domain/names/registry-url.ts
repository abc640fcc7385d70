import type { Registry } from './registry.ts';

const ecrForm = /^\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]{1,64}\.(.+)$/;
/** No name can stand before an address; names below localhost lead to this machine (RFC 6761 §6.3). */
const loopbackAddress = /^(?:127\.[\d.]+|\[::1\])(?=:|$)/;

/**
 * Where registry clients find a registry: home at `base`, the others by a host name of ECR's form below it. Where `base` is of ECR's form
 * itself, it tells them apart by account and region. `base` is this server's URL without a trailing slash.
 */
export function registryUrl(base: string, registry: Registry, isHome: boolean): string {
  const url = URL.parse(base);
  if (url === null) return base;
  const { account, region } = registry;
  const [, fips = '', domain] = ecrForm.exec(url.host) ?? [];
  if (domain !== undefined) return `${url.protocol}//${account}.dkr.ecr${fips}.${region}.${domain}`;
  if (isHome) return base;
  const host = url.host.replace(loopbackAddress, 'localhost');
  return `${url.protocol}//${account}.dkr.ecr.${region}.${host}`;
}

/** Of download URLs; a ticket follows. */
export const layerDownloadPath = '/layers/';

/** What has further parts may be the registry by a path: `/layers/v2/app/tags/list` under a rule `layers`. */
export function isLayerDownload(path: string): boolean {
  return path.startsWith(layerDownloadPath) && !path.includes('/', layerDownloadPath.length);
}
