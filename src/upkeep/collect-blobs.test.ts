import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { createMemoryStorage } from '../../tests/support/rigs/memory-storage.ts';
import { until } from '../../tests/support/rigs/until.ts';
import { sample, store } from '../../tests/support/samples/storage-samples.ts';
import { createLocalLeases } from '../coordination/local-leases.ts';
import type { Digest } from '../domain/names/digest.ts';
import { unusedBlobsEveryMs } from '../domain/unused-blobs.ts';
import { startCollection } from './collect-blobs.ts';

const firstMs = 5 * 60_000;

async function openRig(blobs = 1) {
  const clock = createFakeClock();
  const leases = createLocalLeases(clock);
  const storage = await createMemoryStorage();
  const samples = Array.from({ length: blobs }, (_, seed) => sample(100, seed + 1));
  for (const each of samples) await store(storage, each);
  const [notes, failures]: string[][] = [[], []];
  const rig = {
    storage,
    samples,
    notes,
    failures,
    held: new Set<Digest>(),
    fails: false,
    /** Before an answer is given. */
    asked: async (): Promise<void> => {},
  };
  const findHeldBlobs = async (digests: readonly Digest[]): Promise<readonly Digest[]> => {
    if (rig.fails) throw new Error('the disk is gone');
    const found = digests.filter((digest) => rig.held.has(digest));
    await rig.asked();
    return found;
  };
  // No more than it takes until the next one: a lease that is not renewed ends.
  let nextMs = 0;
  const start = (): AsyncDisposable => {
    nextMs = firstMs;
    return startCollection({
      metadata: { blobs: { findHeldBlobs } },
      blobs: storage.blobs,
      leases,
      clock,
      note: (message, about) => notes?.push(`${message} ${JSON.stringify(about)}`),
      failed: (message, { error }) => failures?.push(`${message}: ${error}`),
    });
  };
  /** Runs it as often, each run to its end. */
  const run = async (times = 1): Promise<void> => {
    for (let nth = 0; nth < times; nth += 1) {
      clock.advance(nextMs);
      nextMs = unusedBlobsEveryMs;
      const lease = await until(() => leases.take('collect blobs', 1));
      await lease[Symbol.asyncDispose]();
    }
  };
  const left = async (): Promise<readonly string[]> => {
    const all: string[] = [];
    for await (const { digest, retired } of storage.blobs.list())
      all.push(
        `${samples.findIndex((each) => each.digest === digest)}${retired ? ' retired' : ''}`,
      );
    return all.toSorted();
  };
  return Object.assign(rig, {
    start,
    run,
    left,
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
  });
}

const first = (rig: Awaited<ReturnType<typeof openRig>>): Digest => rig.samples[0]!.digest;

test('What no repository holds is gone after two runs, and nothing else.', async () => {
  await using rig = await openRig(300);
  for (const { digest } of rig.samples.slice(3)) rig.held.add(digest);
  await using _collection = rig.start();
  await rig.run();
  const kept = rig.samples.slice(3).map((_, at) => String(at + 3));
  deepEqual(await rig.left(), ['0 retired', '1 retired', '2 retired', ...kept].toSorted());
  deepEqual(rig.notes, []);
  await rig.run();
  deepEqual(await rig.left(), kept.toSorted());
  const about = JSON.stringify({ blobs: 3, bytes: 300 });
  deepEqual(rig.notes, [`blobs that no repository holds were deleted ${about}`]);
  await rig.run(3);
  deepEqual(await rig.left(), kept.toSorted());
});

test('What is held by the second run stays: a push may have found the file before it was written down.', async () => {
  await using rig = await openRig();
  await using _collection = rig.start();
  rig.asked = async () => void rig.held.add(first(rig));
  await rig.run();
  deepEqual(await rig.left(), ['0 retired']);
  await rig.run();
  deepEqual(await rig.left(), ['0']);
});

test('Whoever asks for a blob between two runs keeps it for two more.', async () => {
  await using rig = await openRig();
  await using _collection = rig.start();
  for (let round = 0; round < 3; round += 1) {
    await rig.run();
    deepEqual(await rig.storage.blobs.size(first(rig)), 100);
  }
  await rig.run(2);
  deepEqual(await rig.left(), []);
});

test('Who brings a blob back while it is decided that it goes has it.', async () => {
  await using rig = await openRig();
  await using _collection = rig.start();
  await rig.run();
  rig.asked = async () => void (await rig.storage.blobs.size(first(rig)));
  await rig.run();
  deepEqual(await rig.left(), ['0']);
});

test('A run that fails is told and deletes nothing, and the next one goes on.', async () => {
  await using rig = await openRig();
  await using _collection = rig.start();
  await rig.run();
  rig.fails = true;
  await rig.run(2);
  const failure = 'unused blobs could not be collected: the disk is gone';
  deepEqual([rig.failures, await rig.left()], [[failure, failure], ['0 retired']]);
  rig.fails = false;
  await rig.run();
  deepEqual(await rig.left(), []);
});

test('What an ended process has retired is looked at once more by the next.', async () => {
  await using rig = await openRig(2);
  {
    await using _collection = rig.start();
    await rig.run();
  }
  rig.held.add(first(rig));
  await using _collection = rig.start();
  await rig.run();
  deepEqual(await rig.left(), ['0']);
});
