import type { Asker, Audit } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import {
  defaultAccountSetting,
  parseAccountSettingName,
  requireAccountSetting,
} from '../../domain/names/account-setting.ts';
import type { AccountSettingName } from '../../domain/names/account-setting.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Metadata, RepositoryMetadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Places, RegistryInput } from '../places.ts';

export interface AccountSetting {
  readonly name: string;
  readonly value: string;
}

/** What is set for a registry as a whole. Each throws `RegistryError`. */
export interface RegistrySettingOperations {
  accountSetting(
    asker: Asker,
    input: RegistryInput & { readonly name: string },
  ): Promise<AccountSetting>;
  putAccountSetting(asker: Asker, input: RegistryInput & AccountSetting): Promise<AccountSetting>;
}

export interface RegistrySettingsParts {
  readonly admission: Pick<Admission, 'requireInRegistry'>;
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories'>;
  readonly audit: Audit;
  readonly clock: Clock;
}

const prefix = 'account/';

/** What settings are read from. */
export interface SettingsMetadata {
  readonly repositories: Pick<RepositoryMetadata, 'findRegistrySetting'>;
}

/** As it is in force: what was put last, or the default. */
export async function readAccountSetting(
  { repositories }: SettingsMetadata,
  registry: RegistryKey,
  name: AccountSettingName,
): Promise<string> {
  const stored = await repositories.findRegistrySetting(registry, prefix + name);
  return stored ?? defaultAccountSetting(name);
}

export function createRegistrySettings(parts: RegistrySettingsParts): RegistrySettingOperations {
  const { admission, places, metadata, audit, clock } = parts;
  return {
    accountSetting: async (asker, { name: text, ...input }) => {
      const registry = places.registry(input, asker);
      await admission.requireInRegistry(asker, actions.getAccountSetting, registry);
      const name = parseAccountSettingName(text);
      return { name, value: await readAccountSetting(metadata, registry, name) };
    },
    putAccountSetting: async (asker, { name: text, value, ...input }) => {
      const registry = places.registry(input, asker);
      const action = actions.putAccountSetting;
      await admission.requireInRegistry(asker, action, registry);
      const name = parseAccountSettingName(text);
      requireAccountSetting(name, value);
      const now = clock.now();
      await metadata.repositories.setRegistrySetting({ registry, name: prefix + name, value, now });
      audit.record(changeOf(asker, action, { registry, resource: '' }, { name, value }));
      return { name, value };
    },
  };
}
