import { RegistryError } from '../errors.ts';

/** Settings of a registry that are no configuration of their own, as ECR's account settings; the first value of each is in force until another is put. */
const accountSettings = {
  BASIC_SCAN_TYPE_VERSION: ['AWS_NATIVE'],
  REGISTRY_POLICY_SCOPE: ['V2', 'V1'],
  BLOB_MOUNTING: ['ENABLED', 'DISABLED'],
} as const;

export type AccountSettingName = keyof typeof accountSettings;

/** Throws `requestInvalid` for a name that is none. */
export function parseAccountSettingName(text: string): AccountSettingName {
  if (Object.hasOwn(accountSettings, text)) return text as AccountSettingName;
  throw new RegistryError('requestInvalid', `name: no setting is called ${text.slice(0, 64)}`, {
    detail: { field: 'name', hint: `one of ${Object.keys(accountSettings).join(', ')}` },
  });
}

export function defaultAccountSetting(name: AccountSettingName): string {
  return accountSettings[name][0];
}

/** Throws `requestInvalid` for a value that the setting does not take. */
export function requireAccountSetting(name: AccountSettingName, value: string): void {
  const values: readonly string[] = accountSettings[name];
  if (values.includes(value)) return;
  throw new RegistryError('requestInvalid', `value: ${name} is ${values.join(' or ')}`, {
    detail: { field: 'value', value: value.slice(0, 64) },
  });
}
