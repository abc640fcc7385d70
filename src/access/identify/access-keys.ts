import type { Principal } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { AccessKeyRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeyPair } from '../secrets/credentials.ts';
import type { KeyStore } from '../secrets/key-store.ts';
import type { CheckedCredentials, RefusedCredentials } from './checked-credentials.ts';
import { outdated, unknown } from './checked-credentials.ts';
import { findPrincipal } from './principal-rows.ts';

export interface AccessKeysOptions {
  readonly metadata: Pick<Metadata, 'identities'>;
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

/** Of a key that has ended. */
export const expiredKey: RefusedCredentials = outdated('expired key');

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
  return { secret, speaksFor: () => ownerOf(row, options) };
}

async function ownerOf(
  { id, active, expiresAt, account, name }: AccessKeyRow,
  { metadata, clock }: AccessKeysOptions,
): Promise<CheckedCredentials> {
  if (!active) return outdated('inactive key');
  if (expiresAt !== undefined && expiresAt <= clock.now()) return expiredKey;
  const found = await findPrincipal(metadata, account, name);
  if (found === undefined) return outdated('no such principal');
  return {
    caller: {
      principal: found.principal,
      via: 'key',
      scopes: undefined,
      credential: `key/${id}`,
      madeAt: found.madeAt,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    },
    used: { kind: 'key', id },
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
