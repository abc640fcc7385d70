import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  blobBytes,
  recordEvents,
  sample,
  temporaryFolder,
} from '../../../tests/support/samples/storage-samples.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { beginUpload, takeUpload } from '../../../tests/support/samples/upload-samples.ts';
import { appendBlockBytes } from '../../ports/uploads.ts';
import { DirectWriter } from './direct-writer.ts';
import type { DirectWriteSink } from './direct-writer.ts';
import { nodeFileSystem } from './file-system.ts';
import type { FileSystem, OpenMode } from './file-system.ts';
import { createFileStorage } from '../file-storage.ts';
import { createHashPool } from '../hash/hash-pool.ts';
import { OpenFile } from './open-file.ts';
import { createWriteBlocks } from './write-blocks.ts';

const blockBytes = 8192;

/** Counts what is written by descriptors that were opened to write directly. */
function watchDirect(refuse?: (call: 'open' | 'writev') => boolean): {
  readonly fileSystem: FileSystem;
  readonly written: number;
} {
  const direct = new Set<number>();
  let written = 0;
  const attempt = (call: 'open' | 'writev'): void => {
    if (refuse?.(call) === true) throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
  };
  return {
    fileSystem: {
      ...nodeFileSystem,
      open: async (path: string, mode: OpenMode) => {
        if (mode === 'direct') attempt('open');
        const fd = await nodeFileSystem.open(path, mode);
        direct.delete(fd);
        if (mode === 'direct') direct.add(fd);
        return fd;
      },
      writev: async (fd, buffers, position) => {
        if (direct.has(fd)) attempt('writev');
        const count = await nodeFileSystem.writev(fd, buffers, position);
        if (direct.has(fd)) written += count;
        return count;
      },
    },
    get written() {
      return written;
    },
  };
}

test('whole blocks are written and shown, from an aligned place on; the rest is left', async () => {
  using folder = temporaryFolder();
  const { bytes } = sample(3 * blockBytes + 100);
  const path = `${folder.path}/data`;
  const { fileSystem } = watchDirect();
  await fileSystem.close(await fileSystem.open(path, 'update'));
  const writes = { blocks: createWriteBlocks(blockBytes, 1), possible: true };
  await using writer = new DirectWriter(writes, fileSystem, recordEvents(), path);
  await using cached = await OpenFile.open(fileSystem, recordEvents(), path, 'update');
  const shown: [number, number][] = [];
  let taken = 0;
  const sink: DirectWriteSink = {
    cached,
    taken: () => void (taken += 1),
    onBlock: (_block, length, position) => void shown.push([length, position]),
  };
  assert.equal(await writer.write([bytes.subarray(0, blockBytes - 1)], 0, sink), 0, 'too little');
  assert.equal(await writer.write([bytes], 100, sink), 0, 'not aligned');
  const chunks = [bytes.subarray(0, 5), bytes.subarray(5, 20_000), bytes.subarray(20_000)];
  assert.equal(await writer.write(chunks, 0, sink), 3 * blockBytes);
  assert.equal(taken, 0, 'the end is still needed');
  assert.equal(await writer.write([bytes.subarray(0, 2 * blockBytes)], 0, sink), 2 * blockBytes);
  assert.equal(taken, 1);
  assert.deepEqual(shown, [
    [blockBytes, 0],
    [blockBytes, blockBytes],
    [blockBytes, 2 * blockBytes],
    [blockBytes, 0],
    [blockBytes, blockBytes],
  ]);
  assert.deepEqual(new Uint8Array(readFileSync(path)), bytes.slice(0, 3 * blockBytes));
});

async function canWriteDirectly(folder: string): Promise<boolean> {
  const path = `${folder}/probe`;
  await nodeFileSystem.close(await nodeFileSystem.open(path, 'update'));
  const writes = { blocks: createWriteBlocks(blockBytes, 1), possible: true };
  await using writer = new DirectWriter(writes, nodeFileSystem, recordEvents(), path);
  await using cached = await OpenFile.open(nodeFileSystem, recordEvents(), path, 'update');
  const sink: DirectWriteSink = { cached, taken: () => {}, onBlock: () => {} };
  await writer.write([new Uint8Array(blockBytes)], 0, sink);
  return writes.possible;
}

for (const [where, refuse] of [
  ['where they can be', () => false],
  ['not where opening refuses it', (call: string) => call === 'open'],
  ['not where writing refuses it', (call: string) => call === 'writev'],
] as const) {
  test(`large appends go past the page cache ${where}; digest and bytes are right`, async (t) => {
    using folder = temporaryFolder();
    if (where === 'where they can be' && !(await canWriteDirectly(folder.path))) {
      return t.skip(`the file system of ${tmpdir()} has no direct writes`);
    }
    const watched = watchDirect(refuse);
    await using storage = await createFileStorage({
      dataDir: folder.path,
      clock: createFakeClock(),
      events: recordEvents(),
      fileSystem: watched.fileSystem,
    });
    const blob = sample(2_500_000);
    await using file = await beginUpload(storage.uploads);
    let taken = 0;
    for (const [from, to] of [
      [0, appendBlockBytes],
      [appendBlockBytes, 2_500_000],
    ]) {
      // As whoever owns the chunks may do.
      const chunk = blob.bytes.slice(from, to);
      await file.append([chunk], () => {
        taken += 1;
        chunk.fill(0);
      });
    }
    assert.equal(taken, 2);
    assert.equal(await file.verify(blob.digest), true);
    await storage.blobs.adopt(await file.seal(blob.digest));
    assert.deepEqual(await blobBytes(storage.blobs, blob.digest), blob.bytes);
    // All but the end that fills no page.
    assert.equal(watched.written, where === 'where they can be' ? 2_498_560 : 0);
  });
}

/** An append of so many bytes; cut back by some; or left to the next request. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 4 * blockBytes }) }) },
  { weight: 3, arbitrary: fc.record({ append: fc.constantFrom(4096, 8192, 16_384) }) },
  { weight: 1, arbitrary: fc.record({ cut: fc.integer({ min: 1, max: 3 * blockBytes }) }) },
  { weight: 1, arbitrary: fc.constant({ leave: true }) },
);

test('however an upload grows and is cut, its hash and its bytes are those of what it has', async () => {
  using folder = temporaryFolder();
  await using hashPool = createHashPool(1, undefined, createWriteBlocks(blockBytes, 2));
  await using storage = await createFileStorage({
    dataDir: folder.path,
    clock: createFakeClock(),
    events: recordEvents(),
    hashPool,
    hashInPlaceMaxBytes: 100,
    writebackEveryBytes: 20_000,
  });
  const run = async (steps: readonly object[]): Promise<void> => {
    let file = await beginUpload(storage.uploads);
    const { bytes } = sample(steps.length * 4 * blockBytes + 1);
    for (const each of steps as { append?: number; cut?: number }[]) {
      if (each.append !== undefined)
        await file.append([bytes.subarray(file.size, file.size + each.append)]);
      else if (each.cut !== undefined) await file.truncate(Math.max(0, file.size - each.cut));
      else {
        await file[Symbol.asyncDispose]();
        file = await takeUpload(storage.uploads, file.id);
      }
    }
    const { digest } = sample(file.size);
    assert.equal(await file.verify(digest), true);
    await storage.blobs.adopt(await file.seal(digest));
    await file[Symbol.asyncDispose]();
    assert.deepEqual(await blobBytes(storage.blobs, digest), bytes.slice(0, file.size));
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), run), { numRuns: 60 });
});
