import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Invalidation } from '../../ports/invalidations.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { createCacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';

const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [] };

suite('a repository that a pull makes', () => {
  for (const [what, registry, noted] of [
    ['is another one to all who remember it, where its registry has templates', homeRegistry, true],
    ['changes nothing that is remembered without templates', undefined, false],
    [
      'changes nothing that is remembered for the templates of another registry',
      '111122223333/us-east-1' as RegistryKey,
      false,
    ],
  ] as const) {
    test(what, async () => {
      await using rig = await createCacheRig();
      if (registry !== undefined) {
        const settings = { givenPrefix: 'up', appliedFor: ['PULL_THROUGH_CACHE'] } as const;
        const template = { registry, prefix: 'up', settings, createdAt: 1, updatedAt: 1 };
        await rig.metadata.templates.createTemplate({ template, templatesMax: 9 });
      }
      const heard: Invalidation[] = [];
      using _listening = rig.invalidations.subscribe((each) => void heard.push(each));
      rig.upstream.putManifest('app', image, mediaTypes.ociManifest, 'v1');
      await rig.manifest('up/app', 'v1');
      const made = { kind: 'repository', registry: homeRegistry, repository: 'up/app' };
      assert.deepEqual(heard, noted ? [made] : []);
      await rig.manifest('up/app', 'v1');
      assert.equal(heard.length, noted ? 1 : 0);
    });
  }
});
