// What isn't an image, pushed to a Breakwater with TLS: regctl's artifacts, helm's charts, cosign's signatures; and containerd pulls as a user.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CorpusName } from '../support/samples/images.ts';
import { startProcess } from '../support/processes/process.ts';
import { setTlsScene } from '../support/processes/tls-scene.ts';
import type { TlsScene } from '../support/processes/tls-scene.ts';

/** Pushes an image of the corpus and answers its name with its digest. */
async function pushByRegctl(
  s: TlsScene<'regctl'>,
  name: CorpusName,
  repository: string,
): Promise<string> {
  const image = s.image(name);
  const pushed = `${s.breakwater.host}/${repository}`;
  await s.run('regctl', ['registry', 'set', s.registry.host, '--tls', 'disabled']);
  await s.run('regctl', ['registry', 'set', s.breakwater.host, '--cacert', s.caFile]);
  const login = ['registry', 'login', s.breakwater.host, '-u', s.user, '--pass-stdin'];
  await s.run('regctl', login, s.password);
  const source = `${s.registry.host}/${image.repository}:${image.tag}`;
  await s.run('regctl', ['image', 'copy', source, `${pushed}:1`]);
  return `${pushed}@${image.digest}`;
}

test('regctl copies an image in and puts an artifact about it, which its referrers list.', async (t) => {
  const s = await setTlsScene(t, ['regctl']);
  if (s === undefined) return;
  const name = await pushByRegctl(s, 'single', 'team/app');
  assert.equal(
    (await s.run('regctl', ['image', 'digest', `${s.breakwater.host}/team/app:1`])).trim(),
    s.image('single').digest,
  );
  const bom = '{"spdxVersion":"SPDX-2.3"}\n';
  for (const type of ['application/spdx+json', 'application/vnd.example.note'])
    await s.run('regctl', ['artifact', 'put', '--artifact-type', type, '--subject', name], bom);
  const listed = await s.run('regctl', ['artifact', 'list', name, '--format', '{{json .}}']);
  const { descriptors } = JSON.parse(listed) as {
    descriptors: { artifactType: string; digest: string }[];
  };
  assert.deepEqual(descriptors.map((each) => each.artifactType).toSorted(), [
    'application/spdx+json',
    'application/vnd.example.note',
  ]);
  const filter = ['--filter-artifact-type', 'application/spdx+json', '--format', '{{json .}}'];
  const some = await s.run('regctl', ['artifact', 'list', name, ...filter]);
  assert.equal((JSON.parse(some) as { descriptors: unknown[] }).descriptors.length, 1);
  const get = ['artifact', 'get', '--subject', name];
  const got = await s.run('regctl', [...get, '--filter-artifact-type', 'application/spdx+json']);
  assert.equal(got, bom);
  const tags = await s.run('regctl', ['tag', 'list', `${s.breakwater.host}/team/app`]);
  assert.equal(tags.trim(), '1');
});

test('regctl copies an index with all of its platforms and its referrers to another repository.', async (t) => {
  const s = await setTlsScene(t, ['regctl']);
  if (s === undefined) return;
  const name = await pushByRegctl(s, 'index', 'team/app');
  const type = 'application/vnd.example.note';
  await s.run('regctl', ['artifact', 'put', '--artifact-type', type, '--subject', name], 'note');
  const other = `${s.breakwater.host}/team/other`;
  await s.run('regctl', ['image', 'copy', '--referrers', name, `${other}:2`]);
  const digest = await s.run('regctl', ['image', 'digest', `${other}:2`]);
  assert.equal(digest.trim(), s.image('index').digest);
  const format = ['--format', '{{len .Descriptors}}'];
  const listed = await s.run('regctl', ['artifact', 'list', `${other}:2`, ...format]);
  assert.equal(listed.trim(), '1');
});

test('helm logs in, pushes a chart, shows it and pulls the same bytes.', async (t) => {
  const s = await setTlsScene(t, ['helm']);
  if (s === undefined) return;
  const login = ['registry', 'login', s.breakwater.host, '-u', s.user, '--password-stdin'];
  const trust = ['--ca-file', s.caFile];
  await s.run('helm', [...login, ...trust], s.password);
  await s.run('helm', ['create', 'lighthouse']);
  await s.run('helm', ['package', 'lighthouse', '--version', '1.2.3+build.4']);
  const packed = join(s.folder, 'lighthouse-1.2.3+build.4.tgz');
  const charts = `oci://${s.breakwater.host}/charts`;
  await s.run('helm', ['push', packed, charts, ...trust]);
  const version = ['--version', '1.2.3+build.4'];
  const shown = await s.run('helm', [
    'show',
    'chart',
    `${charts}/lighthouse`,
    ...version,
    ...trust,
  ]);
  assert.match(shown, /^name: lighthouse$/m);
  const into = join(s.folder, 'pulled');
  await mkdir(into);
  await s.run('helm', ['pull', `${charts}/lighthouse`, ...version, ...trust, '-d', into]);
  const pulled = await readFile(join(into, 'lighthouse-1.2.3+build.4.tgz'));
  assert.ok(pulled.equals(await readFile(packed)));
});

test('cosign signs an image with a key, and verifies it with that key and no other.', async (t) => {
  const s = await setTlsScene<'cosign' | 'regctl'>(t, ['cosign', 'regctl']);
  if (s === undefined) return;
  const name = await pushByRegctl(s, 'single', 'team/app');
  await s.run('cosign', ['login', s.breakwater.host, '-u', s.user, '--password-stdin'], s.password);
  for (const prefix of ['mine', 'other'])
    await s.run('cosign', ['generate-key-pair', '--output-key-prefix', prefix]);
  // No transparency log, no timestamps: both of these are empty.
  await s.run('cosign', ['signing-config', 'create', '--out', 'signing.json']);
  await s.run('cosign', ['trusted-root', 'create', '--out', 'root.json']);
  const trust = ['--trusted-root', 'root.json', '--insecure-ignore-tlog'];
  const sign = ['sign', '--yes', '--key', 'mine.key', '--signing-config', 'signing.json'];
  await s.run('cosign', [...sign, name]);
  const verified = await s.run('cosign', ['verify', '--key', 'mine.pub', ...trust, name]);
  assert.ok(verified.includes(s.image('single').digest));
  const refused = await s.attempt('cosign', ['verify', '--key', 'other.pub', ...trust, name]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /no matching|invalid|failed to verify/i);
});

test('ctr fetches a pushed image as a user, and nothing without one.', async (t) => {
  const s = await setTlsScene<'regctl' | 'ctr' | 'containerd'>(t, ['regctl', 'ctr', 'containerd']);
  if (s === undefined) return;
  await pushByRegctl(s, 'index', 'team/app');
  const { config, address } = await configureContainerd(s.folder);
  const daemon = startProcess(s.paths.containerd, ['--config', config]);
  t.after(() => daemon.stop());
  await daemon.waitFor(/containerd successfully booted/, 30_000);
  const fetch = ['content', 'fetch', '--all-platforms', '--tlscacert', s.caFile];
  const reference = `${s.breakwater.host}/team/app:1`;
  const refused = await s.attempt('ctr', [...address, ...fetch, reference]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /401|authorization failed|unauthorized/i);
  const user = ['--user', `${s.user}:${s.password}`];
  await s.run('ctr', [...address, ...fetch, ...user, reference]);
  const listed = await s.run('ctr', [...address, 'content', 'ls', '-q']);
  const { digest, children } = s.image('index');
  for (const each of [digest, ...children]) assert.ok(listed.includes(each), each);
});

/** Its configuration, written into the folder. */
async function configureContainerd(
  folder: string,
): Promise<{ readonly config: string; readonly address: readonly string[] }> {
  const socket = join(folder, 'c.sock');
  const config = join(folder, 'config.toml');
  await writeFile(
    config,
    `version = 3
root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`,
  );
  return { config, address: ['--address', socket] };
}
