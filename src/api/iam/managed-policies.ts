import type { ManagedPolicyView } from '../../contract/access-view.ts';
import { labelsOf, tagsOf } from '../aws/tag-list.ts';
import type { Policy } from './model.ts';
import { listOf, pageOfList, pageOfTags, secondsOf } from './parts.ts';
import type { IamParts, IamRows } from './parts.ts';

/** Policies that stand for themselves. */
export function policyRows(parts: IamParts): IamRows {
  const { managedPolicies } = parts;
  return {
    CreatePolicy: {
      changes: true,
      answer: async ({ PolicyName, Path, Description, PolicyDocument, Tags = [] }, asking) => {
        const made = await managedPolicies.createPolicy(asking, {
          name: PolicyName,
          path: Path,
          description: Description,
          policy: PolicyDocument,
          tags: labelsOf(Tags),
        });
        return { Policy: { ...policyOf(made), Description: undefined } };
      },
    },
    GetPolicy: {
      changes: false,
      answer: async ({ PolicyArn }, asking) => ({
        Policy: policyOf(await managedPolicies.getPolicy(asking, { arn: PolicyArn })),
      }),
    },
    ListPolicies: {
      changes: false,
      answer: async (asked, asking) => {
        const { Scope = 'All', OnlyAttached = false, PathPrefix = '/', ...input } = asked;
        const all = await managedPolicies.listPolicies(asking, {
          scope: scopes[Scope],
          onlyAttached: OnlyAttached,
          pathPrefix: PathPrefix,
        });
        // None is anybody's boundary.
        const shown = input.PolicyUsageFilter === 'PermissionsBoundary' ? [] : all;
        const list = listOf(asking, 'ListPolicies', `${Scope} ${OnlyAttached} ${PathPrefix}`);
        const keyOf = ({ arn }: ManagedPolicyView): string => arn;
        const { items, end } = pageOfList(parts, { list, input, keyOf }, shown);
        return { Policies: items.map(listedPolicyOf), ...end };
      },
    },
    DeletePolicy: {
      changes: true,
      answer: async ({ PolicyArn }, asking) => {
        await managedPolicies.deletePolicy(asking, { arn: PolicyArn });
        return {};
      },
    },
  };
}

const scopes = { All: 'all', AWS: 'aws', Local: 'own' } as const;

/** Labels of policies. */
export function policyTagRows(parts: IamParts): IamRows {
  const { managedPolicies } = parts;
  return {
    TagPolicy: {
      changes: true,
      answer: async ({ PolicyArn, Tags }, asking) => {
        await managedPolicies.tagPolicy(asking, { arn: PolicyArn, tags: labelsOf(Tags) });
        return {};
      },
    },
    UntagPolicy: {
      changes: true,
      answer: async ({ PolicyArn, TagKeys }, asking) => {
        await managedPolicies.untagPolicy(asking, { arn: PolicyArn, keys: TagKeys });
        return {};
      },
    },
    ListPolicyTags: {
      changes: false,
      answer: async ({ PolicyArn, ...input }, asking) => {
        const labels = await managedPolicies.policyTags(asking, { arn: PolicyArn });
        const list = listOf(asking, 'ListPolicyTags', PolicyArn);
        return pageOfTags(parts, list, input, labels);
      },
    },
  };
}

/** Lists leave out what takes a call of its own to see. */
function listedPolicyOf(policy: ManagedPolicyView): Policy {
  return { ...policyOf(policy), Description: undefined, Tags: undefined };
}

function policyOf(policy: ManagedPolicyView): Policy {
  const { arn, name, path, id, description, defaultVersion, attachments, tags } = policy;
  return {
    PolicyName: name,
    PolicyId: id,
    Arn: arn,
    Path: path,
    DefaultVersionId: defaultVersion,
    AttachmentCount: attachments,
    PermissionsBoundaryUsageCount: 0,
    IsAttachable: true,
    Description: description === '' ? undefined : description,
    CreateDate: secondsOf(policy.createdAt),
    UpdateDate: secondsOf(policy.updatedAt),
    Tags: tags.length === 0 ? undefined : tagsOf(tags),
  };
}
