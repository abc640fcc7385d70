// What happens while a call to the disk is under way: each test holds one call and lets it go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import {
  blobBytes,
  listed,
  recordEvents,
  sample,
  temporaryFolder,
} from '../../../tests/support/samples/storage-samples.ts';
import { beginUpload, uploadPlace } from '../../../tests/support/samples/upload-samples.ts';
import { nodeFileSystem } from '../disk/file-system.ts';
import type { FileSystem } from '../disk/file-system.ts';
import { createFileStorage } from '../file-storage.ts';
import type { Storage } from '../file-storage.ts';

const blob = sample(5000);

type Held = 'rename' | 'syncFolder' | 'fdatasync' | 'writev';

/** A file system that counts calls of one kind, and holds them while it is told to. */
interface HeldCalls {
  readonly fileSystem: FileSystem;
  readonly calls: number;
  /** From now on calls wait until the answer is called; resolves `waiting` with the first. */
  hold(): { readonly waiting: Promise<void>; readonly letGo: () => void };
}

function createHeldCalls(kind: Held): HeldCalls {
  let calls = 0;
  let gate: { readonly came: () => void; readonly open: Promise<void> } | undefined;
  const original = nodeFileSystem[kind] as (...args: unknown[]) => Promise<unknown>;
  const held = async (...args: unknown[]): Promise<unknown> => {
    calls += 1;
    gate?.came();
    await gate?.open;
    return original(...args);
  };
  return {
    fileSystem: { ...nodeFileSystem, [kind]: held },
    get calls() {
      return calls;
    },
    hold: () => {
      const came = Promise.withResolvers<void>();
      const open = Promise.withResolvers<void>();
      gate = { came: came.resolve, open: open.promise };
      const letGo = (): void => {
        gate = undefined;
        open.resolve();
      };
      return { waiting: came.promise, letGo };
    },
  };
}

async function withHeld(
  kind: Held,
  body: (storage: Storage, calls: HeldCalls) => Promise<void>,
): Promise<void> {
  using folder = temporaryFolder();
  const calls = createHeldCalls(kind);
  const events = recordEvents();
  await using storage = await createFileStorage({
    dataDir: folder.path,
    clock: createFakeClock(),
    events,
    fileSystem: calls.fileSystem,
    writebackEveryBytes: 1000,
  });
  await body(storage, calls);
  assert.deepEqual(events.all, []);
}

async function turnsOfTheLoop(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('who cancels while the bytes become a blob learns that the upload was done', () =>
  withHeld('rename', async ({ uploads, blobs }, renames) => {
    await using file = await beginUpload(uploads);
    await file.append([blob.bytes]);
    await file.verify(blob.digest);
    const sealed = await file.seal(blob.digest);
    const held = renames.hold();
    const adopting = blobs.adopt(sealed);
    await held.waiting;
    const cancelling = uploads.cancel(uploadPlace, file.id);
    await turnsOfTheLoop();
    held.letGo();
    await adopting;
    assert.equal(await cancelling, false);
    assert.equal(file.cancelled.aborted, false);
    assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
  }));

test('a write under way does not hold a cancellation up', () =>
  withHeld('writev', async ({ uploads, blobs }, writes) => {
    await using file = await beginUpload(uploads);
    const held = writes.hold();
    const appending = assert.rejects(file.append([blob.bytes]), { code: 'uploadUnknown' });
    await held.waiting;
    assert.equal(await uploads.cancel(uploadPlace, file.id), true);
    assert.equal(file.cancelled.aborted, true);
    held.letGo();
    await appending;
    assert.deepEqual(await listed(blobs), []);
  }));

test('the next holder comes only when the last write of the one before is done', () =>
  withHeld('writev', async ({ uploads }, writes) => {
    const first = await beginUpload(uploads);
    const held = writes.hold();
    const appending = first.append([blob.bytes]);
    await held.waiting;
    const leaving = first[Symbol.asyncDispose]();
    const next = uploads.take(uploadPlace, first.id, new AbortController().signal);
    await turnsOfTheLoop();
    assert.equal(await uploads.size(uploadPlace, first.id), 0);
    held.letGo();
    await using file = await next;
    assert.equal(file?.size, 5000);
    await Promise.all([appending, leaving]);
  }));

test('a sweep leaves an upload that is being begun', () =>
  withHeld('syncFolder', async ({ uploads }, syncs) => {
    const held = syncs.hold();
    const creating = uploads.create(uploadPlace, 'sha256');
    await held.waiting;
    await uploads.sweep();
    held.letGo();
    const id = await creating;
    assert.equal(await uploads.size(uploadPlace, id), 0);
    assert.equal((await uploads.list()).length, 1);
  }));

test('an id is not answered before its name is on the disk', () =>
  withHeld('syncFolder', async ({ uploads }, syncs) => {
    const held = syncs.hold();
    let answered = false;
    const creating = uploads.create(uploadPlace, 'sha256').then(() => (answered = true));
    await held.waiting;
    await turnsOfTheLoop();
    assert.equal(answered, false);
    held.letGo();
    await creating;
  }));

test('what is appended during a background sync is synced by the next', () =>
  withHeld('fdatasync', async ({ uploads }, syncs) => {
    await using file = await beginUpload(uploads);
    const begun = syncs.calls;
    const held = syncs.hold();
    await file.append([blob.bytes.subarray(0, 1000)]);
    await held.waiting;
    await file.append([blob.bytes.subarray(1000, 1010)]);
    let synced = false;
    const syncing = file.sync().then(() => (synced = true));
    await turnsOfTheLoop();
    assert.equal(synced, false);
    held.letGo();
    await syncing;
    assert.equal(syncs.calls, begun + 2);
  }));

test('a cut is synced as bytes are, and nothing is synced twice', () =>
  withHeld('fdatasync', async ({ uploads }, syncs) => {
    await using file = await beginUpload(uploads);
    await file.append([blob.bytes.subarray(0, 500)]);
    const begun = syncs.calls;
    await file.sync();
    await file.sync();
    assert.equal(syncs.calls, begun + 1);
    await file.truncate(100);
    await file.sync();
    assert.equal(syncs.calls, begun + 2);
  }));
