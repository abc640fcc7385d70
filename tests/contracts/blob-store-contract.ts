import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../src/domain/names/digest.ts';
import type { BlobStore } from '../../src/ports/blob-store.ts';
import type { VerifiedFile } from '../../src/ports/verified-file.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { blobBytes, drain, listed, sample, store } from '../support/samples/storage-samples.ts';

/** What every blob store keeps to (src/ports/blob-store.ts). `make` gives an empty one with its spool. */
export function blobStoreContract(name: string, make: () => Promise<Storage>): void {
  const row = (sentence: string, body: (storage: Storage) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      await using storage = await make();
      await body(storage);
    });
  };

  row('a blob that is not there has no size and does not open', async ({ blobs }) => {
    const { digest } = sample(10);
    assert.equal(await blobs.size(digest), undefined);
    assert.equal(await blobs.open(digest, undefined), undefined);
    assert.equal(await blobs.open(digest, { start: 0, end: 3 }), undefined);
  });

  for (const [size, algorithm] of [
    [0, 'sha256'],
    [1, 'sha256'],
    [70_000, 'sha256'],
    [70_000, 'sha512'],
  ] as const) {
    row(`an adopted blob of ${size} bytes (${algorithm}) is read back`, async (storage) => {
      const blob = sample(size, 3, algorithm);
      await store(storage, blob);
      assert.equal(await storage.blobs.size(blob.digest), size);
      assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
    });
  }

  row('a span gives its bytes to the last', async (storage) => {
    const blob = sample(10_000);
    await store(storage, blob);
    for (const [start, end] of [
      [0, 0],
      [0, 9999],
      [9999, 9999],
      [4090, 8200],
    ] as const) {
      const reader = await storage.blobs.open(blob.digest, { start, end });
      assert.deepEqual(await drain(reader!, 1000), blob.bytes.slice(start, end + 1));
    }
  });

  row('a span beyond the blob throws before a byte is read', async (storage) => {
    const blob = sample(100);
    await store(storage, blob);
    await assert.rejects(storage.blobs.open(blob.digest, { start: 50, end: 100 }), /ends at 100/);
  });

  row('readers of one blob do not disturb each other', async (storage) => {
    const blob = sample(50_000);
    await store(storage, blob);
    const readers = await Promise.all(
      [1, 2, 3].map(() => storage.blobs.open(blob.digest, undefined)),
    );
    const all = await Promise.all(readers.map((reader, i) => drain(reader!, 100 * (i + 1))));
    for (const bytes of all) assert.deepEqual(bytes, blob.bytes);
  });

  row('a reader is disposed twice without harm and reads no more', async (storage) => {
    const blob = sample(100);
    await store(storage, blob);
    const reader = (await storage.blobs.open(blob.digest, undefined))!;
    await reader[Symbol.asyncDispose]();
    await reader[Symbol.asyncDispose]();
    await assert.rejects(reader.read(new Uint8Array(10)), /closed/);
  });

  row('a reader of a deleted blob reads on', async (storage) => {
    const blob = sample(5000);
    await store(storage, blob);
    const reader = (await storage.blobs.open(blob.digest, undefined))!;
    await storage.blobs.delete(blob.digest);
    assert.deepEqual(await drain(reader), blob.bytes);
  });

  row('deleting is idempotent, and the blob can come again', async (storage) => {
    const blob = sample(5000);
    await storage.blobs.delete(blob.digest);
    await store(storage, blob);
    await storage.blobs.delete(blob.digest);
    await storage.blobs.delete(blob.digest);
    assert.equal(await storage.blobs.size(blob.digest), undefined);
    await store(storage, blob);
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
  });

  row('a blob that two owners fetch at once is adopted by both', async (storage) => {
    const blob = sample(5000);
    await Promise.all(['a', 'b', 'c'].map((owner) => store(storage, blob, owner)));
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
    assert.deepEqual(await listed(storage.blobs), [blob.digest]);
  });

  row('only what seal made is adopted', async ({ blobs }) => {
    const { digest, bytes } = sample(10);
    const forged = { digest, size: bytes.byteLength } as VerifiedFile;
    await assert.rejects(blobs.adopt(forged), /No spool sealed/);
    assert.equal(await blobs.size(digest), undefined);
  });

  row('a retired blob is as it was for who asks for it, and retired no more', async (storage) => {
    const { blobs } = storage;
    const asks: readonly ((digest: Digest) => Promise<unknown>)[] = [
      (digest) => blobs.size(digest),
      (digest) => blobs.open(digest, undefined).then((reader) => drain(reader!)),
      (digest) => blobs.revive(digest),
      (digest) => Promise.all([1, 2, 3, 4].map(() => blobs.size(digest))),
    ];
    for (const [seed, ask] of asks.entries()) {
      const blob = sample(5000, seed + 1);
      await store(storage, blob);
      await blobs.retire(blob.digest);
      await blobs.retire(blob.digest);
      assert.deepEqual(await found(blobs, blob.digest), [true]);
      const answer = await ask(blob.digest);
      if (Array.isArray(answer)) assert.deepEqual(answer, [5000, 5000, 5000, 5000]);
      assert.equal(await blobs.deleteRetired(blob.digest), undefined);
      assert.deepEqual(await found(blobs, blob.digest), [false]);
      assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
    }
  });

  row('a blob that is retired still is deleted, once; its readers read on', async (storage) => {
    const { blobs } = storage;
    const blob = sample(5000);
    await store(storage, blob);
    const reader = (await blobs.open(blob.digest, undefined))!;
    assert.equal(await blobs.deleteRetired(blob.digest), undefined);
    await blobs.retire(blob.digest);
    assert.equal(await blobs.deleteRetired(blob.digest), 5000);
    assert.equal(await blobs.deleteRetired(blob.digest), undefined);
    assert.equal(await blobs.size(blob.digest), undefined);
    assert.deepEqual(await listed(blobs), []);
    assert.deepEqual(await drain(reader), blob.bytes);
  });

  row(
    'a blob that comes anew while it is retired stays, whatever becomes of the retired one',
    async (storage) => {
      const { blobs } = storage;
      const blob = sample(5000);
      const ends: readonly (() => Promise<unknown>)[] = [
        () => blobs.deleteRetired(blob.digest),
        () => blobs.revive(blob.digest),
      ];
      for (const end of ends) {
        await store(storage, blob);
        await blobs.retire(blob.digest);
        await store(storage, blob);
        assert.deepEqual(await found(blobs, blob.digest), [false, true]);
        await end();
        assert.deepEqual(await found(blobs, blob.digest), [false]);
        assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
      }
    },
  );

  row(
    'deleting takes a retired blob too, and so does another one that takes its place',
    async (storage) => {
      const { blobs, spool } = storage;
      const blob = sample(5000);
      await store(storage, blob);
      await blobs.retire(blob.digest);
      await blobs.delete(blob.digest);
      assert.equal(await blobs.size(blob.digest), undefined);
      await store(storage, blob);
      await blobs.retire(blob.digest);
      await using file = await spool.open('test', blob.digest);
      await file.expect(blob.bytes.byteLength);
      await file.write(0, [blob.bytes]);
      await file.verify();
      await blobs.adopt(await file.seal(blob.digest), true);
      assert.deepEqual(await found(blobs, blob.digest), [false]);
    },
  );

  row('list gives every blob once', async (storage) => {
    const all = [1, 2, 3, 4, 5].map((seed) => sample(100, seed, seed === 5 ? 'sha512' : 'sha256'));
    for (const blob of all) await store(storage, blob);
    const digests = await listed(storage.blobs);
    assert.deepEqual(digests.sort(), all.map(({ digest }) => digest).sort());
  });

  row('space tells free and total bytes', async ({ blobs }) => {
    const { freeBytes, totalBytes } = await blobs.space();
    assert.ok(freeBytes > 0 && freeBytes <= totalBytes);
  });
}

/** Whether each file of the blob is retired, those that are not first. */
async function found(blobs: BlobStore, digest: Digest): Promise<readonly boolean[]> {
  const all: boolean[] = [];
  for await (const each of blobs.list()) if (each.digest === digest) all.push(each.retired);
  return all.toSorted((one, other) => Number(one) - Number(other));
}
