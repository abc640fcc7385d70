import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { EndedCommand } from '../../../tests/support/rigs/run-command-line.ts';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-k8s-'));
after(() => rmSync(folder, { recursive: true }));
const host = ['--registry-host', 'registry.example.com'];

async function generate(...words: readonly string[]): Promise<EndedCommand> {
  const argv = ['k8s', 'generate', 'mutating-policy', ...words];
  return runCommandLine(argv, { cwd: folder });
}

// oxlint-disable-next-line typescript/no-explicit-any -- objects are looked into
type Json = any;

async function objects(...words: readonly string[]): Promise<readonly Json[]> {
  const { out, err } = await generate(...words);
  assert.notEqual(out, '', err);
  return parseAllDocuments(out).map((document) => document.toJS() as Json);
}

test('Two policies and their bindings, for pods that are made and for debug containers that are added.', async () => {
  const found = await objects(...host);
  assert.deepEqual(
    found.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata.name]),
    [
      ['admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicy', 'breakwater-images'],
      ['admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicyBinding', 'breakwater-images'],
      ['admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicy', 'breakwater-debug-images'],
      [
        'admissionregistration.k8s.io/v1',
        'MutatingAdmissionPolicyBinding',
        'breakwater-debug-images',
      ],
    ],
  );
  assert.deepEqual(
    [
      found[0]?.spec.failurePolicy,
      found[0]?.spec.matchConstraints.resourceRules,
      found[2]?.spec.matchConstraints.resourceRules,
    ],
    [
      'Ignore',
      [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
      [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['UPDATE'],
          resources: ['pods/ephemeralcontainers'],
        },
      ],
    ],
  );
  assert.deepEqual(found[1]?.spec, {
    policyName: 'breakwater-images',
    matchResources: {
      namespaceSelector: {
        matchExpressions: [
          { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system'] },
        ],
      },
    },
  });
});

test('It says by what command it was made, with what was given.', async () => {
  const words = [...host, '--namespace-label', 'a.b/c=d', '--failure-policy', 'Fail'];
  const { out } = await generate(...words);
  const [first, second] = out.split('\n');
  assert.equal(first, `# Made by: breakwater k8s generate mutating-policy ${words.join(' ')}`);
  assert.match(second ?? '', /^# failurePolicy Fail: where an expression fails, a pod is refused;/);
  assert.deepEqual(
    (await objects(...words))[1]?.spec.matchResources.namespaceSelector.matchLabels,
    { 'a.b/c': 'd' },
  );
});

test('A mapping file says in which namespaces.', async () => {
  writeFileSync(
    join(folder, 'm.yaml'),
    'registryHost: a.b\nnamespaces: {include: [web], exclude: [x, y]}\n',
  );
  const [, binding] = await objects('--mapping', 'm.yaml');
  const key = 'kubernetes.io/metadata.name';
  assert.deepEqual(binding?.spec.matchResources.namespaceSelector.matchExpressions, [
    { key, operator: 'In', values: ['web'] },
    { key, operator: 'NotIn', values: ['x', 'y'] },
  ]);
});

test('1.34 and 1.35 have the beta form; --static has names of its own.', async () => {
  const [beta] = await objects(...host, '--kubernetes-version', '1.35.2');
  assert.equal(beta?.apiVersion, 'admissionregistration.k8s.io/v1beta1');
  const [policy, binding] = await objects(...host, '--static');
  assert.deepEqual(
    [policy?.metadata.name, binding?.metadata.name, binding?.spec.policyName],
    Array.from({ length: 3 }, () => 'breakwater-images.static.k8s.io'),
  );
  assert.match(
    (await generate(...host, '--static')).out,
    /^# ManifestBasedAdmissionControlConfig/m,
  );
});

test('JSON is a List.', async () => {
  const { out } = await generate(...host, '-o', 'json');
  const { kind, items } = JSON.parse(out) as Json;
  assert.deepEqual([kind, items.length], ['List', 4]);
});

test('--check ends with 0 where the file is as it would be, with 10 and its line where not, and with 3 where it is not there.', async () => {
  const { out } = await generate(...host);
  writeFileSync(join(folder, 'policy.yaml'), out);
  assert.deepEqual(await generate(...host, '--check', 'policy.yaml'), {
    exit: 0,
    out: '',
    err: 'by the built-in rules\n',
  });
  writeFileSync(join(folder, 'policy.yaml'), out.replace('quay.io', 'quay.example'));
  const other = await generate(...host, '--check', 'policy.yaml');
  assert.deepEqual([other.exit, other.out], [10, '']);
  assert.match(other.err, /policy\.yaml:\d+: would be another now; write it anew without --check/);
  writeFileSync(join(folder, 'policy.yaml'), `${out}x`);
  assert.equal((await generate(...host, '--check', 'policy.yaml')).exit, 10);
  assert.equal((await generate(...host, '--check', 'nope.yaml')).exit, 3);
});

const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'a cluster that is too old',
    ['--kubernetes-version', '1.30'],
    /hint: it is beta in 1\.34 and 1\.35/,
  ],
  ['what is no version', ['--kubernetes-version', 'new'], /not a version: new/],
  [
    '--static of a version without it',
    ['--kubernetes-version', '1.35', '--static'],
    /has no folder of its own/,
  ],
  ['what is no label', ['--namespace-label', 'a b=c'], /not a label: a b=c/],
  ['a label without a value', ['--namespace-label', 'abc'], /not a label: abc/],
];
for (const [that, words, is] of refused)
  test(`Refused: ${that}.`, async () => {
    const { exit, out, err } = await generate(...host, ...words);
    assert.deepEqual([exit, out], [2, '']);
    assert.match(err, is);
  });

test('Rules that an expression can’t hold are refused before the API server does it.', async () => {
  const rules = Array.from(
    { length: 2000 },
    (_, index) =>
      `  - {prefix: prefix-number-${index}, upstream: registry-number-${index}.example.com}\n`,
  );
  writeFileSync(join(folder, 'many.yaml'), `registryHost: a.b\nrules:\n${rules.join('')}`);
  const { exit, err } = await generate('--mapping', 'many.yaml');
  assert.equal(exit, 2);
  assert.match(
    err,
    /the mapping is too large for a policy\ncause: 2000 lines of a mapping make an expression "lines" of \d+ characters; the API server reads 100000\nhint: name fewer rules/,
  );
});
