// A post-renderer under a real helm: what reaches the cluster has other images, and hooks that Helm 3 keeps to itself are told.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, suite, test } from 'node:test';
import { renderedImages } from '../../src/kubernetes/charts/rendered-images.ts';
import type { EndedCommand } from '../support/rigs/run-command-line.ts';
import { runCommandLine } from '../support/rigs/run-command-line.ts';
import type { ChartFiles } from '../support/samples/charts.ts';
import { ingressNginx } from '../support/samples/charts.ts';
import { findTool, runCommand } from '../support/tools/tools.ts';

const helm = await findTool('helm');
const skip = 'missing' in helm ? helm.missing : false;
const helmPath = 'path' in helm ? helm.path : '';
const root = mkdtempSync(join(tmpdir(), 'breakwater-post-render-'));
after(() => rmSync(root, { recursive: true }));
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const digest = 'sha256:e9adc5075a83ecc3f2eddd0bd1ef54a9d8a9e8a9a3b7d8b2b3bcb1ba0ccf5a9e';
const host = ['--registry-host', 'r.example.com'];

function put(files: ChartFiles): string {
  const folder = mkdtempSync(join(root, 'chart-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** The program as helm finds it in PATH. */
function program(): string {
  const file = join(mkdtempSync(join(root, 'bin-')), 'breakwater');
  writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

async function postRender(input: string, ...words: readonly string[]): Promise<EndedCommand> {
  const argv = ['post-render', '-q', '--helm', helmPath, ...host, ...words];
  return runCommandLine(argv, { input, cwd: root });
}

const pod = (image: string): string =>
  `---\n# Source: web/templates/pod.yaml\nkind: Pod\nspec: {containers: [{image: "${image}"}]} # c\n`;

test('Documents keep every byte but their references.', async () => {
  assert.deepEqual(await postRender(pod('nginx:1') + pod('quay.io/a/b:2')), {
    exit: 0,
    out: pod('r.example.com/docker.io/library/nginx:1') + pod('r.example.com/quay.io/a/b:2'),
    err: '',
  });
});

test('Braces in a rendered document are text, and the name of its template says nothing of what it holds.', async () => {
  const named = (source: string, image: string): string =>
    `---\n# Source: web/${source}\nkind: Pod\nmetadata: {annotations: {a: "{{ with .Data }}"}}\nspec: {containers: [{image: ${image}}]}\n`;
  for (const source of [
    'templates/pod.yaml',
    'templates/values.yaml',
    'templates/compose.yaml',
    'templates/kustomization.yaml',
    'templates/pod.tpl',
    'templates/run.sh',
  ])
    assert.deepEqual(await postRender(named(source, 'nginx')), {
      exit: 0,
      out: named(source, 'r.example.com/docker.io/library/nginx'),
      err: '',
    });
});

test('Where a document can’t be read nothing is printed, and its place is told.', async () => {
  const { exit, out, err } = await postRender(
    `${pod('nginx:1')}---\n# Source: web/templates/x.yaml\na: [\n`,
  );
  assert.deepEqual([exit, out], [1, '']);
  assert.match(err, /^error: web\/templates\/x\.yaml:\d+:\d+: /);
});

suite('under helm', { skip, timeout: 300_000 }, () => {
  test('Helm 3 has what it renders rewritten, and its hooks as they are.', async () => {
    const words = ['post-render', '-q', `--registry-host=${host[1]}`];
    const made = await runCommand(helmPath, [
      'template',
      'x',
      put(ingressNginx),
      '--post-renderer',
      program(),
      ...words.flatMap((word) => ['--post-renderer-args', word]),
    ]);
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(
      renderedImages(made.stdout).images.map(({ image, hook }) => [image, hook]),
      [
        [`r.example.com/registry.k8s.io/ingress-nginx/controller:v1.13.0@${digest}`, false],
        [`registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.6.0@${digest}`, true],
      ],
    );
  });

  test('With the chart the images of its hooks are told, and end it with 10 where that is asked for.', async () => {
    const words = ['--chart', put(ingressNginx)];
    const told = await postRender(pod('nginx:1'), ...words, '--exit-code');
    assert.equal(told.exit, 10);
    assert.equal(told.out, pod('r.example.com/docker.io/library/nginx:1'));
    assert.match(
      told.err,
      /^hook Job admission-create: spec\.template\.spec\.containers\[0\]\.image: registry\.k8s\.io\/\S+ is not given to a post-renderer of Helm 3: it would be r\.example\.com\/\S+\n$/,
    );
    assert.equal((await postRender(pod('nginx:1'), ...words)).exit, 0);
  });
});
