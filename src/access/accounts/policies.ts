import { createInOrder } from '../../coordination/in-order.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import { arnOfKey, roleNameOf } from '../../domain/policy/principal.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import { besideHome } from '../../domain/names/registry.ts';
import type { IdentityPolicyRow } from '../../metadata/contract/rows.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidation, Invalidations } from '../../ports/invalidations.ts';
import type { Asker, Audit } from '../access.ts';
import { changeOf } from '../audit/audit-entry.ts';

/** Of one principal; IAM bounds their size, which ten of the longest are beyond. */
const identityPoliciesMax = 10;

interface IdentityPolicyKey {
  readonly account: string;
  /** A user or robot, or `role/<name>`. */
  readonly principal: string;
  readonly name: string;
}

/**
 * Policies are kept verbatim, once they have been read without a problem. A change is answered after its commit, recorded in
 * the audit, and holds for the next request. Throws `requestInvalid` for a text that is no policy, `nameUnknown` where the
 * repository or the principal is missing. A deletion answers the text that was there, `undefined` where there was none.
 */
export interface Policies {
  /** `undefined`: the repository has none. */
  repositoryPolicy(key: RepositoryKey): Promise<string | undefined>;
  setRepositoryPolicy(
    input: RepositoryKey & { readonly text: string },
    author: Asker,
  ): Promise<void>;
  deleteRepositoryPolicy(key: RepositoryKey, author: Asker): Promise<string | undefined>;

  registryPolicy(registry: RegistryKey): Promise<string | undefined>;
  setRegistryPolicy(
    input: { readonly registry: RegistryKey; readonly text: string },
    author: Asker,
  ): Promise<void>;
  deleteRegistryPolicy(registry: RegistryKey, author: Asker): Promise<string | undefined>;

  identityPolicies(account: string, principal: string): Promise<readonly IdentityPolicyRow[]>;
  /** Puts or replaces; `conflict` beyond ten. */
  putIdentityPolicy(
    input: IdentityPolicyKey & { readonly text: string },
    author: Asker,
  ): Promise<IdentityPolicyRow>;
  deleteIdentityPolicy(key: IdentityPolicyKey, author: Asker): Promise<boolean>;
}

export interface PoliciesOptions {
  readonly metadata: Pick<Metadata, 'identities' | 'repositories' | 'roles'>;
  /** Its region is that under which changes of an account's identities are audited. */
  readonly home: () => RegistryKey;
  readonly invalidations: Pick<Invalidations, 'note'>;
  readonly clock: Clock;
  readonly audit: Audit;
}

export function createPolicies(options: PoliciesOptions): Policies {
  const ofRepository = (key: RepositoryKey) => repositoryPolicy(options, key);
  const ofRegistry = (registry: RegistryKey) => registryPolicy(options, registry);
  return {
    repositoryPolicy: (key) => ofRepository(key).read(),
    setRepositoryPolicy: ({ text, ...key }, author) =>
      setPolicy(options, ofRepository(key), text, author),
    deleteRepositoryPolicy: (key, author) => deletePolicy(options, ofRepository(key), author),
    registryPolicy: (registry) => ofRegistry(registry).read(),
    setRegistryPolicy: ({ registry, text }, author) =>
      setPolicy(options, ofRegistry(registry), text, author),
    deleteRegistryPolicy: (registry, author) => deletePolicy(options, ofRegistry(registry), author),
    ...identityPolicies(options),
  };
}

/** The policy of one repository or registry. */
interface ResourcePolicy {
  readonly kind: 'repository' | 'registry';
  readonly subject: Parameters<typeof changeOf>[2];
  readonly setAction: Action;
  readonly deleteAction: Action;
  readonly stale: Invalidation;
  readonly read: () => Promise<string | undefined>;
  readonly write: (text: string | undefined) => Promise<void>;
}

function repositoryPolicy({ metadata }: PoliciesOptions, key: RepositoryKey): ResourcePolicy {
  const { registry, repository } = key;
  return {
    kind: 'repository',
    subject: { registry, resource: repository },
    setAction: actions.setRepositoryPolicy,
    deleteAction: actions.deleteRepositoryPolicy,
    stale: { kind: 'repository', registry, repository },
    async read() {
      const row = await metadata.repositories.findRepository(key);
      if (row === undefined) throw repositoryUnknown(repository);
      return row.policy;
    },
    async write(text) {
      if (!(await metadata.repositories.setRepositoryPolicy({ registry, repository, text })))
        throw repositoryUnknown(repository);
    },
  };
}

function registryPolicy(options: PoliciesOptions, registry: RegistryKey): ResourcePolicy {
  const { identities } = options.metadata;
  return {
    kind: 'registry',
    subject: { registry, resource: '' },
    setAction: actions.putRegistryPolicy,
    deleteAction: actions.deleteRegistryPolicy,
    stale: { kind: 'policies' },
    read: () => identities.findRegistryPolicy(registry),
    write: (text) => identities.setRegistryPolicy({ registry, text, now: options.clock.now() }),
  };
}

async function setPolicy(
  options: PoliciesOptions,
  { kind, stale, write, setAction, subject }: ResourcePolicy,
  text: string,
  author: Asker,
): Promise<void> {
  parsePolicy(text, kind);
  await noting(options, stale, () => write(text));
  options.audit.record(changeOf(author, setAction, subject));
}

async function deletePolicy(
  options: PoliciesOptions,
  { stale, read, write, deleteAction, subject }: ResourcePolicy,
  author: Asker,
): Promise<string | undefined> {
  const before = await onceRead('deleted', read);
  if (before === undefined) return undefined;
  await noting(options, stale, () => write(undefined));
  options.audit.record(changeOf(author, deleteAction, subject));
  return before;
}

/** Notes what a write makes stale once it is over, also where it failed half-way. */
async function noting<T>(
  { invalidations }: PoliciesOptions,
  stale: Invalidation,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } finally {
    invalidations.note(stale);
  }
}

function identityPolicies(options: PoliciesOptions) {
  const { audit, clock, home } = options;
  const { identities, roles } = options.metadata;
  const requirePrincipal = async (account: string, principal: string): Promise<void> => {
    const role = roleNameOf(principal);
    const row = await (role === undefined
      ? identities.findPrincipal(account, principal)
      : roles.findRole({ account, name: role }));
    if (row === undefined) throw noPrincipal(account, principal);
  };
  const record = (key: IdentityPolicyKey, action: IdentityAction, author: Asker): void => {
    const subject = { registry: besideHome(home(), key.account), resource: key.principal };
    audit.record(changeOf(author, action, subject, { policy: key.name }));
  };
  const put = async (row: IdentityPolicyRow): Promise<void> => {
    const { account, principal, name } = row;
    const there = await identities.listIdentityPolicies(account, principal);
    if (there.length >= identityPoliciesMax && !there.some((each) => each.name === name))
      throw new RegistryError('conflict', `${principal} has ${there.length} policies already`, {
        kind: 'principalLimit',
        detail: { hint: `${identityPoliciesMax} at most: join statements of several into one` },
      });
    const outcome = await noting(options, { kind: 'policies' }, () =>
      identities.putIdentityPolicy(row),
    );
    if (outcome === 'noPrincipal') throw noPrincipal(account, principal);
  };
  /** One after the other, so that two at once can't be the eleventh both. */
  const inOrder = createInOrder();
  return {
    async identityPolicies(account, principal) {
      await requirePrincipal(account, principal);
      return identities.listIdentityPolicies(account, principal);
    },
    async putIdentityPolicy({ account, principal, name, text }, author) {
      if (!/^[\w+=,.@-]{1,128}$/.test(name))
        throw new RegistryError('requestInvalid', 'name: not the name of a policy', {
          detail: { field: 'name', hint: '1 to 128 of letters, digits and _+=,.@-' },
        });
      parsePolicy(text, 'identity');
      const row = { account, principal, name, text, updatedAt: clock.now() };
      await inOrder(() => put(row));
      record(row, policyActionsOf(principal).put, author);
      return row;
    },
    async deleteIdentityPolicy({ account, principal, name }, author) {
      await requirePrincipal(account, principal);
      const key = { account, principal, name };
      const wasThere = await noting(options, { kind: 'policies' }, () =>
        identities.deleteIdentityPolicy(key),
      );
      if (wasThere) record(key, policyActionsOf(principal).delete, author);
      return wasThere;
    },
  } satisfies Partial<Policies>;
}

/** What is asked before a principal's policies are read or changed. */
export function policyActionsOf(principal: string): {
  readonly list: IdentityAction;
  readonly get: IdentityAction;
  readonly put: IdentityAction;
  readonly delete: IdentityAction;
} {
  return roleNameOf(principal) === undefined ? ofUsers : ofRoles;
}

const ofUsers = {
  list: identityActions.listUserPolicies,
  get: identityActions.getUserPolicy,
  put: identityActions.putUserPolicy,
  delete: identityActions.deleteUserPolicy,
};

const ofRoles = {
  list: identityActions.listRolePolicies,
  get: identityActions.getRolePolicy,
  put: identityActions.putRolePolicy,
  delete: identityActions.deleteRolePolicy,
};

function noPrincipal(account: string, name: string): RegistryError {
  return new RegistryError('nameUnknown', `there is no ${arnOfKey({ account, name })}`, {
    kind: 'principalUnknown',
  });
}
