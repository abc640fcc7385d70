import * as z from 'zod';
import * as outputs from '../../contract/access-schema.ts';
import type { PolicyAttachmentOperations } from '../../operations/policies/policy-attachments.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields } from './input.ts';

const ofPrincipal = {
  user: fields.name.optional(),
  role: fields.name.optional(),
  account: fields.account,
};
const arn = z.string().max(2048);

/** Managed policies of users and roles. */
export function attachmentEndpoints(attachments: PolicyAttachmentOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'attached-policies',
      summary: 'The managed policies that are attached to a user or role',
      input: z.strictObject(ofPrincipal),
      output: outputs.listOf(outputs.attachedPolicy),
      answer: (input, asker) => attachments.attachedPolicies(asker, input),
    }),
    endpoint({
      method: 'PUT',
      path: 'attached-policies',
      summary: 'Attaches a managed policy to a user or role',
      input: z.strictObject({ ...ofPrincipal, arn }),
      output: undefined,
      answer: (input, asker) => attachments.attachPolicy(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'attached-policies',
      summary: 'Detaches a managed policy from a user or role',
      input: z.strictObject({ ...ofPrincipal, arn }),
      output: undefined,
      answer: (input, asker) => attachments.detachPolicy(asker, input),
    }),
  ];
}
