// A Kubernetes node of real parts whose every image comes through Breakwater.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import {
  apiServer,
  clusterMissing,
  hostAddress,
  makeNodeNetwork,
  startCluster,
  tokenIssuer,
  workload,
} from '../support/processes/cluster.ts';
import type { Cluster } from '../support/processes/cluster.ts';
import { commandLine } from '../support/processes/command-line.ts';
import { basicOf } from '../support/processes/breakwater.ts';
import { pushPauseImage } from '../support/samples/pause-image.ts';
import { until } from '../support/rigs/until.ts';
import { enterSandbox, prepareSandbox } from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';

const skip = (await clusterMissing()) ?? enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  makeNodeNetwork();
}

const image = 'docker.io/library/busybox:1.36';
const host = `${hostAddress}:5000`;
const pullOnly = fileURLToPath(new URL('../../examples/policies/pull-only.json', import.meta.url));

function settings(upstream: string, more: object = {}): Record<string, unknown> {
  return {
    listen: host,
    defaultRules: false,
    anonymousImport: true,
    rules: [
      { prefix: 'docker.io', upstream, freshFor: '0s' },
      { prefix: 'registry.k8s.io', upstream },
    ],
    ...more,
  };
}

async function withCluster(
  t: TestContext,
  nodes: number,
): Promise<(Scene & { readonly cluster: Cluster }) | undefined> {
  const s = await setScene(t, { config: (front) => settings(front.url) });
  if (s === undefined) return undefined;
  if (s.corpus.origin !== 'debian') {
    t.skip('the images hold no programs that run');
    return undefined;
  }
  await pushPauseImage(s.registry.url, s.corpus);
  return { ...s, cluster: await startCluster(t, { nodes, mirror: `http://${host}` }) };
}

test(
  'A Deployment runs through the mirror, and another from the cache when upstream and the node have lost its image; a pod pulls with its service account.',
  { skip },
  async (t) => {
    const s = await withCluster(t, 1);
    if (s === undefined) return;
    const { cluster } = s;
    const available = (name: string): Promise<string> =>
      cluster.kubectl(['wait', '--for=condition=Available', `deploy/${name}`, '--timeout=90s']);

    await cluster.apply(workload('Deployment', 'one', image));
    await available('one');
    for (const name of ['docker.io', 'registry.k8s.io'])
      await s.breakwater.untilLogged(new RegExp(`"ns":"${name}"`));

    await pullByServiceAccount(s);

    await s.front.down();
    await cluster.kubectl(['delete', 'deploy/one', '--wait', '--timeout=60s']);
    const [node] = cluster.nodes;
    await until(
      async () => {
        const running = await node?.cri.crictl('ps', '-a', '-q', '--image', image);
        return running === '';
      },
      'the node has no container of it',
      60_000,
    );
    await node?.cri.crictl('rmi', image);
    s.front.clear();
    await cluster.apply(workload('Deployment', 'two', image));
    await available('two');
    assert.equal(s.front.count(), 0);
  },
);

/** As docs/access.md says: the API server is an issuer, its service account a robot, a token the pull secret. */
async function pullByServiceAccount(s: Scene & { readonly cluster: Cluster }): Promise<void> {
  const { breakwater, front, cluster } = s;
  const index = s.image('index');
  const child = index.children[process.arch === 'arm64' ? 1 : 0] ?? '';
  const authorization = await basicOf(breakwater);
  const pushed = await fetch(`${breakwater.url}/v2/team/app/manifests/1`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: s.bytesOf(child).toString('utf8'),
  });
  assert.equal(pushed.status, 404, 'its layers are not there yet');
  const { config, layers } = JSON.parse(s.bytesOf(child).toString('utf8')) as {
    config: { digest: string };
    layers: readonly { digest: string }[];
  };
  for (const { digest } of [config, ...layers]) {
    const query = `mount=${digest}&from=docker.io/library/busybox`;
    const url = `${breakwater.url}/v2/team/app/blobs/uploads/?${query}`;
    const mounted = await fetch(url, { method: 'POST', headers: { authorization } });
    assert.equal(mounted.status, 201);
  }
  const again = await fetch(`${breakwater.url}/v2/team/app/manifests/1`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: s.bytesOf(child).toString('utf8'),
  });
  assert.equal(again.status, 201);
  const operator = commandLine(breakwater);
  await operator.print('user', 'create', 'pods', '--robot');
  await operator.print('policy', 'set', '--user', 'pods', '--name', 'pull', '--file', pullOnly);
  await cluster.apply({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'issuer-discovery' },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: 'system:service-account-issuer-discovery',
    },
    subjects: [
      { kind: 'Group', name: 'system:unauthenticated', apiGroup: 'rbac.authorization.k8s.io' },
    ],
  });
  await breakwater.configure(
    settings(front.url, {
      oidc: [
        {
          issuer: tokenIssuer,
          audiences: ['breakwater'],
          jwksUrl: `${apiServer}/openid/v1/jwks`,
          caFile: cluster.caFile,
          principals: [{ claims: { sub: 'system:serviceaccount:default:*' }, principal: 'pods' }],
        },
      ],
    }),
  );
  const token = await cluster.kubectl(['create', 'token', 'default', '--audience=breakwater']);
  const pair = Buffer.from(`pods:${token}`).toString('base64');
  await until(async () => {
    const answer = await fetch(`${breakwater.url}/v2/team/app/manifests/1`, {
      headers: { authorization: `Basic ${pair}` },
    });
    await answer.text();
    return answer.status === 200;
  }, 'the token is known');
  const pod = (name: string, secrets: readonly object[]): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      imagePullSecrets: secrets,
      containers: [
        { name: 'one', image: `${host}/team/app:1`, command: ['/bin/busybox', 'sleep', '1000'] },
      ],
    },
  });
  const secret = ['create', 'secret', 'docker-registry', 'breakwater', `--docker-server=${host}`];
  secret.push('--docker-username=pods', `--docker-password=${token}`);
  await cluster.kubectl(secret);
  await cluster.apply(pod('without', []), pod('with', [{ name: 'breakwater' }]));
  await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/with', '--timeout=90s']);
  await until(
    async () => {
      const path = 'jsonpath={.status.containerStatuses[0].state.waiting.reason}';
      const reason = await cluster.kubectl(['get', 'pod/without', '-o', path]);
      return /^(?:ErrImagePull|ImagePullBackOff)$/.test(reason);
    },
    'the pod without the secret is told so',
    60_000,
  );
  // They are of the image that the node has to lose.
  await cluster.kubectl(['delete', 'pod/with', 'pod/without', '--wait', '--timeout=60s']);
}
