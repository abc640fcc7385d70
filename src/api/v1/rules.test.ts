import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, openApi, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiAsk, ApiRig } from '../../../tests/support/rigs/api-rig.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import {
  createScriptedUpstream,
  failure,
} from '../../../tests/support/upstreams/scripted-upstream.ts';
import { builtinRules } from '../../domain/rules/builtin-rules.ts';
import { registryKey } from '../../domain/names/registry.ts';

const arn = `arn:aws:secretsmanager:us-east-1:${home}:secret:ecr-pullthroughcache/hub`;
const body = { prefix: 'team', upstream: 'quay.io' };
const whole = `${arn}-AbCdEf`;
const value = (text: string) => ({ kind: 'value', secret: whole, text }) as const;
const login = value('{"username":"ann","accessToken":"t0ken"}');

async function make(api: ApiRig, change: object = {}): Promise<{ status: number; json: Json }> {
  return await api.ask('POST rules', { body: { ...body, ...change } });
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into
type Json = any;

/** Lets ann do what the actions say. */
async function allow(api: ApiRig, ...actions: readonly string[]): Promise<Pick<ApiAsk, 'as'>> {
  return await say(api, { Effect: 'Allow', Action: actions, Resource: '*' });
}

/** Gives ann a policy of these statements. */
async function say(api: ApiRig, ...Statement: readonly object[]): Promise<Pick<ApiAsk, 'as'>> {
  await api.ask('POST users', { body: { name: 'ann' } });
  const policy = policyOf(...Statement);
  await api.ask('PUT identity-policies', { body: { user: 'ann', name: 'rules', policy } });
  return { as: 'ann' };
}

function policyOf(...Statement: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement });
}

const upstreamOf = (api: ApiRig, name: string, registry = homeRegistry): string | undefined =>
  api.book.inForce.of(registry).byPath(name)?.rule?.urls[0]?.host;

suite('a rule', () => {
  test('is in force with the answer, which shows it as it is', async () => {
    await using api = await openApi();
    const settings = { freshForSeconds: 60, push: true, onFailure: { denied: 'stop' } };
    const { status, json } = await make(api, { settings });
    assert.equal(status, 201);
    assert.deepEqual(
      [json.prefix, json.origin, json.upstream, json.upstreamRegistry, json.shadowedBy],
      ['team', 'api', 'https://quay.io', 'quay', null],
    );
    assert.deepEqual(
      [json.freshForSeconds, json.push, json.onFailure.denied, json.onFailure.timeout],
      [60, true, 'stop', 'keep'],
    );
    assert.equal(upstreamOf(api, 'team/x'), 'quay.io');
    const made = api.audited.find(({ action }) => action === 'ecr:CreatePullThroughCacheRule');
    assert.deepEqual([made?.resource, made?.detail['upstream']], ['team', 'quay.io']);
  });

  test('of another account leads in its own registry alone', async () => {
    await using api = await openApi();
    await api.ask('POST accounts', { body: { account: otherAccount, name: 'other' } });
    const place = { account: otherAccount, region: 'eu-west-1' };
    const made = await api.ask('POST rules', { body: { ...body, ...place }, as: 'other' });
    assert.equal(made.status, 201);
    const theirs = registryKey(place);
    assert.deepEqual(
      [upstreamOf(api, 'team/x'), upstreamOf(api, 'team/x', theirs)],
      [undefined, 'quay.io'],
    );
    assert.equal((await make(api, place)).status, 403);
  });

  test('is changed in what is said, and null gives a setting its default again', async () => {
    await using api = await openApi();
    await make(api, { settings: { freshForSeconds: 60, push: true } });
    const change = { prefix: 'team', settings: { freshForSeconds: null, deny: ['x/*'] } };
    const { json } = await api.ask('PATCH rules', { body: change });
    assert.deepEqual([json.freshForSeconds, json.push, json.deny], [86_400, true, ['x/*']]);
    assert.deepEqual(api.book.inForce.of(homeRegistry).byPath('team/x')?.rule?.deny, ['x/*']);
    const missing = await api.ask('PATCH rules', { body: { prefix: 'nope' } });
    assert.deepEqual([missing.status, missing.json.code], [404, 'NAME_UNKNOWN']);
  });

  test('that takes the place of a built-in one gives it back when it is deleted', async () => {
    await using api = await openApi({ configured: builtinRules });
    assert.equal((await make(api, { prefix: 'ghcr.io' })).status, 201);
    const listed = await api.ask('GET rules', { query: { prefix: 'ghcr.io' } });
    assert.deepEqual(
      listed.json.items.map(({ origin, shadowedBy }: Json) => [origin, shadowedBy]),
      [
        ['api', null],
        ['builtin', 'api'],
      ],
    );
    const deleted = await api.ask('DELETE rules', { query: { prefix: 'ghcr.io' } });
    assert.deepEqual(deleted.json, { prefix: 'ghcr.io', restored: 'builtin' });
    assert.equal(upstreamOf(api, 'ghcr.io/x/y'), 'ghcr.io');
  });

  test('of the file keeps its prefix, and says where it is', async () => {
    await using api = await openApi({ configured: [testRule({ prefix: 'team' })] });
    const made = await make(api, { prefix: 'team/' });
    assert.equal(made.status, 409);
    assert.match(made.json.detail, /configuration file/);
    for (const [method, asked] of [
      ['PATCH', { body: { prefix: 'team', settings: { push: true } } }],
      ['DELETE', { query: { prefix: 'team' } }],
    ] as const) {
      const { status, json } = await api.ask(`${method} rules`, asked);
      assert.equal(status, 400);
      assert.match(json.detail, /stands in the configuration file/);
    }
  });

  test('is made once, whatever is at the end of its prefix', async () => {
    await using api = await openApi();
    await make(api);
    assert.equal((await make(api, { prefix: 'team/' })).status, 409);
  });

  test('that may not be says what is wrong, and changes nothing', async () => {
    await using api = await openApi();
    const before = api.audited.length;
    const { status, json } = await make(api, { upstream: 'http://127.0.0.1:5000' });
    assert.equal(status, 400);
    assert.match(json.detail, /apiUpstreams: public/);
    assert.deepEqual(
      [await api.metadata.rules.hasPullRules(), api.audited.length],
      [false, before],
    );
  });

  test('in strict is one of fifty, and is changed by something', async () => {
    await using api = await openApi({ upstreams: () => 'strict' });
    for (let index = 0; index < 50; index += 1)
      assert.equal((await make(api, { prefix: `p${index}` })).status, 201);
    const last = await make(api);
    assert.deepEqual([last.status, /at most 50/.test(last.json.detail)], [409, true]);
    assert.equal((await api.ask('PATCH rules', { body: { prefix: 'p1' } })).status, 400);
    await using open = await openApi();
    await make(open);
    assert.equal((await open.ask('PATCH rules', { body: { prefix: 'team' } })).status, 200);
  });
});

suite("a rule's secret", () => {
  const hub = { upstream: 'docker.io', credential: arn };

  test('must be there, with or without a value', async () => {
    await using api = await openApi();
    const missing = await make(api, hub);
    assert.deepEqual([missing.status, /was not found/.test(missing.json.detail)], [400, true]);
    for (const [kind, status] of [
      ['deleted', 400],
      ['undecryptable', 400],
      ['noValue', 201],
    ] as const) {
      api.secrets.set(arn, { kind, secret: whole });
      assert.equal((await make(api, hub)).status, status, kind);
    }
  });

  test('may be named instead of its ARN', async () => {
    await using api = await openApi();
    api.secrets.set(arn, login);
    const { json } = await make(api, { ...hub, credential: 'ecr-pullthroughcache/hub' });
    assert.deepEqual([json.credential, json.anonymousPull, json.problem], [arn, false, null]);
  });

  test('is of the account and region of the rule', async () => {
    await using api = await openApi();
    for (const [from, to] of [
      [home, otherAccount],
      ['us-east-1', 'eu-west-1'],
    ] as const) {
      const elsewhere = arn.replace(from, to);
      api.secrets.set(elsewhere, login);
      const { status, json } = await make(api, { ...hub, credential: elsewhere });
      assert.equal(status, 400);
      assert.match(json.detail, /unable to be accessed/);
    }
    // A region that is no registry of its own is home.
    const unnamed = arn.replace('us-east-1', 'ap-south-1');
    api.secrets.set(unnamed, login);
    assert.equal((await make(api, { ...hub, credential: unnamed })).status, 201);
  });

  test('goes to a registry that ECR does not know for whoever may read it alone', async () => {
    await using api = await openApi();
    api.secrets.set(arn, login);
    const ann = await allow(
      api,
      'ecr:CreatePullThroughCacheRule',
      'ecr:UpdatePullThroughCacheRule',
    );
    const own = { upstream: 'registry.example.com', credential: arn };
    const ask = (change: object) => api.ask('POST rules', { body: { ...body, ...change }, ...ann });
    assert.equal((await ask(own)).status, 403);
    assert.equal(api.audited.at(-1)?.action, 'secretsmanager:GetSecretValue');
    assert.equal(api.audited.at(-1)?.resource, whole);
    assert.equal((await ask({ ...hub, prefix: 'hub' })).status, 201);
    assert.equal((await ask({ upstream: 'registry.example.com' })).status, 201);
    const update = { prefix: 'team', credential: arn };
    assert.equal((await api.ask('PATCH rules', { body: update, ...ann })).status, 403);
    const reader = await allow(api, 'ecr:*', 'secretsmanager:GetSecretValue');
    assert.equal((await api.ask('PATCH rules', { body: update, ...reader })).status, 200);
  });
});

test("A rule's secret goes to the rule that was looked at alone, whatever has its prefix meanwhile.", async () => {
  let between = async (): Promise<void> => {};
  const find = async (): Promise<typeof login> => {
    await between();
    return login;
  };
  await using api = await openApi({ secrets: { find } });
  const ann = await allow(api, 'ecr:*');
  await make(api);
  between = async () => {
    between = async () => {};
    await api.ask('DELETE rules', { query: { prefix: 'team' } });
    await make(api, { upstream: 'registry.example.com' });
  };
  const update = { prefix: 'team', credential: arn };
  const { status } = await api.ask('PATCH rules', { body: update, ...ann });
  const row = await api.metadata.rules.findPullRule({ registry: homeRegistry, prefix: 'team' });
  assert.deepEqual(
    [status, row?.upstreamUrl, row?.credentialArn],
    [404, 'registry.example.com', undefined],
  );
});

suite(
  "whether a rule's secret may go to a registry that ECR does not know is asked of the secret itself",
  () => {
    const readSecret = 'secretsmanager:GetSecretValue';
    const all = { Effect: 'Allow', Action: ['ecr:*', readSecret], Resource: '*' };
    const denied = { Effect: 'Deny', Action: readSecret, Resource: `${arn}-??????` };
    const principal = { AWS: `arn:aws:iam::${home}:user/ann` };
    const own = { Action: readSecret, Principal: principal, Resource: '*' };
    const unnamed = (text: string): string => text.replace('us-east-1', 'ap-south-1');
    const cases: readonly {
      readonly name: string;
      readonly statements: readonly object[];
      readonly asked: string;
      readonly policy?: string;
      readonly status: number;
    }[] = [
      { name: 'who may read it may', statements: [all], asked: arn, status: 201 },
      {
        name: 'who is denied it may not by its whole ARN',
        statements: [all, denied],
        asked: whole,
        status: 403,
      },
      {
        name: 'nor by its ARN without the last characters',
        statements: [all, denied],
        asked: arn,
        status: 403,
      },
      {
        name: 'nor by its name',
        statements: [all, denied],
        asked: 'ecr-pullthroughcache/hub',
        status: 403,
      },
      {
        name: 'nor by a region that is home by another name',
        statements: [all, denied],
        asked: unnamed(whole),
        status: 403,
      },
      {
        name: 'whom its own policy denies may not',
        statements: [all],
        asked: arn,
        policy: policyOf({ Effect: 'Deny', ...own }),
        status: 403,
      },
      {
        name: 'whom its own policy admits may',
        statements: [{ ...all, Action: 'ecr:*' }],
        asked: arn,
        policy: policyOf({ Effect: 'Allow', ...own }),
        status: 201,
      },
    ];
    for (const { name, statements, asked, policy, status } of cases)
      for (const secret of ['with a value', 'without one yet'])
        test(`${name}: ${secret}`, async () => {
          await using api = await openApi();
          const named = { secret: whole, policy };
          const found =
            secret === 'with a value'
              ? { ...login, ...named }
              : ({ kind: 'noValue', ...named } as const);
          for (const each of [arn, whole, unnamed(whole)]) api.secrets.set(each, found);
          const ann = await say(api, ...statements);
          const rule = { ...body, upstream: 'registry.example.com', credential: asked };
          const answer = await api.ask('POST rules', { body: rule, ...ann });
          assert.equal(answer.status, status, JSON.stringify(answer.json));
        });

    test('and of its name where it is not there, so that nobody learns whether it is', async () => {
      await using api = await openApi();
      const ann = await say(api, all, denied);
      const rule = { ...body, upstream: 'registry.example.com', credential: arn };
      const missing = await api.ask('POST rules', { body: rule, ...ann });
      api.secrets.set(arn, login);
      const there = await api.ask('POST rules', { body: rule, ...ann });
      assert.deepEqual([missing.status, missing.json], [403, there.json]);
    });
  },
);

suite('a rule is validated', () => {
  const validate = async (api: ApiRig) =>
    (await api.ask('POST rules/validate', { body: { prefix: 'team' } })).json as Json;

  test('by asking its upstream', async () => {
    const upstream = createScriptedUpstream();
    await using api = await openApi({ upstream });
    await make(api);
    assert.deepEqual(await validate(api), { prefix: 'team', valid: true, failure: null });
    upstream.before = () => {
      throw failure('denied', 401);
    };
    assert.deepEqual(await validate(api), {
      prefix: 'team',
      valid: false,
      failure: 'scripted denied',
    });
  });

  test('by reading its secret, without asking anybody where that is wrong', async () => {
    const upstream = createScriptedUpstream();
    await using api = await openApi({ upstream });
    api.secrets.set(arn, value('{"username":"ann","accessToken":"s3cret"}}'));
    await make(api, { credential: arn, upstream: 'ghcr.io' });
    const { valid, failure: why } = await validate(api);
    assert.deepEqual([valid, /no JSON \(at character 42/.test(why)], [false, true]);
    assert.deepEqual(upstream.calls, []);
  });

  test('where it is there', async () => {
    await using api = await openApi();
    const { status } = await api.ask('POST rules/validate', { body: { prefix: 'nope' } });
    assert.equal(status, 404);
  });
});

suite('each of these is a right of its own', () => {
  const rows = [
    ['GET rules', {}, 'DescribePullThroughCacheRules'],
    ['POST rules', { body }, 'CreatePullThroughCacheRule'],
    ['PATCH rules', { body: { prefix: 'team' } }, 'UpdatePullThroughCacheRule'],
    ['DELETE rules', { query: { prefix: 'team' } }, 'DeletePullThroughCacheRule'],
    ['POST rules/validate', { body: { prefix: 'team' } }, 'ValidatePullThroughCacheRule'],
  ] as const;
  for (const [endpoint, asked, action] of rows)
    test(`${endpoint} is ecr:${action}, whether the rule is there or not`, async () => {
      await using api = await openApi();
      const others = rows
        .map(([, , other]) => `ecr:${other}`)
        .filter((each) => !each.endsWith(action));
      const ann = await allow(api, ...others);
      const refused = await api.ask(endpoint, { ...asked, ...ann });
      if (endpoint !== 'POST rules') await make(api);
      const again = await api.ask(endpoint, { ...asked, ...ann });
      assert.deepEqual([refused.status, again.status], [403, 403]);
      assert.equal(again.json.detail, refused.json.detail);
      assert.equal(api.audited.at(-1)?.action, `ecr:${action}`);
      const reader = await allow(api, `ecr:${action}`);
      assert.ok((await api.ask(endpoint, { ...asked, ...reader })).status < 300);
    });
});
