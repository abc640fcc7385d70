import type { Principal, PrincipalKey } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';

/** A principal that is there. */
export interface FoundPrincipal {
  readonly principal: Exclude<Principal, { readonly kind: 'anonymous' }>;
  /** Wall time, ms: what was made for an earlier one of the same name has another. To be compared as equal, never as earlier or later. */
  readonly madeAt: number;
}

/** An account's root is there as long as its account. */
export async function findPrincipal(
  { identities }: Pick<Metadata, 'identities'>,
  { account, name }: PrincipalKey,
): Promise<FoundPrincipal | undefined> {
  if (name === undefined) {
    const row = await identities.findAccount(account);
    return row && { principal: { kind: 'administrator', account }, madeAt: row.createdAt };
  }
  const row = await identities.findPrincipal(account, name);
  return row && { principal: { kind: row.kind, account, name }, madeAt: row.createdAt };
}
