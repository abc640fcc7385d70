import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, after, suite, test } from 'node:test';
import { createRecordingTerminal } from '../../../tests/support/rigs/recording-terminal.ts';
import type { EndedCommand } from '../../../tests/support/rigs/run-command-line.ts';
import { runCommandLine } from '../../../tests/support/rigs/run-command-line.ts';
import { runProgram } from '../program.ts';

const root = mkdtempSync(join(tmpdir(), 'breakwater-rewrite-'));
after(() => rmSync(root, { recursive: true }));
let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'run-'));
});

async function rewrite(words: readonly string[], input = ''): Promise<EndedCommand> {
  return runCommandLine(['rewrite', '-q', ...words], { input, cwd: folder });
}

function put(path: string, text: string | Buffer): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const host = ['--registry-host', 'r.example.com'];
const pod = (image: string): string => `kind: Pod\r\nspec: {containers: [{image: "${image}"}]} # c`;
const hub = 'r.example.com/docker.io/library';

test('A file and stdin go to stdout, byte for byte but for references.', async () => {
  put('a.yaml', pod('nginx:1'));
  const expected = { exit: 0, out: pod(`${hub}/nginx:1`), err: '' };
  assert.deepEqual(await rewrite(['a.yaml', ...host]), expected);
  assert.deepEqual(await rewrite(['-f', 'a.yaml', ...host]), expected);
  assert.deepEqual(await rewrite(['-f', '-', ...host], pod('nginx:1')), expected);
  assert.deepEqual(await rewrite([...host], pod('nginx:1')), expected);
  assert.equal(readFileSync(join(folder, 'a.yaml'), 'utf8'), pod('nginx:1'));
});

test('--in-place replaces what changes, keeps the mode, and touches nothing else.', async () => {
  const changed = put('k8s/a.yaml', pod('nginx:1'));
  const kept = put(
    'k8s/sub/b.json',
    '{"kind":"Pod","spec":{"containers":[{"image":"r.example.com/x:1"}]}}',
  );
  put('k8s/readme.txt', 'image: nginx:1');
  put('k8s/.git/c.yaml', pod('nginx:1'));
  put('k8s/node_modules/d.yaml', pod('nginx:1'));
  put('k8s/binary.yaml', Buffer.from([0x6b, 0, 1]));
  chmodSync(changed, 0o640);
  const before = statSync(kept).mtimeMs;
  const { exit, out } = await rewrite(['k8s/', '--in-place', '-o', 'name', ...host]);
  assert.deepEqual({ exit, out }, { exit: 0, out: 'k8s/a.yaml:2:30\n' });
  assert.equal(readFileSync(changed, 'utf8'), pod(`${hub}/nginx:1`));
  assert.equal(statSync(changed).mode & 0o777, 0o640);
  assert.equal(statSync(kept).mtimeMs, before);
  assert.equal(readFileSync(join(folder, 'k8s/.git/c.yaml'), 'utf8'), pod('nginx:1'));
  assert.deepEqual(readdirSync(join(folder, 'k8s')).toSorted(), [
    '.git',
    'a.yaml',
    'binary.yaml',
    'node_modules',
    'readme.txt',
    'sub',
  ]);
});

test('--check writes nothing and ends with 10 until nothing is to change.', async () => {
  const file = put('a.yaml', pod('nginx:1'));
  const { exit, out } = await rewrite(['.', '--check', '--no-headers', ...host]);
  assert.equal(exit, 10);
  assert.equal(out, `./a.yaml:2:30  changes  nginx:1  ${hub}/nginx:1\n`);
  assert.equal(readFileSync(file, 'utf8'), pod('nginx:1'));
  await rewrite(['.', '--in-place', ...host]);
  assert.equal((await rewrite(['.', '--check', ...host])).exit, 0);
});

test('--diff is what git applies to the same bytes.', async () => {
  const file = put('k8s/a.yaml', `${'# x\r\n'.repeat(20)}${pod('nginx:1')}`);
  put('k8s/b.yaml', `${pod('redis:7')}\n`);
  const { exit, out } = await rewrite(['k8s', '--diff', ...host]);
  assert.equal(exit, 0);
  const applied = spawnSync('git', ['apply', '--unsafe-paths', '-'], { cwd: folder, input: out });
  assert.equal(applied.status, 0, applied.stderr.toString());
  assert.equal(readFileSync(file, 'utf8'), `${'# x\r\n'.repeat(20)}${pod(`${hub}/nginx:1`)}`);
  assert.equal(readFileSync(join(folder, 'k8s/b.yaml'), 'utf8'), `${pod(`${hub}/redis:7`)}\n`);
});

test('W3.3: k8s.gcr.io becomes registry.k8s.io with no cache at all.', async () => {
  const { out } = await rewrite(
    ['--from', 'k8s.gcr.io', '--to', 'registry.k8s.io'],
    pod('k8s.gcr.io/pause:3.9'),
  );
  assert.equal(out, pod('registry.k8s.io/pause:3.9'));
});

test('--moved moves what is known to have moved, and with a registry goes through it.', async () => {
  const old = pod('gcr.io/kubebuilder/kube-rbac-proxy:v0.16.0');
  const { out } = await rewrite(['--moved'], old);
  assert.equal(out, pod('registry.k8s.io/kubebuilder/kube-rbac-proxy:v0.16.0'));
  const through = await rewrite(['--moved', ...host], old);
  assert.equal(
    through.out,
    pod('r.example.com/registry.k8s.io/kubebuilder/kube-rbac-proxy:v0.16.0'),
  );
});

test('--revert goes back, and says what can’t be told.', async () => {
  const { out } = await rewrite(['--revert', ...host], pod('r.example.com/quay.io/a/b:1'));
  assert.equal(out, pod('quay.io/a/b:1'));
  const terminal = createRecordingTerminal({
    input: () => Promise.resolve(pod('r.example.com/registry.k8s.io/pause:3.9')),
  });
  const parts = { serve: () => Promise.resolve(0), inspections: () => Promise.resolve([]) };
  await runProgram(['rewrite', '--revert', ...host], parts, terminal);
  assert.match(terminal.written.err, /k8s\.gcr\.io/);
});

test('--chart decides what has no registry beside it; in the chart’s own folder it is known.', async () => {
  const values = 'image: {repository: grafana/grafana, tag: "11"}\n';
  put('charts/g/Chart.yaml', 'apiVersion: v2\nname: g\nversion: 1.0.0\n');
  put('charts/g/values.yaml', values);
  put(
    'charts/g/templates/a.yaml',
    'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n',
  );
  put('mine.values.yaml', values);
  const after = values.replace('grafana/', 'r.example.com/docker.io/grafana/');
  assert.equal((await rewrite(['mine.values.yaml', ...host])).out, values);
  const given = await rewrite(['mine.values.yaml', '--chart', 'charts/g', ...host]);
  assert.equal(given.out, after);
  assert.equal((await rewrite(['charts/g/values.yaml', ...host])).out, after);
  const none = await rewrite(['mine.values.yaml', '--chart', 'charts', ...host]);
  assert.equal(none.exit, 2);
  assert.match(none.err, /holds no chart/);
});

suite('A name that a kustomization looks for', () => {
  const base = 'images:\n- name: nginx\n  newTag: "2"\n- name: redis\n  newName: quay.io/x/redis\n';
  const putApp = (resources: string): void => {
    put('app/kustomization.yaml', `resources: ${resources}\n${base}`);
    put('base/kustomization.yaml', 'resources: [a.yaml, b.yaml]\n');
    put('base/a.yaml', pod('nginx:1'));
    put('base/b.yaml', pod('redis'));
  };
  const read = (): string => readFileSync(join(folder, 'app/kustomization.yaml'), 'utf8');
  const followed = base
    .replace('name: nginx', `name: ${hub}/nginx`)
    .replace('name: redis', `name: ${hub}/redis`)
    .replace('quay.io', 'r.example.com/quay.io');
  const stayed = base.replace('quay.io', 'r.example.com/quay.io');

  test('follows the resources that are renamed with it.', async () => {
    putApp('[../base]');
    assert.equal((await rewrite(['.', '--in-place', ...host])).exit, 0);
    assert.equal(read(), `resources: [../base]\n${followed}`);
  });

  test('follows resources that were renamed before.', async () => {
    putApp('[../base]');
    await rewrite(['base', '--in-place', ...host]);
    await rewrite(['app', '--in-place', ...host]);
    assert.equal(read(), `resources: [../base]\n${followed}`);
  });

  test('stays where the resources stay, and is told where nothing else sets the image.', async () => {
    putApp('[../base]');
    const { out } = await rewrite(['app', '--in-place', '--no-headers', ...host]);
    assert.equal(read(), `resources: [../base]\n${stayed}`);
    assert.match(out, /stays +nginx:2 /);
    assert.doesNotMatch(out, /stays +redis/);
  });

  test('stays where the resources are elsewhere.', async () => {
    putApp('[https://example.com/base, ./nowhere]');
    await rewrite(['.', '--in-place', ...host]);
    assert.equal(read(), `resources: [https://example.com/base, ./nowhere]\n${stayed}`);
  });
});

suite('Links', () => {
  test('are followed inside the folder, and the file that they lead to is replaced once.', async () => {
    const file = put('k8s/real/a.yaml', pod('nginx:1'));
    symlinkSync('real/a.yaml', join(folder, 'k8s/a.yaml'));
    symlinkSync('..', join(folder, 'k8s/real/up'));
    const { exit, out } = await rewrite(['k8s', '--in-place', '-o', 'name', ...host]);
    assert.deepEqual({ exit, out }, { exit: 0, out: 'k8s/a.yaml:2:30\n' });
    assert.equal(readFileSync(file, 'utf8'), pod(`${hub}/nginx:1`));
    assert.ok(statSync(join(folder, 'k8s/a.yaml')).isFile());
  });

  test('never lead out of the folder.', async () => {
    const outside = put('outside.yaml', pod('nginx:1'));
    put('k8s/a.yaml', pod('redis:7'));
    symlinkSync('../outside.yaml', join(folder, 'k8s/out.yaml'));
    symlinkSync('nowhere.yaml', join(folder, 'k8s/dead.yaml'));
    const { exit, err } = await rewrite(['k8s', '--in-place', ...host]);
    assert.equal(exit, 7);
    assert.match(
      err,
      /^error: k8s\/dead\.yaml: .*link.*\nerror: k8s\/out\.yaml: .*out of the folder\n$/,
    );
    assert.equal(readFileSync(outside, 'utf8'), pod('nginx:1'));
  });

  test('a file that is named itself may be one.', async () => {
    const outside = put('outside.yaml', pod('nginx:1'));
    mkdirSync(join(folder, 'k8s'));
    symlinkSync('../outside.yaml', join(folder, 'k8s/out.yaml'));
    assert.equal((await rewrite(['k8s/out.yaml', '--in-place', ...host])).exit, 0);
    assert.equal(readFileSync(outside, 'utf8'), pod(`${hub}/nginx:1`));
  });
});

test('A file that can’t be read is told with its line, the others are done, and the end is 7.', async () => {
  put('k8s/a.yaml', pod('nginx:1'));
  const bad = put('k8s/b.yaml', 'a: 1\nb: c: d\n');
  put('k8s/c.yaml', Buffer.from('a: \xff\n', 'latin1'));
  const { exit, err } = await rewrite(['k8s', '--in-place', ...host]);
  assert.equal(exit, 7);
  assert.match(
    err,
    /^error: k8s\/b\.yaml:2:4: Nested mappings .*\nerror: k8s\/c\.yaml: it is no UTF-8\n$/,
  );
  assert.equal(readFileSync(join(folder, 'k8s/a.yaml'), 'utf8'), pod(`${hub}/nginx:1`));
  assert.equal(readFileSync(bad, 'utf8'), 'a: 1\nb: c: d\n');
});

test('Of a text that can’t be read whole nothing goes to stdout, since what reads on would apply the rest as it was.', async () => {
  const text = `${pod('nginx:1')}\r\n---\r\na: [\r\n`;
  put('a.yaml', text);
  for (const words of [
    ['-', ...host],
    ['a.yaml', ...host],
  ]) {
    const { exit, out, err } = await rewrite(words, text);
    assert.deepEqual([exit, out], [1, '']);
    assert.match(err, /^error: (?:stdin|a\.yaml):\d+:\d+: /);
  }
});

for (const [title, words, exit, error] of [
  ['a folder without a way to show it', ['k8s', ...host], 2, /one file alone goes to stdout/],
  ['a path that is not there', ['k8s', 'nope', '--in-place', ...host], 3, /nope is not there/],
  ['stdin in place', ['-', '--in-place', ...host], 2, /stdin can’t be replaced/],
  ['stdin and a file', ['-', 'k8s', ...host], 2, /can’t be read together/],
  ['--from alone', ['k8s', '--check', '--from', 'k8s.gcr.io'], 2, /belong together/],
  [
    '--from without a host',
    ['k8s', '--check', '--from', 'bitnami', '--to', 'a.io'],
    2,
    /--from bitnami is no host/,
  ],
  ['--check and --diff', ['k8s', '--check', '--diff', ...host], 2, /cannot be used/],
  ['--moved and --revert', ['k8s', '--check', '--moved', '--revert'], 2, /can’t be moved back/],
  ['no host of ours', ['k8s', '--check'], 2, /no host is known/],
] as const)
  test(`Refused, and nothing is written: ${title}.`, async () => {
    const file = put('k8s/a.yaml', pod('nginx:1'));
    put('k8s/b.yaml', pod('nginx:1'));
    const ended = await rewrite(words);
    assert.equal(ended.exit, exit);
    assert.match(ended.err, error);
    assert.equal(readFileSync(file, 'utf8'), pod('nginx:1'));
  });
