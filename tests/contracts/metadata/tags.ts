import { deepEqual, equal } from 'node:assert/strict';
import type { MetadataRow } from './row.ts';
import { keyOf, manifestInput, push, pushedManifest, pushInput, tagOf } from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

/** Tags, their history and their lists. */
export const tagsRows: readonly MetadataRow[] = [
  {
    name: 'a tag that moves keeps each digest that it has had, newest first',
    async run(metadata) {
      const one = manifestInput('quay.io/a', 'one', { tag: 'x' });
      const two = manifestInput('quay.io/a', 'two', { tag: 'x' });
      await metadata.manifests.storeManifest(one);
      await metadata.manifests.storeManifest({ ...two, now: 2000 });
      await metadata.manifests.storeManifest({ ...one, now: 3000 });
      equal((await metadata.tags.findTag(one, tagOf('x')))?.digest, one.manifest.digest);
      deepEqual(await metadata.tags.tagHistory(one, tagOf('x'), 10), [
        { digest: two.manifest.digest, seenAt: 2000 },
        { digest: one.manifest.digest, seenAt: 1000 },
      ]);
      equal((await metadata.tags.tagHistory(one, tagOf('x'), 1)).length, 1);
    },
  },
  {
    name: 'a tag is set without its manifest, validated and marked',
    async run(metadata) {
      const key = keyOf('quay.io/a');
      const tag = {
        ...key,
        tag: tagOf('x'),
        digest: digestOf('one'),
        mediaType: 'm',
        size: 5,
        source: 's',
        validatedAt: 10,
        private: true,
      };
      await metadata.tags.setTag(tag);
      deepEqual(await metadata.tags.findTag(key, tag.tag), {
        tag: 'x',
        digest: tag.digest,
        mediaType: 'm',
        size: 5,
        source: 's',
        validatedAt: 10,
        status: 'ok',
        provenance: 'cached',
      });
      equal((await metadata.repositories.findRepository(key))?.private, true);
      equal((await metadata.tags.tagHistory(key, tag.tag, 10)).length, 1);
      await metadata.tags.markTag({ ...key, tag: tag.tag, status: 'gone' });
      equal((await metadata.tags.findTag(key, tag.tag))?.status, 'gone');
      await metadata.tags.validateTag({ ...key, tag: tag.tag, source: 'other', validatedAt: 20 });
      const validated = await metadata.tags.findTag(key, tag.tag);
      deepEqual(
        [validated?.status, validated?.source, validated?.validatedAt],
        ['ok', 'other', 20],
      );
      await metadata.tags.markTag({ ...key, tag: tagOf('absent'), status: 'gone' });
      equal(await metadata.tags.findTag(key, tagOf('absent')), undefined);
    },
  },
  {
    name: 'tags are listed in byte order, after one, so many',
    async run(metadata) {
      for (const tag of ['b', 'B', '_x', 'a-1', 'a.1', 'a1']) {
        await metadata.manifests.storeManifest(manifestInput('quay.io/a', 'one', { tag }));
      }
      const key = keyOf('quay.io/a');
      deepEqual(await metadata.tags.listTags(key, '', 10, undefined), [
        'B',
        '_x',
        'a-1',
        'a.1',
        'a1',
        'b',
      ]);
      deepEqual(await metadata.tags.listTags(key, '_x', 2, undefined), ['a-1', 'a.1']);
      deepEqual(await metadata.tags.listTags(key, 'aa', 10, undefined), ['b']);
    },
  },
  {
    name: 'rows of tags come in byte order with where they came from, after one, so many',
    async run(metadata) {
      const pulled = manifestInput('quay.io/app', 'one', { tag: 'b' });
      await metadata.manifests.storeManifest(pulled);
      const input = pushInput('quay.io/app', 'two', { tags: ['a', 'C'], now: 2000 });
      await push(metadata, input);
      const pushed = {
        digest: input.manifest.digest,
        mediaType: input.manifest.mediaType,
        size: input.manifest.bytes.byteLength,
        provenance: 'pushed',
        source: '',
        validatedAt: 2000,
        lastPulledAt: 0,
      };
      const rows = [
        { tag: 'C', ...pushed },
        { tag: 'a', ...pushed },
        {
          tag: 'b',
          digest: pulled.manifest.digest,
          mediaType: pulled.manifest.mediaType,
          size: pulled.manifest.bytes.byteLength,
          provenance: 'cached',
          source: 'https://registry.test/nginx',
          validatedAt: 1000,
          lastPulledAt: 1000,
        },
      ];
      deepEqual(await metadata.tags.listTagRows(input, '', 10), rows);
      deepEqual(await metadata.tags.listTagRows(input, 'C', 1), rows.slice(1, 2));
      deepEqual(await metadata.tags.listTagRows(input, 'a\0', 9), rows.slice(2));
      deepEqual(await metadata.tags.listTags(input, 'a\0b', 9, undefined), ['b']);
    },
  },
  {
    name: 'a tag is deleted alone, and may be cached from upstream again',
    async run(metadata) {
      const input = pushInput('quay.io/app', 'one', { tags: ['v1', 'v2'] });
      await push(metadata, input);
      const tag = tagOf('v1');
      equal(await metadata.tags.deleteTag({ ...input, tag }), input.manifest.digest);
      equal(await metadata.tags.deleteTag({ ...input, tag }), undefined);
      deepEqual(await metadata.tags.listTags(input, '', 10, undefined), ['v2']);
      deepEqual(
        await metadata.manifests.findManifest(input, input.manifest.digest),
        pushedManifest(input),
      );
      await metadata.manifests.storeManifest(
        manifestInput('quay.io/app', 'upstream', { tag: 'v1' }),
      );
      equal((await metadata.tags.findTag(input, tag))?.provenance, 'cached');
    },
  },
];
