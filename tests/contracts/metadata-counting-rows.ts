import { deepEqual, equal } from 'node:assert/strict';
import type { MetadataRow } from './metadata-row.ts';
import { indexInput, manifestInput, push, pushInput } from './metadata-samples.ts';
import { digestOf } from '../support/samples/digest.ts';

/** Which records of a repository lists show (`Counting`). */
export const countingRows: readonly MetadataRow[] = [
  {
    name: 'lists leave out what does not count: what another rule brought, with its tags and sizes',
    async run(metadata) {
      const name = 'quay.io/app';
      const subject = digestOf('subject');
      const brought = async (rule: string) => {
        const input = manifestInput(name, rule, { tag: rule });
        const tag = input.tag && { ...input.tag, source: `https://${rule}` };
        const parsed = { ...input.parsed, subject: { mediaType: 'm', digest: subject, size: 1 } };
        await metadata.storeManifest({ ...input, parsed, rule, ...(tag && { tag }) });
        return input;
      };
      const ours = await brought('ours');
      const theirs = await brought('theirs');
      const index = indexInput(name, [theirs]);
      await metadata.storeManifest({ ...manifestInput(name, ''), ...index, rule: 'ours' } as never);
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
        deepEqual(await metadata.listTags(pushed, '', 9, counting), tags);
        const rows = await metadata.listTagRows(pushed, '', 9, counting);
        deepEqual(
          rows.map(({ tag }) => tag),
          tags,
        );
        const listed = await metadata.listImages(pushed, undefined, 9, counting);
        deepEqual(listed.map(({ digest }) => digest).sort(), images);
        deepEqual(listed.flatMap((image) => image.tags).sort(), tags);
        equal((await metadata.listReferrers(pushed, subject, counting)).length, referrers);
        const sized = listed.find(({ digest }) => digest === index.manifest.digest);
        const own = index.manifest.bytes.byteLength;
        if (sized !== undefined) equal(sized.size > own, counting === undefined);
      }
    },
  },
];
