import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import { homeRegionOf, homeRegistryOf, registryKey } from '../../domain/names/registry.ts';

/** The registry that a host name means, and whether it is a name of ECR's form. */
export interface HostRegistry {
  readonly registry: RegistryKey;
  readonly ecr: boolean;
}

const ecrHost = /^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]{1,64})\.[a-z0-9.-]{1,200}(?::\d{1,5})?$/;
const ecrMark = /\.dkr\.ecr/i;
const hostsMax = 1000;
const hostCharactersMax = 300;

/** A host of the form `<account>.dkr.ecr.<region>.<domain>` selects a registry; a region that is no registry of its own is home (ARCHITECTURE.md, "Registries, accounts and rights"). */
export function registryOfEcrHost(
  host: string,
  { regions, registryId }: RegistrySettings,
): RegistryKey | undefined {
  const match = ecrHost.exec(host.toLowerCase());
  if (match === null) return undefined;
  const [, account = registryId, asked = ''] = match;
  const own = regions === 'any' || regions.includes(asked);
  return registryKey({ account, region: own ? asked : homeRegionOf(regions) });
}

/** The registry of a request's Host; every other form of host is home. */
export function createHostReader(
  settings: () => RegistrySettings,
): (host: string | undefined) => HostRegistry {
  const known = new LRUCache<string, HostRegistry>(atMost(hostsMax));
  let readUnder: RegistrySettings | undefined;
  let home: HostRegistry | undefined;
  return (host) => {
    const current = settings();
    if (home === undefined || readUnder !== current) {
      known.clear();
      readUnder = current;
      home = { registry: homeRegistryOf(current), ecr: false };
    }
    if (host === undefined || host.length > hostCharactersMax || !ecrMark.test(host)) return home;
    const kept = known.get(host);
    if (kept !== undefined) return kept;
    const registry = registryOfEcrHost(host, current);
    const read = registry === undefined ? home : { registry, ecr: true };
    known.set(host, read);
    return read;
  };
}
