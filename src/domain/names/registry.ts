import type { RepositoryName } from './repository-name.ts';

/** One registry: an account in a region. Every metadata and cache key begins with it (ARCHITECTURE.md, "Registries, accounts and rights"). */
export interface Registry {
  /** Twelve digits. */
  readonly account: string;
  readonly region: string;
}

/** `000000000000/us-east-1`: how a registry stands in keys and rows. */
export type RegistryKey = `${string}/${string}`;

/** Names a repository: every key of metadata and memory begins so. */
export interface RepositoryKey {
  readonly registry: RegistryKey;
  readonly repository: RepositoryName;
}

export function registryKey(registry: Registry): RegistryKey {
  return `${registry.account}/${registry.region}`;
}

export function registryOf(key: RegistryKey): Registry {
  const slash = key.indexOf('/');
  return { account: key.slice(0, slash), region: key.slice(slash + 1) };
}

/** A repository's ARN, as policies name it. */
export function repositoryArn(key: RegistryKey, repository: string): string {
  const { account, region } = registryOf(key);
  return `arn:aws:ecr:${region}:${account}:repository/${repository}`;
}

/** Which registries a server has, as the configuration says it. */
export interface RegistrySettings {
  /** The home account, twelve digits. */
  readonly registryId: string;
  /** The first is home; `any`: each is a registry of its own, us-east-1 is home. */
  readonly regions: readonly string[] | 'any';
}

export function homeRegistryOf({ registryId, regions }: RegistrySettings): RegistryKey {
  return registryKey({ account: registryId, region: homeRegionOf(regions) });
}

/** The account's registry in the region of the home registry: where changes of its principals are asked about and audited. */
export function besideHome(home: RegistryKey, account: string): RegistryKey {
  return registryKey({ account, region: registryOf(home).region });
}

/** The registry that is meant by an account and a region: a region that is no registry of its own is home's. */
export function registryIn(
  { regions }: Pick<RegistrySettings, 'regions'>,
  { account, region }: Registry,
): RegistryKey {
  const own = regions === 'any' || regions.includes(region);
  return registryKey({ account, region: own ? region : homeRegionOf(regions) });
}

export function homeRegionOf(regions: RegistrySettings['regions']): string {
  return regions === 'any' ? 'us-east-1' : (regions[0] ?? 'us-east-1');
}
