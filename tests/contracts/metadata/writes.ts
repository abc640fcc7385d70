import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { MetadataError } from '../../../src/metadata/contract/metadata-error.ts';
import type { MetadataRow } from './row.ts';
import { keyOf, manifestInput, tagOf } from './samples.ts';

/** Writes beside each other, and closing. */
export const writesRows: readonly MetadataRow[] = [
  {
    name: 'of 200 writes at once the bad one fails alone, and the order of the others holds',
    async run(metadata) {
      const key = keyOf('quay.io/a');
      const bad = 77;
      const results = await Promise.allSettled(
        Array.from({ length: 200 }, (_, index) => {
          const input = manifestInput('quay.io/a', `image${index}`, { tag: 'latest' });
          return metadata.manifests.storeManifest(
            index === bad ? { ...input, now: null as unknown as number } : input,
          );
        }),
      );
      deepEqual(
        results.flatMap((result, index) => (result.status === 'rejected' ? [index] : [])),
        [bad],
      );
      ok((results[bad] as PromiseRejectedResult).reason instanceof MetadataError);
      equal(
        (await metadata.tags.findTag(key, tagOf('latest')))?.digest,
        manifestInput('quay.io/a', 'image199').manifest.digest,
      );
      equal((await metadata.tags.tagHistory(key, tagOf('latest'), 1000)).length, 199);
      equal(
        await metadata.manifests.findManifest(
          key,
          manifestInput('quay.io/a', `image${bad}`).manifest.digest,
        ),
        undefined,
      );
    },
  },
  {
    name: 'writes to many repositories at once all come through',
    async run(metadata) {
      const inputs = Array.from({ length: 200 }, (_, index) =>
        manifestInput(`quay.io/r${index % 20}`, `shared${index % 7}`, { tag: `t${index}` }),
      );
      await Promise.all(inputs.map((input) => metadata.manifests.storeManifest(input)));
      for (const input of inputs)
        ok(await metadata.tags.findTag(input, input.tag?.tag ?? tagOf('')));
    },
  },
  {
    name: 'closing answers what waits, and refuses what comes after',
    async run(metadata) {
      const waiting = Array.from({ length: 50 }, (_, index) =>
        metadata.manifests.storeManifest(manifestInput('quay.io/a', `c${index}`)),
      );
      await metadata[Symbol.asyncDispose]();
      await Promise.all(waiting);
      await rejects(metadata.manifests.storeManifest(manifestInput('quay.io/a', 'late')), {
        name: 'MetadataError',
        reason: 'closed',
      });
      await rejects(metadata.tags.findTag(keyOf('quay.io/a'), tagOf('x')), {
        name: 'MetadataError',
        reason: 'closed',
      });
    },
  },
];
