import assert from 'node:assert/strict';
import { globSync, truncateSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import {
  assertBytes,
  createCacheRig,
  randomBytes,
  readAll,
  testRule,
} from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import {
  bodyOf,
  brokenBody,
  heldBody,
  pushBlob,
  refused,
} from '../../../tests/support/rigs/push-rig.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { recordEvents, temporaryFolder } from '../../../tests/support/samples/storage-samples.ts';
import { createMemoryStorage } from '../../../tests/support/rigs/memory-storage.ts';
import { hexOf } from '../../domain/names/digest.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { UploadLease } from '../../ports/uploads.ts';
import { MetadataError } from '../../metadata/contract/metadata-error.ts';
import { createFileStorage } from '../../storage/file-storage.ts';
import type { Storage } from '../../storage/file-storage.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const name = 'team/app';
const bytes = randomBytes(300_000);
const digest = digestOf(bytes);
const nothing = { range: undefined, bytes: 0, body: bodyOf() } as const;

async function start(rig: CacheRig, repository = name): Promise<string> {
  const request = { ...rig.request(repository), algorithm: 'sha256' } as const;
  return (await rig.cache.pushes.startUpload(request)).id;
}

function append(rig: CacheRig, id: string, chunk: Uint8Array, at?: number) {
  const range = at === undefined ? undefined : { start: at, end: at + chunk.length - 1 };
  const request = { ...rig.request(name), id, range, bytes: chunk.length, body: bodyOf(chunk) };
  return rig.cache.pushes.appendUpload(request, rig.signal);
}

function finish(rig: CacheRig, id: string, expected = digest) {
  return rig.cache.pushes.finishUpload(
    { ...rig.request(name), id, digest: expected, ...nothing },
    rig.signal,
  );
}

async function assertStored(rig: CacheRig, repository = name): Promise<void> {
  const { source } = await rig.blob(repository, digest);
  assertBytes(await readAll(source), bytes);
}

async function openUploads(rig: CacheRig): Promise<number> {
  return (await rig.storage.uploads.list()).length;
}

suite('a blob is pushed', () => {
  test('in one request, its length said or not, under sha256 or sha512', async () => {
    await using rig = await createCacheRig();
    const { pushes } = rig.cache;
    await pushBlob(rig, 'a', bytes);
    await assertStored(rig, 'a');
    const streamed = { ...rig.request('b'), digest, bytes: undefined, body: bodyOf(bytes) };
    assert.deepEqual(await pushes.putBlob(streamed, rig.signal), { digest, size: bytes.length });
    await assertStored(rig, 'b');
    const long = await pushBlob(rig, 'c', bytes, 'sha512');
    assertBytes(await readAll((await rig.blob('c', long)).source), bytes);
    assert.equal(await openUploads(rig), 0);
    const pushed = rig.events.filter((event) => event.type === 'pushed');
    assert.deepEqual(
      pushed.map((event) => [event.kind, event.repository, event.bytes]),
      ['a', 'b', 'c'].map((repository) => ['blob', repository, bytes.length]),
    );
  });

  test('of no bytes at all', async () => {
    await using rig = await createCacheRig();
    const empty = await pushBlob(rig, name, new Uint8Array(0));
    assert.equal((await rig.blob(name, empty)).size, 0);
  });

  test('in chunks with their places, in a stream, and the last of it at the end', async () => {
    await using rig = await createCacheRig();
    const id = await start(rig);
    assert.deepEqual(await append(rig, id, bytes.subarray(0, 1000), 0), { id, size: 1000 });
    assert.deepEqual(await append(rig, id, bytes.subarray(1000, 5000)), { id, size: 5000 });
    assert.deepEqual(await append(rig, id, bytes.subarray(5000, 9000), 5000), { id, size: 9000 });
    assert.equal((await rig.cache.pushes.uploadState({ ...rig.request(name), id })).size, 9000);
    const rest = bytes.subarray(9000);
    const last = { id, digest, range: undefined, bytes: undefined, body: bodyOf(rest) };
    await rig.cache.pushes.finishUpload({ ...rig.request(name), ...last }, rig.signal);
    await assertStored(rig);
    await refused(rig.cache.pushes.uploadState({ ...rig.request(name), id }), 'uploadUnknown');
  });

  test('by two clients at once: both have it, and one file is kept', async () => {
    await using rig = await createCacheRig();
    await Promise.all([pushBlob(rig, 'a', bytes), pushBlob(rig, 'b', bytes)]);
    await Promise.all([pushBlob(rig, 'c', bytes), pushBlob(rig, 'c', bytes)]);
    for (const repository of ['a', 'b', 'c']) await assertStored(rig, repository);
    const stored: string[] = [];
    for await (const one of rig.storage.blobs.list()) stored.push(one.digest);
    assert.deepEqual(stored, [digest]);
  });

  test('again where its file lost bytes: the new one takes its place', async () => {
    using folder = temporaryFolder();
    const dataDir = folder.path;
    const storage = await createFileStorage({
      dataDir,
      clock: createFakeClock(),
      events: recordEvents(),
    });
    await using rig = await createCacheRig({ storage });
    await pushBlob(rig, name, bytes);
    const [file = ''] = globSync(`${dataDir}/**/${hexOf(digest)}`);
    truncateSync(file, 7);
    await pushBlob(rig, name, bytes);
    await assertStored(rig);
  });
});

suite('a chunk that is wrong', () => {
  test('begins elsewhere than the last ended: uploadRange says where to go on', async () => {
    await using rig = await createCacheRig();
    const id = await start(rig);
    await append(rig, id, bytes.subarray(0, 100));
    for (const at of [0, 99, 101, 1e9]) {
      const error = await refused(append(rig, id, bytes.subarray(0, 10), at), 'uploadRange');
      assert.deepEqual(error.detail, { id, size: 100 });
    }
    const late = { id, digest, range: { start: 5, end: 6 }, bytes: 2, body: bodyOf() };
    const finished = rig.cache.pushes.finishUpload({ ...rig.request(name), ...late }, rig.signal);
    await refused(finished, 'uploadRange');
    assert.equal((await append(rig, id, bytes.subarray(100, 200), 100)).size, 200);
  });

  for (const [what, range, length, sent] of [
    ['names another length than the request', { start: 0, end: 9 }, 11, 10],
    ['is shorter than its range', { start: 0, end: 9 }, undefined, 9],
    ['is longer than its range', { start: 0, end: 9 }, undefined, 11],
    ['is shorter than its length', undefined, 10, 9],
  ] as const) {
    test(`${what}: it leaves nothing, and the upload goes on`, async () => {
      await using rig = await createCacheRig();
      const id = await start(rig);
      const body = bodyOf(bytes.subarray(0, sent));
      const work = rig.cache.pushes.appendUpload(
        { ...rig.request(name), id, range, bytes: length, body },
        rig.signal,
      );
      await refused(work, 'sizeInvalid');
      assert.equal((await append(rig, id, bytes, 0)).size, bytes.length);
      await finish(rig, id);
      await assertStored(rig);
    });
  }

  test('makes a digest that is not the bytes’: the upload is gone, and nothing is stored', async () => {
    await using rig = await createCacheRig();
    const id = await start(rig);
    await append(rig, id, bytes.subarray(1));
    await refused(finish(rig, id), 'digestInvalid');
    await refused(finish(rig, id), 'uploadUnknown');
    const whole = { ...rig.request(name), digest, bytes: 3, body: bodyOf(bytes.subarray(0, 3)) };
    await refused(rig.cache.pushes.putBlob(whole, rig.signal), 'digestInvalid');
    await refused(rig.blob(name, digest), 'blobUnknown');
    assert.equal(await openUploads(rig), 0);
  });

  test('makes the blob larger than maxBlobBytes', async () => {
    await using rig = await createCacheRig({ limits: { maxBlobBytes: 1000 } });
    await refused(pushBlob(rig, name, bytes), 'requestTooLarge');
    const id = await start(rig);
    await append(rig, id, bytes.subarray(0, 900));
    await refused(append(rig, id, bytes.subarray(0, 101)), 'requestTooLarge');
    assert.equal((await append(rig, id, bytes.subarray(0, 100))).size, 1000);
    assert.equal(await openUploads(rig), 1);
  });

  test('comes from a client that leaves: an upload keeps it to be resumed, a single request nothing', async () => {
    await using rig = await createCacheRig();
    const id = await start(rig);
    const part = bytes.subarray(0, 70_000);
    const left = { id, range: undefined, bytes: bytes.length, body: brokenBody(part) };
    const work = rig.cache.pushes.appendUpload({ ...rig.request(name), ...left }, rig.signal);
    await assert.rejects(work, { message: 'the client left' });
    assert.equal((await append(rig, id, bytes.subarray(70_000), 70_000)).size, bytes.length);
    await finish(rig, id);
    const whole = { ...rig.request(name), digest, bytes: undefined, body: brokenBody(part) };
    await assert.rejects(rig.cache.pushes.putBlob(whole, rig.signal), /the client left/);
    assert.equal(await openUploads(rig), 0);
  });
});

suite('an upload', () => {
  test('is unknown in another repository, after its end, and with an id that nobody gave', async () => {
    await using rig = await createCacheRig();
    const { pushes } = rig.cache;
    const id = await start(rig, 'team/other');
    for (const unknown of [id, 'nobody', '../../x']) {
      const request = { ...rig.request(name), id: unknown };
      await refused(pushes.uploadState(request), 'uploadUnknown');
      await refused(append(rig, unknown, bytes), 'uploadUnknown');
      await refused(finish(rig, unknown), 'uploadUnknown');
      await refused(pushes.cancelUpload(request), 'uploadUnknown');
    }
    await pushes.cancelUpload({ ...rig.request('team/other'), id });
    await refused(pushes.cancelUpload({ ...rig.request('team/other'), id }), 'uploadUnknown');
  });

  test('is cancelled while a request writes to it: that one ends as unknown', async () => {
    await using rig = await createCacheRig();
    const id = await start(rig);
    const body = heldBody();
    const request = { ...rig.request(name), id };
    const work = rig.cache.pushes.appendUpload(
      { ...request, range: undefined, bytes: undefined, body },
      rig.signal,
    );
    body.send(bytes);
    await until(() => body.read === 1);
    assert.equal(rig.cache.uploadBodies.count, 1);
    await rig.cache.pushes.cancelUpload(request);
    await refused(work, 'uploadUnknown');
    assert.equal(rig.cache.uploadBodies.count, 0);
    assert.equal(await openUploads(rig), 0);
  });

  test('serves one request at a time: the second goes on where the first ended', async () => {
    await using rig = await createCacheRig();
    const id = await start(rig);
    const body = heldBody();
    const first = rig.cache.pushes.appendUpload(
      { ...rig.request(name), id, range: undefined, bytes: undefined, body },
      rig.signal,
    );
    body.send(bytes.subarray(0, 10));
    await until(() => body.read === 1);
    const second = append(rig, id, bytes.subarray(10), 10);
    body.end();
    assert.equal((await first).size, 10);
    assert.equal((await second).size, bytes.length);
    await finish(rig, id);
  });
});

suite('where pushes go', () => {
  const rules = [
    testRule({ prefix: 'up' }),
    testRule({ prefix: 'mine', push: true }),
    testRule({ prefix: 'ROOT' }),
  ];

  test('a rule that does not take them is named, with the setting', async () => {
    await using rig = await createCacheRig({ rules });
    const request = rig.request('up/app');
    const { pushes } = rig.cache;
    for (const work of [
      () => pushes.requirePush(request),
      () => start(rig, 'up/app'),
      () => pushBlob(rig, 'up/app', bytes),
      () => pushes.mountSources({ ...request, digest, from: undefined }),
      () => pushes.uploadState({ ...request, id: 'x' }),
      () => pushes.cancelUpload({ ...request, id: 'x' }),
    ]) {
      const error = await refused(work(), 'denied');
      assert.equal(error.detail?.['rule'], 'up');
      assert.equal(error.detail['setting'], 'push');
    }
  });

  test('a rule with push: true, ROOT, and names without a rule take them', async () => {
    await using rig = await createCacheRig({ rules });
    for (const repository of ['mine/app', 'app']) await pushBlob(rig, repository, bytes);
    await using ruleless = await createCacheRig();
    await pushBlob(ruleless, 'app', bytes);
  });

  test('createOnPush: false wants the repository first; the setting counts as it is now', async () => {
    let createOnPush = false;
    const pushSettings = () => ({ createOnPush, sparseIndexes: false });
    await using rig = await createCacheRig({ limits: { pushSettings } });
    const request = rig.request(name);
    for (const work of [
      () => rig.cache.pushes.requirePush(request),
      () => start(rig),
      () => pushBlob(rig, name, bytes),
    ]) {
      const error = await refused(work(), 'nameUnknown');
      assert.equal(error.detail?.['setting'], 'createOnPush');
    }
    await rig.cache.pushes.createRepository(request);
    await pushBlob(rig, name, bytes);
    await rig.cache.pushes.deleteRepository({ ...request, force: true });
    createOnPush = true;
    await pushBlob(rig, name, bytes);
  });

  test('createOnPush: false, and the repository goes while its upload is under way', async () => {
    const pushSettings = () => ({ createOnPush: false, sparseIndexes: false });
    await using rig = await createCacheRig({ limits: { pushSettings } });
    await rig.cache.pushes.createRepository(rig.request(name));
    const id = await start(rig);
    await append(rig, id, bytes);
    await rig.cache.pushes.deleteRepository({ ...rig.request(name), force: true });
    await refused(finish(rig, id), 'nameUnknown');
  });
});

/** Storage on which the named call of an upload fails once with the code. */
async function failingStorage(call: keyof UploadLease | 'adopt', code: string): Promise<Storage> {
  const storage = await createMemoryStorage();
  let failed = false;
  const fail = (): void => {
    if (failed) return;
    failed = true;
    throw Object.assign(new Error(`${code}: scripted`), { code, syscall: 'write' });
  };
  const around = <T extends object>(inner: T): T =>
    new Proxy(inner, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return async (...given: unknown[]): Promise<unknown> => {
          if (key === call) fail();
          const answer: unknown = await Reflect.apply(value, target, given);
          return key === 'take' && answer !== undefined ? around(answer as object) : answer;
        };
      },
    });
  return {
    ...storage,
    uploads: around(storage.uploads),
    blobs: around(storage.blobs),
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
  };
}

suite('a bad disk', () => {
  for (const [call, code, answer] of [
    ['append', 'ENOSPC', 'storageFull'],
    ['append', 'EDQUOT', 'storageFull'],
    ['append', 'EIO', 'storageFailed'],
    ['sync', 'EIO', 'storageFailed'],
    ['verify', 'EIO', 'storageFailed'],
    ['seal', 'ENOSPC', 'storageFull'],
    ['adopt', 'EROFS', 'storageFailed'],
    ['adopt', 'EACCES', 'storageFailed'],
  ] as const satisfies readonly (readonly [string, string, ErrorCode])[]) {
    test(`that answers ${call} with ${code} is ${answer}, told to the operator; the next push works`, async () => {
      await using rig = await createCacheRig({ storage: await failingStorage(call, code) });
      if (call === 'sync') {
        const id = await start(rig);
        await refused(append(rig, id, bytes), answer);
      } else await refused(pushBlob(rig, name, bytes), answer);
      assert.equal(rig.events.filter((event) => event.type === 'storageFailed').length, 1);
      await pushBlob(rig, name, bytes);
      await assertStored(rig);
    });
  }

  test('that is full refuses before a byte is read, said or not how many come; room makes it work', async () => {
    const storage = await createMemoryStorage();
    let freeBytes = 1024 ** 3 + bytes.length - 1;
    const blobs = { ...storage.blobs, space: async () => ({ freeBytes, totalBytes: 1024 ** 4 }) };
    await using rig = await createCacheRig({ storage: { ...storage, blobs } });
    const error = await refused(pushBlob(rig, name, bytes), 'storageFull');
    assert.ok(error.retryAfterMs);
    const streamed = { ...rig.request(name), digest, bytes: undefined, body: bodyOf(bytes) };
    await refused(rig.cache.pushes.putBlob(streamed, rig.signal), 'storageFull');
    assert.equal(await openUploads(rig), 0);
    freeBytes = 1024 ** 4;
    rig.clock.advance(2000);
    await pushBlob(rig, name, bytes);
  });

  for (const [reason, cause, answer] of [
    ['full', { errcode: 13 }, 'storageFull'],
    ['full', { code: '53100' }, 'storageFull'],
    ['failed', { errcode: 8 }, 'storageFailed'],
    ['busy', {}, 'unavailable'],
  ] as const) {
    test(`metadata that is ${reason} by ${JSON.stringify(cause)} is ${answer}; the blob is not held until it works`, async () => {
      let fails = true;
      const around = (metadata: Metadata): Metadata => ({
        ...metadata,
        blobs: {
          ...metadata.blobs,
          holdBlob: (input) => {
            if (!fails) return metadata.blobs.holdBlob(input);
            throw new MetadataError(reason, 'scripted', Object.assign(new Error('x'), cause));
          },
        },
      });
      await using rig = await createCacheRig({ around });
      await refused(pushBlob(rig, name, bytes), answer);
      await refused(rig.blob(name, digest), 'blobUnknown');
      fails = false;
      await pushBlob(rig, name, bytes);
      await assertStored(rig);
    });
  }
});

test('of one owner five thousand uploads are open at most, whole blobs among them', async () => {
  await using rig = await createCacheRig();
  const { pushes } = rig.cache;
  const begin = (repository: string, owner: string): Promise<unknown> =>
    pushes.startUpload({ ...rig.request(repository), algorithm: 'sha256', owner });
  for (let n = 0; n < 5000; n += 1) await begin(`team/app${n % 6}`, 'one');
  await refused(begin(name, 'one'), 'tooManyRequests');
  const whole = { ...rig.request(name), digest, bytes: bytes.length };
  await refused(
    pushes.putBlob({ ...whole, body: bodyOf(bytes), owner: 'one' }, rig.signal),
    'tooManyRequests',
  );
  await begin(name, 'another');
  await pushes.putBlob({ ...whole, body: bodyOf(bytes), owner: 'another' }, rig.signal);
});
