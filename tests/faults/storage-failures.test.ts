import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { SpoolFile } from '../../src/ports/spool.ts';
import { nodeFileSystem } from '../../src/storage/disk/file-system.ts';
import { createFileStorage } from '../../src/storage/file-storage.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { createFailingFileSystem } from '../support/rigs/failing-file-system.ts';
import type { FailingFileSystem, Failure } from '../support/rigs/failing-file-system.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import {
  blobBytes,
  listed,
  recordEvents,
  sample,
  store,
  temporaryFolder,
} from '../support/samples/storage-samples.ts';
import type { RecordedEvents } from '../support/samples/storage-samples.ts';

const blob = sample(40_000);

function open(
  dataDir: string,
  { fileSystem }: { fileSystem: typeof nodeFileSystem },
  events: RecordedEvents = recordEvents(),
): Promise<Storage> {
  const journalEveryBytes = 15_000;
  return createFileStorage({
    dataDir,
    clock: createFakeClock(),
    events,
    fileSystem,
    journalEveryBytes,
  });
}

async function download(file: SpoolFile): Promise<void> {
  await file.expect(40_000);
  for (let at = 0; at < 40_000; at += 10_000) {
    await file.write(at, [blob.bytes.subarray(at, at + 10_000)]);
  }
}

/** All that a download does, a wrong first attempt and upkeep among it. */
const scenarios: Record<string, (storage: Storage) => Promise<void>> = {
  'a download': async ({ spool, blobs }) => {
    await using file = await spool.open('o', blob.digest);
    await download(file);
    await file.journal();
    assert.equal(await file.verify(), true);
    await blobs.adopt(await file.seal(blob.digest));
    assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
  },
  'a partial that is given up, reset, resumed and discarded': async ({ spool }) => {
    {
      await using file = await spool.open('o', blob.digest);
      await file.write(0, [blob.bytes.subarray(0, 20_000)]);
      await file.journal();
      await file.reset();
      await file.write(0, [blob.bytes.subarray(0, 10_000)]);
      await file.journal();
    }
    await using file = await spool.open('o', blob.digest);
    await file.discard();
  },
  'a blob that is fetched twice, listed and deleted': async (storage) => {
    await store(storage, blob, 'one');
    await store(storage, blob, 'two');
    assert.deepEqual(await listed(storage.blobs), [blob.digest]);
    await storage.blobs.space();
    await storage.spool.sweep();
    await storage.blobs.delete(blob.digest);
  },
};

async function attempt(
  dataDir: string,
  failing: FailingFileSystem,
  scenario: (storage: Storage) => Promise<void>,
): Promise<unknown> {
  try {
    await using storage = await open(dataDir, failing);
    await scenario(storage);
  } catch (error) {
    return error;
  }
  return undefined;
}

for (const [name, scenario] of Object.entries(scenarios)) {
  test(`${name}: whichever call fails, nothing partial is stored, nothing leaks, the next attempt works`, async () => {
    for (let at = 1; ; at += 1) {
      using folder = temporaryFolder();
      const failing = createFailingFileSystem(nodeFileSystem, { code: 'EIO', at });
      const error = await attempt(folder.path, failing, scenario);
      if (error !== undefined) assert.match(inspect(error), /EIO/, `call ${at}`);
      assert.equal(failing.openDescriptors, 0, `call ${at} leaks`);
      const healthy = createFailingFileSystem(nodeFileSystem, { code: 'none', at: 0 });
      {
        await using storage = await open(folder.path, healthy);
        for (const digest of await listed(storage.blobs)) {
          assert.deepEqual(await blobBytes(storage.blobs, digest), blob.bytes, `call ${at}`);
        }
        await scenario(storage);
      }
      assert.equal(healthy.openDescriptors, 0);
      if (!failing.failed) {
        assert.ok(at > 20, 'the scenario makes calls that can fail');
        return;
      }
    }
  });
}

test('whichever call fails once, the same process goes on', async () => {
  for (let at = 1; ; at += 1) {
    using folder = temporaryFolder();
    const failing = createFailingFileSystem(nodeFileSystem, { code: 'EIO', at });
    let storage: Storage;
    try {
      storage = await open(folder.path, failing);
    } catch {
      continue;
    }
    await scenarios['a download']!(storage).catch(() => undefined);
    if (failing.failed) await scenarios['a download']!(storage);
    await storage[Symbol.asyncDispose]();
    assert.equal(failing.openDescriptors, 0, `call ${at} leaks`);
    if (!failing.failed) return;
  }
});

async function withFailure(
  failure: Failure,
  body: (storage: Storage, events: RecordedEvents) => Promise<void>,
): Promise<void> {
  using folder = temporaryFolder();
  const events = recordEvents();
  await using storage = await open(
    folder.path,
    createFailingFileSystem(nodeFileSystem, failure),
    events,
  );
  await body(storage, events);
}

test('a full disk is the system error of the write, and what arrived before stays', () =>
  withFailure({ code: 'ENOSPC', at: 2, only: 'writev' }, async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    await file.write(0, [blob.bytes.subarray(0, 100)]);
    await assert.rejects(file.write(100, [blob.bytes.subarray(100)]), { code: 'ENOSPC' });
    assert.deepEqual(file.arrived, [{ start: 0, end: 99 }]);
    await file.write(100, [blob.bytes.subarray(100, 200)]);
    assert.deepEqual(file.arrived, [{ start: 0, end: 199 }]);
  }));

test('a journal that fails in the background fails no write and is told', () =>
  withFailure({ code: 'ENOSPC', at: 1, only: 'rename' }, async ({ spool, blobs }, events) => {
    await using file = await spool.open('o', blob.digest);
    await download(file);
    assert.equal(await file.verify(), true);
    await blobs.adopt(await file.seal(blob.digest));
    assert.deepEqual(
      events.all.map((event) => event.type === 'storageFailed' && event.operation),
      ['journal'],
    );
  }));

test('after a failed sync the bytes are never sealed, until they are written anew', () =>
  withFailure({ code: 'EIO', at: 1, only: 'fdatasync' }, async ({ spool, blobs }) => {
    await using file = await spool.open('o', blob.digest);
    await file.expect(40_000);
    await file.write(0, [blob.bytes.subarray(0, 10_000)]);
    await assert.rejects(file.journal(), /EIO/);
    await file.write(10_000, [blob.bytes.subarray(10_000, 12_000)]);
    await assert.rejects(file.journal(), /earlier sync/);
    await file.reset();
    await file.write(0, [blob.bytes]);
    assert.equal(await file.verify(), true);
    await blobs.adopt(await file.seal(blob.digest));
  }));

test('a folder that somebody removed is made again by the next adoption', async () => {
  using folder = temporaryFolder();
  await using storage = await open(folder.path, { fileSystem: nodeFileSystem });
  await store(storage, blob);
  await storage.blobs.delete(blob.digest);
  await rm(`${folder.path}/blobs/sha256`, { recursive: true });
  await assert.rejects(store(storage, blob), { code: 'ENOENT' });
  await store(storage, blob);
  assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
});
