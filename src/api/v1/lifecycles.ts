import * as z from 'zod';
import { listOf } from '../../contract/access-schema.ts';
import * as outputs from '../../contract/lifecycle-schema.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseReference } from '../../domain/names/reference.ts';
import type { LifecycleOperations } from '../../operations/lifecycles.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields, pageFields, repositoryFields } from './input.ts';

const reference = z.string().transform((text, context): Reference => {
  const found = parseReference(text);
  if (found !== undefined) return found;
  context.addIssue({ code: 'custom', message: 'must be a tag or a digest' });
  return z.NEVER;
});

/** Lifecycle policies: what they are, mean and would do; texts go in and come out verbatim. */
export function lifecycleEndpoints(lifecycles: LifecycleOperations): readonly Endpoint[] {
  return [...policyEndpoints(lifecycles), ...previewEndpoints(lifecycles)];
}

function policyEndpoints(lifecycles: LifecycleOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: 'lifecycle-policies/check',
      summary: 'What the text of a lifecycle policy means, or everything that is wrong with it',
      input: z.strictObject({ policy: fields.policy }),
      output: outputs.lifecycleCheck,
      answer: (input) => lifecycles.check(input),
    }),
    endpoint({
      method: 'GET',
      path: 'lifecycle-policy',
      summary: 'The lifecycle policy of a repository',
      input: z.strictObject(repositoryFields),
      output: outputs.lifecyclePolicy,
      answer: (input, asker) => lifecycles.get(asker, input),
    }),
    endpoint({
      method: 'PUT',
      path: 'lifecycle-policy',
      summary: 'Puts the lifecycle policy of a repository',
      input: z.strictObject({ ...repositoryFields, policy: fields.policy }),
      output: outputs.lifecyclePolicy,
      answer: (input, asker) => lifecycles.put(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'lifecycle-policy',
      summary: 'Deletes the lifecycle policy of a repository, and says what it was',
      input: z.strictObject(repositoryFields),
      output: outputs.lifecyclePolicy,
      answer: (input, asker) => lifecycles.delete(asker, input),
    }),
  ];
}

function previewEndpoints(lifecycles: LifecycleOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: 'lifecycle-preview',
      summary: 'Begins to find what a policy would act on, by default the repository’s own',
      input: z.strictObject({ ...repositoryFields, policy: fields.policy.optional() }),
      output: outputs.lifecyclePreview,
      answer: (input, asker) => lifecycles.startPreview(asker, input),
    }),
    endpoint({
      method: 'GET',
      path: 'lifecycle-preview',
      summary: 'What the last preview of a repository found; for a day after it ended',
      input: z.strictObject({
        ...repositoryFields,
        ...pageFields,
        tagStatus: z.enum(['tagged', 'untagged', 'any']).optional(),
      }),
      output: outputs.lifecyclePreview,
      answer: (input, asker) => lifecycles.preview(asker, input),
    }),
    endpoint({
      method: 'POST',
      path: 'lifecycle-policies/explain',
      summary: 'What a policy makes of each image now and why, the youngest first',
      input: z.strictObject({
        ...repositoryFields,
        ...pageFields,
        policy: fields.policy.optional(),
        images: z.array(reference).min(1).max(100).optional(),
      }),
      output: listOf(outputs.lifecycleExplanation),
      answer: (input, asker) => lifecycles.explain(asker, input),
    }),
  ];
}
