import { encodedPolicy, listOf, pageOfPolicyNames } from './parts.ts';
import type { IamParts, IamRows } from './parts.ts';

/** Inline policies of users. */
export function userPolicyRows(parts: IamParts): IamRows {
  const { policies } = parts;
  return {
    PutUserPolicy: {
      changes: true,
      answer: async ({ UserName, PolicyName, PolicyDocument }, asking) => {
        const named = { user: UserName, name: PolicyName };
        await policies.putOfPrincipal(asking, { ...named, policy: PolicyDocument });
        return {};
      },
    },
    GetUserPolicy: {
      changes: false,
      answer: async ({ UserName, PolicyName }, asking) => {
        const named = { user: UserName, name: PolicyName };
        const [shown] = (await policies.ofPrincipal(asking, named)).items;
        return { UserName, PolicyName, PolicyDocument: encodedPolicy(shown?.policy ?? '') };
      },
    },
    ListUserPolicies: {
      changes: false,
      answer: async ({ UserName, ...input }, asking) => {
        const { items: all } = await policies.ofPrincipal(asking, { user: UserName });
        const list = listOf(asking, 'ListUserPolicies', UserName);
        return pageOfPolicyNames(parts, list, input, all);
      },
    },
    DeleteUserPolicy: {
      changes: true,
      answer: async ({ UserName, PolicyName }, asking) => {
        await policies.deleteOfPrincipal(asking, { user: UserName, name: PolicyName });
        return {};
      },
    },
  };
}
