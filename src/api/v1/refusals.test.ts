import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, openApi, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';

const policyText = (statement: object): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
const everything = policyText({ Effect: 'Allow', Action: '*', Resource: '*' });
const forAll = policyText({ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' });

/** Ann and bob of the home account, a repository, and a second account. */
async function openWithUsers(): Promise<ApiRig> {
  const api = await openApi();
  const made = [
    ['POST users', { name: 'ann' }],
    ['POST users', { name: 'bob' }],
    ['POST repositories', { repository: 'team/app' }],
    ['POST accounts', { account: otherAccount, name: 'other' }],
  ] as const;
  for (const [endpoint, body] of made)
    assert.equal((await api.ask(endpoint, { body })).status, 201);
  api.audited.length = 0;
  return api;
}

suite('a registry policy that allows everything', () => {
  for (const [who, as, endpoint, body] of [
    [
      'the other account’s root a key of home’s root',
      'other',
      'POST access-keys',
      { account: home },
    ],
    [
      'the other account’s root a user of home',
      'other',
      'POST users',
      { name: 'eve', account: home },
    ],
    [
      'a user a policy of their own',
      'ann',
      'PUT identity-policies',
      { user: 'ann', name: 'p', policy: everything },
    ],
    ['a user a key of another’s', 'ann', 'POST access-keys', { user: 'bob' }],
    ['a user a token of another’s', 'ann', 'POST tokens', { user: 'bob', name: 't' }],
  ] as const)
    test(`does not give ${who}`, async () => {
      await using api = await openWithUsers();
      const policy = { policy: forAll };
      assert.equal((await api.ask('PUT registry-policy', { body: policy })).status, 200);
      assert.equal((await api.ask(endpoint, { as, body })).status, 403);
      assert.equal((await api.ask('GET repositories', { as })).status, 200);
    });
});

suite('what is made for registry clients', () => {
  const changes: readonly (readonly [string, object])[] = [
    ['POST users', { body: { name: 'eve' } }],
    ['DELETE users', { query: { name: 'ann' } }],
    ['POST access-keys', { body: {} }],
    ['DELETE access-keys', { query: { user: 'ann', id: 'x' } }],
    ['POST tokens', { body: { name: 't' } }],
    ['DELETE tokens', { query: { name: 't' } }],
    ['POST authorization-token', { body: {} }],
    ['PUT identity-policies', { body: { user: 'ann', name: 'p', policy: everything } }],
    ['DELETE identity-policies', { query: { user: 'ann', name: 'p' } }],
    ['PUT registry-policy', { body: { policy: forAll } }],
    ['DELETE registry-policy', { query: {} }],
    ['PUT repository-policy', { body: { repository: 'team/app', policy: forAll } }],
    ['POST accounts', { body: { account: '222222222222', name: 'x' } }],
    ['POST repositories', { body: { repository: 'team/new' } }],
    ['DELETE repositories', { query: { repository: 'team/app' } }],
    ['GET users', { query: {} }],
    ['GET access-keys', { query: { user: 'ann' } }],
    ['GET accounts', { query: {} }],
    ['GET audit', { query: {} }],
    ['GET upstreams', { query: {} }],
  ];
  for (const via of ['ecr', 'bearer'] as const)
    for (const [endpoint, asked] of changes)
      test(`${via}: ${endpoint} is refused to the operator, and audited`, async () => {
        await using api = await openWithUsers();
        api.via = via;
        const { status } = await api.ask(endpoint, asked);
        assert.equal(status, 403);
        assert.deepEqual(
          api.audited.map(({ kind, outcome }) => [kind, outcome]),
          [['denial', 'denied']],
        );
      });

  for (const via of ['ecr', 'bearer'] as const)
    test(`${via}: who asks, and what is in the registry, may be read`, async () => {
      await using api = await openWithUsers();
      api.via = via;
      const { json } = await api.ask('GET whoami');
      assert.deepEqual([json.via, json.operator], [via, false]);
      const list = await api.ask('GET repositories');
      assert.equal(list.json.items.length, 1);
    });

  for (const via of ['key', 'token', 'oidc'] as const)
    test(`${via} makes users, keys and accounts as before`, async () => {
      await using api = await openWithUsers();
      api.via = via;
      const ask = async (endpoint: string, body: object): Promise<number> =>
        (await api.ask(endpoint, { body })).status;
      assert.equal(await ask('POST users', { name: 'eve' }), 201);
      assert.equal(await ask('POST access-keys', { user: 'eve' }), 201);
      assert.equal(await ask('POST accounts', { account: '222222222222', name: 'x' }), 201);
    });
});

suite('refusals that no policy decided are audited', () => {
  for (const [endpoint, body] of [
    ['GET audit', undefined],
    ['POST accounts', { account: '222222222222', name: 'x' }],
  ] as const)
    test(`${endpoint} by a user`, async () => {
      await using api = await openWithUsers();
      assert.equal((await api.ask(endpoint, { as: 'ann', body })).status, 403);
      const [entry, ...more] = api.audited;
      const [method = '', path = ''] = endpoint.split(' ');
      assert.deepEqual(
        [entry?.kind, entry?.principal, entry?.action, entry?.requestId, more.length],
        ['denial', `arn:aws:iam::${home}:user/ann`, `${method} /api/v1/${path}`, 'r-1', 0],
      );
    });

  test('a page of another site', async () => {
    await using api = await openWithUsers();
    const headers = { 'sec-fetch-site': 'cross-site' };
    const body = { name: 'eve' };
    assert.equal((await api.ask('POST users', { headers, body })).status, 403);
    const [entry] = api.audited;
    assert.deepEqual(
      [entry?.kind, entry?.action, entry?.detail],
      ['denial', 'POST /api/v1/users', { because: 'sec-fetch-site: cross-site' }],
    );
  });
});

suite('access can', () => {
  const can = (api: ApiRig, principal: string, as: string) =>
    api.ask('POST access/can', { as, body: { principal, repository: 'a', action: 'pull' } });

  test('tells another account’s administrator nothing of home’s principals, there or not', async () => {
    await using api = await openWithUsers();
    for (const name of [`arn:aws:iam::${home}:user/ann`, `arn:aws:iam::${home}:user/nobody`]) {
      const { status, json } = await can(api, name, 'other');
      assert.deepEqual([status, json.code], [403, 'DENIED'], name);
    }
    assert.equal((await can(api, `arn:aws:iam::${home}:root`, 'other')).status, 403);
    assert.equal((await can(api, 'root', 'other')).status, 200);
    assert.equal((await can(api, 'anonymous', 'other')).status, 200);
  });

  test('tells the operator of every account’s', async () => {
    await using api = await openWithUsers();
    assert.equal((await can(api, `arn:aws:iam::${otherAccount}:root`, 'admin')).status, 200);
  });
});
