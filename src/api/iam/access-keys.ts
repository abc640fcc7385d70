import type { AccessKeyView } from '../../contract/access-view.ts';
import { AwsError } from '../aws/aws-error.ts';
import type { AccessKey } from './model.ts';
import { listOf, pageOfList, secondsOf } from './parts.ts';
import type { IamParts, IamRows } from './parts.ts';

/** Access keys of a user; without a name, of the caller. */
export function accessKeyRows(parts: IamParts): IamRows {
  const { identities } = parts;
  return {
    CreateAccessKey: {
      changes: true,
      answer: async ({ UserName }, asking) => {
        const made = await identities.createAccessKey(asking, { user: UserName });
        return { AccessKey: { ...keyOf(made), SecretAccessKey: made.secretAccessKey } };
      },
    },
    ListAccessKeys: {
      changes: false,
      answer: async ({ UserName, ...input }, asking) => {
        const { items: all } = await identities.listAccessKeys(asking, { user: UserName });
        const list = listOf(asking, 'ListAccessKeys', UserName);
        const asked = { list, input, keyOf: (key: AccessKeyView) => key.accessKeyId };
        const { items, end } = pageOfList(parts, asked, all);
        return { AccessKeyMetadata: items.map(keyOf), ...end };
      },
    },
    UpdateAccessKey: {
      changes: true,
      answer: async ({ UserName, AccessKeyId, Status }, asking) => {
        if (Status === 'Expired')
          throw new AwsError('ValidationError', 'Status: a key is made Active or Inactive');
        const active = Status === 'Active';
        await identities.setAccessKeyActive(asking, { user: UserName, id: AccessKeyId, active });
        return {};
      },
    },
    DeleteAccessKey: {
      changes: true,
      answer: async ({ UserName, AccessKeyId }, asking) => {
        await identities.deleteAccessKey(asking, { user: UserName, id: AccessKeyId });
        return {};
      },
    },
    GetAccessKeyLastUsed: {
      changes: false,
      answer: async ({ AccessKeyId }, asking) => {
        const key = await identities.findAccessKey(asking, { id: AccessKeyId });
        const at = key.lastUsedAt;
        // Which service and region it was used for is nowhere kept.
        const LastUsedDate = at === null ? undefined : secondsOf(at);
        return {
          UserName: keyOf(key).UserName,
          AccessKeyLastUsed: { LastUsedDate, ServiceName: 'N/A', Region: 'N/A' },
        };
      },
    },
  };
}

/** The root's keys are those of a user of that name to whoever reads names alone. */
const rootName = 'root';

function keyOf({
  user,
  accessKeyId,
  active,
  createdAt,
}: AccessKeyView): Omit<AccessKey, 'SecretAccessKey'> {
  return {
    UserName: user ?? rootName,
    AccessKeyId: accessKeyId,
    Status: active ? 'Active' : 'Inactive',
    CreateDate: secondsOf(createdAt),
  };
}
