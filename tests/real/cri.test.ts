// containerd through its CRI with runc: what a Kubernetes node does with an image.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startCri } from '../support/processes/cri.ts';
import type { Cri } from '../support/processes/cri.ts';
import { pushPauseImage } from '../support/samples/pause-image.ts';
import { until } from '../support/rigs/until.ts';
import { enterSandbox, makeCgroup, prepareSandbox } from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';

const skip = enterSandbox();
if (skip === undefined) prepareSandbox();

const image = 'docker.io/library/busybox:1.36';

test(
  'A pod runs on what the CRI pulled by mirror, and again with upstream gone.',
  { skip },
  async (t) => {
    const s = await setScene(t, {
      config: (front) => ({
        defaultRules: false,
        rules: ['docker.io', 'registry.k8s.io'].map((prefix) => ({ prefix, upstream: front.url })),
      }),
    });
    if (s === undefined) return;
    if (s.corpus.origin !== 'debian') return t.skip('the images hold no programs that run');
    await pushPauseImage(s.registry.url, s.corpus);
    const cri = await startCri(t, { mirror: s.breakwater.url, subnet: '10.98.0.0/24' });
    if (cri === undefined) return;

    await cri.crictl('pull', image);
    assert.equal(await runPod(cri, 'first'), 'first runs');
    assert.equal(s.front.count({ kind: 'manifest', method: 'GET', status: 404 }), 0);
    for (const host of ['docker.io', 'registry.k8s.io'])
      await s.breakwater.untilLogged(new RegExp(`"ns":"${host}"`));

    await s.front.down();
    await cri.crictl('rmi', '--all');
    await cri.crictl('pull', image);
    assert.equal(await runPod(cri, 'second'), 'second runs');
  },
);

/** What a pod with a network of its own says; it is gone afterwards. */
async function runPod(cri: Cri, name: string): Promise<string> {
  const pod = join(cri.folder, `${name}.json`);
  const container = join(cri.folder, `${name}-container.json`);
  await writeFile(
    pod,
    JSON.stringify({
      metadata: { name, namespace: 'default', uid: name, attempt: 1 },
      log_directory: join(cri.folder, 'logs', name),
      linux: { cgroup_parent: makeCgroup('pods') },
    }),
  );
  await writeFile(
    container,
    JSON.stringify({
      metadata: { name: 'one' },
      image: { image },
      command: ['/bin/busybox', 'sh', '-c', `echo ${name} runs; exec /bin/busybox sleep 1000`],
      log_path: 'one.log',
      linux: { resources: { memory_limit_in_bytes: 64 * 1024 * 1024 } },
    }),
  );
  const podId = await cri.crictl('runp', pod);
  const id = await cri.crictl('create', podId, container, pod);
  await cri.crictl('start', id);
  const said = await until(() => cri.crictl('logs', id), 'the container says something');
  assert.match(await cri.crictl('exec', id, '/bin/busybox', 'ip', 'addr'), /inet 10\.98\.0\./);
  await cri.crictl('rmp', '--force', podId);
  return said;
}
