import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import type { MetadataRow } from './row.ts';
import { home, keyOf, manifestInput, push, pushedManifest, pushInput, tagOf } from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

/** A repository of which only pulls know. */
const unset = { pushed: false, tagMutability: mutableTags, policy: undefined };

/** Repositories: making, settings, stops, lists and deletion. */
export const repositoriesRows: readonly MetadataRow[] = [
  {
    name: 'in a repository that is missing nothing is listed, set or deleted',
    async run(metadata) {
      const key = keyOf('team/app');
      const digest = digestOf('a');
      deepEqual(
        await metadata.repositories.listRepositories(home, { prefix: '', after: '', limit: 9 }),
        [],
      );
      deepEqual(await metadata.tags.listTagRows(key, '', 9), []);
      deepEqual(await metadata.manifests.listImages(key, undefined, 9), []);
      deepEqual(await metadata.blobs.findBlobHolders(home, digest, 9), []);
      equal(
        await metadata.repositories.setTagMutability({ ...key, tagMutability: mutableTags }),
        false,
      );
      equal(await metadata.repositories.setRepositoryPolicy({ ...key, text: '{}' }), false);
      equal(await metadata.manifests.deleteManifest({ ...key, digest }), undefined);
      equal(await metadata.tags.deleteTag({ ...key, tag: tagOf('v1') }), undefined);
      equal(await metadata.blobs.releaseBlob({ ...key, digest }), false);
      equal(await metadata.repositories.deleteRepository({ ...key, force: true }), 'notFound');
      equal(await metadata.repositories.findRepository(key), undefined);
    },
  },
  {
    name: 'a repository is made once, with its setting; setting and policy are set and taken away',
    async run(metadata) {
      const key = keyOf('team/app');
      const tagMutability = { mode: 'MUTABLE_WITH_EXCLUSION', exclusions: ['v*', 'ü"'] } as const;
      equal(await metadata.repositories.createRepository({ ...key, tagMutability, now: 5 }), true);
      const made = {
        private: false,
        stopped: undefined,
        createdAt: 5,
        pushed: true,
        tagMutability,
        policy: undefined,
        attributes: { madeBy: { use: 'API' } },
      };
      deepEqual(await metadata.repositories.findRepository(key), made);
      equal(
        await metadata.repositories.createRepository({
          ...key,
          tagMutability: mutableTags,
          now: 6,
        }),
        false,
      );
      deepEqual(await metadata.repositories.findRepository(key), made);
      equal(
        await metadata.repositories.setTagMutability({ ...key, tagMutability: mutableTags }),
        true,
      );
      const text = '{ "Version":\n"2012-10-17" }';
      equal(await metadata.repositories.setRepositoryPolicy({ ...key, text }), true);
      deepEqual(await metadata.repositories.findRepository(key), {
        ...made,
        tagMutability: mutableTags,
        policy: text,
      });
      equal(await metadata.repositories.setRepositoryPolicy({ ...key, text: undefined }), true);
      equal((await metadata.repositories.findRepository(key))?.policy, undefined);
    },
  },
  {
    name: 'labels are put, replaced and taken away in one write, up to the limit; what else is kept stays',
    async run(metadata) {
      const key = keyOf('team/app');
      const { repositories } = metadata;
      const change = (
        set: readonly string[],
        remove: readonly string[] = [],
      ): ReturnType<typeof repositories.changeRepositoryTags> =>
        repositories.changeRepositoryTags({
          ...key,
          remove,
          set: set.map((each) => ({ key: each.charAt(0), value: each.slice(1) })),
          tagsMax: 3,
        });
      const kept = async (): Promise<unknown> =>
        (await repositories.findRepository(key))?.attributes;
      equal(await change(['a1']), 'notFound');
      equal(await repositories.setScanOnPush({ ...key, scanOnPush: true }), false);
      const encryption = { type: 'KMS', key: 'alias/ü"' } as const;
      const attributes = { encryption };
      await repositories.createRepository({
        ...key,
        tagMutability: mutableTags,
        attributes,
        now: 5,
      });
      const madeBy = { use: 'API' };
      deepEqual(await kept(), { ...attributes, madeBy });
      equal(await repositories.setScanOnPush({ ...key, scanOnPush: true }), true);
      equal(await change(['c1', 'a1', 'b1']), 'changed');
      equal(await change(['d1']), 'tooMany');
      equal(await change(['d1', 'a2'], ['b', 'x']), 'changed');
      deepEqual(await kept(), {
        encryption,
        madeBy,
        scanOnPush: true,
        tags: [
          { key: 'a', value: '2' },
          { key: 'c', value: '1' },
          { key: 'd', value: '1' },
        ],
      });
      const [row] = await repositories.listRepositories(home, { prefix: '', after: '', limit: 9 });
      deepEqual(row?.attributes, await kept());
    },
  },
  {
    name: 'a setting of a registry is put, replaced and taken away, by its name',
    async run({ repositories }) {
      const put = (name: string, value: string | undefined): Promise<void> =>
        repositories.setRegistrySetting({ registry: home, name, value, now: 5 });
      await put('a', '1');
      await put('b', '1');
      await put('a', 'ü"');
      equal(await repositories.findRegistrySetting(home, 'a'), 'ü"');
      equal(await repositories.findRegistrySetting('111111111111/us-east-1', 'a'), undefined);
      await put('a', undefined);
      equal(await repositories.findRegistrySetting(home, 'a'), undefined);
      equal(await repositories.findRegistrySetting(home, 'b'), '1');
    },
  },
  {
    name: 'members of a setting are added once, up to the limit, and taken away',
    async run({ repositories }) {
      const key = { registry: home, name: 'members' };
      const add = (member: string, now: number): Promise<string> =>
        repositories.addToRegistrySetting({ ...key, member, membersMax: 2, now });
      const remove = (member: string): Promise<boolean> =>
        repositories.removeFromRegistrySetting({ ...key, member, now: 9 });
      deepEqual(await repositories.listRegistrySetting(home, 'members'), []);
      equal(await remove('b'), false);
      equal(await add('b', 1), 'added');
      equal(await add('b', 2), 'exists');
      equal(await add('a', 3), 'added');
      equal(await add('c', 4), 'tooMany');
      deepEqual(await repositories.listRegistrySetting(home, 'members'), [
        { member: 'a', at: 3 },
        { member: 'b', at: 1 },
      ]);
      equal(await remove('b'), true);
      equal(await add('c', 5), 'added');
      deepEqual(
        (await repositories.listRegistrySetting(home, 'members')).map(({ member }) => member),
        ['a', 'c'],
      );
    },
  },
  {
    name: 'repositories are listed as their names sort, begin and follow, with no wildcard',
    async run(metadata) {
      const names = ['a', 'a/b', 'a-b', 'a.b', 'a_b', 'ab', 'axb', 'b/a', 'team/app', 'team/web'];
      for (const name of names.toReversed()) {
        await metadata.repositories.createRepository({
          ...keyOf(name),
          tagMutability: mutableTags,
          now: 1,
        });
      }
      await metadata.repositories.createRepository({
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
            const rows = await metadata.repositories.listRepositories(home, {
              prefix,
              after,
              limit,
            });
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
      const [row] = await metadata.repositories.listRepositories(home, {
        prefix: 'team',
        after: '',
        limit: 1,
      });
      deepEqual(row, {
        name: 'team/app',
        ...(await metadata.repositories.findRepository(keyOf('team/app'))),
      });
    },
  },
  {
    name: 'a write of a pull or a push answers true where it made the repository, and then no more',
    async run(metadata) {
      const digest = digestOf('layer base');
      const own = { digest, rule: 'r', private: false, now: 1 };
      const tag = { tag: tagOf('v1'), digest, mediaType: 'm', size: 1, source: 's' };
      const writes: readonly (readonly [string, (name: string) => Promise<unknown>])[] = [
        ['storeManifest', (name) => metadata.manifests.storeManifest(manifestInput(name, 'one'))],
        [
          'setTag',
          (name) => metadata.tags.setTag({ ...keyOf(name), ...tag, validatedAt: 1, private: true }),
        ],
        [
          'stop',
          (name) => metadata.repositories.stopRepository({ ...keyOf(name), reason: 'no', now: 1 }),
        ],
        ['fetch', (name) => metadata.blobs.recordFetch({ ...keyOf(name), ...own, size: 1 })],
        ['prove', (name) => metadata.blobs.proveBlob({ ...keyOf(name), ...own })],
        [
          'hold',
          async (name) =>
            (await metadata.blobs.holdBlob({ ...keyOf(name), digest, create: true, now: 1 })) ===
            'made',
        ],
      ];
      for (const [name, write] of writes) {
        equal(await write(`quay.io/${name}`), true, name);
        for (const [again, repeated] of writes)
          equal(await repeated(`quay.io/${name}`), false, `${again} after ${name}`);
        equal(
          (await metadata.repositories.findRepository(keyOf(`quay.io/${name}`)))?.private,
          true,
        );
      }
    },
  },
  {
    name: 'a repository once private stays so',
    async run(metadata) {
      const input = manifestInput('private.test/a', 'one');
      await metadata.manifests.storeManifest({ ...input, private: true });
      await metadata.manifests.storeManifest(manifestInput('private.test/a', 'two'));
      equal((await metadata.repositories.findRepository(input))?.private, true);
    },
  },
  {
    name: 'a repository is stopped with its reason, and let go again',
    async run(metadata) {
      const key = keyOf('quay.io/a');
      const pulled = { attributes: { madeBy: { use: 'PULL_THROUGH_CACHE' } } };
      await metadata.repositories.stopRepository({ ...key, reason: 'upstream says 401', now: 7 });
      deepEqual(await metadata.repositories.findRepository(key), {
        private: false,
        stopped: { at: 7, reason: 'upstream says 401' },
        createdAt: 7,
        ...unset,
        ...pulled,
      });
      await metadata.repositories.stopRepository({ ...key, reason: undefined, now: 8 });
      deepEqual(await metadata.repositories.findRepository(key), {
        private: false,
        stopped: undefined,
        createdAt: 7,
        ...unset,
        ...pulled,
      });
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
        await metadata.manifests.putManifest({ ...input, tags: [tagOf(`t${index}`)] });
      }
      await metadata.repositories.setRepositoryPolicy({ ...input, text: '{}' });
      equal(await metadata.repositories.deleteRepository({ ...input, force: false }), 'notEmpty');
      equal((await metadata.repositories.findRepository(input))?.policy, '{}');
      equal(await metadata.repositories.deleteRepository({ ...input, force: true }), 'deleted');
      equal(await metadata.repositories.deleteRepository({ ...input, force: true }), 'notFound');
      equal(await metadata.repositories.findRepository(input), undefined);
      const layer = input.parsed.layers[0]?.digest ?? digestOf('');
      deepEqual(await metadata.blobs.findBlobHolders(home, layer, 9), ['team/web']);
      deepEqual(
        (
          await metadata.repositories.listRepositories(home, { prefix: '', after: '', limit: 9 })
        ).map((row) => row.name),
        ['team/web'],
      );
      deepEqual(
        await metadata.manifests.findManifest(elsewhere, input.manifest.digest),
        pushedManifest(input),
      );
      await metadata.repositories.createRepository({
        ...keyOf('team/app'),
        tagMutability: mutableTags,
        now: 9,
      });
      equal((await metadata.repositories.findRepository(input))?.policy, undefined);
      deepEqual(await metadata.tags.listTags(input, '', 10, undefined), []);
      deepEqual(await metadata.tags.tagHistory(input, tagOf('v1'), 10), []);
      equal((await metadata.manifests.putManifest(input)).kind, 'missing');
      equal(await metadata.repositories.deleteRepository({ ...input, force: false }), 'deleted');
    },
  },
  {
    name: 'T33: two registries and two repositories of the same content share nothing but bytes',
    async run(metadata) {
      const input = manifestInput('quay.io/a', 'one', { tag: 'x' });
      await metadata.manifests.storeManifest(input);
      const elsewhere = { ...input, registry: '111122223333/eu-west-1' as const };
      equal(await metadata.manifests.findManifest(elsewhere, input.manifest.digest), undefined);
      equal(
        await metadata.manifests.findManifest(keyOf('quay.io/b'), input.manifest.digest),
        undefined,
      );
      equal(await metadata.tags.findTag(elsewhere, tagOf('x')), undefined);
      await metadata.manifests.storeManifest({ ...input, ...keyOf('quay.io/b') });
      deepEqual(
        (await metadata.manifests.findManifest(keyOf('quay.io/b'), input.manifest.digest))?.bytes,
        input.manifest.bytes,
      );
    },
  },
];
