import { equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createCacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import { MetadataError } from '../../metadata/contract/metadata-error.ts';

const tagMutability = { mode: 'IMMUTABLE', exclusions: [] } as const;

suite('what is remembered of a repository, when the mutability of its tags is set', () => {
  for (const [what, write, notes] of [
    ['is read again once it is', async () => true, 1],
    [
      'is read again where it is not known whether it was committed',
      () => Promise.reject(new MetadataError('crashed', 'the writing thread ended')),
      1,
    ],
    ['stays where there is no repository', async () => false, 0],
  ] as const)
    test(what, async () => {
      const around = (metadata: Metadata): Metadata => ({
        ...metadata,
        repositories: { ...metadata.repositories, setTagMutability: write },
      });
      await using rig = await createCacheRig({ around });
      let noted = 0;
      using _listening = rig.invalidations.subscribe(() => void (noted += 1));
      const request = { ...rig.request('up/app'), tagMutability };
      const set = rig.cache.pushes.setTagMutability(request);
      if (what === 'is read again once it is') await set;
      else await rejects(set);
      equal(noted, notes);
    });
});
