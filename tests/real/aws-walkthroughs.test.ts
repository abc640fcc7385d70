// The journeys of published guides that are typed with `aws`, as they are published; the scripts are those of examples/ecr.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setAwsScene } from '../support/clients/aws.ts';
import type { AwsScene } from '../support/clients/aws.ts';
import { askManifest, errorOf, pullImage } from '../support/clients/pull.ts';
import type { Answer } from '../support/clients/pull.ts';
import { basicOf, credentialsOf } from '../support/processes/breakwater.ts';
import { commandLine } from '../support/processes/command-line.ts';
import { runCommand } from '../support/processes/run-command.ts';
import type { CommandResult } from '../support/processes/run-command.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';
import { findTool } from '../support/tools/tools.ts';

const home = '000000000000';
const secondAccount = '111122223333';
const repository = 'k8s/library/busybox';
const regions = ['us-east-1', 'eu-west-1'] as const;
const examples = fileURLToPath(new URL('../../examples/', import.meta.url));

interface Walk extends AwsScene {
  readonly upstream: Scene;
  /** A line of a guide, or a script of examples/ecr, in a shell; its words are the shell's. */
  shell(line: string): Promise<CommandResult>;
}

async function setWalk(
  t: TestContext,
  config: Readonly<Record<string, unknown>> = {},
): Promise<Walk | undefined> {
  const upstream = await setScene(t);
  if (upstream === undefined) return undefined;
  const scene = await setAwsScene(t, { apiUpstreams: 'any', regions, ...config });
  if (scene === undefined) return undefined;
  const env = { ...scene.env, AWS_DEFAULT_OUTPUT: 'json' };
  return {
    ...scene,
    upstream,
    shell: (line) =>
      runCommand('bash', ['-c', line], { env, cwd: join(examples, 'ecr'), timeoutMs: 120_000 }),
  };
}

/** What a guide has typed; anything but exit code 0 throws with what was said. */
async function typed(walk: Walk, line: string): Promise<string> {
  const { code, stdout, stderr } = await walk.shell(line);
  assert.equal(code, 0, `${line}: ${stderr}`);
  return stdout.trim();
}

/** A rule `k8s` that leads to the registry on loopback: `aws` 1 fetches what an option's value names, where that is http. */
async function leadToUpstream(s: Walk): Promise<void> {
  const rule = { ecrRepositoryPrefix: 'k8s', upstreamRegistryUrl: s.upstream.front.url };
  await s.aws('ecr', 'create-pull-through-cache-rule', '--cli-input-json', JSON.stringify(rule));
}

test('W1.2: A rule for registry.k8s.io is made as guides type it, and is the one that is described.', async (t) => {
  const s = await setWalk(t, {
    defaultRules: false,
    rules: [{ prefix: 'registry.k8s.io', upstream: 'http://127.0.0.1:9' }],
  });
  if (s === undefined) return;
  const made = JSON.parse(
    await typed(
      s,
      'aws ecr create-pull-through-cache-rule --ecr-repository-prefix k8s --upstream-registry-url registry.k8s.io',
    ),
  ) as Readonly<Record<string, unknown>>;
  const { createdAt: _, ...rule } = made;
  assert.deepEqual(rule, {
    ecrRepositoryPrefix: 'k8s',
    upstreamRegistryUrl: 'registry.k8s.io',
    upstreamRegistry: 'k8s',
    registryId: home,
  });
  const listed = await typed(
    s,
    `aws ecr describe-pull-through-cache-rules --query 'pullThroughCacheRules[].[ecrRepositoryPrefix,upstreamRegistryUrl]' --output text`,
  );
  assert.ok(listed.split('\n').includes('k8s\tregistry.k8s.io'), listed);
});

test('W1.8: Replication of k8s to two regions is set and described; an image says that it is not carried out.', async (t) => {
  const s = await setWalk(t);
  if (s === undefined) return;
  const configuration = {
    rules: [
      {
        destinations: ['eu-west-1', 'ap-southeast-2'].map((region) => ({
          region,
          registryId: home,
        })),
        repositoryFilters: [{ filter: 'k8s', filterType: 'PREFIX_MATCH' }],
      },
    ],
  };
  await typed(
    s,
    `aws ecr put-replication-configuration --replication-configuration '${JSON.stringify(configuration)}'`,
  );
  const described = await typed(s, 'aws ecr describe-registry --query replicationConfiguration');
  assert.deepEqual(JSON.parse(described), configuration);
  await leadToUpstream(s);
  await pullImage(s.breakwater.url, repository, 'single');
  const status = await typed(
    s,
    `aws ecr describe-image-replication-status --repository-name ${repository} --image-id imageTag=single --query 'replicationStatuses[].[region,status]' --output text`,
  );
  assert.deepEqual(status.split('\n').toSorted(), ['ap-southeast-2\tFAILED', 'eu-west-1\tFAILED']);
});

test('W1.9: The loop over `grep k8s/` opens what is cached to a second account, whose user logs in by get-login-password.', async (t) => {
  const s = await setWalk(t, { anonymousPull: false, anonymousImport: false });
  if (s === undefined) return;
  await leadToUpstream(s);
  const headers = { authorization: await basicOf(s.breakwater) };
  await pullImage(s.breakwater.url, repository, 'single', { headers });
  const { key } = await commandLine(s.breakwater).json<{
    readonly key: { readonly accessKeyId: string; readonly secretAccessKey: string };
  }>('account', 'create', secondAccount, '--name', 'second');
  const password = (
    await typed(
      s,
      `AWS_ACCESS_KEY_ID=${key.accessKeyId} AWS_SECRET_ACCESS_KEY=${key.secretAccessKey} AWS_ENDPOINT_URL=${s.breakwater.url} aws ecr get-login-password`,
    )
  ).trim();
  const asAws = { authorization: `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}` };
  const before = await askManifest(s.breakwater.url, repository, 'single', { headers: asAws });
  assert.equal(before.status, 404);
  const policy = join(examples, 'policies', 'pull-access-second-account.json');
  await typed(s, `./second-account.sh k8s '${policy}' us-east-1`);
  const pulled = await pullImage(s.breakwater.url, repository, 'single', { headers: asAws });
  assert.equal(pulled.digest, s.upstream.image('single').digest);
  s.upstream.front.clear();
  const unseen = await askManifest(s.breakwater.url, repository, '1.36', { headers: asAws });
  assert.deepEqual([unseen.status, errorOf(unseen).code], [404, 'MANIFEST_UNKNOWN']);
  assert.equal(s.upstream.front.count(), 0);
});

test('W1.13: The rule goes first; the loop without --force leaves what has images and says what would, with it nothing is left.', async (t) => {
  const s = await setWalk(t);
  if (s === undefined) return;
  await leadToUpstream(s);
  await pullImage(s.breakwater.url, repository, 'single');
  await typed(s, 'aws ecr create-repository --repository-name k8s-tools/kubectl');
  const kept = await s.shell('./clean-up.sh k8s');
  assert.equal(kept.code, 1);
  assert.match(kept.stderr, /\(RepositoryNotEmptyException\)/);
  assert.match(kept.stderr, /--force/);
  assert.match(kept.stderr, /breakwater repos rm --prefix/);
  const forced = await s.shell('./clean-up.sh k8s --force');
  assert.match(forced.stderr, /\(PullThroughCacheRuleNotFoundException\)/);
  const left = await typed(
    s,
    `aws ecr describe-repositories --query 'repositories[].repositoryName' --output text`,
  );
  assert.equal(left, 'k8s-tools/kubectl');
  const headers = { authorization: await basicOf(s.breakwater) };
  const again = await askManifest(s.breakwater.url, repository, 'single', { headers });
  assert.equal(again.status, 404);
});

/** What the operator types for one of a webhook's registries: a rule under the registry's own name. */
async function leadPrefix(s: Walk, prefix: string): Promise<void> {
  const rule = { ecrRepositoryPrefix: prefix, upstreamRegistryUrl: s.upstream.front.url };
  await s.aws('ecr', 'create-pull-through-cache-rule', '--cli-input-json', JSON.stringify(rule));
}

const lifecycle = (days: number): string =>
  JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        description: `untagged for ${days} days`,
        selection: {
          tagStatus: 'untagged',
          countType: 'sinceImagePushed',
          countUnit: 'days',
          countNumber: days,
        },
        action: { type: 'expire' },
      },
    ],
  });

async function lifecycleOf(s: Walk, name: string): Promise<string> {
  return await typed(
    s,
    `aws ecr get-lifecycle-policy --repository-name ${name} --query lifecyclePolicyText --output text`,
  );
}

/** A node of a cluster: a user with AWS's policy for nodes, which imports nothing, logged in by get-login-password. */
async function nodeHeaders(s: Walk): Promise<Readonly<Record<string, string>>> {
  await typed(s, 'aws iam create-user --user-name node');
  await typed(
    s,
    'aws iam attach-user-policy --user-name node --policy-arn arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly',
  );
  const { AccessKey: key } = JSON.parse(
    await typed(s, 'aws iam create-access-key --user-name node'),
  ) as { readonly AccessKey: { readonly AccessKeyId: string; readonly SecretAccessKey: string } };
  const password = await typed(
    s,
    `AWS_ACCESS_KEY_ID=${key.AccessKeyId} AWS_SECRET_ACCESS_KEY=${key.SecretAccessKey} AWS_ENDPOINT_URL=${s.breakwater.url} aws ecr get-login-password`,
  );
  return { authorization: `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}` };
}

test('W4.2: A registry policy lets a node make what it pulls, and the template gives that its lifecycle policy; without it the node gets what is here alone.', async (t) => {
  const s = await setWalk(t, { anonymousPull: false, anonymousImport: false });
  if (s === undefined) return;
  await leadPrefix(s, 'docker.io');
  const node = await nodeHeaders(s);
  const pulled = (name: string): Promise<Answer> =>
    askManifest(s.breakwater.url, name, 'single', { headers: node });
  assert.equal((await pulled('docker.io/library/busybox')).status, 404);
  const policy = {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'nodes pull through',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${home}:user/node` },
        Action: ['ecr:CreateRepository', 'ecr:BatchImportUpstreamImage'],
        Resource: `arn:aws:ecr:us-east-1:${home}:repository/docker.io/*`,
      },
    ],
  };
  await typed(s, `aws ecr put-registry-policy --policy-text '${JSON.stringify(policy)}'`);
  await typed(
    s,
    `aws ecr create-repository-creation-template --prefix docker.io --applied-for PULL_THROUGH_CACHE --lifecycle-policy '${lifecycle(30)}'`,
  );
  assert.equal((await pulled('docker.io/library/busybox')).status, 200);
  assert.equal(await lifecycleOf(s, 'docker.io/library/busybox'), lifecycle(30));
  await leadPrefix(s, 'quay.io');
  assert.equal((await pulled('quay.io/library/busybox')).status, 404);
  const made = `aws ecr describe-repositories --query 'repositories[].repositoryName' --output text`;
  assert.equal(await typed(s, made), 'docker.io/library/busybox');
});

test('W4.7: After a template was mended, what pulls made below its prefix goes and comes again as the template says; what was pushed or made by hand stays.', async (t) => {
  const skopeo = await findTool('skopeo');
  if ('missing' in skopeo) return t.skip(skopeo.missing);
  const s = await setWalk(t);
  if (s === undefined) return;
  const cli = commandLine(s.breakwater);
  await leadPrefix(s, 'docker.io');
  await cli.print('rules', 'set', 'docker.io', '--push');
  const template = (verb: string, days: number): string =>
    `aws ecr ${verb}-repository-creation-template --prefix docker.io --applied-for PULL_THROUGH_CACHE --lifecycle-policy '${lifecycle(days)}'`;
  await typed(s, template('create', 1));
  const cached = ['docker.io/library/busybox', 'docker.io/library/hello'];
  const headers = { authorization: await basicOf(s.breakwater) };
  const pull = async (): Promise<void> => {
    await pullImage(s.breakwater.url, 'docker.io/library/busybox', 'single', { headers });
    await pullImage(s.breakwater.url, 'docker.io/library/hello', '1', { headers });
  };
  await pull();
  for (const name of cached) assert.equal(await lifecycleOf(s, name), lifecycle(1));
  const { key, secret } = await credentialsOf(s.breakwater);
  await typed(
    s,
    `${skopeo.path} copy -q --src-tls-verify=false --dest-tls-verify=false --dest-creds ${key}:${secret} docker://${s.upstream.registry.host}/library/busybox:single docker://${s.breakwater.host}/docker.io/team/tool:1`,
  );
  await typed(s, 'aws ecr create-repository --repository-name docker.io/team/empty');
  await typed(s, 'aws ecr create-repository --repository-name docker.io-tools/kubectl');
  await typed(s, template('update', 30));
  for (const name of cached) assert.equal(await lifecycleOf(s, name), lifecycle(1));
  await cli.print('repos', 'rm', '--prefix', 'docker.io', '--yes');
  const left = `aws ecr describe-repositories --query 'sort(repositories[].repositoryName)' --output text`;
  const kept = ['docker.io-tools/kubectl', 'docker.io/team/empty', 'docker.io/team/tool'];
  assert.deepEqual((await typed(s, left)).split('\t'), kept);
  const still = await askManifest(s.breakwater.url, 'docker.io/team/tool', '1', { headers });
  assert.equal(still.digest, s.upstream.image('single').digest);
  await pull();
  for (const name of cached) assert.equal(await lifecycleOf(s, name), lifecycle(30));
});
