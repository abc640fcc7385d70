import type { RegistryKey } from '../../domain/names/registry.ts';
import type { ChangedSecret, SecretChange } from '../../domain/secrets/secret-change.ts';
import type { SecretListing } from '../../domain/secrets/secret-listing.ts';
import type { Secret, SecretKey } from '../../domain/secrets/secret.ts';

/** A secret of its own: another one may get its name once it is gone. */
export interface SecretOfSuffix extends SecretKey {
  readonly suffix: string;
}

/** Secrets and their sealed values. Those whose time to be brought back is over are still found until they are purged. */
export interface SecretMetadata {
  findSecret(key: SecretKey): Promise<Secret | undefined>;
  findSecretValue(key: SecretKey & { readonly version: string }): Promise<string | undefined>;
  /** `others` are listed among them as if they were stored, and instead of stored ones of their names. */
  listSecrets(
    registry: RegistryKey,
    listing: SecretListing & { readonly now: number; readonly others: readonly Secret[] },
  ): Promise<readonly Secret[]>;

  /** `sealed`: the value of its only version. One of the name whose time is over makes room. */
  createSecret(input: {
    readonly secret: Secret;
    readonly sealed: string | undefined;
    readonly secretsMax: number;
    readonly now: number;
  }): Promise<'created' | 'exists' | 'limit'>;
  /** `sealed`: the value of the change's new version. `undefined`: no such secret, or its time is over. Values of versions that are no more go too. */
  changeSecret(
    input: SecretOfSuffix & {
      readonly change: SecretChange;
      readonly sealed?: string | undefined;
      readonly now: number;
    },
  ): Promise<ChangedSecret | undefined>;
  /** With its values. False where there is none. */
  removeSecret(input: SecretOfSuffix): Promise<boolean>;
  /** Removes secrets whose time to be brought back is over, in several transactions. */
  purgeSecrets(input: { readonly now: number }): Promise<void>;
}
