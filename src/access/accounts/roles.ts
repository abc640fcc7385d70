import { clockOfCalls } from '../../coordination/call-attempt.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Label, LabelChange } from '../../domain/names/label.ts';
import { inKeyOrder } from '../../domain/names/label.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { besideHome } from '../../domain/names/registry.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import { isPrincipalName, isPrincipalPath, roleKey } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RoleChange, RoleKey, RoleRow } from '../../metadata/contract/roles.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Asker, Audit, AuditEntry } from '../access.ts';
import { changeOf } from '../audit/audit-entry.ts';
import { taking } from './taking.ts';
import { require, requireTags, tagsMax, tooManyTags } from './bounds.ts';

export interface NewRole extends RoleKey {
  readonly path: string;
  readonly trustPolicy: string;
  readonly description: string;
  readonly sessionSecondsMax: number;
  readonly tags: readonly Label[];
}

/**
 * Roles; whether the `author` of a change may is decided before. Changes are answered after their commit, recorded in the audit, and hold for
 * the next request. `undefined` and false: it is not there. Throws `requestInvalid` for bad names, bounds and trust policies, `conflict` for what
 * is there already.
 */
export interface Roles {
  listRoles(account: string): Promise<readonly RoleRow[]>;
  findRole(key: RoleKey): Promise<RoleRow | undefined>;
  /** `undefined`: no such account. */
  createRole(input: NewRole, author: Asker): Promise<RoleRow | undefined>;
  /** Sessions that there are go on: a trust policy says who may begin one. */
  changeRole(input: RoleKey & RoleChange, author: Asker): Promise<boolean>;
  changeRoleTags(input: RoleKey & LabelChange, author: Asker): Promise<boolean>;
  /** With its policies; its sessions end at once. `unlessInUse`: `conflict` where it has policies. */
  deleteRole(
    input: RoleKey & { readonly unlessInUse?: boolean | undefined },
    author: Asker,
  ): Promise<boolean>;
}

export interface RolesOptions {
  readonly metadata: Pick<Metadata, 'identities' | 'roles'>;
  /** Its region is that under which changes of an account's identities are audited. */
  readonly home: () => RegistryKey;
  readonly clock: Clock;
  readonly audit: Audit;
  /** What remembers verified credentials and principals forgets them. */
  readonly onChange: () => void;
}

/** Bounds of a role's sessions, in seconds, as IAM has them. */
export const roleSessionSeconds: { readonly least: number; readonly most: number } = {
  least: 3600,
  most: 43_200,
};

/** IAM's, where an account has asked for more. */
const trustCharactersMax = 4096;
const descriptionCharactersMax = 1000;

export function createRoles(given: RolesOptions): Roles {
  const options = { ...given, clock: clockOfCalls(given.clock) };
  const { metadata, clock } = options;
  return {
    listRoles: (account) => metadata.roles.listRoles(account),
    findRole: (key) => metadata.roles.findRole(key),
    createRole: async ({ tags, ...input }, author) => {
      require(isPrincipalName(input.name), 'name', 'letters, digits and _+=,.@-, 64 at most');
      require(isPrincipalPath(input.path), 'path', '/, or names between slashes: /team/');
      requireRole(input);
      requireTags(tags);
      const kept = tags.length === 0 ? {} : { tags: inKeyOrder(tags) };
      const row = { ...input, createdAt: clock.now(), ...kept, lastUsedAt: undefined };
      const outcome = await metadata.roles.createRole(row);
      if (outcome === 'noAccount') return undefined;
      if (outcome === 'exists')
        throw new RegistryError('conflict', `${row.name} is a role of ${row.account} already`, {
          kind: 'principalExists',
        });
      changed(options, author, identityActions.createRole, row);
      return row;
    },
    changeRole: async (input, author) => {
      requireRole(input);
      if (!(await metadata.roles.changeRole(input))) return false;
      const { trustPolicy, description, sessionSecondsMax } = input;
      if (trustPolicy !== undefined) changed(options, author, identityActions.updateTrust, input);
      if (description !== undefined || sessionSecondsMax !== undefined)
        changed(options, author, identityActions.updateRole, input);
      return true;
    },
    ...tagChanges(options),
    deleteRole: async ({ unlessInUse = false, ...key }, author) => {
      const { account, name } = roleKey(key);
      const { identities } = metadata;
      const done = await taking<boolean | string>(
        options,
        unlessInUse
          ? identities.deleteUnusedPrincipal({ account, name })
          : identities.deletePrincipal({ account, name }),
      );
      if (done === false || done === 'notFound') return false;
      if (done !== true && done !== 'deleted')
        throw new RegistryError(
          'conflict',
          `Cannot delete entity, must ${done === 'hasAttachments' ? 'detach all' : 'delete'} policies first.`,
          { kind: 'principalInUse' },
        );
      changed(options, author, identityActions.deleteRole, key);
      return true;
    },
  };
}

function tagChanges(options: RolesOptions): Pick<Roles, 'changeRoleTags'> {
  return {
    changeRoleTags: async ({ set, remove, ...key }, author) => {
      requireTags(set);
      const { account, name } = roleKey(key);
      const change = { account, name, remove, set, tagsMax };
      const done = await taking(options, options.metadata.identities.changePrincipalTags(change));
      if (done === 'notFound') return false;
      if (done === 'tooMany') throw tooManyTags();
      const changes = [
        [identityActions.untagRole, remove],
        [identityActions.tagRole, set.map((tag) => tag.key)],
      ] as const;
      for (const [action, keys] of changes)
        if (keys.length > 0)
          changed(options, author, action, key, { keys: keys.join(' ').slice(0, 512) });
      return true;
    },
  };
}

function requireRole({ trustPolicy, description = '', sessionSecondsMax }: RoleChange): void {
  require(description.length <=
    descriptionCharactersMax, 'description', `${descriptionCharactersMax} characters at most`);
  const { least, most } = roleSessionSeconds;
  require(sessionSecondsMax === undefined ||
    (Number.isSafeInteger(sessionSecondsMax) &&
      sessionSecondsMax >= least &&
      sessionSecondsMax <=
        most), 'sessionSecondsMax', `a whole number of seconds from ${least} to ${most}`);
  if (trustPolicy === undefined) return;
  if (trustPolicy.length > trustCharactersMax)
    throw new RegistryError(
      'conflict',
      `a trust policy has at most ${trustCharactersMax} characters`,
      { kind: 'principalLimit' },
    );
  parsePolicy(trustPolicy, 'trust');
}

function changed(
  { home, audit, onChange }: RolesOptions,
  author: Asker,
  action: string,
  key: RoleKey,
  detail: AuditEntry['detail'] = {},
): void {
  onChange();
  const subject = { registry: besideHome(home(), key.account), resource: roleKey(key).name };
  audit.record(changeOf(author, action, subject, detail));
}
