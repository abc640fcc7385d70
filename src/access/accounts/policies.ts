import { createInOrder } from '../../coordination/in-order.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import { arnOfKey } from '../../domain/policy/principal.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import { registryKey, registryOf } from '../../domain/names/registry.ts';
import type { IdentityPolicyRow } from '../../metadata/contract/rows.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { Asker, Audit } from '../access.ts';
import { changeOf } from '../audit/audit-entry.ts';

/** Of one principal; IAM bounds their size, which ten of the longest are beyond. */
export const identityPoliciesMax = 10;

interface IdentityPolicyKey {
  readonly account: string;
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
  readonly metadata: Pick<Metadata, 'identities' | 'repositories'>;
  /** Its region is that under which changes of an account's identities are audited. */
  readonly home: () => RegistryKey;
  readonly invalidations: Pick<Invalidations, 'note'>;
  readonly clock: Clock;
  readonly audit: Audit;
}

export function createPolicies(options: PoliciesOptions): Policies {
  return {
    ...repositoryPolicies(options),
    ...registryPolicies(options),
    ...identityPolicies(options),
  };
}

function repositoryPolicies({
  metadata,
  invalidations,
  audit,
}: PoliciesOptions): Pick<
  Policies,
  'repositoryPolicy' | 'setRepositoryPolicy' | 'deleteRepositoryPolicy'
> {
  const read = async (key: RepositoryKey): Promise<string | undefined> => {
    const row = await metadata.repositories.findRepository(key);
    if (row === undefined) throw repositoryUnknown(key.repository);
    return row.policy;
  };
  const write = async (key: RepositoryKey, text: string | undefined): Promise<void> => {
    try {
      if (!(await metadata.repositories.setRepositoryPolicy({ ...key, text })))
        throw repositoryUnknown(key.repository);
    } finally {
      invalidations.note({ kind: 'repository', ...key });
    }
  };
  const record = (key: RepositoryKey, action: Action, author: Asker): void =>
    audit.record(changeOf(author, action, { registry: key.registry, resource: key.repository }));
  return {
    repositoryPolicy: read,
    async setRepositoryPolicy({ registry, repository, text }, author) {
      parsePolicy(text, 'repository');
      const key = { registry, repository };
      await write(key, text);
      record(key, actions.setRepositoryPolicy, author);
    },
    async deleteRepositoryPolicy(key, author) {
      const before = await read(key);
      if (before === undefined) return undefined;
      await write(key, undefined);
      record(key, actions.deleteRepositoryPolicy, author);
      return before;
    },
  };
}

function registryPolicies({
  metadata,
  invalidations,
  audit,
  clock,
}: PoliciesOptions): Pick<
  Policies,
  'registryPolicy' | 'setRegistryPolicy' | 'deleteRegistryPolicy'
> {
  const write = async (registry: RegistryKey, text: string | undefined): Promise<void> => {
    try {
      await metadata.identities.setRegistryPolicy({ registry, text, now: clock.now() });
    } finally {
      invalidations.note({ kind: 'policies' });
    }
  };
  const record = (registry: RegistryKey, action: Action, author: Asker): void =>
    audit.record(changeOf(author, action, { registry, resource: '' }));
  return {
    registryPolicy: (registry) => metadata.identities.findRegistryPolicy(registry),
    async setRegistryPolicy({ registry, text }, author) {
      parsePolicy(text, 'registry');
      await write(registry, text);
      record(registry, actions.putRegistryPolicy, author);
    },
    async deleteRegistryPolicy(registry, author) {
      const before = await metadata.identities.findRegistryPolicy(registry);
      if (before === undefined) return undefined;
      await write(registry, undefined);
      record(registry, actions.deleteRegistryPolicy, author);
      return before;
    },
  };
}

function identityPolicies({
  metadata,
  invalidations,
  audit,
  clock,
  home,
}: PoliciesOptions): Pick<
  Policies,
  'identityPolicies' | 'putIdentityPolicy' | 'deleteIdentityPolicy'
> {
  const requirePrincipal = async (account: string, principal: string): Promise<void> => {
    if ((await metadata.identities.findPrincipal(account, principal)) === undefined)
      throw noPrincipal(account, principal);
  };
  const record = (key: IdentityPolicyKey, action: IdentityAction, author: Asker): void => {
    const { region } = registryOf(home());
    const registry = registryKey({ account: key.account, region });
    const subject = { registry, resource: key.principal };
    audit.record(changeOf(author, action, subject, { policy: key.name }));
  };
  const put = async (row: IdentityPolicyRow): Promise<void> => {
    const { account, principal, name } = row;
    const there = await metadata.identities.listIdentityPolicies(account, principal);
    if (there.length >= identityPoliciesMax && !there.some((each) => each.name === name))
      throw new RegistryError('conflict', `${principal} has ${there.length} policies already`, {
        detail: { hint: `${identityPoliciesMax} at most: join statements of several into one` },
      });
    try {
      if ((await metadata.identities.putIdentityPolicy(row)) === 'noPrincipal')
        throw noPrincipal(account, principal);
    } finally {
      invalidations.note({ kind: 'policies' });
    }
  };
  /** One after the other, so that two at once can't be the eleventh both. */
  const inOrder = createInOrder();
  return {
    async identityPolicies(account, principal) {
      await requirePrincipal(account, principal);
      return metadata.identities.listIdentityPolicies(account, principal);
    },
    async putIdentityPolicy({ account, principal, name, text }, author) {
      if (!/^[\w+=,.@-]{1,128}$/.test(name))
        throw new RegistryError('requestInvalid', 'name: not the name of a policy', {
          detail: { field: 'name', hint: '1 to 128 of letters, digits and _+=,.@-' },
        });
      parsePolicy(text, 'identity');
      const row = { account, principal, name, text, updatedAt: clock.now() };
      await inOrder(() => put(row));
      record(row, identityActions.putUserPolicy, author);
      return row;
    },
    async deleteIdentityPolicy({ account, principal, name }, author) {
      await requirePrincipal(account, principal);
      const key = { account, principal, name };
      try {
        if (!(await metadata.identities.deleteIdentityPolicy(key))) return false;
      } finally {
        invalidations.note({ kind: 'policies' });
      }
      record(key, identityActions.deleteUserPolicy, author);
      return true;
    },
  };
}

function noPrincipal(account: string, name: string): RegistryError {
  const arn = arnOfKey({ account, name });
  return new RegistryError('nameUnknown', `there is no ${arn}`);
}
