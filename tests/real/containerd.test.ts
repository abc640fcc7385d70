// containerd 2.4 through hosts.toml: one mirror URL with ?ns=, override_path, and the path before /v2.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import { startProcess } from '../support/processes/process.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene, SceneOptions } from '../support/processes/scene.ts';
import { findTool, findTools, runCommand } from '../support/tools/tools.ts';
import type { CommandResult } from '../support/tools/tools.ts';

interface Containerd extends Scene {
  readonly folder: string;
  /** Writes certs.d/HOST/hosts.toml. */
  hosts(host: string, toml: string): Promise<void>;
  ctr(...args: readonly string[]): Promise<CommandResult>;
  /** `ctr content fetch` through hosts.toml; throws where it fails. */
  fetch(reference: string, ...flags: readonly string[]): Promise<void>;
}

async function withContainerd(
  t: TestContext,
  options: SceneOptions = {},
  launcher: readonly string[] = [],
): Promise<Containerd | undefined> {
  const tools = await findTools('containerd', 'ctr');
  if ('missing' in tools) {
    t.skip(tools.missing);
    return undefined;
  }
  const scene = await setScene(t, options);
  if (scene === undefined) return undefined;
  const folder = await makeRunFolder('containerd');
  t.after(() => removeRunFolder(folder));
  const socket = join(folder, 'c.sock');
  const config = join(folder, 'config.toml');
  await writeFile(config, containerdConfig(folder, socket, launcher.length > 0));
  const command = [...launcher, tools.paths.containerd, '--config', config];
  const daemon = startProcess(command[0] ?? '', command.slice(1));
  t.after(() => daemon.stop());
  await daemon.waitFor(/containerd successfully booted/, 30_000);
  const certs = join(folder, 'certs.d');
  const ctr = async (...args: readonly string[]): Promise<CommandResult> =>
    await runCommand(tools.paths.ctr, ['--address', socket, ...args]);
  return {
    ...scene,
    folder,
    ctr,
    async hosts(host, toml) {
      await mkdir(join(certs, host), { recursive: true });
      await writeFile(join(certs, host, 'hosts.toml'), toml);
    },
    async fetch(reference, ...flags) {
      const result = await ctr('content', 'fetch', '--hosts-dir', certs, ...flags, reference);
      assert.equal(result.code, 0, `${result.stderr}\n${result.stdout}`);
    },
  };
}

function containerdConfig(folder: string, socket: string, mapped: boolean): string {
  const owner = mapped ? 0 : (process.getuid?.() ?? 0);
  const group = mapped ? 0 : (process.getgid?.() ?? 0);
  return `version = 3
root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
  uid = ${owner}
  gid = ${group}
[plugins."io.containerd.transfer.v1.local"]
  max_concurrent_downloads = 4
  concurrent_layer_fetch_buffer = 8388608
  [[plugins."io.containerd.transfer.v1.local".unpack_config]]
    platform = "linux"
    snapshotter = "native"
[ttrpc]
  address = "${socket}.ttrpc"
  uid = ${owner}
  gid = ${group}
`;
}

/** The server is nowhere, so that only the mirror can answer. */
function mirror(url: string, more = ''): string {
  return `server = "http://127.0.0.1:9"
[host."${url}"]
  capabilities = ["pull", "resolve"]
${more}`;
}

const forms = [
  { name: 'one URL for all registries and ?ns=', suffix: '', override: false },
  { name: 'override_path and /v2/docker.io', suffix: '/v2/docker.io', override: true },
  { name: 'the path before /v2', suffix: '/docker.io', override: false },
] as const;

for (const form of forms) {
  test(`containerd pulls by ${form.name}, and again with the upstream down.`, async (t) => {
    const s = await withContainerd(t, { behaviour: publicRegistries.dockerHub });
    if (s === undefined) return;
    const override = form.override ? '  override_path = true\n' : '';
    await s.hosts('docker.io', mirror(`${s.breakwater.url}${form.suffix}`, override));
    const reference = 'docker.io/library/busybox:1.36';
    await s.fetch(reference, '--all-platforms');
    const { digest, children } = s.image('index');
    const listed = await s.ctr('content', 'ls', '-q');
    for (const each of [digest, ...children]) assert.ok(listed.stdout.includes(each), each);
    assert.equal(s.front.count({ kind: 'manifest', method: 'GET', status: 200 }), 3);
    assert.equal(s.front.count({ kind: 'redirected', method: 'GET' }), 4);
    await s.front.down();
    s.front.clear();
    for (const each of listed.stdout.trim().split('\n')) await s.ctr('content', 'rm', each);
    await s.fetch(reference, '--all-platforms');
    assert.equal(s.front.count(), 0);
  });
}

test('ctr names docker.io/busybox without library/, and it is the same repository.', async (t) => {
  const s = await withContainerd(t);
  if (s === undefined) return;
  await s.hosts('docker.io', mirror(s.breakwater.url));
  await s.fetch('docker.io/busybox:1.36');
  const upstream = s.front.count({ kind: ['manifest', 'blob'] });
  assert.equal(s.front.count({ path: '/v2/busybox/' }), 0);
  for (const each of (await s.ctr('content', 'ls', '-q')).stdout.trim().split('\n')) {
    await s.ctr('content', 'rm', each);
  }
  await s.fetch('docker.io/library/busybox:1.36');
  assert.equal(s.front.count({ kind: ['manifest', 'blob'] }), upstream);
});

test('Two registries come through one mirror URL, told apart by ns.', async (t) => {
  const s = await withContainerd(t, {
    config: (front) => ({
      defaultRules: false,
      rules: [
        { prefix: 'docker.io', upstream: front.url },
        { prefix: 'registry.k8s.io', upstream: front.url },
      ],
    }),
  });
  if (s === undefined) return;
  await s.hosts('_default', mirror(s.breakwater.url));
  await s.fetch('registry.k8s.io/pause:3.9');
  await s.fetch('docker.io/library/hello:1');
  assert.ok(s.front.count({ path: '/v2/pause/' }) > 0);
  assert.ok(s.front.count({ path: '/v2/library/hello/' }) > 0);
  assert.equal(s.front.count({ path: '/v2/library/pause/' }), 0);
});

test('An unknown ns is 404 at the mirror, and containerd goes to the origin by itself.', async (t) => {
  const s = await withContainerd(t);
  if (s === undefined) return;
  await s.hosts(
    'example.invalid',
    `server = "${s.front.url}"\n[host."${s.breakwater.url}"]\n  capabilities = ["pull", "resolve"]\n`,
  );
  await s.fetch('example.invalid/library/busybox:1.36');
  assert.ok(
    s.front.requests.every((each) => (each.headers['user-agent'] ?? '').includes('containerd')),
  );
});

/** How to run a daemon where it may mount, or why it can't be. */
async function userNamespace(): Promise<{ launcher: readonly string[] } | { missing: string }> {
  const unshare = await findTool('unshare');
  if ('missing' in unshare) return unshare;
  const can = await runCommand(unshare.path, ['-Urm', 'true']);
  if (can.code !== 0) return { missing: `no user namespace here: ${can.stderr.trim()}` };
  return { launcher: [unshare.path, '-Urm'] };
}

const pulls = [
  { name: 'busybox', image: 'index', local: true, ranges: false },
  { name: 'a 219 MB layer by parallel ranges', image: 'big', local: false, ranges: true },
] as const;

for (const { name, image, local, ranges } of pulls) {
  test(`ctr images pull unpacks ${name}, and upstream sends each byte once.`, async (t) => {
    const namespace = await userNamespace();
    if ('missing' in namespace) {
      t.skip(namespace.missing);
      return;
    }
    const s = await withContainerd(t, {}, namespace.launcher);
    if (s === undefined) return;
    await s.hosts('docker.io', mirror(s.breakwater.url));
    const { repository, tag, digest, blobs } = s.image(image);
    const flags = ['--hosts-dir', join(s.folder, 'certs.d'), '--snapshotter', 'native'];
    if (local) flags.push('--local');
    const pulled = await s.ctr('images', 'pull', ...flags, `docker.io/${repository}:${tag}`);
    assert.equal(pulled.code, 0, `${pulled.stderr}\n${pulled.stdout}`);
    const images = await s.ctr('images', 'ls');
    assert.ok(images.stdout.includes(digest));
    const log = await s.breakwater.settledLogs();
    const partial = log.match(/"route":"blob".*"status":206/g) ?? [];
    assert.equal(partial.length > 1, ranges, `${partial.length} ranges`);
    if (blobs.length === 0) return;
    const bytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
    assert.equal(s.front.bytes({ kind: 'blob' }), bytes);
  });
}
