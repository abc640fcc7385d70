import type { Asker } from '../access/access.ts';
import { policyActionsOf } from '../access/accounts/policies.ts';
import type { Policies } from '../access/accounts/policies.ts';
import type { Roles } from '../access/accounts/roles.ts';
import type { Admission } from '../access/admission/admission.ts';
import type {
  IdentityPolicyView,
  PolicyValidation,
  RegistryPolicyView,
  RepositoryPolicyView,
} from '../contract/access-view.ts';
import type { Listing } from '../contract/admin-view.ts';
import { RegistryError } from '../domain/errors.ts';
import type { ErrorKind } from '../domain/errors.ts';
import { registryOf } from '../domain/names/registry.ts';
import type { RegistryKey, RepositoryKey } from '../domain/names/registry.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import { parsePolicy, policyProblems } from '../domain/policy/parser.ts';
import type { PolicyKind } from '../domain/policy/policy.ts';
import { policyWarnings } from '../domain/policy/warnings.ts';
import { roleNameOf } from '../domain/policy/principal.ts';
import type { IdentityPolicyRow } from '../metadata/contract/rows.ts';
import { unknownOwner } from './named-principal.ts';
import { isoTime, listing } from './page.ts';
import type { HolderInput, HolderKey } from './policies/policy-holder.ts';
import { policyHolder } from './policies/policy-holder.ts';
import type { Places, RegistryInput, RepositoryInput } from './places.ts';

interface TextInput {
  readonly policy: string;
}

/**
 * Policies of users, roles, repositories and registries; texts go in and come out verbatim. What is changed is invalidated and audited by
 * `access/accounts`, after the commit. Each throws `RegistryError`.
 */
export interface PolicyOperations {
  /** Everything that is wrong with a text, and what it says in vain; anybody may ask. */
  validate(input: TextInput & { readonly kind: PolicyKind }): PolicyValidation;
  /** All of a user or role, or the one of that name. */
  ofPrincipal(
    asker: Asker,
    input: HolderInput & { readonly name?: string | undefined },
  ): Promise<Listing<IdentityPolicyView>>;
  putOfPrincipal(
    asker: Asker,
    input: HolderInput & TextInput & { readonly name: string },
  ): Promise<IdentityPolicyView>;
  deleteOfPrincipal(asker: Asker, input: HolderInput & { readonly name: string }): Promise<void>;

  ofRepository(asker: Asker, input: RepositoryInput): Promise<RepositoryPolicyView>;
  setOfRepository(asker: Asker, input: RepositoryInput & TextInput): Promise<RepositoryPolicyView>;
  /** Answers the one that was there. */
  deleteOfRepository(asker: Asker, input: RepositoryInput): Promise<RepositoryPolicyView>;

  ofRegistry(asker: Asker, input: RegistryInput): Promise<RegistryPolicyView>;
  setOfRegistry(asker: Asker, input: RegistryInput & TextInput): Promise<RegistryPolicyView>;
  deleteOfRegistry(asker: Asker, input: RegistryInput): Promise<RegistryPolicyView>;
}

export interface PoliciesParts {
  readonly admission: Pick<Admission, 'require' | 'requireInRegistry' | 'requireIdentity'>;
  readonly places: Places;
  readonly roles: Pick<Roles, 'findRole'>;
  readonly stored: Policies;
}

export function createPolicyOperations(parts: PoliciesParts): PolicyOperations {
  return {
    validate: ({ policy, kind }) => validatePolicy(policy, kind),
    ...identityPolicies(parts),
    ...repositoryPolicies(parts),
    ...registryPolicies(parts),
  };
}

function validatePolicy(text: string, kind: PolicyKind): PolicyValidation {
  const problems = policyProblems(text, kind);
  const valid = problems.length === 0;
  const warnings = valid ? policyWarnings(parsePolicy(text, kind)) : [];
  return { valid, problems, warnings };
}

function identityPolicies(parts: PoliciesParts) {
  const { admission, stored } = parts;
  /** The holder, once the asker may. */
  const admitted = async (
    asker: Asker,
    wanted: keyof ReturnType<typeof policyActionsOf>,
    input: HolderInput,
  ): Promise<HolderKey> => {
    const owner = await policyHolder(parts, asker, input);
    await admission.requireIdentity(asker, policyActionsOf(owner.name)[wanted], owner);
    return owner;
  };
  return {
    ofPrincipal: async (asker, { name, ...input }) => {
      const owner = await admitted(asker, name === undefined ? 'list' : 'get', input);
      const rows = await stored.identityPolicies(owner.account, owner.name);
      const shown = rows.filter((row) => name === undefined || row.name === name);
      if (name !== undefined && shown.length === 0) throw unknownOwner(owner, policyNamed(name));
      return listing(shown.map(viewIdentityPolicy));
    },
    putOfPrincipal: async (asker, { name, policy: text, ...input }) => {
      const owner = await admitted(asker, 'put', input);
      const key = { account: owner.account, principal: owner.name, name };
      return viewIdentityPolicy(await stored.putIdentityPolicy({ ...key, text }, asker));
    },
    deleteOfPrincipal: async (asker, { name, ...input }) => {
      const owner = await admitted(asker, 'delete', input);
      const key = { account: owner.account, principal: owner.name, name };
      if (!(await stored.deleteIdentityPolicy(key, asker)))
        throw unknownOwner(owner, policyNamed(name));
    },
  } satisfies Partial<PolicyOperations>;
}

function policyNamed(name: string): { readonly name: string; readonly kind: ErrorKind } {
  return { name: `policy ${name}`, kind: 'principalPolicyUnknown' };
}

function repositoryPolicies({ admission, places, stored }: PoliciesParts) {
  const view = ({ registry, repository }: RepositoryKey, policy: string): RepositoryPolicyView => ({
    account: registryOf(registry).account,
    repository,
    policy,
  });
  const admitted = async (
    asker: Asker,
    input: RepositoryInput,
    action: Action,
  ): Promise<RepositoryKey> => {
    const place = places.place(input, asker);
    await admission.require(asker, place, [action]);
    return { registry: place.registry, repository: place.target.repository };
  };
  return {
    ofRepository: async (asker, input) => {
      const key = await admitted(asker, input, actions.getRepositoryPolicy);
      const policy = await stored.repositoryPolicy(key);
      if (policy === undefined) throw noPolicy('repositoryPolicyUnknown', key.repository);
      return view(key, policy);
    },
    setOfRepository: async (asker, { policy, ...input }) => {
      const key = await admitted(asker, input, actions.setRepositoryPolicy);
      await stored.setRepositoryPolicy({ ...key, text: policy }, asker);
      return view(key, policy);
    },
    deleteOfRepository: async (asker, input) => {
      const key = await admitted(asker, input, actions.deleteRepositoryPolicy);
      const policy = await stored.deleteRepositoryPolicy(key, asker);
      if (policy === undefined) throw noPolicy('repositoryPolicyUnknown', key.repository);
      return view(key, policy);
    },
  } satisfies Partial<PolicyOperations>;
}

function registryPolicies({ admission, places, stored }: PoliciesParts) {
  const admitted = async (
    asker: Asker,
    input: RegistryInput,
    action: Action,
  ): Promise<RegistryKey> => {
    const registry = places.registry(input, asker);
    await admission.requireInRegistry(asker, action, registry);
    return registry;
  };
  return {
    ofRegistry: async (asker, input) => {
      const registry = await admitted(asker, input, actions.getRegistryPolicy);
      const policy = await stored.registryPolicy(registry);
      if (policy === undefined) throw noPolicy('registryPolicyUnknown', `the registry ${registry}`);
      return { ...registryOf(registry), policy };
    },
    setOfRegistry: async (asker, { policy, ...input }) => {
      const registry = await admitted(asker, input, actions.putRegistryPolicy);
      await stored.setRegistryPolicy({ registry, text: policy }, asker);
      return { ...registryOf(registry), policy };
    },
    deleteOfRegistry: async (asker, input) => {
      const registry = await admitted(asker, input, actions.deleteRegistryPolicy);
      const policy = await stored.deleteRegistryPolicy(registry, asker);
      if (policy === undefined) throw noPolicy('registryPolicyUnknown', `the registry ${registry}`);
      return { ...registryOf(registry), policy };
    },
  } satisfies Partial<PolicyOperations>;
}

function noPolicy(kind: ErrorKind, place: string): RegistryError {
  return new RegistryError('nameUnknown', `${place} has no policy`, { kind });
}

function viewIdentityPolicy(row: IdentityPolicyRow): IdentityPolicyView {
  const role = roleNameOf(row.principal);
  return {
    account: row.account,
    user: role === undefined ? row.principal : null,
    role: role ?? null,
    name: row.name,
    policy: row.text,
    updatedAt: isoTime(row.updatedAt),
  };
}
