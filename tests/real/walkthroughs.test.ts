// The journeys that published guides teach, by their letter and number.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { rulesOnly } from '../support/processes/breakwater.ts';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import type { Front } from '../support/upstreams/front.ts';
import { askManifest, ask, fullAccept, pullImage, text } from '../support/clients/pull.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { setScene } from '../support/processes/scene.ts';
import { findTool, runCommand } from '../support/tools/tools.ts';

/** As the real one: a default rule's prefix, and `k8s` as a user made it. */
function kubernetesRules(front: Front): Record<string, unknown> {
  return rulesOnly(
    { prefix: 'registry.k8s.io', upstream: front.url },
    { prefix: 'k8s', upstream: front.url },
  );
}

async function copyByClient(t: TestContext, source: string): Promise<string | undefined> {
  const skopeo = await findTool('skopeo');
  if ('missing' in skopeo) {
    t.skip(skopeo.missing);
    return undefined;
  }
  const folder = await makeRunFolder('walkthrough');
  t.after(() => removeRunFolder(folder));
  const args = ['--insecure-policy', 'copy', '--src-tls-verify=false', source, `dir:${folder}`];
  const result = await runCommand(skopeo.path, args, { env: { HOME: folder } });
  assert.equal(result.code, 0, result.stderr);
  return folder;
}

test('W1.3: HOST/k8s/… is made at its first pull, and serves when registry.k8s.io is away.', async (t) => {
  const s = await setScene(t, {
    behaviour: publicRegistries.registryK8s,
    config: kubernetesRules,
  });
  if (s === undefined) return;
  const source = `docker://${s.breakwater.host}/k8s/pause:3.9`;
  const first = await copyByClient(t, source);
  if (first === undefined) return;
  assert.ok(s.front.count() > 0);
  await s.front.down();
  s.front.clear();
  const second = await copyByClient(t, source);
  assert.ok(second !== undefined);
  const manifests = [first, second].map((folder) => readFile(join(folder, 'manifest.json')));
  const [before, after] = await Promise.all(manifests);
  assert.deepEqual(after, before);
  assert.equal(s.front.count(), 0);
});

test('W3.1: HOST/k8s.gcr.io/pause:3.9 gives the bytes of registry.k8s.io’s repository.', async (t) => {
  const s = await setScene(t, { config: kubernetesRules });
  if (s === undefined) return;
  const pulled = await pullImage(s.breakwater.url, 'registry.k8s.io/pause', '3.9');
  assert.equal(pulled.digest, s.image('pause').digest);
  s.front.clear();
  const old = await pullImage(s.breakwater.url, 'k8s.gcr.io/pause', '3.9');
  assert.deepEqual(old, pulled);
  assert.equal(s.front.count(), 0);
});

test('W3.1: ?ns=k8s.gcr.io gives the bytes of registry.k8s.io’s repository.', async (t) => {
  const s = await setScene(t, { config: kubernetesRules });
  if (s === undefined) return;
  const url = `${s.breakwater.url}/v2/pause/manifests/3.9?ns=k8s.gcr.io`;
  const answer = await ask(url, { headers: { accept: fullAccept } });
  assert.equal(answer.status, 200, text(answer));
  assert.deepEqual(answer.body, s.bytesOf(s.image('pause').digest));
  const same = await askManifest(s.breakwater.url, 'registry.k8s.io/pause', '3.9');
  assert.deepEqual(same.body, answer.body);
  assert.equal(s.front.count({ kind: 'manifest', path: '/v2/pause/manifests/3.9' }), 1);
});

test('W3.1: The registry that is built in needs no rule for its old name.', async (t) => {
  const s = await setScene(t, {
    config: (front) => ({ rules: [{ prefix: 'registry.k8s.io', upstream: front.url }] }),
  });
  if (s === undefined) return;
  const old = await pullImage(s.breakwater.url, 'k8s.gcr.io/pause', '3.9');
  assert.equal(old.digest, s.image('pause').digest);
});
