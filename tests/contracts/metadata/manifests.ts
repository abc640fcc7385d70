import { deepEqual, equal, ok } from 'node:assert/strict';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import type { ImageRow, StoreManifestInput } from '../../../src/metadata/contract/rows.ts';
import type { MetadataRow } from './row.ts';
import {
  indexInput,
  keyOf,
  manifestInput,
  push,
  pushedManifest,
  pushInput,
  tagOf,
} from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

/** A repository of which only pulls know. */
const unset = { pushed: false, tagMutability: mutableTags, policy: undefined };

/** Manifests as they were pulled, what they name, lists of images and referrers. */
export const manifestsRows: readonly MetadataRow[] = [
  {
    name: 'what was never stored is not there',
    async run(metadata) {
      const key = keyOf('docker.io/library/nginx');
      equal(await metadata.repositories.findRepository(key), undefined);
      equal(await metadata.manifests.findManifest(key, digestOf('a')), undefined);
      equal(await metadata.manifests.findManifestInfo(key, digestOf('a')), undefined);
      equal(await metadata.tags.findTag(key, tagOf('1')), undefined);
      deepEqual(await metadata.tags.listTags(key, '', 10, undefined), []);
      deepEqual(await metadata.tags.tagHistory(key, tagOf('1'), 10), []);
      deepEqual(await metadata.manifests.listReferrers(key, digestOf('a'), undefined), []);
      deepEqual(await metadata.manifests.findChildren(key, digestOf('a')), []);
      deepEqual(await metadata.records.listPulls(10), []);
      deepEqual(await metadata.blobs.findBlobClaim(key, 'docker.io', digestOf('a')), {
        held: undefined,
        fetchedBytes: undefined,
        namedBytes: undefined,
      });
    },
  },
  {
    name: 'a manifest comes back in its exact bytes, with its children in order and its tag',
    async run(metadata) {
      const input = manifestInput('docker.io/library/nginx', 'one', { tag: '1.27' });
      await metadata.manifests.storeManifest(input);
      const stored = { ...input.manifest, rule: 'samples' };
      deepEqual(await metadata.manifests.findManifest(input, input.manifest.digest), stored);
      deepEqual(await metadata.manifests.findManifestInfo(input, input.manifest.digest), {
        mediaType: input.manifest.mediaType,
        size: input.manifest.bytes.byteLength,
        rule: 'samples',
      });
      deepEqual(await metadata.manifests.findChildren(input, input.manifest.digest), [
        { role: 'config', ...input.parsed.config },
        ...input.parsed.layers.map((layer) => ({ role: 'layer', ...layer })),
      ]);
      deepEqual(await metadata.tags.findTag(input, tagOf('1.27')), {
        tag: '1.27',
        digest: input.manifest.digest,
        mediaType: input.manifest.mediaType,
        size: input.manifest.bytes.byteLength,
        source: 'https://registry.test/nginx',
        validatedAt: 1000,
        status: 'ok',
        provenance: 'cached',
      });
      deepEqual(await metadata.repositories.findRepository(input), {
        private: false,
        stopped: undefined,
        createdAt: 1000,
        ...unset,
        attributes: { madeBy: { use: 'PULL_THROUGH_CACHE' } },
      });
    },
  },
  {
    name: 'the children of an index keep their platforms, and foreign layers their urls',
    async run(metadata) {
      const image = manifestInput('docker.io/library/nginx', 'index');
      const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
      const child = { mediaType: 'm', digest: digestOf('child'), size: 7, platform };
      const plain = {
        mediaType: 'm',
        digest: digestOf('other'),
        size: 8,
        platform: { os: 'linux', architecture: 'amd64' },
      };
      const foreign = {
        mediaType: 'f',
        digest: digestOf('foreign'),
        size: 9,
        urls: ['https://elsewhere.test/x'],
      };
      const parsed = {
        ...image.parsed,
        config: undefined,
        manifests: [child, plain],
        layers: [foreign],
      };
      await metadata.manifests.storeManifest({ ...image, parsed });
      deepEqual(await metadata.manifests.findChildren(image, image.manifest.digest), [
        { role: 'manifest', ...child },
        { role: 'manifest', ...plain },
        { role: 'layer', ...foreign },
      ]);
    },
  },
  {
    name: 'a manifest of a thousand children is stored whole',
    async run(metadata) {
      const image = manifestInput('docker.io/library/wide', 'wide');
      const layers = Array.from({ length: 1000 }, (_, index) => ({
        mediaType: 'l',
        digest: digestOf(`wide${index}`),
        size: index,
      }));
      await metadata.manifests.storeManifest({ ...image, parsed: { ...image.parsed, layers } });
      equal((await metadata.manifests.findChildren(image, image.manifest.digest)).length, 1001);
    },
  },
  {
    name: 'storing a manifest again changes nothing but times',
    async run(metadata) {
      const input = manifestInput('quay.io/a', 'one', { tag: 'x' });
      await metadata.manifests.storeManifest(input);
      await metadata.manifests.storeManifest({
        ...input,
        now: 2000,
        ...(input.tag && { tag: { ...input.tag, validatedAt: 2000 } }),
      });
      equal((await metadata.manifests.findChildren(input, input.manifest.digest)).length, 3);
      deepEqual(await metadata.tags.tagHistory(input, tagOf('x'), 10), [
        { digest: input.manifest.digest, seenAt: 1000 },
      ]);
      equal((await metadata.tags.findTag(input, tagOf('x')))?.validatedAt, 2000);
    },
  },
  {
    name: 'referrers of a subject come with their artifact type and annotations',
    async run(metadata) {
      const subject = { mediaType: 'm', digest: digestOf('subject'), size: 3 };
      const bare = manifestInput('quay.io/a', 'bare');
      const full = manifestInput('quay.io/a', 'full');
      await metadata.manifests.storeManifest({ ...bare, parsed: { ...bare.parsed, subject } });
      await metadata.manifests.storeManifest({
        ...full,
        parsed: {
          ...full.parsed,
          subject,
          artifactType: 'application/vnd.sbom',
          annotations: { 'org.x': 'ü "q"' },
        },
      });
      await metadata.manifests.storeManifest(manifestInput('quay.io/a', 'unrelated'));
      const descriptor = (input: StoreManifestInput) => ({
        mediaType: input.manifest.mediaType,
        digest: input.manifest.digest,
        size: input.manifest.bytes.byteLength,
      });
      deepEqual(await metadata.manifests.listReferrers(bare, subject.digest, undefined), [
        descriptor(bare),
        {
          ...descriptor(full),
          artifactType: 'application/vnd.sbom',
          annotations: { 'org.x': 'ü "q"' },
        },
      ]);
      deepEqual(
        await metadata.manifests.listReferrers(keyOf('quay.io/b'), subject.digest, undefined),
        [],
      );
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
      deepEqual(await metadata.manifests.listImages(key, undefined, 10), expected);
      const paged: ImageRow[] = [];
      for (;;) {
        const page = await metadata.manifests.listImages(key, paged.at(-1), 1);
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
      await metadata.manifests.storeManifest({ ...input, parsed: { ...input.parsed, layers } });
      await metadata.manifests.storeManifest(indexInput('quay.io/app', [input]) as never);
      await metadata.tags.setTag({
        ...keyOf('quay.io/app'),
        tag: tagOf('x'),
        digest: input.manifest.digest,
        mediaType: 'm',
        size: 1,
        source: '',
        validatedAt: 1,
        private: false,
      });
      const images = await metadata.manifests.listImages(input, undefined, 10);
      equal(images.length, 2);
      for (const image of images) ok(image.size >= 2000 * Number.MAX_SAFE_INTEGER * 0.999);
    },
  },
  {
    name: 'lists leave out what does not count: what another rule brought, with its tags and sizes',
    async run(metadata) {
      const name = 'quay.io/app';
      const subject = digestOf('subject');
      const brought = async (rule: string) => {
        const input = manifestInput(name, rule, { tag: rule });
        const tag = input.tag && { ...input.tag, source: `https://${rule}` };
        const parsed = { ...input.parsed, subject: { mediaType: 'm', digest: subject, size: 1 } };
        await metadata.manifests.storeManifest({ ...input, parsed, rule, ...(tag && { tag }) });
        return input;
      };
      const ours = await brought('ours');
      const theirs = await brought('theirs');
      const index = indexInput(name, [theirs]);
      await metadata.manifests.storeManifest({
        ...manifestInput(name, ''),
        ...index,
        rule: 'ours',
      } as never);
      const pushed = pushInput(name, 'pushed', { tags: ['pushed'], now: 2000 });
      await push(metadata, pushed);
      const digests = (...inputs: (typeof ours | typeof index)[]) =>
        inputs.map(({ manifest }) => manifest.digest).sort();
      for (const [counting, tags, images, referrers] of [
        [undefined, ['ours', 'pushed', 'theirs'], digests(ours, theirs, index, pushed), 2],
        [
          { rule: 'ours', sources: ['https://ours'] },
          ['ours', 'pushed'],
          digests(ours, index, pushed),
          1,
        ],
        [{ rule: undefined, sources: [] }, ['pushed'], digests(pushed), 0],
      ] as const) {
        deepEqual(await metadata.tags.listTags(pushed, '', 9, counting), tags);
        const rows = await metadata.tags.listTagRows(pushed, '', 9, counting);
        deepEqual(
          rows.map(({ tag }) => tag),
          tags,
        );
        const listed = await metadata.manifests.listImages(pushed, undefined, 9, counting);
        deepEqual(listed.map(({ digest }) => digest).sort(), images);
        deepEqual(listed.flatMap((image) => image.tags).sort(), tags);
        equal(
          (await metadata.manifests.listReferrers(pushed, subject, counting)).length,
          referrers,
        );
        const sized = listed.find(({ digest }) => digest === index.manifest.digest);
        const own = index.manifest.bytes.byteLength;
        if (sized !== undefined) equal(sized.size > own, counting === undefined);
      }
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
      deepEqual(await metadata.manifests.deleteManifest({ ...one, digest }), {
        tags: ['a', 'latest', 'v1'],
      });
      equal(await metadata.manifests.deleteManifest({ ...one, digest }), undefined);
      equal(await metadata.manifests.findManifest(one, digest), undefined);
      deepEqual(await metadata.manifests.findChildren(one, digest), []);
      deepEqual(await metadata.tags.listTags(one, '', 10, undefined), ['v2']);
      deepEqual(await metadata.manifests.findManifest(elsewhere, digest), pushedManifest(one));
      deepEqual(await metadata.manifests.deleteManifest({ ...elsewhere, digest }), {
        tags: ['a', 'latest', 'v1'],
      });
      equal((await metadata.manifests.putManifest(one)).kind, 'stored');
      deepEqual(await metadata.manifests.findManifest(one, digest), pushedManifest(one));
      equal((await metadata.manifests.findChildren(one, digest)).length, 3);
    },
  },
];
