import * as z from 'zod';
import * as outputs from '../../contract/access-schema.ts';
import type { RoleOperations } from '../../operations/roles/roles.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields, pageFields } from './input.ts';

const named = { name: fields.name, account: fields.account };
const description = z.string().max(1000).optional();
const maxSessionSeconds = z.int().optional();

/** Roles; their policies are among the identity policies. */
export function roleEndpoints(roles: RoleOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'roles',
      summary: 'The roles of an account',
      input: z.strictObject({ account: fields.account, ...pageFields }),
      output: outputs.listOf(outputs.role),
      answer: (input, asker) => roles.listRoles(asker, input),
    }),
    endpoint({
      method: 'GET',
      path: 'role',
      summary: 'One role, with its trust policy',
      input: z.strictObject(named),
      output: outputs.role,
      answer: (input, asker) => roles.getRole(asker, input),
    }),
    endpoint({
      method: 'POST',
      path: 'roles',
      summary: 'Makes a role, which may nothing yet, and says who may assume it',
      created: true,
      input: z.strictObject({
        ...named,
        trustPolicy: fields.policy,
        path: z.string().max(512).optional(),
        description,
        maxSessionSeconds,
      }),
      output: outputs.role,
      answer: (input, asker) => roles.createRole(asker, input),
    }),
    endpoint({
      method: 'PATCH',
      path: 'role',
      summary: 'Changes who may assume a role, its description, or its longest session',
      input: z.strictObject({
        ...named,
        trustPolicy: fields.policy.optional(),
        description,
        maxSessionSeconds,
      }),
      output: outputs.role,
      answer: (input, asker) => roles.updateRole(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'roles',
      summary: 'Deletes a role with its policies; its sessions end',
      input: z.strictObject(named),
      output: undefined,
      answer: (input, asker) => roles.deleteRole(asker, input),
    }),
  ];
}
