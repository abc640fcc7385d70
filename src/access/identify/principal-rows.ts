import type { Principal } from '../../domain/policy/principal.ts';
import { parsePrincipalArn } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';

/** A principal that is there. */
export interface FoundPrincipal {
  readonly principal: Exclude<Principal, { readonly kind: 'anonymous' }>;
  /** Wall time, ms: what was made for an earlier one of the same name has another. To be compared as equal, never as earlier or later. */
  readonly madeAt: number;
}

/** `name` undefined: the account's root, which is there as long as its account. */
export async function findPrincipal(
  metadata: Pick<Metadata, 'identities'>,
  account: string,
  name: string | undefined,
): Promise<FoundPrincipal | undefined> {
  if (name === undefined) {
    const row = await metadata.identities.findAccount(account);
    if (row === undefined) return undefined;
    return { principal: { kind: 'administrator', account }, madeAt: row.createdAt };
  }
  const row = await metadata.identities.findPrincipal(account, name);
  if (row === undefined) return undefined;
  return { principal: { kind: row.kind, account, name }, madeAt: row.createdAt };
}

export async function findPrincipalByArn(
  metadata: Pick<Metadata, 'identities'>,
  arn: string,
): Promise<FoundPrincipal | undefined> {
  const parsed = parsePrincipalArn(arn);
  return parsed === undefined
    ? undefined
    : await findPrincipal(metadata, parsed.account, parsed.name);
}
