import type { PolicyVersionView } from '../../contract/access-view.ts';
import type { PolicyVersion } from './model.ts';
import { encodedPolicy, listOf, pageOfList, secondsOf } from './parts.ts';
import type { IamParts, IamRows } from './parts.ts';

/** Versions of managed policies. */
export function policyVersionRows(parts: IamParts): IamRows {
  const { managedPolicies } = parts;
  return {
    CreatePolicyVersion: {
      changes: true,
      answer: async ({ PolicyArn, PolicyDocument, SetAsDefault = false }, asking) => {
        const wanted = { arn: PolicyArn, policy: PolicyDocument, asDefault: SetAsDefault };
        const made = await managedPolicies.createVersion(asking, wanted);
        return { PolicyVersion: versionOf(made) };
      },
    },
    GetPolicyVersion: {
      changes: false,
      answer: async ({ PolicyArn, VersionId }, asking) => {
        const asked = { arn: PolicyArn, version: VersionId };
        const found = await managedPolicies.getVersion(asking, asked);
        return { PolicyVersion: { ...versionOf(found), Document: encodedPolicy(found.policy) } };
      },
    },
    ListPolicyVersions: {
      changes: false,
      answer: async ({ PolicyArn, ...input }, asking) => {
        const all = await managedPolicies.listVersions(asking, { arn: PolicyArn });
        const list = listOf(asking, 'ListPolicyVersions', PolicyArn);
        const keyOf = ({ version }: PolicyVersionView): string => version.padStart(12, '0');
        const { items, end } = pageOfList(parts, { list, input, keyOf }, all);
        return { Versions: items.map(versionOf), ...end };
      },
    },
    DeletePolicyVersion: {
      changes: true,
      answer: async ({ PolicyArn, VersionId }, asking) => {
        await managedPolicies.deleteVersion(asking, { arn: PolicyArn, version: VersionId });
        return {};
      },
    },
    SetDefaultPolicyVersion: {
      changes: true,
      answer: async ({ PolicyArn, VersionId }, asking) => {
        await managedPolicies.setDefaultVersion(asking, { arn: PolicyArn, version: VersionId });
        return {};
      },
    },
  };
}

/** Without its text, as lists have it. */
function versionOf({ version, isDefault, createdAt }: PolicyVersionView): PolicyVersion {
  return { VersionId: version, IsDefaultVersion: isDefault, CreateDate: secondsOf(createdAt) };
}
