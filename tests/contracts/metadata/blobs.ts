import { deepEqual, equal, ok } from 'node:assert/strict';
import type { MetadataRow } from './row.ts';
import { home, keyOf, manifestInput } from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

/** Which repository holds which blob. */
export const blobsRows: readonly MetadataRow[] = [
  {
    name: 'T32: a blob that another repository or rule holds is no claim here',
    async run(metadata) {
      const input = manifestInput('private.test/a', 'one');
      const blob = input.parsed.layers[0]?.digest ?? digestOf('');
      await metadata.manifests.storeManifest(input);
      await metadata.blobs.recordFetch({
        ...input,
        rule: 'samples',
        digest: blob,
        size: 101,
        private: true,
        now: 5,
      });
      deepEqual(await metadata.blobs.findBlobClaim(input, 'samples', blob), {
        held: 'fetched',
        fetchedBytes: 101,
        namedBytes: 100,
      });
      equal((await metadata.repositories.findRepository(input))?.private, true);
      const nothing = { held: undefined, fetchedBytes: undefined, namedBytes: undefined };
      deepEqual(await metadata.blobs.findBlobClaim(input, 'led elsewhere', blob), nothing);
      deepEqual(
        await metadata.blobs.findBlobClaim(keyOf('docker.io/b'), 'docker.io', blob),
        nothing,
      );
      const elsewhere = { ...input, registry: '111122223333/eu-west-1' as const };
      deepEqual(await metadata.blobs.findBlobClaim(elsewhere, 'samples', blob), nothing);
    },
  },
  {
    name: 'T47: a manifest that names a blob proves nothing of its bytes',
    async run(metadata) {
      const input = manifestInput('docker.io/b', 'one');
      const layer = input.parsed.layers[0];
      ok(layer);
      await metadata.manifests.storeManifest(input);
      const claim = { held: undefined, fetchedBytes: undefined, namedBytes: layer.size };
      deepEqual(await metadata.blobs.findBlobClaim(input, 'samples', layer.digest), claim);
      const proof = { ...input, digest: layer.digest, private: false, now: 6 };
      await metadata.blobs.proveBlob(proof);
      const proven = { ...claim, held: 'fetched' };
      deepEqual(await metadata.blobs.findBlobClaim(input, 'samples', layer.digest), proven);
    },
  },
  {
    name: 'a blob is held where it was pushed, mounted or fetched, not where it is named, until released',
    async run(metadata) {
      const digest = digestOf('layer base');
      const blob = { digest, now: 1 };
      await metadata.manifests.storeManifest(manifestInput('quay.io/naming', 'one'));
      equal(await metadata.blobs.holdBlob({ ...keyOf('b/pushed'), ...blob, create: true }), 'made');
      equal(
        await metadata.blobs.holdBlob({ ...keyOf('b/pushed'), ...blob, create: false }),
        'held',
      );
      await metadata.blobs.proveBlob({ ...keyOf('c/proven'), ...blob, rule: 'c', private: false });
      const fetched = { ...keyOf('a/fetched'), ...blob, rule: 'a', size: 1, private: false };
      await metadata.blobs.recordFetch(fetched);
      await metadata.manifests.storeManifest(manifestInput('d/pulled', 'one'));
      for (const held of ['first', 'held'])
        equal(
          await metadata.blobs.holdBlob({ ...keyOf('d/pulled'), ...blob, create: false }),
          held,
        );
      await metadata.blobs.releaseBlob({ ...keyOf('d/pulled'), digest });
      const elsewhere = { ...keyOf('a/a'), registry: '111122223333/eu-west-1' as const };
      await metadata.blobs.holdBlob({ ...elsewhere, ...blob, create: true });
      const holders = ['a/fetched', 'b/pushed', 'c/proven'];
      deepEqual(await metadata.blobs.findBlobHolders(home, digest, 10), holders);
      deepEqual(await metadata.blobs.findBlobHolders(home, digest, 2), holders.slice(0, 2));
      const held = async (name: string, rule: string | undefined) =>
        (await metadata.blobs.findBlobClaim(keyOf(name), rule, digest)).held;
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
      await metadata.blobs.proveBlob({ ...keyOf('b/pushed'), ...blob, rule: 'b', private: false });
      equal(await held('b/pushed', 'any'), 'pushed');
      await metadata.blobs.proveBlob({ ...keyOf('c/proven'), ...blob, rule: 'd', private: false });
      deepEqual([await held('c/proven', 'c'), await held('c/proven', 'd')], [undefined, 'fetched']);
      equal(await metadata.blobs.releaseBlob({ ...fetched }), true);
      equal(await metadata.blobs.releaseBlob({ ...fetched }), false);
      const released = { held: undefined, fetchedBytes: 1, namedBytes: undefined };
      deepEqual(await metadata.blobs.findBlobClaim(fetched, 'a', digest), released);
      equal(await held('b/pushed', undefined), 'pushed');
    },
  },
];
