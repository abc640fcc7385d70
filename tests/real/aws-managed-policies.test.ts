// Users who hold nothing but one of AWS's ECR policies, attached with `aws iam`, pull and push with skopeo.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';
import type { AwsScene } from '../support/clients/aws.ts';
import { basicOf } from '../support/processes/breakwater.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { setScene } from '../support/processes/scene.ts';
import { findTool, runCommand } from '../support/tools/tools.ts';
import type { CommandResult } from '../support/tools/tools.ts';

type Copy = (credentials: string, ...between: readonly [string, string]) => Promise<CommandResult>;

/** `skopeo copy` from one place to another, both shown the same credentials. */
async function skopeoIn(t: TestContext, folder: string): Promise<Copy | undefined> {
  const skopeo = await findTool('skopeo');
  if ('missing' in skopeo) {
    t.skip(skopeo.missing);
    return undefined;
  }
  const env = { HOME: folder, REGISTRY_AUTH_FILE: join(folder, 'auth.json') };
  return (credentials, ...between) => {
    const [from, to] = between;
    const side = from.startsWith('docker:') ? 'src' : 'dest';
    const shown = [`--${side}-tls-verify=false`, `--${side}-creds`, credentials];
    return runCommand(skopeo.path, ['--insecure-policy', 'copy', ...shown, from, to], { env });
  };
}

/** A user with a key and one policy of AWS's; what it logs in with. */
async function userWith(s: AwsScene, name: string, policy: string): Promise<string> {
  await s.aws('iam', 'create-user', '--user-name', name);
  const arn = `arn:aws:iam::aws:policy/${policy}`;
  await s.aws('iam', 'attach-user-policy', '--user-name', name, '--policy-arn', arn);
  const { AccessKey } = await s.aws('iam', 'create-access-key', '--user-name', name);
  return `${AccessKey.AccessKeyId}:${AccessKey.SecretAccessKey}`;
}

test('ReadOnly pulls what is held, PullOnly imports too, neither pushes, and PowerUser does; what is detached ends with the next pull.', async (t) => {
  const upstream = await setScene(t);
  if (upstream === undefined) return;
  const s = await setAwsScene(t, {
    rules: [{ prefix: 'k8s', upstream: upstream.front.url }],
    anonymousPull: false,
    anonymousImport: false,
  });
  if (s === undefined) return;
  const folder = await makeRunFolder('managed');
  t.after(() => removeRunFolder(folder));
  const copy = await skopeoIn(t, folder);
  if (copy === undefined) return;
  const here = (name: string): string => `docker://${s.breakwater.host}/${name}`;
  const image = `dir:${join(folder, 'image')}`;
  const basic = (await basicOf(s.breakwater)).slice('Basic '.length);
  const administrator = Buffer.from(basic, 'base64').toString('utf8');
  const held = here('k8s/library/busybox:single');
  const taken = await copy(administrator, held, image);
  assert.equal(taken.code, 0, taken.stderr);
  for (const name of ['k8s/pause', 'team/app'])
    await s.aws('ecr', 'create-repository', '--repository-name', name);
  let count = 0;
  const pulls = async (user: string, name: string): Promise<boolean> =>
    (await copy(user, name, `dir:${join(folder, `pulled-${(count += 1)}`)}`)).code === 0;
  const pushes = async (user: string): Promise<boolean> =>
    (await copy(user, image, here('team/app:1'))).code === 0;
  const may = async (user: string) => ({
    pulls: await pulls(user, held),
    imports: await pulls(user, here('k8s/pause:3.9')),
    pushes: await pushes(user),
  });

  const reader = await userWith(s, 'reader', 'AmazonEC2ContainerRegistryReadOnly');
  assert.deepEqual(await may(reader), { pulls: true, imports: false, pushes: false });
  const node = await userWith(s, 'node', 'AmazonEKSWorkerNodePolicy');
  assert.deepEqual(await may(node), { pulls: false, imports: false, pushes: false });
  const puller = await userWith(s, 'puller', 'AmazonEC2ContainerRegistryPullOnly');
  assert.deepEqual(await may(puller), { pulls: true, imports: true, pushes: false });
  const pusher = await userWith(s, 'pusher', 'AmazonEC2ContainerRegistryPowerUser');
  assert.equal(await pushes(pusher), true);

  const detached = ['--user-name', 'reader', '--policy-arn'];
  const arn = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';
  const listed = await s.aws('iam', 'list-attached-user-policies', '--user-name', 'reader');
  assert.deepEqual(listed.AttachedPolicies, [
    { PolicyName: 'AmazonEC2ContainerRegistryReadOnly', PolicyArn: arn },
  ]);
  await s.aws('iam', 'detach-user-policy', ...detached, arn);
  assert.equal(await pulls(reader, held), false);
});
