import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { indexInput, keyOf, push, pushInput } from '../../tests/contracts/metadata/samples.ts';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { createTestInvalidations } from '../../tests/support/rigs/invalidations.ts';
import { until } from '../../tests/support/rigs/until.ts';
import { RepositoryMemory } from '../cache/memory/repository-memory.ts';
import { expireManifests } from '../cache/push/delete-content.ts';
import { createLocalLeases } from '../coordination/local-leases.ts';
import { mutableTags } from '../domain/names/tag-mutability.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import { openSqliteMetadata } from '../metadata/engine/sqlite.ts';
import type { Event } from '../ports/events.ts';
import type { Leases } from '../ports/leases.ts';
import { startExpiry } from './expire-images.ts';
import type { ExpiryParts } from './expire-images.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const key = keyOf('team/app');

const policyOf = (countNumber: number, more: object = {}): string =>
  JSON.stringify({
    rules: [
      {
        rulePriority: 7,
        selection: {
          tagStatus: 'any',
          countType: 'sinceImagePushed',
          countUnit: 'days',
          countNumber,
          ...more,
        },
        action: { type: 'expire' },
      },
    ],
  });

interface Rig extends AsyncDisposable {
  readonly metadata: Metadata;
  readonly clock: FakeClock;
  readonly leases: Leases;
  /** `digest priority`, in order. */
  readonly expired: string[];
  readonly deleted: (Digest | undefined)[];
  readonly notes: string[];
  readonly failures: string[];
  /** Invalidations that were noted. */
  readonly changes: () => number;
  start(change?: Partial<ExpiryParts>): AsyncDisposable;
  put(text: string, name?: string): Promise<void>;
  /** Pushes images so many days old, untagged. */
  image(name: string, days: number, tags?: readonly string[]): Promise<Digest>;
  /** Of those that are left. */
  left(): Promise<readonly Digest[]>;
  evaluatedAt(): Promise<number | undefined>;
}

async function openRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-expiry-'));
  const metadata = await openSqliteMetadata(join(folder, 'metadata.sqlite'));
  const clock = createFakeClock();
  const leases = createLocalLeases(clock);
  const invalidations = createTestInvalidations();
  const repositories = new RepositoryMemory(metadata, clock, invalidations);
  let changes = 0;
  invalidations.subscribe(() => (changes += 1));
  const [expired, notes, failures]: string[][] = [[], [], []];
  const deleted: (Digest | undefined)[] = [];
  const emit = (event: Event): void => {
    if (event.type === 'deleted') deleted.push(event.digest);
  };
  const parts = { metadata, repositories, clock, events: { emit } };
  return {
    metadata,
    clock,
    leases,
    expired: expired ?? [],
    deleted,
    notes: notes ?? [],
    failures: failures ?? [],
    changes: () => changes,
    start: (change = {}) =>
      startExpiry({
        metadata,
        leases,
        clock,
        pushes: { expireManifests: (request) => expireManifests(parts, request) },
        grammar: () => ({ expireByPull: false }),
        expired: ({ digest, priority }) => expired?.push(`${digest} ${priority}`),
        note: (message, about) => notes?.push(`${message} ${JSON.stringify(about)}`),
        failed: (message, about) => failures?.push(`${message} ${JSON.stringify(about)}`),
        ...change,
      }),
    put: async (text, name = 'team/app') => {
      const times = { now: clock.now(), dueAt: clock.now() };
      const place = keyOf(name);
      await metadata.repositories.createRepository({
        ...place,
        tagMutability: mutableTags,
        now: 1,
      });
      assert.equal(await metadata.lifecycles.putLifecycle({ ...place, text, ...times }), true);
    },
    image: async (name, days, tags = []) => {
      const input = pushInput('team/app', name, { tags, now: clock.now() - days * dayMs });
      await push(metadata, input);
      return input.manifest.digest;
    },
    left: async () =>
      (await metadata.manifests.listImages(key, undefined, 1000)).map(({ digest }) => digest),
    evaluatedAt: async () => (await metadata.lifecycles.findLifecycle(key))?.evaluatedAt,
    async [Symbol.asyncDispose]() {
      await metadata[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** Turns the clock by ten minutes, and waits until what that has begun is over. */
async function tick(rig: Rig): Promise<void> {
  rig.clock.advance(10 * 60_000);
  const lease = await until(() => rig.leases.take('expire images', 1));
  await lease[Symbol.asyncDispose]();
}

suite('lifecycle policies are carried out', () => {
  test('what a policy takes goes, the oldest first, each told and with its event; the time is kept', async () => {
    await using rig = await openRig();
    const [old, older, young] = [
      await rig.image('old', 20, ['v1']),
      await rig.image('older', 30),
      await rig.image('young', 2),
    ];
    await rig.put(policyOf(10));
    await using _expiry = rig.start();
    const changed = rig.changes();
    await tick(rig);
    assert.deepEqual(await rig.left(), [young]);
    assert.deepEqual(rig.expired, [`${older} 7`, `${old} 7`]);
    assert.deepEqual(rig.deleted, [older, old]);
    assert.ok(rig.changes() > changed);
    assert.equal(await rig.evaluatedAt(), rig.clock.now());
    assert.deepEqual(rig.notes, [
      'a lifecycle policy expired images {"repository":"team/app","registry":"000000000000/us-east-1","images":2}',
    ]);
    assert.deepEqual(rig.failures, []);
  });

  test('what comes to meet a criterion goes within 24 hours', async () => {
    await using rig = await openRig();
    await rig.put(policyOf(10));
    await using _expiry = rig.start();
    await rig.image('soon', 9.99);
    await tick(rig);
    assert.equal((await rig.left()).length, 1);
    const metAt = rig.clock.now() + 0.02 * dayMs;
    while ((await rig.left()).length > 0) await tick(rig);
    assert.ok(rig.clock.now() - metAt < dayMs);
  });

  test('a child goes with its index, and stays with one that stays', async () => {
    await using rig = await openRig();
    for (const [name, tags] of [
      ['gone', []],
      ['kept', ['keep']],
    ] as const) {
      const now = rig.clock.now() - 20 * dayMs;
      const child = pushInput('team/app', `child of ${name}`, { now });
      await push(rig.metadata, child);
      await push(rig.metadata, indexInput('team/app', [child], { tags, now }));
    }
    await rig.put(policyOf(10, { tagStatus: 'untagged' }));
    await using _expiry = rig.start();
    await tick(rig);
    assert.equal(rig.expired.length, 2);
    assert.equal((await rig.left()).length, 1);
    assert.equal((await rig.metadata.tags.listTags(key, '', 9)).length, 1);
  });

  test('an image that got a tag after it was chosen stays', async () => {
    await using rig = await openRig();
    const old = await rig.image('old', 20);
    await rig.put(policyOf(10, { tagStatus: 'untagged' }));
    const { lifecycles } = rig.metadata;
    const planLifecycle: typeof lifecycles.planLifecycle = async (...asked) => {
      const plan = await lifecycles.planLifecycle(...asked);
      await push(rig.metadata, pushInput('team/app', 'old', { tags: ['saved'] }));
      return plan;
    };
    await using _expiry = rig.start({ metadata: { lifecycles: { ...lifecycles, planLifecycle } } });
    await tick(rig);
    assert.deepEqual(await rig.left(), [old]);
    assert.deepEqual(rig.expired, []);
  });

  test('a policy that is deleted in the middle does nothing more', async () => {
    await using rig = await openRig();
    for (let at = 0; at < 60; at += 1) await rig.image(`image ${at}`, 20 + at);
    await rig.put(policyOf(10));
    const pushes: ExpiryParts['pushes'] = {
      expireManifests: async ({ images }) => {
        const gone = await rig.metadata.manifests.expireManifests({ ...key, images });
        await rig.metadata.lifecycles.deleteLifecycle(key);
        return gone;
      },
    };
    await using _expiry = rig.start({ pushes });
    await tick(rig);
    assert.equal((await rig.left()).length, 10);
  });

  test('one process of those that share a database does it', async () => {
    await using rig = await openRig();
    await rig.image('old', 20);
    await rig.put(policyOf(10));
    const other = await rig.leases.take('expire images', dayMs);
    await using _expiry = rig.start();
    rig.clock.advance(hourMs);
    assert.deepEqual([(await rig.left()).length, rig.notes.length], [1, 0]);
    await other?.[Symbol.asyncDispose]();
    await tick(rig);
    assert.deepEqual(await rig.left(), []);
  });

  test('a wall clock that is set forward while it runs makes nothing old', async () => {
    await using rig = await openRig();
    await rig.image('young', 2);
    await rig.put(policyOf(10));
    await using _expiry = rig.start();
    rig.clock.setNow(rig.clock.now() + 365 * dayMs);
    await tick(rig);
    assert.equal((await rig.left()).length, 1);
  });
});

suite('what cannot be carried out', () => {
  test('is tried again after an hour, and keeps no other repository waiting', async () => {
    await using rig = await openRig();
    await rig.put(policyOf(10), 'team/bad');
    await rig.image('old', 20);
    await rig.put(policyOf(10));
    let fails = true;
    const { lifecycles } = rig.metadata;
    const planLifecycle: typeof lifecycles.planLifecycle = (place, question) =>
      fails && place.repository === 'team/bad'
        ? Promise.reject(new Error('no'))
        : lifecycles.planLifecycle(place, question);
    await using _expiry = rig.start({ metadata: { lifecycles: { ...lifecycles, planLifecycle } } });
    await tick(rig);
    assert.deepEqual(await rig.left(), []);
    assert.deepEqual(rig.failures, [
      'a lifecycle policy could not be carried out {"repository":"team/bad","registry":"000000000000/us-east-1","error":"no"}',
    ]);
    fails = false;
    const bad = async () => (await lifecycles.findLifecycle(keyOf('team/bad')))?.evaluatedAt;
    for (let minutes = 0; minutes < 50; minutes += 10) await tick(rig);
    assert.equal(await bad(), undefined);
    await tick(rig);
    assert.notEqual(await bad(), undefined);
  });

  test('is said where a setting forbids what a policy says, and touches nothing', async () => {
    await using rig = await openRig();
    await rig.image('old', 20);
    await rig.put(policyOf(10, { countType: 'sinceImagePulled' }));
    await using _expiry = rig.start();
    await tick(rig);
    assert.match(
      rig.failures[0] ?? '',
      /^a lifecycle policy is not evaluated .*sinceImagePulled is supported with the transition action only/,
    );
    assert.equal((await rig.left()).length, 1);
    assert.equal(await rig.evaluatedAt(), undefined);
  });

  test('whatever write fails, for the n-th time: nothing is lost, nothing is left that refers to what is gone, and the next run goes on', async () => {
    for (let failing = 1; ; failing += 1) {
      await using rig = await openRig();
      const now = rig.clock.now() - 20 * dayMs;
      for (let at = 0; at < 40; at += 1) {
        const child = pushInput('team/app', `child ${at}`, { now: now - at });
        await push(rig.metadata, child);
        await push(rig.metadata, indexInput('team/app', [child], { tags: [`v${at}`], now }));
      }
      await rig.image('young', 1, ['keep']);
      await rig.put(policyOf(10));
      let calls = 0;
      const failNow = (): void => {
        if ((calls += 1) === failing) throw new Error('the disk is gone');
      };
      const { lifecycles, manifests } = rig.metadata;
      const failingParts: Partial<ExpiryParts> = {
        metadata: {
          lifecycles: {
            ...lifecycles,
            recordEvaluation: async (input) => {
              failNow();
              await lifecycles.recordEvaluation(input);
            },
          },
        },
        pushes: {
          expireManifests: async ({ images }) => {
            failNow();
            const gone = await manifests.expireManifests({ ...key, images });
            failNow();
            return gone;
          },
        },
      };
      {
        await using _expiry = rig.start(failingParts);
        await tick(rig);
      }
      for (const image of await rig.metadata.manifests.listImages(key, undefined, 1000))
        for (const child of await rig.metadata.manifests.findChildren(key, image.digest))
          if (child.role === 'manifest')
            assert.ok(await rig.metadata.manifests.findManifest(key, child.digest));
      const isOver = calls < failing;
      {
        await using _expiry = rig.start();
        for (let minutes = 0; minutes < 120; minutes += 10) await tick(rig);
      }
      assert.equal((await rig.left()).length, 1, `call ${failing}`);
      if (isOver) break;
    }
  });
});
