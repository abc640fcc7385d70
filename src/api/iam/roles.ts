import type { RoleView } from '../../contract/access-view.ts';
import { labelsOf, tagsOf } from '../aws/tag-list.ts';
import { refuseUnkept } from './errors.ts';
import type { Role } from './model.ts';
import { encodedPolicy, listEnd, listOf, pageAsked, pageOfTags, secondsOf } from './parts.ts';
import type { IamParts, IamRows } from './parts.ts';

/** Roles, and who may assume them. */
export function roleRows(parts: IamParts): IamRows {
  return { ...roleViewRows(parts), ...roleChangeRows(parts) };
}

function roleViewRows(parts: IamParts): IamRows {
  const { roles } = parts;
  return {
    GetRole: {
      changes: false,
      answer: async ({ RoleName }, asking) => {
        const role = await roles.getRole(asking, { name: RoleName });
        const at = role.lastUsedAt;
        // In which region it was used is nowhere kept.
        const RoleLastUsed = at === null ? {} : { LastUsedDate: secondsOf(at) };
        return { Role: { ...roleOf(role), RoleLastUsed } };
      },
    },
    ListRoles: {
      changes: false,
      answer: async ({ PathPrefix = '/', ...input }, asking) => {
        const list = listOf(asking, 'ListRoles', PathPrefix);
        const asked = { pathPrefix: PathPrefix, ...pageAsked(parts, list, input) };
        const { items, next } = await roles.listRoles(asking, asked);
        const Roles = items.map((role) => ({ ...roleOf(role), Tags: undefined }));
        return { Roles, ...listEnd(parts, list, next) };
      },
    },
    ListInstanceProfilesForRole: {
      changes: false,
      answer: async ({ RoleName }, asking) => {
        await roles.instanceProfilesOfRole(asking, { name: RoleName });
        return { InstanceProfiles: [], IsTruncated: false };
      },
    },
  };
}

function roleChangeRows({ roles }: IamParts): IamRows {
  return {
    CreateRole: {
      changes: true,
      answer: async ({ RoleName, AssumeRolePolicyDocument, Tags = [], ...input }, asking) => {
        const { Path, Description, MaxSessionDuration, ...rest } = input;
        refuseUnkept(rest);
        const made = await roles.createRole(asking, {
          name: RoleName,
          trustPolicy: AssumeRolePolicyDocument,
          path: Path,
          description: Description,
          maxSessionSeconds: MaxSessionDuration,
          tags: labelsOf(Tags),
        });
        return { Role: roleOf(made) };
      },
    },
    UpdateRole: {
      changes: true,
      answer: async ({ RoleName, Description, MaxSessionDuration, ...rest }, asking) => {
        refuseUnkept(rest);
        const change = { description: Description, maxSessionSeconds: MaxSessionDuration };
        await roles.updateRole(asking, { name: RoleName, ...change });
        return {};
      },
    },
    UpdateRoleDescription: {
      changes: true,
      answer: async ({ RoleName, Description }, asking) => {
        const change = { name: RoleName, description: Description };
        return { Role: roleOf(await roles.updateRole(asking, change)) };
      },
    },
    UpdateAssumeRolePolicy: {
      changes: true,
      answer: async ({ RoleName, PolicyDocument }, asking) => {
        await roles.updateRole(asking, { name: RoleName, trustPolicy: PolicyDocument });
        return {};
      },
    },
    DeleteRole: {
      changes: true,
      answer: async ({ RoleName }, asking) => {
        await roles.deleteRole(asking, { name: RoleName, unlessInUse: true });
        return {};
      },
    },
  };
}

/** Labels of roles. */
export function roleTagRows(parts: IamParts): IamRows {
  const { roles } = parts;
  return {
    TagRole: {
      changes: true,
      answer: async ({ RoleName, Tags }, asking) => {
        await roles.tagRole(asking, { name: RoleName, tags: labelsOf(Tags) });
        return {};
      },
    },
    UntagRole: {
      changes: true,
      answer: async ({ RoleName, TagKeys }, asking) => {
        await roles.untagRole(asking, { name: RoleName, keys: TagKeys });
        return {};
      },
    },
    ListRoleTags: {
      changes: false,
      answer: async ({ RoleName, ...input }, asking) => {
        const labels = await roles.roleTags(asking, { name: RoleName });
        const list = listOf(asking, 'ListRoleTags', RoleName);
        return pageOfTags(parts, list, input, labels);
      },
    },
  };
}

function roleOf({
  name,
  path,
  arn,
  id,
  description,
  trustPolicy,
  createdAt,
  ...role
}: RoleView): Role {
  return {
    Path: path,
    RoleName: name,
    RoleId: id,
    Arn: arn,
    CreateDate: secondsOf(createdAt),
    AssumeRolePolicyDocument: encodedPolicy(trustPolicy),
    Description: description === '' ? undefined : description,
    MaxSessionDuration: role.maxSessionSeconds,
    Tags: role.tags.length === 0 ? undefined : tagsOf(role.tags),
  };
}
