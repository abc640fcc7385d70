import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, openApi, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';
import { manifestInput, push, pushInput } from '../../../tests/contracts/metadata/samples.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { ruleIdentity } from '../../domain/rules/rule-identity.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { OperationsParts } from '../../operations/operations.ts';

const allowAnn = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'ann reads',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${home}:user/ann` },
      Action: ['ecr:BatchGetImage', 'ecr:ListImages', 'ecr:DescribeImages'],
    },
  ],
});

/** `team/app` and `team/secret`, made by hand; ann is a user who may nothing yet. */
async function openWithRepositories(change: Partial<OperationsParts> = {}): Promise<ApiRig> {
  const api = await openApi(change);
  await api.ask('POST users', { body: { name: 'ann' } });
  for (const repository of ['team/app', 'team/secret'])
    assert.equal((await api.ask('POST repositories', { body: { repository } })).status, 201);
  api.audited.length = 0;
  return api;
}

async function allow(api: ApiRig, repository = 'team/app'): Promise<void> {
  const body = { repository, policy: allowAnn };
  assert.equal((await api.ask('PUT repository-policy', { body })).status, 200);
}

const names = (items: readonly { repository: string }[]): string[] =>
  items.map(({ repository }) => repository);

suite('repositories', () => {
  test('a repository is made with its tag mutability, once', async () => {
    await using api = await openApi();
    const tagMutability = { mode: 'IMMUTABLE_WITH_EXCLUSION', exclusions: ['latest', 'dev-*'] };
    const body = { repository: 'team/app', tagMutability };
    const { status, json } = await api.ask('POST repositories', { body });
    assert.deepEqual(
      [status, json],
      [
        201,
        {
          repository: 'team/app',
          arn: `arn:aws:ecr:us-east-1:${home}:repository/team/app`,
          account: home,
          region: 'us-east-1',
          createdAt: '2026-01-01T00:00:00.000Z',
          rule: null,
          private: false,
          pushed: true,
          madeBy: { by: 'api', template: null, upstream: null },
          tagMutability,
          hasPolicy: false,
          labels: [],
          scanOnPush: false,
          encryption: { type: 'AES256', key: null },
        },
      ],
    );
    assert.equal((await api.ask('POST repositories', { body })).status, 409);
    assert.equal(api.audited.filter(({ action }) => action === 'ecr:CreateRepository').length, 1);
  });

  for (const [name, body, code] of [
    ['a name that is none', { repository: 'Team/App' }, 'NAME_INVALID'],
    ['an empty name', { repository: '' }, 'REQUEST_INVALID'],
    ['a mode that is none', { repository: 'a', tagMutability: { mode: 'X' } }, 'REQUEST_INVALID'],
    [
      'filters without their mode',
      { repository: 'a', tagMutability: { mode: 'IMMUTABLE', exclusions: ['x'] } },
      'REQUEST_INVALID',
    ],
    [
      'a filter with three wildcards',
      { repository: 'a', tagMutability: { mode: 'MUTABLE_WITH_EXCLUSION', exclusions: ['*a*b*'] } },
      'REQUEST_INVALID',
    ],
  ] as const)
    test(`${name} makes no repository`, async () => {
      await using api = await openApi();
      const { status, json } = await api.ask('POST repositories', { body });
      assert.deepEqual([status, json.code], [400, code]);
      assert.deepEqual((await api.ask('GET repositories')).json.items, []);
    });

  test('tag mutability is changed', async () => {
    await using api = await openWithRepositories();
    const body = { repository: 'team/app', tagMutability: { mode: 'IMMUTABLE' } };
    const { json } = await api.ask('PATCH repositories', { body });
    assert.deepEqual(json.tagMutability, { mode: 'IMMUTABLE', exclusions: [] });
    assert.deepEqual(api.audited.at(-1)?.detail, { mode: 'IMMUTABLE', exclusions: '' });
    const missing = { ...body, repository: 'nope' };
    assert.equal((await api.ask('PATCH repositories', { body: missing })).status, 404);
  });

  test('one that holds images is deleted with force alone', async () => {
    await using api = await openWithRepositories();
    await push(api.metadata, pushInput('team/app', 'one', { tags: ['1'] }));
    const query = { repository: 'team/app' };
    assert.equal((await api.ask('DELETE repositories', { query })).status, 409);
    const forced = { ...query, force: 'true' };
    assert.equal((await api.ask('DELETE repositories', { query: forced })).status, 204);
    assert.equal((await api.ask('DELETE repositories', { query })).status, 404);
    assert.deepEqual(api.audited.at(-1)?.detail, { force: true });
  });

  test('they are listed by prefix, a page at a time, and only those that may be seen', async () => {
    await using api = await openWithRepositories();
    await api.ask('POST repositories', { body: { repository: 'other' } });
    const query = { prefix: 'team/', limit: '1' };
    const first = await api.ask('GET repositories', { query });
    assert.deepEqual(names(first.json.items), ['team/app']);
    const second = await api.ask('GET repositories', {
      query: { ...query, cursor: first.json.next },
    });
    assert.deepEqual(names(second.json.items), ['team/secret']);
    assert.equal(second.json.next, null);
    assert.deepEqual((await api.ask('GET repositories', { as: 'ann' })).json.items, []);
    await allow(api, 'team/secret');
    const seen = await api.ask('GET repositories', { as: 'ann', query: { limit: '1' } });
    assert.deepEqual(names(seen.json.items), ['team/secret']);
    assert.equal(seen.json.next, null);
  });

  test('a cursor that is none of ours is 400', async () => {
    await using api = await openApi();
    for (const cursor of ['x', Buffer.from('[1]').toString('base64url'), 'W10'])
      for (const path of ['repositories', 'audit', 'users'])
        assert.equal((await api.ask(`GET ${path}`, { query: { cursor } })).status, 400);
  });

  test('another region’s repositories are others', async () => {
    await using api = await openWithRepositories();
    const elsewhere = await api.ask('GET repositories', { query: { region: 'eu-west-1' } });
    assert.deepEqual(elsewhere.json.items, []);
    const home2 = await api.ask('GET repositories', { query: { region: 'ap-south-1' } });
    assert.equal(home2.json.items.length, 2);
  });
});

suite('policies', () => {
  test('they go in and come out verbatim, and hold for the next request', async () => {
    await using api = await openWithRepositories();
    const query = { repository: 'team/app' };
    assert.equal((await api.ask('GET repository-policy', { query })).status, 404);
    assert.equal((await api.ask('GET tags', { as: 'ann', query })).status, 404);
    await allow(api);
    assert.equal((await api.ask('GET tags', { as: 'ann', query })).status, 200);
    assert.equal((await api.ask('GET repository-policy', { query })).json.policy, allowAnn);
    assert.equal((await api.ask('DELETE repository-policy', { query })).status, 204);
    assert.equal((await api.ask('GET tags', { as: 'ann', query })).status, 404);
    assert.equal((await api.ask('DELETE repository-policy', { query })).status, 404);
  });

  test('a registry’s and a user’s hold as well', async () => {
    await using api = await openWithRepositories();
    const deny = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:*', Resource: '*' }],
    });
    const allowAll = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }],
    });
    const query = { repository: 'team/app' };
    const ask = async (): Promise<number> =>
      (await api.ask('GET tags', { as: 'ann', query })).status;
    await api.ask('PUT identity-policies', {
      body: { user: 'ann', name: 'all', policy: allowAll },
    });
    assert.equal(await ask(), 200);
    assert.equal((await api.ask('PUT registry-policy', { body: { policy: deny } })).status, 200);
    assert.equal(await ask(), 404);
    assert.equal((await api.ask('GET tags', { query })).status, 404);
    assert.equal((await api.ask('GET registry-policy')).json.policy, deny);
    assert.equal((await api.ask('DELETE registry-policy')).status, 204);
    assert.equal(await ask(), 200);
    await api.ask('DELETE identity-policies', { query: { user: 'ann', name: 'all' } });
    assert.equal(await ask(), 404);
  });

  test('a text that is no policy is told field by field, and nothing is set', async () => {
    await using api = await openWithRepositories();
    const policy =
      '{"Version":"2012-10-17","Statement":[{"Effect":"allow","Principal":"*","Action":"ecr:*"}]}';
    const { status, json } = await api.ask('PUT repository-policy', {
      body: { repository: 'team/app', policy },
    });
    assert.equal(status, 400);
    assert.match(json.errors[0].field, /Statement/);
    const checked = await api.ask('POST policies/validate', {
      body: { kind: 'repository', policy },
    });
    assert.deepEqual([checked.json.valid, checked.json.problems.length], [false, 1]);
    const fine = await api.ask('POST policies/validate', {
      as: 'ann',
      body: { kind: 'repository', policy: allowAnn },
    });
    assert.deepEqual(fine.json, { valid: true, problems: [], warnings: [] });
    const vain = await api.ask('POST policies/validate', {
      body: { kind: 'repository', policy: allowAnn.replace('BatchGetImage', 'GetImage') },
    });
    assert.deepEqual(
      [vain.json.valid, vain.json.warnings[0].fix],
      [true, 'write ecr:BatchGetImage'],
    );
    const query = { repository: 'team/app' };
    assert.equal((await api.ask('GET repository-policy', { query })).status, 404);
  });

  test('a user has ten policies at most, however many are put at once', async () => {
    await using api = await openWithRepositories();
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }],
    });
    const put = (name: string) =>
      api.ask('PUT identity-policies', { body: { user: 'ann', name, policy } });
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => put(`p${n}`)));
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 10);
    assert.equal(statuses.filter((status) => status === 409).length, 2);
    assert.equal((await put('p0')).status, 200);
    assert.equal((await put('a/b')).status, 400);
  });
});

suite('images', () => {
  async function openWithImages(): Promise<ApiRig> {
    const api = await openWithRepositories();
    for (const [index, tag] of ['1', '2', '3'].entries())
      await push(
        api.metadata,
        pushInput('team/app', `image ${tag}`, { tags: [tag], now: 1000 + index }),
      );
    return api;
  }
  const query = { repository: 'team/app' };

  test('tags come in their order, images newest first, both a page at a time', async () => {
    await using api = await openWithImages();
    for (const [path, expected] of [
      ['tags', ['1', '2', '3']],
      ['images', ['3', '2', '1']],
    ] as const) {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = { ...query, limit: '2', ...(cursor === undefined ? {} : { cursor }) };
        const { json } = await api.ask(`GET ${path}`, { query: page });
        for (const item of json.items) seen.push(item.tag ?? item.tags[0]);
        cursor = json.next ?? undefined;
      } while (cursor !== undefined);
      assert.deepEqual(seen, expected);
    }
  });

  test('one is shown by tag or digest', async () => {
    await using api = await openWithImages();
    const { json } = await api.ask('GET image', { query: { ...query, reference: '2' } });
    assert.deepEqual(
      [json.repository, json.tag.name, json.tag.provenance],
      ['team/app', '2', 'pushed'],
    );
    const same = await api.ask('GET image', { query: { ...query, reference: json.digest } });
    assert.deepEqual(same.json, { ...json, tag: null });
    assert.equal((await api.ask('GET image', { query: { ...query, reference: '9' } })).status, 404);
    assert.equal(
      (await api.ask('GET image', { query: { ...query, reference: 'a b' } })).status,
      400,
    );
  });

  test('what the rule denies, and what it brought from elsewhere, is the operator’s alone to see', async () => {
    const rule = testRule({ deny: ['app:secret-*', 'hidden'] });
    await using api = await openWithRepositories({ rules: () => createRuleSet([rule]) });
    const mine = { rule: ruleIdentity(rule), source: 'http://upstream/app' };
    const theirs = { rule: 'another', source: 'http://another/app' };
    const store = (of: string, tag: string, from: typeof mine) => {
      const input = manifestInput(`up/${of}`, `${tag} ${from.rule}`, { tag });
      const at = { tag: tag as Tag, source: from.source, validatedAt: 1 };
      return api.metadata.manifests.storeManifest({ ...input, rule: from.rule, tag: at });
    };
    await store('app', '1', theirs);
    await store('app', '1', mine);
    await store('app', '2', theirs);
    await store('app', 'secret-1', mine);
    await store('hidden', '1', mine);
    await allow(api, 'up/app');
    await allow(api, 'up/hidden');
    const query = { repository: 'up/app' };
    const seen = async (as: string) => {
      const image = { as, query: { ...query, reference: '1' } };
      const list = { as, query: { prefix: 'up/' } };
      return {
        images: (await api.ask('GET images', { as, query })).json.items.length,
        history: (await api.ask('GET image', image)).json.tag.history.length,
        secret: (await api.ask('GET image', { as, query: { ...query, reference: 'secret-1' } }))
          .status,
        hidden: (await api.ask('GET tags', { as, query: { repository: 'up/hidden' } })).status,
        names: names((await api.ask('GET repositories', list)).json.items),
      };
    };
    assert.deepEqual(await seen('ann'), {
      images: 2,
      history: 1,
      secret: 403,
      hidden: 403,
      names: ['up/app'],
    });
    assert.deepEqual(await seen('admin'), {
      images: 4,
      history: 2,
      secret: 200,
      hidden: 200,
      names: ['up/app', 'up/hidden'],
    });
  });

  test('a tag is deleted alone, an image with its tags; both are told', async () => {
    await using api = await openWithImages();
    const one = await api.ask('DELETE tags', { query: { ...query, tag: '1' } });
    assert.deepEqual(one.json.tags, ['1']);
    const held = await api.ask('GET image', { query: { ...query, reference: one.json.digest } });
    assert.equal(held.status, 200);
    const two = await api.ask('DELETE image', { query: { ...query, reference: '2' } });
    assert.deepEqual(two.json.tags, ['2']);
    const gone = await api.ask('GET image', { query: { ...query, reference: two.json.digest } });
    assert.equal(gone.status, 404);
    assert.deepEqual(
      api.audited.map(({ action, resource }) => [action, resource]),
      [
        ['ecr:BatchDeleteImage', 'team/app'],
        ['ecr:BatchDeleteImage', 'team/app'],
      ],
    );
  });

  test('what may not be seen answers as what is not there; what may be seen but not done is 403', async () => {
    await using api = await openWithImages();
    for (const endpoint of [
      'GET tags',
      'GET images',
      'DELETE repositories',
      'GET repository-policy',
    ]) {
      const hidden = await api.ask(endpoint, { as: 'ann', query });
      const missing = await api.ask(endpoint, { as: 'ann', query: { repository: 'team/none' } });
      assert.deepEqual([hidden.status, missing.status], [404, 404], endpoint);
      assert.equal(hidden.json.detail, missing.json.detail);
      const there = await api.ask(endpoint, { query: { repository: 'team/none' } });
      assert.equal(there.json.detail, missing.json.detail, endpoint);
    }
    await allow(api);
    assert.equal((await api.ask('GET tags', { as: 'ann', query })).status, 200);
    assert.equal((await api.ask('DELETE repositories', { as: 'ann', query })).status, 403);
    const reference = { ...query, reference: '1' };
    assert.equal((await api.ask('DELETE image', { as: 'ann', query: reference })).status, 403);
  });
});

suite('why, and what was', () => {
  const can = (api: ApiRig, body: object, as = 'admin') =>
    api.ask('POST access/can', { as, body: { repository: 'team/app', action: 'pull', ...body } });

  test('access can says whether, and by which statement', async () => {
    await using api = await openWithRepositories();
    const before = await can(api, { principal: 'ann' });
    assert.equal(before.json.allowed, false);
    assert.match(before.json.because, /no statement/);
    await allow(api);
    const { json } = await can(api, { principal: 'ann', action: 'ecr:batchgetimage' });
    assert.equal(json.allowed, true);
    assert.match(json.because, /repository policy of team\/app, statement ann reads/);
    assert.equal((await can(api, { principal: 'ann' })).json.allowed, false);
    assert.equal((await can(api, { principal: 'anonymous' })).json.allowed, false);
    assert.equal((await can(api, { principal: 'root' })).json.allowed, true);
    assert.equal(api.audited.filter(({ kind }) => kind === 'denial').length, 0);
  });

  for (const [name, body, status] of [
    ['a principal that is not there', { principal: 'eve' }, 404],
    [
      'another account’s user that is not there',
      { principal: `arn:aws:iam::${otherAccount}:user/x` },
      404,
    ],
    ['a principal that is none', { principal: 'a b' }, 400],
    ['an action that is none', { principal: 'ann', action: 'ecr:Nope' }, 400],
    ['an address that is none', { principal: 'ann', sourceIp: '1.2.3' }, 400],
  ] as const)
    test(`${name} is ${status}`, async () => {
      await using api = await openWithRepositories();
      assert.equal((await can(api, body)).status, status);
    });

  test('it is not for those whom it is about', async () => {
    await using api = await openWithRepositories();
    assert.equal((await can(api, { principal: 'ann' }, 'ann')).status, 403);
  });

  test('the audit is read newest first, a page at a time', async () => {
    await using api = await openApi();
    const row = {
      kind: 'change',
      principal: 'p',
      action: 'a',
      registry: `${home}/us-east-1`,
      outcome: 'allowed',
      address: '127.0.0.1',
      requestId: 'r',
      detail: '{"tag":"1"}',
      count: 1,
    } as const;
    await api.metadata.records.appendAudit(
      ['one', 'two', 'three'].map((resource, index) => ({ ...row, resource, at: index + 1 })),
    );
    const first = await api.ask('GET audit', { query: { limit: '2' } });
    assert.deepEqual(
      first.json.items.map(({ resource, detail }: { resource: string; detail: object }) => [
        resource,
        detail,
      ]),
      [
        ['three', { tag: '1' }],
        ['two', { tag: '1' }],
      ],
    );
    const rest = await api.ask('GET audit', { query: { cursor: first.json.next } });
    assert.equal(rest.json.items[0].resource, 'one');
    assert.equal(rest.json.next, null);
    await api.metadata.records.appendAudit([
      { ...row, registry: `${otherAccount}/eu-west-1`, resource: 'theirs', at: 4 },
    ]);
    const theirs = await api.ask('GET audit', { query: { account: otherAccount } });
    assert.deepEqual(
      theirs.json.items.map(({ resource }: { resource: string }) => resource),
      ['theirs'],
    );
  });
});
