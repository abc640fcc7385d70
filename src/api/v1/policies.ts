import * as z from 'zod';
import * as outputs from '../../contract/access-schema.ts';
import type { PolicyOperations } from '../../operations/policies.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields, registryFields, repositoryFields } from './input.ts';

const ofPrincipal = {
  user: fields.name.optional(),
  role: fields.name.optional(),
  account: fields.account,
};

/** PolicyOperations of users, repositories and registries; texts go in and come out verbatim. */
export function policyEndpoints(policies: PolicyOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: 'policies/validate',
      summary: 'Everything that is wrong with the text of a policy, and what it says in vain',
      input: z.strictObject({
        kind: z.enum(['identity', 'repository', 'registry', 'trust']),
        policy: fields.policy,
      }),
      output: outputs.policyValidation,
      answer: (input) => policies.validate(input),
    }),
    ...userPolicyEndpoints(policies),
    ...repositoryPolicyEndpoints(policies),
    ...registryPolicyEndpoints(policies),
  ];
}

function userPolicyEndpoints(policies: PolicyOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'identity-policies',
      summary: 'The policies of a user or role, or the one of that name',
      input: z.strictObject({ ...ofPrincipal, name: fields.name.optional() }),
      output: outputs.listOf(outputs.identityPolicy),
      answer: (input, asker) => policies.ofPrincipal(asker, input),
    }),
    endpoint({
      method: 'PUT',
      path: 'identity-policies',
      summary: 'Puts or replaces a policy of a user or role',
      input: z.strictObject({ ...ofPrincipal, name: fields.name, policy: fields.policy }),
      output: outputs.identityPolicy,
      answer: (input, asker) => policies.putOfPrincipal(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'identity-policies',
      summary: 'Deletes a policy of a user or role',
      input: z.strictObject({ ...ofPrincipal, name: fields.name }),
      output: undefined,
      answer: (input, asker) => policies.deleteOfPrincipal(asker, input),
    }),
  ];
}

function repositoryPolicyEndpoints(policies: PolicyOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'repository-policy',
      summary: 'The policy of a repository',
      input: z.strictObject(repositoryFields),
      output: outputs.repositoryPolicy,
      answer: (input, asker) => policies.ofRepository(asker, input),
    }),
    endpoint({
      method: 'PUT',
      path: 'repository-policy',
      summary: 'Sets the policy of a repository',
      input: z.strictObject({ ...repositoryFields, policy: fields.policy }),
      output: outputs.repositoryPolicy,
      answer: (input, asker) => policies.setOfRepository(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'repository-policy',
      summary: 'Deletes the policy of a repository',
      input: z.strictObject(repositoryFields),
      output: undefined,
      answer: (input, asker) => policies.deleteOfRepository(asker, input),
    }),
  ];
}

function registryPolicyEndpoints(policies: PolicyOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'registry-policy',
      summary: 'The policy of a registry',
      input: z.strictObject(registryFields),
      output: outputs.registryPolicy,
      answer: (input, asker) => policies.ofRegistry(asker, input),
    }),
    endpoint({
      method: 'PUT',
      path: 'registry-policy',
      summary: 'Sets the policy of a registry',
      input: z.strictObject({ ...registryFields, policy: fields.policy }),
      output: outputs.registryPolicy,
      answer: (input, asker) => policies.setOfRegistry(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'registry-policy',
      summary: 'Deletes the policy of a registry',
      input: z.strictObject(registryFields),
      output: undefined,
      answer: (input, asker) => policies.deleteOfRegistry(asker, input),
    }),
  ];
}
