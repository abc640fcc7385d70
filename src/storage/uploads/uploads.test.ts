import assert from 'node:assert/strict';
import { readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import {
  blobBytes,
  recordEvents,
  sample,
  temporaryFolder,
} from '../../../tests/support/samples/storage-samples.ts';
import {
  beginUpload,
  takeUpload,
  uploadPlace,
} from '../../../tests/support/samples/upload-samples.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import { nodeFileSystem } from '../disk/file-system.ts';
import { createFileStorage } from '../file-storage.ts';
import type { FileStorageOptions, Storage } from '../file-storage.ts';
import { createHashPool } from '../hash/hash-pool.ts';
import type { HashPool } from '../hash/hash-pool.ts';

const blob = sample(5000);
const hourMs = 60 * 60 * 1000;
const { signal } = new AbortController();

interface Fixture {
  readonly storage: Storage;
  readonly clock: FakeClock;
  readonly root: string;
  readonly names: () => string[];
  /** A further process on the same files, after this one. */
  readonly restart: (body: (storage: Storage) => Promise<void>) => Promise<void>;
}

async function withUploads(
  body: (fixture: Fixture) => Promise<void>,
  options: Partial<FileStorageOptions> = {},
): Promise<void> {
  using folder = temporaryFolder();
  const clock = createFakeClock(Date.now());
  const events = recordEvents();
  const start = (): Promise<Storage> =>
    createFileStorage({ dataDir: folder.path, clock, events, ...options });
  await using storage = await start();
  const root = join(folder.path, 'uploads');
  const restart: Fixture['restart'] = async (next) => {
    await using restarted = await start();
    await next(restarted);
  };
  await body({ storage, clock, root, names: () => readdirSync(root).toSorted(), restart });
  assert.deepEqual(events.all, []);
}

async function beginWith(storage: Storage, bytes: Uint8Array): Promise<string> {
  await using file = await beginUpload(storage.uploads);
  await file.append([bytes]);
  await file.sync();
  return file.id;
}

test('a later process takes an upload up where it was, and lists it', () =>
  withUploads(async ({ storage, clock, restart }) => {
    const startedAt = clock.now();
    const id = await beginWith(storage, blob.bytes.subarray(0, 3000));
    clock.advance(5000);
    await restart(async ({ uploads, blobs }) => {
      assert.equal(await uploads.size(uploadPlace, id), 3000);
      assert.deepEqual(await uploads.list(), [{ ...uploadPlace, id, size: 3000, startedAt }]);
      const elsewhere = { ...uploadPlace, repository: parseRepositoryName('other')! };
      assert.equal(await uploads.take(elsewhere, id, signal), undefined);
      await using file = await takeUpload(uploads, id);
      await file.append([blob.bytes.subarray(3000)]);
      assert.equal(await file.verify(blob.digest), true);
      await blobs.adopt(await file.seal(blob.digest));
      assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
    });
  }));

test('an adopted, a discarded and a cancelled upload leave no file, and the place goes with the next sweep', () =>
  withUploads(async ({ storage, names }) => {
    const { uploads, blobs } = storage;
    {
      await using file = await beginUpload(uploads);
      await file.append([blob.bytes]);
      await file.verify(blob.digest);
      await blobs.adopt(await file.seal(blob.digest));
    }
    {
      await using file = await beginUpload(uploads);
      await file.append([blob.bytes]);
      await file.discard();
    }
    await uploads.cancel(uploadPlace, await uploads.create(uploadPlace, 'sha256'));
    assert.equal(names().length, 1);
    await uploads.sweep();
    assert.deepEqual(names(), []);
    const id = await uploads.create(uploadPlace, 'sha256');
    assert.deepEqual(
      (await uploads.list()).map((upload) => upload.id),
      [id],
    );
    assert.equal(names().length, 2, 'the place is written again');
  }));

test('a sweep removes uploads that were untouched for 24 h, never a taken one', () =>
  withUploads(async ({ storage: { uploads }, clock }) => {
    const idle = await uploads.create(uploadPlace, 'sha256');
    const used = await uploads.create(uploadPlace, 'sha256');
    await using held = await beginUpload(uploads);
    clock.advance(24 * hourMs);
    await (await takeUpload(uploads, used))[Symbol.asyncDispose]();
    await uploads.sweep();
    assert.equal(await uploads.size(uploadPlace, idle), 0, 'not yet');
    clock.advance(1);
    await uploads.sweep();
    assert.equal(await uploads.size(uploadPlace, idle), undefined);
    assert.equal(await uploads.size(uploadPlace, used), 0);
    await held.append([blob.bytes]);
    assert.equal(held.size, 5000);
  }));

for (const [when, hours, there] of [
  ['over a day before this process', -25, false],
  ['within the last day', -23, true],
  ['in the future, which is a wrong clock', 1000, true],
] as const) {
  test(`an upload last written ${when} is ${there ? 'kept' : 'swept'}`, () =>
    withUploads(async ({ storage, clock, root, names, restart }) => {
      const id = await beginWith(storage, blob.bytes);
      const data = names().find((name) => name.startsWith(id))!;
      const seconds = (clock.now() + hours * hourMs) / 1000;
      utimesSync(join(root, data), seconds, seconds);
      await restart(async ({ uploads }) => {
        await uploads.sweep();
        assert.equal(await uploads.size(uploadPlace, id), there ? 5000 : undefined);
        clock.advance(25 * hourMs);
        await uploads.sweep();
        assert.equal(await uploads.size(uploadPlace, id), undefined);
        assert.deepEqual(names(), []);
      });
    }));
}

test('a sweep removes what crashes left, and nothing of what is in use', () =>
  withUploads(async ({ storage, root, names }) => {
    const id = await beginWith(storage, blob.bytes);
    const before = names();
    const key = 'b'.repeat(32);
    for (const litter of [
      `0b6d3f5c-4f5e-4f43-9d0f-6d7a8f1b2c3d.sha256.1.${key}.data`,
      `${key}.place`,
      `${before.find((name) => name.endsWith('.place'))!}.tmp`,
      'anything',
    ]) {
      writeFileSync(join(root, litter), 'left');
    }
    const creating = storage.uploads.create(uploadPlace, 'sha512');
    await Promise.all([storage.uploads.sweep(), storage.uploads.sweep()]);
    const second = await creating;
    assert.deepEqual(
      names().filter((name) => !name.startsWith(second)),
      before,
    );
    assert.equal(await storage.uploads.size(uploadPlace, id), 5000);
    assert.equal(await storage.uploads.size(uploadPlace, second), 0);
  }));

for (const text of [
  '',
  '{',
  '[]',
  '{"registry":"a/b"}',
  '{"registry":"a/b","repository":"../x"}',
]) {
  test(`an upload whose place file holds ${JSON.stringify(text)} is not listed, but there`, () =>
    withUploads(async ({ storage, root, names, restart }) => {
      const id = await storage.uploads.create(uploadPlace, 'sha256');
      const file = names().find((name) => name.endsWith('.place'))!;
      writeFileSync(join(root, file), text);
      await restart(async ({ uploads }) => {
        assert.deepEqual(await uploads.list(), []);
        assert.equal(await uploads.size(uploadPlace, id), 0);
        await uploads.create(uploadPlace, 'sha256');
        assert.equal((await uploads.list()).length, 2, 'the next of the place writes it again');
      });
    }));
}

test('no more uploads are begun than there may be, those of an earlier process among them', () =>
  withUploads(
    async ({ storage, restart }) => {
      const first = await storage.uploads.create(uploadPlace, 'sha256');
      await restart(async ({ uploads }) => {
        await Promise.all([1, 2].map(() => uploads.create(uploadPlace, 'sha256')));
        const refused = { name: 'RegistryError', code: 'tooManyRequests', retryAfterMs: 60_000 };
        await assert.rejects(uploads.create(uploadPlace, 'sha256'), refused);
        await uploads.cancel(uploadPlace, first);
        await uploads.create(uploadPlace, 'sha256');
      });
    },
    { uploadBounds: { server: 3 } },
  ));

test('an upload whose file somebody cut short is gone', () =>
  withUploads(async ({ storage, root, names }) => {
    const { uploads } = storage;
    const id = await beginWith(storage, blob.bytes);
    truncateSync(
      join(
        root,
        names().find((name) => name.startsWith(id))!,
      ),
      100,
    );
    assert.equal(await uploads.take(uploadPlace, id, signal), undefined);
    assert.equal(await uploads.size(uploadPlace, id), undefined);
  }));

test('where somebody removed the folder, uploads are gone and new ones begin', () =>
  withUploads(async ({ storage: { uploads }, root }) => {
    const id = await uploads.create(uploadPlace, 'sha256');
    rmSync(root, { recursive: true });
    assert.equal(await uploads.take(uploadPlace, id, signal), undefined);
    await assert.rejects(uploads.create(uploadPlace, 'sha256'), { code: 'ENOENT' });
    await using file = await beginUpload(uploads);
    await file.append([blob.bytes]);
    assert.equal(await file.verify(blob.digest), true);
  }));

/** A pool that counts the jobs begun and under way. */
function countJobs(): HashPool & { readonly begun: number; readonly alive: number } {
  const pool = createHashPool();
  let begun = 0;
  let alive = 0;
  return {
    blocks: pool.blocks,
    start: (path, algorithm) => {
      const job = pool.start(path, algorithm);
      begun += 1;
      alive += 1;
      const end = (): void => void (alive -= 1);
      return {
        advance: (upTo) => job.advance(upTo),
        feed: (block, length, position) => job.feed(block, length, position),
        finish: (size) => job.finish(size),
        [Symbol.dispose]: () => {
          end();
          job[Symbol.dispose]();
        },
      };
    },
    get begun() {
      return begun;
    },
    get alive() {
      return alive;
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

test('a hash lives on from request to request, for 64 idle uploads at most', async () => {
  await using pool = countJobs();
  await withUploads(
    async ({ storage: { uploads } }) => {
      const ids: string[] = [];
      for (let i = 0; i < 70; i += 1) {
        await using file = await beginUpload(uploads);
        await file.append([blob.bytes.subarray(0, 1000)]);
        ids.push(file.id);
      }
      assert.equal(pool.begun, 70);
      assert.equal(pool.alive, 64);
      for (const id of [ids[69]!, ids[0]!]) {
        await using file = await takeUpload(uploads, id);
        await file.append([blob.bytes.subarray(1000)]);
        assert.equal(await file.verify(blob.digest), true);
      }
      assert.equal(pool.begun, 71, 'only the eldest began anew');
      for (const id of ids) await uploads.cancel(uploadPlace, id);
      assert.equal(pool.alive, 0);
    },
    { hashPool: pool, hashInPlaceMaxBytes: 100 },
  );
});

test('a hash of bytes that were cut off again is of what came after', async () => {
  await using pool = countJobs();
  await withUploads(
    async ({ storage: { uploads } }) => {
      await using file = await beginUpload(uploads);
      await file.append([sample(3_000_000, 2).bytes]);
      assert.equal(pool.alive, 1);
      await file.truncate(0);
      assert.equal(pool.alive, 0);
      await file.append([blob.bytes]);
      assert.equal(await file.verify(blob.digest), true);
    },
    { hashPool: pool, hashInPlaceMaxBytes: 100 },
  );
  assert.equal(pool.alive, 0);
});

test('bytes go to the disk in the background while more come', async () => {
  let syncs = 0;
  const fileSystem = {
    ...nodeFileSystem,
    fdatasync: (fd: number) => {
      syncs += 1;
      return nodeFileSystem.fdatasync(fd);
    },
  };
  await withUploads(
    async ({ storage: { uploads } }) => {
      await using file = await beginUpload(uploads);
      const begun = syncs;
      await file.append([blob.bytes.subarray(0, 999)]);
      assert.equal(syncs, begun);
      await file.append([blob.bytes.subarray(999, 1000)]);
      assert.equal(syncs, begun + 1);
      await file.sync();
      await file.sync();
      assert.equal(syncs, begun + 1, 'what is on the disk is not synced again');
    },
    { fileSystem, writebackEveryBytes: 1000 },
  );
});

test('creates at once share the sync of their names', async () => {
  let syncs = 0;
  const fileSystem = {
    ...nodeFileSystem,
    syncFolder: (path: string) => {
      syncs += 1;
      return nodeFileSystem.syncFolder(path);
    },
  };
  await withUploads(
    async ({ storage: { uploads } }) => {
      await uploads.create(uploadPlace, 'sha256');
      const before = syncs;
      await Promise.all(Array.from({ length: 50 }, () => uploads.create(uploadPlace, 'sha256')));
      assert.ok(syncs - before <= 10, `${syncs - before} syncs`);
    },
    { fileSystem },
  );
});
