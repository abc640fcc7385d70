import type { Asker } from '../access/access.ts';
import type { AccessKey, NewAccessKey, Token } from '../access/accounts/identities.ts';
import { formatScope } from '../access/secrets/scopes.ts';
import type {
  AccessKeyView,
  AccountView,
  NewAccessKeyView,
  NewAccountView,
  NewTokenView,
  RotatedAccessKeyView,
  TokenView,
} from '../contract/access-view.ts';
import type { Listing } from '../contract/admin-view.ts';
import { identityActions } from '../domain/policy/identity-action.ts';
import type { IdentityAction } from '../domain/policy/identity-action.ts';
import type { PrincipalKey } from '../domain/policy/principal.ts';
import type { AccountRow } from '../metadata/contract/rows.ts';
import { isoTime, isoTimeOrNull, listing, pageOfAll } from './page.ts';
import type { PageInput } from './page.ts';
import type { AccountInput, OwnerInput } from './places.ts';
import { unknownOwner } from './named-principal.ts';
import { createUserOperations, findUser } from './users.ts';
import type { UserOperations, UsersParts } from './users.ts';

interface LifetimeInput {
  readonly expiresInSeconds?: number | undefined;
}

/**
 * Accounts, users, robots, their keys and tokens; another account's are the operator's alone. Without a user the asker's own, or those of
 * another account's root. What is changed is invalidated and audited by `access/accounts`, after the commit. Each throws
 * `RegistryError`.
 */
export interface IdentityOperations extends UserOperations {
  /** For the operator alone, which is the front-end's to ask. */
  listAccounts(input: PageInput): Promise<Listing<AccountView>>;
  /** The same. */
  createAccount(
    asker: Asker,
    input: { readonly account: string; readonly name: string },
  ): Promise<NewAccountView>;
  /** An account's root, which is no user. */
  getRoot(asker: Asker, input: AccountInput): Promise<AccountView>;

  listAccessKeys(asker: Asker, input: OwnerInput): Promise<Listing<AccessKeyView>>;
  createAccessKey(asker: Asker, input: OwnerInput & LifetimeInput): Promise<NewAccessKeyView>;
  rotateAccessKey(
    asker: Asker,
    input: OwnerInput & LifetimeInput & { readonly revoke?: boolean | undefined },
  ): Promise<RotatedAccessKeyView>;
  /** An inactive key is refused as an unknown one is. */
  setAccessKeyActive(
    asker: Asker,
    input: OwnerInput & { readonly id: string; readonly active: boolean },
  ): Promise<void>;
  deleteAccessKey(asker: Asker, input: OwnerInput & { readonly id: string }): Promise<void>;
  /** A key of the asker's account by its id alone. */
  findAccessKey(asker: Asker, input: { readonly id: string }): Promise<AccessKeyView>;

  listTokens(asker: Asker, input: OwnerInput): Promise<Listing<TokenView>>;
  createToken(
    asker: Asker,
    input: OwnerInput &
      LifetimeInput & { readonly name: string; readonly scopes: readonly string[] },
  ): Promise<NewTokenView>;
  deleteToken(asker: Asker, input: OwnerInput & { readonly name: string }): Promise<void>;
}

export function createIdentityOperations(parts: UsersParts): IdentityOperations {
  return {
    ...accounts(parts),
    ...createUserOperations(parts),
    ...accessKeys(parts),
    ...accessKeyStates(parts),
    ...tokens(parts),
  };
}

function accounts({ admission, places, accounts: known }: UsersParts) {
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
    getRoot: async (asker, input) => {
      const root = { account: places.accountOf(input, asker), name: undefined };
      await admission.requireIdentity(asker, identityActions.getUser, root);
      const row = (await known.listAccounts()).find(({ id }) => id === root.account);
      if (row === undefined) throw unknownOwner(root);
      return viewAccount(row);
    },
  } satisfies Partial<IdentityOperations>;
}

/** Whose keys and tokens are meant, once the asker may. */
async function admitted(
  { admission, places }: UsersParts,
  asker: Asker,
  action: IdentityAction,
  input: OwnerInput,
): Promise<PrincipalKey> {
  const owner = places.owner(input, asker);
  await admission.requireIdentity(asker, action, owner);
  return owner;
}

function accessKeyStates(parts: UsersParts) {
  const { admission, places, accounts: known } = parts;
  return {
    setAccessKeyActive: async (asker, { id, active, ...input }) => {
      const owner = await admitted(parts, asker, identityActions.updateAccessKey, input);
      if (!(await known.setAccessKeyActive({ ...owner, id, active }, asker)))
        throw unknownOwner(owner, { kind: 'accessKeyUnknown', name: `access key ${id}` });
    },
    findAccessKey: async (asker, { id }) => {
      const account = places.accountOf({}, asker);
      const key = await known.findAccessKey(id);
      const here = key?.account === account ? key : undefined;
      const owner = { account, name: here?.name };
      const action = identityActions.accessKeyLastUsed;
      // Whose it is, and whether it is here, is not for everybody.
      const told = { resourceAsAsked: `access key ${id}` };
      await admission.requireIdentity(asker, action, owner, told);
      if (here === undefined)
        throw unknownOwner(owner, { kind: 'accessKeyUnknown', name: `access key ${id}` });
      return viewAccessKey(here);
    },
  } satisfies Partial<IdentityOperations>;
}

function accessKeys(parts: UsersParts) {
  const { admission, accounts: known } = parts;
  return {
    listAccessKeys: async (asker, input) => {
      const owner = await admitted(parts, asker, identityActions.listAccessKeys, input);
      const keys = await known.listAccessKeys(owner);
      if (keys.length === 0 && owner.name !== undefined)
        await findUser(known, { account: owner.account, name: owner.name });
      return listing(keys.map(viewAccessKey));
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
        throw unknownOwner(owner, { kind: 'accessKeyUnknown', name: `access key ${id}` });
    },
  } satisfies Partial<IdentityOperations>;
}

function tokens(parts: UsersParts) {
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
        throw unknownOwner(owner, { name: `token ${name}` });
    },
  } satisfies Partial<IdentityOperations>;
}

function lifetimeOf({ expiresInSeconds }: LifetimeInput): {
  readonly lifetimeMs: number | undefined;
} {
  return { lifetimeMs: expiresInSeconds === undefined ? undefined : expiresInSeconds * 1000 };
}

function viewAccount({ id, name, createdAt }: AccountRow): AccountView {
  return { account: id, name, createdAt: isoTime(createdAt) };
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
