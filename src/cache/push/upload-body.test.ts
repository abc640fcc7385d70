import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { bodyOf, brokenBody, heldBody, refused } from '../../../tests/support/rigs/push-rig.ts';
import { randomBytes } from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { RegistryError } from '../../domain/errors.ts';
import { appendBlockBytes } from '../../ports/uploads.ts';
import type { UploadLease } from '../../ports/uploads.ts';
import type { BodyLimits } from './upload-body.ts';
import { announcedBytes, appendBody } from './upload-body.ts';
import { UploadBudget } from './upload-budget.ts';

interface FakeFile extends UploadLease {
  readonly bytes: () => Uint8Array;
  /** Lengths of the appends, in order. */
  readonly appends: number[];
  /** Awaited by each append. */
  before: () => Promise<void> | void;
  readonly cancel: AbortController;
}

function fakeFile(already = new Uint8Array(0)): FakeFile {
  let bytes = Buffer.from(already);
  const cancel = new AbortController();
  let writing = false;
  const file: FakeFile = {
    id: 'fake',
    appends: [],
    before: () => {},
    cancel,
    cancelled: cancel.signal,
    bytes: () => bytes,
    get size() {
      return bytes.length;
    },
    append: async (chunks, taken) => {
      assert.equal(writing, false, 'one append at a time');
      writing = true;
      try {
        await new Promise((resolve) => setImmediate(resolve));
        await file.before();
        const all = Buffer.concat(chunks);
        file.appends.push(all.length);
        taken?.();
        bytes = Buffer.concat([bytes, all]);
      } finally {
        writing = false;
      }
    },
    truncate: async (size) => {
      bytes = bytes.subarray(0, size);
    },
    sync: async () => {},
    verify: async () => false,
    seal: () => Promise.reject(new Error('not here')),
    discard: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  return file;
}

function limitsOf(change: Partial<BodyLimits> = {}): BodyLimits & { readonly taken: number[] } {
  const taken: number[] = [];
  return {
    announced: undefined,
    maxBlobBytes: 1e9,
    space: {
      fits: async () => true,
      reserve: async (bytes) => {
        taken.push(bytes);
        return { written: () => {}, [Symbol.dispose]: () => {} };
      },
    },
    memory: new UploadBudget(1e9),
    answer: (error) => new RegistryError('storageFailed', String(error)),
    taken,
    ...change,
  };
}

const never = new AbortController().signal;

suite('what a request announces', () => {
  for (const [range, bytes, expected] of [
    [undefined, undefined, undefined],
    [undefined, 7, 7],
    [{ start: 10, end: 19 }, undefined, 10],
    [{ start: 10, end: 19 }, 10, 10],
    [{ start: 0, end: 0 }, 1, 1],
  ] as const) {
    test(`${JSON.stringify(range)} with length ${bytes} is ${expected}`, () => {
      assert.equal(announcedBytes({ range, bytes }), expected);
    });
  }

  test('a range and a length that differ are refused', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (start, length, bytes) => {
        const range = { start, end: start + length };
        if (bytes === length + 1) assert.equal(announcedBytes({ range, bytes }), bytes);
        else
          assert.throws(
            () => announcedBytes({ range, bytes }),
            (error) => error instanceof RegistryError && error.code === 'sizeInvalid',
          );
      }),
    );
  });
});

suite('a body is appended', () => {
  test('whole, in any chunks, whatever is there already', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 50 }),
        fc.array(fc.nat(200_000), { maxLength: 8 }),
        fc.boolean(),
        async (already, lengths, announces) => {
          const chunks = lengths.map((length, at) => randomBytes(length, at + 1));
          const bytes = Buffer.concat(chunks);
          const file = fakeFile(already);
          const announced = announces ? bytes.length : undefined;
          const limits = limitsOf({ announced });
          assert.equal(await appendBody(file, bodyOf(...chunks), limits, never), bytes.length);
          assert.ok(Buffer.concat([already, bytes]).equals(file.bytes()));
          assert.deepEqual(limits.taken, file.appends);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('exactly as long as announced, or not at all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 50 }),
        fc.array(fc.nat(300_000), { maxLength: 6 }),
        fc.integer({ min: -5, max: 5 }),
        async (already, lengths, off) => {
          const chunks = lengths.map((length) => new Uint8Array(length));
          const length = lengths.reduce((sum, one) => sum + one, 0);
          const announced = Math.max(0, length + off);
          const file = fakeFile(already);
          const work = appendBody(file, bodyOf(...chunks), limitsOf({ announced }), never);
          if (announced === length) await work;
          else await refused(work, 'sizeInvalid');
          const kept = announced === length ? length : 0;
          assert.equal(file.size, already.length + kept);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('block by block, the next gathering while one is written, and no more read', async () => {
    const file = fakeFile();
    const body = heldBody();
    const gate = Promise.withResolvers<void>();
    file.before = () => gate.promise;
    const work = appendBody(file, body, limitsOf(), never);
    for (let at = 0; at < 80; at += 1) body.send(new Uint8Array(64 * 1024));
    await until(() => body.read === 32);
    for (let turns = 0; turns < 20; turns += 1) await new Promise((next) => setImmediate(next));
    assert.equal(body.read, 32, 'one batch on its way, one gathered');
    gate.resolve();
    body.end();
    await work;
    assert.deepEqual(
      file.appends,
      Array.from({ length: 5 }, () => appendBlockBytes),
    );
  });

  test('to where a block ends first, and chunks are cut there', async () => {
    const already = Uint8Array.from(randomBytes(1000));
    const chunks = [1, 2, 3].map((seed) => randomBytes(1_400_000, seed));
    const file = fakeFile(already);
    await appendBody(file, bodyOf(...chunks), limitsOf(), never);
    assert.ok(Buffer.concat([already, ...chunks]).equals(file.bytes()));
    assert.deepEqual(file.appends, [
      appendBlockBytes - 1000,
      ...Array.from({ length: 3 }, () => appendBlockBytes),
      4_201_000 - 4 * appendBlockBytes,
    ]);
  });

  test('and frees chunks that are its own, each once all of it is written', async () => {
    const chunks = [1, 2, 3].map((seed) => Uint8Array.from(randomBytes(300_000, seed)));
    const bytes = Buffer.concat(chunks);
    const file = fakeFile();
    const body = Object.assign(bodyOf(...chunks), { givesChunksAway: true });
    await appendBody(file, body, limitsOf(), never);
    assert.ok(bytes.equals(file.bytes()));
    for (const { byteLength } of chunks) assert.equal(byteLength, 0);
  });
});

suite('a body that does not come to its end', () => {
  const part = randomBytes(300_000);

  test('breaks off: what arrived stays, for the client to go on', async () => {
    const file = fakeFile();
    const work = appendBody(file, brokenBody(part, part), limitsOf({ announced: 1e6 }), never);
    await assert.rejects(work, { message: 'the client left' });
    assert.ok(Buffer.concat([part, part]).equals(file.bytes()));
  });

  test('is too large for a blob: it leaves nothing', async () => {
    const file = fakeFile(new Uint8Array(9));
    const limits = limitsOf({ maxBlobBytes: 600_000 });
    await refused(appendBody(file, bodyOf(part, part), limits, never), 'requestTooLarge');
    assert.equal(file.size, 9);
  });

  test('is announced too large: not a byte of it is read', async () => {
    const file = fakeFile();
    const body = heldBody();
    const limits = limitsOf({ maxBlobBytes: 10, announced: 11 });
    await refused(appendBody(file, body, limits, never), 'requestTooLarge');
    assert.equal(body.read, 0);
  });

  test('cannot be written: it leaves nothing, and the answer says so', async () => {
    const file = fakeFile(new Uint8Array(9));
    let left = 2;
    file.before = () => {
      left -= 1;
      if (left === 0) throw new Error('EIO');
    };
    const body = bodyOf(part, part, part, part);
    await refused(appendBody(file, body, limitsOf(), never), 'storageFailed');
    assert.equal(file.size, 9);
  });

  test('is cancelled while the client is silent: the wait ends at once, and nothing is touched', async () => {
    const file = fakeFile();
    const body = heldBody();
    const work = appendBody(file, body, limitsOf(), never);
    body.send(part);
    await until(() => body.read === 1);
    file.cancel.abort(new Error('cancelled'));
    await assert.rejects(work, { message: 'cancelled' });
  });

  test('is no longer wanted by the server: the wait ends', async () => {
    const stop = new AbortController();
    const work = appendBody(fakeFile(), heldBody(), limitsOf(), stop.signal);
    stop.abort(new Error('shutting down'));
    await assert.rejects(work, { message: 'shutting down' });
  });
});
