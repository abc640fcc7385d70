import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, openApi } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';

const trustPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${home}:root` },
      Action: 'sts:AssumeRole',
    },
  ],
});
const allows = (...Action: readonly string[]): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
  });

/** The role `ci`, and Ann, who may what is given. */
async function openWithRole(...may: readonly string[]): Promise<ApiRig> {
  const api = await openApi();
  await api.ask('POST users', { body: { name: 'ann' } });
  if (may.length > 0)
    await api.ask('PUT identity-policies', {
      body: { user: 'ann', name: 'p', policy: allows(...may) },
    });
  const body = { name: 'ci', path: '/team/', description: 'builds', trustPolicy };
  assert.equal((await api.ask('POST roles', { body })).status, 201);
  api.audited.length = 0;
  return api;
}

suite('roles', () => {
  test('a role is answered as it was made, with an id of its own and sessions of an hour', async () => {
    await using api = await openWithRole();
    const { status, json } = await api.ask('GET role', { query: { name: 'ci' } });
    assert.equal(status, 200);
    assert.match(json.id, /^AROA[A-Z2-7]{17}$/);
    assert.deepEqual(json, {
      account: home,
      name: 'ci',
      path: '/team/',
      arn: `arn:aws:iam::${home}:role/team/ci`,
      id: json.id,
      description: 'builds',
      trustPolicy,
      maxSessionSeconds: 3600,
      tags: [],
      createdAt: json.createdAt,
      lastUsedAt: null,
    });
    assert.deepEqual((await api.ask('GET roles')).json.items, [json]);
    assert.deepEqual(
      (await api.ask('GET users')).json.items.map((each: { name: string }) => each.name),
      ['ann'],
    );
  });

  test('a change keeps what is not said, and each kind of it is in the audit', async () => {
    await using api = await openWithRole();
    const other = trustPolicy.replace(':root', ':user/ann');
    const change = { name: 'ci', trustPolicy: other, maxSessionSeconds: 43_200 };
    const { json } = await api.ask('PATCH role', { body: change });
    assert.deepEqual(
      [json.trustPolicy, json.maxSessionSeconds, json.description],
      [other, 43_200, 'builds'],
    );
    assert.deepEqual(
      api.audited.map(({ action, resource }) => [action, resource]),
      [
        ['iam:UpdateAssumeRolePolicy', 'role/ci'],
        ['iam:UpdateRole', 'role/ci'],
      ],
    );
  });

  test('policies are put on a role, listed and deleted with it, apart from those of a user of its name', async () => {
    await using api = await openWithRole();
    await api.ask('POST users', { body: { name: 'ci' } });
    const policy = allows('ecr:BatchGetImage');
    const put = await api.ask('PUT identity-policies', {
      body: { role: 'ci', name: 'pull', policy },
    });
    assert.deepEqual([put.status, put.json.role, put.json.user], [200, 'ci', null]);
    const list = await api.ask('GET identity-policies', { query: { role: 'ci' } });
    assert.deepEqual(list.json.items, [put.json]);
    assert.deepEqual(
      (await api.ask('GET identity-policies', { query: { user: 'ci' } })).json.items,
      [],
    );
    assert.equal((await api.ask('DELETE roles', { query: { name: 'ci' } })).status, 204);
    assert.equal((await api.ask('GET identity-policies', { query: { role: 'ci' } })).status, 404);
    assert.equal((await api.ask('GET identity-policies', { query: { user: 'ci' } })).status, 200);
  });

  const mine = { name: 'ci' };
  const asked: readonly (readonly [string, Record<string, object>, string])[] = [
    ['GET roles', {}, 'iam:ListRoles'],
    ['GET role', { query: mine }, 'iam:GetRole'],
    ['POST roles', { body: { name: 'x', trustPolicy } }, 'iam:CreateRole'],
    ['PATCH role', { body: { ...mine, trustPolicy } }, 'iam:UpdateAssumeRolePolicy'],
    ['PATCH role', { body: { ...mine, description: 'x' } }, 'iam:UpdateRole'],
    ['DELETE roles', { query: mine }, 'iam:DeleteRole'],
    ['GET identity-policies', { query: { role: 'ci' } }, 'iam:ListRolePolicies'],
    [
      'PUT identity-policies',
      { body: { role: 'ci', name: 'p', policy: allows('ecr:*') } },
      'iam:PutRolePolicy',
    ],
  ];
  for (const [endpoint, input, action] of asked)
    test(`${endpoint} needs ${action}, and that alone`, async () => {
      await using without = await openWithRole('iam:*User*');
      const refused = await without.ask(endpoint, { as: 'ann', ...input });
      assert.equal(refused.status, 403);
      assert.equal(without.audited.at(-1)?.action, action);
      await using api = await openWithRole(action);
      assert.ok((await api.ask(endpoint, { as: 'ann', ...input })).status < 300);
    });

  test("rights to users are none to a role that is named by the store's own key", async () => {
    await using api = await openWithRole(
      'iam:DeleteUser',
      'iam:PutUserPolicy',
      'iam:ListUserPolicies',
    );
    const name = 'role/ci';
    const policy = allows('*');
    for (const [endpoint, input] of [
      ['DELETE users', { query: { name } }],
      ['PUT identity-policies', { body: { user: name, name: 'p', policy } }],
      ['GET identity-policies', { query: { user: name } }],
    ] as const)
      assert.equal((await api.ask(endpoint, { as: 'ann', ...input })).status, 404, endpoint);
    assert.equal((await api.ask('GET role', { query: mine })).status, 200);
  });

  const wrong: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['a name with a slash', { name: 'a/b' }, /^name is not as expected/],
    ['a path without its last slash', { path: '/team' }, /^path is not as expected/],
    [
      'a session of half an hour',
      { maxSessionSeconds: 1800 },
      /^sessionSecondsMax .* 3600 to 43200/,
    ],
    ['a session of a day', { maxSessionSeconds: 86_400 }, /^sessionSecondsMax/],
    ['a policy of a repository', { trustPolicy: allows('ecr:*') }, /Statement\[0\]/],
    ['a trust policy of nobody', { trustPolicy: '{}' }, /holds no statement/],
  ];
  for (const [what, change, message] of wrong)
    test(`a role with ${what} is refused`, async () => {
      await using api = await openApi();
      const { status, json } = await api.ask('POST roles', {
        body: { name: 'ci', trustPolicy, ...change },
      });
      assert.equal(status, 400);
      assert.match(json.detail, message);
    });

  test('a role is made once', async () => {
    await using api = await openWithRole();
    const again = await api.ask('POST roles', { body: { name: 'ci', trustPolicy } });
    assert.equal(again.status, 409);
    assert.equal((await api.ask('GET role', { query: { name: 'none' } })).status, 404);
    assert.equal((await api.ask('DELETE roles', { query: { name: 'none' } })).status, 404);
  });
});
