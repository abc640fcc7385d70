import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { nodeFileSystem } from '../../src/storage/disk/file-system.ts';
import type { FileSystem } from '../../src/storage/disk/file-system.ts';
import { createFileStorage } from '../../src/storage/file-storage.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { createHashPool } from '../../src/storage/hash/hash-pool.ts';
import { createWriteBlocks } from '../../src/storage/disk/write-blocks.ts';
import { createFailingFileSystem } from '../support/rigs/failing-file-system.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import {
  blobBytes,
  listed,
  recordEvents,
  sample,
  temporaryFolder,
} from '../support/samples/storage-samples.ts';
import { beginUpload, takeUpload, uploadPlace } from '../support/samples/upload-samples.ts';

const blob = sample(40_000);
/** Three blocks of direct writes. */
const chunkBytes = 12_288;

/** Hashing in workers, it also writes past the page cache. */
async function open(
  dataDir: string,
  fileSystem: FileSystem,
  hashInPlaceMaxBytes = 1024 * 1024,
): Promise<Storage> {
  const direct = hashInPlaceMaxBytes < blob.bytes.length;
  const hashPool = createHashPool(1, undefined, createWriteBlocks(direct ? 4096 : 1024 * 1024, 2));
  const storage = await createFileStorage({
    dataDir,
    clock: createFakeClock(),
    events: recordEvents(),
    fileSystem,
    writebackEveryBytes: 15_000,
    hashInPlaceMaxBytes,
    hashPool,
  });
  return {
    ...storage,
    [Symbol.asyncDispose]: async () => {
      await storage[Symbol.asyncDispose]();
      await hashPool[Symbol.asyncDispose]();
    },
  };
}

/** What a client knows of its push; it goes on from there after a failure. */
interface Client {
  id: string | undefined;
  acknowledged: number;
  stored: boolean;
}

/** Chunk after chunk, each synced before it counts, then the digest. */
async function push({ uploads, blobs }: Storage, client: Client): Promise<void> {
  if (client.stored) return;
  client.id ??= await uploads.create(uploadPlace, 'sha256');
  for (let more = true; more;) {
    await using file = await uploads.take(uploadPlace, client.id, new AbortController().signal);
    if (file === undefined) {
      // Adopted, but the answer was lost.
      assert.equal(client.acknowledged, blob.bytes.length, 'the upload was lost');
      client.id = await uploads.create(uploadPlace, 'sha256');
      client.acknowledged = 0;
      continue;
    }
    assert.ok(file.size >= client.acknowledged, 'acknowledged bytes were lost');
    await file.append([blob.bytes.subarray(file.size, file.size + chunkBytes)]);
    more = file.size < blob.bytes.length;
    await file.sync();
    client.acknowledged = file.size;
    if (more) continue;
    assert.equal(await file.verify(blob.digest), true);
    await blobs.adopt(await file.seal(blob.digest));
    client.stored = true;
  }
}

async function assertSound(storage: Storage, client: Client): Promise<void> {
  const digests = await listed(storage.blobs);
  assert.deepEqual(digests, digests.length === 0 && !client.stored ? [] : [blob.digest]);
  for (const digest of digests) {
    assert.deepEqual(await blobBytes(storage.blobs, digest), blob.bytes);
  }
}

for (const code of ['EIO', 'ENOSPC']) {
  for (const [then, workers] of [
    ['the same process', false],
    ['the same process, hashing in workers,', true],
    ['the next process', false],
  ] as const) {
    test(`whichever call of a push fails with ${code}, ${then} goes on from what was acknowledged`, async () => {
      for (let at = 1; ; at += 1) {
        using folder = temporaryFolder();
        const failing = createFailingFileSystem(nodeFileSystem, { code, at });
        const client: Client = { id: undefined, acknowledged: 0, stored: false };
        const inPlace = workers ? 100 : undefined;
        try {
          await using storage = await open(folder.path, failing.fileSystem, inPlace);
          try {
            await push(storage, client);
          } catch (error) {
            assert.match(inspect(error), new RegExp(code), `call ${at}`);
            if (then !== 'the next process') await push(storage, client);
          }
          await assertSound(storage, client);
        } catch (error) {
          assert.match(inspect(error), new RegExp(code), `call ${at}`);
        }
        assert.equal(failing.openDescriptors, 0, `call ${at} leaks`);
        await using next = await open(folder.path, nodeFileSystem);
        await push(next, client);
        await assertSound(next, client);
        assert.ok(client.stored);
        if (!failing.failed) {
          assert.ok(at > 30, 'a push makes calls that can fail');
          return;
        }
      }
    });
  }
}

/** All that ends an upload but a blob. */
async function giveUp({ uploads }: Storage): Promise<void> {
  {
    await using file = await beginUpload(uploads);
    await file.append([blob.bytes]);
    await file.truncate(100);
    assert.equal(await file.verify(blob.digest), false);
    await file.discard();
  }
  const id = await uploads.create(uploadPlace, 'sha512');
  await uploads.cancel(uploadPlace, id);
  assert.deepEqual(await uploads.list(), []);
  await uploads.sweep();
}

test('whichever call fails when uploads are given up, none is left and nothing leaks', async () => {
  for (let at = 1; ; at += 1) {
    using folder = temporaryFolder();
    const failing = createFailingFileSystem(nodeFileSystem, { code: 'EIO', at });
    try {
      await using storage = await open(folder.path, failing.fileSystem);
      await giveUp(storage).catch((error: unknown) => assert.match(inspect(error), /EIO/));
      for (const { id } of await storage.uploads.list())
        await storage.uploads.cancel(uploadPlace, id);
      await giveUp(storage);
      assert.deepEqual(readdirSync(join(folder.path, 'uploads')), [], `call ${at}`);
    } catch (error) {
      assert.match(inspect(error), /EIO/);
    }
    assert.equal(failing.openDescriptors, 0, `call ${at} leaks`);
    if (!failing.failed) return;
  }
});

/** A disk that fails what writes, while it is told to, after writing half of it. */
function createSickDisk(): { readonly fileSystem: FileSystem; sick: string | undefined } {
  const disk = { fileSystem: nodeFileSystem, sick: undefined as string | undefined };
  let written = false;
  const fail = (): void => {
    if (disk.sick === undefined) return;
    throw Object.assign(new Error(`${disk.sick}: the disk is sick`), { code: disk.sick });
  };
  disk.fileSystem = {
    ...nodeFileSystem,
    open: async (path, mode) => {
      if (mode !== 'read' && disk.sick === 'EROFS') fail();
      if (mode === 'replace') fail();
      return nodeFileSystem.open(path, mode);
    },
    writev: async (fd, buffers, position) => {
      if (disk.sick === undefined) return nodeFileSystem.writev(fd, buffers, position);
      written = !written;
      if (!written || disk.sick === 'EROFS') fail();
      const half = buffers[0]!.subarray(0, buffers[0]!.byteLength >> 1);
      return nodeFileSystem.writev(fd, [half], position);
    },
  };
  return disk;
}

for (const code of ['ENOSPC', 'EDQUOT', 'EROFS']) {
  test(`${code} is the system error of append and create, and passes by itself`, async () => {
    using folder = temporaryFolder();
    const disk = createSickDisk();
    await using storage = await open(folder.path, disk.fileSystem);
    const { uploads, blobs } = storage;
    await using file = await beginUpload(uploads);
    const onDisk = (): Uint8Array => {
      const root = join(folder.path, 'uploads');
      return new Uint8Array(
        readFileSync(
          join(
            root,
            readdirSync(root).find((name) => name.startsWith(file.id))!,
          ),
        ),
      );
    };
    await file.append([blob.bytes.subarray(0, 1000)]);
    disk.sick = code;
    await uploads.cancel(uploadPlace, await uploads.create(uploadPlace, 'sha256').catch(() => ''));
    if (code === 'EROFS') await assert.rejects(uploads.create(uploadPlace, 'sha256'), { code });
    for (let i = 0; i < 3; i += 1) {
      await assert.rejects(file.append([blob.bytes.subarray(1000)]), { code });
      assert.equal(file.size, 1000);
      assert.deepEqual(onDisk(), blob.bytes.slice(0, 1000), 'no torn bytes stay');
    }
    disk.sick = undefined;
    await uploads.cancel(uploadPlace, await uploads.create(uploadPlace, 'sha256'));
    await file.append([blob.bytes.subarray(1000)]);
    assert.equal(await file.verify(blob.digest), true);
    await blobs.adopt(await file.seal(blob.digest));
    assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
  });
}

test('a sync that fails in the background is told, and what it may have lost is sent again', async () => {
  using folder = temporaryFolder();
  const failing = createFailingFileSystem(nodeFileSystem, {
    code: 'EIO',
    // The place's file and the first chunk are synced before.
    at: 3,
    only: 'fdatasync',
  });
  await using storage = await open(folder.path, failing.fileSystem);
  const { uploads, blobs } = storage;
  const held = await beginUpload(uploads);
  await held.append([blob.bytes.subarray(0, 10_000)]);
  await held.sync();
  await held.append([blob.bytes.subarray(10_000, 30_000)]);
  await assert.rejects(held.sync(), { code: 'EIO' });
  assert.equal(held.size, 30_000);
  await assert.rejects(held.append([blob.bytes.subarray(30_000)]), { code: 'EIO' });
  await assert.rejects(held.verify(blob.digest), { code: 'EIO' });
  await held[Symbol.asyncDispose]();
  assert.equal(await uploads.size(uploadPlace, held.id), 10_000);
  await using file = await takeUpload(uploads, held.id);
  await file.append([blob.bytes.subarray(10_000)]);
  assert.equal(await file.verify(blob.digest), true);
  await blobs.adopt(await file.seal(blob.digest));
  assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
});

test('what an earlier process left is not in doubt when a later sync fails', async () => {
  using folder = temporaryFolder();
  let id: string;
  {
    await using storage = await open(folder.path, nodeFileSystem);
    await using file = await beginUpload(storage.uploads);
    await file.append([blob.bytes.subarray(0, 10_000)]);
    await file.sync();
    ({ id } = file);
  }
  // The first makes sure of what was left.
  const failure = { code: 'EIO', at: 2, only: 'fdatasync' } as const;
  const failing = createFailingFileSystem(nodeFileSystem, failure);
  await using storage = await open(folder.path, failing.fileSystem);
  {
    await using file = await takeUpload(storage.uploads, id);
    await file.append([blob.bytes.subarray(10_000, 12_000)]);
    await assert.rejects(file.sync(), { code: 'EIO' });
  }
  assert.equal(await storage.uploads.size(uploadPlace, id), 10_000);
});

test('an upload whose file can’t be removed is gone all the same, and told of', async () => {
  using folder = temporaryFolder();
  const events = recordEvents();
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    unlink: () => Promise.reject(Object.assign(new Error('EROFS'), { code: 'EROFS' })),
  };
  const dataDir = folder.path;
  await using storage = await createFileStorage({
    dataDir,
    clock: createFakeClock(),
    events,
    fileSystem,
  });
  const id = await storage.uploads.create(uploadPlace, 'sha256');
  assert.equal(await storage.uploads.cancel(uploadPlace, id), true);
  assert.equal(await storage.uploads.size(uploadPlace, id), undefined);
  assert.deepEqual(
    events.all.map((event) => event.type === 'storageFailed' && event.operation),
    ['remove upload'],
  );
});
