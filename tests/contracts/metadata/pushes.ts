import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Digest } from '../../../src/domain/names/digest.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type { PutManifestInput } from '../../../src/metadata/contract/rows.ts';
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

const emptyBlob =
  'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' as Digest;

function blobsOf(input: PutManifestInput): readonly Digest[] {
  const { config, layers } = input.parsed;
  return [...(config ? [config] : []), ...layers].map((one) => one.digest);
}

function withLayers(
  input: PutManifestInput,
  layers: PutManifestInput['parsed']['layers'],
): PutManifestInput {
  return { ...input, parsed: { ...input.parsed, layers } };
}

async function isStored(metadata: Metadata, input: PutManifestInput): Promise<boolean> {
  return (await metadata.manifests.findManifest(input, input.manifest.digest)) !== undefined;
}

/** Manifests as they are pushed: the checks, and what a push makes of what was pulled. */
export const pushesRows: readonly MetadataRow[] = [
  {
    name: 'a push into a repository that is missing makes it only where it may',
    async run(metadata) {
      const input = pushInput('team/app', 'one', { tags: ['v1'] });
      const bare = withLayers(
        { ...input, parsed: { ...input.parsed, config: undefined, kind: 'opaque' } },
        [],
      );
      deepEqual(await metadata.manifests.putManifest({ ...bare, create: false }), {
        kind: 'noRepository',
      });
      deepEqual(
        await metadata.blobs.holdBlob({ ...input, digest: digestOf('b'), create: false }),
        'noRepository',
      );
      equal(await metadata.repositories.findRepository(input), undefined);
      deepEqual(await metadata.manifests.putManifest(bare), {
        kind: 'stored',
        added: true,
        hides: [],
        createdRepository: true,
      });
      equal((await metadata.repositories.findRepository(input))?.pushed, true);
    },
  },
  {
    name: 'a manifest whose blobs are not here is not stored, and no repository is made for it',
    async run(metadata) {
      const input = pushInput('team/app', 'one', { tags: ['v1'] });
      deepEqual(await metadata.manifests.putManifest(input), {
        kind: 'missing',
        digests: blobsOf(input),
      });
      equal(await metadata.repositories.findRepository(input), undefined);
      const [config = digestOf(''), ...layers] = blobsOf(input);
      await metadata.blobs.holdBlob({ ...input, digest: config, create: true });
      deepEqual(await metadata.manifests.putManifest(input), { kind: 'missing', digests: layers });
      equal(await isStored(metadata, input), false);
      equal(await metadata.tags.findTag(input, tagOf('v1')), undefined);
      equal((await metadata.manifests.findChildren(input, input.manifest.digest)).length, 0);
    },
  },
  {
    name: 'of what is missing a hundred are told, in the order of the manifest and none twice',
    async run(metadata) {
      const input = pushInput('team/app', 'wide');
      const layers = Array.from({ length: 300 }, (_, index) => ({
        mediaType: 'l',
        digest: digestOf(`wide${Math.floor(index / 2)}`),
        size: 1,
      }));
      const wide = withLayers(input, layers);
      const result = await metadata.manifests.putManifest(wide);
      ok(result.kind === 'missing');
      deepEqual(result.digests, [...new Set(blobsOf(wide))].slice(0, 100));
      equal((await push(metadata, wide)).kind, 'stored');
    },
  },
  {
    name: 'a pushed image is stored with its tags, children and history; the same again adds nothing',
    async run(metadata) {
      const input = pushInput('team/app', 'one', { tags: ['v1', 'latest'] });
      deepEqual(await push(metadata, input), {
        kind: 'stored',
        added: true,
        hides: [],
        createdRepository: false,
      });
      deepEqual(
        await metadata.manifests.findManifest(input, input.manifest.digest),
        pushedManifest(input),
      );
      deepEqual(await metadata.tags.findTag(input, tagOf('latest')), {
        tag: 'latest',
        digest: input.manifest.digest,
        mediaType: input.manifest.mediaType,
        size: input.manifest.bytes.byteLength,
        source: '',
        validatedAt: 1000,
        status: 'ok',
        provenance: 'pushed',
      });
      const again = await metadata.manifests.putManifest({ ...input, now: 2000 });
      ok(again.kind === 'stored' && !again.added && again.hides.length === 0);
      equal((await metadata.manifests.findChildren(input, input.manifest.digest)).length, 3);
      deepEqual(await metadata.tags.tagHistory(input, tagOf('v1'), 10), [
        { digest: input.manifest.digest, seenAt: 1000 },
      ]);
      deepEqual(await metadata.tags.listTags(input, '', 10, undefined), ['latest', 'v1']);
    },
  },
  {
    name: 'layers that live elsewhere need not be here; the empty blob must be',
    async run(metadata) {
      const foreign = [
        { mediaType: 'l', digest: digestOf('a'), size: 1, urls: ['https://elsewhere.test/a'] },
        {
          mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
          digest: digestOf('b'),
          size: 1,
        },
        {
          mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
          digest: digestOf('c'),
          size: 1,
        },
      ];
      const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: emptyBlob, size: 2 };
      const nowhere = { mediaType: 'l', digest: digestOf('d'), size: 1, urls: [] };
      const input = pushInput('team/app', 'one');
      const artifact = withLayers({ ...input, parsed: { ...input.parsed, config: empty } }, [
        ...foreign,
        nowhere,
      ]);
      deepEqual(await metadata.manifests.putManifest(artifact), {
        kind: 'missing',
        digests: [emptyBlob, nowhere.digest],
      });
      await metadata.blobs.holdBlob({ ...input, digest: emptyBlob, create: true });
      await metadata.blobs.holdBlob({ ...input, digest: nowhere.digest, create: true });
      equal((await metadata.manifests.putManifest(artifact)).kind, 'stored');
    },
  },
  {
    name: 'what the rule brought here is held by the image that is pushed, and stays whatever the rule leads to',
    async run(metadata) {
      const pulled = manifestInput('quay.io/team/app', 'one', { tag: 'x' });
      await metadata.manifests.storeManifest(pulled);
      const input = pushInput('quay.io/team/app', 'one', { tags: ['mine'] });
      const blobs = blobsOf(input);
      for (const digest of blobs) {
        // Fetched for a sibling: here it is named, and not held.
        const fetched = { rule: 'samples', digest, size: 5, private: false, now: 5 };
        await metadata.blobs.recordFetch({ ...keyOf('quay.io/team/other'), ...fetched });
        equal((await metadata.blobs.findBlobClaim(input, 'samples', digest)).held, undefined);
      }
      deepEqual(await metadata.manifests.putManifest(input), { kind: 'missing', digests: blobs });
      for (const digest of blobs)
        await metadata.blobs.proveBlob({
          ...input,
          rule: 'samples',
          digest,
          private: false,
          now: 6,
        });
      const led = { ...input, rule: 'elsewhere' };
      deepEqual(await metadata.manifests.putManifest(led), { kind: 'missing', digests: blobs });
      const result = await metadata.manifests.putManifest(input);
      ok(result.kind === 'stored' && !result.added);
      for (const digest of blobs)
        equal((await metadata.blobs.findBlobClaim(input, 'elsewhere', digest)).held, 'pushed');
      equal((await metadata.manifests.putManifest(led)).kind, 'stored');
    },
  },
  {
    name: "T47: what another repository's rule fetched is not held here, whatever names it",
    async run(metadata) {
      const input = pushInput('docker.io/evil/app', 'one');
      await metadata.manifests.storeManifest(manifestInput('docker.io/evil/app', 'one'));
      for (const digest of blobsOf(input)) {
        await metadata.blobs.recordFetch({
          ...keyOf('private.test/app'),
          rule: 'private.test',
          digest,
          size: 5,
          private: true,
          now: 5,
        });
      }
      deepEqual(await metadata.manifests.putManifest(input), {
        kind: 'missing',
        digests: blobsOf(input),
      });
    },
  },
  {
    name: 'T47: a pushed manifest that names a layer as living elsewhere does not make it held',
    async run(metadata) {
      const secret = digestOf('secret');
      await metadata.blobs.recordFetch({
        ...keyOf('quay.io/private'),
        rule: 'quay.io',
        digest: secret,
        size: 5,
        private: true,
        now: 5,
      });
      const input = pushInput('quay.io/evil', 'one');
      const naming = withLayers(input, [
        { mediaType: 'l', digest: secret, size: 5, urls: ['https://elsewhere.test/a'] },
      ]);
      const [config = secret] = blobsOf(input);
      await metadata.blobs.holdBlob({ ...input, digest: config, create: true });
      equal((await metadata.manifests.putManifest(naming)).kind, 'stored');
      equal((await metadata.manifests.findChildren(naming, naming.manifest.digest)).length, 2);
      const other = pushInput('quay.io/evil', 'two');
      const taking = withLayers({ ...other, parsed: { ...other.parsed, config: undefined } }, [
        { mediaType: 'l', digest: secret, size: 5 },
      ]);
      deepEqual(await metadata.manifests.putManifest(taking), {
        kind: 'missing',
        digests: [secret],
      });
    },
  },
  {
    name: 'an index needs its manifests here and an image its layers, unless they may be sparse; a subject need not be here',
    async run(metadata) {
      const children = [pushInput('team/app', 'amd64'), pushInput('team/app', 'arm64')];
      const [first, second] = children;
      ok(first && second);
      const index = indexInput('team/app', children, { tags: ['v1'] });
      const digests = children.map((child) => child.manifest.digest);
      deepEqual(await metadata.manifests.putManifest(index), { kind: 'missing', digests });
      equal((await push(metadata, first)).kind, 'stored');
      deepEqual(await metadata.manifests.putManifest(index), {
        kind: 'missing',
        digests: digests.slice(1),
      });
      // A manifest of another repository is no child here, and a blob is no manifest.
      await push(metadata, { ...second, ...keyOf('team/other') });
      const digest = second.manifest.digest;
      await metadata.blobs.holdBlob({ ...second, digest, create: true });
      equal((await metadata.manifests.putManifest(index)).kind, 'missing');
      equal((await metadata.manifests.putManifest({ ...index, sparse: true })).kind, 'stored');
      const sparse = { ...pushInput('team/app', 'sparse'), sparse: true };
      const configs = blobsOf(sparse).slice(0, 1);
      deepEqual(await metadata.manifests.putManifest(sparse), {
        kind: 'missing',
        digests: configs,
      });
      await metadata.blobs.holdBlob({ ...sparse, digest: configs[0] ?? digest, create: true });
      equal((await metadata.manifests.putManifest(sparse)).kind, 'stored');
      equal((await push(metadata, second)).kind, 'stored');
      equal((await metadata.manifests.putManifest(index)).kind, 'stored');
      const signature = pushInput('team/app', 'signature');
      const subject = { mediaType: 'm', digest: digestOf('nowhere'), size: 1 };
      equal(
        (await push(metadata, { ...signature, parsed: { ...signature.parsed, subject } })).kind,
        'stored',
      );
      equal(
        (await metadata.manifests.listReferrers(signature, subject.digest, undefined)).length,
        1,
      );
    },
  },
  {
    name: 'a tag that may not move stays, and nothing of the push is stored; the same digest is fine',
    async run(metadata) {
      const key = keyOf('team/app');
      const tagMutability = {
        mode: 'IMMUTABLE_WITH_EXCLUSION',
        exclusions: ['latest', 'dev-*'],
      } as const;
      await metadata.repositories.createRepository({ ...key, tagMutability, now: 1 });
      const one = pushInput('team/app', 'one', { tags: ['v1', 'latest', 'dev-1'] });
      const two = pushInput('team/app', 'two', { tags: ['latest', 'v2', 'v1'] });
      equal((await push(metadata, one)).kind, 'stored');
      equal((await push(metadata, one)).kind, 'stored');
      deepEqual(await push(metadata, two), {
        kind: 'immutable',
        tag: 'v1',
        digest: one.manifest.digest,
      });
      equal(await isStored(metadata, two), false);
      equal(await metadata.tags.findTag(key, tagOf('v2')), undefined);
      equal((await metadata.tags.findTag(key, tagOf('latest')))?.digest, one.manifest.digest);
      const allowed = { ...two, tags: ['latest', 'dev-1'].map(tagOf) };
      equal((await metadata.manifests.putManifest(allowed)).kind, 'stored');
      equal((await metadata.tags.findTag(key, tagOf('dev-1')))?.digest, two.manifest.digest);
      // Immutability is told before what is missing.
      const three = pushInput('team/app', 'three', { tags: ['v1'] });
      equal((await metadata.manifests.putManifest(three)).kind, 'immutable');
    },
  },
  {
    name: 'of fifty pushes of one tag that may not move, one is stored',
    async run(metadata) {
      const key = keyOf('team/app');
      const tagMutability = { mode: 'IMMUTABLE', exclusions: [] } as const;
      await metadata.repositories.createRepository({ ...key, tagMutability, now: 1 });
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          push(metadata, pushInput('team/app', `image${index}`, { tags: ['v1'] })),
        ),
      );
      deepEqual(results.map((result) => result.kind).toSorted(), [
        ...Array.from({ length: 49 }, () => 'immutable'),
        'stored',
      ]);
      equal((await metadata.tags.tagHistory(key, tagOf('v1'), 100)).length, 1);
      equal((await metadata.manifests.listImages(key, undefined, 100)).length, 1);
    },
  },
  {
    name: 'T34: a push hides a cached tag once, and pulls then leave tag and manifest as they are',
    async run(metadata) {
      const pulled = manifestInput('quay.io/app', 'upstream', { tag: 'v1' });
      await metadata.manifests.storeManifest(pulled);
      const input = pushInput('quay.io/app', 'ours', { tags: ['v1', 'v2'], now: 2000 });
      const first = await push(metadata, input);
      deepEqual(first.kind === 'stored' && first.hides, ['v1']);
      const again = await metadata.manifests.putManifest(input);
      deepEqual(again.kind === 'stored' && again.hides, []);
      const tag = tagOf('v1');
      const before = await metadata.tags.findTag(input, tag);
      await metadata.manifests.storeManifest({ ...pulled, now: 3000 });
      await metadata.tags.setTag({
        ...keyOf('quay.io/app'),
        tag,
        digest: digestOf('newer'),
        mediaType: 'm',
        size: 1,
        source: 's',
        validatedAt: 3000,
        private: false,
      });
      await metadata.tags.validateTag({ ...input, tag, source: 's', validatedAt: 4000 });
      await metadata.tags.markTag({ ...input, tag, status: 'gone' });
      deepEqual(await metadata.tags.findTag(input, tag), before);
      deepEqual(
        (await metadata.tags.tagHistory(input, tag, 10)).map((one) => one.digest),
        [input.manifest.digest, pulled.manifest.digest],
      );
      await metadata.manifests.storeManifest(manifestInput('quay.io/app', 'ours'));
      const images = await metadata.manifests.listImages(input, undefined, 10);
      deepEqual(
        images.map((image) => [image.digest, image.provenance]),
        [
          [input.manifest.digest, 'pushed'],
          [pulled.manifest.digest, 'cached'],
        ],
      );
    },
  },
  {
    name: 'a pulled manifest that is pushed is a pushed one, and its repository too',
    async run(metadata) {
      const pulled = manifestInput('quay.io/app', 'one', { tag: 'v1' });
      await metadata.manifests.storeManifest({ ...pulled, private: true });
      equal((await metadata.repositories.findRepository(pulled))?.pushed, false);
      const result = await push(metadata, pushInput('quay.io/app', 'one'));
      ok(result.kind === 'stored' && !result.added && !result.createdRepository);
      const repository = await metadata.repositories.findRepository(pulled);
      deepEqual([repository?.pushed, repository?.private], [true, true]);
      const [image] = await metadata.manifests.listImages(pulled, undefined, 10);
      equal(image?.provenance, 'pushed');
      equal((await metadata.tags.findTag(pulled, tagOf('v1')))?.provenance, 'cached');
    },
  },
];
