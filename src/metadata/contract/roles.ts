import type { Label } from '../../domain/names/label.ts';
import type { CredentialUse } from './rows.ts';

export interface RoleKey {
  readonly account: string;
  /** Without its path. */
  readonly name: string;
}

export interface RoleRow extends RoleKey {
  readonly path: string;
  /** Verbatim. */
  readonly trustPolicy: string;
  readonly description: string;
  /** The longest session of it. */
  readonly sessionSecondsMax: number;
  readonly createdAt: number;
  /** In the order of their keys, none twice; absent: none. */
  readonly tags?: readonly Label[];
  readonly lastUsedAt: number | undefined;
}

/** Absent: as it was. */
export interface RoleChange {
  readonly trustPolicy?: string | undefined;
  readonly description?: string | undefined;
  readonly sessionSecondsMax?: number | undefined;
}

/**
 * Roles. In `IdentityMetadata` a role is the principal `role/<name>`: its tags and policies are changed there, and it is deleted there; `findPrincipal` and
 * `listPrincipals` don't answer it, and no key or token can be its own.
 */
export interface RoleMetadata {
  findRole(key: RoleKey): Promise<RoleRow | undefined>;
  /** In the order of their names. */
  listRoles(account: string): Promise<readonly RoleRow[]>;
  /** `noAccount` where its account has no row. `lastUsedAt` is not written. */
  createRole(input: RoleRow): Promise<'created' | 'exists' | 'noAccount'>;
  /** False where there is none. */
  changeRole(input: RoleKey & RoleChange): Promise<boolean>;
  /** As `touchCredentials`; each `id` is `<account>/<name>`. */
  touchRoles(input: readonly CredentialUse[]): Promise<void>;
}
