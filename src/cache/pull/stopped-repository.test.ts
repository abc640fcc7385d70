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
  bytesOf,
  descriptorOf,
  emptyJson,
  imageOf,
  pushBlob,
  pushManifest,
  refused,
} from '../../../tests/support/rigs/push-rig.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { parseReference } from '../../domain/names/reference.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const name = 'up/app';
const layer = randomBytes(650);
const theirs = imageOf(layer);
const image = digestOf(bytesOf(theirs));

/** All of upstream's image was pulled, then upstream said no, and the rule stops the repository. */
async function openStopped(known: (rig: CacheRig) => Promise<unknown>): Promise<CacheRig> {
  const onFailure = { ...testRule().onFailure, denied: 'stop' } as const;
  const rig = await createCacheRig({
    rules: [testRule({ push: true, onFailure, freshForMs: 1000 })],
  });
  rig.upstream.putManifest('app', theirs, mediaTypes.ociManifest, 'v1');
  rig.upstream.putBlob('app', layer);
  rig.upstream.putBlob('app', emptyJson);
  rig.upstream.tags.set('app', ['v1']);
  rig.upstream.referrers.set(image, [descriptorOf(emptyJson, mediaTypes.ociManifest)]);
  await rig.manifest(name, 'v1');
  for (const bytes of [layer, emptyJson])
    await readAll((await rig.blob(name, digestOf(bytes))).source);
  await until(() => rig.cache.downloads.count === 0);
  rig.clock.advance(2000);
  await known(rig);
  rig.upstream.before = () => {
    throw failure('denied', 403);
  };
  await refused(rig.manifest(name, 'v1'), 'denied');
  await refused(rig.blob(name, digestOf(layer)), 'denied');
  return rig;
}

function put(rig: CacheRig, manifest: object): Promise<unknown> {
  return pushManifest(rig, name, 'mine', manifest);
}

const index = (size: number): object => ({
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [{ mediaType: mediaTypes.ociManifest, digest: image, size }],
});

suite('a push into a repository that its rule stops makes nothing of it readable', () => {
  const rows: readonly (readonly [what: string, manifest: object, of: Digest])[] = [
    [
      'a manifest that names a blob',
      imageOf(layer, { annotations: { by: 'me' } }),
      digestOf(layer),
    ],
    ['an index that names a manifest', index(bytesOf(theirs).length), image],
  ];
  for (const [what, manifest, of] of rows) {
    test(what, async () => {
      await using rig = await openStopped(async () => {});
      await refused(put(rig, manifest), 'manifestBlobUnknown');
      const asked = of === image ? rig.manifest(name, of) : rig.blob(name, of);
      await refused(asked, 'denied');
    });
  }

  const wrong = { ...imageOf(layer), layers: [{ ...descriptorOf(layer), size: 651 }] };
  for (const [what, manifest] of [
    ['blob', wrong],
    ['manifest', index(1)],
  ] as const) {
    test(`nor does a wrong size tell that of a ${what}`, async () => {
      await using rig = await openStopped(async () => {});
      await refused(put(rig, manifest), 'manifestBlobUnknown');
    });
  }

  test('once upstream answers it is content as any other', async () => {
    await using rig = await openStopped(async () => {});
    rig.upstream.before = () => {};
    await put(rig, imageOf(layer, { annotations: { by: 'me' } }));
    assert.equal((await rig.blob(name, digestOf(layer))).outcome.verdict, 'hit');
  });
});

suite('lists of a repository that its rule stops are not those of a moment ago', () => {
  const lists: Readonly<Record<string, (rig: CacheRig) => Promise<unknown>>> = {
    tags: (rig) => rig.cache.listTags({ ...rig.request(name), n: 10, last: '' }, rig.signal),
    referrers: (rig) =>
      rig.cache.listReferrers({ ...rig.request(name), subject: image }, rig.signal),
  };
  for (const [what, list] of Object.entries(lists)) {
    for (const [how, said] of [
      ['denies', failure('denied', 403)],
      ['is away', failure('network')],
    ] as const) {
      test(`${what}, where upstream ${how}`, async () => {
        await using rig = await openStopped(list);
        rig.upstream.before = () => {
          throw said;
        };
        await assert.rejects(list(rig));
      });
    }
  }
});

suite(
  'lists of a stopped repository that something was pushed to name what was pushed alone',
  () => {
    const subject = { mediaType: mediaTypes.ociManifest, digest: image, size: 1 };
    const artifact = imageOf(emptyJson, { subject });
    const referrer = digestOf(bytesOf(artifact));
    for (const heldOnly of [false, true]) {
      for (const [how, said] of [
        ['denies', failure('denied', 403)],
        ['is away', failure('network')],
      ] as const) {
        test(`${heldOnly ? 'for who may import nothing, ' : ''}where upstream ${how}`, async () => {
          const signed = imageOf(layer, { subject });
          await using rig = await openStopped(async (opened) => {
            opened.upstream.putManifest('app', signed, mediaTypes.ociManifest);
            await opened.manifest(name, digestOf(bytesOf(signed)));
            await opened.cache.listTags(
              { ...opened.request(name), n: 10, last: '' },
              opened.signal,
            );
            await opened.cache.listReferrers(
              { ...opened.request(name), subject: image },
              opened.signal,
            );
          });
          await pushBlob(rig, name, emptyJson);
          await pushBlob(rig, name, layer);
          await put(rig, artifact);
          rig.upstream.before = () => {
            throw said;
          };
          const asked = { ...rig.request(name), heldOnly };
          const { tags } = await rig.cache.listTags({ ...asked, n: 10, last: '' }, rig.signal);
          assert.deepEqual(tags, ['mine']);
          const listed = await rig.cache.listReferrers({ ...asked, subject: image }, rig.signal);
          assert.deepEqual(
            listed.descriptors.map((one) => one.digest),
            [referrer],
          );
        });
      }
    }
  },
);

suite('nobody joins what another rule asked before a reload', () => {
  const elsewhere = testRule({
    urls: [{ origin: 'http://other', host: 'other', plain: true }],
    upstreamHost: 'other',
  });
  const pulls = (reference: string, method: 'GET' | 'HEAD') => (rig: CacheRig) =>
    rig.cache.pullManifest(
      { ...rig.request(name), reference: parseReference(reference)!, method },
      rig.signal,
    );
  const rows: Readonly<Record<string, (rig: CacheRig) => Promise<unknown>>> = {
    'HEAD of a tag': pulls('v1', 'HEAD'),
    'HEAD of a digest': pulls(image, 'HEAD'),
    'GET of a tag': pulls('v1', 'GET'),
    tags: (rig) => rig.cache.listTags({ ...rig.request(name), n: 10, last: '' }, rig.signal),
    referrers: (rig) =>
      rig.cache.listReferrers({ ...rig.request(name), subject: image }, rig.signal),
  };
  for (const [what, ask] of Object.entries(rows)) {
    for (const when of ['while it runs', 'once it has ended'] as const) {
      test(`${what}, ${when}`, async () => {
        await using rig = await createCacheRig();
        rig.upstream.putManifest('app', theirs, mediaTypes.ociManifest, 'v1');
        rig.upstream.tags.set('app', ['v1']);
        rig.upstream.referrers.set(image, [descriptorOf(emptyJson, mediaTypes.ociManifest)]);
        const gate = Promise.withResolvers<void>();
        rig.upstream.before = () => gate.promise;
        const before = ask(rig);
        await until(() => rig.upstream.calls.length > 0);
        rig.setRules([elsewhere]);
        rig.upstream.before = () => {
          throw failure('denied', 403);
        };
        const during = when === 'while it runs' ? ask(rig).then(String, () => 'no') : undefined;
        gate.resolve();
        await before;
        assert.equal(await (during ?? ask(rig).then(String, () => 'no')), 'no');
      });
    }
  }
});
