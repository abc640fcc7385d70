import { arnOfKey } from '../../domain/policy/principal.ts';
import type { UserView } from '../../contract/access-view.ts';
import { AwsError } from '../aws/aws-error.ts';
import type { AwsAsking } from '../aws/service-table.ts';
import { labelsOf, tagsOf } from '../aws/tag-list.ts';
import { refuseUnkept } from './errors.ts';
import type { User } from './model.ts';
import { listEnd, listOf, pageAsked, pageOfTags, secondsOf } from './parts.ts';
import type { IamParts, IamRows } from './parts.ts';

/** Users and robots, which IAM's clients see as users alike. */
export function userRows(parts: IamParts): IamRows {
  const { identities } = parts;
  return {
    CreateUser: {
      changes: true,
      answer: async ({ UserName, Tags = [], ...rest }, asking) => {
        refuseUnkept(rest);
        const wanted = { name: UserName, kind: 'user', tags: labelsOf(Tags) } as const;
        return { User: userOf(await identities.createUser(asking, wanted)) };
      },
    },
    GetUser: {
      changes: false,
      answer: async ({ UserName }, asking) => {
        const name = UserName ?? ownName(asking);
        if (name === undefined) return { User: await rootOf(parts, asking) };
        return { User: userOf(await identities.getUser(asking, { name })) };
      },
    },
    ListUsers: {
      changes: false,
      answer: async ({ PathPrefix = '/', ...input }, asking) => {
        const list = listOf(asking, 'ListUsers');
        const { items, next } = await identities.listUsers(asking, pageAsked(parts, list, input));
        // Every path is `/`: no other prefix is one of any.
        if (PathPrefix !== '/') return { Users: [], IsTruncated: false };
        const Users = items.map((user) => ({ ...userOf(user), Tags: undefined }));
        return { Users, ...listEnd(parts, list, next) };
      },
    },
    DeleteUser: {
      changes: true,
      answer: async ({ UserName }, asking) => {
        await identities.deleteUser(asking, { name: UserName, unlessInUse: true });
        return {};
      },
    },
    ListGroupsForUser: {
      changes: false,
      answer: async ({ UserName }, asking) => {
        await identities.groupsOfUser(asking, { name: UserName });
        return { Groups: [], IsTruncated: false };
      },
    },
  };
}

/** Labels of users. */
export function userTagRows(parts: IamParts): IamRows {
  const { identities } = parts;
  return {
    TagUser: {
      changes: true,
      answer: async ({ UserName, Tags }, asking) => {
        await identities.tagUser(asking, { name: UserName, tags: labelsOf(Tags) });
        return {};
      },
    },
    UntagUser: {
      changes: true,
      answer: async ({ UserName, TagKeys }, asking) => {
        await identities.untagUser(asking, { name: UserName, keys: TagKeys });
        return {};
      },
    },
    ListUserTags: {
      changes: false,
      answer: async ({ UserName, ...input }, asking) => {
        const labels = await identities.userTags(asking, { name: UserName });
        const list = listOf(asking, 'ListUserTags', UserName);
        return pageOfTags(parts, list, input, labels);
      },
    },
  };
}

function ownName({ caller: { principal } }: AwsAsking): string | undefined {
  if (principal.kind === 'role')
    throw new AwsError(
      'ValidationError',
      'Must specify userName when calling with non-User credentials',
    );
  return principal.kind === 'user' || principal.kind === 'robot' ? principal.name : undefined;
}

function userOf({ name, id, arn, createdAt, tags }: UserView): User {
  return {
    Path: '/',
    UserName: name,
    UserId: id,
    Arn: arn,
    CreateDate: secondsOf(createdAt),
    Tags: tags.length === 0 ? undefined : tagsOf(tags),
  };
}

/** The caller where it is its account's root, whose id is the account's. */
async function rootOf({ identities }: IamParts, asking: AwsAsking): Promise<User> {
  const { account, name, createdAt } = await identities.getRoot(asking, {});
  return {
    Path: '/',
    UserName: name,
    UserId: account,
    Arn: arnOfKey({ account, name: undefined }),
    CreateDate: secondsOf(createdAt),
  };
}
