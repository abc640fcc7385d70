import type { Asker } from '../access/access.ts';
import type { Identities } from '../access/accounts/identities.ts';
import type { Admission } from '../access/admission/admission.ts';
import { uniqueId } from '../access/identify/unique-id.ts';
import type { LabelView, UserView } from '../contract/access-view.ts';
import type { Listing } from '../contract/admin-view.ts';
import { RegistryError } from '../domain/errors.ts';
import { identityActions } from '../domain/policy/identity-action.ts';
import type { IdentityAction } from '../domain/policy/identity-action.ts';
import { arnOfKey } from '../domain/policy/principal.ts';
import type { PrincipalKey } from '../domain/policy/principal.ts';
import type { PrincipalRow } from '../metadata/contract/rows.ts';
import { unknownOwner } from './named-principal.ts';
import { isoTime, pageOfAll } from './page.ts';
import type { PageInput } from './page.ts';
import type { AccountInput, Places } from './places.ts';

/** Users and robots. Each throws `RegistryError`. */
export interface UserOperations {
  listUsers(asker: Asker, input: AccountInput & PageInput): Promise<Listing<UserView>>;
  getUser(asker: Asker, input: AccountInput & { readonly name: string }): Promise<UserView>;
  createUser(
    asker: Asker,
    input: AccountInput & {
      readonly name: string;
      readonly kind: 'user' | 'robot';
      readonly tags?: readonly LabelView[] | undefined;
    },
  ): Promise<UserView>;
  /** With its keys, tokens and policies; `unlessInUse`: `conflict` where it has any. */
  deleteUser(
    asker: Asker,
    input: AccountInput & { readonly name: string; readonly unlessInUse?: boolean },
  ): Promise<void>;
  userTags(
    asker: Asker,
    input: AccountInput & { readonly name: string },
  ): Promise<readonly LabelView[]>;
  tagUser(
    asker: Asker,
    input: AccountInput & { readonly name: string; readonly tags: readonly LabelView[] },
  ): Promise<void>;
  /** Keys that are not there are passed over. */
  untagUser(
    asker: Asker,
    input: AccountInput & { readonly name: string; readonly keys: readonly string[] },
  ): Promise<void>;
  /** That the user is there: it is in no group, since there are none. */
  groupsOfUser(asker: Asker, input: AccountInput & { readonly name: string }): Promise<void>;
}

export interface UsersParts {
  readonly admission: Pick<Admission, 'requireIdentity'>;
  readonly places: Pick<Places, 'owner' | 'accountOf'>;
  readonly accounts: Identities;
}

export function createUserOperations(parts: UsersParts): UserOperations {
  return { ...users(parts), ...userTags(parts) };
}

function users({ admission, places, accounts: known }: UsersParts) {
  return {
    listUsers: async (asker, input) => {
      const account = places.accountOf(input, asker);
      await admission.requireIdentity(asker, identityActions.listUsers, { account, name: '*' });
      return pageOfAll(await known.listPrincipals(account), input, {
        view: viewUser,
        keyOf: ({ name }) => name,
      });
    },
    getUser: async (asker, { name, ...input }) => {
      const owner = { account: places.accountOf(input, asker), name };
      await admission.requireIdentity(asker, identityActions.getUser, owner);
      return viewUser(await findUser(known, owner));
    },
    createUser: async (asker, { name, kind, tags = [], ...input }) => {
      const account = places.accountOf(input, asker);
      await admission.requireIdentity(asker, identityActions.createUser, { account, name });
      if (tags.length > 0)
        await admission.requireIdentity(asker, identityActions.tagUser, { account, name });
      const made = await known.createPrincipal({ account, name, kind, tags }, asker);
      if (made !== undefined) return viewUser(made);
      throw new RegistryError('nameUnknown', `there is no account ${account}`);
    },
    deleteUser: async (asker, { name, unlessInUse = false, ...input }) => {
      const owner = { account: places.accountOf(input, asker), name };
      await admission.requireIdentity(asker, identityActions.deleteUser, owner);
      if (!(await known.deletePrincipal({ ...owner, unlessInUse }, asker)))
        throw unknownOwner(owner);
    },
  } satisfies Partial<UserOperations>;
}

/** Throws `nameUnknown`. */
export async function findUser(
  known: Identities,
  owner: PrincipalKey & { readonly name: string },
): Promise<PrincipalRow> {
  const row = await known.findPrincipal(owner.account, owner.name);
  if (row === undefined) throw unknownOwner(owner);
  return row;
}

function userTags({ admission, places, accounts: known }: UsersParts) {
  const change = async (
    asker: Asker,
    input: AccountInput & { readonly name: string },
    action: IdentityAction,
    tags: { readonly remove: readonly string[]; readonly set: readonly LabelView[] },
  ): Promise<void> => {
    const owner = { account: places.accountOf(input, asker), name: input.name };
    await admission.requireIdentity(asker, action, owner);
    if (!(await known.changeTags({ ...owner, ...tags }, asker))) throw unknownOwner(owner);
  };
  return {
    userTags: async (asker, { name, ...input }) => {
      const owner = { account: places.accountOf(input, asker), name };
      await admission.requireIdentity(asker, identityActions.listUserTags, owner);
      return (await findUser(known, owner)).tags ?? [];
    },
    tagUser: (asker, { tags, ...input }) =>
      change(asker, input, identityActions.tagUser, { remove: [], set: tags }),
    untagUser: (asker, { keys, ...input }) =>
      change(asker, input, identityActions.untagUser, { remove: keys, set: [] }),
    groupsOfUser: async (asker, { name, ...input }) => {
      const owner = { account: places.accountOf(input, asker), name };
      await admission.requireIdentity(asker, identityActions.listGroupsForUser, owner);
      await findUser(known, owner);
    },
  } satisfies Partial<UserOperations>;
}

function viewUser({ account, name, kind, createdAt, tags = [] }: PrincipalRow): UserView {
  return {
    account,
    name,
    arn: arnOfKey({ account, name }),
    id: uniqueId('AIDA', { account, name, madeAt: createdAt }),
    kind,
    tags,
    createdAt: isoTime(createdAt),
  };
}
