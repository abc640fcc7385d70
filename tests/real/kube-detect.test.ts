// What `detect` finds in a real API server: every kind, and what its user may not see.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  clientPairOf,
  kubeApiServerMissing,
  startKubeApiServer,
} from '../support/processes/kube-api-server.ts';
import type { KubeApiServer } from '../support/processes/kube-api-server.ts';
import { startConnectProxy } from '../support/rigs/connect-proxy.ts';
import { runCommand } from '../support/processes/run-command.ts';
import type { CommandResult } from '../support/processes/run-command.ts';
import { clusterObjects, customKinds } from '../support/samples/cluster-objects.ts';
import { findTools } from '../support/tools/tools.ts';

const program = fileURLToPath(new URL('../../bin/breakwater.mjs', import.meta.url));
const skip = await kubeApiServerMissing();

interface Found {
  readonly from: string;
  readonly items: readonly {
    readonly image: string;
    readonly count: number;
    readonly certainty: string;
    readonly becomes: string | null;
    readonly flags: readonly { readonly flag: string; readonly now?: string }[];
    readonly places: readonly {
      readonly kind: string;
      readonly namespace?: string;
      readonly name: string;
      readonly field: string;
      readonly note?: string;
    }[];
  }[];
  readonly policies: readonly {
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly finding: string;
  }[];
  readonly hosts: readonly { readonly host: string; readonly egress: readonly string[] }[];
  readonly dockerHub: { readonly busiestSixHours: number } | null;
  readonly notRead: readonly { readonly what: string; readonly why: string }[];
}

suite('detect over a cluster', { skip }, () => {
  let cluster: KubeApiServer;

  before(async () => {
    cluster = await startKubeApiServer();
    await cluster.apply(...customKinds);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    await cluster.apply(...clusterObjects);
    await cluster.kubectl([
      'patch',
      'pod/debugged',
      '--namespace=shop',
      '--subresource=ephemeralcontainers',
      '--patch={"spec":{"ephemeralContainers":[{"name":"d","image":"docker.io/busybox:1.36"}]}}',
    ]);
    const images = [
      { names: ['registry.k8s.io/pause@sha256:00', 'registry.k8s.io/pause:3.10'], sizeBytes: 1 },
      { names: ['docker.io/library/nginx:1.27'], sizeBytes: 2 },
    ];
    for (const node of ['n1', 'n2'])
      await cluster.kubectl([
        'patch',
        `node/${node}`,
        '--subresource=status',
        '--type=merge',
        `--patch=${JSON.stringify({ status: { images } })}`,
      ]);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const run = (
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> =>
    runCommand(process.execPath, [program, 'detect', ...args], {
      cwd: cluster.folder,
      env: { NODE_TEST_CONTEXT: '', ...env },
    });
  const detect = async (...args: readonly string[]): Promise<Found> => {
    const { code, stdout, stderr } = await run(['-o', 'json', ...args]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Found;
  };

  test('Each image of every kind is found where it is written, and counted where it runs.', async () => {
    const { items, notRead } = await detect('--kubeconfig', cluster.kubeconfig);
    assert.deepEqual(notRead, []);
    const lines = items.flatMap(({ image, count, certainty, flags, places }) =>
      places.map(({ kind, namespace = '-', name, field }) =>
        [count, image, certainty, flags.map(({ flag }) => flag).join('+') || '-']
          .concat(`${kind} ${namespace}/${name}`, field)
          .join(' | '),
      ),
    );
    assert.deepEqual(lines.toSorted(), expected.toSorted());
  });

  test('A pod whose owner does not name an image says who made it; a static pod says where its file is.', async () => {
    const { items } = await detect('--kubeconfig', cluster.kubeconfig);
    const noteOf = (image: string): string | undefined =>
      items.find((item) => item.image === image)?.places[0]?.note;
    assert.match(
      noteOf('docker.io/istio/proxyv2:1.25.0') ?? '',
      /^made by Deployment shop\/web, whose own text does not name it/,
    );
    assert.match(
      noteOf('registry.k8s.io/etcd:3.6.4-0') ?? '',
      /^a static pod: its file is on node n1/,
    );
    assert.equal(noteOf('registry.k8s.io/pause:3.10'), 'on 2 nodes');
  });

  test('W3.4: policies that name only an old host are named, and those that only have addresses; what egress has to allow is listed.', async () => {
    const { policies, hosts, dockerHub } = await detect('--kubeconfig', cluster.kubeconfig);
    assert.deepEqual(
      policies.map(({ kind, name, finding }) => `${kind} ${name} ${finding}`).toSorted(),
      ['CiliumNetworkPolicy builders old-host', 'NetworkPolicy ranges addresses'],
    );
    assert.deepEqual(hosts.find(({ host }) => host === 'k8s.gcr.io')?.egress, [
      'k8s.gcr.io',
      'registry.k8s.io',
    ]);
    // nginx and the proxy in two pods, redis and busybox in one; ephemeral containers are pulled by hand.
    assert.equal(dockerHub?.busiestSixHours, 5);
  });

  test('A namespace alone is read, without what belongs to none.', async () => {
    const { items } = await detect('--kubeconfig', cluster.kubeconfig, '-n', 'tools');
    assert.deepEqual(
      items.map(({ image }) => image),
      ['registry.k8s.io/kubectl:v1.36.0'],
    );
  });

  test('A kind that may not be listed is named, and the others are read.', async () => {
    const kubeconfig = await cluster.kubeconfigOf('reader');
    const reads = ['pods', 'deployments.apps', 'rollouts.argoproj.io'];
    await cluster.kubectl([
      'create',
      'clusterrole',
      'some',
      '--verb=list',
      `--resource=${reads.join(',')}`,
    ]);
    await cluster.kubectl([
      'create',
      'clusterrolebinding',
      'some',
      '--clusterrole=some',
      '--user=reader',
    ]);
    const { items, notRead } = await detect('--kubeconfig', kubeconfig);
    assert.ok(items.some(({ image }) => image === 'quay.io/argoproj/rollouts-demo:blue'));
    const named = notRead.map(({ what, why }) => `${what}: ${why}`);
    assert.ok(named.includes('cronjobs.batch: this user may not list it'));
    assert.ok(!named.some((line) => line.startsWith('pods:')));
  });

  test('Who may list nothing is told so, by the context, with 4.', async () => {
    const { code, stderr } = await run(['--kubeconfig', await cluster.kubeconfigOf('nobody')]);
    assert.equal(code, 4);
    assert.match(stderr, /error: this user may list nothing in the cluster of context nobody/);
  });

  test('An API server with another certificate is refused, and the fix is named.', async () => {
    const path = join(cluster.folder, 'untrusting');
    writeFileSync(path, kubeconfigText(cluster.url, ''));
    const { code, stderr } = await run(['--kubeconfig', path]);
    assert.equal(code, 5);
    assert.match(
      stderr,
      /the API server https:\/\/127\.0\.0\.1:\d+ \(context x\) can’t be reached/,
    );
    assert.match(
      stderr,
      /hint: the kubeconfig’s certificate-authority has to be that of this server/,
    );
  });

  test('insecure-skip-tls-verify of the kubeconfig is followed, and said.', async () => {
    const path = join(cluster.folder, 'insecure');
    writeFileSync(path, kubeconfigText(cluster.url, ', insecure-skip-tls-verify: true'));
    const { code, stderr } = await run(['-o', 'name', '--kubeconfig', path]);
    assert.equal(code, 0);
    assert.match(stderr, /its certificate was not checked: insecure-skip-tls-verify/);
  });

  test('A client certificate proves who asks, in files and in the kubeconfig itself.', async () => {
    const pair = clientPairOf(cluster.folder);
    const path = join(cluster.folder, 'by-certificate');
    const ca = ', certificate-authority: pki/apiserver.crt';
    const inside = (file: string): string => readFileSync(file).toString('base64');
    for (const user of [
      `client-certificate: ${pair.cert}, client-key: ${pair.key}`,
      `client-certificate-data: ${inside(pair.cert)}, client-key-data: ${inside(pair.key)}`,
    ]) {
      writeFileSync(path, kubeconfigText(cluster.url, ca, user));
      assert.ok((await detect('--kubeconfig', path)).items.length > 0);
    }
    writeFileSync(path, kubeconfigText(cluster.url, ca, ''));
    const { code, stderr } = await run(['--kubeconfig', path]);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /context x does not say which kinds it has\ncause: .*system:anonymous/);
  });

  test('A proxy of the kubeconfig is used, and the server is checked behind it all the same.', async (t) => {
    const proxy = await startConnectProxy();
    t.after(() => proxy.close());
    const through = `, proxy-url: "${proxy.url}"`;
    const path = join(cluster.folder, 'proxied');
    writeFileSync(
      path,
      kubeconfigText(cluster.url, `${through}, certificate-authority: pki/apiserver.crt`),
    );
    assert.ok((await detect('--kubeconfig', path)).items.length > 0);
    assert.ok(proxy.tunnels() > 0);
    writeFileSync(path, kubeconfigText(cluster.url, through));
    const { code, stderr } = await run(['--kubeconfig', path]);
    assert.equal(code, 5);
    assert.match(stderr, /hint: the kubeconfig’s certificate-authority has to be/);
  });

  test('A credential plugin gives the token, and one that fails is named.', async () => {
    const plugin = join(cluster.folder, 'plugin');
    const printed =
      '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"of-the-admin"}}';
    writeFileSync(
      plugin,
      `#!/bin/sh\n[ "$1" = good ] || { echo "log in first" >&2; exit 1; }\necho '${printed}'\n`,
    );
    chmodSync(plugin, 0o755);
    const path = join(cluster.folder, 'by-plugin');
    const userOf = (word: string): string =>
      `exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [${word}], interactiveMode: Never}`;
    const ca = ', certificate-authority: pki/apiserver.crt';
    writeFileSync(path, kubeconfigText(cluster.url, ca, userOf('good')));
    assert.ok((await detect('--kubeconfig', path)).items.length > 0);
    writeFileSync(path, kubeconfigText(cluster.url, ca, userOf('bad')));
    const { code, stderr } = await run(['--kubeconfig', path]);
    assert.equal(code, 4);
    assert.match(
      stderr,
      /the credential plugin \.\/plugin of context x ended with 1\ncause: log in first/,
    );
  });

  test('With --helm-secrets an image of a release is named by the value of its chart; without it no Secret is read.', async () => {
    const tools = await findTools('helm');
    if ('missing' in tools) throw new Error(tools.missing);
    const chart = join(cluster.folder, 'chart');
    mkdirSync(join(chart, 'templates'), { recursive: true });
    writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: shopfront\nversion: 1.2.3\n');
    writeFileSync(
      join(chart, 'values.yaml'),
      'image: {registry: docker.io, repository: shop/front, tag: "1"}\n',
    );
    writeFileSync(join(chart, 'templates', 'job.yaml'), chartTemplate);
    const install = ['install', 'front', chart, '-n', 'tools', '--set', 'image.tag=2'];
    const { code, stderr } = await runCommand(tools.paths.helm, install, {
      env: { KUBECONFIG: cluster.kubeconfig, HELM_CACHE_HOME: cluster.folder },
    });
    assert.equal(code, 0, stderr);
    const placesOf = async (...words: readonly string[]): Promise<readonly string[]> => {
      const { items } = await detect('--kubeconfig', cluster.kubeconfig, '-n', 'tools', ...words);
      const found = items.find(({ image }) => image === 'docker.io/shop/front:2');
      return (found?.places ?? [])
        .map(({ kind, name, field }) => `${kind} ${name} ${field}`)
        .toSorted();
    };
    const written = 'Job front spec.template.spec.containers[0].image';
    assert.deepEqual(await placesOf(), [written]);
    assert.deepEqual(await placesOf('--helm-secrets'), [
      'Helm release front values image',
      written,
    ]);
  });

  test('W1.5: what the cluster runs from registry.k8s.io and k8s.gcr.io, with the name of today and the name behind the cache.', async () => {
    const found = await detect(
      '--kubeconfig',
      cluster.kubeconfig,
      '--registry-host',
      'r.example.com',
    );
    const rows = found.items
      .filter(({ image }) => /^(registry\.k8s\.io|k8s\.gcr\.io)\//.test(image))
      .map(({ image, becomes, flags }) => [image, flags.find(({ now }) => now)?.now, becomes]);
    assert.deepEqual(
      rows.find(([image]) => image === 'k8s.gcr.io/pause:3.5'),
      [
        'k8s.gcr.io/pause:3.5',
        'registry.k8s.io/pause:3.5',
        'r.example.com/registry.k8s.io/pause:3.5',
      ],
    );
    assert.ok(rows.length >= 4);
  });

  test('W3.2: what the announcement’s own line prints is read as it is.', async () => {
    const tools = await findTools('kubectl');
    if ('missing' in tools) throw new Error(tools.missing);
    const folder = join(cluster.folder, 'bin');
    mkdirSync(folder, { recursive: true });
    symlinkSync(tools.paths.kubectl, join(folder, 'kubectl'));
    writeFileSync(
      join(folder, 'breakwater'),
      `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`,
    );
    chmodSync(join(folder, 'breakwater'), 0o755);
    const line = String.raw`kubectl get pods --all-namespaces -o jsonpath="{.items[*].spec.containers[*].image}" |\
tr -s '[[:space:]]' '\n' |\
sort |\
uniq -c |\
grep k8s.gcr.io | breakwater detect - --exit-code --no-headers`;
    const { code, stdout, stderr } = await runCommand('bash', ['-c', line], {
      cwd: cluster.folder,
      env: {
        PATH: `${folder}:${process.env['PATH'] ?? ''}`,
        KUBECONFIG: cluster.kubeconfig,
        NODE_TEST_CONTEXT: '',
      },
    });
    assert.equal(code, 10, stderr);
    assert.equal(
      stdout.replaceAll(/ +/g, ' '),
      'k8s.gcr.io/pause:3.5 2 frozen registry.k8s.io/pause:3.5\n',
    );
  });
});

function kubeconfigText(server: string, cluster: string, user = 'token: of-the-admin'): string {
  return `
clusters: [{name: c, cluster: {server: "${server}"${cluster}}}]
users: [{name: u, user: {${user}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`;
}

const chartTemplate = `
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: c
          image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"
`;

/** Count, image, certainty, flags, object, field. */
const expected: readonly string[] = [
  '0 | docker.io/istio/pilot:1.25.0 | review | review | ConfigMap shop/injector | data["values.yaml"]',
  '0 | docker.io/nats:2.11.0 | image | - | HelmRelease shop/nats | spec.values.container.image',
  '0 | gcr.io/kubebuilder/kube-rbac-proxy:v0.13.1 | image | moved | CronJob shop/nightly | spec.jobTemplate.spec.template.spec.containers[0].image',
  '0 | ghcr.io/jimmidyson/configmap-reload:v0.14.0 | review | review | Deployment shop/web | spec.template.spec.containers[0].env[0].value',
  '0 | oci://ghcr.io/stefanprodan/manifests/podinfo | artifact | - | OCIRepository shop/podinfo | spec.url',
  '0 | quay.io/argoproj/argocd:v3.1.0 | image | - | Application shop/app | spec.source.kustomize.images[0]',
  '0 | quay.io/argoproj/rollouts-demo:blue | image | unpinned | Rollout shop/canary | spec.template.spec.containers[0].image',
  '0 | quay.io/jetstack/cert-manager-acmesolver:v1.18.2 | review | review | Deployment shop/web | spec.template.spec.containers[0].args[0]',
  '0 | quay.io/prometheus/prometheus:v3.5.0 | image | - | Prometheus shop/k8s | spec.image',
  '0 | quay.io/sets/daemonset:1 | image | - | DaemonSet shop/set | spec.template.spec.containers[0].image',
  '0 | quay.io/sets/podtemplate:1 | image | - | PodTemplate shop/template | template.spec.containers[0].image',
  '0 | quay.io/sets/rc:1 | image | - | ReplicationController shop/rc | spec.template.spec.containers[0].image',
  '0 | quay.io/sets/replicaset:1 | image | - | ReplicaSet shop/lone | spec.template.spec.containers[0].image',
  '0 | quay.io/sets/statefulset:1 | image | - | StatefulSet shop/set | spec.template.spec.containers[0].image',
  '0 | registry.k8s.io/kubectl:v1.36.0 | image | - | Job tools/once | spec.template.spec.containers[0].image',
  '0 | registry.k8s.io/pause:3.10 | node | - | Node -/n1 | status.images',
  '1 | bitnami/redis:7.2.4 | image | gone | Pod shop/debugged | spec.containers[0].image',
  '1 | docker.io/busybox:1.36 | image | - | Pod shop/debugged | spec.ephemeralContainers[0].image',
  '1 | quay.io/models/llama:3 | image | - | Pod shop/debugged | spec.volumes[0].image.reference',
  '1 | registry.k8s.io/etcd:3.6.4-0 | image | - | Pod shop/etcd-n1 | spec.containers[0].image',
  '2 | docker.io/istio/proxyv2:1.25.0 | image | - | Pod shop/web-1-a | spec.containers[1].image',
  '2 | docker.io/library/nginx:1.27 | image | - | Deployment shop/web | spec.template.spec.containers[0].image',
  '4 | k8s.gcr.io/pause:3.5 | image | frozen | Deployment shop/web | spec.template.spec.initContainers[0].image',
];
