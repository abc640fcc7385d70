// Three Kubernetes nodes of real parts behind one Breakwater.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clusterMissing,
  hostAddress,
  makeNodeNetwork,
  startCluster,
  workload,
} from '../support/processes/cluster.ts';
import { pushPauseImage } from '../support/samples/pause-image.ts';
import { enterSandbox, prepareSandbox } from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';

const skip = (await clusterMissing()) ?? enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  makeNodeNetwork();
}

const host = `${hostAddress}:5000`;

test('A DaemonSet runs on three nodes, and upstream sends each blob once.', { skip }, async (t) => {
  const s = await setScene(t, {
    config: (front) => ({
      listen: host,
      defaultRules: false,
      anonymousImport: true,
      rules: ['docker.io', 'registry.k8s.io'].map((prefix) => ({ prefix, upstream: front.url })),
    }),
  });
  if (s === undefined) return;
  if (s.corpus.origin !== 'debian') return t.skip('the images hold no programs that run');
  await pushPauseImage(s.registry.url, s.corpus);
  const cluster = await startCluster(t, { nodes: 3, mirror: `http://${host}` });
  await cluster.apply(workload('DaemonSet', 'everywhere', 'docker.io/library/busybox:1.36'));
  await cluster.kubectl(['rollout', 'status', 'daemonset/everywhere', '--timeout=120s']);
  const path = 'jsonpath={.items[*].spec.nodeName}';
  const placed = await cluster.kubectl(['get', 'pods', '-l', 'app=everywhere', '-o', path]);
  assert.deepEqual(placed.split(' ').toSorted(), ['n1', 'n2', 'n3']);
  // Config and layer of the image; the pause image shares the layer but has a config of its own, and is under another rule.
  assert.equal(s.front.count({ kind: 'blob', method: 'GET', path: '/v2/library/busybox/' }), 2);
});
