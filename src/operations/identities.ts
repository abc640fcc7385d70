import type { Asker } from '../access/access.ts';
import type { AccessKey, Identities, NewAccessKey, Token } from '../access/accounts/identities.ts';
import type { Admission } from '../access/admission/admission.ts';
import { formatScope } from '../access/secrets/scopes.ts';
import type {
  AccessKeyView,
  AccountView,
  NewAccessKeyView,
  NewAccountView,
  NewTokenView,
  RotatedAccessKeyView,
  TokenView,
  UserView,
} from '../contract/access-view.ts';
import type { Listing } from '../contract/admin-view.ts';
import { RegistryError } from '../domain/errors.ts';
import { identityActions } from '../domain/policy/identity-action.ts';
import type { IdentityAction } from '../domain/policy/identity-action.ts';
import { arnOfKey } from '../domain/policy/principal.ts';
import type { PrincipalKey } from '../domain/policy/principal.ts';
import type { AccountRow, PrincipalRow } from '../metadata/contract/rows.ts';
import { isoTime, isoTimeOrNull, listing, pageOfAll } from './page.ts';
import type { PageInput } from './page.ts';
import type { AccountInput, OwnerInput, Places } from './places.ts';

interface LifetimeInput {
  readonly expiresInSeconds?: number | undefined;
}

/**
 * Accounts, users, robots, their keys and tokens; another account's are the operator's alone. Without a user the asker's own, or those of
 * another account's root. What is changed is invalidated and audited by `access/accounts`, after the commit. Each throws
 * `RegistryError`.
 */
export interface IdentityOperations {
  /** For the operator alone, which is the front-end's to ask. */
  listAccounts(input: PageInput): Promise<Listing<AccountView>>;
  /** The same. */
  createAccount(
    asker: Asker,
    input: { readonly account: string; readonly name: string },
  ): Promise<NewAccountView>;

  listUsers(asker: Asker, input: AccountInput & PageInput): Promise<Listing<UserView>>;
  createUser(
    asker: Asker,
    input: AccountInput & { readonly name: string; readonly kind: 'user' | 'robot' },
  ): Promise<UserView>;
  /** With its keys, tokens and policies. */
  deleteUser(asker: Asker, input: AccountInput & { readonly name: string }): Promise<void>;

  listAccessKeys(asker: Asker, input: OwnerInput): Promise<Listing<AccessKeyView>>;
  createAccessKey(asker: Asker, input: OwnerInput & LifetimeInput): Promise<NewAccessKeyView>;
  rotateAccessKey(
    asker: Asker,
    input: OwnerInput & LifetimeInput & { readonly revoke?: boolean | undefined },
  ): Promise<RotatedAccessKeyView>;
  deleteAccessKey(asker: Asker, input: OwnerInput & { readonly id: string }): Promise<void>;

  listTokens(asker: Asker, input: OwnerInput): Promise<Listing<TokenView>>;
  createToken(
    asker: Asker,
    input: OwnerInput &
      LifetimeInput & { readonly name: string; readonly scopes: readonly string[] },
  ): Promise<NewTokenView>;
  deleteToken(asker: Asker, input: OwnerInput & { readonly name: string }): Promise<void>;
}

export interface IdentitiesParts {
  readonly admission: Pick<Admission, 'requireIdentity'>;
  readonly places: Pick<Places, 'owner' | 'accountOf'>;
  readonly accounts: Identities;
}

export function createIdentityOperations(parts: IdentitiesParts): IdentityOperations {
  return { ...accounts(parts), ...users(parts), ...accessKeys(parts), ...tokens(parts) };
}

function accounts({ accounts: known }: IdentitiesParts) {
  return {
    listAccounts: async (input) =>
      pageOfAll(await known.listAccounts(), input, { view: viewAccount, keyOf: ({ id }) => id }),
    createAccount: async (asker, input) => {
      const { account, key } = await known.createAccount(
        { id: input.account, name: input.name },
        asker,
      );
      return { ...viewAccount(account), key: viewNewAccessKey(key) };
    },
  } satisfies Partial<IdentityOperations>;
}

function users({ admission, places, accounts: known }: IdentitiesParts) {
  return {
    listUsers: async (asker, input) => {
      const account = places.accountOf(input, asker);
      await admission.requireIdentity(asker, identityActions.listUsers, { account, name: '*' });
      return pageOfAll(await known.listPrincipals(account), input, {
        view: viewUser,
        keyOf: ({ name }) => name,
      });
    },
    createUser: async (asker, { name, kind, ...input }) => {
      const account = places.accountOf(input, asker);
      await admission.requireIdentity(asker, identityActions.createUser, { account, name });
      const made = await known.createPrincipal({ account, name, kind }, asker);
      if (made !== undefined) return viewUser(made);
      throw new RegistryError('nameUnknown', `there is no account ${account}`);
    },
    deleteUser: async (asker, { name, ...input }) => {
      const owner = { account: places.accountOf(input, asker), name };
      await admission.requireIdentity(asker, identityActions.deleteUser, owner);
      if (!(await known.deletePrincipal(owner, asker))) throw unknownOwner(owner);
    },
  } satisfies Partial<IdentityOperations>;
}

/** Whose keys and tokens are meant, once the asker may. */
async function admitted(
  { admission, places }: IdentitiesParts,
  asker: Asker,
  action: IdentityAction,
  input: OwnerInput,
): Promise<PrincipalKey> {
  const owner = places.owner(input, asker);
  await admission.requireIdentity(asker, action, owner);
  return owner;
}

function accessKeys(parts: IdentitiesParts) {
  const { admission, accounts: known } = parts;
  return {
    listAccessKeys: async (asker, input) => {
      const owner = await admitted(parts, asker, identityActions.listAccessKeys, input);
      return listing((await known.listAccessKeys(owner)).map(viewAccessKey));
    },
    createAccessKey: async (asker, input) => {
      const owner = await admitted(parts, asker, identityActions.createAccessKey, input);
      const made = await known.createAccessKey({ ...owner, ...lifetimeOf(input) }, asker);
      if (made === undefined) throw unknownOwner(owner);
      return viewNewAccessKey(made);
    },
    rotateAccessKey: async (asker, input) => {
      const { revoke = false } = input;
      const owner = await admitted(parts, asker, identityActions.createAccessKey, input);
      if (revoke || owner.name === undefined)
        await admission.requireIdentity(asker, identityActions.deleteAccessKey, owner);
      const wanted = { ...owner, revoke, ...lifetimeOf(input) };
      const rotated = await known.rotateAccessKey(wanted, asker);
      if (rotated === undefined) throw unknownOwner(owner);
      const { revoked, kept, file = null } = rotated;
      return { ...viewNewAccessKey(rotated), revoked, kept, file };
    },
    deleteAccessKey: async (asker, { id, ...input }) => {
      const owner = await admitted(parts, asker, identityActions.deleteAccessKey, input);
      if (!(await known.deleteAccessKey({ ...owner, id }, asker)))
        throw unknownOwner(owner, `access key ${id}`);
    },
  } satisfies Partial<IdentityOperations>;
}

function tokens(parts: IdentitiesParts) {
  const { accounts: known } = parts;
  return {
    listTokens: async (asker, input) => {
      const owner = await admitted(parts, asker, identityActions.listTokens, input);
      return listing((await known.listTokens(owner)).map(viewToken));
    },
    createToken: async (asker, input) => {
      const owner = await admitted(parts, asker, identityActions.createToken, input);
      const { name: tokenName, scopes } = input;
      const wanted = { ...owner, tokenName, scopes, ...lifetimeOf(input) };
      const made = await known.createToken(wanted, asker);
      if (made === undefined) throw unknownOwner(owner);
      return { ...viewToken(made.token), token: made.secret };
    },
    deleteToken: async (asker, { name, ...input }) => {
      const owner = await admitted(parts, asker, identityActions.deleteToken, input);
      if (!(await known.deleteToken({ ...owner, tokenName: name }, asker)))
        throw unknownOwner(owner, `token ${name}`);
    },
  } satisfies Partial<IdentityOperations>;
}

/** That a principal, or something of it, is not there. */
export function unknownOwner(owner: PrincipalKey, thing?: string): RegistryError {
  const arn = arnOfKey(owner);
  return new RegistryError(
    'nameUnknown',
    thing === undefined ? `there is no ${arn}` : `${arn} has no ${thing}`,
  );
}

function lifetimeOf({ expiresInSeconds }: LifetimeInput): {
  readonly lifetimeMs: number | undefined;
} {
  return { lifetimeMs: expiresInSeconds === undefined ? undefined : expiresInSeconds * 1000 };
}

function viewAccount({ id, name, createdAt }: AccountRow): AccountView {
  return { account: id, name, createdAt: isoTime(createdAt) };
}

function viewUser({ account, name, kind, createdAt }: PrincipalRow): UserView {
  return {
    account,
    name,
    arn: arnOfKey({ account, name }),
    kind,
    createdAt: isoTime(createdAt),
  };
}

function viewAccessKey(key: AccessKey): AccessKeyView {
  return {
    accessKeyId: key.id,
    account: key.account,
    user: key.name ?? null,
    active: key.active,
    createdAt: isoTime(key.createdAt),
    expiresAt: isoTimeOrNull(key.expiresAt),
    lastUsedAt: isoTimeOrNull(key.lastUsedAt),
  };
}

function viewNewAccessKey({ key, secret }: NewAccessKey): NewAccessKeyView {
  return { ...viewAccessKey(key), secretAccessKey: secret };
}

function viewToken(token: Token): TokenView {
  return {
    name: token.name,
    account: token.account,
    user: token.principal ?? null,
    scopes: token.scopes.map(formatScope),
    createdAt: isoTime(token.createdAt),
    expiresAt: isoTimeOrNull(token.expiresAt),
    lastUsedAt: isoTimeOrNull(token.lastUsedAt),
  };
}
