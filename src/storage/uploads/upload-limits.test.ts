import type { RepositoryKey } from '../../domain/names/registry.ts';
import { equal, match, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createMemoryFiles } from '../../../tests/support/rigs/memory-files.ts';
import { createMemoryStorage } from '../../../tests/support/rigs/memory-storage.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { FakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { temporaryFolder } from '../../../tests/support/samples/storage-samples.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import type { Uploads } from '../../ports/uploads.ts';
import { createFileStorage } from '../file-storage.ts';
import type { UploadBounds } from './upload-limits.ts';

const minuteMs = 60_000;
const { signal } = new AbortController();
const [mine, other, third] = ['team/mine', 'team/other', 'third'].map(placeOf) as [
  RepositoryKey,
  RepositoryKey,
  RepositoryKey,
];

function placeOf(name: string): RepositoryKey {
  return { registry: '000000000000/us-east-1', repository: parseRepositoryName(name)! };
}

async function open(
  uploadBounds: Partial<UploadBounds>,
  fileSystem = createMemoryFiles(),
): Promise<{ readonly clock: FakeClock; readonly uploads: Uploads }> {
  const clock = createFakeClock(Date.now());
  const { uploads } = await createMemoryStorage({ clock, uploadBounds, fileSystem });
  return { clock, uploads };
}

async function begin(
  uploads: Uploads,
  options: { place?: RepositoryKey; owner?: string; bytes?: number },
): Promise<string> {
  const { place = mine, owner, bytes = 0 } = options;
  const id = await uploads.create(place, 'sha256', owner);
  if (bytes > 0) {
    await using file = await uploads.take(place, id, signal);
    await file?.append([new Uint8Array(bytes)]);
  }
  return id;
}

/** 429, naming the bound. */
async function isFull(creating: Promise<string>, bound: string, most: number): Promise<void> {
  await rejects(creating, (error) => {
    match(String(error), new RegExp(`^RegistryError: ${most} uploads `));
    if (!(error instanceof RegistryError)) return false;
    equal(error.code, 'tooManyRequests');
    equal(error.retryAfterMs, minuteMs);
    equal(error.detail?.['bound'], bound);
    equal(error.detail?.['most'], most);
    return true;
  });
}

suite('there are at most so many uploads', () => {
  test('of one owner, whose others go on', async () => {
    const { uploads } = await open({ owner: 2 });
    const first = await begin(uploads, { owner: 'a' });
    await begin(uploads, { owner: 'a', place: other });
    await isFull(begin(uploads, { owner: 'a', place: third }), 'principal', 2);
    await begin(uploads, { owner: 'b' });
    await begin(uploads, {});
    await uploads.cancel(mine, first);
    await begin(uploads, { owner: 'a' });
    await isFull(begin(uploads, { owner: 'a' }), 'principal', 2);
  });

  test('in one repository, while others go on', async () => {
    const { uploads } = await open({ repository: 2 });
    const first = await begin(uploads, { owner: 'a' });
    await begin(uploads, { owner: 'b' });
    await isFull(begin(uploads, { owner: 'c' }), 'repository', 2);
    await begin(uploads, { owner: 'c', place: other });
    {
      await using file = await uploads.take(mine, first, signal);
      await file?.discard();
    }
    await begin(uploads, { owner: 'c' });
    await isFull(begin(uploads, { owner: 'c' }), 'repository', 2);
  });

  test('on the server', async () => {
    const { uploads } = await open({ server: 3 });
    for (const place of [mine, other, third]) await begin(uploads, { place });
    await isFull(begin(uploads, { place: placeOf('fourth') }), 'server', 3);
  });

  test('1000 in a repository and 5000 of an owner, if nothing else is said', async () => {
    const { uploads } = await open({});
    const places = [mine, other, ...['a', 'b', 'c'].map(placeOf)];
    for (let n = 0; n < 5000; n += 1) await begin(uploads, { owner: 'a', place: places[n % 5]! });
    await isFull(begin(uploads, { owner: 'b' }), 'repository', 1000);
    await isFull(begin(uploads, { owner: 'a', place: third }), 'principal', 5000);
    await begin(uploads, { owner: 'b', place: third });
  });

  test('also where they are begun at once', async () => {
    const { uploads } = await open({ owner: 3 });
    const begun = await Promise.allSettled(
      Array.from({ length: 10 }, () => begin(uploads, { owner: 'a' })),
    );
    equal(begun.filter(({ status }) => status === 'fulfilled').length, 3);
  });

  test('none of which failed to begin', async () => {
    let fails = true;
    const files = createMemoryFiles();
    const { uploads } = await open(
      { owner: 1 },
      {
        ...files,
        open: async (path, mode) => {
          if (fails && path.endsWith('.data')) throw new Error('no disk');
          return await files.open(path, mode);
        },
      },
    );
    for (let n = 0; n < 3; n += 1) await rejects(begin(uploads, { owner: 'a' }), /no disk/);
    fails = false;
    await begin(uploads, { owner: 'a' });
  });
});

for (const [bound, most, asked] of [
  ['owner', 'principal', { owner: 'a', place: other }],
  ['repository', 'repository', { owner: 'b', place: mine }],
  ['server', 'server', { owner: 'b', place: other }],
] as const) {
  suite(`where the bound of ${bound} is reached`, () => {
    test('empty uploads that idled for five minutes are given up, one for each new one, the longest idle first', async () => {
      const { uploads, clock } = await open({ [bound]: 3 });
      const ids: string[] = [];
      for (let n = 0; n < 3; n += 1) {
        ids.push(await begin(uploads, { owner: 'a' }));
        clock.advance(1000);
      }
      clock.advance(5 * minuteMs - 3001);
      await isFull(begin(uploads, asked), most, 3);
      clock.advance(1);
      await begin(uploads, asked);
      equal(await uploads.size(mine, ids[0]!), undefined);
      equal(await uploads.size(mine, ids[1]!), 0);
      await isFull(begin(uploads, asked), most, 3);
      clock.advance(5 * minuteMs);
      await begin(uploads, asked);
      equal(await uploads.size(mine, ids[1]!), undefined);
      equal(await uploads.size(mine, ids[2]!), 0);
    });

    test('what has bytes goes after an hour, after all that is empty', async () => {
      const { uploads, clock } = await open({ [bound]: 2 });
      const older = await begin(uploads, { owner: 'a', bytes: 5 });
      clock.advance(55 * minuteMs);
      const empty = await begin(uploads, { owner: 'a' });
      clock.advance(5 * minuteMs);
      await begin(uploads, asked);
      equal(await uploads.size(mine, empty), undefined);
      equal(await uploads.size(mine, older), 5);
      await begin(uploads, asked);
      equal(await uploads.size(mine, older), undefined);
      await isFull(begin(uploads, asked), most, 2);
    });

    test('nothing that a request has is given up', async () => {
      const { uploads, clock } = await open({ [bound]: 1 });
      const id = await begin(uploads, { owner: 'a' });
      await using file = await uploads.take(mine, id, signal);
      clock.advance(120 * minuteMs);
      await isFull(begin(uploads, asked), most, 1);
      await file?.append([new Uint8Array(3)]);
      equal(await uploads.size(mine, id), 3);
    });
  });
}

test('what is outside of the bound is not given up for it', async () => {
  const { uploads, clock } = await open({ owner: 1, repository: 2 });
  const foreign = await begin(uploads, { owner: 'b', place: other });
  clock.advance(10 * minuteMs);
  await begin(uploads, { owner: 'a' });
  await isFull(begin(uploads, { owner: 'a' }), 'principal', 1);
  await begin(uploads, { owner: 'c' });
  await isFull(begin(uploads, { owner: 'd' }), 'repository', 2);
  equal(await uploads.size(other, foreign), 0);
});

test('uploads of an earlier process count for their repository, and are given up by the age of their files', async () => {
  using folder = temporaryFolder();
  const clock = createFakeClock(Date.now());
  const options = {
    dataDir: folder.path,
    clock,
    events: { emit: () => {} },
    uploadBounds: { repository: 2 },
  };
  const ids: string[] = [];
  {
    await using storage = await createFileStorage(options);
    ids.push(await begin(storage.uploads, { bytes: 7 }), await begin(storage.uploads, {}));
  }
  await using storage = await createFileStorage(options);
  const { uploads } = storage;
  await isFull(begin(uploads, {}), 'repository', 2);
  clock.advance(6 * minuteMs);
  await Promise.allSettled([begin(uploads, {}), begin(uploads, {})]);
  equal(await uploads.size(mine, ids[1]!), undefined);
  equal(await uploads.size(mine, ids[0]!), 7);
  equal((await uploads.list()).length, 2);
});

suite('an upload that another request has', () => {
  test('is waited for 10 s, and then unavailable, with the time to try again', async () => {
    const { uploads, clock } = await open({});
    const id = await begin(uploads, {});
    await using file = await uploads.take(mine, id, signal);
    const unavailable = { name: 'RegistryError', code: 'unavailable', retryAfterMs: 1000 };
    const refused = rejects(uploads.take(mine, id, signal), unavailable);
    clock.advance(9999);
    const second = uploads.take(mine, id, signal);
    clock.advance(1);
    await refused;
    await file?.[Symbol.asyncDispose]();
    await using next = await second;
    equal(next?.id, id);
  });

  test('is not there for who waits, once it is cancelled or discarded', async () => {
    const { uploads } = await open({});
    for (const isCancelled of [true, false]) {
      const id = await begin(uploads, {});
      await using file = await uploads.take(mine, id, signal);
      const waiting = uploads.take(mine, id, signal);
      await (isCancelled ? uploads.cancel(mine, id) : file?.discard());
      equal(await waiting, undefined);
      equal(await uploads.take(mine, id, signal), undefined);
    }
  });
});
