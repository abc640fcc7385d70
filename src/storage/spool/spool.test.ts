import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import {
  recordEvents,
  sample,
  store,
  temporaryFolder,
} from '../../../tests/support/samples/storage-samples.ts';
import type { Sample } from '../../../tests/support/samples/storage-samples.ts';
import { nodeFileSystem } from '../disk/file-system.ts';
import type { FileSystem } from '../disk/file-system.ts';
import { createFileStorage } from '../file-storage.ts';
import type { Storage } from '../file-storage.ts';
import { until } from '../../../tests/support/rigs/until.ts';

const blob = sample(5000);
const hourMs = 60 * 60 * 1000;

interface Fixture {
  readonly storage: Storage;
  readonly clock: FakeClock;
  readonly root: string;
  /** Paths of the files in the spool whose names end so. */
  readonly spooled: (ending: string) => string[];
}

async function withStorage(
  body: (fixture: Fixture) => Promise<void>,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<void> {
  using folder = temporaryFolder();
  const clock = createFakeClock();
  const events = recordEvents();
  const root = folder.path;
  await using storage = await createFileStorage({
    dataDir: root,
    clock,
    events,
    fileSystem,
    journalEveryBytes: 3000,
  });
  const spooled = (ending: string): string[] =>
    readdirSync(join(root, 'spool'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(ending))
      .map((name) => join(root, 'spool', name));
  await body({ storage, clock, root, spooled });
  assert.deepEqual(events.all, []);
}

async function keep(storage: Storage, { digest, bytes }: Sample, owner = 'o'): Promise<void> {
  await using file = await storage.spool.open(owner, digest);
  await file.expect(bytes.length);
  await file.write(0, [bytes.subarray(0, 4000)]);
  await file.journal();
}

async function arrived(storage: Storage, { digest }: Sample, owner = 'o'): Promise<number> {
  await using file = await storage.spool.open(owner, digest);
  return file.arrived.reduce((sum, { start, end }) => sum + end + 1 - start, 0);
}

test('a journal is written by itself after enough bytes', () =>
  withStorage(async ({ storage, spooled }) => {
    await using file = await storage.spool.open('o', blob.digest);
    await file.write(0, [blob.bytes.subarray(0, 2999)]);
    await file.write(2999, [blob.bytes.subarray(2999, 3000)]);
    await until(() => spooled('.json').length === 1);
  }));

test('a journal is written by itself 5 s after a write', () =>
  withStorage(async ({ storage, clock, spooled }) => {
    await using file = await storage.spool.open('o', blob.digest);
    await file.write(0, [blob.bytes.subarray(0, 10)]);
    clock.advance(4999);
    assert.equal(clock.pending, 1);
    clock.advance(1);
    await until(() => spooled('.json').length === 1);
    assert.equal(clock.pending, 0, 'nothing new, no timer');
  }));

test('a partial that nothing journals leaves no file', () =>
  withStorage(async ({ storage, clock, spooled }) => {
    {
      await using file = await storage.spool.open('o', blob.digest);
      await file.write(0, [blob.bytes.subarray(0, 100)]);
    }
    assert.deepEqual(spooled('.part'), []);
    assert.equal(clock.pending, 0);
  }));

const damages: Record<string, (part: string, journal: string) => void> = {
  'its journal is cut': (_, journal) => truncateSync(journal, 20),
  'its journal is empty': (_, journal) => truncateSync(journal, 0),
  'its journal is larger than any': (_, journal) => writeFileSync(journal, ' '.repeat(1_048_577)),
  'its journal is of another digest': (_, journal) => {
    const text = readFileSync(journal, 'utf8');
    writeFileSync(journal, text.replace(blob.digest, sample(1).digest));
  },
  'its journal is of another owner': (_, journal) => {
    writeFileSync(journal, readFileSync(journal, 'utf8').replace('"owner":"o"', '"owner":"p"'));
  },
  'its data is gone': (part) => rmSync(part),
  'its data is empty': (part) => truncateSync(part, 0),
};

for (const [what, damage] of Object.entries(damages)) {
  test(`a partial starts empty when ${what}`, () =>
    withStorage(async ({ storage, spooled }) => {
      await keep(storage, blob);
      assert.equal(await arrived(storage, blob), 4000);
      damage(spooled('.part')[0]!, spooled('.json')[0]!);
      assert.equal(await arrived(storage, blob), 0);
      await store(storage, blob, 'o');
      assert.equal(await storage.blobs.size(blob.digest), 5000);
    }));
}

test('of a partial that is shorter than its journal says, what is there is taken up', () =>
  withStorage(async ({ storage, spooled }) => {
    await keep(storage, blob);
    truncateSync(spooled('.part')[0]!, 1000);
    await using file = await storage.spool.open('o', blob.digest);
    assert.deepEqual(file.arrived, [{ start: 0, end: 999 }]);
    assert.deepEqual(spooled('.json'), [], 'the journal that claims more is gone');
  }));

test('a spool file that is cut under its reader throws rather than ends', () =>
  withStorage(async ({ storage, spooled }) => {
    await using file = await storage.spool.open('o', blob.digest);
    await file.write(0, [blob.bytes]);
    truncateSync(spooled('.part')[0]!, 100);
    await assert.rejects(file.read(new Uint8Array(10), 200), /cut short/);
  }));

test('a blob file that is cut throws for the span it lacks, and under its reader', () =>
  withStorage(async ({ storage, root }) => {
    await store(storage, blob);
    const hex = blob.digest.slice(7);
    const reader = (await storage.blobs.open(blob.digest, { start: 0, end: 4999 }))!;
    truncateSync(join(root, 'blobs', 'sha256', hex.slice(0, 2), hex), 0);
    await assert.rejects(reader.read(new Uint8Array(10)), /ends at 0/);
    await reader[Symbol.asyncDispose]();
    await assert.rejects(storage.blobs.open(blob.digest, { start: 0, end: 4999 }), /ends at 0/);
    assert.equal(await storage.blobs.size(blob.digest), 0);
    await store(storage, blob);
    assert.equal(await storage.blobs.size(blob.digest), 5000, 'a whole file replaces the cut one');
  }));

test('a sweep removes partials of a day ago, not younger ones', () =>
  withStorage(async ({ storage, clock, spooled }) => {
    await keep(storage, blob, 'old');
    clock.advance(hourMs);
    await keep(storage, blob, 'young');
    clock.advance(23 * hourMs + 1);
    await storage.spool.sweep();
    assert.equal(spooled('.part').length, 1);
    assert.equal(await arrived(storage, blob, 'old'), 0);
    assert.equal(await arrived(storage, blob, 'young'), 4000);
  }));

test('after the clock was set back, a partial is kept for a day from then', () =>
  withStorage(async ({ storage, clock, spooled }) => {
    await keep(storage, blob);
    clock.setNow(clock.now() - 25 * hourMs);
    await storage.spool.sweep();
    assert.equal(await arrived(storage, blob), 4000);
    clock.advance(24 * hourMs + 1);
    await storage.spool.sweep();
    assert.deepEqual([...spooled('.part'), ...spooled('.json')], []);
  }));

test('a sweep removes litter and nothing else', () =>
  withStorage(async ({ storage, spooled }) => {
    await keep(storage, blob);
    const folder = dirname(spooled('.part')[0]!);
    const other = sample(9).digest.replace(':', '-');
    const names = [`${other}.part`, `${blob.digest.replace(':', '-')}.json.tmp`, 'core'];
    for (const name of names) writeFileSync(join(folder, name), 'x');
    await using open = await storage.spool.open('p', blob.digest);
    await open.write(0, [blob.bytes.subarray(0, 10)]);
    await storage.spool.sweep();
    assert.equal(spooled('').filter((path) => names.some((name) => path.endsWith(name))).length, 0);
    assert.equal(spooled('.part').length, 2);
    assert.equal(await arrived(storage, blob), 4000);
  }));

test('beyond a tenth of the disk the oldest partials go first, never an open one', () => {
  // Each partial takes 4 KiB on the disk (one block); a tenth of this one holds two.
  const smallDisk: FileSystem = {
    ...nodeFileSystem,
    stat: async (path) => {
      const found = await nodeFileSystem.stat(path);
      return found && { ...found, allocated: 4096 };
    },
    statfs: () => Promise.resolve({ freeBytes: 40_960, totalBytes: 2 * 40_960 }),
  };
  return withStorage(async ({ storage, clock }) => {
    for (const owner of ['open', 'a', 'b', 'c', 'd']) {
      await keep(storage, blob, owner);
      clock.advance(1000);
    }
    {
      await using open = await storage.spool.open('open', blob.digest);
      await storage.spool.sweep();
      assert.deepEqual(open.arrived, [{ start: 0, end: 3999 }]);
    }
    const left = await Promise.all(
      ['a', 'b', 'c', 'd'].map((owner) => arrived(storage, blob, owner)),
    );
    assert.deepEqual(left, [0, 0, 4000, 4000]);
  }, smallDisk);
});

test('starting asks for no file of the blobs', async () => {
  using folder = temporaryFolder();
  const asked: string[] = [];
  const watching: FileSystem = {
    ...nodeFileSystem,
    readdir: (path) => {
      asked.push(path);
      return nodeFileSystem.readdir(path);
    },
  };
  const clock = createFakeClock();
  const events = recordEvents();
  await using storage = await createFileStorage({
    dataDir: folder.path,
    clock,
    events,
    fileSystem: watching,
  });
  await storage.spool.sweep();
  assert.deepEqual(asked, [join(folder.path, 'uploads'), join(folder.path, 'spool')]);
});
