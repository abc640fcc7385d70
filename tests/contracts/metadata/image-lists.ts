import { deepEqual } from 'node:assert/strict';
import type { ListedImage, NamedImage } from '../../../src/metadata/contract/rows.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { digestOf } from '../../support/samples/digest.ts';
import type { MetadataRow } from './row.ts';
import { indexInput, keyOf, manifestInput, push, pushInput } from './samples.ts';

const key = keyOf('team/app');

/** An index of two, one of which has tags, and an image beside them with two. */
async function pushed(metadata: Metadata) {
  const arm = pushInput('team/app', 'arm', { now: 1000 });
  const amd = pushInput('team/app', 'amd', { now: 2000, tags: ['amd'] });
  const index = indexInput('team/app', [arm, amd], { now: 3000 });
  const plain = pushInput('team/app', 'plain', { now: 3000, tags: ['v2', 'v1'] });
  for (const input of [arm, amd, index, plain]) await push(metadata, input);
  return { arm, amd, index, plain, all: [arm, amd, index, plain] };
}

const byDigest = (one: { readonly digest: string }, other: { readonly digest: string }): number =>
  one.digest < other.digest ? -1 : 1;

/** Every manifest, and every name of each. */
export const imageListsRows: readonly MetadataRow[] = [
  {
    name: 'every manifest is listed in the order of digests, children of indexes too, page after page',
    async run(metadata) {
      const { index, all, arm, amd } = await pushed(metadata);
      const size = (input: typeof arm): number => input.manifest.bytes.byteLength + 10 + 200;
      const expected = all
        .map((input): ListedImage => ({
          digest: input.manifest.digest,
          mediaType: input.manifest.mediaType,
          artifactType: undefined,
          configType: input.parsed.config?.mediaType,
          size: input === index ? Math.max(size(arm), size(amd)) : size(input),
          tags: input.tags.toSorted(),
          provenance: 'pushed',
          createdAt: input.now,
          lastPulledAt: 0,
          subject: undefined,
        }))
        .toSorted(byDigest);
      const paged: ListedImage[] = [];
      for (;;) {
        const from = { after: paged.at(-1)?.digest ?? '' };
        const page = await metadata.manifests.listManifests(key, from, 1);
        if (page.length === 0) break;
        paged.push(...page);
      }
      deepEqual(paged, expected);
      const found = await metadata.manifests.findManifests(key, [
        ...expected.map(({ digest }) => digest),
        digestOf('none'),
      ]);
      deepEqual(found.toSorted(byDigest), expected);
    },
  },
  {
    name: 'a manifest is named once for each of its tags, and once where it has none, page after page',
    async run(metadata) {
      const { all } = await pushed(metadata);
      const expected = all
        .toSorted((one, other) => byDigest(one.manifest, other.manifest))
        .flatMap(({ manifest: { digest }, tags }): NamedImage[] =>
          tags.length === 0
            ? [{ digest, tag: undefined }]
            : tags.toSorted().map((tag) => ({ digest, tag })),
        );
      const paged: NamedImage[] = [];
      for (;;) {
        const last = paged.at(-1);
        const after = { digest: last?.digest ?? '', tag: last?.tag ?? '' };
        const page = await metadata.manifests.listImageNames(key, { after }, 1);
        if (page.length === 0) break;
        paged.push(...page);
      }
      deepEqual(paged, expected);
    },
  },
  {
    name: 'manifests and names with tags, or without any, are listed alone',
    async run(metadata) {
      const { arm, amd, index, plain } = await pushed(metadata);
      const after = { digest: '', tag: '' };
      for (const [tags, inputs] of [
        ['tagged', [amd, plain]],
        ['untagged', [arm, index]],
      ] as const) {
        const digests = inputs.map(({ manifest }) => manifest.digest).toSorted();
        const listed = await metadata.manifests.listManifests(key, { after: '', tags }, 9);
        deepEqual(
          listed.map(({ digest }) => digest),
          digests,
        );
        const named = await metadata.manifests.listImageNames(key, { after, tags }, 9);
        deepEqual([...new Set(named.map(({ digest }) => digest))], digests);
      }
    },
  },
  {
    name: 'what another rule brought is neither listed, named nor found, and its tags name nothing',
    async run(metadata) {
      const brought = async (rule: string) => {
        const input = manifestInput('team/app', rule, { tag: rule });
        const tag = input.tag && { ...input.tag, source: `https://${rule}` };
        await metadata.manifests.storeManifest({ ...input, rule, ...(tag && { tag }) });
        return input.manifest.digest;
      };
      const ours = await brought('ours');
      const theirs = await brought('theirs');
      const own = { rule: 'ours', sources: ['https://ours'] };
      const stale = { rule: 'ours', sources: ['https://elsewhere'] };
      const after = { digest: '', tag: '' };
      const { manifests } = metadata;
      for (const [counting, tag] of [
        [own, 'ours'],
        [stale, undefined],
      ] as const) {
        const tags = tag === undefined ? [] : [tag];
        const listed = await manifests.listManifests(key, { after: '' }, 9, counting);
        const found = await manifests.findManifests(key, [ours, theirs], counting);
        for (const images of [listed, found])
          deepEqual(
            images.map((image) => [image.digest, image.tags]),
            [[ours, tags]],
          );
        deepEqual(await manifests.listImageNames(key, { after }, 9, counting), [
          { digest: ours, tag },
        ]);
        const untagged = { after: '', tags: 'untagged' } as const;
        const bare = await manifests.listManifests(key, untagged, 9, counting);
        deepEqual(bare.length, tag === undefined ? 1 : 0);
      }
    },
  },
];
