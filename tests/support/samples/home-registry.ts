import { registryKey } from '../../../src/domain/names/registry.ts';
import type { RegistryKey } from '../../../src/domain/names/registry.ts';

/** The home registry where the configuration names none. */
export const homeRegistry: RegistryKey = registryKey({
  account: '000000000000',
  region: 'us-east-1',
});
