import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readHelmRelease, usesOfRelease } from './helm-releases.ts';

const packed = (release: object): Record<string, unknown> => {
  const text = gzipSync(JSON.stringify(release)).toString('base64');
  return { data: { release: Buffer.from(text).toString('base64') } };
};
const pod = (...images: readonly string[]): string =>
  `---\nkind: Pod\nspec:\n  containers:\n${images.map((image) => `  - image: ${JSON.stringify(image)}\n`).join('')}`;

const rows: readonly {
  readonly that: string;
  readonly chart: object;
  readonly user?: object;
  readonly manifest: string;
  readonly hook?: string;
  /** `image field`. */
  readonly is: readonly string[];
}[] = [
  {
    that: 'Registry, repository and tag apart are named by the map that holds them.',
    chart: { image: { registry: 'docker.io', repository: 'bitnami/redis', tag: '7' } },
    manifest: pod('docker.io/bitnami/redis:7'),
    is: ['docker.io/bitnami/redis:7 values image'],
  },
  {
    that: 'What the user set is what counts.',
    chart: { sidecar: { image: 'quay.io/a/old:1' } },
    user: { sidecar: { image: 'quay.io/a/new:2' } },
    manifest: pod('quay.io/a/new:2'),
    is: ['quay.io/a/new:2 values sidecar.image'],
  },
  {
    that: 'A tag that the chart makes up does not part them.',
    chart: { image: { repository: 'registry.k8s.io/metrics-server/metrics-server', tag: '' } },
    manifest: pod('registry.k8s.io/metrics-server/metrics-server:v0.8.0'),
    is: ['registry.k8s.io/metrics-server/metrics-server:v0.8.0 values image'],
  },
  {
    that: 'A repository before which the chart puts a registry is found.',
    chart: { image: { repository: 'prometheus/node-exporter', tag: 'v1' } },
    manifest: pod('quay.io/prometheus/node-exporter:v1'),
    is: ['quay.io/prometheus/node-exporter:v1 values image'],
  },
  {
    that: 'One that no value names is said so; hooks are read.',
    chart: {},
    manifest: pod('quay.io/a/b:1'),
    hook: pod('registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.6.0'),
    is: [
      'quay.io/a/b:1 manifest',
      'registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.6.0 manifest',
    ],
  },
  {
    that: 'A part of the manifest that is no YAML ends nothing.',
    chart: {},
    manifest: `---\na: [\n${pod('quay.io/a/b:1')}`,
    is: ['quay.io/a/b:1 manifest'],
  },
];

for (const { that, chart, user = {}, manifest, hook, is } of rows)
  test(that, () => {
    const release = readHelmRelease(
      packed({
        name: 'r',
        namespace: 'n',
        chart: { metadata: { name: 'c', version: '1.2' }, values: chart },
        config: user,
        manifest,
        hooks: hook === undefined ? [] : [{ manifest: hook }],
      }),
    );
    const found = usesOfRelease(release).map(({ image, place }) => `${image} ${place?.field}`);
    assert.deepEqual(found, is);
  });

for (const [that, secret] of [
  ['without data', {}],
  ['of another kind', { data: { release: 'bm8=' } }],
  ['that grows without end', packed({ name: 'r', manifest: ' '.repeat(70_000_000) })],
] as const)
  test(`A Secret ${that} is refused.`, () => {
    assert.throws(() => readHelmRelease(secret));
  });
