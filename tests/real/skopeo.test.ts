// skopeo through a running Breakwater: the path form of names, and mirrors of registries.conf.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import type { CorpusName } from '../support/samples/images.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene, SceneOptions } from '../support/processes/scene.ts';
import { findTool, runCommand } from '../support/tools/tools.ts';

interface Skopeo extends Scene {
  readonly folder: string;
  run(...args: readonly string[]): Promise<string>;
  /** Copies into a new folder and answers its path. */
  copy(source: string, ...flags: readonly string[]): Promise<string>;
}

let copies = 0;

async function withSkopeo(t: TestContext, options: SceneOptions = {}): Promise<Skopeo | undefined> {
  const tool = await findTool('skopeo');
  if ('missing' in tool) {
    t.skip(tool.missing);
    return undefined;
  }
  const scene = await setScene(t, options);
  if (scene === undefined) return undefined;
  const folder = await makeRunFolder('skopeo');
  t.after(() => removeRunFolder(folder));
  const registriesConf = join(folder, 'registries.conf');
  await writeFile(registriesConf, '');
  const run = async (...args: readonly string[]): Promise<string> => {
    const global = ['--insecure-policy', '--registries-conf', registriesConf, '--tmpdir', folder];
    const result = await runCommand(tool.path, [...global, ...args], { env: { HOME: folder } });
    assert.equal(result.code, 0, `skopeo ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  return {
    ...scene,
    folder,
    run,
    async copy(source, ...flags) {
      const to = join(folder, `copy-${copies++}`);
      await run('copy', '--src-tls-verify=false', ...flags, source, `dir:${to}`);
      return to;
    },
  };
}

/** The folder holds exactly the image's manifest, config and layers. */
async function assertCopied(scene: Scene, folder: string, digest: string): Promise<void> {
  const manifest = await readFile(join(folder, 'manifest.json'));
  assert.deepEqual(manifest, scene.bytesOf(digest));
  const parsed = JSON.parse(manifest.toString('utf8')) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  for (const each of [parsed.config, ...parsed.layers]) {
    const bytes = await readFile(join(folder, each.digest.slice('sha256:'.length)));
    assert.ok(bytes.equals(scene.bytesOf(each.digest)), each.digest);
  }
}

test('A tag through one rule comes whole, is stored, and is served again with the upstream down.', async (t) => {
  const s = await withSkopeo(t, { behaviour: publicRegistries.dockerHub });
  if (s === undefined) return;
  const source = `docker://${s.breakwater.host}/docker.io/library/busybox:single`;
  const image = s.image('single');
  await assertCopied(s, await s.copy(source), image.digest);
  assert.equal(s.front.count({ kind: 'manifest', method: 'GET', status: 200 }), 1);
  assert.equal(s.front.count({ kind: 'redirected', method: 'GET' }), image.blobs.length);
  assert.equal(
    s.front.bytes({ kind: 'redirected' }),
    image.blobs.reduce((sum, blob) => sum + blob.size, 0),
  );
  assert.equal(s.front.count({ kind: 'token' }), 1);
  await s.front.down();
  s.front.clear();
  await assertCopied(s, await s.copy(source), image.digest);
  assert.equal(s.front.count(), 0);
});

test('An index comes with all of its platforms, and nothing is fetched twice.', async (t) => {
  const s = await withSkopeo(t);
  if (s === undefined) return;
  const source = `docker://${s.breakwater.host}/docker.io/library/busybox:1.36`;
  const folder = await s.copy(source, '--all');
  const image = s.image('index');
  assert.deepEqual(await readFile(join(folder, 'manifest.json')), s.bytesOf(image.digest));
  for (const child of image.children) {
    const bytes = await readFile(join(folder, `${child.slice('sha256:'.length)}.manifest.json`));
    assert.deepEqual(bytes, s.bytesOf(child));
    assert.equal(s.front.count({ kind: 'manifest', method: 'GET', path: child }), 1);
  }
  assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 4);
});

const rawNames = [
  'single',
  'index',
  'dockerImage',
  'dockerList',
  'nested',
  'noMediaType',
  'foreign',
] as const satisfies readonly CorpusName[];

for (const name of rawNames) {
  test(`The exact bytes of a manifest reach the client: ${name}.`, async (t) => {
    const s = await withSkopeo(t);
    if (s === undefined) return;
    const { repository, tag, digest } = s.image(name);
    const source = `docker://${s.breakwater.host}/docker.io/${repository}:${tag}`;
    const raw = await s.run('inspect', '--raw', '--tls-verify=false', source);
    assert.equal(raw, s.bytesOf(digest).toString('utf8'));
  });
}

test('docker-registry 2.8 as the upstream gives the same image.', async (t) => {
  const s = await withSkopeo(t, { registryKind: 'docker-registry' });
  if (s === undefined) return;
  const source = `docker://${s.breakwater.host}/docker.io/library/docker:image`;
  await assertCopied(s, await s.copy(source), s.image('dockerImage').digest);
});

test('registries.conf leads docker.io to the path form, and the short name gets its library/.', async (t) => {
  const s = await withSkopeo(t);
  if (s === undefined) return;
  await writeFile(
    join(s.folder, 'registries.conf'),
    `[[registry]]
prefix = "docker.io"
location = "${s.breakwater.host}/docker.io"
insecure = true
`,
  );
  const folder = await s.copy('docker://busybox:single');
  await assertCopied(s, folder, s.image('single').digest);
  assert.ok(s.front.count({ path: '/v2/library/busybox/' }) > 0);
  assert.equal(s.front.count({ path: '/library/library/' }), 0);
});

test('A [[registry.mirror]] is asked by its path and answers before the location.', async (t) => {
  const s = await withSkopeo(t);
  if (s === undefined) return;
  await writeFile(
    join(s.folder, 'registries.conf'),
    `[[registry]]
prefix = "docker.io"
location = "127.0.0.1:9/nowhere"
insecure = true
[[registry.mirror]]
location = "${s.breakwater.host}/docker.io"
insecure = true
`,
  );
  const folder = await s.copy('docker://docker.io/library/busybox:single');
  await assertCopied(s, folder, s.image('single').digest);
});

test('Tags are listed from upstream through the path form.', async (t) => {
  const s = await withSkopeo(t);
  if (s === undefined) return;
  const name = `docker://${s.breakwater.host}/docker.io/library/docker`;
  const listed = JSON.parse(await s.run('list-tags', '--tls-verify=false', name)) as {
    Tags: string[];
  };
  assert.deepEqual(listed.Tags.toSorted(), ['image', 'list']);
  assert.equal(s.front.count({ kind: 'tags' }), 1);
});
