// Exact bytes whatever a client lists, images that are whole, and files that vanish behind the cache's back.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import { mediaTypes } from '../support/samples/images.ts';
import type { CorpusName } from '../support/samples/images.ts';
import { until } from '../support/rigs/until.ts';
import { ask, askBlob, askManifest, pullImage, text } from '../support/clients/pull.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';

const busybox = 'docker.io/library/busybox';

function filesOf(s: Scene, digest: string): string[] {
  const hex = digest.slice('sha256:'.length);
  return globSync(`**/*${hex}*`, { cwd: s.breakwater.dataDir }).map((file) =>
    join(s.breakwater.dataDir, file),
  );
}

/** Until a blob is served from its file. */
async function stored(s: Scene, name: string, digest: string): Promise<string> {
  return await until(async () => {
    const answer = await askBlob(s.breakwater.url, name, digest, { discard: true });
    const [file] = filesOf(s, digest);
    return answer.headers['cache-status'] === 'Breakwater; hit' && file;
  }, 'the blob is stored');
}

const damages = [
  { name: 'is gone', damage: (file: string) => rm(file) },
  { name: 'is empty', damage: (file: string) => truncate(file, 0) },
  { name: 'has lost its end', damage: (file: string) => truncate(file, 1000) },
] as const;

for (const { name, damage } of damages) {
  test(`T5: A blob whose file ${name} is fetched again, not served short and not a 500.`, async (t) => {
    const s = await setScene(t);
    if (s === undefined) return;
    const image = s.image('single');
    await pullImage(s.breakwater.url, busybox, 'single');
    const layer = image.blobs[1]?.digest ?? '';
    await damage(await stored(s, busybox, layer));
    s.front.clear();
    // The reader that meets the damage may be cut; never is a short answer whole.
    const first = await askBlob(s.breakwater.url, busybox, layer, { discard: true }).catch(
      () => undefined,
    );
    if (first?.complete === true && first.status === 200) assert.equal(first.digest, layer);
    else assert.notEqual(first?.status, 500);
    await pullImage(s.breakwater.url, busybox, 'single');
    const size = image.blobs[1]?.size ?? 0;
    assert.ok(s.front.bytes({ kind: 'blob', path: layer }) >= size);
    await s.front.down();
    await pullImage(s.breakwater.url, busybox, 'single');
  });
}

test('T46: With every blob file gone and the metadata there, pulls fetch again.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  await pullImage(s.breakwater.url, busybox, 'single');
  const { blobs } = s.image('single');
  for (const { digest } of blobs) await stored(s, busybox, digest);
  await s.breakwater.stop();
  for (const { digest } of blobs) for (const file of filesOf(s, digest)) await rm(file);
  await s.breakwater.restart();
  s.front.clear();
  await pullImage(s.breakwater.url, busybox, 'single');
  assert.equal(
    s.front.bytes({ kind: 'blob' }),
    blobs.reduce((sum, blob) => sum + blob.size, 0),
  );
});

test('T12: An index whose other children are not held keeps its bytes and digest.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const { digest, children } = s.image('index');
  await pullImage(s.breakwater.url, busybox, '1.36');
  for (const reference of ['1.36', digest]) {
    const answer = await askManifest(s.breakwater.url, busybox, reference);
    assert.deepEqual(answer.body, s.bytesOf(digest));
    assert.equal(answer.headers['docker-content-digest'], digest);
  }
  const asked = s.front.count({ kind: 'manifest', path: children[1] ?? '' });
  assert.equal(asked, 0);
  const other = await askManifest(s.breakwater.url, busybox, children[1] ?? '');
  assert.deepEqual(other.body, s.bytesOf(children[1] ?? ''));
});

const accepts = [
  { name: 'nothing', accept: undefined },
  { name: '*/*', accept: '*/*' },
  { name: 'OCI alone', accept: `${mediaTypes.manifest}, ${mediaTypes.index}` },
  { name: 'Docker alone', accept: `${mediaTypes.dockerManifest}, ${mediaTypes.dockerList}` },
  { name: 'a single image alone', accept: mediaTypes.manifest },
  { name: 'schema 1 alone', accept: 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
] as const;

const kinds = [
  'index',
  'dockerList',
  'dockerImage',
  'noMediaType',
  'single',
] as const satisfies readonly CorpusName[];

test('T13, T15: A manifest keeps its bytes, digest and type to a client that accepts', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  for (const { name, accept } of accepts) {
    await t.test(`${name}.`, async () => {
      for (const kind of kinds) {
        const { repository, tag, digest, mediaType } = s.image(kind);
        const headers = accept === undefined ? {} : { accept };
        const answer = await ask(
          `${s.breakwater.url}/v2/docker.io/${repository}/manifests/${tag}`,
          { headers },
        );
        assert.equal(answer.status, 200, text(answer));
        assert.deepEqual(answer.body, s.bytesOf(digest));
        assert.equal(answer.headers['content-type'], mediaType);
        assert.equal(answer.headers['docker-content-digest'], digest);
      }
    });
  }
  const asked = s.front.requests.filter(
    (each) => each.kind === 'manifest' && each.method === 'GET',
  );
  assert.equal(asked.length, kinds.length);
  assert.equal(new Set(asked.map((each) => each.headers.accept)).size, 1);
});

test('T16: HEAD of a manifest says what GET would, for a tag and a digest, held or not.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const { digest, mediaType, size } = s.image('index');
  for (const held of [false, true]) {
    for (const reference of ['1.36', digest]) {
      const head = await askManifest(s.breakwater.url, busybox, reference, { method: 'HEAD' });
      assert.equal(head.status, 200);
      assert.equal(head.headers['content-length'], String(size));
      assert.equal(head.headers['content-type'], mediaType);
      assert.equal(head.headers['docker-content-digest'], digest);
      assert.equal(head.body.length, 0);
    }
    if (!held) {
      assert.equal(s.front.count({ kind: 'manifest', method: 'GET' }), 0);
      assert.ok(s.front.count({ kind: 'manifest', method: 'HEAD' }) <= 2);
    }
    await pullImage(s.breakwater.url, busybox, '1.36');
  }
  assert.equal(s.front.count({ kind: 'manifest', method: 'GET', path: '1.36' }) <= 1, true);
});

test('T45: A client that has every layer leaves no incomplete image behind.', async (t) => {
  const s = await setScene(t, { behaviour: publicRegistries.dockerHub });
  if (s === undefined) return;
  const image = s.image('single');
  assert.equal((await askManifest(s.breakwater.url, busybox, 'single')).status, 200);
  const bytes = image.blobs.reduce((sum, blob) => sum + blob.size, 0);
  await until(() => s.front.bytes({ kind: 'redirected' }) === bytes, 'its blobs have come');
  for (const { digest } of image.blobs)
    await until(() => filesOf(s, digest).length > 0, 'a blob is stored');
  await s.front.down();
  assert.equal((await pullImage(s.breakwater.url, busybox, 'single')).digest, image.digest);
});

test('T45: With platforms: all, the other children of an index are fetched as well.', async (t) => {
  const s = await setScene(t, { rule: { platforms: 'all' } });
  if (s === undefined) return;
  const { children } = s.image('index');
  await askManifest(s.breakwater.url, busybox, '1.36');
  await until(() => s.front.count({ kind: 'blob', status: 200 }) === 4, 'all four blobs have come');
  for (const child of children) assert.equal(s.front.count({ kind: 'manifest', path: child }), 1);
});

test('With platforms: none, only what is asked for is fetched.', async (t) => {
  const s = await setScene(t, { rule: { platforms: 'none' } });
  if (s === undefined) return;
  await askManifest(s.breakwater.url, busybox, 'single');
  await askManifest(s.breakwater.url, 'docker.io/library/hello', '1');
  assert.equal(s.front.count({ kind: 'blob' }), 0);
});

test('A non-distributable layer is named as it was, and its urls are never followed.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const { repository, tag, digest } = s.image('foreign');
  const answer = await askManifest(s.breakwater.url, `docker.io/${repository}`, tag);
  assert.deepEqual(answer.body, s.bytesOf(digest));
  const parsed = JSON.parse(answer.body.toString('utf8')) as { layers: { digest: string }[] };
  const foreign = parsed.layers[0]?.digest ?? '';
  const blob = await askBlob(s.breakwater.url, `docker.io/${repository}`, foreign);
  assert.equal(blob.status, 404, text(blob));
});

for (const referrers of ['api', 'fallback'] as const) {
  test(`Referrers are found where the upstream has ${referrers === 'api' ? 'the API' : 'only the tag'}.`, async (t) => {
    const s = await setScene(t, { behaviour: { referrers } });
    if (s === undefined) return;
    const { digest } = s.image('index');
    const url = `${s.breakwater.url}/v2/${busybox}/referrers/${digest}`;
    for (const held of [false, true]) {
      if (held) await s.front.down();
      const answer = await ask(url);
      assert.equal(answer.status, 200, text(answer));
      const list = JSON.parse(answer.body.toString('utf8')) as { manifests: { digest: string }[] };
      assert.deepEqual(
        list.manifests.map((each) => each.digest),
        [s.image('artifact').digest],
      );
    }
    await s.front.up();
    const artifact = await askManifest(s.breakwater.url, busybox, s.image('artifact').digest);
    assert.deepEqual(artifact.body, s.bytesOf(s.image('artifact').digest));
  });
}
