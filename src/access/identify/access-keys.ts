import type { Principal } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeyPair } from '../secrets/credentials.ts';
import type { KeyStore } from '../secrets/key-store.ts';
import type { CheckedCredentials, RefusedCredentials } from './checked-credentials.ts';
import { checkOwner, outdated, unknown } from './checked-credentials.ts';

export interface AccessKeysOptions {
  readonly metadata: Pick<Metadata, 'identities' | 'roles'>;
  readonly keys: KeyStore;
  readonly homeAccount: string;
  /** The pair of `dataDir/credentials`, which may become another. */
  readonly administrator: () => KeyPair;
  readonly clock: Clock;
}

/** An access key that is here, in force or not. */
export interface FoundKey {
  readonly secret: string;
  /** Whom it speaks for, or why it is not in force. */
  speaksFor(): Promise<CheckedCredentials>;
}

export async function findKey(
  id: string,
  options: AccessKeysOptions,
): Promise<FoundKey | RefusedCredentials> {
  const { administrator, homeAccount, metadata, keys } = options;
  const { accessKeyId, secretAccessKey } = administrator();
  if (id === accessKeyId) {
    const principal: Principal = { kind: 'administrator', account: homeAccount };
    return {
      secret: secretAccessKey,
      speaksFor: async () => ({
        caller: { principal, via: 'key', scopes: undefined, credential: `key/${id}` },
        used: undefined,
      }),
    };
  }
  const row = /^\w{3,128}$/.test(id) ? await metadata.identities.findAccessKey(id) : undefined;
  if (row === undefined) return unknown('unknown key');
  const secret = openSecret(keys, row.sealedSecret, id);
  if (secret === undefined) return outdated('its stored secret cannot be opened');
  return {
    secret,
    speaksFor: async () =>
      row.active
        ? await checkOwner('key', row, { owner: row, scopes: undefined }, options)
        : outdated('inactive key'),
  };
}

/** `undefined` where the key that sealed it is gone, as after a backup without it: nobody's login, and no failure of the server. */
function openSecret(keys: KeyStore, sealed: string, id: string): string | undefined {
  try {
    return keys.open(sealed, id);
  } catch {
    return undefined;
  }
}
