import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import {
  createCacheRig,
  randomBytes,
  readAll,
  testRule,
} from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import {
  descriptorOf,
  emptyJson,
  imageOf,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
} from '../../../tests/support/rigs/push-rig.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const name = 'team/app';
const layer = randomBytes(300);
const ann = { name: 'c', username: 'ann', accessToken: 't' };
const theirs = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [], of: 'theirs' };

async function withRoot(): Promise<CacheRig> {
  const rig = await createCacheRig({ rules: [testRule({ prefix: 'ROOT', freshForMs: 0 })] });
  rig.upstream.tags.set(name, ['old', 'v1', 'v2']);
  rig.upstream.putManifest(name, theirs, mediaTypes.ociManifest, 'old');
  return rig;
}

const list = async (rig: CacheRig): Promise<readonly string[]> =>
  (await rig.cache.listTags({ ...rig.request(name), n: 10, last: '' }, rig.signal)).tags;

/** Another repository's, into ours. */
async function mountOne(rig: CacheRig): Promise<void> {
  const digest = await pushBlob(rig, 'team/other', randomBytes(41, 9));
  const from = rig.request('team/other').target.repository;
  assert.equal(await rig.cache.pushes.mountBlob({ ...rig.request(name), digest, from }), true);
}

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
    await refused(rig.cache.refresh(`${name}:v2`, rig.signal), 'requestInvalid');
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
        repositories: {
          ...metadata.repositories,
          findRepository: (key) => {
            looked += 1;
            return metadata.repositories.findRepository(key);
          },
        },
      }),
    });
    const digest = rig.upstream.putBlob(name, layer);
    for (let pull = 0; pull < 3; pull += 1) await rig.blob(name, digest, 'HEAD');
    assert.equal(looked, 1);
  });

  for (const [what, push] of [
    ['a blob', (rig: CacheRig) => pushBlob(rig, name, randomBytes(40, 9))],
    ['a mounted blob', mountOne],
  ] as const) {
    test(`from its first push on, be it ${what} alone`, async () => {
      await using rig = await withRoot();
      const blob = rig.upstream.putBlob(name, layer);
      await rig.blob(name, blob, 'HEAD');
      rig.upstream.putManifest(name, { ...theirs, of: 'v2' }, mediaTypes.ociManifest, 'v2');
      await push(rig);
      rig.upstream.calls.length = 0;
      await refused(rig.manifest(name, 'v2'), 'manifestUnknown');
      await refused(rig.blob(name, blob), 'blobUnknown');
      assert.deepEqual(rig.upstream.calls, []);
    });
  }

  test('another rule’s repository takes what its upstream has', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    rig.upstream.putManifest('app', theirs, mediaTypes.ociManifest, 'v2');
    await pushImage(rig, 'up/app', 'v1', layer);
    assert.equal((await rig.manifest('up/app', 'v2')).outcome.verdict, 'miss');
  });
});

suite('what ROOT brought before the first push counts by ROOT as it is now', () => {
  const stop = { onFailure: { ...testRule().onFailure, denied: 'stop' } } as const;
  const rule = testRule({ prefix: 'ROOT', freshForMs: 0, ...stop });
  const there = { urls: [{ origin: 'http://there', host: 'there', plain: true }] } as const;
  const rows = [
    { what: 'is led elsewhere', later: { ...rule, ...there }, code: 'Unknown' },
    { what: 'has another user', later: { ...rule, credential: ann }, code: 'Unknown' },
    { what: 'stops the repository', later: undefined, code: 'denied' },
  ] as const;
  for (const { what, later, code } of rows) {
    test(`nothing of it is given once ROOT ${what}; what was pushed is`, async () => {
      await using rig = await createCacheRig({ rules: [rule] });
      rig.upstream.putBlob(name, layer);
      const image = rig.upstream.putManifest(name, theirs, mediaTypes.ociManifest, 'old');
      const subject = descriptorOf(image.bytes, mediaTypes.ociManifest);
      const artifact = imageOf(emptyJson, { subject });
      const { digest: referrer } = rig.upstream.putManifest(name, artifact, mediaTypes.ociManifest);
      await rig.manifest(name, 'old');
      await rig.manifest(name, referrer);
      await readAll((await rig.blob(name, digestOf(layer))).source);
      await until(() => rig.cache.downloads.count === 0);
      rig.upstream.before = () => {
        throw failure('denied', 403);
      };
      if (later !== undefined) rig.setRules([later]);
      else await refused(rig.manifest(name, 'old'), 'denied');
      const mine = randomBytes(77, 5);
      await pushImage(rig, name, 'v1', mine);
      for (const method of ['GET', 'HEAD'] as const) {
        for (const reference of ['old', image.digest])
          await refused(
            rig.manifest(name, reference, method),
            code === 'denied' ? code : 'manifestUnknown',
          );
        await refused(
          rig.blob(name, digestOf(layer), method),
          code === 'denied' ? code : 'blobUnknown',
        );
        await rig.manifest(name, 'v1', method);
        await rig.blob(name, digestOf(mine), method);
      }
      assert.deepEqual(await list(rig), ['v1']);
      const asked = { ...rig.request(name), subject: image.digest };
      assert.deepEqual((await rig.cache.listReferrers(asked, rig.signal)).descriptors, []);
      const from = rig.request(name).target.repository;
      const mount = { ...rig.request('team/thief'), digest: digestOf(layer), from };
      assert.equal(await rig.cache.pushes.mountBlob(mount), false);
    });
  }
});
