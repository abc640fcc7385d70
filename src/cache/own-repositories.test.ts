import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  createCacheRig,
  randomBytes,
  testRule,
  type CacheRig,
} from '../../tests/support/cache-rig.ts';
import {
  emptyJson,
  imageOf,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
} from '../../tests/support/push-rig.ts';
import { mediaTypes } from '../domain/media-type.ts';
import type { Tag } from '../domain/tag.ts';

const name = 'team/app';
const layer = randomBytes(300);
const theirs = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [], of: 'theirs' };

async function withRoot(): Promise<CacheRig> {
  const rig = await createCacheRig({ rules: [testRule({ prefix: 'ROOT', freshForMs: 0 })] });
  rig.upstream.tags.set(name, ['old', 'v1', 'v2']);
  rig.upstream.putManifest(name, theirs, mediaTypes.ociManifest, 'old');
  return rig;
}

const list = async (rig: CacheRig): Promise<readonly string[]> =>
  (await rig.cache.listTags({ ...rig.request(name), n: 10, last: '' }, rig.signal)).tags;

suite('a repository that was pushed takes nothing from ROOT', () => {
  test('no tag, digest, blob or list, by GET and by HEAD, and upstream is not asked', async () => {
    await using rig = await withRoot();
    const blob = rig.upstream.putBlob(name, randomBytes(100, 7));
    const { digest } = rig.upstream.putManifest(name, theirs, mediaTypes.ociManifest, 'v2');
    const subject = await pushImage(rig, name, 'v1', layer);
    rig.upstream.referrers.set(subject, [{ mediaType: 'a/b', digest, size: 1 }]);
    for (const method of ['GET', 'HEAD'] as const) {
      await refused(rig.manifest(name, 'v2', method), 'manifestUnknown');
      await refused(rig.manifest(name, digest, method), 'manifestUnknown');
      await refused(rig.blob(name, blob, method), 'blobUnknown');
    }
    assert.deepEqual(await list(rig), ['v1']);
    const asked = { ...rig.request(name), subject };
    assert.deepEqual((await rig.cache.listReferrers(asked, rig.signal)).descriptors, []);
    const request = rig.request(name) as Parameters<typeof rig.cache.refreshTag>[0];
    await refused(rig.cache.refreshTag(request, 'v2' as Tag, rig.signal), 'requestInvalid');
    assert.equal((await rig.manifest(name, 'v1')).digest, subject);
    await rig.cache.completion.idle();
    assert.deepEqual(rig.upstream.calls, []);
  });

  test('before its first push it is ROOT’s, and what was pulled then stays as it was', async () => {
    await using rig = await withRoot();
    const { digest } = await rig.manifest(name, 'old');
    assert.deepEqual(await list(rig), ['old', 'v1', 'v2']);
    await pushImage(rig, name, 'v1', layer);
    rig.upstream.putManifest(name, { ...theirs, of: 'moved' }, mediaTypes.ociManifest, 'old');
    rig.upstream.calls.length = 0;
    assert.equal((await rig.manifest(name, 'old')).digest, digest);
    assert.deepEqual(await list(rig), ['old', 'v1']);
    assert.deepEqual(rig.upstream.calls, []);
  });

  test('a push may still name what its client saw by HEAD before', async () => {
    await using rig = await withRoot();
    const { digest } = { digest: rig.upstream.putBlob(name, layer) };
    await rig.blob(name, digest, 'HEAD');
    await pushBlob(rig, name, emptyJson);
    await pushManifest(rig, name, 'v1', imageOf(layer));
    assert.equal((await rig.blob(name, digest)).size, layer.length);
  });

  test('what is ROOT’s is looked up once, not at every pull', async () => {
    let looked = 0;
    await using rig = await createCacheRig({
      rules: [testRule({ prefix: 'ROOT' })],
      around: (metadata) => ({
        ...metadata,
        findRepository: (key) => {
          looked += 1;
          return metadata.findRepository(key);
        },
      }),
    });
    const digest = rig.upstream.putBlob(name, layer);
    for (let pull = 0; pull < 3; pull += 1) await rig.blob(name, digest, 'HEAD');
    assert.equal(looked, 1);
  });

  test('another rule’s repository takes what its upstream has', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    rig.upstream.putManifest('app', theirs, mediaTypes.ociManifest, 'v2');
    await pushImage(rig, 'up/app', 'v1', layer);
    assert.equal((await rig.manifest('up/app', 'v2')).outcome.verdict, 'miss');
  });
});
