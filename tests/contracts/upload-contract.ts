import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryKey, RepositoryKey } from '../../src/domain/names/registry.ts';
import { parseRepositoryName } from '../../src/domain/names/repository-name.ts';
import type { Uploads } from '../../src/ports/uploads.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { blobBytes, listed, sample, store } from '../support/samples/storage-samples.ts';
import {
  beginUpload as begin,
  takeUpload as taken,
  uploadPlace as place,
} from '../support/samples/upload-samples.ts';

const blob = sample(10_000);
const { signal } = new AbortController();
const unknown = { name: 'RegistryError', code: 'uploadUnknown' };

type Row = (sentence: string, body: (storage: Storage) => Promise<void>) => void;

/** What all uploads keep to (src/ports/uploads.ts). `make` gives an empty storage. */
export function uploadContract(name: string, make: () => Promise<Storage>): void {
  const row: Row = (sentence, body) => {
    test(`${name}: ${sentence}`, async () => {
      await using storage = await make();
      await body(storage);
    });
  };
  growthRows(row);
  placeRows(row);
  turnRows(row);
  verificationRows(row);
  endRows(row);
}

function growthRows(row: Row): void {
  row('a new upload is a UUID and empty', async ({ uploads }) => {
    const id = await uploads.create(place, 'sha256');
    assert.match(id, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(await uploads.size(place, id), 0);
    await using file = await taken(uploads, id);
    assert.equal(file.id, id);
    assert.equal(file.size, 0);
    assert.equal(file.cancelled.aborted, false);
  });

  row('what is appended is counted at once, and there for the next holder', async (storage) => {
    const { uploads } = storage;
    const file = await begin(uploads);
    await file.append([blob.bytes.subarray(0, 100), blob.bytes.subarray(100, 3000)]);
    assert.equal(file.size, 3000);
    assert.equal(await uploads.size(place, file.id), 3000, 'while it is taken');
    await file.sync();
    await file[Symbol.asyncDispose]();
    assert.equal(await uploads.size(place, file.id), 3000, 'while it is idle');
    await using next = await taken(uploads, file.id);
    assert.equal(next.size, 3000);
    await next.append([blob.bytes.subarray(3000)]);
    assert.equal(await next.verify(blob.digest), true);
    await storage.blobs.adopt(await next.seal(blob.digest));
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
  });

  row('appends that are called at once come one after the other', async ({ uploads }) => {
    await using file = await begin(uploads);
    const parts = Array.from({ length: 100 }, (_, i) =>
      blob.bytes.subarray(i * 100, i * 100 + 100),
    );
    await Promise.all(parts.map((part) => file.append([part])));
    assert.equal(await file.verify(blob.digest), true);
  });

  row('chunks may be reused once they are appended', async ({ uploads }) => {
    await using file = await begin(uploads);
    const chunk = new Uint8Array(1000);
    for (let at = 0; at < 10_000; at += 1000) {
      chunk.set(blob.bytes.subarray(at, at + 1000));
      await file.append([chunk]);
    }
    assert.equal(await file.verify(blob.digest), true);
  });

  row('nothing appended changes nothing', async ({ uploads }) => {
    await using file = await begin(uploads);
    await file.append([]);
    await file.append([new Uint8Array(0), blob.bytes.subarray(0, 10), new Uint8Array(0)]);
    await file.append([new Uint8Array(0)]);
    assert.equal(file.size, 10);
  });

  row('a truncated upload goes on where it was cut', async (storage) => {
    await using file = await begin(storage.uploads);
    await file.append([blob.bytes.subarray(0, 6000)]);
    await file.append([sample(9000, 2).bytes]);
    await file.truncate(6000);
    assert.equal(file.size, 6000);
    assert.equal(await storage.uploads.size(place, file.id), 6000);
    await file.append([blob.bytes.subarray(6000)]);
    assert.equal(await file.verify(blob.digest), true);
    await storage.blobs.adopt(await file.seal(blob.digest));
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
  });

  row('an upload is cut nowhere else than within what it has', async ({ uploads }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes.subarray(0, 100)]);
    for (const size of [101, -1, 0.5, Number.NaN]) {
      await assert.rejects(file.truncate(size), RangeError);
    }
    assert.equal(file.size, 100);
  });
}

function placeRows(row: Row): void {
  const others: readonly (readonly [string, RepositoryKey])[] = [
    ['another repository', { ...place, repository: parseRepositoryName('team/other')! }],
    ['another registry', { ...place, registry: '111111111111/us-east-1' as RegistryKey }],
  ];
  for (const [where, other] of others) {
    row(`an upload does not exist for ${where}`, async ({ uploads }) => {
      const id = await uploads.create(place, 'sha256');
      assert.equal(await uploads.size(other, id), undefined);
      assert.equal(await uploads.take(other, id, signal), undefined);
      assert.equal(await uploads.cancel(other, id), false);
      assert.equal(await uploads.size(place, id), 0);
    });
  }

  const ids = ['', 'x', '../blobs', '00000000-0000-4000-8000-000000000000', 'a/b', '\0', '.'];
  for (const id of ids) {
    row(`an upload ${JSON.stringify(id)} that nobody began is not there`, async ({ uploads }) => {
      await uploads.create(place, 'sha256');
      assert.equal(await uploads.size(place, id), undefined);
      assert.equal(await uploads.take(place, id, signal), undefined);
      assert.equal(await uploads.cancel(place, id), false);
    });
  }

  row('uploads are listed with place and size', async ({ uploads }) => {
    assert.deepEqual(await uploads.list(), []);
    const first = await begin(uploads);
    await first.append([blob.bytes.subarray(0, 10)]);
    await using _held = first;
    const other = others[0]![1];
    const second = await uploads.create(other, 'sha512');
    const all = await uploads.list();
    assert.deepEqual(
      all
        .map(({ id, registry, repository, size }) => ({ id, registry, repository, size }))
        .toSorted(bySize),
      [
        { id: second, ...other, size: 0 },
        { id: first.id, ...place, size: 10 },
      ],
    );
    for (const { startedAt } of all) assert.ok(startedAt > 0);
  });
}

function bySize(a: { readonly size: number }, b: { readonly size: number }): number {
  return a.size - b.size;
}

function turnRows(row: Row): void {
  row('who comes second has the upload when the first is done with it', async ({ uploads }) => {
    const first = await begin(uploads);
    const order: string[] = [];
    const later = ['second', 'third'].map(async (who) => {
      await using file = await taken(uploads, first.id);
      order.push(`${who} at ${file.size}`);
      await file.append([new Uint8Array(5)]);
    });
    await first.append([new Uint8Array(100)]);
    order.push('first is done');
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    await Promise.all(later);
    assert.deepEqual(order, ['first is done', 'second at 100', 'third at 105']);
  });

  row('who gives up waiting loses nobody the turn', async ({ uploads }) => {
    const first = await begin(uploads);
    const leaving = new AbortController();
    const second = uploads.take(place, first.id, leaving.signal);
    const third = uploads.take(place, first.id, signal);
    const left = assert.rejects(second, /gone home/);
    leaving.abort(new Error('gone home'));
    await first[Symbol.asyncDispose]();
    await left;
    await using file = await third;
    assert.ok(file);
  });

  row('who has given up before waits for nothing', async ({ uploads }) => {
    const id = await uploads.create(place, 'sha256');
    await assert.rejects(uploads.take(place, id, AbortSignal.abort(new Error('left'))), /left/);
    await using file = await taken(uploads, id);
    assert.equal(file.size, 0);
  });

  row('a disposed file does nothing more', async ({ uploads }) => {
    const file = await begin(uploads);
    await file[Symbol.asyncDispose]();
    for (const call of [
      () => file.append([blob.bytes]),
      () => file.sync(),
      () => file.verify(blob.digest),
      () => file.discard(),
    ]) {
      await assert.rejects(call(), /closed/);
    }
    assert.equal(await uploads.size(place, file.id), 0);
  });
}

function verificationRows(row: Row): void {
  row('wrong bytes do not verify and are not sealed', async ({ uploads, blobs }) => {
    await using file = await begin(uploads);
    await file.append([sample(10_000, 2).bytes]);
    assert.equal(await file.verify(blob.digest), false);
    await assert.rejects(file.seal(blob.digest), /not verified/);
    assert.deepEqual(await listed(blobs), []);
  });

  row('what is not verified, or not as this digest, is not sealed', async ({ uploads }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes]);
    await assert.rejects(file.seal(blob.digest), /not verified/);
    assert.equal(await file.verify(blob.digest), true);
    await assert.rejects(file.seal(sample(5).digest), /not verified/);
    await file.append([new Uint8Array(1)]);
    await assert.rejects(file.seal(blob.digest), /not verified/);
    await file.truncate(10_000);
    await assert.rejects(file.seal(blob.digest), /not verified/);
    assert.equal(await file.verify(blob.digest), true);
  });

  for (const [begun, digest] of [
    ['sha512', sample(10_000, 1, 'sha512').digest],
    ['sha256', sample(10_000, 1, 'sha512').digest],
    ['sha512', blob.digest],
  ] as const) {
    row(`an upload begun as ${begun} ends as ${digest.slice(0, 6)}`, async (storage) => {
      await using file = await taken(storage.uploads, await storage.uploads.create(place, begun));
      await file.append([blob.bytes]);
      assert.equal(await file.verify(digest), true);
      await storage.blobs.adopt(await file.seal(digest));
      assert.deepEqual(await blobBytes(storage.blobs, digest), blob.bytes);
    });
  }

  row('an empty blob is a blob', async (storage) => {
    const empty = sample(0);
    await using file = await begin(storage.uploads);
    assert.equal(await file.verify(empty.digest), true);
    await storage.blobs.adopt(await file.seal(empty.digest));
    assert.deepEqual(await blobBytes(storage.blobs, empty.digest), empty.bytes);
  });

  row(
    'a sealed upload takes no more bytes, and is as it was where nobody adopted it',
    async (storage) => {
      const file = await begin(storage.uploads);
      await file.append([blob.bytes]);
      await file.verify(blob.digest);
      const sealed = await file.seal(blob.digest);
      assert.deepEqual({ ...sealed }, { digest: blob.digest, size: 10_000 });
      await assert.rejects(file.append([new Uint8Array(1)]), /sealed/);
      await file[Symbol.asyncDispose]();
      await assert.rejects(storage.blobs.adopt(sealed), /closed/);
      assert.equal(await storage.blobs.size(blob.digest), undefined);
      await using next = await taken(storage.uploads, file.id);
      assert.equal(next.size, 10_000);
      assert.equal(await next.verify(blob.digest), true);
    },
  );
}

async function assertGone(uploads: Uploads, id: string): Promise<void> {
  assert.equal(await uploads.size(place, id), undefined);
  assert.equal(await uploads.take(place, id, signal), undefined);
  assert.equal(await uploads.cancel(place, id), false);
  assert.deepEqual(
    (await uploads.list()).filter((upload) => upload.id === id),
    [],
  );
}

function endRows(row: Row): void {
  row('an adopted upload is gone, for those who wait as well', async (storage) => {
    await using file = await begin(storage.uploads);
    await file.append([blob.bytes]);
    const waiting = storage.uploads.take(place, file.id, signal);
    await file.verify(blob.digest);
    const sealed = await file.seal(blob.digest);
    await storage.blobs.adopt(sealed);
    await storage.blobs.adopt(sealed);
    assert.equal(await waiting, undefined);
    await assertGone(storage.uploads, file.id);
    assert.equal(file.cancelled.aborted, false);
    await file.discard();
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
  });

  row('an upload of a blob that is there already is gone once adopted', async (storage) => {
    await store(storage, blob);
    await using file = await begin(storage.uploads);
    await file.append([blob.bytes]);
    await file.verify(blob.digest);
    await storage.blobs.adopt(await file.seal(blob.digest));
    await assertGone(storage.uploads, file.id);
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
  });

  row('a discarded upload is gone', async ({ uploads }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes]);
    await file.discard();
    await file.discard();
    await assertGone(uploads, file.id);
    await assert.rejects(file.append([blob.bytes]), unknown);
  });

  row('a cancelled idle upload is gone', async ({ uploads }) => {
    const id = await uploads.create(place, 'sha256');
    assert.equal(await uploads.cancel(place, id), true);
    await assertGone(uploads, id);
  });

  row('cancelling ends the holder, and those who wait, at once', async ({ uploads, blobs }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes]);
    assert.equal(await file.verify(blob.digest), true);
    const waiting = uploads.take(place, file.id, signal);
    assert.equal(await uploads.cancel(place, file.id), true);
    assert.equal(file.cancelled.aborted, true);
    assert.equal(await waiting, undefined);
    await assertGone(uploads, file.id);
    for (const call of [
      () => file.append([blob.bytes]),
      () => file.truncate(0),
      () => file.sync(),
      () => file.verify(blob.digest),
      () => file.seal(blob.digest),
    ]) {
      await assert.rejects(call(), unknown);
    }
    await file.discard();
    assert.deepEqual(await listed(blobs), []);
  });

  row('a call under way when the upload is cancelled ends as unknown', async ({ uploads }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes]);
    const calls = [file.append([blob.bytes]), file.verify(blob.digest)];
    const outcomes = Promise.allSettled(calls);
    await uploads.cancel(place, file.id);
    for (const outcome of await outcomes) {
      assert.equal(outcome.status, 'rejected');
      assert.equal((outcome.reason as { code?: unknown }).code, 'uploadUnknown');
    }
    await assertGone(uploads, file.id);
  });

  row('a sealed upload that was cancelled is not adopted', async ({ uploads, blobs }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes]);
    await file.verify(blob.digest);
    const sealed = await file.seal(blob.digest);
    await uploads.cancel(place, file.id);
    await assert.rejects(blobs.adopt(sealed), unknown);
    assert.deepEqual(await listed(blobs), []);
  });

  row('adopting and cancelling at once: it is the one or the other', async ({ uploads, blobs }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes]);
    await file.verify(blob.digest);
    const sealed = await file.seal(blob.digest);
    const adopting = blobs.adopt(sealed).then(
      () => true,
      () => false,
    );
    const cancelled = await uploads.cancel(place, file.id);
    assert.equal(await adopting, !cancelled);
    assert.deepEqual(await listed(blobs), cancelled ? [] : [blob.digest]);
    await assertGone(uploads, file.id);
  });

  row('a sweep leaves what is fresh and what is taken', async ({ uploads }) => {
    await using file = await begin(uploads);
    await file.append([blob.bytes]);
    const idle = await uploads.create(place, 'sha256');
    await uploads.sweep();
    assert.equal(await uploads.size(place, idle), 0);
    assert.equal(await file.verify(blob.digest), true);
  });
}
