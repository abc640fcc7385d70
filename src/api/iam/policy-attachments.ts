import type { AttachedPolicyView } from '../../contract/access-view.ts';
import type { AttachedPolicy } from './model.ts';
import { listOf, pageOfList } from './parts.ts';
import type { IamParts, IamRows, ListInput } from './parts.ts';

/** Which managed policies are whose. */
export function attachmentRows(parts: IamParts): IamRows {
  return { ...userRows(parts), ...roleRows(parts), ...holderRows(parts) };
}

function userRows(parts: IamParts): IamRows {
  const { policyAttachments } = parts;
  return {
    AttachUserPolicy: {
      changes: true,
      answer: async ({ UserName, PolicyArn }, asking) => {
        await policyAttachments.attachPolicy(asking, { user: UserName, arn: PolicyArn });
        return {};
      },
    },
    DetachUserPolicy: {
      changes: true,
      answer: async ({ UserName, PolicyArn }, asking) => {
        await policyAttachments.detachPolicy(asking, { user: UserName, arn: PolicyArn });
        return {};
      },
    },
    ListAttachedUserPolicies: {
      changes: false,
      answer: async ({ UserName, ...input }, asking) => {
        const { items } = await policyAttachments.attachedPolicies(asking, { user: UserName });
        const list = listOf(asking, 'ListAttachedUserPolicies', UserName);
        return pageOfAttached(parts, list, input, items);
      },
    },
  };
}

function roleRows(parts: IamParts): IamRows {
  const { policyAttachments } = parts;
  return {
    AttachRolePolicy: {
      changes: true,
      answer: async ({ RoleName, PolicyArn }, asking) => {
        await policyAttachments.attachPolicy(asking, { role: RoleName, arn: PolicyArn });
        return {};
      },
    },
    DetachRolePolicy: {
      changes: true,
      answer: async ({ RoleName, PolicyArn }, asking) => {
        await policyAttachments.detachPolicy(asking, { role: RoleName, arn: PolicyArn });
        return {};
      },
    },
    ListAttachedRolePolicies: {
      changes: false,
      answer: async ({ RoleName, ...input }, asking) => {
        const { items } = await policyAttachments.attachedPolicies(asking, { role: RoleName });
        const list = listOf(asking, 'ListAttachedRolePolicies', RoleName);
        return pageOfAttached(parts, list, input, items);
      },
    },
  };
}

function holderRows(parts: IamParts): IamRows {
  const { policyAttachments } = parts;
  return {
    ListEntitiesForPolicy: {
      changes: false,
      answer: async ({ PolicyArn, EntityFilter, PathPrefix = '/', ...input }, asking) => {
        const { users, roles } = await policyAttachments.policyHolders(asking, { arn: PolicyArn });
        const all = [
          ...(EntityFilter === undefined || EntityFilter === 'User' ? users : []),
          ...(EntityFilter === undefined || EntityFilter === 'Role' ? roles : []),
        ].filter(({ path }) => path.startsWith(PathPrefix));
        const list = listOf(asking, 'ListEntitiesForPolicy', `${PolicyArn} ${EntityFilter}`);
        // Of a user and a role of one name the ids differ.
        const keyOf = ({ id }: { readonly id: string }): string => id;
        const { items, end } = pageOfList(parts, { list, input, keyOf }, all);
        return {
          PolicyGroups: [],
          PolicyUsers: items
            .filter((each) => users.includes(each))
            .map(({ name, id }) => ({ UserName: name, UserId: id })),
          PolicyRoles: items
            .filter((each) => roles.includes(each))
            .map(({ name, id }) => ({ RoleName: name, RoleId: id })),
          ...end,
        };
      },
    },
  };
}

/** As users and roles alike list what is attached to them. */
function pageOfAttached(
  parts: IamParts,
  list: string,
  { PathPrefix = '/', ...input }: ListInput & { readonly PathPrefix?: string | undefined },
  all: readonly AttachedPolicyView[],
): {
  readonly AttachedPolicies: readonly AttachedPolicy[];
  readonly IsTruncated: boolean;
  readonly Marker: string | undefined;
} {
  const shown = all.filter(({ path }) => path.startsWith(PathPrefix));
  const keyOf = ({ name }: AttachedPolicyView): string => name;
  const { items, end } = pageOfList(parts, { list, input, keyOf }, shown);
  const AttachedPolicies = items.map(({ name, arn }) => ({ PolicyName: name, PolicyArn: arn }));
  return { AttachedPolicies, ...end };
}
