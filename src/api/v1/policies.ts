import * as z from 'zod';
import type { Policies } from '../../access/accounts/policies.ts';
import type { IdentityPolicyView, PolicyRemark } from '../../contract/access-view.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { parsePolicy, policyProblems } from '../../domain/policy/parser.ts';
import type { PolicyProblem } from '../../domain/policy/problem.ts';
import { policyWarnings } from '../../domain/policy/warnings.ts';
import { registryOf } from '../../domain/names/registry.ts';
import type { IdentityPolicyRow } from '../../metadata/contract/rows.ts';
import type { Admission } from './admission.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields } from './input.ts';
import * as outputs from './outputs.ts';
import { isoTime, listing } from './page.ts';
import { unknownOwner } from './users.ts';

export interface PolicyParts {
  readonly admission: Admission;
  readonly policies: Policies;
}

/** Policies of users, repositories and registries; texts go in and come out verbatim. */
export function policyEndpoints(parts: PolicyParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: 'policies/validate',
      summary: 'Everything that is wrong with the text of a policy, and what it says in vain',
      input: z.strictObject({
        kind: z.enum(['identity', 'repository', 'registry']),
        policy: fields.policy,
      }),
      output: outputs.policyValidation,
      answer: async ({ input }) => {
        const problems = policyProblems(input.policy, input.kind);
        const valid = problems.length === 0;
        const warnings = valid ? policyWarnings(parsePolicy(input.policy, input.kind)) : [];
        return { valid, problems: problems.map(viewRemark), warnings: warnings.map(viewRemark) };
      },
    }),
    ...identityPolicyEndpoints(parts),
    ...repositoryPolicyEndpoints(parts),
    ...registryPolicyEndpoints(parts),
  ];
}

function viewRemark({ field, value, what, fix }: PolicyProblem): PolicyRemark {
  return { field, value, what, fix };
}

const userFields = {
  user: fields.name,
  account: fields.account,
};

function identityPolicyEndpoints({ admission, policies }: PolicyParts): readonly Endpoint[] {
  const ownerOf = (
    { user, account }: { user: string; account?: string | undefined },
    own: string,
  ): { readonly account: string; readonly name: string } => ({
    account: account ?? own,
    name: user,
  });
  return [
    endpoint({
      method: 'GET',
      path: 'identity-policies',
      summary: 'The policies of a user, or the one of that name',
      input: z.strictObject({ ...userFields, name: fields.name.optional() }),
      output: outputs.listOf(outputs.identityPolicy),
      answer: async ({ input, ...asker }) => {
        const owner = ownerOf(input, asker.principal.account);
        const { name } = input;
        const action =
          name === undefined ? identityActions.listUserPolicies : identityActions.getUserPolicy;
        await admission.requireIdentity(asker, action, owner);
        const rows = await policies.identityPolicies(owner.account, owner.name);
        const shown = rows.filter((row) => name === undefined || row.name === name);
        if (name !== undefined && shown.length === 0) throw unknownOwner(owner, `policy ${name}`);
        return listing(shown.map(viewIdentityPolicy));
      },
    }),
    endpoint({
      method: 'PUT',
      path: 'identity-policies',
      summary: 'Puts or replaces a policy of a user',
      input: z.strictObject({ ...userFields, name: fields.name, policy: fields.policy }),
      output: outputs.identityPolicy,
      answer: async ({ input, ...asker }) => {
        const owner = ownerOf(input, asker.principal.account);
        await admission.requireIdentity(asker, identityActions.putUserPolicy, owner);
        const row = await policies.putIdentityPolicy(
          { account: owner.account, principal: owner.name, name: input.name, text: input.policy },
          asker,
        );
        return viewIdentityPolicy(row);
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'identity-policies',
      summary: 'Deletes a policy of a user',
      input: z.strictObject({ ...userFields, name: fields.name }),
      output: undefined,
      answer: async ({ input: { name, ...input }, ...asker }) => {
        const owner = ownerOf(input, asker.principal.account);
        await admission.requireIdentity(asker, identityActions.deleteUserPolicy, owner);
        const key = { account: owner.account, principal: owner.name, name };
        if (!(await policies.deleteIdentityPolicy(key, asker)))
          throw unknownOwner(owner, `policy ${name}`);
      },
    }),
  ];
}

const repositoryFields = {
  repository: fields.repository,
  account: fields.account,
  region: fields.region,
};

function repositoryPolicyEndpoints({ admission, policies }: PolicyParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'repository-policy',
      summary: 'The policy of a repository',
      input: z.strictObject(repositoryFields),
      output: outputs.repositoryPolicy,
      answer: async ({ input, ...asker }) => {
        const place = admission.place(input, asker);
        await admission.require(asker, actions.getRepositoryPolicy, place);
        const { registry, target } = place;
        const { repository } = target;
        const policy = await policies.repositoryPolicy({ registry, repository });
        if (policy === undefined) throw noPolicy(repository);
        return { account: registryOf(registry).account, repository, policy };
      },
    }),
    endpoint({
      method: 'PUT',
      path: 'repository-policy',
      summary: 'Sets the policy of a repository',
      input: z.strictObject({ ...repositoryFields, policy: fields.policy }),
      output: outputs.repositoryPolicy,
      answer: async ({ input: { policy, ...input }, ...asker }) => {
        const place = admission.place(input, asker);
        await admission.require(asker, actions.setRepositoryPolicy, place);
        const { registry, target } = place;
        const { repository } = target;
        await policies.setRepositoryPolicy({ registry, repository, text: policy }, asker);
        return { account: registryOf(registry).account, repository, policy };
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'repository-policy',
      summary: 'Deletes the policy of a repository',
      input: z.strictObject(repositoryFields),
      output: undefined,
      answer: async ({ input, ...asker }) => {
        const place = admission.place(input, asker);
        await admission.require(asker, actions.deleteRepositoryPolicy, place);
        const { registry, target } = place;
        const { repository } = target;
        const key = { registry, repository };
        if ((await policies.deleteRepositoryPolicy(key, asker)) === undefined)
          throw noPolicy(repository);
      },
    }),
  ];
}

const registryFields = { account: fields.account, region: fields.region };

function registryPolicyEndpoints({ admission, policies }: PolicyParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'registry-policy',
      summary: 'The policy of a registry',
      input: z.strictObject(registryFields),
      output: outputs.registryPolicy,
      answer: async ({ input, ...asker }) => {
        const registry = admission.registry(input, asker);
        await admission.requireInRegistry(asker, actions.getRegistryPolicy, registry);
        const policy = await policies.registryPolicy(registry);
        if (policy === undefined) throw noPolicy(`the registry ${registry}`);
        return { ...registryOf(registry), policy };
      },
    }),
    endpoint({
      method: 'PUT',
      path: 'registry-policy',
      summary: 'Sets the policy of a registry',
      input: z.strictObject({ ...registryFields, policy: fields.policy }),
      output: outputs.registryPolicy,
      answer: async ({ input: { policy, ...input }, ...asker }) => {
        const registry = admission.registry(input, asker);
        await admission.requireInRegistry(asker, actions.putRegistryPolicy, registry);
        await policies.setRegistryPolicy({ registry, text: policy }, asker);
        return { ...registryOf(registry), policy };
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'registry-policy',
      summary: 'Deletes the policy of a registry',
      input: z.strictObject(registryFields),
      output: undefined,
      answer: async ({ input, ...asker }) => {
        const registry = admission.registry(input, asker);
        await admission.requireInRegistry(asker, actions.deleteRegistryPolicy, registry);
        if ((await policies.deleteRegistryPolicy(registry, asker)) === undefined)
          throw noPolicy(`the registry ${registry}`);
      },
    }),
  ];
}

function noPolicy(place: string): RegistryError {
  return new RegistryError('nameUnknown', `${place} has no policy`);
}

function viewIdentityPolicy(row: IdentityPolicyRow): IdentityPolicyView {
  return {
    account: row.account,
    user: row.principal,
    name: row.name,
    policy: row.text,
    updatedAt: isoTime(row.updatedAt),
  };
}
