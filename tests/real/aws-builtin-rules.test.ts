// Rules made with `aws` under the very names of the built-in ones. The built-in rules are on, so nothing may leave the machine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';
import { ask, askManifest, fullAccept, pullImage } from '../support/clients/pull.ts';
import { basicOf } from '../support/processes/breakwater.ts';
import { commandLine } from '../support/processes/command-line.ts';
import { enterSandbox, ownSettings, prepareSandbox } from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';

const skip = enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
}
const prefixes = ['docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io'];

interface ListedRule {
  readonly prefix: string;
  readonly origin: string;
  readonly shadowedBy: string | null;
}

test(
  'W4.1: Rules made under docker.io, ghcr.io, quay.io and registry.k8s.io lead there by path and as a mirror, before the built-in ones, which come back with their deletion.',
  { skip },
  async (t) => {
    const upstream = await setScene(t);
    if (upstream === undefined) return;
    const { front } = upstream;
    const s = await setAwsScene(t, { defaultRules: true, apiUpstreams: 'any' });
    if (s === undefined) return;
    const { url } = s.breakwater;
    const cli = commandLine(s.breakwater);
    const listed = async (): Promise<readonly string[]> => {
      const { items } = await cli.json<{ readonly items: readonly ListedRule[] }>('rules', 'ls');
      return items
        .filter(({ prefix }) => prefixes.includes(prefix))
        .map(({ prefix, origin, shadowedBy }) => `${prefix} ${origin} ${shadowedBy ?? 'in force'}`)
        .toSorted();
    };
    const builtin = prefixes.map((prefix) => `${prefix} builtin in force`);
    assert.deepEqual(await listed(), builtin);
    for (const prefix of prefixes) {
      const rule = { ecrRepositoryPrefix: prefix, upstreamRegistryUrl: front.url };
      await s.aws(
        'ecr',
        'create-pull-through-cache-rule',
        '--cli-input-json',
        JSON.stringify(rule),
      );
    }
    assert.deepEqual(
      await listed(),
      prefixes.flatMap((prefix) => [`${prefix} api in force`, `${prefix} builtin api`]),
    );
    const { digest } = upstream.image('single');
    for (const prefix of prefixes) {
      front.clear();
      const pulled = await pullImage(url, `${prefix}/library/busybox`, 'single');
      assert.equal(pulled.digest, digest);
      assert.ok(front.count() > 0, `${prefix} was pulled past what the user made`);
      const mirrored = await ask(`${url}/v2/library/busybox/manifests/single?ns=${prefix}`, {
        headers: { accept: fullAccept },
      });
      assert.deepEqual([mirrored.status, mirrored.digest], [200, digest], prefix);
    }
    for (const prefix of prefixes)
      await s.aws('ecr', 'delete-pull-through-cache-rule', '--ecr-repository-prefix', prefix);
    assert.deepEqual(await listed(), builtin);
    front.clear();
    const headers = { authorization: await basicOf(s.breakwater) };
    const after = await askManifest(url, 'quay.io/library/busybox', 'single', { headers });
    assert.notEqual(after.status, 200);
    assert.equal(front.count(), 0);
  },
);
