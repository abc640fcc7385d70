import { deepEqual, equal } from 'node:assert/strict';
import type { LifecyclePolicy, LifecycleRule } from '../../../src/domain/lifecycle/policy.ts';
import type { Digest } from '../../../src/domain/names/digest.ts';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import type {
  JsonBytes,
  PlannedImage,
  PreviewPage,
} from '../../../src/metadata/contract/lifecycle.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { digestOf } from '../../support/samples/digest.ts';
import type { MetadataRow } from './row.ts';
import { indexInput, keyOf, manifestInput, push, pushInput, tagOf } from './samples.ts';

const key = keyOf('team/app');

const day = 24 * 60 * 60 * 1000;

const everyOld: LifecycleRule = {
  priority: 1,
  description: undefined,
  tags: { status: 'any' },
  storageClass: 'standard',
  countType: 'sinceImagePushed',
  countNumber: 1,
  action: 'expire',
};

function policyOf(...changes: readonly Partial<LifecycleRule>[]): LifecyclePolicy {
  return { rules: changes.map((change, at) => ({ ...everyOld, priority: at + 1, ...change })) };
}

async function create(metadata: Metadata, name = 'team/app'): Promise<void> {
  await metadata.repositories.createRepository({
    ...keyOf(name),
    tagMutability: mutableTags,
    now: 1,
  });
}

const due = async (metadata: Metadata, now: number): Promise<readonly string[]> =>
  (await metadata.lifecycles.listDueLifecycles(now, 10)).map(
    ({ repository, text }) => `${repository} ${text}`,
  );

async function planned(
  metadata: Metadata,
  policy: LifecyclePolicy,
  now: number,
): Promise<readonly PlannedImage[]> {
  const { batches } = await metadata.lifecycles.planLifecycle(key, { policy, now });
  return batches.flatMap((batch) => parsed(batch) as readonly PlannedImage[]);
}

function page(untagged: boolean, ...names: readonly string[]): PreviewPage {
  const results = names.map((name) => ({
    digest: `sha256:${name}` as Digest,
    tags: untagged ? [] : [`tag-${name}`],
    pushedAt: 1,
    priority: 1,
    action: 'expire',
    storageClass: 'standard',
  }));
  const firstDigest = `sha256:${names[0]}` as Digest;
  return { untagged, firstDigest, results: new TextEncoder().encode(JSON.stringify(results)) };
}

function parsed(json: JsonBytes): readonly unknown[] {
  return JSON.parse(new TextDecoder().decode(json)) as readonly unknown[];
}

const preview = { ...key, id: 'p1', text: '{}', now: 10, staleBefore: 0 };
const ended = { ...key, id: 'p1', status: 'complete', now: 20 } as const;
const none = { expiring: 0, transitioning: 0 };

/** Lifecycle policies and previews of them. */
export const lifecyclesRows: readonly MetadataRow[] = [
  {
    name: 'a lifecycle policy is kept verbatim, due when it is said, and gone with its repository',
    async run(metadata) {
      const { lifecycles } = metadata;
      const put = { ...key, text: '{ "rules":\n[] }', now: 5, dueAt: 9 };
      equal(await lifecycles.putLifecycle(put), false);
      await create(metadata);
      equal(await lifecycles.findLifecycle(key), undefined);
      equal(await lifecycles.deleteLifecycle(key), undefined);
      equal(await lifecycles.putLifecycle(put), true);
      deepEqual(await lifecycles.findLifecycle(key), { text: put.text, evaluatedAt: undefined });
      deepEqual(await due(metadata, 8), []);
      deepEqual(await due(metadata, 9), [`team/app ${put.text}`]);
      await lifecycles.recordEvaluation({ ...key, text: put.text, evaluatedAt: 10, dueAt: 30 });
      deepEqual(await due(metadata, 29), []);
      equal(await lifecycles.putLifecycle({ ...put, now: 11, dueAt: 12 }), true);
      deepEqual(await lifecycles.findLifecycle(key), { text: put.text, evaluatedAt: 10 });
      deepEqual(await due(metadata, 29), []);
      await metadata.repositories.deleteRepository({ ...key, force: true });
      deepEqual(await due(metadata, 99), []);
      await create(metadata);
      equal(await lifecycles.findLifecycle(key), undefined);
    },
  },
  {
    name: 'another text of a lifecycle policy begins anew, and what was recorded of the old one is not of it',
    async run(metadata) {
      const { lifecycles } = metadata;
      await create(metadata);
      await create(metadata, 'team/web');
      await lifecycles.putLifecycle({ ...keyOf('team/web'), text: 'x', now: 1, dueAt: 3 });
      await lifecycles.putLifecycle({ ...key, text: 'a', now: 1, dueAt: 4 });
      await lifecycles.recordEvaluation({ ...key, text: 'a', evaluatedAt: 5, dueAt: 50 });
      await lifecycles.putLifecycle({ ...key, text: 'b', now: 6, dueAt: 7 });
      deepEqual(await lifecycles.findLifecycle(key), { text: 'b', evaluatedAt: undefined });
      await lifecycles.recordEvaluation({ ...key, text: 'a', evaluatedAt: 8, dueAt: 80 });
      deepEqual(await due(metadata, 10), ['team/web x', 'team/app b']);
      await lifecycles.recordEvaluation({ ...key, text: 'b', evaluatedAt: undefined, dueAt: 90 });
      deepEqual(await lifecycles.deleteLifecycle(key), { text: 'b', evaluatedAt: undefined });
      equal(await lifecycles.findLifecycle(key), undefined);
      deepEqual(await due(metadata, 99), ['team/web x']);
    },
  },
  {
    name: 'a preview is one at a time, until it has ended or is too old to end',
    async run(metadata) {
      const { lifecycles } = metadata;
      equal(await lifecycles.beginPreview(preview), 'noRepository');
      await create(metadata);
      equal(await lifecycles.findPreview(key), undefined);
      equal(await lifecycles.beginPreview(preview), 'begun');
      const found = { id: 'p1', text: '{}', startedAt: 10, endedAt: undefined, ...none };
      deepEqual(await lifecycles.findPreview(key), { ...found, status: 'inProgress' });
      equal(await lifecycles.beginPreview({ ...preview, id: 'p2', staleBefore: 10 }), 'inProgress');
      equal(
        await lifecycles.addPreviewPages({ ...key, id: 'p1', pages: [page(false, 'a')] }),
        true,
      );
      await lifecycles.endPreview({ ...ended, expiring: 7, transitioning: 2 });
      const whole = { ...found, endedAt: 20, status: 'complete', expiring: 7, transitioning: 2 };
      deepEqual(await lifecycles.findPreview(key), whole);
      equal(await lifecycles.beginPreview({ ...preview, id: 'p2', now: 30 }), 'begun');
      deepEqual(
        await lifecycles.listPreviewResults(key, { after: undefined, untagged: undefined }, 9),
        [],
      );
      equal(
        await lifecycles.addPreviewPages({ ...key, id: 'p1', pages: [page(false, 'a')] }),
        false,
      );
      await lifecycles.endPreview({ ...ended, status: 'failed', ...none });
      equal((await lifecycles.findPreview(key))?.status, 'inProgress');
      equal(await lifecycles.beginPreview({ ...preview, id: 'p3', staleBefore: 31 }), 'begun');
    },
  },
  {
    name: 'results of a preview are listed page by page, tagged before untagged, and found by digest',
    async run(metadata) {
      const { lifecycles } = metadata;
      await create(metadata);
      await lifecycles.beginPreview(preview);
      const pages = [
        page(false, 'b', 'd'),
        page(false, 'f', 'h'),
        page(false, 'j'),
        page(true, 'a', 'c'),
      ];
      for (const one of pages) await lifecycles.addPreviewPages({ ...key, id: 'p1', pages: [one] });
      const names = async (
        after: string | undefined,
        untagged: boolean | undefined,
        limit: number,
      ): Promise<string> => {
        const [name = '', half] = after?.split(' ') ?? [];
        const position =
          after === undefined
            ? undefined
            : { untagged: half === 'untagged', digest: `sha256:${name}` as Digest };
        const list = await lifecycles.listPreviewResults(key, { after: position, untagged }, limit);
        return list.map(({ digest }) => digest.slice(7)).join('');
      };
      equal(await names(undefined, undefined, 100), 'bdfhjac');
      equal(await names(undefined, undefined, 3), 'bdf');
      equal(await names('f', undefined, 3), 'hja');
      equal(await names('e', undefined, 1), 'f');
      equal(await names('a untagged', undefined, 9), 'c');
      equal(await names('c untagged', undefined, 9), '');
      equal(await names(undefined, true, 9), 'ac');
      equal(await names(undefined, false, 9), 'bdfhj');
      equal(await names('d', false, 2), 'fh');
      const digests = ['d', 'a', 'e', 'z'].map((name) => `sha256:${name}` as Digest);
      deepEqual(
        (await lifecycles.findPreviewResults(key, digests)).map(({ digest }) => digest),
        ['sha256:d', 'sha256:a'],
      );
    },
  },
  {
    name: 'results of a preview that ended long ago go, and it says so',
    async run(metadata) {
      const { lifecycles } = metadata;
      await create(metadata);
      await lifecycles.beginPreview(preview);
      await lifecycles.addPreviewPages({ ...key, id: 'p1', pages: [page(true, 'a')] });
      await lifecycles.endPreview({ ...ended, ...none });
      await lifecycles.expirePreviews({ before: 20 });
      equal((await lifecycles.findPreview(key))?.status, 'complete');
      await lifecycles.expirePreviews({ before: 21 });
      equal((await lifecycles.findPreview(key))?.status, 'expired');
      deepEqual(
        await lifecycles.listPreviewResults(key, { after: undefined, untagged: true }, 9),
        [],
      );
      await metadata.repositories.deleteRepository({ ...key, force: true });
      equal(await lifecycles.findPreview(key), undefined);
    },
  },
  {
    name: 'a repository is deleted with the results of a preview',
    async run(metadata) {
      await create(metadata);
      await metadata.lifecycles.beginPreview(preview);
      const pages = [page(false, 'a'), page(true, 'b')];
      await metadata.lifecycles.addPreviewPages({ ...key, id: 'p1', pages });
      equal(await metadata.repositories.deleteRepository({ ...key, force: true }), 'deleted');
      await create(metadata);
      equal(await metadata.lifecycles.beginPreview(preview), 'begun');
      const from = { after: undefined, untagged: undefined };
      deepEqual(await metadata.lifecycles.listPreviewResults(key, from, 9), []);
    },
  },
  {
    name: 'a policy is evaluated over all images, with their tags, children, subjects and pulls',
    async run(metadata) {
      const child = pushInput('team/app', 'child', { now: 1 });
      await push(metadata, child);
      const index = indexInput('team/app', [child], { tags: ['v1', 'a1'], now: 2 });
      await push(metadata, index);
      const signature = pushInput('team/app', 'signature', { now: 3 });
      const subject = { mediaType: 'm', digest: index.manifest.digest, size: 1 };
      await push(metadata, { ...signature, parsed: { ...signature.parsed, subject } });
      await metadata.manifests.storeManifest(manifestInput('team/app', 'pulled', { tag: 'p' }));
      await push(metadata, pushInput('team/web', 'other', { tags: ['v1'], now: 1 }));
      const now = 10 * day;
      const [of, sig, inner] = [index, signature, child].map(({ manifest }) => manifest.digest);
      const prefix = { status: 'tagged', kind: 'prefix', entries: ['v'] } as const;
      deepEqual(await planned(metadata, policyOf({ tags: prefix }), now), [
        { digest: sig, tags: [], priority: 1 },
        { digest: of, tags: ['a1', 'v1'], priority: 1 },
      ]);
      deepEqual(
        (await planned(metadata, policyOf({ tags: { status: 'untagged' } }), now)).length,
        0,
      );
      const pulls = policyOf({ countType: 'sinceImagePulled' });
      const byPulls = await planned(metadata, pulls, now);
      deepEqual(byPulls.find(({ digest }) => digest === inner)?.lastPulledAt, 0);
      equal(byPulls.length, 4);
      const question = { policy: policyOf({ action: 'transition' }), now };
      const archiving = await metadata.lifecycles.planLifecycle(key, question);
      deepEqual(archiving, { count: 0, transitioning: 4, batches: [] });
      const { pages, ...counts } = await metadata.lifecycles.previewLifecycle(key, question);
      deepEqual(counts, { expiring: 0, transitioning: 4 });
      deepEqual(
        pages.map(({ untagged, results }) => [untagged, parsed(results).length]),
        [
          [false, 2],
          [true, 2],
        ],
      );
      const all = { after: undefined, digests: undefined, limit: 9 };
      const explained = await metadata.lifecycles.explainImages(key, question, all);
      equal(explained.length, 4);
      const second = explained[1]?.image.digest;
      deepEqual(
        (
          await metadata.lifecycles.explainImages(key, question, {
            ...all,
            after: second,
            limit: 1,
          })
        ).map(({ image }) => image.digest),
        [explained[2]?.image.digest],
      );
      const one = { ...all, digests: [inner ?? digestOf('')] };
      deepEqual(
        (await metadata.lifecycles.explainImages(key, question, one)).map(({ fate }) => fate.kind),
        ['actedOn'],
      );
    },
  },
  {
    name: 'images expire with their tags, in their order, and only as they were seen',
    async run(metadata) {
      const child = pushInput('team/app', 'child');
      await push(metadata, child);
      const index = indexInput('team/app', [child], { tags: ['v1'] });
      await push(metadata, index);
      const image = pushInput('team/app', 'image', { tags: ['a', 'b'] });
      await push(metadata, image);
      const [of, inner, tagged] = [index, child, image].map(({ manifest }) => manifest.digest) as [
        Digest,
        Digest,
        Digest,
      ];
      const expire = (...images: readonly [Digest, readonly string[], number?][]) =>
        metadata.manifests.expireManifests({
          ...key,
          images: images.map(([digest, tags, lastPulledAt]) => ({
            digest,
            tags: tags.map(tagOf),
            ...(lastPulledAt === undefined ? {} : { lastPulledAt }),
          })),
        });
      deepEqual(await expire([inner, []]), []);
      deepEqual(await expire([tagged, ['a']]), []);
      deepEqual(await expire([tagged, ['a', 'c']]), []);
      deepEqual(await expire([tagged, ['a', 'b'], 5]), []);
      deepEqual(await expire([digestOf('missing'), []]), []);
      equal((await metadata.manifests.listImages(key, undefined, 9)).length, 2);
      deepEqual(await expire([of, ['v1']], [inner, []], [tagged, ['a', 'b'], 0]), [
        of,
        inner,
        tagged,
      ]);
      deepEqual(await metadata.manifests.listImages(key, undefined, 9), []);
      deepEqual(await metadata.tags.listTags(key, '', 9), []);
      equal(await metadata.manifests.findManifest(key, inner), undefined);
      deepEqual(await metadata.manifests.expireManifests({ ...keyOf('x/y'), images: [] }), []);
    },
  },
];
