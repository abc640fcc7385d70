// A webhook that rewrites pods is replaced by a policy of the API server, by the webhook's own configuration.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, suite, test } from 'node:test';
import type { KubeApiServer } from '../support/processes/kube-api-server.ts';
import { kubeApiServerMissing, startKubeApiServer } from '../support/processes/kube-api-server.ts';
import { until } from '../support/rigs/until.ts';
import { runCommand } from '../support/tools/tools.ts';

const skip = (await kubeApiServerMissing()) ?? false;
const root = fileURLToPath(new URL('../..', import.meta.url));
const host = 'registry.example.com';
const former = '111122223333.dkr.ecr.eu-west-2.amazonaws.com';

async function breakwater(...words: readonly string[]): Promise<string> {
  const args = [`${root}bin/breakwater.mjs`, ...words];
  const options = {
    cwd: `${root}examples/cluster`,
    env: { NODE_TEST_CONTEXT: '' },
    timeoutMs: 60_000,
  };
  const { code, stdout, stderr } = await runCommand(process.execPath, args, options);
  assert.equal(code, 0, stderr);
  return stdout;
}

interface Made {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

suite('A webhook’s configuration, as a policy', { skip }, () => {
  let server: KubeApiServer;
  const imageIn = async (namespace: string, image: string): Promise<string | undefined> => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { generateName: 'p-' },
      spec: { containers: [{ name: 'c', image }] },
    };
    const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
    return ((await server.send('POST', path, pod)) as Made).spec.containers[0]?.image;
  };
  before(async () => {
    server = await startKubeApiServer();
    const labels = { 'pull-through-enabled': 'true' };
    for (const metadata of [{ name: 'labelled', labels }, { name: 'plain' }])
      await server.apply({ apiVersion: 'v1', kind: 'Namespace', metadata });
    const label = ['--namespace-label', 'pull-through-enabled=true'];
    const where = ['--mapping', 'ecr-pull-through.yaml', '--registry-host', host];
    const policy = await breakwater('k8s', 'generate', 'mutating-policy', ...where, ...label);
    await server.kubectl(['apply', '-f', '-'], policy);
    const isInForce = async (): Promise<boolean> =>
      (await imageIn('labelled', 'nginx')) !== 'nginx';
    await until(isInForce, 'the policy is in force', 30_000);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  for (const [image, is] of [
    ['ghcr.io/org/app:1', `${host}/ghcr.io/org/app:1`],
    ['quay.io/prometheus/busybox', `${host}/quay.io/prometheus/busybox`],
    ['registry.k8s.io/pause:3.10', `${host}/registry.k8s.io/pause:3.10`],
    ['nginx:1.27', `${host}/docker.io/library/nginx:1.27`],
    ['docker.io/nginx', `${host}/docker.io/library/nginx`],
    ['grafana/grafana', `${host}/docker.io/grafana/grafana`],
    ['docker.io/grafana/grafana', `${host}/docker.io/grafana/grafana`],
    ['ghcr.iox/org/app', 'ghcr.iox/org/app'],
    ['public.ecr.aws/a/b', 'public.ecr.aws/a/b'],
    [`${former}/docker.io/library/nginx:1`, `${host}/docker.io/library/nginx:1`],
  ] as const)
    test(`W4.5: a pod of ${image} has ${is}.`, async () => {
      assert.equal(await imageIn('labelled', image), is);
    });

  test('W4.4: pods of namespaces without the label stay as they are.', async () => {
    assert.equal(await imageIn('plain', 'nginx:1.27'), 'nginx:1.27');
  });

  test('W4.3: the webhook’s ConfigMap says registries and target; the target may be another registry.', async () => {
    const map = (...words: readonly string[]): Promise<string> =>
      breakwater('map', '--mapping', 'ecr-pull-through.yaml', ...words, '-o', 'name');
    assert.equal(await map('nginx'), `${former}/docker.io/library/nginx\n`);
    assert.equal(await map('--registry-host', host, 'nginx'), `${host}/docker.io/library/nginx\n`);
  });
});

test('The example of a mapping file is one.', async () => {
  const images = ['nginx', 'ghcr.io/a/b:1', 'quay.io/quay/busybox', `${former}/docker-hub/a/b`];
  assert.equal(
    await breakwater('map', '--mapping', 'mapping.yaml', ...images, '-o', 'name'),
    ['docker-hub/library/nginx', 'github/a/b:1', 'quay/quay/busybox', 'docker-hub/a/b']
      .map((name) => `${host}/${name}\n`)
      .join(''),
  );
});
