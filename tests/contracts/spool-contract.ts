import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpoolFile } from '../../src/ports/spool.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { blobBytes, sample } from '../support/samples/storage-samples.ts';

const blob = sample(10_000);

async function readAll(file: SpoolFile, from: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let count = 0;
  for (let more = 1; more > 0 && count < length; count += more) {
    more = await file.read(bytes.subarray(count), from + count);
  }
  return bytes.subarray(0, count);
}

/** What every spool keeps to (src/ports/spool.ts). `make` gives an empty one with its blobs. */
export function spoolContract(name: string, make: () => Promise<Storage>): void {
  const row = (sentence: string, body: (storage: Storage) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      await using storage = await make();
      await body(storage);
    });
  };
  arrivalRows(row);
  verificationRows(row);
  resumptionRows(row);
}

type Row = (sentence: string, body: (storage: Storage) => Promise<void>) => void;

function arrivalRows(row: Row): void {
  row('a new file has nothing and knows no size', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    assert.equal(file.digest, blob.digest);
    assert.equal(file.size, undefined);
    assert.deepEqual(file.arrived, []);
    assert.equal(await file.read(new Uint8Array(10), 0), 0);
  });

  row('pieces in any order are merged and read back', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    const { arrived } = file;
    await file.expect(10_000);
    await file.write(6000, [blob.bytes.subarray(6000, 7000), blob.bytes.subarray(7000, 8000)]);
    await file.write(0, [blob.bytes.subarray(0, 2000)]);
    assert.deepEqual(file.arrived, [
      { start: 0, end: 1999 },
      { start: 6000, end: 7999 },
    ]);
    assert.deepEqual(await readAll(file, 1500, 5000), blob.bytes.slice(1500, 2000));
    assert.equal(await file.read(new Uint8Array(10), 2000), 0);
    await file.write(2000, [blob.bytes.subarray(2000, 6000)]);
    assert.deepEqual(arrived, [{ start: 0, end: 7999 }], 'the view is live');
    assert.deepEqual(await readAll(file, 1500, 5000), blob.bytes.slice(1500, 6500));
  });

  row('many writes at once land where they belong', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    const starts = Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) * 100);
    await Promise.all(
      starts.map((start) => file.write(start, [blob.bytes.subarray(start, start + 100)])),
    );
    assert.deepEqual(file.arrived, [{ start: 0, end: 9999 }]);
    assert.deepEqual(await readAll(file, 0, 10_000), blob.bytes);
  });

  row('bytes that have arrived are never overwritten', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    const wrong = new Uint8Array(3000);
    await file.write(1000, [blob.bytes.subarray(1000, 2000)]);
    await Promise.all([file.write(500, [wrong]), file.write(1200, [wrong])]);
    assert.deepEqual(file.arrived, [{ start: 500, end: 4199 }]);
    assert.deepEqual(await readAll(file, 1000, 1000), blob.bytes.slice(1000, 2000));
    assert.deepEqual(await readAll(file, 500, 500), new Uint8Array(500));
    assert.deepEqual(await readAll(file, 2000, 2200), new Uint8Array(2200));
  });

  row('bytes beyond the expected size are refused', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    await file.expect(100);
    await assert.rejects(file.write(50, [blob.bytes.subarray(0, 51)]), RangeError);
    await file.write(50, [blob.bytes.subarray(0, 50)]);
    assert.deepEqual(file.arrived, [{ start: 50, end: 99 }]);
  });

  row('a changed size throws away what has arrived', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    await file.expect(9000);
    await file.write(0, [blob.bytes.subarray(0, 9000)]);
    await file.expect(9000);
    assert.deepEqual(file.arrived, [{ start: 0, end: 8999 }]);
    await file.expect(10_000);
    assert.equal(file.size, 10_000);
    assert.deepEqual(file.arrived, []);
  });

  row('a first size keeps what has arrived, unless more has', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    await file.write(0, [blob.bytes.subarray(0, 500)]);
    await file.expect(10_000);
    assert.deepEqual(file.arrived, [{ start: 0, end: 499 }]);
    await using other = await spool.open('p', blob.digest);
    await other.write(0, [blob.bytes.subarray(0, 500)]);
    await other.expect(499);
    assert.deepEqual(other.arrived, []);
  });

  row('nothing is written once the file is disposed', async ({ spool }) => {
    const file = await spool.open('o', blob.digest);
    await file[Symbol.asyncDispose]();
    await file[Symbol.asyncDispose]();
    await assert.rejects(file.write(0, [blob.bytes]), /closed/);
  });
}

function verificationRows(row: Row): void {
  row('the right bytes verify, seal and stay readable after adoption', async (storage) => {
    await using file = await storage.spool.open('o', blob.digest);
    await file.expect(10_000);
    await file.write(5000, [blob.bytes.subarray(5000)]);
    await file.write(0, [blob.bytes.subarray(0, 5000)]);
    assert.equal(await file.verify(), true);
    const sealed = await file.seal(blob.digest);
    assert.deepEqual({ ...sealed }, { digest: blob.digest, size: 10_000 });
    await storage.blobs.adopt(sealed);
    await storage.blobs.adopt(sealed);
    assert.deepEqual(await readAll(file, 0, 10_000), blob.bytes);
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
  });

  row('wrong bytes do not verify and cannot be sealed', async (storage) => {
    await using file = await storage.spool.open('o', blob.digest);
    await file.expect(10_000);
    await file.write(0, [sample(10_000, 2).bytes]);
    assert.equal(await file.verify(), false);
    await assert.rejects(file.seal(blob.digest), /not verified/);
    await file.reset();
    assert.deepEqual(file.arrived, []);
    assert.equal(file.size, 10_000);
    await file.write(0, [blob.bytes]);
    assert.equal(await file.verify(), true);
    await storage.blobs.adopt(await file.seal(blob.digest));
  });

  row('unverified bytes and another digest cannot be sealed', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    await file.expect(10_000);
    await file.write(0, [blob.bytes]);
    await assert.rejects(file.seal(blob.digest), /not verified/);
    await file.verify();
    await assert.rejects(file.seal(sample(5).digest), /not verified/);
    await file.reset();
    await file.write(0, [blob.bytes]);
    await assert.rejects(file.seal(blob.digest), /not verified/);
  });

  row('what has not wholly arrived is not verified', async ({ spool }) => {
    await using file = await spool.open('o', blob.digest);
    await file.write(0, [blob.bytes]);
    await assert.rejects(file.verify(), /Not all/);
    await file.expect(10_001);
    await assert.rejects(file.verify(), /Not all/);
  });

  row('a sealed file whose opener has left is not adopted', async (storage) => {
    const file = await storage.spool.open('o', blob.digest);
    await file.expect(10_000);
    await file.write(0, [blob.bytes]);
    await file.verify();
    const sealed = await file.seal(blob.digest);
    await file[Symbol.asyncDispose]();
    await assert.rejects(storage.blobs.adopt(sealed), /closed/);
    assert.equal(await storage.blobs.size(blob.digest), undefined);
  });
}

function resumptionRows(row: Row): void {
  row('a key is open once at a time, and owners do not meet', async ({ spool }) => {
    await using first = await spool.open('o', blob.digest);
    await first.write(0, [blob.bytes.subarray(0, 10)]);
    await assert.rejects(spool.open('o', blob.digest), /open already/);
    await using other = await spool.open('p', blob.digest);
    assert.deepEqual(other.arrived, []);
    await first[Symbol.asyncDispose]();
    await using again = await spool.open('o', blob.digest);
    assert.equal(again.digest, blob.digest);
  });

  row('a journalled partial is taken up with its size', async (storage) => {
    {
      await using file = await storage.spool.open('o', blob.digest);
      await file.expect(10_000);
      await file.write(0, [blob.bytes.subarray(0, 3000)]);
      await file.write(8000, [blob.bytes.subarray(8000)]);
      await file.journal();
    }
    await using file = await storage.spool.open('o', blob.digest);
    assert.equal(file.size, 10_000);
    assert.deepEqual(file.arrived, [
      { start: 0, end: 2999 },
      { start: 8000, end: 9999 },
    ]);
    assert.deepEqual(await readAll(file, 0, 3000), blob.bytes.slice(0, 3000));
    await file.write(3000, [blob.bytes.subarray(3000, 8000)]);
    assert.equal(await file.verify(), true);
    await storage.blobs.adopt(await file.seal(blob.digest));
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
  });

  for (const [what, forget] of [
    ['reset', (file: SpoolFile) => file.reset()],
    ['discarded', (file: SpoolFile) => file.discard()],
  ] as const) {
    row(`a partial that was ${what} starts empty`, async ({ spool }) => {
      {
        await using file = await spool.open('o', blob.digest);
        await file.expect(10_000);
        await file.write(0, [blob.bytes]);
        await file.journal();
        await forget(file);
      }
      await using file = await spool.open('o', blob.digest);
      assert.deepEqual(file.arrived, []);
    });
  }

  row('after adoption a new file of the key starts empty', async ({ spool, blobs }) => {
    {
      await using file = await spool.open('o', blob.digest);
      await file.expect(10_000);
      await file.write(0, [blob.bytes]);
      await file.journal();
      await file.verify();
      await blobs.adopt(await file.seal(blob.digest));
      await file.discard();
    }
    await using file = await spool.open('o', blob.digest);
    assert.deepEqual(file.arrived, []);
    assert.deepEqual(await blobBytes(blobs, blob.digest), blob.bytes);
  });

  row('a sweep leaves open and fresh partials alone', async ({ spool }) => {
    {
      await using fresh = await spool.open('fresh', blob.digest);
      await fresh.write(0, [blob.bytes.subarray(0, 100)]);
      await fresh.journal();
    }
    await using file = await spool.open('o', blob.digest);
    await file.write(0, [blob.bytes.subarray(0, 100)]);
    await spool.sweep();
    await file.write(100, [blob.bytes.subarray(100)]);
    assert.deepEqual(await readAll(file, 0, 10_000), blob.bytes);
    await using fresh = await spool.open('fresh', blob.digest);
    assert.deepEqual(fresh.arrived, [{ start: 0, end: 99 }]);
  });
}
