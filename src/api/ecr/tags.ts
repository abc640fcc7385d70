import type { AwsAsking } from '../aws/service-table.ts';
import { invalidParameter } from './errors.ts';
import { repositoryOfArn, repositoryOfCall } from './parts.ts';
import type { EcrParts, EcrRows, RepositoryOfCall } from './parts.ts';

/** Labels of repositories, which alone have any. */
export function tagRows({ repositoryAttributes }: Pick<EcrParts, 'repositoryAttributes'>): EcrRows {
  return {
    TagResource: {
      changes: true,
      answer: async ({ resourceArn, tags }, asking) => {
        const labels = tags.map(({ Key, Value }) => ({ key: Key, value: Value }));
        await repositoryAttributes.tag(asking, { ...placeOf(asking, resourceArn), tags: labels });
        return {};
      },
    },
    UntagResource: {
      changes: true,
      answer: async ({ resourceArn, tagKeys }, asking) => {
        await repositoryAttributes.untag(asking, {
          ...placeOf(asking, resourceArn),
          keys: tagKeys,
        });
        return {};
      },
    },
    ListTagsForResource: {
      changes: false,
      answer: async ({ resourceArn }, asking) => {
        const labels = await repositoryAttributes.tags(asking, placeOf(asking, resourceArn));
        return { tags: labels.map(({ key, value }) => ({ Key: key, Value: value })) };
      },
    },
  };
}

function placeOf(asking: AwsAsking, arn: string): RepositoryOfCall {
  const named = repositoryOfArn(asking, arn);
  if (named === undefined) throw invalidParameter('resourceArn', 'Invalid ARN');
  return repositoryOfCall(asking, named);
}
