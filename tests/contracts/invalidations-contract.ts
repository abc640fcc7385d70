import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryKey } from '../../src/domain/names/registry.ts';
import { homeRegistry } from '../support/samples/home-registry.ts';
import type { RepositoryName } from '../../src/domain/names/repository-name.ts';
import type { Invalidation, Invalidations } from '../../src/ports/invalidations.ts';

/** One process's, and what `onFailure` was told there. */
export interface InvalidationsRig extends AsyncDisposable {
  readonly invalidations: Invalidations;
  readonly failures: readonly unknown[];
}

const samples: readonly Invalidation[] = [
  { kind: 'repository', registry: homeRegistry, repository: 'team/app' as RepositoryName },
  {
    kind: 'repository',
    registry: '111111111111/eu-west-1' as RegistryKey,
    repository: 'a/b/c' as RepositoryName,
  },
  { kind: 'policies' },
  { kind: 'credentials' },
  { kind: 'configuration' },
  { kind: 'missed' },
];

/** What every implementation keeps to within one process (src/ports/invalidations.ts). */
export function invalidationsContract(name: string, make: () => Promise<InvalidationsRig>): void {
  const row = (sentence: string, body: (rig: InvalidationsRig) => void): void => {
    test(`${name}: ${sentence}`, async () => {
      await using rig = await make();
      body(rig);
    });
  };

  row('each note is heard before `note` returns, once, whole, in order', ({ invalidations }) => {
    const heard: Invalidation[] = [];
    using _ = invalidations.subscribe((each) => void heard.push(each));
    samples.forEach((each, index) => {
      invalidations.note(each);
      assert.deepEqual(heard, samples.slice(0, index + 1));
    });
  });

  row('all subscribers hear it, in the order in which they subscribed', ({ invalidations }) => {
    const heard: string[] = [];
    using _a = invalidations.subscribe(({ kind }) => void heard.push(`a ${kind}`));
    using _b = invalidations.subscribe(({ kind }) => void heard.push(`b ${kind}`));
    invalidations.note({ kind: 'policies' });
    assert.deepEqual(heard, ['a policies', 'b policies']);
  });

  row('a note that nobody hears is no error', ({ invalidations, failures }) => {
    invalidations.note({ kind: 'missed' });
    assert.deepEqual(failures, []);
  });

  row('who subscribes later hears nothing of before', ({ invalidations }) => {
    invalidations.note({ kind: 'policies' });
    const heard: string[] = [];
    using _ = invalidations.subscribe(({ kind }) => void heard.push(kind));
    invalidations.note({ kind: 'credentials' });
    assert.deepEqual(heard, ['credentials']);
  });

  row('who ended its subscription hears nothing, and the others do', ({ invalidations }) => {
    const heard: string[] = [];
    const first = invalidations.subscribe(() => void heard.push('first'));
    using _ = invalidations.subscribe(() => void heard.push('second'));
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    invalidations.note({ kind: 'policies' });
    assert.deepEqual(heard, ['second']);
  });

  row('one function that subscribes twice hears twice, and ends one at a time', (rig) => {
    let calls = 0;
    const listener = (): void => void (calls += 1);
    const first = rig.invalidations.subscribe(listener);
    using _ = rig.invalidations.subscribe(listener);
    rig.invalidations.note({ kind: 'policies' });
    assert.equal(calls, 2);
    first[Symbol.dispose]();
    rig.invalidations.note({ kind: 'policies' });
    assert.equal(calls, 3);
  });

  row('a subscriber that throws keeps no other from hearing it, and is told', (rig) => {
    const heard: string[] = [];
    const error = new Error('out of order');
    using _a = rig.invalidations.subscribe(() => {
      throw error;
    });
    using _b = rig.invalidations.subscribe(({ kind }) => void heard.push(kind));
    rig.invalidations.note({ kind: 'policies' });
    assert.deepEqual(heard, ['policies']);
    assert.deepEqual(rig.failures, [error]);
  });
}
