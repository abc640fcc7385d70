// podman and buildah push to a Breakwater with TLS and pull again what they pushed.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { CorpusImage } from '../support/samples/images.ts';
import { setTlsScene } from '../support/processes/tls-scene.ts';
import type { TlsScene } from '../support/processes/tls-scene.ts';

type Engine = 'podman' | 'buildah';

interface EngineScene extends TlsScene<Engine> {
  /** In a storage of that name, with the flags that every command takes first. */
  engine(storage: string, ...args: readonly string[]): Promise<string>;
  readonly trust: readonly string[];
}

/** Skips where containers' storage can't be used, as told by asking for its images. */
async function withEngine(t: TestContext, name: Engine): Promise<EngineScene | undefined> {
  const s = await setTlsScene<Engine>(t, [name]);
  if (s === undefined) return undefined;
  const policy = join(s.folder, 'policy.json');
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const global = (storage: string): string[] => {
    const roots = ['--root', join(s.folder, storage, 'r'), '--runroot'];
    return [...roots, join(s.folder, storage, 'rr'), '--storage-driver', 'vfs'];
  };
  const tried = await s.attempt(name, [...global('try'), 'images']);
  if (tried.code !== 0) {
    t.skip(`${name} has no storage here: ${tried.stderr.trim().split('\n').at(-1) ?? ''}`);
    return undefined;
  }
  return {
    ...s,
    trust: ['--cert-dir', s.certDir, '--signature-policy', policy],
    engine: async (storage, ...args) => (await s.run(name, [...global(storage), ...args])).trim(),
  };
}

/** The config of an image names it in containers' storage. */
function idOf(s: EngineScene, image: CorpusImage): string {
  const manifest = JSON.parse(s.bytesOf(image.digest).toString('utf8')) as {
    config: { digest: string };
  };
  return manifest.config.digest.slice('sha256:'.length);
}

async function pullSource(s: EngineScene, storage: string, image: CorpusImage): Promise<string> {
  const source = `${s.registry.host}/${image.repository}:${image.tag}`;
  const flags = ['--tls-verify=false', ...s.trust.slice(2), '-q'];
  return (await s.engine(storage, 'pull', ...flags, source)).split('\n').at(-1) ?? '';
}

for (const name of ['podman', 'buildah'] as const) {
  test(`${name} logs in, pushes an image, and another machine's storage pulls it.`, async (t) => {
    const s = await withEngine(t, name);
    if (s === undefined) return;
    const image = s.image('single');
    const host = s.breakwater.host;
    const login = ['login', '--cert-dir', s.certDir, '--username', s.user, '--password-stdin'];
    const entered = await s.run(name, [...login, host], s.password);
    assert.match(entered, /Login Succeeded/);
    const id = await pullSource(s, 'first', image);
    assert.equal(id, idOf(s, image));
    await s.engine('first', 'push', ...s.trust, '-q', id, `docker://${host}/team/${name}:1`);
    await s.front.down();
    const pull = ['pull', ...s.trust, '-q', `${host}/team/${name}:1`];
    const pulled = await s.engine('second', ...pull);
    assert.equal(pulled.split('\n').at(-1), id);
    assert.equal(s.front.count(), 0);
  });

  test(`${name} is refused with a wrong password, and keeps no credential.`, async (t) => {
    const s = await withEngine(t, name);
    if (s === undefined) return;
    const login = ['login', '--cert-dir', s.certDir, '--username', s.user, '--password-stdin'];
    const refused = await s.attempt(name, [...login, s.breakwater.host], 'not-the-password');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /invalid username\/password|unauthorized/i);
    const kept = await s.attempt(name, ['login', '--get-login', s.breakwater.host]);
    assert.notEqual(kept.code, 0);
  });
}

test('buildah pushes with --creds what it built on an image that is there, and it pulls.', async (t) => {
  const s = await withEngine(t, 'buildah');
  if (s === undefined) return;
  const base = await pullSource(s, 'first', s.image('single'));
  const credentials = ['--creds', `${s.user}:${s.password}`];
  const push = ['push', ...s.trust, ...credentials];
  const target = `docker://${s.breakwater.host}/team/built`;
  await s.engine('first', ...push, '-q', base, `${target}:base`);
  const file = join(s.folder, 'hello.txt');
  await writeFile(file, 'made here\n');
  const container = await s.engine('first', 'from', '--pull-never', base);
  await s.engine('first', 'copy', '-q', container, file, '/hello.txt');
  const built = await s.engine('first', 'commit', '-q', '--rm', container);
  await s.engine('first', ...push, '-q', built, `${target}:1`);
  const pull = ['pull', ...s.trust, ...credentials, '-q', `${s.breakwater.host}/team/built:1`];
  assert.equal((await s.engine('second', ...pull)).split('\n').at(-1), built);
});
