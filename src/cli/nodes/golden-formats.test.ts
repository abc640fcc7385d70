// Formats that no tool here reads: their files as they were compared with the documentation of what reads them.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createRecordingTerminal } from '../../../tests/support/rigs/recording-terminal.ts';
import { runProgram } from '../program.ts';

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
    const terminal = createRecordingTerminal({ cwd: folder });
    const parts = { serve: () => Promise.resolve(0), inspections: () => Promise.resolve([]) };
    const given = ['nodes', 'generate', name, '--mapping', 'mapping.yaml', ...words];
    assert.equal(await runProgram(given, parts, terminal), 0, terminal.written.err);
    const golden = new URL(`golden/${name}.txt`, import.meta.url);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, terminal.written.out);
    assert.equal(terminal.written.out, readFileSync(golden, 'utf8'));
  });
