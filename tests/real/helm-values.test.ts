// Values for charts, by a real helm: what is printed makes every image what it is to be, and nothing else is changed.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, suite, test } from 'node:test';
import { parse } from 'yaml';
import { renderedImages } from '../../src/kubernetes/charts/rendered-images.ts';
import type { EndedCommand } from '../support/rigs/run-command-line.ts';
import { runCommandLine } from '../support/rigs/run-command-line.ts';
import type { ChartFiles } from '../support/samples/charts.ts';
import { bitnami, ingressNginx, metricsServer, nats, stubborn } from '../support/samples/charts.ts';
import { findTool, runCommand } from '../support/tools/tools.ts';

const helm = await findTool('helm');
const skip = 'missing' in helm ? helm.missing : false;
const helmPath = 'path' in helm ? helm.path : '';
const root = mkdtempSync(join(tmpdir(), 'breakwater-charts-'));
after(() => rmSync(root, { recursive: true }));

function put(files: ChartFiles): string {
  const folder = mkdtempSync(join(root, 'chart-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function mappingFile(rules: readonly { prefix: string; upstream: string }[]): string {
  const file = join(mkdtempSync(join(root, 'mapping-')), 'mapping.yaml');
  writeFileSync(file, JSON.stringify({ registryHost: 'r.example.com', rules }));
  return file;
}

/** The rules of the walkthroughs. */
const rules = mappingFile([
  { prefix: 'docker-hub', upstream: 'registry-1.docker.io' },
  { prefix: 'k8s', upstream: 'registry.k8s.io' },
]);

async function ask(chart: string, ...words: readonly string[]): Promise<EndedCommand> {
  const argv = ['helm-values', chart, '-q', '--helm', helmPath, ...words];
  return runCommandLine(argv, { cwd: root });
}

async function rendered(chart: string, ...args: readonly string[]): Promise<readonly string[]> {
  const made = await runCommand(helmPath, ['template', 'x', chart, ...args]);
  assert.equal(made.code, 0, made.stderr);
  return renderedImages(made.stdout)
    .images.map(({ image }) => image)
    .toSorted();
}

/** Without the quotes that a shell takes away. */
function words(printed: string): readonly string[] {
  return printed
    .trimEnd()
    .split('\n')
    .flatMap((line) => line.split(/ (.*)/s).slice(0, 2))
    .map((word) => word.replace(/^'(.*)'$/s, '$1'));
}

const builtin = ['--registry-host', 'r.example.com'];
const digest = 'sha256:e9adc5075a83ecc3f2eddd0bd1ef54a9d8a9e8a9a3b7d8b2b3bcb1ba0ccf5a9e';

interface Row {
  readonly says: string;
  readonly chart: ChartFiles;
  readonly words: readonly string[];
  readonly set: string;
  readonly images: readonly string[];
}

const rows: readonly Row[] = [
  {
    says: 'W1.6: metrics-server by one flag, image.repository.',
    chart: metricsServer,
    words: ['--mapping', rules],
    set: '--set image.repository=r.example.com/k8s/metrics-server/metrics-server\n',
    images: ['r.example.com/k8s/metrics-server/metrics-server:v0.8.0'],
  },
  {
    says: "The user's own values count: what they switch on has images too.",
    chart: metricsServer,
    words: ['--mapping', rules, '--set', 'addonResizer.enabled=true,image.tag=v0.7.2'],
    set: [
      '--set image.repository=r.example.com/k8s/metrics-server/metrics-server\n',
      '--set addonResizer.image.repository=r.example.com/k8s/autoscaling/addon-resizer\n',
    ].join(''),
    images: [
      'r.example.com/k8s/autoscaling/addon-resizer:1.8.23',
      'r.example.com/k8s/metrics-server/metrics-server:v0.7.2',
    ],
  },
  {
    says: 'W2.6: nats keeps its repositories, and library/ goes to the registry of the official image.',
    chart: nats,
    words: ['--mapping', rules],
    set: [
      '--set container.image.registry=r.example.com/docker-hub/library\n',
      '--set reloader.image.registry=r.example.com/docker-hub\n',
    ].join(''),
    images: [
      'r.example.com/docker-hub/library/nats:2.11.0-alpine',
      'r.example.com/docker-hub/natsio/nats-server-config-reloader:0.17.0',
    ],
  },
  {
    says: 'ingress-nginx: one registry for all of it; digests stay, and hooks follow.',
    chart: ingressNginx,
    words: builtin,
    set: '--set global.image.registry=r.example.com/registry.k8s.io\n',
    images: [
      `r.example.com/registry.k8s.io/ingress-nginx/controller:v1.13.0@${digest}`,
      `r.example.com/registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.6.0@${digest}`,
    ],
  },
  {
    says: 'Bitnami: subcharts by their prefix, a digest in place of the tag, and leave to have other images.',
    chart: bitnami,
    words: builtin,
    set: [
      '--set global.security.allowInsecureImages=true\n',
      '--set image.registry=r.example.com/docker.io\n',
      '--set metrics.image.registry=r.example.com/docker.io/library\n',
      '--set postgresql.image.registry=r.example.com/docker.io\n',
      '--set postgresql.metrics.image.registry=r.example.com/docker.io\n',
    ].join(''),
    images: [
      `r.example.com/docker.io/bitnamilegacy/keycloak@${digest}`,
      'r.example.com/docker.io/bitnamilegacy/postgres-exporter:0.17.1',
      'r.example.com/docker.io/bitnamilegacy/postgresql:17.6.0',
      'r.example.com/docker.io/library/nginx:1.29',
    ],
  },
  {
    says: 'A registry for all images that is set already hides their own: that one is changed, and what it can not say is said by a repository.',
    chart: bitnami,
    words: [
      ...builtin,
      '--set',
      'global.imageRegistry=docker.io,metrics.image.repository=library/nginx',
    ],
    set: [
      '--set global.security.allowInsecureImages=true\n',
      '--set global.imageRegistry=r.example.com/docker.io\n',
    ].join(''),
    images: [
      `r.example.com/docker.io/bitnamilegacy/keycloak@${digest}`,
      'r.example.com/docker.io/bitnamilegacy/postgres-exporter:0.17.1',
      'r.example.com/docker.io/bitnamilegacy/postgresql:17.6.0',
      'r.example.com/docker.io/library/nginx:1.29',
    ],
  },
];

suite('helm-values', { skip, timeout: 300_000 }, () => {
  for (const row of rows)
    test(row.says, async () => {
      const chart = put(row.chart);
      const set = await ask(chart, ...row.words, '-o', 'set');
      assert.deepEqual(set, { exit: 0, out: set.out, err: '' });
      const lines = (text: string): readonly string[] => text.split('\n').toSorted();
      assert.deepEqual(lines(set.out), lines(row.set));
      const own = row.words.includes('--set') ? row.words.slice(-2) : [];
      assert.deepEqual(await rendered(chart, ...own, ...words(set.out)), row.images);
    });

  test('The values file says the same, over a file of the user.', async () => {
    const chart = put(bitnami);
    const own = join(mkdtempSync(join(root, 'own-')), 'own.yaml');
    writeFileSync(own, 'image: {registry: quay.io, repository: keycloak/keycloak}\n');
    const { exit, out, err } = await ask(chart, '-f', own, ...builtin);
    assert.deepEqual({ exit, err }, { exit: 0, err: '' });
    assert.deepEqual(parse(out), {
      global: { security: { allowInsecureImages: true } },
      image: { registry: 'r.example.com/quay.io' },
      metrics: { image: { registry: 'r.example.com/docker.io/library' } },
      postgresql: {
        image: { registry: 'r.example.com/docker.io' },
        metrics: { image: { registry: 'r.example.com/docker.io' } },
      },
    });
    const made = join(dirname(own), 'made.yaml');
    writeFileSync(made, out);
    assert.ok(
      (await rendered(chart, '-f', own, '-f', made)).includes(
        `r.example.com/quay.io/keycloak/keycloak@${digest}`,
      ),
    );
  });

  test('What no value moves is told, hooks too; a list is given whole; a value that the schema refuses stays.', async () => {
    const chart = put(stubborn);
    const { exit, out, err } = await ask(chart, ...builtin);
    assert.equal(exit, 7);
    assert.deepEqual(parse(out), {
      reloaderImage: 'r.example.com/quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0',
      sidecars: [
        { name: 'one', image: 'r.example.com/quay.io/team/one:1', port: 80 },
        { name: 'two', image: 'corp.example.net/team/two:2' },
      ],
    });
    assert.deepEqual(
      err
        .replaceAll(/stubborn-\w+/g, 'stubborn-x')
        .trimEnd()
        .split('\n')
        .toSorted(),
      [
        'no value moves busybox:1.36 of Deployment stubborn: spec.template.spec.containers[0].image: it would be r.example.com/docker.io/library/busybox:1.36',
        'no value moves curlimages/curl:8.15.0 of Pod stubborn-x (hook): spec.containers[0].image: it would be r.example.com/docker.io/curlimages/curl:8.15.0',
        'no value moves quay.io/team/fixed:1 of Deployment stubborn: spec.template.spec.containers[1].image: it would be r.example.com/quay.io/team/fixed:1',
        'stays: corp.example.net/team/two:2 of Deployment stubborn: spec.template.spec.containers[3].image: no rule leads there',
      ],
    );
    const set = await ask(chart, ...builtin, '-o', 'set');
    assert.deepEqual(await rendered(chart, ...words(set.out)), [
      'busybox:1.36',
      'corp.example.net/team/two:2',
      'curlimages/curl:8.15.0',
      'quay.io/team/fixed:1',
      'r.example.com/quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0',
      'r.example.com/quay.io/team/one:1',
    ]);
  });

  test('A packaged chart is as good as a folder.', async () => {
    const chart = put(metricsServer);
    const packed = await runCommand(helmPath, ['package', chart, '-d', root]);
    assert.equal(packed.code, 0, packed.stderr);
    const { out } = await ask('metrics-server-3.13.0.tgz', '--mapping', rules, '-o', 'set');
    assert.equal(out, rows[0]?.set);
  });

  test('Where helm refuses, its words are the reason; where it is missing, that is said.', async () => {
    const broken = put({ ...metricsServer, 'templates/broken.yaml': '{{ fail "no such thing" }}' });
    const refused = await ask(broken, ...builtin);
    assert.equal(refused.exit, 1);
    assert.match(refused.err, /^error: helm\S* template ended with 1\ncause: .*no such thing/s);
    const missing = await ask(broken, ...builtin, '--helm', join(root, 'no-helm'));
    assert.deepEqual([missing.exit, missing.out], [1, '']);
    assert.match(missing.err, /^error: \S*no-helm is not there\n/);
  });
});
