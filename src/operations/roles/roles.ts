import type { Asker } from '../../access/access.ts';
import { roleSessionSeconds } from '../../access/accounts/roles.ts';
import type { Roles } from '../../access/accounts/roles.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { uniqueId } from '../../access/identify/unique-id.ts';
import type { LabelView, RoleView } from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { arnOfKey, roleKey } from '../../domain/policy/principal.ts';
import type { RoleChange, RoleKey, RoleRow } from '../../metadata/contract/roles.ts';
import { unknownOwner } from '../named-principal.ts';
import { isoTime, isoTimeOrNull, pageOfAll } from '../page.ts';
import type { PageInput } from '../page.ts';
import type { AccountInput, Places } from '../places.ts';

interface RoleInput extends AccountInput {
  readonly name: string;
}

/** Roles of an account; their policies are those of `PolicyOperations`. Each throws `RegistryError`. */
export interface RoleOperations {
  /** `pathPrefix`: those alone whose path begins so. */
  listRoles(
    asker: Asker,
    input: AccountInput & PageInput & { readonly pathPrefix?: string | undefined },
  ): Promise<Listing<RoleView>>;
  getRole(asker: Asker, input: RoleInput): Promise<RoleView>;
  createRole(
    asker: Asker,
    input: RoleInput & {
      readonly trustPolicy: string;
      readonly path?: string | undefined;
      readonly description?: string | undefined;
      /** Absent: an hour. */
      readonly maxSessionSeconds?: number | undefined;
      readonly tags?: readonly LabelView[] | undefined;
    },
  ): Promise<RoleView>;
  /** Asks for the right to change who may assume it where that is changed, and for the other where the rest is. */
  updateRole(
    asker: Asker,
    input: RoleInput & {
      readonly trustPolicy?: string | undefined;
      readonly description?: string | undefined;
      readonly maxSessionSeconds?: number | undefined;
    },
  ): Promise<RoleView>;
  /** With its policies, and its sessions end; `unlessInUse`: `conflict` where it has policies. */
  deleteRole(
    asker: Asker,
    input: RoleInput & { readonly unlessInUse?: boolean | undefined },
  ): Promise<void>;
  /** That the role is there: it is in no instance profile, since there are none. */
  instanceProfilesOfRole(asker: Asker, input: RoleInput): Promise<void>;
  roleTags(asker: Asker, input: RoleInput): Promise<readonly LabelView[]>;
  tagRole(asker: Asker, input: RoleInput & { readonly tags: readonly LabelView[] }): Promise<void>;
  /** Keys that are not there are passed over. */
  untagRole(asker: Asker, input: RoleInput & { readonly keys: readonly string[] }): Promise<void>;
}

export interface RolesParts {
  readonly admission: Pick<Admission, 'requireIdentity'>;
  readonly places: Pick<Places, 'accountOf'>;
  readonly roles: Roles;
}

export function createRoleOperations(parts: RolesParts): RoleOperations {
  return { ...roleViews(parts), ...roleChanges(parts), ...roleTags(parts) };
}

/** The role as it is named, once the asker may; its row where it is there. */
async function admitted(
  { admission, places, roles }: RolesParts,
  asker: Asker,
  wanted: readonly IdentityAction[],
  { name, ...input }: RoleInput,
): Promise<{ readonly key: RoleKey; readonly row: RoleRow | undefined }> {
  const key = { account: places.accountOf(input, asker), name };
  const row = await onceRead('role', () => roles.findRole(key));
  for (const action of wanted) await admission.requireIdentity(asker, action, roleKey(row ?? key));
  return { key, row };
}

function roleViews(parts: RolesParts) {
  const { admission, places, roles } = parts;
  return {
    listRoles: async (asker, { pathPrefix = '/', ...input }) => {
      const account = places.accountOf(input, asker);
      await admission.requireIdentity(
        asker,
        identityActions.listRoles,
        roleKey({ account, name: '*' }),
      );
      const all = await roles.listRoles(account);
      const shown = all.filter(({ path }) => path.startsWith(pathPrefix));
      return pageOfAll(shown, input, { view: viewRole, keyOf: ({ name }) => name });
    },
    getRole: async (asker, input) => {
      const { key, row } = await admitted(parts, asker, [identityActions.getRole], input);
      return viewRole(found(row, key));
    },
    instanceProfilesOfRole: async (asker, input) => {
      const wanted = [identityActions.listInstanceProfiles];
      const { key, row } = await admitted(parts, asker, wanted, input);
      found(row, key);
    },
  } satisfies Partial<RoleOperations>;
}

function roleChanges(parts: RolesParts) {
  const { admission, places, roles } = parts;
  return {
    createRole: async (asker, { name, path = '/', description = '', tags = [], ...input }) => {
      const account = places.accountOf(input, asker);
      const key = roleKey({ account, name, path });
      await admission.requireIdentity(asker, identityActions.createRole, key);
      if (tags.length > 0) await admission.requireIdentity(asker, identityActions.tagRole, key);
      const { trustPolicy, maxSessionSeconds: sessionSecondsMax = roleSessionSeconds.least } =
        input;
      const wanted = { account, name, path, description, trustPolicy, sessionSecondsMax, tags };
      const made = await roles.createRole(wanted, asker);
      if (made !== undefined) return viewRole(made);
      throw new RegistryError('nameUnknown', `there is no account ${account}`);
    },
    updateRole: async (asker, { trustPolicy, description, maxSessionSeconds, ...input }) => {
      const change: RoleChange = { trustPolicy, description, sessionSecondsMax: maxSessionSeconds };
      const changesRest = description !== undefined || maxSessionSeconds !== undefined;
      const wanted = [
        ...(trustPolicy === undefined ? [] : [identityActions.updateTrust]),
        ...(changesRest || trustPolicy === undefined ? [identityActions.updateRole] : []),
      ];
      const { key } = await admitted(parts, asker, wanted, input);
      if (!(await roles.changeRole({ ...key, ...change }, asker))) throw unknownRole(key);
      return viewRole(found(await roles.findRole(key), key));
    },
    deleteRole: async (asker, { unlessInUse, ...input }) => {
      const { key } = await admitted(parts, asker, [identityActions.deleteRole], input);
      if (!(await roles.deleteRole({ ...key, unlessInUse }, asker))) throw unknownRole(key);
    },
  } satisfies Partial<RoleOperations>;
}

function roleTags(parts: RolesParts) {
  const { roles } = parts;
  return {
    roleTags: async (asker, input) => {
      const { key, row } = await admitted(parts, asker, [identityActions.listRoleTags], input);
      return found(row, key).tags ?? [];
    },
    tagRole: async (asker, { tags: set, ...input }) => {
      const { key } = await admitted(parts, asker, [identityActions.tagRole], input);
      if (!(await roles.changeRoleTags({ ...key, remove: [], set }, asker))) throw unknownRole(key);
    },
    untagRole: async (asker, { keys: remove, ...input }) => {
      const { key } = await admitted(parts, asker, [identityActions.untagRole], input);
      if (!(await roles.changeRoleTags({ ...key, remove, set: [] }, asker))) throw unknownRole(key);
    },
  } satisfies Partial<RoleOperations>;
}

function found(row: RoleRow | undefined, key: RoleKey): RoleRow {
  if (row === undefined) throw unknownRole(key);
  return row;
}

function unknownRole(key: RoleKey): RegistryError {
  return unknownOwner(roleKey(key));
}

function viewRole(row: RoleRow): RoleView {
  const { account, name, path, description, trustPolicy, createdAt, tags = [] } = row;
  return {
    account,
    name,
    path,
    arn: arnOfKey(roleKey(row)),
    id: uniqueId('AROA', { account, name, madeAt: createdAt }),
    description,
    trustPolicy,
    maxSessionSeconds: row.sessionSecondsMax,
    tags,
    createdAt: isoTime(createdAt),
    lastUsedAt: isoTimeOrNull(row.lastUsedAt),
  };
}
