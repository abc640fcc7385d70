import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import {
  assertBytes,
  createCacheRig,
  randomBytes,
  readAll,
  testRule,
} from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import {
  bytesOf,
  emptyJson,
  imageOf,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
} from '../../../tests/support/rigs/push-rig.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { parseReference } from '../../domain/names/reference.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import { MetadataError } from '../../metadata/contract/metadata-error.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const name = 'team/app';
const layer = randomBytes(1000);
const image = imageOf(layer);
const digest = digestOf(bytesOf(image));

function remove(rig: CacheRig, reference: string, repository = name) {
  return rig.cache.pushes.deleteManifest({
    ...rig.request(repository),
    reference: parseReference(reference) as Reference,
  });
}

function removeBlob(rig: CacheRig, blob = digestOf(layer), repository = name): Promise<void> {
  return rig.cache.pushes.deleteBlob({ ...rig.request(repository), digest: blob });
}

suite('T4: what is deleted is gone at once', () => {
  test('a tag alone: its manifest stays', async () => {
    await using rig = await createCacheRig();
    await pushImage(rig, name, 'v1', layer);
    await rig.manifest(name, 'v1');
    assert.deepEqual(await remove(rig, 'v1'), { digest, tags: ['v1'] });
    await refused(rig.manifest(name, 'v1'), 'manifestUnknown');
    assert.equal((await rig.manifest(name, digest)).digest, digest);
    await refused(remove(rig, 'v1'), 'manifestUnknown');
  });

  test('a manifest with all its tags, also an immutable one', async () => {
    await using rig = await createCacheRig();
    await pushImage(rig, name, 'v1', layer);
    await pushManifest(rig, name, 'v2', image);
    const { registry, target } = rig.request(name);
    await rig.metadata.repositories.setTagMutability({
      registry,
      repository: target.repository,
      tagMutability: { mode: 'IMMUTABLE', exclusions: [] },
    });
    assert.deepEqual(await remove(rig, digest), { digest, tags: ['v1', 'v2'] });
    for (const reference of ['v1', 'v2', digest])
      await refused(rig.manifest(name, reference), 'manifestUnknown');
    await refused(remove(rig, digest), 'manifestUnknown');
    const deleted = rig.events.filter((event) => event.type === 'deleted');
    assert.deepEqual(
      deleted.map((event) => [event.kind, event.digest]),
      [['manifest', digest]],
    );
  });

  test('a blob, though a manifest still names it; other repositories keep theirs', async () => {
    await using rig = await createCacheRig();
    await pushImage(rig, name, 'v1', layer);
    await pushBlob(rig, 'team/other', layer);
    await rig.blob(name, digestOf(layer));
    await removeBlob(rig);
    for (const method of ['GET', 'HEAD'] as const)
      await refused(rig.blob(name, digestOf(layer), method), 'blobUnknown');
    await refused(removeBlob(rig), 'blobUnknown');
    const { source } = await rig.blob('team/other', digestOf(layer));
    assertBytes(await readAll(source), layer);
    await refused(pushManifest(rig, name, 'v2', image), 'manifestBlobUnknown');
  });

  test('a pushed blob under a rule: upstream is asked, and does not have it', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    await pushImage(rig, 'up/app', 'v1', layer);
    await rig.blob('up/app', digestOf(layer));
    await removeBlob(rig, digestOf(layer), 'up/app');
    await refused(rig.blob('up/app', digestOf(layer)), 'blobUnknown');
    assert.equal(rig.upstream.count('openBlob'), 1);
  });

  test('a repository, with what was in it; made anew it is empty', async () => {
    await using rig = await createCacheRig();
    const { pushes } = rig.cache;
    const request = rig.request(name);
    await refused(pushes.deleteRepository({ ...request, force: true }), 'nameUnknown');
    await pushes.createRepository(request);
    await refused(pushes.createRepository(request), 'conflict');
    await pushImage(rig, name, 'v1', layer);
    await refused(pushes.deleteRepository({ ...request, force: false }), 'conflict');
    await rig.manifest(name, 'v1');
    await pushes.deleteRepository({ ...request, force: true });
    const gone = async (): Promise<void> => {
      await refused(rig.manifest(name, 'v1'), 'manifestUnknown');
      await refused(rig.manifest(name, digest), 'manifestUnknown');
      await refused(rig.blob(name, digestOf(layer)), 'blobUnknown');
    };
    await gone();
    await pushes.createRepository(request);
    await gone();
    await pushes.deleteRepository({ ...request, force: false });
  });

  test('also where metadata can’t say whether it was done: memory asks again', async () => {
    const around = (metadata: Metadata): Metadata => ({
      ...metadata,
      tags: {
        ...metadata.tags,
        deleteTag: async (input) => {
          await metadata.tags.deleteTag(input);
          throw new MetadataError('crashed', 'scripted');
        },
      },
    });
    await using rig = await createCacheRig({ around });
    await pushImage(rig, name, 'v1', layer);
    await rig.manifest(name, 'v1');
    await refused(remove(rig, 'v1'), 'storageFailed');
    await refused(rig.manifest(name, 'v1'), 'manifestUnknown');
  });
});

suite('cached content', () => {
  test('is deleted as pushed content is, and fetched again, whole', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ platforms: 'requested' })] });
    rig.upstream.putManifest('app', image, mediaTypes.ociManifest, 'v1');
    rig.upstream.putBlob('app', emptyJson);
    rig.upstream.putBlob('app', layer);
    await rig.manifest('up/app', 'v1');
    await rig.cache.completion.idle();
    assert.deepEqual(await remove(rig, digest, 'up/app'), { digest, tags: ['v1'] });
    await removeBlob(rig, digestOf(layer), 'up/app');
    await rig.storage.blobs.delete(digestOf(layer));
    assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'miss');
    await rig.cache.completion.idle();
    assert.equal(await rig.storage.blobs.size(digestOf(layer)), layer.length);
  });

  test('that is read while it is deleted is not remembered', async () => {
    const gate = Promise.withResolvers<void>();
    let waiting = 0;
    let waits = false;
    const wait = async <T>(found: Promise<T>): Promise<T> => {
      const value = await found;
      waiting += 1;
      if (waits) await gate.promise;
      return value;
    };
    const around = (metadata: Metadata): Metadata => ({
      ...metadata,
      tags: { ...metadata.tags, findTag: (...given) => wait(metadata.tags.findTag(...given)) },
      manifests: {
        ...metadata.manifests,
        findManifest: (...given) => wait(metadata.manifests.findManifest(...given)),
      },
      blobs: {
        ...metadata.blobs,
        findBlobClaim: (...given) => wait(metadata.blobs.findBlobClaim(...given)),
      },
    });
    const rules = [testRule({ push: true })];
    await using rig = await createCacheRig({ around, rules });
    await pushImage(rig, 'up/app', 'v1', layer);
    rig.invalidations.note({ kind: 'configuration' });
    waits = true;
    waiting = 0;
    const reads = [
      rig.manifest('up/app', 'v1'),
      rig.manifest('up/app', digest),
      rig.blob('up/app', digestOf(layer)),
    ];
    await until(() => waiting === 3);
    const deleted = [remove(rig, digest, 'up/app'), removeBlob(rig, digestOf(layer), 'up/app')];
    await Promise.all(deleted);
    waits = false;
    gate.resolve();
    await Promise.allSettled(reads);
    await refused(rig.manifest('up/app', 'v1'), 'manifestUnknown');
    await refused(rig.manifest('up/app', digest), 'manifestUnknown');
    await refused(rig.blob('up/app', digestOf(layer)), 'blobUnknown');
  });
});

suite('a tag that is read', () => {
  /** A rig whose next read of a tag waits, with what it found, until it is told to go on. */
  async function openGated(): Promise<{ rig: CacheRig; found: () => boolean; go: () => void }> {
    const gate = Promise.withResolvers<void>();
    let found = false;
    const around = (metadata: Metadata): Metadata => ({
      ...metadata,
      tags: {
        ...metadata.tags,
        findTag: async (...given) => {
          const tag = await metadata.tags.findTag(...given);
          if (tag !== undefined && !found) {
            found = true;
            await gate.promise;
          }
          return tag;
        },
      },
    });
    const rules = [testRule({ push: true, freshForMs: 1000 })];
    const rig = await createCacheRig({ around, rules });
    return { rig, found: () => found, go: gate.resolve };
  }

  test('while it is deleted is not remembered', async () => {
    const { rig, found, go } = await openGated();
    await using _rig = rig;
    await pushImage(rig, 'up/app', 'v1', layer);
    rig.invalidations.note({ kind: 'configuration' });
    const read = rig.manifest('up/app', 'v1');
    await until(found);
    await remove(rig, 'v1', 'up/app');
    go();
    assert.equal((await read).digest, digest);
    await refused(rig.manifest('up/app', 'v1'), 'manifestUnknown');
  });

  test('as cached, and stale, while another is pushed over it, is not taken for upstream’s any more', async () => {
    const { rig, found, go } = await openGated();
    await using _rig = rig;
    const theirs = imageOf(layer, { annotations: { from: 'upstream' } });
    rig.upstream.putManifest('app', theirs, mediaTypes.ociManifest, 'v1');
    await rig.manifest('up/app', 'v1');
    rig.invalidations.note({ kind: 'configuration' });
    rig.clock.advance(2000);
    const read = rig.manifest('up/app', 'v1');
    await until(found);
    await pushImage(rig, 'up/app', 'v1', layer);
    go();
    assert.equal((await read).digest, digest);
    assert.equal((await rig.manifest('up/app', 'v1')).outcome.detail, 'pushed');
  });
});

suite('a mount', () => {
  const other = parseRepositoryName('team/other') as RepositoryName;

  test('is offered from those who hold the blob, and moves no byte', async () => {
    await using rig = await createCacheRig();
    const { pushes } = rig.cache;
    const request = { ...rig.request(name), digest: digestOf(layer) };
    assert.deepEqual(await pushes.mountSources({ ...request, from: undefined }), []);
    assert.deepEqual(await pushes.mountSources({ ...request, from: other }), []);
    assert.equal(await pushes.mountBlob({ ...request, from: other }), false);
    await pushBlob(rig, 'team/third', layer);
    await pushBlob(rig, 'team/other', layer);
    assert.deepEqual(await pushes.mountSources({ ...request, from: undefined }), [
      'team/other',
      'team/third',
    ]);
    assert.deepEqual(await pushes.mountSources({ ...request, from: other }), ['team/other']);
    assert.equal(await pushes.mountBlob({ ...request, from: other }), true);
    await removeBlob(rig, digestOf(layer), 'team/other');
    assertBytes(await readAll((await rig.blob(name, digestOf(layer))).source), layer);
    assert.equal(await pushes.mountBlob({ ...request, from: other }), false);
  });

  test('needs the bytes, and a repository that may be made', async () => {
    let createOnPush = true;
    const pushSettings = () => ({ createOnPush, sparseIndexes: false });
    await using rig = await createCacheRig({ limits: { pushSettings } });
    const { pushes } = rig.cache;
    await pushBlob(rig, 'team/other', layer);
    createOnPush = false;
    const request = { ...rig.request(name), digest: digestOf(layer) };
    await refused(pushes.mountBlob({ ...request, from: other }), 'nameUnknown');
    createOnPush = true;
    await rig.storage.blobs.delete(digestOf(layer));
    assert.deepEqual(await pushes.mountSources({ ...request, from: undefined }), []);
    assert.equal(await pushes.mountBlob({ ...request, from: other }), false);
    await refused(
      pushes.mountBlob({ ...rig.request('up/app'), digest: digestOf(layer), from: other }),
      'denied',
    );
  });
});
