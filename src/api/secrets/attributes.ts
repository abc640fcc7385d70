import { labelsOf } from '../aws/tag-list.ts';
import { namedInAnswer, secretOfCall } from './parts.ts';
import type { SecretsRows, SecretsServiceParts } from './parts.ts';

/** Tags and policies of secrets. */
export function attributeRows({ secrets }: Pick<SecretsServiceParts, 'secrets'>): SecretsRows {
  return {
    TagResource: {
      changes: true,
      answer: async (input, asking) => {
        const tags = labelsOf(input.Tags);
        await secrets.tag(asking, { ...secretOfCall(asking, input), tags });
        return {};
      },
    },
    UntagResource: {
      changes: true,
      answer: async (input, asking) => {
        await secrets.untag(asking, { ...secretOfCall(asking, input), keys: input.TagKeys });
        return {};
      },
    },
    GetResourcePolicy: {
      changes: false,
      answer: async (input, asking) => {
        const secret = await secrets.policy(asking, secretOfCall(asking, input));
        return { ...namedInAnswer(asking, secret), ResourcePolicy: secret.policy };
      },
    },
    PutResourcePolicy: {
      changes: true,
      answer: async (input, asking) => {
        const secret = await secrets.putPolicy(asking, {
          ...secretOfCall(asking, input),
          policy: input.ResourcePolicy,
          blockPublic: input.BlockPublicPolicy ?? false,
        });
        return namedInAnswer(asking, secret);
      },
    },
    DeleteResourcePolicy: {
      changes: true,
      answer: async (input, asking) =>
        namedInAnswer(asking, await secrets.deletePolicy(asking, secretOfCall(asking, input))),
    },
  };
}
