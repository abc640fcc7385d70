import type { Asker } from '../../access/access.ts';
import type { Roles } from '../../access/accounts/roles.ts';
import { RegistryError } from '../../domain/errors.ts';
import { roleKey, roleNameOf } from '../../domain/policy/principal.ts';
import type { PrincipalKey } from '../../domain/policy/principal.ts';
import type { AccountInput, Places } from '../places.ts';

/** Whose policies are meant: exactly one of the two is there. */
export interface HolderInput extends AccountInput {
  readonly user?: string | undefined;
  readonly role?: string | undefined;
}

export type HolderKey = PrincipalKey & { readonly name: string };

export interface HolderParts {
  readonly places: Pick<Places, 'accountOf'>;
  readonly roles: Pick<Roles, 'findRole'>;
}

/** A role with its path, where it is there. Throws `requestInvalid`. */
export async function policyHolder(
  { places, roles }: HolderParts,
  asker: Asker,
  { user, role, ...input }: HolderInput,
): Promise<HolderKey> {
  const account = places.accountOf(input, asker);
  if (user !== undefined && role === undefined) return userKey(account, user);
  if (role === undefined || user !== undefined)
    throw new RegistryError('requestInvalid', 'user: whose policies is not said', {
      detail: { field: 'user', hint: 'name a user or a role, not both' },
    });
  const key = { account, name: role };
  return roleKey((await roles.findRole(key)) ?? key);
}

/** A role's key is no user's name. */
function userKey(account: string, name: string): HolderKey {
  if (roleNameOf(name) === undefined) return { account, name };
  throw new RegistryError('nameUnknown', `there is no user ${name}`, { kind: 'principalUnknown' });
}
