/** One registry: an account in a region. Every metadata and cache key begins with it (design.md §6). */
export interface Registry {
  /** Twelve digits. */
  readonly account: string;
  readonly region: string;
}

/** `000000000000/us-east-1`: how a registry stands in keys and rows. */
export type RegistryKey = `${string}/${string}`;

export function registryKey(registry: Registry): RegistryKey {
  return `${registry.account}/${registry.region}`;
}

/** The registry of a server with no accounts yet. */
export const homeRegistry: RegistryKey = registryKey({
  account: '000000000000',
  region: 'us-east-1',
});
