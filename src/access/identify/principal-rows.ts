import type { Label } from '../../domain/names/label.ts';
import { withLabelsOfAnyCase } from '../../domain/names/label.ts';
import type { Principal, PrincipalKey } from '../../domain/policy/principal.ts';
import { roleNameOf } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RoleRow } from '../../metadata/contract/roles.ts';
import type { RoleSession } from '../access.ts';

type PrincipalMetadata = Pick<Metadata, 'identities' | 'roles'>;

/** A principal that is there. */
export interface FoundPrincipal {
  readonly principal: Exclude<Principal, { readonly kind: 'anonymous' }>;
  /** Wall time, ms: what was made for an earlier one of the same name has another. To be compared as equal, never as earlier or later. */
  readonly madeAt: number;
  readonly tags?: readonly Label[];
}

/** An account's root is there as long as its account; a role is answered as any session of it. */
export async function findPrincipal(
  metadata: PrincipalMetadata,
  { account, name }: PrincipalKey,
): Promise<FoundPrincipal | undefined> {
  const { identities, roles } = metadata;
  if (name === undefined) {
    const row = await identities.findAccount(account);
    return row && { principal: { kind: 'administrator', account }, madeAt: row.createdAt };
  }
  const role = roleNameOf(name);
  if (role !== undefined) {
    const row = await roles.findRole({ account, name: role });
    return row && sessionOfRole(row, undefined);
  }
  const row = await identities.findPrincipal(account, name);
  return (
    row && {
      principal: { kind: row.kind, account, name },
      madeAt: row.createdAt,
      ...(row.tags === undefined ? {} : { tags: row.tags }),
    }
  );
}

/** A session, as whoever is in it is known; its own tags count before its role's. */
function sessionOfRole(
  { account, name, path, createdAt, tags = [] }: RoleRow,
  session: string | undefined,
  { tags: own = [] }: RoleSession = {},
): FoundPrincipal {
  const all = withLabelsOfAnyCase(tags, { remove: [], set: own });
  return {
    principal: { kind: 'role', account, name, path, ...(session === undefined ? {} : { session }) },
    madeAt: createdAt,
    ...(all.length === 0 ? {} : { tags: all }),
  };
}

/** Whoever assumed a role, as long as the role is there. */
export async function findSession(
  { roles }: Pick<PrincipalMetadata, 'roles'>,
  {
    account,
    name,
    session,
  }: { readonly account: string; readonly name: string; readonly session: string },
  begun: RoleSession | undefined,
): Promise<FoundPrincipal | undefined> {
  const row = await roles.findRole({ account, name });
  return row && sessionOfRole(row, session, begun);
}
