import { deepEqual, equal } from 'node:assert/strict';
import { lifecycleActsAfterMs } from '../../../src/domain/lifecycle/policy.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type { TemplateRow, TemplateSettings } from '../../../src/metadata/contract/templates.ts';
import { digestOf } from '../../support/samples/digest.ts';
import type { MetadataRow } from './row.ts';
import { home, keyOf, manifestInput, pushInput } from './samples.ts';

function template(prefix: string, settings: Partial<TemplateSettings> = {}): TemplateRow {
  return {
    registry: home,
    prefix,
    settings: { givenPrefix: prefix, appliedFor: ['PULL_THROUGH_CACHE'], ...settings },
    createdAt: 1,
    updatedAt: 1,
  };
}

async function created({ templates }: Metadata, ...rows: readonly TemplateRow[]): Promise<void> {
  for (const row of rows)
    equal(await templates.createTemplate({ template: row, templatesMax: 9 }), 'created');
}

const immutable = { mode: 'IMMUTABLE', exclusions: [] } as const;
const policy = '{"Version":"2012-10-17","Statement":[]}';

/** What repositories take their settings from when they are made. */
export const templatesRows: readonly MetadataRow[] = [
  {
    name: 'a template is made once, up to the limit, changed by members, listed in order and deleted',
    async run({ templates }) {
      const create = (prefix: string) =>
        templates.createTemplate({ template: template(prefix), templatesMax: 2 });
      equal(await create('b'), 'created');
      equal(await create('b'), 'exists');
      equal(await create('a'), 'created');
      equal(await create('c'), 'limit');
      const [a, b] = [template('a'), template('b')];
      deepEqual(await templates.listTemplates(home, '', 10), [a, b]);
      deepEqual(await templates.listTemplates(home, 'a', 10), [b]);
      const change = { description: 'x' };
      const changed = await templates.updateTemplate({ ...a, change, now: 5 });
      deepEqual(changed, { ...a, settings: { ...a.settings, ...change }, updatedAt: 5 });
      deepEqual(await templates.findTemplate(a), changed);
      deepEqual(await templates.deleteTemplate(a), changed);
      equal(await templates.deleteTemplate(a), undefined);
      equal(await templates.updateTemplate({ ...a, change, now: 6 }), undefined);
    },
  },
  {
    name: 'the longest template of whole segments with the use is found, then ROOT',
    async run(metadata) {
      const push = { appliedFor: ['CREATE_ON_PUSH'] } as const;
      await created(
        metadata,
        template('a'),
        template('a/b'),
        template('a/b/c', push),
        template('ROOT', { appliedFor: ['CREATE_ON_PUSH', 'PULL_THROUGH_CACHE'] }),
      );
      for (const [repository, use, expected] of [
        ['a/b/c/d', 'PULL_THROUGH_CACHE', 'a/b'],
        ['a/b/c/d', 'CREATE_ON_PUSH', 'a/b/c'],
        ['a/b/c', 'CREATE_ON_PUSH', 'ROOT'],
        ['a/b', 'PULL_THROUGH_CACHE', 'a'],
        ['a', 'PULL_THROUGH_CACHE', 'ROOT'],
        ['a/bb/c', 'PULL_THROUGH_CACHE', 'a'],
        ['a/b/c', 'REPLICATION', undefined],
      ] as const) {
        const found = await metadata.templates.findTemplateFor(keyOf(repository), use);
        equal(found?.prefix, expected, `${repository} ${use}`);
      }
    },
  },
  {
    name: 'what a pull makes has the settings of its template; what is there is left alone',
    async run(metadata) {
      await metadata.manifests.storeManifest(manifestInput('quay.io/old', 'one', { tag: 'b' }));
      const key = { type: 'KMS', key: 'arn:aws:kms:us-east-1:000000000000:key/k' } as const;
      const tags = [
        { key: 'cost', value: 'b' },
        { key: 'team', value: 'a' },
      ];
      const lifecycle = '{"rules":[]}';
      const given = tags.toReversed();
      const settings = {
        tagMutability: immutable,
        policy,
        encryption: key,
        tags: given,
        lifecycle,
      };
      await created(metadata, template('quay.io', settings));
      await metadata.manifests.storeManifest(manifestInput('quay.io/old', 'two', { tag: 'c' }));
      await metadata.manifests.storeManifest(manifestInput('quay.io/app', 'one', { tag: 'b' }));
      await metadata.manifests.storeManifest(manifestInput('gcr.io/app', 'one', { tag: 'b' }));
      const find = (name: string) => metadata.repositories.findRepository(keyOf(name));
      const made = await find('quay.io/app');
      deepEqual(made?.tagMutability, immutable);
      equal(made?.policy, policy);
      deepEqual(made?.attributes, {
        tags,
        encryption: key,
        madeBy: { template: 'quay.io', use: 'PULL_THROUGH_CACHE' },
      });
      equal(made?.pushed, false);
      const stored = await metadata.lifecycles.findLifecycle(keyOf('quay.io/app'));
      equal(stored?.text, lifecycle);
      const dueAt = 1000 + lifecycleActsAfterMs;
      const due = (now: number) => metadata.lifecycles.listDueLifecycles(now, 9);
      deepEqual([(await due(dueAt - 1)).length, (await due(dueAt)).length], [0, 1]);
      for (const name of ['quay.io/old', 'gcr.io/app']) {
        const other = await find(name);
        const madeBy = { use: 'PULL_THROUGH_CACHE' };
        deepEqual([other?.policy, other?.attributes], [undefined, { madeBy }], name);
      }
    },
  },
  {
    name: 'a push makes a repository by its template where nothing else lets it',
    async run(metadata) {
      const settings = { appliedFor: ['CREATE_ON_PUSH'], tagMutability: immutable } as const;
      await created(metadata, template('team', settings), template('quay.io'));
      const digest = digestOf('blob');
      const hold = (name: string) =>
        metadata.blobs.holdBlob({ ...keyOf(name), digest, create: false, now: 5 });
      equal(await hold('team/app'), 'made');
      equal(await hold('quay.io/app'), 'noRepository');
      const put = { ...pushInput('team/web', 'one', { tags: ['v1'] }), create: false };
      equal((await metadata.manifests.putManifest(put)).kind === 'noRepository', false);
      const elsewhere = { ...pushInput('other/web', 'one', { tags: ['v1'] }), create: false };
      equal((await metadata.manifests.putManifest(elsewhere)).kind, 'noRepository');
      const made = await metadata.repositories.findRepository(keyOf('team/app'));
      deepEqual([made?.pushed, made?.tagMutability], [true, immutable]);
    },
  },
];
