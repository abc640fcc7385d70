import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { EndedCommand } from '../../../tests/support/rigs/run-command-line.ts';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-validating-'));
after(() => rmSync(folder, { recursive: true }));

async function generate(...words: readonly string[]): Promise<EndedCommand> {
  const argv = ['k8s', 'generate', 'validating-policy', ...words];
  return runCommandLine(argv, { cwd: folder });
}

// oxlint-disable-next-line typescript/no-explicit-any -- objects are looked into
type Json = any;

async function objects(...words: readonly string[]): Promise<readonly Json[]> {
  const { out, err } = await generate(...words);
  assert.notEqual(out, '', err);
  return parseAllDocuments(out).map((document) => document.toJS() as Json);
}

const host = ['--registry-host', 'registry.example.com'];

test('It warns, and refuses with --enforce.', async () => {
  const [policy, binding] = await objects(...host);
  assert.deepEqual(
    [policy?.kind, policy?.metadata.name, policy?.spec.validations[0].message],
    [
      'ValidatingAdmissionPolicy',
      'breakwater-only-from-registry',
      'images that are not from registry.example.com',
    ],
  );
  assert.deepEqual(
    [binding?.kind, binding?.spec.policyName, binding?.spec.validationActions],
    ['ValidatingAdmissionPolicyBinding', 'breakwater-only-from-registry', ['Warn', 'Audit']],
  );
  const [, enforced] = await objects(...host, '--enforce');
  assert.deepEqual(enforced?.spec.validationActions, ['Deny', 'Audit']);
});

test('--not-from takes no registry of ours, and another name.', async () => {
  const { out, err } = await generate(
    '--not-from',
    'K8S.gcr.io',
    '--not-from',
    'docker.io/bitnami',
    '--enforce',
  );
  assert.equal(err, '');
  assert.equal(
    out.split('\n')[0],
    '# Made by: breakwater k8s generate validating-policy --not-from K8S.gcr.io --not-from docker.io/bitnami --enforce',
  );
  assert.match(out, /^ {6}message: images from k8s\.gcr\.io, docker\.io\/bitnami$/m);
  assert.match(out, /^ {2}name: breakwater-not-from$/m);
});

test('A mapping file says in which namespaces, also where it says nothing else.', async () => {
  writeFileSync(join(folder, 'm.yaml'), 'registryHost: a.b\nnamespaces: {include: [web]}\n');
  const [, binding] = await objects('--not-from', 'k8s.gcr.io', '--mapping', 'm.yaml');
  assert.deepEqual(binding?.spec.matchResources.namespaceSelector.matchExpressions, [
    { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['web'] },
  ]);
});

test('--static names its plugin.', async () => {
  const { out } = await generate(...host, '--static');
  assert.match(
    out,
    /^# kind ValidatingAdmissionPolicyConfiguration of apiserver\.config\.k8s\.io\/v1/m,
  );
  assert.match(out, /^ {2}name: breakwater-only-from-registry\.static\.k8s\.io$/m);
});

for (const [that, words, is] of [
  [
    'what is no host',
    ['--not-from', 'bitnami'],
    /no registry and no part of one: bitnami\nhint: write it as/,
  ],
  ['a path with a tag', ['--not-from', 'docker.io/a:1'], /no part of one: docker\.io\/a:1/],
  ['a quote', ['--not-from', "docker.io/a'b"], /no part of one/],
  ['no registry at all', [], /no host is known that images could begin with/],
] as const)
  test(`Refused: ${that}.`, async () => {
    const { exit, out, err } = await generate(...words);
    assert.deepEqual([exit, out], [2, '']);
    assert.match(err, is);
  });
