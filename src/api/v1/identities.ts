import * as z from 'zod';
import * as outputs from '../../contract/access-schema.ts';
import { isAccountId } from '../../domain/policy/principal.ts';
import type { IdentityOperations } from '../../operations/identities.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields, pageFields } from './input.ts';

const owned = { user: fields.user, account: fields.account };

/** Accounts, users, robots, their keys and tokens. */
export function identityEndpoints(identities: IdentityOperations): readonly Endpoint[] {
  return [
    ...accountEndpoints(identities),
    ...userEndpoints(identities),
    ...accessKeyEndpoints(identities),
    ...tokenEndpoints(identities),
  ];
}

function accountEndpoints(identities: IdentityOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'accounts',
      summary: 'The accounts of the server',
      operator: true,
      input: z.strictObject(pageFields),
      output: outputs.listOf(outputs.account),
      answer: (input) => identities.listAccounts(input),
    }),
    endpoint({
      method: 'POST',
      path: 'accounts',
      summary: 'Makes an account, with the first key of its root',
      operator: true,
      created: true,
      input: z.strictObject({
        account: z.string().refine(isAccountId, 'must be twelve digits'),
        name: fields.name,
      }),
      output: outputs.newAccount,
      answer: (input, asker) => identities.createAccount(asker, input),
    }),
  ];
}

function userEndpoints(identities: IdentityOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'users',
      summary: 'The users and robots of an account',
      input: z.strictObject({ account: fields.account, ...pageFields }),
      output: outputs.listOf(outputs.user),
      answer: (input, asker) => identities.listUsers(asker, input),
    }),
    endpoint({
      method: 'POST',
      path: 'users',
      summary: 'Makes a user or a robot, who may nothing yet',
      created: true,
      input: z.strictObject({
        name: fields.name,
        kind: z.enum(['user', 'robot']).default('user'),
        account: fields.account,
      }),
      output: outputs.user,
      answer: (input, asker) => identities.createUser(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'users',
      summary: 'Deletes a user or robot with its keys, tokens and policies',
      input: z.strictObject({ name: fields.name, account: fields.account }),
      output: undefined,
      answer: (input, asker) => identities.deleteUser(asker, input),
    }),
  ];
}

function accessKeyEndpoints(identities: IdentityOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'access-keys',
      summary: 'The access keys of a user, without their secrets',
      input: z.strictObject(owned),
      output: outputs.listOf(outputs.accessKey),
      answer: (input, asker) => identities.listAccessKeys(asker, input),
    }),
    endpoint({
      method: 'POST',
      path: 'access-keys',
      summary: 'Makes an access key, whose secret is shown this once',
      created: true,
      input: z.strictObject({ ...owned, expiresInSeconds: fields.lifetime }),
      output: outputs.newAccessKey,
      answer: (input, asker) => identities.createAccessKey(asker, input),
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
      answer: (input, asker) => identities.rotateAccessKey(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'access-keys',
      summary: 'Deletes an access key, which is refused from then on',
      input: z.strictObject({ ...owned, id: fields.name }),
      output: undefined,
      answer: (input, asker) => identities.deleteAccessKey(asker, input),
    }),
  ];
}

function tokenEndpoints(identities: IdentityOperations): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'tokens',
      summary: 'The tokens of a user, without their secrets',
      input: z.strictObject(owned),
      output: outputs.listOf(outputs.token),
      answer: (input, asker) => identities.listTokens(asker, input),
    }),
    endpoint({
      method: 'POST',
      path: 'tokens',
      summary: 'Makes a token, which is shown this once',
      created: true,
      input: z.strictObject({
        ...owned,
        name: fields.name,
        scopes: z.array(z.string().max(512)).max(100).default([]),
        expiresInSeconds: fields.lifetime,
      }),
      output: outputs.newToken,
      answer: (input, asker) => identities.createToken(asker, input),
    }),
    endpoint({
      method: 'DELETE',
      path: 'tokens',
      summary: 'Revokes a token, which is refused from then on',
      input: z.strictObject({ ...owned, name: fields.name }),
      output: undefined,
      answer: (input, asker) => identities.deleteToken(asker, input),
    }),
  ];
}
