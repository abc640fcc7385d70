import { isAccountId, isPrincipalName, roleNameOf } from '../../domain/policy/principal.ts';
import { clockOfCalls, onceRead } from '../../coordination/call-attempt.ts';
import type { PrincipalKey } from '../../domain/policy/principal.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import { inKeyOrder } from '../../domain/names/label.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { besideHome, registryOf } from '../../domain/names/registry.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { AccessKeyRow, TokenRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Asker, Audit, AuditEntry } from '../access.ts';
import { changeOf } from '../audit/audit-entry.ts';
import type { Administrator } from './administrator.ts';
import type { AccessKey, Identities, NewAccessKey, RotatedAccessKey, Token } from './identities.ts';
import { tokenLifetime } from './identities.ts';
import { newKeyPair } from '../secrets/credentials.ts';
import { require, requireTags, tagsMax, tooManyTags } from './bounds.ts';
import type { KeyStore } from '../secrets/key-store.ts';
import { taking } from './taking.ts';
import { newNamedToken } from '../secrets/named-token.ts';
import { parseScope, scopesMax } from '../secrets/scopes.ts';

export interface IdentitiesOptions {
  readonly metadata: Pick<Metadata, 'identities'>;
  readonly keys: KeyStore;
  readonly administrator: Pick<Administrator, 'pair' | 'rotate' | 'file'>;
  /** Its account is made where it is missing; its root's first key stands in `dataDir/credentials` and is not listed. */
  readonly home: RegistryKey;
  readonly clock: Clock;
  readonly audit: Audit;
  /** What remembers verified credentials and principals forgets them: identifier and authorizer. */
  readonly onChange: () => void;
}

/** Of one principal. */
const tokensMax = 500;
const keysMax = 2;

/** Settles when the home account is there. */
export async function openIdentities(given: IdentitiesOptions): Promise<Identities> {
  const options = { ...given, clock: clockOfCalls(given.clock) };
  const { metadata, home, clock } = options;
  const { account } = registryOf(home);
  if ((await metadata.identities.findAccount(account)) === undefined)
    await metadata.identities.createAccount({ id: account, name: 'home', createdAt: clock.now() });
  return { ...accountChanges(options), ...keyChanges(options), ...tokenChanges(options) };
}

function accountChanges(options: IdentitiesOptions) {
  const { metadata, clock } = options;
  return {
    listAccounts: () => metadata.identities.listAccounts(),
    createAccount: async ({ id, name }, author) => {
      require(isAccountId(id), 'id', 'twelve digits');
      require(/^[\w+=,.@ -]{1,64}$/.test(name), 'name', 'letters, digits and _+=,.@- , 64 at most');
      const account = { id, name, createdAt: clock.now() };
      if (!(await metadata.identities.createAccount(account)))
        throw new RegistryError('conflict', `the account ${id} is there already`);
      changed(options, author, 'account:Create', { account: id, name: id });
      const key = await createAccessKey(options, { account: id, name: undefined }, author);
      if (key === undefined) throw new Error(`the account ${id} is gone while it is made`);
      return { account, key };
    },
    listPrincipals: (account) => metadata.identities.listPrincipals(account),
    findPrincipal: (account, name) => metadata.identities.findPrincipal(account, name),
    createPrincipal: async ({ account, name, kind, tags = [] }, author) => {
      require(isPrincipalName(name), 'name', 'letters, digits and _+=,.@-, 64 at most');
      requireTags(tags);
      const kept = tags.length === 0 ? {} : { tags: inKeyOrder(tags) };
      const row = { account, name, kind, createdAt: clock.now(), ...kept };
      const outcome = await metadata.identities.createPrincipal({ ...row, requireAccount: true });
      if (outcome === 'noAccount') return undefined;
      if (outcome === 'exists')
        throw new RegistryError('conflict', `${name} is a principal of ${account} already`, {
          kind: 'principalExists',
        });
      changed(options, author, identityActions.createUser, row, { kind });
      return row;
    },
    changeTags: async ({ set, remove, ...key }, author) => {
      requireTags(set);
      if (roleNameOf(key.name) !== undefined) return false;
      const done = await metadata.identities.changePrincipalTags({ ...key, remove, set, tagsMax });
      if (done === 'notFound') return false;
      if (done === 'tooMany') throw tooManyTags();
      const changes = [
        [identityActions.untagUser, remove],
        [identityActions.tagUser, set.map((tag) => tag.key)],
      ] as const;
      for (const [action, keys] of changes)
        if (keys.length > 0)
          changed(options, author, action, key, { keys: keys.join(' ').slice(0, 512) });
      return true;
    },
    deletePrincipal: async ({ account, name, unlessInUse = false }, author) => {
      const key = { account, name };
      if (roleNameOf(name) !== undefined) return false;
      const isGone = await (unlessInUse
        ? deleteUnused(options, key)
        : taking(options, metadata.identities.deletePrincipal(key)));
      if (isGone) changed(options, author, identityActions.deleteUser, key);
      return isGone;
    },
  } satisfies Partial<Identities>;
}

const firsts = {
  hasKeys: 'delete access keys',
  hasTokens: 'delete tokens',
  hasPolicies: 'delete policies',
  hasAttachments: 'detach all policies',
} as const;

/** Throws `conflict` where something has to go before it, as IAM has it. */
async function deleteUnused(
  options: IdentitiesOptions,
  key: { readonly account: string; readonly name: string },
): Promise<boolean> {
  const done = await taking(options, options.metadata.identities.deleteUnusedPrincipal(key));
  if (done === 'deleted' || done === 'notFound') return done === 'deleted';
  throw new RegistryError('conflict', `Cannot delete entity, must ${firsts[done]} first.`, {
    kind: 'principalInUse',
  });
}

function keyChanges(options: IdentitiesOptions) {
  const { metadata } = options;
  return {
    listAccessKeys: async ({ account, name }) =>
      (await metadata.identities.listAccessKeys(account, name)).map(shownKey),
    createAccessKey: (input, author) => createAccessKey(options, input, author),
    rotateAccessKey: (input, author) => rotateAccessKey(options, input, author),
    findAccessKey: async (id) => {
      const row = await metadata.identities.findAccessKey(id);
      return row && shownKey(row);
    },
    setAccessKeyActive: async ({ account, name, id, active }, author) => {
      const row = await metadata.identities.findAccessKey(id);
      if (row?.account !== account || row.name !== name) return false;
      const set = metadata.identities.setAccessKeyActive({ id, active });
      if (!(await taking(options, set))) return false;
      const detail = { accessKeyId: id, active };
      changed(options, author, identityActions.updateAccessKey, { account, name }, detail);
      return true;
    },
    deleteAccessKey: async ({ account, name, id }, author) => {
      const row = await onceRead('deleted', () => findOwner(metadata, id));
      if (row?.account !== account || row.name !== name) return false;
      return await deleteAccessKey(options, { account, name, id }, author);
    },
  } satisfies Partial<Identities>;
}

async function findOwner(
  { identities }: IdentitiesOptions['metadata'],
  id: string,
): Promise<PrincipalKey | undefined> {
  const row = await identities.findAccessKey(id);
  return row && { account: row.account, name: row.name };
}

async function deleteAccessKey(
  options: IdentitiesOptions,
  { id, ...owner }: PrincipalKey & { readonly id: string },
  author: Asker,
): Promise<boolean> {
  if (!(await taking(options, options.metadata.identities.deleteAccessKey({ id })))) return false;
  changed(options, author, identityActions.deleteAccessKey, owner, { accessKeyId: id });
  return true;
}

async function rotateAccessKey(
  options: IdentitiesOptions,
  { revoke, lifetimeMs, ...owner }: Parameters<Identities['rotateAccessKey']>[0],
  author: Asker,
): Promise<RotatedAccessKey | undefined> {
  const { metadata, administrator, home, clock } = options;
  const before = await metadata.identities.listAccessKeys(owner.account, owner.name);
  const revoked: string[] = [];
  const take = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids)
      if (await deleteAccessKey(options, { ...owner, id }, author)) revoked.push(id);
  };
  const ids = before.map(({ id }) => id);
  if (owner.name === undefined && owner.account === registryOf(home).account) {
    if (lifetimeMs !== undefined)
      throw new RegistryError(
        'requestInvalid',
        'the pair of dataDir/credentials can have no end: nobody could make another one',
        { detail: { field: 'expiresInSeconds' } },
      );
    const old = administrator.pair().accessKeyId;
    const { accessKeyId: id, secretAccessKey: secret } = await administrator.rotate();
    changed(options, author, identityActions.createAccessKey, owner, { accessKeyId: id });
    changed(options, author, identityActions.deleteAccessKey, owner, { accessKeyId: old });
    if (revoke) await take(ids);
    const never = { expiresAt: undefined, lastUsedAt: undefined };
    const key = { id, ...owner, active: true, createdAt: clock.now(), ...never };
    const kept = revoke ? [] : ids;
    return { key, secret, revoked: [old, ...revoked], kept, file: administrator.file };
  }
  checkLifetime(lifetimeMs);
  // Room for the new one first; the last old one goes once it is there.
  if (revoke) await take(ids.slice(keysMax - 1));
  const made = await createAccessKey(options, { ...owner, lifetimeMs }, author);
  if (made === undefined) return undefined;
  if (revoke) await take(ids.slice(0, keysMax - 1));
  return { ...made, revoked, kept: revoke ? [] : ids };
}

async function createAccessKey(
  options: IdentitiesOptions,
  { account, name, lifetimeMs }: Parameters<Identities['createAccessKey']>[0],
  author: Asker,
): Promise<NewAccessKey | undefined> {
  const { metadata, keys, clock } = options;
  checkLifetime(lifetimeMs);
  const createdAt = clock.now();
  if (!(await hasRoot(metadata, { account, name }))) return undefined;
  const { accessKeyId: id, secretAccessKey: secret } = newKeyPair();
  const row: AccessKeyRow = {
    id,
    account,
    name,
    sealedSecret: keys.seal(secret, id),
    active: true,
    createdAt,
    expiresAt: lifetimeMs === undefined ? undefined : createdAt + lifetimeMs,
    lastUsedAt: undefined,
  };
  const outcome = await metadata.identities.createAccessKey(row);
  if (outcome === 'noPrincipal') return undefined;
  if (outcome === 'limit')
    throw new RegistryError(
      'conflict',
      `${nameOf(row)} has ${keysMax} access keys; delete one first`,
      { kind: 'principalLimit' },
    );
  changed(options, author, identityActions.createAccessKey, row, { accessKeyId: id });
  return { key: shownKey(row), secret };
}

function tokenChanges(options: IdentitiesOptions) {
  const { metadata, clock } = options;
  return {
    listTokens: async ({ account, name }) =>
      (await metadata.identities.listTokens(account, name)).map(shownToken),
    createToken: async ({ account, name, tokenName, scopes, lifetimeMs }, author) => {
      checkToken(tokenName, scopes, lifetimeMs);
      if (!(await hasRoot(metadata, { account, name }))) return undefined;
      const who = nameOf({ name });
      if ((await metadata.identities.listTokens(account, name)).length >= tokensMax)
        throw new RegistryError('conflict', `${who} has ${tokensMax} tokens; delete some first`);
      const { id, text, hash } = newNamedToken();
      const createdAt = clock.now();
      const row: TokenRow = {
        id,
        account,
        principal: name,
        name: tokenName,
        hash,
        scopes,
        createdAt,
        expiresAt: createdAt + (lifetimeMs ?? tokenLifetime.defaultMs),
        lastUsedAt: undefined,
      };
      const outcome = await metadata.identities.createToken(row);
      if (outcome === 'noPrincipal') return undefined;
      if (outcome === 'exists')
        throw new RegistryError('conflict', `${who} has a token ${tokenName}; delete it first`);
      const detail = { token: tokenName, tokenId: id, scopes: scopes.join(' ').slice(0, 512) };
      changed(options, author, identityActions.createToken, { account, name }, detail);
      return { token: shownToken(row), secret: text };
    },
    deleteToken: async ({ account, name, tokenName }, author) => {
      const key = { account, principal: name, name: tokenName };
      if (!(await taking(options, metadata.identities.deleteToken(key)))) return false;
      const detail = { token: tokenName };
      changed(options, author, identityActions.deleteToken, { account, name }, detail);
      return true;
    },
  } satisfies Partial<Identities>;
}

/** Of a root that its account is there, which is never deleted; the others are looked for as their credential is written. */
async function hasRoot(
  metadata: Pick<Metadata, 'identities'>,
  { account, name }: PrincipalKey,
): Promise<boolean> {
  return name !== undefined || (await metadata.identities.findAccount(account)) !== undefined;
}

function checkToken(name: string, scopes: readonly string[], lifetimeMs: number | undefined): void {
  require(isPrincipalName(name), 'name', 'letters, digits and _+=,.@-, 64 at most');
  require(scopes.length <= scopesMax, 'scopes', `${scopesMax} at most`);
  const good = scopes.every((scope) => parseScope(scope) !== undefined);
  require(good, 'scopes', 'each as repository:team/*:pull,push,delete');
  checkLifetime(lifetimeMs);
}

function checkLifetime(ms: number | undefined): void {
  const { leastMs, mostMs } = tokenLifetime;
  const good = ms === undefined || (Number.isSafeInteger(ms) && ms >= leastMs && ms <= mostMs);
  require(good, 'lifetime', `from ${leastMs / 60_000} minute to ${mostMs / 86_400_000} days`);
}

function changed(
  { home, audit, onChange }: IdentitiesOptions,
  author: Asker,
  action: string,
  owner: PrincipalKey,
  detail: AuditEntry['detail'] = {},
): void {
  onChange();
  const subject = { registry: besideHome(home, owner.account), resource: nameOf(owner) };
  audit.record(changeOf(author, action, subject, detail));
}

function nameOf({ name }: Pick<PrincipalKey, 'name'>): string {
  return name ?? 'root';
}

function shownKey({ sealedSecret: _sealed, ...key }: AccessKeyRow): AccessKey {
  return key;
}

function shownToken({ hash: _hash, scopes, ...token }: TokenRow): Token {
  return { ...token, scopes: scopes.map(scopeOf) };
}

function scopeOf(text: string): NonNullable<ReturnType<typeof parseScope>> {
  const scope = parseScope(text);
  if (scope === undefined) throw new Error(`a stored token has an unknown scope: ${text}`);
  return scope;
}
