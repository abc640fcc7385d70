import type { AwsAsking } from '../aws/service-table.ts';
import { labelsOf, tagsOf } from '../aws/tag-list.ts';
import { invalidParameter } from './errors.ts';
import { repositoryOfArn, repositoryOfCall } from './parts.ts';
import type { EcrParts, EcrRows, RepositoryOfCall } from './parts.ts';

/** Labels of repositories, which alone have any. */
export function tagRows({ repositoryAttributes }: Pick<EcrParts, 'repositoryAttributes'>): EcrRows {
  return {
    TagResource: {
      changes: true,
      answer: async ({ resourceArn, tags }, asking) => {
        const place = placeOf(asking, resourceArn);
        await repositoryAttributes.tag(asking, { ...place, tags: labelsOf(tags) });
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
        return { tags: tagsOf(labels) };
      },
    },
  };
}

function placeOf(asking: AwsAsking, arn: string): RepositoryOfCall {
  const named = repositoryOfArn(asking, arn);
  if (named === undefined) throw invalidParameter('resourceArn', 'Invalid ARN');
  return repositoryOfCall(asking, named);
}
