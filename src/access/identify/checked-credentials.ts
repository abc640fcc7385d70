import type { PrincipalKey } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { AccessKeyRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidation } from '../../ports/invalidations.ts';
import type { Caller } from '../access.ts';
import { findPrincipal } from './principal-rows.ts';

/** Credentials that were right, or why not. */
export type CheckedCredentials =
  | { readonly caller: Caller; readonly used: UsedCredential | undefined }
  | RefusedCredentials;

export interface RefusedCredentials {
  /** For the audit; never for whoever showed them. */
  readonly why: string;
  /** `unknown`: they name nothing of here; `wrong`: a key or a token that is here, with another secret; `outdated`: they were once right. */
  readonly kind: 'unknown' | 'wrong' | 'outdated';
}

/** What was used: for "last used". */
export interface UsedCredential {
  readonly kind: 'key' | 'token' | 'role';
  /** Of a role `<account>/<name>`. */
  readonly id: string;
}

export function unknown(why: string): RefusedCredentials {
  return { why, kind: 'unknown' };
}

export function wrongSecret(): RefusedCredentials {
  return { why: 'wrong secret', kind: 'wrong' };
}

export function outdated(why: string): RefusedCredentials {
  return { why, kind: 'outdated' };
}

/** Of a key that has ended. */
export const expiredKey: RefusedCredentials = outdated('expired key');

/** Of a key or a token whose secret was right: whether it has ended, and whose it is. */
export async function checkOwner(
  kind: 'key' | 'token',
  { id, expiresAt }: Pick<AccessKeyRow, 'id' | 'expiresAt'>,
  { owner, scopes }: { readonly owner: PrincipalKey } & Pick<Caller, 'scopes'>,
  {
    metadata,
    clock,
  }: { readonly metadata: Pick<Metadata, 'identities' | 'roles'>; readonly clock: Clock },
): Promise<CheckedCredentials> {
  if (isPast(expiresAt, clock)) return kind === 'key' ? expiredKey : outdated('expired token');
  const found = await findPrincipal(metadata, owner);
  if (found === undefined) return outdated('no such principal');
  const credential = `${kind}/${id}`;
  const end = expiresAt === undefined ? {} : { expiresAt };
  return { caller: { ...found, via: kind, scopes, credential, ...end }, used: { kind, id } };
}

/** Whether what was verified of credentials before it counts no more. */
export function endsLogins({ kind }: Invalidation): boolean {
  return kind === 'credentials' || kind === 'configuration' || kind === 'missed';
}

export function isPast(at: number | undefined, clock: Clock): boolean {
  return at !== undefined && at <= clock.now();
}
