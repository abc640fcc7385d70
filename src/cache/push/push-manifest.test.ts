import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  assertBytes,
  createCacheRig,
  randomBytes,
  testRule,
} from '../../../tests/support/rigs/cache-rig.ts';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import {
  bytesOf,
  descriptorOf,
  emptyJson,
  imageOf,
  indexOf,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
} from '../../../tests/support/rigs/push-rig.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import { MetadataError } from '../../metadata/contract/metadata-error.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const name = 'team/app';
const layer = randomBytes(1000);
const image = imageOf(layer);
const digest = digestOf(bytesOf(image));

/** A rig in whose repository the image's blobs are. */
async function openRig(options: Parameters<typeof createCacheRig>[0] = {}): Promise<CacheRig> {
  const rig = await createCacheRig(options);
  await pushBlob(rig, name, emptyJson);
  await pushBlob(rig, name, layer);
  return rig;
}

function setMutability(rig: CacheRig, tagMutability: TagMutability): Promise<boolean> {
  const { registry, target } = rig.request(name);
  return rig.metadata.repositories.setTagMutability({
    registry,
    repository: target.repository,
    tagMutability,
  });
}

suite('a manifest is pushed', () => {
  test('by tag, and served as it is by tag and digest, without anybody upstream', async () => {
    await using rig = await openRig();
    const answer = await pushManifest(rig, name, 'v1', image, {
      contentType: mediaTypes.ociManifest,
    });
    assert.deepEqual(answer, {
      digest,
      mediaType: mediaTypes.ociManifest,
      size: bytesOf(image).length,
      subject: undefined,
      tags: ['v1'],
      hides: [],
    });
    for (const reference of ['v1', digest]) {
      const pulled = await rig.manifest(name, reference);
      assertBytes(pulled.bytes, bytesOf(image));
      assert.equal(pulled.outcome.verdict, 'hit');
    }
    assert.equal((await rig.manifest(name, 'v1')).outcome.detail, 'pushed');
  });

  test('by digest with any number of tags, and again', async () => {
    await using rig = await openRig();
    for (let times = 0; times < 2; times += 1) {
      const answer = await pushManifest(rig, name, digest, image, { tags: ['b', 'a', 'b'] });
      assert.deepEqual(answer.tags, ['b', 'a']);
    }
    for (const tag of ['a', 'b']) assert.equal((await rig.manifest(name, tag)).digest, digest);
  });

  test('under sha512, by digest and by a tag', async () => {
    await using rig = await openRig();
    const long = digestOf(bytesOf(image), 'sha512');
    assert.equal((await pushManifest(rig, name, long, image)).digest, long);
    const tagged = await pushManifest(rig, name, 'v1', image, { algorithm: 'sha512' });
    assert.equal(tagged.digest, long);
    assert.equal((await rig.manifest(name, 'v1')).digest, long);
    await refused(rig.manifest(name, digest), 'manifestUnknown');
  });

  test('and a tag moves to the next one pushed, at once', async () => {
    await using rig = await openRig();
    await pushManifest(rig, name, 'v1', image);
    await rig.manifest(name, 'v1');
    const next = imageOf(layer, { annotations: { next: 'yes' } });
    await pushManifest(rig, name, 'v1', next);
    assertBytes((await rig.manifest(name, 'v1')).bytes, bytesOf(next));
  });

  test('as index, nested index, and artifact with a subject that is not there', async () => {
    await using rig = await openRig();
    await pushManifest(rig, name, digest, image);
    const index = indexOf([image]);
    await pushManifest(rig, name, 'all', index);
    const nested = {
      ...indexOf([]),
      manifests: [descriptorOf(bytesOf(index), mediaTypes.ociIndex)],
    };
    await pushManifest(rig, name, 'nested', nested);
    const subject = descriptorOf(randomBytes(9), mediaTypes.ociManifest);
    const artifact = imageOf(emptyJson, { artifactType: 'a/b', subject });
    const answer = await pushManifest(rig, name, digestOf(bytesOf(artifact)), artifact);
    assert.equal(answer.subject, subject.digest);
    const { descriptors } = await rig.cache.listReferrers(
      { ...rig.request(name), subject: subject.digest },
      rig.signal,
    );
    assert.deepEqual(
      descriptors.map((one) => [one.digest, one.artifactType]),
      [[answer.digest, 'a/b']],
    );
  });

  test('with layers that live elsewhere, and content that its descriptors carry', async () => {
    await using rig = await openRig();
    const far = {
      ...descriptorOf(randomBytes(5)),
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      urls: ['https://example.com/far'],
    };
    const carried = { ...descriptorOf(layer), data: Buffer.from(layer).toString('base64') };
    await pushManifest(rig, name, 'v1', imageOf(layer, { layers: [carried, far] }));
    await refused(rig.blob(name, far.digest), 'blobUnknown');
  });
});

suite('a manifest is refused', () => {
  test('whose digest is not that of its bytes', async () => {
    await using rig = await openRig();
    const other = digestOf(emptyJson);
    const error = await refused(pushManifest(rig, name, other, image), 'digestInvalid');
    assert.equal(error.detail?.['actual'], digest);
    await refused(pushManifest(rig, name, digestOf(emptyJson, 'sha512'), image), 'digestInvalid');
    await refused(rig.manifest(name, digest), 'manifestUnknown');
  });

  test('that names blobs or manifests which are not here, wherever else they are', async () => {
    await using rig = await openRig();
    const elsewhere = await pushBlob(rig, 'team/other', randomBytes(70));
    for (const [manifest, missing] of [
      [imageOf(randomBytes(70)), elsewhere],
      [imageOf(randomBytes(71)), digestOf(randomBytes(71))],
      [indexOf([image]), digest],
    ] as const) {
      const error = await refused(pushManifest(rig, name, 'v1', manifest), 'manifestBlobUnknown');
      assert.deepEqual(error.detail?.['digests'], [missing]);
    }
    await refused(rig.manifest(name, 'v1'), 'manifestUnknown');
  });

  test('that lies about sizes; of what is another’s it learns nothing', async () => {
    await using rig = await openRig();
    const lie = { ...descriptorOf(layer), size: layer.length + 1 };
    const error = await refused(
      pushManifest(rig, name, 'v1', imageOf(layer, { layers: [lie] })),
      'manifestInvalid',
    );
    assert.equal(error.detail?.['digest'], lie.digest);
    await pushManifest(rig, name, digest, image);
    const child = { ...descriptorOf(bytesOf(image), mediaTypes.ociManifest), size: 1 };
    await refused(
      pushManifest(rig, name, 'v1', { ...indexOf([]), manifests: [child] }),
      'manifestInvalid',
    );
    const elsewhere = randomBytes(70);
    await pushBlob(rig, 'team/other', elsewhere);
    const guess = { ...descriptorOf(elsewhere), size: 1 };
    await refused(
      pushManifest(rig, name, 'v1', imageOf(layer, { layers: [guess] })),
      'manifestBlobUnknown',
    );
  });

  for (const [what, data] of [
    ['of other bytes', Buffer.from(randomBytes(1000, 2)).toString('base64')],
    ['of another length', Buffer.from(layer.subarray(1)).toString('base64')],
    ['that is not base64', `${Buffer.from(layer).toString('base64').slice(0, -2)}*!`],
  ] as const) {
    test(`with data ${what}`, async () => {
      await using rig = await openRig();
      const carried = { ...descriptorOf(layer), data };
      const error = await refused(
        pushManifest(rig, name, 'v1', imageOf(layer, { layers: [carried] })),
        'manifestInvalid',
      );
      assert.equal(error.detail?.['field'], 'layers[0].data');
    });
  }

  test('by a rule, and where no repository may be made', async () => {
    const pushSettings = () => ({ createOnPush: false, sparseIndexes: true });
    await using rig = await createCacheRig({ limits: { pushSettings } });
    await refused(pushManifest(rig, 'up/app', 'v1', image), 'denied');
    const error = await refused(pushManifest(rig, name, 'v1', indexOf([])), 'nameUnknown');
    assert.equal(error.detail?.['setting'], 'createOnPush');
  });

  test('that would move an immutable tag; the same digest may be pushed again', async () => {
    await using rig = await openRig();
    await pushManifest(rig, name, 'v1', image);
    await setMutability(rig, { mode: 'IMMUTABLE', exclusions: [] });
    await pushManifest(rig, name, 'v1', image);
    const next = imageOf(layer, { annotations: { next: 'yes' } });
    const work = pushManifest(rig, name, digestOf(bytesOf(next)), next, { tags: ['new', 'v1'] });
    const error = await refused(work, 'tagImmutable');
    assert.deepEqual(error.detail, { tag: 'v1', digest });
    await refused(rig.manifest(name, 'new'), 'manifestUnknown');
    assert.equal((await rig.manifest(name, 'v1')).digest, digest);
  });

  test('whose held blob has lost its file: it is to be pushed again', async () => {
    await using rig = await openRig();
    await rig.storage.blobs.delete(digestOf(layer));
    const error = await refused(pushManifest(rig, name, 'v1', image), 'manifestBlobUnknown');
    assert.deepEqual(error.detail?.['digests'], [digestOf(layer)]);
    await pushBlob(rig, name, layer);
    await pushManifest(rig, name, 'v1', image);
  });

  test('by metadata that can’t be written: nothing is there, and the next push works', async () => {
    let fails = true;
    const around = (metadata: Metadata): Metadata => ({
      ...metadata,
      manifests: {
        ...metadata.manifests,
        putManifest: (input) => {
          if (!fails) return metadata.manifests.putManifest(input);
          throw new MetadataError('failed', 'x', Object.assign(new Error('x'), { code: 'ENOSPC' }));
        },
      },
    });
    await using rig = await openRig({ around });
    await refused(pushManifest(rig, name, 'v1', image), 'storageFull');
    await refused(rig.manifest(name, 'v1'), 'manifestUnknown');
    fails = false;
    await pushManifest(rig, name, 'v1', image);
    assert.equal((await rig.manifest(name, 'v1')).digest, digest);
  });
});

suite('what is remembered of a repository after a push', () => {
  const other = imageOf(layer, { annotations: { other: 'image' } });

  test('is read again where it is not known whether the push was committed', async () => {
    let crashes = false;
    const around = (metadata: Metadata): Metadata => ({
      ...metadata,
      manifests: {
        ...metadata.manifests,
        putManifest: async (input) => {
          const result = await metadata.manifests.putManifest(input);
          if (crashes) throw new MetadataError('crashed', 'the writing thread ended');
          return result;
        },
      },
    });
    await using rig = await openRig({ around });
    await pushManifest(rig, name, 'v1', image);
    assert.equal((await rig.manifest(name, 'v1')).digest, digest);
    crashes = true;
    await refused(pushManifest(rig, name, 'v1', other), 'storageFailed');
    assert.equal((await rig.manifest(name, 'v1')).digest, digestOf(bytesOf(other)));
  });

  test('is nothing that was deleted between its commit and its answer', async () => {
    let committed = async (): Promise<void> => {};
    const around = (metadata: Metadata): Metadata => ({
      ...metadata,
      manifests: {
        ...metadata.manifests,
        putManifest: async (input) => {
          const result = await metadata.manifests.putManifest(input);
          await committed();
          return result;
        },
      },
    });
    await using rig = await openRig({ around });
    committed = async () => {
      const reference = { kind: 'tag', tag: 'v1' as Tag } as const;
      await rig.cache.pushes.deleteManifest({ ...rig.request(name), reference });
    };
    await pushManifest(rig, name, 'v1', image);
    await refused(rig.manifest(name, 'v1'), 'manifestUnknown');
  });
});

suite('T14: a sparse index', () => {
  test('is taken by setting alone; what it lacks breaks nothing', async () => {
    let sparseIndexes = false;
    const pushSettings = () => ({ createOnPush: true, sparseIndexes });
    await using rig = await openRig({ limits: { pushSettings } });
    const sparse = indexOf([image, imageOf(layer, { annotations: { far: 'away' } })]);
    await pushManifest(rig, name, digest, image);
    await refused(pushManifest(rig, name, 'all', sparse), 'manifestBlobUnknown');
    sparseIndexes = true;
    const index = await pushManifest(rig, name, 'all', sparse);
    assertBytes((await rig.manifest(name, 'all')).bytes, bytesOf(sparse));
    assert.equal((await rig.manifest(name, digest)).digest, digest);
    const list = await rig.cache.listTags({ ...rig.request(name), n: 10, last: '' }, rig.signal);
    assert.deepEqual(list.tags, ['all']);
    const byDigest = { kind: 'digest', digest: index.digest } as const;
    await rig.cache.pushes.deleteManifest({ ...rig.request(name), reference: byDigest });
    await refused(rig.manifest(name, 'all'), 'manifestUnknown');
    assert.equal((await rig.manifest(name, digest)).digest, digest);
  });

  test('under a rule is completed without its missing children', async () => {
    const pushSettings = () => ({ createOnPush: true, sparseIndexes: true });
    const rules = [testRule({ push: true, platforms: 'all' })];
    await using rig = await createCacheRig({ rules, limits: { pushSettings } });
    await pushImage(rig, 'up/app', 'one', layer);
    const sparse = indexOf([image, imageOf(layer, { annotations: { far: 'away' } })]);
    await pushManifest(rig, 'up/app', 'all', sparse);
    await rig.manifest('up/app', 'all');
    await rig.cache.completion.idle();
    assertBytes((await rig.manifest('up/app', 'all')).bytes, bytesOf(sparse));
    assert.equal(rig.upstream.count('openBlob'), 0);
  });
});

suite('what upstream has in the very repository', () => {
  test('is brought in when a manifest that is pushed names it', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    const base = rig.upstream.putBlob('app', layer);
    const child = rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest);
    await pushBlob(rig, 'up/app', emptyJson);
    assert.equal((await rig.blob('up/app', base, 'HEAD')).size, layer.length);
    await pushManifest(rig, 'up/app', 'v1', imageOf(layer, { annotations: { a: 'b' } }));
    await pushManifest(rig, 'up/app', 'all', indexOf([imageOf(layer)]));
    assert.equal((await rig.manifest('up/app', child.digest)).digest, child.digest);
    const asked = rig.upstream.calls.length;
    assert.equal((await rig.blob('up/app', base)).outcome.verdict, 'hit');
    assert.equal(rig.upstream.calls.length, asked);
  });

  test('is asked for again where its file was lost', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    const base = rig.upstream.putBlob('app', layer);
    await pushBlob(rig, 'up/app', emptyJson);
    await pushManifest(rig, 'up/app', 'v1', imageOf(layer));
    await rig.storage.blobs.delete(base);
    await pushManifest(rig, 'up/app', 'v2', imageOf(layer, { annotations: { a: 'b' } }));
    assert.equal(await rig.storage.blobs.size(base), layer.length);
  });

  test('is missing for whom may not import, who asks upstream for nothing', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    rig.upstream.putBlob('app', layer);
    await pushBlob(rig, 'up/app', emptyJson);
    const push = () => pushManifest(rig, 'up/app', 'v1', image, { mayImport: false });
    await refused(push(), 'manifestBlobUnknown');
    assert.deepEqual(rig.upstream.calls, []);
    await pushBlob(rig, 'up/app', layer);
    assert.equal((await push()).digest, digest);
  });

  test("is missing where the rule's patterns deny it", async () => {
    const child = digestOf(bytesOf(imageOf(layer)));
    const rules = [testRule({ push: true, deny: [`app@${child}`] })];
    await using rig = await createCacheRig({ rules });
    rig.upstream.putBlob('app', layer);
    rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest);
    await pushBlob(rig, 'up/app', emptyJson);
    const pushIndex = pushManifest(rig, 'up/app', 'all', indexOf([imageOf(layer)]));
    await refused(pushIndex, 'manifestBlobUnknown');
    assert.deepEqual(rig.upstream.calls, []);
    await pushManifest(rig, 'up/app', 'v1', imageOf(layer, { annotations: { a: 'b' } }));
  });
});
