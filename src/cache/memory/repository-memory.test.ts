// What metadata says of a repository is remembered for a time, and no longer than until somebody says that it changed.
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { createTestInvalidations } from '../../../tests/support/rigs/invalidations.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import { parseTag } from '../../domain/names/tag.ts';
import { ruleIdentity } from '../../domain/rules/rule-identity.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { PullRequest } from '../pull-request.ts';
import { RepositoryMemory } from './repository-memory.ts';

const rule = testRule({ prefix: 'ROOT', onFailure: { ...testRule().onFailure, denied: 'stop' } });
const repository = parseRepositoryName('app')!;
const target = { rule, repository, upstreamRepository: repository };
const request: PullRequest = { registry: homeRegistry, target };
const tag = parseTag('v1')!;
const digest = digestOf(Buffer.from('manifest'));

/** Metadata that says how often it was asked, and can be made to fail. */
function start() {
  const clock = createFakeClock();
  let asked = 0;
  let failing = false;
  const says =
    <T>(value: T) =>
    async (): Promise<T> => {
      asked += 1;
      if (failing) throw new Error('the disk is gone');
      return value;
    };
  const mediaType = 'application/json';
  const manifest = { digest, mediaType, bytes: Buffer.from('{}'), rule: ruleIdentity(rule) };
  const settings = { mode: 'IMMUTABLE', exclusions: [] } as const;
  const row = { pushed: true, stopped: undefined, tagMutability: settings };
  const invalidations = createTestInvalidations();
  const memory = new RepositoryMemory(
    {
      repositories: { findRepository: says(row) },
      manifests: { findManifest: says(manifest) },
      tags: { findTag: says({ tag, digest, source: 'x' }) },
    } as unknown as Metadata,
    clock,
    invalidations,
  );
  return { clock, memory, invalidations, asked: () => asked, fail: () => void (failing = true) };
}

const looks: readonly (readonly [string, (memory: RepositoryMemory) => Promise<unknown>])[] = [
  ['a tag', async (memory) => memory.findTag(request, tag)],
  ['a manifest', async (memory) => memory.findManifest(request, digest)],
  ['whether it is ours', async (memory) => memory.withoutRootIfOwn(request)],
  ['whether it is stopped', async (memory) => memory.isStopped(request)],
  ['whether a tag is immutable', async (memory) => memory.isImmutable(request, tag)],
];

for (const [what, look] of looks) {
  suite(`what is known of a repository: ${what}`, () => {
    test('is read once, and once more after five minutes, when another process may have changed it', async () => {
      const { clock, memory, asked } = start();
      const first = await look(memory);
      deepEqual(await look(memory), first);
      equal(asked(), 1);
      clock.advance(300_000);
      deepEqual(await look(memory), first);
      equal(asked(), 2);
    });

    test('is read again after a change of the repository, and not after one of another', async () => {
      const { memory, asked } = start();
      await look(memory);
      const other = { ...target, repository: parseRepositoryName('other')! };
      memory.noteChange({ ...request, target: other });
      await look(memory);
      equal(asked(), 1);
      memory.noteChange(request);
      await look(memory);
      equal(asked(), 2);
    });

    for (const [kind, reads] of [
      ['missed', 2],
      ['configuration', 2],
      ['policies', 1],
      ['credentials', 1],
    ] as const)
      test(`is ${reads === 2 ? '' : 'not '}read again after a note of kind ${kind}`, async () => {
        const { memory, invalidations, asked } = start();
        await look(memory);
        invalidations.note({ kind });
        await look(memory);
        equal(asked(), reads);
      });

    test('counts on where metadata can’t be read any more, unless it has changed', async () => {
      const { clock, memory, fail } = start();
      const first = await look(memory);
      fail();
      clock.advance(300_000);
      deepEqual(await look(memory), first);
      memory.noteChange(request);
      if (what === 'whether a tag is immutable') equal(await look(memory), false);
      else await rejects(look(memory), { message: 'the disk is gone' });
    });
  });
}

for (const [what, write, reads] of [
  ['was committed', async () => true, 2],
  [
    'failed, so that it is not known whether it was committed',
    () => Promise.reject(new Error()),
    2,
  ],
  ['changed nothing', async () => false, 1],
] as const)
  test(`what is known is ${reads === 2 ? '' : 'not '}read again after a write that ${what}`, async () => {
    const { memory, asked } = start();
    await memory.findTag(request, tag);
    const isChange = (result: boolean): boolean => result;
    await memory.change(request, write, isChange).catch(() => undefined);
    await memory.findTag(request, tag);
    equal(asked(), reads);
  });

test('a stop that a pull has found, and its end, count before metadata says so', async () => {
  const { clock, memory, asked } = start();
  memory.stop(request);
  equal(await memory.isStopped(request), true);
  memory.liftStop(request);
  equal(await memory.isStopped(request), false);
  equal(asked(), 0);
  memory.stop(request);
  clock.advance(300_000);
  equal(await memory.isStopped(request), false);
});

for (const [what, note] of [
  ['a change', { kind: 'repository', registry: homeRegistry, repository }],
  ['changes that may have been missed', { kind: 'missed' }],
] as const)
  test(`what was read before ${what} is not remembered after it`, () => {
    const { memory, invalidations } = start();
    const stamp = memory.stamp(request);
    invalidations.note(note);
    memory.putBlob(request, digest, { size: 1, pushed: false }, stamp);
    equal(memory.peekBlob(request, digest, memory.stamp(request)), undefined);
    memory.putBlob(request, digest, { size: 1, pushed: false }, memory.stamp(request));
    deepEqual(memory.peekBlob(request, digest, memory.stamp(request)), { size: 1, pushed: false });
  });
