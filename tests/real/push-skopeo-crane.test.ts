// skopeo and crane push to a Breakwater with TLS and pull again what they pushed.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTlsScene } from '../support/processes/tls-scene.ts';

test('skopeo copies an index with all of its platforms in and out, byte for byte.', async (t) => {
  const s = await setTlsScene(t, ['skopeo']);
  if (s === undefined) return;
  const image = s.image('index');
  const source = `docker://${s.registry.host}/${image.repository}:${image.tag}`;
  const pushed = `docker://${s.breakwater.host}/team/app:1`;
  const credentials = `${s.user}:${s.password}`;
  const copy = ['--insecure-policy', 'copy', '--all', '--preserve-digests'];
  const into = ['--src-tls-verify=false', '--dest-creds', credentials];
  await s.run('skopeo', [...copy, ...into, '--dest-cert-dir', s.certDir, source, pushed]);
  await s.front.down();
  const folder = join(s.folder, 'copy');
  const from = ['--src-creds', credentials, '--src-cert-dir', s.certDir];
  await s.run('skopeo', [...copy, ...from, pushed, `dir:${folder}`]);
  assert.deepEqual(await readFile(join(folder, 'manifest.json')), s.bytesOf(image.digest));
  for (const child of image.children) {
    const bytes = await readFile(join(folder, `${child.slice('sha256:'.length)}.manifest.json`));
    assert.deepEqual(bytes, s.bytesOf(child));
    const { config, layers } = JSON.parse(bytes.toString('utf8')) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    for (const { digest } of [config, ...layers]) {
      const blob = await readFile(join(folder, digest.slice('sha256:'.length)));
      assert.ok(blob.equals(s.bytesOf(digest)), digest);
    }
  }
  assert.equal(s.front.count(), 0);
});

test('skopeo copies one pushed repository to another, lists its tags and deletes an image.', async (t) => {
  const s = await setTlsScene(t, ['skopeo']);
  if (s === undefined) return;
  const { repository, tag, digest } = s.image('single');
  const host = `docker://${s.breakwater.host}`;
  const login = ['login', '--cert-dir', s.certDir, '--username', s.user, '--password-stdin'];
  await s.run('skopeo', [...login, s.breakwater.host], s.password);
  const copy = ['--insecure-policy', 'copy', '--preserve-digests', '--dest-cert-dir', s.certDir];
  const source = `docker://${s.registry.host}/${repository}:${tag}`;
  await s.run('skopeo', [...copy, '--src-tls-verify=false', source, `${host}/team/app:1`]);
  const across = ['--src-cert-dir', s.certDir, `${host}/team/app:1`, `${host}/team/other:2`];
  await s.run('skopeo', [...copy, ...across]);
  const trust = ['--cert-dir', s.certDir];
  const listed = await s.run('skopeo', ['list-tags', ...trust, `${host}/team/other`]);
  assert.deepEqual((JSON.parse(listed) as { Tags: string[] }).Tags, ['2']);
  const format = ['--format', '{{.Digest}}'];
  const inspected = await s.run('skopeo', ['inspect', ...trust, ...format, `${host}/team/other:2`]);
  assert.equal(inspected.trim(), digest);
  await s.run('skopeo', ['delete', ...trust, `${host}/team/other:2`]);
  const gone = await s.attempt('skopeo', ['inspect', ...trust, `${host}/team/other:2`]);
  assert.notEqual(gone.code, 0);
  assert.match(gone.stderr, /manifest unknown|name unknown|NAME_UNKNOWN|MANIFEST_UNKNOWN/i);
  const kept = await s.run('skopeo', ['inspect', ...trust, ...format, `${host}/team/app:1`]);
  assert.equal(kept.trim(), digest);
});

test('crane pushes an image it pulled, and validates it whole.', async (t) => {
  const s = await setTlsScene(t, ['crane']);
  if (s === undefined) return;
  const { repository, tag } = s.image('single');
  const name = `${s.breakwater.host}/team/crane:1`;
  const login = ['auth', 'login', s.breakwater.host, '-u', s.user, '--password-stdin'];
  await s.run('crane', login, s.password);
  const layout = join(s.folder, 'layout');
  const source = `${s.registry.host}/${repository}:${tag}`;
  await s.run('crane', ['pull', '--format', 'oci', '--insecure', source, layout]);
  await s.run('crane', ['push', layout, name]);
  await s.run('crane', ['validate', '--remote', name]);
  const tarball = join(s.folder, 'image.tar');
  await s.run('crane', ['pull', name, tarball]);
  await s.run('crane', ['validate', '--tarball', tarball]);
  assert.equal((await s.run('crane', ['ls', `${s.breakwater.host}/team/crane`])).trim(), '1');
  assert.equal(s.front.count(), 0);
});

test('crane copies an index, tags it anew and reads it by both tags.', async (t) => {
  const s = await setTlsScene(t, ['crane']);
  if (s === undefined) return;
  const { repository, tag, digest } = s.image('index');
  const name = `${s.breakwater.host}/team/crane`;
  const login = ['auth', 'login', s.breakwater.host, '-u', s.user, '--password-stdin'];
  await s.run('crane', login, s.password);
  await s.run('crane', ['copy', `${s.registry.host}/${repository}:${tag}`, `${name}:1`]);
  await s.run('crane', ['tag', `${name}:1`, 'latest']);
  for (const each of ['1', 'latest'])
    assert.equal((await s.run('crane', ['digest', `${name}:${each}`])).trim(), digest);
  await s.run('crane', ['validate', '--remote', `${name}:latest`]);
});

test('crane without credentials may push nothing, and no repository is made.', async (t) => {
  const s = await setTlsScene(t, ['crane']);
  if (s === undefined) return;
  const { repository, tag } = s.image('single');
  const name = `${s.breakwater.host}/team/nobody`;
  const args = ['copy', `${s.registry.host}/${repository}:${tag}`, `${name}:1`];
  const refused = await s.attempt('crane', args);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /401|UNAUTHORIZED/);
  const login = ['auth', 'login', s.breakwater.host, '-u', s.user, '--password-stdin'];
  await s.run('crane', login, s.password);
  const missing = await s.attempt('crane', ['ls', name]);
  assert.match(missing.stderr, /NAME_UNKNOWN/);
});
