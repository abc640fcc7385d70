import * as z from 'zod';
import type { AccessKey, Identities, NewAccessKey } from '../../access/accounts/identities.ts';
import type { AccessKeyView, NewAccessKeyView } from '../../contract/access-view.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import type { Admission } from './admission.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields } from './input.ts';
import * as outputs from './outputs.ts';
import { isoTime, isoTimeOrNull, listing } from './page.ts';
import { unknownOwner } from './users.ts';

export interface AccessKeyParts {
  readonly admission: Admission;
  readonly identities: Pick<
    Identities,
    'listAccessKeys' | 'createAccessKey' | 'rotateAccessKey' | 'deleteAccessKey'
  >;
}

const owned = { user: fields.user, account: fields.account };

/** Key pairs of users and robots; without a user the asker's own, or those of another account's root. */
export function accessKeyEndpoints({ admission, identities }: AccessKeyParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'access-keys',
      summary: 'The access keys of a user, without their secrets',
      input: z.strictObject(owned),
      output: outputs.listOf(outputs.accessKey),
      answer: async ({ input, ...asker }) => {
        const owner = admission.owner(input, asker);
        await admission.requireIdentity(asker, identityActions.listAccessKeys, owner);
        return listing((await identities.listAccessKeys(owner)).map(viewAccessKey));
      },
    }),
    endpoint({
      method: 'POST',
      path: 'access-keys',
      summary: 'Makes an access key, whose secret is shown this once',
      created: true,
      input: z.strictObject({ ...owned, expiresInSeconds: fields.lifetime }),
      output: outputs.newAccessKey,
      answer: async ({ input: { expiresInSeconds, ...input }, ...asker }) => {
        const owner = admission.owner(input, asker);
        await admission.requireIdentity(asker, identityActions.createAccessKey, owner);
        const lifetimeMs = millisecondsOf(expiresInSeconds);
        const made = await identities.createAccessKey({ ...owner, lifetimeMs }, asker);
        if (made === undefined) throw unknownOwner(owner);
        return viewNewAccessKey(made);
      },
    }),
    endpoint({
      method: 'POST',
      path: 'access-keys/rotate',
      summary:
        "Makes a new access key beside the old one, or in its place; the server's first administrator gets another pair in dataDir/credentials",
      created: true,
      input: z.strictObject({
        ...owned,
        revoke: z.boolean().optional(),
        expiresInSeconds: fields.lifetime,
      }),
      output: outputs.rotatedAccessKey,
      answer: async ({ input: { revoke = false, expiresInSeconds, ...input }, ...asker }) => {
        const owner = admission.owner(input, asker);
        await admission.requireIdentity(asker, identityActions.createAccessKey, owner);
        if (revoke || owner.name === undefined)
          await admission.requireIdentity(asker, identityActions.deleteAccessKey, owner);
        const lifetimeMs = millisecondsOf(expiresInSeconds);
        const wanted = { ...owner, revoke, lifetimeMs };
        const rotated = await identities.rotateAccessKey(wanted, asker);
        if (rotated === undefined) throw unknownOwner(owner);
        const { revoked, kept, file = null } = rotated;
        return { ...viewNewAccessKey(rotated), revoked, kept, file };
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'access-keys',
      summary: 'Deletes an access key, which is refused from then on',
      input: z.strictObject({ ...owned, id: fields.name }),
      output: undefined,
      answer: async ({ input, ...asker }) => {
        const owner = admission.owner(input, asker);
        await admission.requireIdentity(asker, identityActions.deleteAccessKey, owner);
        const { id } = input;
        if (!(await identities.deleteAccessKey({ ...owner, id }, asker)))
          throw unknownOwner(owner, `access key ${id}`);
      },
    }),
  ];
}

function millisecondsOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

function viewAccessKey(key: AccessKey): AccessKeyView {
  return {
    accessKeyId: key.id,
    account: key.account,
    user: key.name ?? null,
    active: key.active,
    createdAt: isoTime(key.createdAt),
    expiresAt: isoTimeOrNull(key.expiresAt),
    lastUsedAt: isoTimeOrNull(key.lastUsedAt),
  };
}

export function viewNewAccessKey({ key, secret }: NewAccessKey): NewAccessKeyView {
  return { ...viewAccessKey(key), secretAccessKey: secret };
}
