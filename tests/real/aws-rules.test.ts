// The AWS command line and boto3 make rules that lead to a registry on loopback; images come through them, with and without a secret.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';
import type { AwsScene } from '../support/clients/aws.ts';
import { askManifest, errorOf, pullImage } from '../support/clients/pull.ts';
import { basicOf, rulesOnly } from '../support/processes/breakwater.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';
import { until } from '../support/rigs/until.ts';

const secretArn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub';

interface RulesScene extends AwsScene {
  readonly upstream: Scene;
  /** Writes `secretsFile`, which the server reads again by itself. */
  keep(accessToken: string): Promise<void>;
}

async function setRulesScene(t: TestContext): Promise<RulesScene | undefined> {
  const upstream = await setScene(t);
  if (upstream === undefined) return undefined;
  const folder = await makeRunFolder('secrets');
  t.after(() => removeRunFolder(folder));
  const secretsFile = join(folder, 'secrets.yaml');
  const keep: RulesScene['keep'] = (accessToken) =>
    writeFile(
      secretsFile,
      JSON.stringify({ 'ecr-pullthroughcache/hub': { username: 'ann', accessToken } }),
      { mode: 0o600 },
    );
  await keep('right');
  const regions = ['us-east-1', 'eu-west-1'];
  const scene = await setAwsScene(t, { apiUpstreams: 'any', secretsFile, regions });
  return scene && { ...scene, upstream, keep };
}

test('aws makes a rule, and what is below its prefix is pulled; deleted, it leaves what it brought.', async (t) => {
  const s = await setRulesScene(t);
  if (s === undefined) return;
  const { url } = s.breakwater;
  const { front } = s.upstream;
  const prefix = ['--ecr-repository-prefix', 'k8s'];
  // `aws` 1 fetches what an option's value names, where that is http.
  const leading = (upstreamRegistryUrl: string) => [
    'ecr',
    'create-pull-through-cache-rule',
    '--cli-input-json',
    JSON.stringify({ ecrRepositoryPrefix: 'k8s', upstreamRegistryUrl }),
  ];
  const made = await s.aws(...leading(front.url));
  const { createdAt: _, ...rule } = made;
  assert.deepEqual(rule, {
    ecrRepositoryPrefix: 'k8s',
    upstreamRegistryUrl: front.url,
    registryId: '000000000000',
  });
  const again = await s.attempt(...leading(front.url));
  assert.match(again.stderr, /\(PullThroughCacheRuleAlreadyExistsException\)/);
  const valid = ['ecr', 'validate-pull-through-cache-rule', ...prefix, '--query', 'isValid'];
  assert.equal(await s.aws(...valid, '--output', 'text'), 'True');
  // Whoever the first pull is of, the rule was in force before.
  await pullImage(url, 'k8s/library/busybox', 'single');
  assert.equal(
    await s.aws(
      'ecr',
      'describe-repositories',
      '--query',
      'repositories[].repositoryName',
      '--output',
      'text',
    ),
    'k8s/library/busybox',
  );
  await s.aws('ecr', 'delete-pull-through-cache-rule', ...prefix);
  front.clear();
  await pullImage(url, 'k8s/library/busybox', 'single');
  const unknown = await askManifest(url, 'k8s/library/busybox', '1.36');
  assert.deepEqual([unknown.status, front.requests.length], [404, 0]);
  const gone = await s.attempt(
    'ecr',
    'describe-pull-through-cache-rules',
    '--ecr-repository-prefixes',
    'k8s',
  );
  assert.match(gone.stderr, /\(PullThroughCacheRuleNotFoundException\)/);

  // Another rule of the prefix, leading elsewhere, begins with nothing.
  await s.aws(...leading('http://127.0.0.1:9'));
  const elsewhere = await askManifest(url, 'k8s/library/busybox', 'single');
  assert.notEqual(elsewhere.status, 200);
  assert.equal(await s.aws(...valid, '--output', 'text'), 'False');
});

test('a rule shows its secret, each value from when it holds; what is wrong with it is validated, and refused to whoever pulls.', async (t) => {
  const s = await setRulesScene(t);
  if (s === undefined) return;
  const { front } = s.upstream;
  front.behave({
    auth: {
      kind: 'bearer',
      service: 'hub',
      anonymous: false,
      credential: { username: 'ann', password: 'right' },
    },
  });
  const told = await s.boto3(`
ecr = client('ecr')
rule = dict(ecrRepositoryPrefix='hub', upstreamRegistryUrl='${front.url}')
answer({
    'missing': call(ecr, 'create_pull_through_cache_rule', **rule, credentialArn='${secretArn}-nope')['error'],
    'made': call(ecr, 'create_pull_through_cache_rule', **rule, credentialArn='${secretArn}'),
    'valid': call(ecr, 'validate_pull_through_cache_rule', ecrRepositoryPrefix='hub')['isValid'],
    'pages': [[each['ecrRepositoryPrefix'] for each in page['pullThroughCacheRules']] for page in ecr.get_paginator('describe_pull_through_cache_rules').paginate(PaginationConfig={'PageSize': 1})],
    'short': call(ecr, 'create_pull_through_cache_rule', ecrRepositoryPrefix='a', upstreamRegistryUrl='quay.io')['error'],
})
`);
  assert.deepEqual(
    [told.missing, told.made.credentialArn, told.valid, told.pages, told.short],
    ['SecretNotFoundException', secretArn, true, [['hub']], 'InvalidParameterException'],
  );
  const headers = { authorization: await basicOf(s.breakwater) };
  await pullImage(s.breakwater.url, 'hub/library/busybox', 'single', { headers });
  // What a credential fetched is for nobody without a policy.
  const anonymous = await askManifest(s.breakwater.url, 'hub/library/busybox', 'single');
  assert.equal(anonymous.status, 401);

  const validate = ['ecr', 'validate-pull-through-cache-rule', '--ecr-repository-prefix', 'hub'];
  await s.keep('wrong');
  await until(async () => (await s.aws(...validate)).isValid === false);
  const refused = await askManifest(s.breakwater.url, 'hub/library/busybox', '1.36', { headers });
  assert.deepEqual([refused.status, errorOf(refused).code], [403, 'DENIED']);
  // What is here is still served.
  await pullImage(s.breakwater.url, 'hub/library/busybox', 'single', { headers });
  await s.keep('right');
  await until(async () => (await s.aws(...validate)).isValid === true);
  const answer = await askManifest(s.breakwater.url, 'hub/library/busybox', '1.36', { headers });
  assert.equal(answer.status, 200);
});

test('a rule of the file shows the secret that the API has by its name, each value from when it holds; without one it says where it is named.', async (t) => {
  const upstream = await setScene(t);
  if (upstream === undefined) return;
  const { front } = upstream;
  const auth = { kind: 'basic', username: 'ann', password: 'right' } as const;
  front.behave({ auth });
  const name = 'ecr-pullthroughcache/hub';
  const rule = { prefix: 'hub', upstream: front.url, credential: name };
  const s = await setAwsScene(t, rulesOnly(rule));
  if (s === undefined) return;
  const headers = { authorization: await basicOf(s.breakwater) };
  const validate = ['ecr', 'validate-pull-through-cache-rule', '--ecr-repository-prefix', 'hub'];
  const pull = (tag: string) =>
    askManifest(s.breakwater.url, 'hub/library/busybox', tag, { headers });
  assert.match(
    (await s.aws(...validate)).failure,
    /^.*\.yaml:\d+:\d+: rules\[0\]\.credential: ecr-pullthroughcache\/hub: no such secret: .*create-secret/,
  );
  const refused = await pull('single');
  assert.deepEqual([refused.status, errorOf(refused).code], [403, 'DENIED']);
  const value = (accessToken: string): readonly string[] => [
    '--secret-string',
    JSON.stringify({ username: 'ann', accessToken }),
  ];
  await s.aws('secretsmanager', 'create-secret', '--name', name, ...value('right'));
  assert.equal((await s.aws(...validate)).isValid, true);
  await pullImage(s.breakwater.url, 'hub/library/busybox', 'single', { headers });
  const put = ['secretsmanager', 'put-secret-value', '--secret-id', name];
  await s.aws(...put, ...value('wrong'));
  assert.equal((await s.aws(...validate)).isValid, false);
  assert.equal((await pull('1.36')).status, 403);
  await s.aws(...put, ...value('right'));
  assert.equal((await pull('1.36')).status, 200);
  await s.aws('secretsmanager', 'delete-secret', '--secret-id', name);
  assert.match((await s.aws(...validate)).failure, /scheduled for deletion/);
  await pullImage(s.breakwater.url, 'hub/library/busybox', 'single', { headers });
});

test('a rule leads in the registry that it was made in, and nowhere else.', async (t) => {
  const s = await setRulesScene(t);
  if (s === undefined) return;
  const input = { ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: s.upstream.front.url };
  const region = ['--region', 'eu-west-1'];
  const create = ['ecr', 'create-pull-through-cache-rule', '--cli-input-json'];
  await s.aws(...create, JSON.stringify(input), ...region);
  const authorization = await basicOf(s.breakwater);
  const at = (named: string) => ({
    headers: { authorization, host: `000000000000.dkr.ecr.${named}.registry.test` },
  });
  const ask = async (named: string): Promise<number> =>
    (await askManifest(s.breakwater.url, 'hub/library/busybox', 'single', at(named))).status;
  assert.deepEqual([await ask('us-east-1'), await ask('eu-west-1')], [404, 200]);
  await pullImage(s.breakwater.url, 'hub/library/busybox', 'single', at('eu-west-1'));
  await s.aws('ecr', 'delete-pull-through-cache-rule', '--ecr-repository-prefix', 'hub', ...region);
  await s.aws(...create, JSON.stringify(input));
  const other = askManifest(s.breakwater.url, 'hub/library/busybox', '1.36', at('eu-west-1'));
  assert.deepEqual([await ask('us-east-1'), (await other).status], [200, 404]);
});
