import { encodedPolicy, listOf, pageOfPolicyNames } from './parts.ts';
import type { IamParts, IamRows } from './parts.ts';

/** Inline policies of roles. */
export function rolePolicyRows(parts: IamParts): IamRows {
  const { policies } = parts;
  return {
    PutRolePolicy: {
      changes: true,
      answer: async ({ RoleName, PolicyName, PolicyDocument }, asking) => {
        const named = { role: RoleName, name: PolicyName };
        await policies.putOfPrincipal(asking, { ...named, policy: PolicyDocument });
        return {};
      },
    },
    GetRolePolicy: {
      changes: false,
      answer: async ({ RoleName, PolicyName }, asking) => {
        const named = { role: RoleName, name: PolicyName };
        const [shown] = (await policies.ofPrincipal(asking, named)).items;
        return { RoleName, PolicyName, PolicyDocument: encodedPolicy(shown?.policy ?? '') };
      },
    },
    ListRolePolicies: {
      changes: false,
      answer: async ({ RoleName, ...input }, asking) => {
        const { items: all } = await policies.ofPrincipal(asking, { role: RoleName });
        const list = listOf(asking, 'ListRolePolicies', RoleName);
        return pageOfPolicyNames(parts, list, input, all);
      },
    },
    DeleteRolePolicy: {
      changes: true,
      answer: async ({ RoleName, PolicyName }, asking) => {
        await policies.deleteOfPrincipal(asking, { role: RoleName, name: PolicyName });
        return {};
      },
    },
  };
}
