import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { mutableTags } from '../../src/domain/names/tag-mutability.ts';
import type { ImageRow } from '../../src/metadata/contract/registry-metadata.ts';
import { countingRows } from './metadata-counting-rows.ts';
import type { MetadataRow } from './metadata-row.ts';
import {
  home,
  indexInput,
  keyOf,
  manifestInput,
  push,
  pushedManifest,
  pushInput,
  tagOf,
} from './metadata-samples.ts';
import { digestOf } from '../support/samples/digest.ts';

/** Repositories with their settings, lists, and what is deleted. */
export const registryRows: readonly MetadataRow[] = [
  ...countingRows,
  {
    name: 'in a repository that is missing nothing is listed, set or deleted',
    async run(metadata) {
      const key = keyOf('team/app');
      const digest = digestOf('a');
      deepEqual(await metadata.listRepositories(home, { prefix: '', after: '', limit: 9 }), []);
      deepEqual(await metadata.listTagRows(key, '', 9), []);
      deepEqual(await metadata.listImages(key, undefined, 9), []);
      deepEqual(await metadata.findBlobHolders(home, digest, 9), []);
      equal(await metadata.setTagMutability({ ...key, tagMutability: mutableTags }), false);
      equal(await metadata.setRepositoryPolicy({ ...key, text: '{}' }), false);
      equal(await metadata.deleteManifest({ ...key, digest }), undefined);
      equal(await metadata.deleteTag({ ...key, tag: tagOf('v1') }), undefined);
      equal(await metadata.releaseBlob({ ...key, digest }), false);
      equal(await metadata.deleteRepository({ ...key, force: true }), 'notFound');
      equal(await metadata.findRepository(key), undefined);
    },
  },
  {
    name: 'a repository is made once, with its setting; setting and policy are set and taken away',
    async run(metadata) {
      const key = keyOf('team/app');
      const tagMutability = { mode: 'MUTABLE_WITH_EXCLUSION', exclusions: ['v*', 'ü"'] } as const;
      equal(await metadata.createRepository({ ...key, tagMutability, now: 5 }), true);
      const made = {
        private: false,
        stopped: undefined,
        createdAt: 5,
        pushed: true,
        tagMutability,
        policy: undefined,
      };
      deepEqual(await metadata.findRepository(key), made);
      equal(await metadata.createRepository({ ...key, tagMutability: mutableTags, now: 6 }), false);
      deepEqual(await metadata.findRepository(key), made);
      equal(await metadata.setTagMutability({ ...key, tagMutability: mutableTags }), true);
      const text = '{ "Version":\n"2012-10-17" }';
      equal(await metadata.setRepositoryPolicy({ ...key, text }), true);
      deepEqual(await metadata.findRepository(key), {
        ...made,
        tagMutability: mutableTags,
        policy: text,
      });
      equal(await metadata.setRepositoryPolicy({ ...key, text: undefined }), true);
      equal((await metadata.findRepository(key))?.policy, undefined);
    },
  },
  {
    name: 'repositories are listed as their names sort, begin and follow, with no wildcard',
    async run(metadata) {
      const names = ['a', 'a/b', 'a-b', 'a.b', 'a_b', 'ab', 'axb', 'b/a', 'team/app', 'team/web'];
      for (const name of names.toReversed()) {
        await metadata.createRepository({ ...keyOf(name), tagMutability: mutableTags, now: 1 });
      }
      await metadata.createRepository({
        ...keyOf('a/elsewhere'),
        registry: '111122223333/eu-west-1',
        tagMutability: mutableTags,
        now: 1,
      });
      const text = fc.oneof(
        fc.constantFrom('', 'a', 'a_', 'a%', 'team/', 'b', '\0', 'a\0', '\u{10ffff}', 'z'),
        fc.constantFrom(...names),
      );
      await fc.assert(
        fc.asyncProperty(
          text,
          text,
          fc.integer({ min: 1, max: 12 }),
          async (prefix, after, limit) => {
            const rows = await metadata.listRepositories(home, { prefix, after, limit });
            deepEqual(
              rows.map((row) => row.name),
              names
                .toSorted()
                .filter((name) => name.startsWith(prefix) && name > after)
                .slice(0, limit),
            );
          },
        ),
        { numRuns: 60 },
      );
      const [row] = await metadata.listRepositories(home, { prefix: 'team', after: '', limit: 1 });
      deepEqual(row, { name: 'team/app', ...(await metadata.findRepository(keyOf('team/app'))) });
    },
  },
  {
    name: 'a write of a pull or a push answers true where it made the repository, and then no more',
    async run(metadata) {
      const digest = digestOf('layer base');
      const own = { digest, rule: 'r', private: false, now: 1 };
      const tag = { tag: tagOf('v1'), digest, mediaType: 'm', size: 1, source: 's' };
      const writes: readonly (readonly [string, (name: string) => Promise<unknown>])[] = [
        ['storeManifest', (name) => metadata.storeManifest(manifestInput(name, 'one'))],
        [
          'setTag',
          (name) => metadata.setTag({ ...keyOf(name), ...tag, validatedAt: 1, private: true }),
        ],
        ['stop', (name) => metadata.stopRepository({ ...keyOf(name), reason: 'no', now: 1 })],
        ['fetch', (name) => metadata.recordFetch({ ...keyOf(name), ...own, size: 1 })],
        ['prove', (name) => metadata.proveBlob({ ...keyOf(name), ...own })],
        [
          'hold',
          async (name) =>
            (await metadata.holdBlob({ ...keyOf(name), digest, create: true, now: 1 })) === 'made',
        ],
      ];
      for (const [name, write] of writes) {
        equal(await write(`quay.io/${name}`), true, name);
        for (const [again, repeated] of writes)
          equal(await repeated(`quay.io/${name}`), false, `${again} after ${name}`);
        equal((await metadata.findRepository(keyOf(`quay.io/${name}`)))?.private, true);
      }
    },
  },
  {
    name: 'a blob is held where it was pushed, mounted or fetched, not where it is named, until released',
    async run(metadata) {
      const digest = digestOf('layer base');
      const blob = { digest, now: 1 };
      await metadata.storeManifest(manifestInput('quay.io/naming', 'one'));
      equal(await metadata.holdBlob({ ...keyOf('b/pushed'), ...blob, create: true }), 'made');
      equal(await metadata.holdBlob({ ...keyOf('b/pushed'), ...blob, create: false }), 'held');
      await metadata.proveBlob({ ...keyOf('c/proven'), ...blob, rule: 'c', private: false });
      const fetched = { ...keyOf('a/fetched'), ...blob, rule: 'a', size: 1, private: false };
      await metadata.recordFetch(fetched);
      await metadata.storeManifest(manifestInput('d/pulled', 'one'));
      for (const held of ['first', 'held'])
        equal(await metadata.holdBlob({ ...keyOf('d/pulled'), ...blob, create: false }), held);
      await metadata.releaseBlob({ ...keyOf('d/pulled'), digest });
      const elsewhere = { ...keyOf('a/a'), registry: '111122223333/eu-west-1' as const };
      await metadata.holdBlob({ ...elsewhere, ...blob, create: true });
      const holders = ['a/fetched', 'b/pushed', 'c/proven'];
      deepEqual(await metadata.findBlobHolders(home, digest, 10), holders);
      deepEqual(await metadata.findBlobHolders(home, digest, 2), holders.slice(0, 2));
      const held = async (name: string, rule: string | undefined) =>
        (await metadata.findBlobClaim(keyOf(name), rule, digest)).held;
      for (const [name, rule, how] of [
        ['a/fetched', 'a', 'fetched'],
        ['a/fetched', 'led elsewhere', undefined],
        ['a/fetched', undefined, 'fetched'],
        ['b/pushed', 'any', 'pushed'],
        ['b/pushed', undefined, 'pushed'],
        ['c/proven', 'c', 'fetched'],
        ['c/proven', 'a', undefined],
        ['quay.io/naming', 'samples', undefined],
        ['quay.io/naming', undefined, undefined],
      ] as const)
        equal(await held(name, rule), how, `${name} under ${rule}`);
      await metadata.proveBlob({ ...keyOf('b/pushed'), ...blob, rule: 'b', private: false });
      equal(await held('b/pushed', 'any'), 'pushed');
      await metadata.proveBlob({ ...keyOf('c/proven'), ...blob, rule: 'd', private: false });
      deepEqual([await held('c/proven', 'c'), await held('c/proven', 'd')], [undefined, 'fetched']);
      equal(await metadata.releaseBlob({ ...fetched }), true);
      equal(await metadata.releaseBlob({ ...fetched }), false);
      const released = { held: undefined, fetchedBytes: 1, namedBytes: undefined };
      deepEqual(await metadata.findBlobClaim(fetched, 'a', digest), released);
      equal(await held('b/pushed', undefined), 'pushed');
    },
  },
  {
    name: 'images are listed newest first, page by page, and no manifest of an index unless it is tagged',
    async run(metadata) {
      const key = keyOf('team/app');
      const arm = pushInput('team/app', 'arm', { now: 10 });
      const amd = pushInput('team/app', 'amd', { now: 11, tags: ['amd64'] });
      const index = indexInput('team/app', [arm, amd], { now: 12, tags: ['v1', 'latest', 'a'] });
      const plain = pushInput('team/app', 'plain', { now: 12 });
      const signature = pushInput('team/app', 'signature', { now: 9 });
      const signed = {
        ...signature,
        parsed: {
          ...signature.parsed,
          subject: { mediaType: 'm', digest: index.manifest.digest, size: 1 },
          artifactType: 'application/vnd.signature',
        },
      };
      for (const input of [arm, amd, index, plain, signed]) {
        equal((await push(metadata, input)).kind, 'stored');
      }
      const size = (input: typeof plain): number => input.manifest.bytes.byteLength + 10 + 200;
      const same = [index, plain].toSorted((a, b) =>
        a.manifest.digest > b.manifest.digest ? -1 : 1,
      );
      const expected = [...same, amd, signed].map((input): ImageRow => ({
        digest: input.manifest.digest,
        mediaType: input.manifest.mediaType,
        artifactType: input.parsed.artifactType,
        size: input === index ? Math.max(size(arm), size(amd)) : size(input),
        tags: input.tags.toSorted(),
        provenance: 'pushed',
        createdAt: input.now,
        lastPulledAt: 0,
        subject: input.parsed.subject?.digest,
      }));
      deepEqual(await metadata.listImages(key, undefined, 10), expected);
      const paged: ImageRow[] = [];
      for (;;) {
        const page = await metadata.listImages(key, paged.at(-1), 1);
        if (page.length === 0) break;
        paged.push(...page);
      }
      deepEqual(paged, expected);
    },
  },
  {
    name: 'sizes that are claimed beyond what an integer holds are listed all the same',
    async run(metadata) {
      const input = manifestInput('quay.io/app', 'one');
      const layers = Array.from({ length: 2000 }, (_, index) => ({
        mediaType: 'l',
        digest: digestOf(`${index}`),
        size: Number.MAX_SAFE_INTEGER,
      }));
      await metadata.storeManifest({ ...input, parsed: { ...input.parsed, layers } });
      await metadata.storeManifest(indexInput('quay.io/app', [input]) as never);
      await metadata.setTag({
        ...keyOf('quay.io/app'),
        tag: tagOf('x'),
        digest: input.manifest.digest,
        mediaType: 'm',
        size: 1,
        source: '',
        validatedAt: 1,
        private: false,
      });
      const images = await metadata.listImages(input, undefined, 10);
      equal(images.length, 2);
      for (const image of images) ok(image.size >= 2000 * Number.MAX_SAFE_INTEGER * 0.999);
    },
  },
  {
    name: 'rows of tags come in byte order with where they came from, after one, so many',
    async run(metadata) {
      const pulled = manifestInput('quay.io/app', 'one', { tag: 'b' });
      await metadata.storeManifest(pulled);
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
      deepEqual(await metadata.listTagRows(input, '', 10), rows);
      deepEqual(await metadata.listTagRows(input, 'C', 1), rows.slice(1, 2));
      deepEqual(await metadata.listTagRows(input, 'a\0', 9), rows.slice(2));
      deepEqual(await metadata.listTags(input, 'a\0b', 9, undefined), ['b']);
    },
  },
  {
    name: 'a manifest is deleted with all its tags, here alone',
    async run(metadata) {
      const one = pushInput('team/app', 'one', { tags: ['v1', 'latest', 'a'] });
      const two = pushInput('team/app', 'two', { tags: ['v2'] });
      const elsewhere = { ...one, ...keyOf('team/web') };
      for (const input of [one, two, elsewhere]) await push(metadata, input);
      const { digest } = one.manifest;
      deepEqual(await metadata.deleteManifest({ ...one, digest }), {
        tags: ['a', 'latest', 'v1'],
      });
      equal(await metadata.deleteManifest({ ...one, digest }), undefined);
      equal(await metadata.findManifest(one, digest), undefined);
      deepEqual(await metadata.findChildren(one, digest), []);
      deepEqual(await metadata.listTags(one, '', 10, undefined), ['v2']);
      deepEqual(await metadata.findManifest(elsewhere, digest), pushedManifest(one));
      deepEqual(await metadata.deleteManifest({ ...elsewhere, digest }), {
        tags: ['a', 'latest', 'v1'],
      });
      equal((await metadata.putManifest(one)).kind, 'stored');
      deepEqual(await metadata.findManifest(one, digest), pushedManifest(one));
      equal((await metadata.findChildren(one, digest)).length, 3);
    },
  },
  {
    name: 'a tag is deleted alone, and may be cached from upstream again',
    async run(metadata) {
      const input = pushInput('quay.io/app', 'one', { tags: ['v1', 'v2'] });
      await push(metadata, input);
      const tag = tagOf('v1');
      equal(await metadata.deleteTag({ ...input, tag }), input.manifest.digest);
      equal(await metadata.deleteTag({ ...input, tag }), undefined);
      deepEqual(await metadata.listTags(input, '', 10, undefined), ['v2']);
      deepEqual(await metadata.findManifest(input, input.manifest.digest), pushedManifest(input));
      await metadata.storeManifest(manifestInput('quay.io/app', 'upstream', { tag: 'v1' }));
      equal((await metadata.findTag(input, tag))?.provenance, 'cached');
    },
  },
  {
    name: 'a repository that holds manifests is deleted by force alone, with all that is in it',
    async run(metadata) {
      const input = pushInput('team/app', 'one', { tags: ['v1'] });
      const elsewhere = { ...input, ...keyOf('team/web') };
      await push(metadata, input);
      await push(metadata, elsewhere);
      for (let index = 0; index < 700; index += 1) {
        await metadata.putManifest({ ...input, tags: [tagOf(`t${index}`)] });
      }
      await metadata.setRepositoryPolicy({ ...input, text: '{}' });
      equal(await metadata.deleteRepository({ ...input, force: false }), 'notEmpty');
      equal((await metadata.findRepository(input))?.policy, '{}');
      equal(await metadata.deleteRepository({ ...input, force: true }), 'deleted');
      equal(await metadata.deleteRepository({ ...input, force: true }), 'notFound');
      equal(await metadata.findRepository(input), undefined);
      const layer = input.parsed.layers[0]?.digest ?? digestOf('');
      deepEqual(await metadata.findBlobHolders(home, layer, 9), ['team/web']);
      deepEqual(
        (await metadata.listRepositories(home, { prefix: '', after: '', limit: 9 })).map(
          (row) => row.name,
        ),
        ['team/web'],
      );
      deepEqual(
        await metadata.findManifest(elsewhere, input.manifest.digest),
        pushedManifest(input),
      );
      await metadata.createRepository({
        ...keyOf('team/app'),
        tagMutability: mutableTags,
        now: 9,
      });
      equal((await metadata.findRepository(input))?.policy, undefined);
      deepEqual(await metadata.listTags(input, '', 10, undefined), []);
      deepEqual(await metadata.tagHistory(input, tagOf('v1'), 10), []);
      equal((await metadata.putManifest(input)).kind, 'missing');
      equal(await metadata.deleteRepository({ ...input, force: false }), 'deleted');
    },
  },
];
