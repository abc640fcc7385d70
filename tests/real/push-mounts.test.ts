// Clients copy an image from one repository to another by mounts, with registry tokens that reach no further than their scopes, and list the catalog.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/rigs/until.ts';
import { setTlsScene } from '../support/processes/tls-scene.ts';
import type { TlsScene } from '../support/processes/tls-scene.ts';

type Client = 'skopeo' | 'crane' | 'regctl' | 'podman' | 'buildah' | 'cosign';

const source = 'team/source';

interface Mounts {
  /** Runs the client, whose login is made already. */
  readonly run: (tool: Client, ...args: readonly string[]) => Promise<string>;
  readonly scene: TlsScene<Client>;
  readonly host: string;
}

/** A scene where the client has logged in, and an image is at `team/source:1`. */
async function withSource(
  t: Parameters<typeof setTlsScene>[0],
  client: Client,
): Promise<Mounts | undefined> {
  const s = await setTlsScene<Client>(t, client === 'skopeo' ? ['skopeo'] : ['skopeo', client]);
  if (s === undefined) return undefined;
  const { host } = s.breakwater;
  const login = ['login', '--cert-dir', s.certDir, '--username', s.user, '--password-stdin'];
  await s.run('skopeo', [...login, host], s.password);
  const { repository, tag } = s.image('single');
  const copy = ['--insecure-policy', 'copy', '--preserve-digests', '--src-tls-verify=false'];
  const from = `docker://${s.registry.host}/${repository}:${tag}`;
  await s.run('skopeo', [
    ...copy,
    '--dest-cert-dir',
    s.certDir,
    from,
    `docker://${host}/${source}:1`,
  ]);
  return { scene: s, host, run: (tool, ...args) => s.run(tool, args) };
}

/** How many blobs of the repository were mounted: a beginning that made one at once, as the log has it. */
function mountedIn({ scene }: Mounts, repository: string): number {
  const lines = scene.breakwater.logs().split('\n');
  return lines.filter((line) => {
    if (!line.startsWith('{')) return false;
    const { route, repo, status } = JSON.parse(line) as Record<string, unknown>;
    return route === 'uploads' && repo === repository && status === 201;
  }).length;
}

/** Every layer was mounted; some clients upload the config all the same. */
async function assertMounted(mounts: Mounts, repository: string): Promise<void> {
  const { scene } = mounts;
  const manifest = scene.bytesOf(scene.image('single').digest).toString('utf8');
  const { layers } = JSON.parse(manifest) as { layers: unknown[] };
  assert.ok(layers.length > 0);
  await until(() => {
    return mountedIn(mounts, repository) >= layers.length;
  }, `the log has the mounts to ${repository}`);
}

test('skopeo mounts what it copies across.', async (t) => {
  const mounts = await withSource(t, 'skopeo');
  if (mounts === undefined) return;
  const { host, run, scene } = mounts;
  const trust = ['--src-cert-dir', scene.certDir, '--dest-cert-dir', scene.certDir];
  const copy = ['--insecure-policy', 'copy', '--preserve-digests', ...trust];
  await run('skopeo', ...copy, `docker://${host}/${source}:1`, `docker://${host}/team/skopeo:1`);
  await assertMounted(mounts, 'team/skopeo');
});

test('crane mounts what it copies across, and lists the catalog.', async (t) => {
  const mounts = await withSource(t, 'crane');
  if (mounts === undefined) return;
  const { host, run } = mounts;
  await run('crane', 'copy', `${host}/${source}:1`, `${host}/team/crane:1`);
  await assertMounted(mounts, 'team/crane');
  assert.deepEqual((await run('crane', 'catalog', host)).trim().split('\n'), [
    'team/crane',
    source,
  ]);
});

test('regctl mounts what it copies across, and lists the catalog.', async (t) => {
  const mounts = await withSource(t, 'regctl');
  if (mounts === undefined) return;
  const { host, run, scene } = mounts;
  await run('regctl', 'registry', 'set', host, '--cacert', scene.caFile);
  await run('regctl', 'image', 'copy', `${host}/${source}:1`, `${host}/team/regctl:1`);
  await assertMounted(mounts, 'team/regctl');
  assert.deepEqual((await run('regctl', 'repo', 'ls', host)).trim().split('\n'), [
    'team/regctl',
    source,
  ]);
});

test('cosign mounts what it copies across.', async (t) => {
  const mounts = await withSource(t, 'cosign');
  if (mounts === undefined) return;
  const { host, run } = mounts;
  await run('cosign', 'copy', `${host}/${source}:1`, `${host}/team/cosign:1`);
  await assertMounted(mounts, 'team/cosign');
});

for (const engine of ['podman', 'buildah'] as const) {
  test(`${engine} mounts what it pulled from another repository.`, async (t) => {
    const mounts = await withSource(t, engine);
    if (mounts === undefined) return;
    const { host, scene } = mounts;
    const storage = ['--root', join(scene.folder, 'r'), '--runroot', join(scene.folder, 'rr')];
    const global = [...storage, '--storage-driver', 'vfs'];
    if ((await scene.attempt(engine, [...global, 'images'])).code !== 0) {
      t.skip(`${engine} has no storage here`);
      return;
    }
    const trust = ['--cert-dir', scene.certDir, '-q'];
    const image = `${host}/${source}:1`;
    await scene.run(engine, [...global, 'pull', ...trust, image]);
    const target = `docker://${host}/team/${engine}:1`;
    await scene.run(engine, [...global, 'push', ...trust, image, target]);
    await assertMounted(mounts, `team/${engine}`);
  });
}

test('podman searches the catalog with a token that it asks for anew.', async (t) => {
  const mounts = await withSource(t, 'podman');
  if (mounts === undefined) return;
  const { host, run } = mounts;
  const found = await run('podman', 'search', '--format', '{{.Name}}', `${host}/`);
  assert.equal(found.trim(), `${host}/${source}`);
});
