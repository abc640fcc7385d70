// The validators of k8s generate on a real API server: what they refuse, what they warn of, and what they let be.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { AllowedSources } from '../../src/kubernetes/policies/validating-policy.ts';
import { validatingPolicy } from '../../src/kubernetes/policies/validating-policy.ts';
import type { KubeApiServer } from '../support/processes/kube-api-server.ts';
import { kubeApiServerMissing, startKubeApiServer } from '../support/processes/kube-api-server.ts';
import { staticFlags } from '../support/processes/static-policies.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { until } from '../support/rigs/until.ts';
import { findTools, runCommand } from '../support/tools/tools.ts';

const skip = (await kubeApiServerMissing()) ?? false;
const registryHost = 'registry.example.com';
const only: AllowedSources = { kind: 'only', host: registryHost };
const not: AllowedSources = {
  kind: 'not',
  sources: [
    { host: 'k8s.gcr.io', path: '' },
    { host: 'docker.io', path: 'bitnami' },
    { host: 'docker.io', path: 'library/nginx' },
    { host: 'docker.io', path: 'redis' },
  ],
};
const policies = {
  only: { allowed: only, enforce: true },
  warned: { allowed: only, enforce: false },
  not: { allowed: not, enforce: true },
} as const;

function podOf(name: string, image: string, more: object = {}): object {
  const spec = { containers: [{ name: 'c', image }], ...more };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec };
}

suite('A ValidatingAdmissionPolicy on a real API server', { skip }, () => {
  let server: KubeApiServer;
  /** Why it is refused, or nothing. */
  const refusal = async (namespace: string, pod: object): Promise<string> => {
    try {
      await server.send('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
      return '';
    } catch (error) {
      return /denied request: ([^"]*)/.exec(String(error))?.[1] ?? String(error);
    }
  };
  before(async () => {
    server = await startKubeApiServer();
    for (const [name, { allowed, enforce }] of Object.entries(policies)) {
      await server.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      const pod = podOf('old', 'k8s.gcr.io/pause:3.9');
      await server.send('POST', `/api/v1/namespaces/${name}/pods`, pod);
      const scope = { include: [name], exclude: [], labels: {} };
      const objects = validatingPolicy({ allowed, enforce, scope, isStatic: false });
      await server.apply(...objects.map((object) => renamed(object, name)));
    }
    for (const name of ['only', 'not'])
      await until(
        async () => (await refusal(name, podOf('x', 'k8s.gcr.io/a'))) !== '',
        `the policy of ${name} is in force`,
        30_000,
      );
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  const fromOurs = 'images that are not from registry.example.com: ';
  const fromThere =
    'images from k8s.gcr.io, docker.io/bitnami, docker.io/library/nginx, docker.io/redis: ';
  const rows: readonly (readonly [namespace: string, image: string, refused: string])[] = [
    ['only', `${registryHost}/docker.io/library/nginx:1`, ''],
    ['only', 'Registry.Example.com:443/a', ''],
    ['only', 'nginx', `${fromOurs}nginx`],
    ['only', `${registryHost}:5000/a`, `${fromOurs}${registryHost}:5000/a`],
    ['only', `${registryHost}.evil/a`, `${fromOurs}${registryHost}.evil/a`],
    ['only', registryHost, `${fromOurs}${registryHost}`],
    ['not', 'nginx', `${fromThere}docker.io/library/nginx`],
    ['not', 'index.docker.io/nginx:1', `${fromThere}docker.io/library/nginx:1`],
    ['not', 'nginx/nginx-ingress', ''],
    ['not', 'bitnami/redis:7', `${fromThere}docker.io/bitnami/redis:7`],
    ['not', 'bitnamilegacy/redis:7', ''],
    ['not', 'redis:7', `${fromThere}docker.io/library/redis:7`],
    ['not', 'redis/redis-stack', `${fromThere}docker.io/redis/redis-stack`],
    ['not', 'quay.io/redis', ''],
    ['not', 'quay.io/bitnami/redis', ''],
    ['not', 'K8S.gcr.io:443/pause', `${fromThere}k8s.gcr.io/pause`],
    ['not', 'registry.k8s.io/pause', ''],
    ['not', 'k8s.gcr.io.evil/pause', ''],
    ['warned', 'nginx', ''],
  ];
  for (const [namespace, image, refused] of rows)
    test(`${namespace}: ${image} is ${refused === '' ? 'let in' : 'refused'}.`, async () => {
      assert.equal(await refusal(namespace, podOf('x', image)), refused);
    });

  test('Init containers and volumes of images count; what has no image does not.', async () => {
    const good = `${registryHost}/a`;
    const volumes = [{ name: 'd', emptyDir: {} }];
    assert.equal(await refusal('only', podOf('x', good, { volumes })), '');
    const initContainers = [{ name: 'i', image: 'a' }];
    const model = { name: 'm', image: { reference: 'b' } };
    const bad = podOf('x', good, { initContainers, volumes: [...volumes, model] });
    assert.equal(await refusal('only', bad), `${fromOurs}a, b`);
  });

  test('A warning is shown to who makes the pod.', async () => {
    const tools = await findTools('kubectl');
    assert.ok(!('missing' in tools));
    const args = [
      '--kubeconfig',
      server.kubeconfig,
      '-n',
      'warned',
      'apply',
      '--dry-run=server',
      '-f',
      '-',
    ];
    const { code, stderr } = await runCommand(tools.paths.kubectl, args, {
      input: JSON.stringify(podOf('x', 'nginx')),
    });
    assert.equal(code, 0);
    assert.match(stderr, /^Warning: .*images that are not from registry\.example\.com: nginx/m);
  });

  test('What runs already may be labelled, and its image may not become another one that is refused.', async () => {
    await server.kubectl(['-n', 'only', 'label', 'pod', 'old', 'a=b']);
    const set = (image: string): Promise<string> =>
      server.kubectl(['-n', 'only', 'set', 'image', 'pod/old', `c=${image}`]);
    await assert.rejects(set('nginx'), /images that are not from registry\.example\.com: nginx/);
    await set(`${registryHost}/a`);
  });

  test('A pod of 100 containers with the longest names gets a debug container.', async () => {
    const long = `${registryHost}/${'organisation-of-30-characters/'.repeat(6)}n:${'v'.repeat(128)}@sha512:${'a'.repeat(128)}`;
    const many = (prefix: string): object[] =>
      Array.from({ length: 50 }, (_, index) => ({ name: `${prefix}${index}`, image: long }));
    const spec = { containers: many('c'), initContainers: many('i') };
    await server.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'big', namespace: 'only' },
      spec,
    });
    const debug = ['-n', 'only', 'debug', 'big', '--attach=false', '-c', 'd', '--image=x.corp/a'];
    await assert.rejects(
      server.kubectl([...debug, '--', 'sh']),
      /images that are not from registry\.example\.com: x\.corp\/a/,
    );
  });

  test('Debug containers are looked at as they are added.', async () => {
    const debug = (name: string, image: string): Promise<string> =>
      server.kubectl([
        '-n',
        'only',
        'debug',
        'old',
        '--attach=false',
        '-c',
        name,
        `--image=${image}`,
        '--',
        'sh',
      ]);
    await assert.rejects(
      debug('d1', 'busybox'),
      /images that are not from registry\.example\.com: busybox/,
    );
    await debug('d2', `${registryHost}/busybox`);
  });
});

test('The same holds as a file in the API server’s own folder.', { skip }, async () => {
  const folder = await makeRunFolder('kube-static-validators');
  try {
    const scope = { include: [], exclude: ['kube-system'], labels: {} };
    const objects = validatingPolicy({ allowed: not, enforce: true, scope, isStatic: true });
    const flags = await staticFlags(folder, 'ValidatingAdmissionPolicy', objects);
    await using server = await startKubeApiServer(flags);
    const path = '/api/v1/namespaces/default/pods?dryRun=All';
    await assert.rejects(
      server.send('POST', path, podOf('x', 'k8s.gcr.io/a')),
      /images from k8s\.gcr\.io/,
    );
    await server.send('POST', path, podOf('x', 'registry.k8s.io/a'));
  } finally {
    await removeRunFolder(folder);
  }
});

/** Several policies beside each other. */
function renamed(object: object, name: string): object {
  const { metadata, spec } = object as {
    metadata: { name: string };
    spec: { policyName?: string };
  };
  const policyName =
    spec.policyName === undefined ? {} : { policyName: `${spec.policyName}-${name}` };
  return {
    ...object,
    metadata: { name: `${metadata.name}-${name}` },
    spec: { ...spec, ...policyName },
  };
}
