// The journeys of published guides that change files: manifests and a HelmRelease, by the command as a process; what comes out is pulled, and rendered by helm.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { pullImage } from '../support/clients/pull.ts';
import { rulesOnly } from '../support/processes/breakwater.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { setScene } from '../support/processes/scene.ts';
import { findTool, runCommand } from '../support/tools/tools.ts';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';

const program = fileURLToPath(new URL('../../bin/breakwater.mjs', import.meta.url));
const examples = fileURLToPath(new URL('../../examples/moving', import.meta.url));

interface Files {
  readonly folder: string;
  read(path: string): string;
  /** Ends with `exit`; answers stdout. */
  rewrite(exit: number, ...words: readonly string[]): Promise<string>;
}

/** A copy of the examples. */
async function copyExamples(t: TestContext): Promise<Files> {
  const folder = await makeRunFolder('moving');
  t.after(() => removeRunFolder(folder));
  cpSync(examples, folder, { recursive: true });
  return {
    folder,
    read: (path) => readFileSync(join(folder, path), 'utf8'),
    async rewrite(exit, ...words) {
      const args = [program, 'rewrite', ...words];
      const ran = await runCommand(process.execPath, args, {
        cwd: folder,
        env: { HOME: folder, NODE_TEST_CONTEXT: '' },
        timeoutMs: 60_000,
      });
      assert.equal(ran.code, exit, ran.stderr);
      return ran.stdout;
    },
  };
}

test('W1.4: manifests go to HOST/k8s as the guide’s sed sends them, the frozen host too, and what they name pulls.', async (t) => {
  const s = await setScene(t, {
    behaviour: publicRegistries.registryK8s,
    config: (front) => rulesOnly({ prefix: 'k8s', upstream: front.url }),
  });
  if (s === undefined) return;
  const { host, url } = s.breakwater;
  const files = await copyExamples(t);
  const before = files.read('k8s/pause.yaml');
  const words = ['k8s', '--mapping', 'mapping.yaml', '--registry-host', host, '--force'];
  await files.rewrite(10, ...words, '--check');
  await files.rewrite(0, ...words, '--in-place');
  const after = files.read('k8s/pause.yaml');
  // What the guide types, and the host that it leaves for another day.
  assert.equal(after, before.replaceAll(/registry\.k8s\.io|k8s\.gcr\.io/g, `${host}/k8s`));
  await files.rewrite(0, ...words, '--check');
  const images = [...after.matchAll(/image: '?([^\s'},]+)/g)].map(([, image = '']) => image);
  assert.equal(images.length, 3);
  for (const image of images) {
    const [name = '', tag = ''] = image.slice(host.length + 1).split(':');
    const pulled = await pullImage(url, name, tag);
    assert.equal(pulled.digest, s.image('pause').digest);
  }
  // Back: k8s.gcr.io is told from registry.k8s.io by nobody.
  await files.rewrite(0, ...words, '--revert', '--in-place');
  assert.equal(files.read('k8s/pause.yaml'), before.replace('k8s.gcr.io', 'registry.k8s.io'));
});

test('W2.6: a HelmRelease has library/ in its registry, and helm renders what pulls.', async (t) => {
  const files = await copyExamples(t);
  const before = files.read('k8s/nats.yaml');
  await files.rewrite(0, 'k8s', '--mapping', 'mapping.yaml', '--in-place');
  const after = files.read('k8s/nats.yaml');
  let registry = 0;
  const wanted = ['registry.example.com/docker-hub/library', 'registry.example.com/docker-hub'];
  assert.equal(
    after,
    before.replaceAll('docker.io', () => wanted[registry++] ?? ''),
  );
  assert.match(
    files.read('k8s/external-dns.yaml'),
    /image: registry\.example\.com\/k8s\/external-dns\/external-dns:v0\.14\.0\n$/,
  );
  const helm = await findTool('helm');
  if ('missing' in helm) return t.skip(helm.missing);
  const chart = join(files.folder, 'nats');
  mkdirSync(join(chart, 'templates'), { recursive: true });
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: nats\nversion: 1.0.0\n');
  writeFileSync(
    join(chart, 'templates', 'images.yaml'),
    'images:\n{{- range list .Values.container .Values.reloader }}\n- {{ .image.registry }}/{{ .image.repository }}:{{ .image.tag }}\n{{- end }}\n',
  );
  const values = join(files.folder, 'values.json');
  const { spec } = parse(after) as { spec: { values: unknown } };
  writeFileSync(values, JSON.stringify(spec.values));
  const args = ['template', 'nats', chart, '--values', values];
  const rendered = await runCommand(helm.path, args, { env: { HOME: files.folder } });
  assert.equal(rendered.code, 0, rendered.stderr);
  const { images } = parse(rendered.stdout) as { images: unknown };
  assert.deepEqual(images, [
    'registry.example.com/docker-hub/library/nats:2.10.11-alpine',
    'registry.example.com/docker-hub/natsio/nats-server-config-reloader:0.14.1',
  ]);
});

test('W3.3: k8s.gcr.io becomes registry.k8s.io with no cache at all, as git applies it.', async (t) => {
  const files = await copyExamples(t);
  const before = files.read('k8s/pause.yaml');
  const move = ['k8s', '--from', 'k8s.gcr.io', '--to', 'registry.k8s.io'];
  const patch = await files.rewrite(0, ...move, '--diff');
  const file = join(files.folder, 'move.patch');
  writeFileSync(file, patch);
  const applied = await runCommand('git', ['apply', file], {
    cwd: files.folder,
    env: { HOME: files.folder, GIT_CEILING_DIRECTORIES: join(files.folder, '..') },
  });
  assert.equal(applied.code, 0, applied.stderr);
  assert.equal(files.read('k8s/pause.yaml'), before.replace('k8s.gcr.io', 'registry.k8s.io'));
  await files.rewrite(0, ...move, '--check');
});
