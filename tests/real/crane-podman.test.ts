// crane, podman and buildah through a running Breakwater.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene, SceneOptions } from '../support/processes/scene.ts';
import { findTool, findTools, runCommand } from '../support/tools/tools.ts';
import type { ToolName } from '../support/tools/tools.ts';

interface Client extends Scene {
  readonly folder: string;
  run(...args: readonly string[]): Promise<string>;
}

async function withClient(
  t: TestContext,
  name: ToolName,
  options: SceneOptions = {},
): Promise<Client | undefined> {
  const tool = await findTool(name);
  if ('missing' in tool) {
    t.skip(tool.missing);
    return undefined;
  }
  const scene = await setScene(t, options);
  if (scene === undefined) return undefined;
  // podman takes no long path for its runroot.
  const folder = await mkdtemp(join(tmpdir(), 'bw-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return {
    ...scene,
    folder,
    async run(...args) {
      const result = await runCommand(tool.path, args, { env: { HOME: folder, TMPDIR: folder } });
      assert.equal(result.code, 0, `${name} ${args.join(' ')}: ${result.stderr}`);
      return result.stdout;
    },
  };
}

test('crane validates an image pulled through Breakwater, layers and all.', async (t) => {
  const s = await withClient(t, 'crane', { behaviour: publicRegistries.ghcr });
  if (s === undefined) return;
  const name = `${s.breakwater.host}/docker.io/library/busybox:1.36`;
  await s.run('validate', '--insecure', '--remote', name);
  assert.equal(s.front.count({ kind: 'redirected', method: 'GET' }), 4);
  const manifest = await s.run('manifest', '--insecure', name);
  assert.equal(manifest.trimEnd(), s.bytesOf(s.image('index').digest).toString('utf8').trimEnd());
  assert.equal(s.front.count({ kind: 'manifest', method: 'GET', status: 200 }), 3);
});

test('crane digest of a tag that is not held costs one upstream HEAD and no GET.', async (t) => {
  const s = await withClient(t, 'crane');
  if (s === undefined) return;
  const name = `${s.breakwater.host}/docker.io/library/busybox:1.36`;
  assert.equal((await s.run('digest', '--insecure', name)).trim(), s.image('index').digest);
  assert.equal(s.front.count({ kind: 'manifest', method: 'HEAD' }), 1);
  assert.equal(s.front.count({ kind: 'manifest', method: 'GET' }), 0);
  assert.equal((await s.run('digest', '--insecure', name)).trim(), s.image('index').digest);
  assert.equal(s.front.count({ kind: 'manifest' }), 1);
});

test('crane pulls an image of 219 MB into a tarball, in several ranges upstream.', async (t) => {
  const s = await withClient(t, 'crane');
  if (s === undefined) return;
  const tarball = join(s.folder, 'big.tar');
  await s.run('pull', '--insecure', `${s.breakwater.host}/docker.io/library/big:1`, tarball);
  await s.run('validate', '--tarball', tarball);
  const bytes = s.image('big').blobs.reduce((sum, blob) => sum + blob.size, 0);
  assert.equal(s.front.bytes({ kind: 'blob' }), bytes);
  const ranged = s.front.requests.filter((each) => each.headers.range !== undefined);
  assert.ok(ranged.length > 1);
});

for (const name of ['podman', 'buildah'] as const) {
  test(`${name} pulls into storage of its own, again with the upstream down.`, async (t) => {
    const s = await withClient(t, name);
    if (s === undefined) return;
    const policy = join(s.folder, 'policy.json');
    await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
    const reference = `${s.breakwater.host}/docker.io/library/busybox:1.36`;
    const pull = async (storage: string): Promise<string> => {
      const root = join(s.folder, storage);
      await mkdir(root, { recursive: true });
      const global = [
        '--root',
        join(root, 'r'),
        '--runroot',
        join(root, 'rr'),
        '--storage-driver',
        'vfs',
      ];
      const flags = ['--tls-verify=false', '--signature-policy', policy, '-q'];
      return (await s.run(...global, 'pull', ...flags, reference)).trim();
    };
    const works = await storageWorks(name, s.folder);
    if (works !== undefined) {
      t.skip(works);
      return;
    }
    const id = await pull('first');
    const child = s.bytesOf(s.image('index').children[process.arch === 'arm64' ? 1 : 0] ?? '');
    const config = (JSON.parse(child.toString('utf8')) as { config: { digest: string } }).config;
    assert.equal(id.split('\n').at(-1), config.digest.slice('sha256:'.length));
    assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 2);
    await s.front.down();
    s.front.clear();
    assert.equal(await pull('second'), id);
    assert.equal(s.front.count(), 0);
  });
}

/** Why containers' storage can't be used here, by asking for its state. */
async function storageWorks(
  name: 'podman' | 'buildah',
  folder: string,
): Promise<string | undefined> {
  const tools = await findTools(name);
  if ('missing' in tools) return tools.missing;
  const flags = ['--root', join(folder, 'try'), '--runroot', join(folder, 'try-run')];
  const args = [...flags, '--storage-driver', 'vfs', 'images'];
  const result = await runCommand(tools.paths[name], args, { env: { HOME: folder } });
  if (result.code === 0) return undefined;
  return `${name} has no storage here: ${result.stderr.trim().split('\n').at(-1) ?? ''}`;
}
