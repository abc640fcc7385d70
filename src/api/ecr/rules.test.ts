import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig, AwsRigOptions } from '../../../tests/support/rigs/aws-rig.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import {
  createScriptedUpstream,
  failure,
} from '../../../tests/support/upstreams/scripted-upstream.ts';

const arn = `arn:aws:secretsmanager:us-east-1:${home}:secret:ecr-pullthroughcache/hub-AbCdEf`;
const role = `arn:aws:iam::${home}:role/pull`;
const k8s = { ecrRepositoryPrefix: 'k8s', upstreamRegistryUrl: 'registry.k8s.io' };
const hub = { ecrRepositoryPrefix: 'hub/', upstreamRegistryUrl: 'registry-1.docker.io' };
const value = (text: string) => ({ kind: 'value', secret: arn, text }) as const;
const now = Date.parse('2026-01-01T00:00:00Z') / 1000;

/** Without rules of the configuration. */
const open = (options: AwsRigOptions = {}): Promise<AwsRig> =>
  openAws({ configured: [], ...options });

const failed = ({ status, json }: AwsAnswer): [number, string] => [status, json.__type];

async function made(aws: AwsRig, ...rules: readonly object[]): Promise<void> {
  for (const rule of rules) {
    const { status, text } = await aws.ecr('CreatePullThroughCacheRule', rule);
    assert.equal(status, 200, text);
  }
}

const describe = (aws: AwsRig, ...ecrRepositoryPrefixes: readonly string[]) =>
  aws.ecr('DescribePullThroughCacheRules', { ecrRepositoryPrefixes });

/** A server where the secret is. */
async function openWithSecret(options: AwsRigOptions = {}): Promise<AwsRig> {
  const aws = await open(options);
  aws.api.secrets.set(arn, value('{"username":"ann","accessToken":"t0ken"}'));
  return aws;
}

suite('a pull through cache rule', () => {
  test('is answered with what was said and what follows of it, and nothing else', async () => {
    await using aws = await open();
    const { status, json } = await aws.ecr('CreatePullThroughCacheRule', k8s);
    const rule = { ...k8s, registryId: home, upstreamRegistry: 'k8s', createdAt: now };
    assert.deepEqual([status, json], [200, rule]);
    const described = await describe(aws, 'k8s');
    assert.deepEqual(described.json, { pullThroughCacheRules: [{ ...rule, updatedAt: now }] });
  });

  test('comes out byte for byte as it went in', async () => {
    await using aws = await openWithSecret();
    const said = {
      ecrRepositoryPrefix: 'team/hub/',
      upstreamRegistryUrl: 'Docker.IO',
      upstreamRegistry: 'docker-hub',
      credentialArn: arn,
      customRoleArn: role,
      upstreamRepositoryPrefix: 'library/',
    };
    const { json } = await aws.ecr('CreatePullThroughCacheRule', said);
    assert.deepEqual(json, { ...said, registryId: home, createdAt: now });
    for (const prefix of ['team/hub', 'team/hub/']) {
      const [rule] = (await describe(aws, prefix)).json.pullThroughCacheRules;
      assert.deepEqual(rule, { ...said, registryId: home, createdAt: now, updatedAt: now });
    }
  });

  test('says ROOT of its upstream only where that was said', async () => {
    await using aws = await open();
    await made(aws, k8s, { ...hub, upstreamRepositoryPrefix: 'ROOT' });
    const { json } = await aws.ecr('DescribePullThroughCacheRules');
    assert.deepEqual(
      json.pullThroughCacheRules.map((rule: object) =>
        Reflect.get(rule, 'upstreamRepositoryPrefix'),
      ),
      ['ROOT', undefined],
    );
  });

  test('is updated, also by nothing, and deleted with what it was', async () => {
    await using aws = await openWithSecret();
    await made(aws, hub);
    aws.api.clock.advance(1500);
    const update = { ecrRepositoryPrefix: 'hub', registryId: home };
    const nothing = await aws.ecr('UpdatePullThroughCacheRule', update);
    const later = now + 1.5;
    const identity = { ecrRepositoryPrefix: 'hub/', registryId: home };
    assert.deepEqual(nothing.json, { ...identity, updatedAt: later });
    const changed = { credentialArn: arn, customRoleArn: role };
    const { json } = await aws.ecr('UpdatePullThroughCacheRule', { ...update, ...changed });
    assert.deepEqual(json, { ...identity, ...changed, updatedAt: later });
    const deleted = await aws.ecr('DeletePullThroughCacheRule', update);
    const { upstreamRegistryUrl } = hub;
    assert.deepEqual(deleted.json, {
      ...identity,
      ...changed,
      upstreamRegistryUrl,
      createdAt: now,
    });
    assert.deepEqual((await aws.ecr('DescribePullThroughCacheRules')).json, {
      pullThroughCacheRules: [],
    });
  });

  test('is of the account and the region that ask', async () => {
    await using aws = await open();
    await aws.api.ask('POST accounts', { body: { account: otherAccount, name: 'other' } });
    await made(aws, k8s);
    const elsewhere = { as: 'other', region: 'eu-west-1' };
    const theirs = await aws.ecr('DescribePullThroughCacheRules', {}, elsewhere);
    assert.deepEqual(theirs.json.pullThroughCacheRules, []);
    const { json } = await aws.ecr('CreatePullThroughCacheRule', k8s, elsewhere);
    assert.equal(json.registryId, otherAccount);
    const region = { region: 'eu-west-1' };
    const here = await aws.ecr('DescribePullThroughCacheRules', {}, region);
    assert.deepEqual(here.json.pullThroughCacheRules, []);
    // A region that is no registry of its own is home.
    const home = await aws.ecr('DescribePullThroughCacheRules', {}, { region: 'eu-west-2' });
    assert.equal(home.json.pullThroughCacheRules.length, 1);
  });

  test('of the configuration file is described, without times, and built-in ones are not', async () => {
    await using aws = await open({ configured: [testRule({ prefix: 'team' })] });
    const { json } = await aws.ecr('DescribePullThroughCacheRules');
    assert.deepEqual(json.pullThroughCacheRules, [
      { ecrRepositoryPrefix: 'team', upstreamRegistryUrl: 'http://upstream', registryId: home },
    ]);
  });
});

suite('rules are paged', () => {
  test('in the order of their prefixes, stable while others are made and deleted', async () => {
    await using aws = await open();
    for (const prefix of ['c0', 'a0', 'b0', 'd0'])
      await made(aws, { ...k8s, ecrRepositoryPrefix: prefix });
    const page = async (nextToken?: string) =>
      (await aws.ecr('DescribePullThroughCacheRules', { maxResults: 2, nextToken })).json;
    const names = (json: { readonly pullThroughCacheRules: readonly object[] }) =>
      json.pullThroughCacheRules.map((rule) => Reflect.get(rule, 'ecrRepositoryPrefix') as string);
    const first = await page();
    assert.deepEqual(names(first), ['a0', 'b0']);
    await made(aws, { ...k8s, ecrRepositoryPrefix: 'a1' });
    await aws.ecr('DeletePullThroughCacheRule', { ecrRepositoryPrefix: 'b0' });
    const second = await page(first.nextToken);
    assert.deepEqual([names(second), second.nextToken], [['c0', 'd0'], undefined]);
    const forged = await aws.ecr('DescribePullThroughCacheRules', {
      nextToken: `${first.nextToken.slice(0, -4)}AAA=`,
    });
    assert.deepEqual(failed(forged), [400, 'InvalidParameterException']);
    const elsewhere = { region: 'eu-west-1' };
    const input = { nextToken: first.nextToken };
    const other = await aws.ecr('DescribePullThroughCacheRules', input, elsewhere);
    assert.deepEqual(failed(other), [400, 'InvalidParameterException']);
  });
});

interface Refused {
  readonly what: string;
  readonly operation?: 'Create' | 'Update' | 'Delete' | 'Validate' | 'Describe';
  readonly input: object;
  readonly code: string;
  readonly says?: RegExp;
  readonly strict?: boolean;
}

suite('a call for a rule is refused, and changes nothing', () => {
  const rows: readonly Refused[] = [
    {
      what: 'a prefix that is taken',
      input: { ...k8s, ecrRepositoryPrefix: 'there/' },
      code: 'PullThroughCacheRuleAlreadyExistsException',
    },
    {
      what: 'an upstream that ECR does not know, in strict',
      input: { ...k8s, upstreamRegistryUrl: 'mcr.microsoft.com' },
      code: 'UnsupportedUpstreamRegistryException',
      says: /^The upstream registry URL mcr\.microsoft\.com is invalid\. Specify a valid upstream registry URL and try again$/,
      strict: true,
    },
    {
      what: 'no credential where ECR demands one, in strict',
      input: hub,
      code: 'UnsupportedUpstreamRegistryException',
      says: /^The specified upstream registry requires authentication\. Specify a valid Secrets Manager ARN/,
      strict: true,
    },
    {
      what: 'a private host, naming the setting',
      input: { ...k8s, upstreamRegistryUrl: '10.0.0.1' },
      code: 'UnsupportedUpstreamRegistryException',
      says: /apiUpstreams/,
    },
    {
      what: 'a secret that is not there',
      input: { ...hub, credentialArn: arn.replace('hub', 'nope') },
      code: 'SecretNotFoundException',
    },
    {
      what: 'a secret of another account',
      input: { ...hub, credentialArn: arn.replace(home, otherAccount) },
      code: 'UnableToAccessSecretException',
    },
    {
      what: 'a secret of another name than ECR takes',
      input: { ...hub, credentialArn: arn.replace('ecr-pullthroughcache', 'team') },
      code: 'InvalidParameterException',
      says: /^Invalid parameter at 'credentialArn' failed to satisfy constraint: 'must satisfy regular expression/,
    },
    {
      what: 'a prefix of one character',
      input: { ...k8s, ecrRepositoryPrefix: 'a' },
      code: 'InvalidParameterException',
      says: /'ecrRepositoryPrefix'/,
    },
    {
      what: 'a prefix of 31 characters',
      input: { ...k8s, ecrRepositoryPrefix: 'a'.repeat(31) },
      code: 'InvalidParameterException',
      says: /'ecrRepositoryPrefix'/,
    },
    {
      what: 'capitals in a prefix',
      input: { ...k8s, ecrRepositoryPrefix: 'K8s' },
      code: 'InvalidParameterException',
      says: /'ecrRepositoryPrefix'/,
    },
    {
      what: 'a prefix upstream of ROOT',
      input: { ...k8s, ecrRepositoryPrefix: 'ROOT', upstreamRepositoryPrefix: 'team' },
      code: 'InvalidParameterException',
      says: /^Invalid parameter at 'upstreamRepositoryPrefix' failed to satisfy constraint: 'a rule whose prefix is ROOT/,
    },
    {
      what: 'a kind that there is none of',
      input: { ...k8s, upstreamRegistry: 'gcr' },
      code: 'InvalidParameterException',
    },
    {
      what: 'a kind that is not the one of the URL',
      input: { ...k8s, upstreamRegistry: 'quay' },
      code: 'UnsupportedUpstreamRegistryException',
    },
    { what: 'no URL', input: { ecrRepositoryPrefix: 'k8s' }, code: 'InvalidParameterException' },
    ...(['Update', 'Delete', 'Validate'] as const).map((operation): Refused => ({
      what: `${operation} of what is not there`,
      operation,
      input: { ecrRepositoryPrefix: 'nope' },
      code: 'PullThroughCacheRuleNotFoundException',
      says: /'nope' does not exist in the registry with id '000000000000'/,
    })),
    {
      what: 'one of several that is not there',
      operation: 'Describe',
      input: { ecrRepositoryPrefixes: ['there', 'nope'] },
      code: 'PullThroughCacheRuleNotFoundException',
    },
    {
      what: 'prefixes and a page',
      operation: 'Describe',
      input: { ecrRepositoryPrefixes: ['there'], maxResults: 5 },
      code: 'InvalidParameterException',
      says: /'maxResults'/,
    },
    {
      what: 'an update of nothing, in strict',
      operation: 'Update',
      input: { ecrRepositoryPrefix: 'there' },
      code: 'InvalidParameterException',
      strict: true,
    },
    ...(['Update', 'Delete'] as const).map((operation): Refused => ({
      what: `${operation} of a rule of the file`,
      operation,
      input: { ecrRepositoryPrefix: 'of-file' },
      code: 'ValidationException',
      says: /configuration file/,
    })),
    {
      what: 'a prefix of the file',
      input: { ...k8s, ecrRepositoryPrefix: 'of-file' },
      code: 'PullThroughCacheRuleAlreadyExistsException',
      says: /configuration file/,
    },
  ];
  for (const { what, operation = 'Create', input, code, says, strict = false } of rows)
    test(what, async () => {
      const configured = [testRule({ prefix: 'of-file' })];
      const upstreams = () => (strict ? 'strict' : 'public');
      await using aws = await openWithSecret({ configured, upstreams });
      await made(aws, { ...k8s, ecrRepositoryPrefix: 'there' });
      const before = (await aws.ecr('DescribePullThroughCacheRules')).text;
      const rules = operation === 'Describe' ? 'Rules' : 'Rule';
      const refused = await aws.ecr(`${operation}PullThroughCache${rules}`, input);
      assert.deepEqual(failed(refused), [400, code], refused.text);
      if (says !== undefined) assert.match(refused.json.message, says);
      assert.equal((await aws.ecr('DescribePullThroughCacheRules')).text, before);
    });

  test('the 51st, in strict', async () => {
    await using aws = await open({ upstreams: () => 'strict' });
    for (let index = 0; index < 50; index += 1)
      await made(aws, { ...k8s, ecrRepositoryPrefix: `p${index}x` });
    const last = await aws.ecr('CreatePullThroughCacheRule', k8s);
    assert.deepEqual(failed(last), [400, 'LimitExceededException']);
  });

  test('whoever has no right to, alike whether the rule is there or not', async () => {
    await using aws = await open();
    await aws.api.ask('POST users', { body: { name: 'ann' } });
    const ask = () =>
      aws.ecr('DeletePullThroughCacheRule', { ecrRepositoryPrefix: 'k8s' }, { as: 'ann' });
    const before = await ask();
    await made(aws, k8s);
    const after = await ask();
    assert.deepEqual(failed(after), [400, 'AccessDeniedException']);
    assert.equal(after.text, before.text);
    assert.match(after.json.message, /ecr:DeletePullThroughCacheRule/);
  });
});

suite('a rule is validated', () => {
  const identity = { ecrRepositoryPrefix: 'k8s', registryId: home };
  const validate = async (aws: AwsRig) =>
    (await aws.ecr('ValidatePullThroughCacheRule', { ecrRepositoryPrefix: 'k8s' })).json;

  test('by asking its upstream: what is wrong is the answer', async () => {
    const upstream = createScriptedUpstream();
    await using aws = await open({ upstream });
    await made(aws, k8s);
    const { upstreamRegistryUrl } = k8s;
    const answer = { ...identity, upstreamRegistryUrl };
    assert.deepEqual(await validate(aws), { ...answer, isValid: true });
    upstream.before = () => {
      throw failure('network');
    };
    const failing = { ...answer, isValid: false, failure: 'scripted network' };
    assert.deepEqual(await validate(aws), failing);
  });

  test('by reading its secret', async () => {
    await using aws = await openWithSecret();
    aws.api.secrets.set(arn, { kind: 'noValue', secret: arn });
    await made(aws, { ...k8s, credentialArn: arn });
    const { isValid, failure: why } = await validate(aws);
    assert.deepEqual([isValid, /has no value yet/.test(why)], [false, true]);
  });
});
