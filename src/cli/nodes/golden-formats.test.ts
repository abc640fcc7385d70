// Formats that no tool here reads: their files as they were compared with the documentation of what reads them.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-golden-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(
  join(folder, 'mapping.yaml'),
  'registryHost: cache.example.com:5000\nrules:\n  - {prefix: docker-hub, upstream: docker.io}\n  - {prefix: registry.k8s.io, upstream: registry.k8s.io}\n',
);
writeFileSync(join(folder, 'nodes.key'), 'AKIA:s3cret\n');

const key = ['--key-file', 'nodes.key'];
const alone = ['--no-fallback'];
const formats: readonly (readonly [string, readonly string[]])[] = [
  ['kubespray', key],
  ['kops', []],
  ['kubeadm', []],
  ['talos', [...key, ...alone]],
  ['bottlerocket', key],
  ['nodeadm', key],
  ['gke', key],
  ['kind', key],
  ['crio', key],
  ['rke2', [...key, ...alone]],
  ['credential-provider', []],
];

for (const [name, words] of formats)
  test(`${name} is what it was.`, async () => {
    const given = ['nodes', 'generate', name, '--mapping', 'mapping.yaml', ...words];
    const { exit, out, err } = await runCommandLine(given, { cwd: folder });
    assert.equal(exit, 0, err);
    const golden = new URL(`golden/${name}.txt`, import.meta.url);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, out);
    assert.equal(out, readFileSync(golden, 'utf8'));
  });
