import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bundles } from './tool-builds.ts';
import { toolNeeds } from './tool-needs.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const needsOf = (...files: readonly string[]) => toolNeeds(files.map((file) => join(root, file)));

const rows: readonly (readonly [file: string, needs: readonly string[], images: boolean])[] = [
  ['tests/faults/push-model.test.ts', [], false],
  ['tests/faults/upstream-limits.test.ts', [], false],
  ['tests/faults/upstream-shapes.test.ts', ['crane', 'regctl', 'ctr', 'containerd'], false],
  ['tests/real/crane-podman.test.ts', ['registry', 'crane'], true],
  ['tests/real/cosign-through.test.ts', ['registry', 'cosign'], true],
];
for (const [file, needs, images] of rows) {
  test(`${file} needs ${[...needs, ...(images ? ['images'] : [])].join(', ') || 'nothing'}`, () => {
    assert.deepEqual(needsOf(file), { bundles: needs, images });
  });
}

test('Kubernetes is needed by the tests of nodes and of its API, and by those that share the table of refusals with one', () => {
  const files = globSync('tests/{real,faults}/**/*.test.ts', { cwd: root });
  const needing = files.filter((file) => needsOf(file).bundles.includes('kubernetes'));
  assert.deepEqual(needing.toSorted(), [
    'tests/faults/kube-many-pods.test.ts',
    'tests/real/cluster-nodes.test.ts',
    'tests/real/cluster.test.ts',
    'tests/real/kube-detect.test.ts',
    'tests/real/kube-policies.test.ts',
    'tests/real/kube-validators.test.ts',
    'tests/real/kube-walkthroughs.test.ts',
    'tests/real/readme-node.test.ts',
    'tests/real/refusals-clients.test.ts',
    'tests/real/refusals-docker.test.ts',
    'tests/real/refusals-node.test.ts',
  ]);
});

test('all tests together need every bundle but the one of the bench', () => {
  const all = globSync('tests/{real,faults}/**/*.test.ts', { cwd: root });
  const others = Object.keys(bundles).filter((name) => name !== 'zot');
  assert.deepEqual(needsOf(...all), { bundles: others, images: true });
});
