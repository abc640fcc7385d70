import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, openApi, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';

const iam = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'iam:*', Resource: '*' }],
});

/** Ann and a robot of the home account, who may nothing yet, and a second account. */
async function openWithUsers(): Promise<ApiRig> {
  const api = await openApi();
  for (const body of [{ name: 'ann' }, { name: 'ci', kind: 'robot' }])
    assert.equal((await api.ask('POST users', { body })).status, 201);
  const made = await api.ask('POST accounts', { body: { account: otherAccount, name: 'other' } });
  assert.equal(made.status, 201);
  api.audited.length = 0;
  return api;
}

async function grantIam(api: ApiRig): Promise<void> {
  const body = { user: 'ann', name: 'all', policy: iam };
  assert.equal((await api.ask('PUT identity-policies', { body })).status, 200);
  api.audited.length = 0;
}

suite('accounts', () => {
  test('an account is made once, with the first key of its root, whose secret no list shows', async () => {
    await using api = await openApi();
    const body = { account: otherAccount, name: 'other' };
    const { status, json } = await api.ask('POST accounts', { body });
    assert.equal(status, 201);
    assert.match(json.key.accessKeyId, /^AKIA/);
    assert.ok(json.key.secretAccessKey.length >= 40);
    assert.equal((await api.ask('POST accounts', { body })).status, 409);
    const list = await api.ask('GET accounts');
    assert.deepEqual(
      list.json.items.map(({ account, name }: { account: string; name: string }) => [
        account,
        name,
      ]),
      [
        [home, 'home'],
        [otherAccount, 'other'],
      ],
    );
    const keys = await api.ask('GET access-keys', { query: { account: otherAccount } });
    assert.equal(keys.json.items.length, 1);
    assert.ok(!JSON.stringify([list, keys, api.audited]).includes(json.key.secretAccessKey));
  });

  for (const as of ['ann', 'other'])
    test(`${as} may neither list nor make accounts`, async () => {
      await using api = await openWithUsers();
      assert.equal((await api.ask('GET accounts', { as })).status, 403);
      const body = { account: '222222222222', name: 'x' };
      assert.equal((await api.ask('POST accounts', { as, body })).status, 403);
      assert.equal((await api.ask('GET audit', { as })).status, 403);
    });
});

suite('who manages users, keys, tokens and policies', () => {
  const calls: readonly (readonly [string, object])[] = [
    ['GET users', { query: {} }],
    ['POST users', { body: { name: 'bob' } }],
    ['DELETE users', { query: { name: 'ci' } }],
    ['GET access-keys', { query: { user: 'ci' } }],
    ['POST access-keys', { body: { user: 'ci' } }],
    ['GET tokens', { query: { user: 'ci' } }],
    ['POST tokens', { body: { user: 'ci', name: 't' } }],
    ['GET identity-policies', { query: { user: 'ci' } }],
    ['PUT identity-policies', { body: { user: 'ci', name: 'p', policy: iam } }],
  ];
  for (const [endpoint, asked] of calls)
    test(`${endpoint} is the administrator's and whose policy allows iam:*, in their own account`, async () => {
      await using api = await openWithUsers();
      assert.equal((await api.ask(endpoint, { ...asked, as: 'ann' })).status, 403);
      assert.equal(api.audited.at(-1)?.kind, 'denial');
      // The second account's administrator manages its own alone.
      const abroad = inAccount(asked, home);
      assert.equal((await api.ask(endpoint, { ...abroad, as: 'other' })).status, 403);
      await grantIam(api);
      assert.ok((await api.ask(endpoint, { ...asked, as: 'ann' })).status < 300);
      const foreign = inAccount(asked, otherAccount);
      assert.equal((await api.ask(endpoint, { ...foreign, as: 'ann' })).status, 403);
    });

  test('a credential with scopes manages nothing, whatever its principal may', async () => {
    await using api = await openWithUsers();
    api.scopes = ['repository:*:pull,push,delete'];
    for (const [endpoint, asked] of calls)
      assert.equal((await api.ask(endpoint, asked)).status, 403, endpoint);
  });

  test('the operator manages another account’s users', async () => {
    await using api = await openWithUsers();
    const body = { name: 'bob', account: otherAccount };
    const { json } = await api.ask('POST users', { body });
    assert.equal(json.arn, `arn:aws:iam::${otherAccount}:user/bob`);
    const list = await api.ask('GET users', { as: 'other' });
    assert.deepEqual(
      list.json.items.map(({ name }: { name: string }) => name),
      ['bob'],
    );
  });
});

suite('users, keys and tokens', () => {
  test('users are listed a page at a time, in their order', async () => {
    await using api = await openWithUsers();
    await api.ask('POST users', { body: { name: 'bob' } });
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: '1', ...(cursor === undefined ? {} : { cursor }) };
      const { json } = await api.ask('GET users', { query });
      names.push(...json.items.map(({ name }: { name: string }) => name));
      cursor = json.next ?? undefined;
    } while (cursor !== undefined);
    assert.deepEqual(names, ['ann', 'bob', 'ci']);
  });

  test('a user is made once and deleted once, with all that is theirs', async () => {
    await using api = await openWithUsers();
    assert.equal((await api.ask('POST users', { body: { name: 'ann' } })).status, 409);
    await api.ask('POST access-keys', { body: { user: 'ann' } });
    const query = { name: 'ann' };
    assert.equal((await api.ask('DELETE users', { query })).status, 204);
    assert.equal((await api.ask('DELETE users', { query })).status, 404);
    const gone = await api.ask('GET identity-policies', { query: { user: 'ann' } });
    assert.equal(gone.status, 404);
  });

  test('a principal has two keys at most; a deleted one is gone', async () => {
    await using api = await openWithUsers();
    const body = { user: 'ann' };
    const { json } = await api.ask('POST access-keys', { body });
    assert.equal((await api.ask('POST access-keys', { body })).status, 201);
    assert.equal((await api.ask('POST access-keys', { body })).status, 409);
    const query = { user: 'ann', id: json.accessKeyId };
    assert.equal(
      (await api.ask('DELETE access-keys', { query: { ...query, user: 'ci' } })).status,
      404,
    );
    assert.equal((await api.ask('DELETE access-keys', { query })).status, 204);
    assert.equal((await api.ask('DELETE access-keys', { query })).status, 404);
    const { json: list } = await api.ask('GET access-keys', { query: { user: 'ann' } });
    assert.equal(list.items.length, 1);
  });

  test('a token has scopes and an end, and is shown once', async () => {
    await using api = await openWithUsers();
    const body = {
      user: 'ci',
      name: 'build',
      scopes: ['repository:team/*:pull,push'],
      expiresInSeconds: 3600,
    };
    const { status, json } = await api.ask('POST tokens', { body });
    assert.equal(status, 201);
    assert.ok(json.token.length > 20);
    assert.deepEqual(json.scopes, ['repository:team/*:pull,push']);
    assert.equal(Date.parse(json.expiresAt), api.clock.now() + 3_600_000);
    const list = await api.ask('GET tokens', { query: { user: 'ci' } });
    assert.equal(list.json.items[0].name, 'build');
    assert.ok(!JSON.stringify([list.json, api.audited]).includes(json.token));
    assert.equal((await api.ask('POST tokens', { body })).status, 409);
    const query = { user: 'ci', name: 'build' };
    assert.equal((await api.ask('DELETE tokens', { query })).status, 204);
    assert.equal((await api.ask('DELETE tokens', { query })).status, 404);
  });

  for (const [name, body] of [
    ['a scope that is none', { name: 't', scopes: ['everything'] }],
    ['a life of ten years', { name: 't', expiresInSeconds: 315_360_000 }],
    ['a user’s name with a slash', { name: 't', user: 'a/b' }],
    ['an account of eleven digits', { name: 't', account: '11111111111' }],
    ['an unknown field', { name: 't', scope: [] }],
  ] as const)
    test(`${name} is 400`, async () => {
      await using api = await openWithUsers();
      assert.equal((await api.ask('POST tokens', { body })).status, 400);
    });

  test('a life that is too long is told how long it may be', async () => {
    await using api = await openWithUsers();
    const body = { name: 't', expiresInSeconds: 34_560_000 };
    const { detail } = (await api.ask('POST tokens', { body })).json as { detail: string };
    assert.equal(detail, 'expiresInSeconds: must be a time from 1m to 366d (31622400 seconds)');
  });

  test('every change is told with who, what, from where and the request', async () => {
    await using api = await openWithUsers();
    await api.ask('PUT identity-policies', { body: { user: 'ci', name: 'p', policy: iam } });
    assert.deepEqual(api.audited, [
      {
        kind: 'change',
        principal: `arn:aws:iam::${home}:root`,
        action: 'iam:PutUserPolicy',
        resource: 'ci',
        registry: homeRegistry,
        outcome: 'allowed',
        address: '127.0.0.1',
        requestId: 'r-1',
        detail: { policy: 'p' },
      },
    ]);
  });
});

suite('who asks', () => {
  test('whoami says who, how, and what the credential is limited to', async () => {
    await using api = await openApi();
    const admin = await api.ask('GET whoami');
    assert.deepEqual(admin.json, {
      principal: `arn:aws:iam::${home}:root`,
      id: home,
      account: home,
      kind: 'administrator',
      name: null,
      via: 'key',
      scopes: null,
      operator: true,
    });
    api.scopes = ['repository:team/*:pull'];
    const ann = await api.ask('GET whoami', { as: 'ann' });
    assert.deepEqual(ann.json.scopes, ['repository:team/*:pull']);
    assert.equal(ann.json.operator, false);
    assert.match(ann.json.id, /^AIDA[A-Z2-7]{17}$/);
    assert.equal((await api.ask('GET whoami', { as: 'nobody' })).status, 401);
  });

  test('an authorization token is base64 of AWS and its password, for the registry that is asked for', async () => {
    await using api = await openApi();
    const { json } = await api.ask('POST authorization-token');
    assert.equal(Buffer.from(json.authorizationToken, 'base64').toString(), 'AWS:p4ss');
    assert.equal(Date.parse(json.expiresAt), api.clock.now() + 43_200_000);
    assert.equal(json.proxyEndpoint, 'http://127.0.0.1:5000');
    const elsewhere = await api.ask('POST authorization-token', { body: { region: 'eu-west-1' } });
    assert.equal(elsewhere.json.proxyEndpoint, `http://${home}.dkr.ecr.eu-west-1.localhost:5000`);
    assert.equal((await api.ask('POST authorization-token', { as: 'ann' })).status, 403);
  });
});

function inAccount(asked: object, account: string): object {
  return Object.fromEntries(
    Object.entries(asked).map(([key, value]) => [key, { ...(value as object), account }]),
  );
}
