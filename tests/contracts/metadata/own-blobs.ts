import { deepEqual, equal } from 'node:assert/strict';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import { digestOf } from '../../support/samples/digest.ts';
import type { MetadataRow } from './row.ts';
import { home, keyOf, manifestInput, push, pushInput } from './samples.ts';

const rule = 'k8s https://registry.k8s.io/ as x:y';
const none = { blobs: 0, bytes: 0 };

/** A blob of `size` bytes that came through a rule. */
function fetched({ blobs }: Metadata, repository: string, name: string, size: number) {
  const digest = digestOf(name);
  return blobs.recordFetch({ ...keyOf(repository), digest, size, rule, private: false, now: 1 });
}

/** Of `repository`, where those at and below `prefix` leave. */
function sums({ blobs }: Metadata, prefix: string | undefined, pushed = false) {
  const leaving = prefix === undefined ? undefined : { prefix, pushed };
  return (repository: string) => blobs.sumOwnBlobs(keyOf(repository), leaving);
}

export const ownBlobsRows: readonly MetadataRow[] = [
  {
    name: 'what a repository alone holds is summed, as fetched or as a manifest claims',
    async run(metadata) {
      const own = sums(metadata, undefined);
      deepEqual(await own('k8s/a'), none);
      await fetched(metadata, 'k8s/a', 'one', 1000);
      await fetched(metadata, 'k8s/a', 'both', 500);
      await fetched(metadata, 'team/b', 'both', 500);
      deepEqual(await own('k8s/a'), { blobs: 1, bytes: 1000 });
      deepEqual(await own('team/b'), none);
      await push(metadata, pushInput('team/app', 'pushed'));
      deepEqual(await own('team/app'), { blobs: 3, bytes: 210 });
      await push(metadata, pushInput('team/web', 'other'));
      // The base layer is both's now.
      deepEqual(await own('team/app'), { blobs: 2, bytes: 110 });
      const elsewhere = { ...pushInput('team/app', 'pushed'), registry: '111122223333/eu-west-1' };
      await push(metadata, elsewhere as ReturnType<typeof pushInput>);
      deepEqual(await own('team/app'), none);
    },
  },
  {
    name: 'sums of repositories that leave together add up, and leave out what the others hold',
    async run(metadata) {
      for (const [repository, names] of Object.entries({
        'k8s/b': ['shared', 'kept', 'of b'],
        k8s: ['shared', 'of k8s'],
        'k8s/a': ['shared', 'with pushed'],
        'k8s-old': ['kept'],
        'k8s0/x': ['of others'],
      }))
        for (const name of names) await fetched(metadata, repository, name, name.length);
      await metadata.repositories.createRepository({
        ...keyOf('k8s/made'),
        tagMutability: mutableTags,
        now: 1,
      });
      await fetched(metadata, 'k8s/made', 'with pushed', 11);
      const sumOf = async (pushed: boolean): Promise<number> => {
        const own = sums(metadata, 'k8s', pushed);
        let bytes = 0;
        for (const name of ['k8s', 'k8s/a', 'k8s/b', ...(pushed ? ['k8s/made'] : [])])
          bytes += (await own(name)).bytes;
        return bytes;
      };
      equal(await sumOf(false), 'shared'.length + 'of k8s'.length + 'of b'.length);
      equal(await sumOf(true), 'shared'.length + 'of k8s'.length + 'of b'.length + 11);
      await metadata.repositories.deleteRepository({ ...keyOf('k8s'), force: true });
      await metadata.repositories.deleteRepository({ ...keyOf('k8s/b'), force: true });
      deepEqual(await sums(metadata, undefined)('k8s/a'), { blobs: 1, bytes: 6 });
    },
  },
  {
    name: 'blobs are told that any repository holds',
    async run(metadata) {
      await fetched(metadata, 'k8s/a', 'one', 1);
      await push(metadata, pushInput('team/app', 'pushed'));
      const pushed = digestOf('layer pushed');
      const asked = [digestOf('none'), digestOf('one'), pushed];
      const held = async () => new Set(await metadata.blobs.findHeldBlobs(asked));
      deepEqual(await metadata.blobs.findHeldBlobs([]), []);
      deepEqual(await held(), new Set([digestOf('one'), pushed]));
      await metadata.repositories.deleteRepository({ ...keyOf('k8s/a'), force: true });
      deepEqual(await held(), new Set([pushed]));
      await metadata.blobs.releaseBlob({ ...keyOf('team/app'), digest: pushed });
      deepEqual(await held(), new Set());
    },
  },
  {
    name: 'a repository that was pushed into, or made by hand, is not deleted where that is asked',
    async run({ repositories, ...metadata }) {
      const remove = (name: string) =>
        repositories.deleteRepository({ ...keyOf(name), force: true, unlessPushed: true });
      const made = { ...keyOf('k8s/made'), tagMutability: mutableTags, now: 1 };
      await repositories.createRepository(made);
      await metadata.manifests.storeManifest(manifestInput('k8s/pulled', 'one'));
      await metadata.manifests.storeManifest(manifestInput('k8s/both', 'one'));
      await metadata.blobs.holdBlob({
        ...keyOf('k8s/both'),
        digest: digestOf('x'),
        create: false,
        now: 1,
      });
      deepEqual(
        [await remove('k8s/made'), await remove('k8s/both'), await remove('k8s/pulled')],
        ['pushed', 'pushed', 'deleted'],
      );
      equal(await remove('k8s/pulled'), 'notFound');
      const left = await repositories.listRepositories(home, { prefix: '', after: '', limit: 9 });
      deepEqual(
        left.map(({ name }) => name),
        ['k8s/both', 'k8s/made'],
      );
    },
  },
  {
    name: 'what made a repository is kept: a pull and where it led, a push, somebody by its name',
    async run(metadata) {
      await fetched(metadata, 'k8s/blob', 'one', 1);
      await metadata.manifests.storeManifest({ ...manifestInput('k8s/image', 'one'), rule });
      await push(metadata, pushInput('team/app', 'one'));
      const named = { ...keyOf('team/made'), tagMutability: mutableTags, now: 1 };
      await metadata.repositories.createRepository(named);
      const makerOf = async (name: string) =>
        (await metadata.repositories.findRepository(keyOf(name)))?.attributes?.madeBy;
      const pulled = { use: 'PULL_THROUGH_CACHE', upstream: 'https://registry.k8s.io/' };
      deepEqual(await makerOf('k8s/blob'), pulled);
      deepEqual(await makerOf('k8s/image'), pulled);
      deepEqual(await makerOf('team/app'), { use: 'CREATE_ON_PUSH' });
      deepEqual(await makerOf('team/made'), { use: 'API' });
    },
  },
];
