import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { sample, temporaryFolder } from '../../../tests/support/samples/storage-samples.ts';
import { hexOf } from '../../domain/names/digest.ts';
import { createHashPool, idleThreadMs } from './hash-pool.ts';
import { createWriteBlocks } from '../disk/write-blocks.ts';

const mebibyte = 1024 * 1024;

test('a file is hashed while it grows, by either algorithm', async () => {
  using folder = temporaryFolder();
  await using pool = createHashPool(2);
  const rows = (['sha256', 'sha512'] as const).map((algorithm) => ({
    algorithm,
    blob: sample(3 * mebibyte + 17, 5, algorithm),
  }));
  await Promise.all(
    rows.map(async ({ algorithm, blob }) => {
      const path = `${folder.path}/${algorithm}`;
      writeFileSync(path, blob.bytes.subarray(0, 2 * mebibyte));
      using job = pool.start(path, algorithm);
      job.advance(mebibyte + 1);
      job.advance(2 * mebibyte);
      writeFileSync(path, blob.bytes);
      assert.equal(await job.finish(blob.bytes.length), hexOf(blob.digest));
    }),
  );
});

test('more jobs than workers all end', async () => {
  using folder = temporaryFolder();
  await using pool = createHashPool(1);
  const blobs = [1, 2, 3, 4].map((seed) => sample(mebibyte + seed, seed));
  const found = await Promise.all(
    blobs.map((blob, i) => {
      writeFileSync(`${folder.path}/${i}`, blob.bytes);
      return pool.start(`${folder.path}/${i}`, 'sha256').finish(blob.bytes.length);
    }),
  );
  assert.deepEqual(
    found,
    blobs.map(({ digest }) => hexOf(digest)),
  );
});

test('a file that is gone or cut short fails its job alone', async () => {
  using folder = temporaryFolder();
  await using pool = createHashPool(1);
  const blob = sample(1000);
  const path = `${folder.path}/blob`;
  await assert.rejects(pool.start(path, 'sha256').finish(1000), /could not read.*ENOENT/);
  writeFileSync(path, blob.bytes);
  truncateSync(path, 500);
  await assert.rejects(pool.start(path, 'sha256').finish(1000), /ends at 500/);
  writeFileSync(path, blob.bytes);
  assert.equal(await pool.start(path, 'sha256').finish(1000), hexOf(blob.digest));
});

test('a job that is given up rejects, and the next one of the file is right', async () => {
  using folder = temporaryFolder();
  await using pool = createHashPool(1);
  const blob = sample(2 * mebibyte);
  const path = `${folder.path}/blob`;
  writeFileSync(path, blob.bytes);
  const job = pool.start(path, 'sha256');
  job.advance(mebibyte);
  const finished = job.finish(2 * mebibyte);
  job[Symbol.dispose]();
  await assert.rejects(finished, /given up/);
  assert.equal(await pool.start(path, 'sha256').finish(2 * mebibyte), hexOf(blob.digest));
});

test('a worker that crashes rejects its jobs and is replaced', async () => {
  using folder = temporaryFolder();
  const broken = `${folder.path}/worker.mjs`;
  writeFileSync(
    broken,
    `import { parentPort } from 'node:worker_threads';
     parentPort.on('message', (m) => {
       if (m.type === 'start' && m.path === 'crash') throw new Error('crashed');
       if (m.type === 'advance') parentPort.postMessage({ type: 'done', job: m.job, hex: 'ok' });
     });`,
  );
  await using pool = createHashPool(1, new URL(`file://${broken}`));
  await assert.rejects(pool.start('crash', 'sha256').finish(10), (error: Error) => {
    assert.match(error.message, /worker ended/);
    assert.match(String(error.cause), /crashed/);
    return true;
  });
  assert.equal(await pool.start('fine', 'sha256').finish(10), 'ok');
});

test('what is fed is hashed in its turn, between bytes of the file, and its memory comes back', async () => {
  using folder = temporaryFolder();
  const blocks = createWriteBlocks(4096, 1);
  await using pool = createHashPool(1, undefined, blocks);
  const blob = sample(4 * 4096 + 100);
  const path = `${folder.path}/blob`;
  writeFileSync(path, blob.bytes);
  // What is fed is not read: the file has other bytes there.
  writeFileSync(path, new Uint8Array(4096), { flag: 'r+' });
  using job = pool.start(path, 'sha256');
  for (const position of [0, 2 * 4096, 3 * 4096]) {
    const block = await blocks.take();
    block.bytes.set(blob.bytes.subarray(position, position + 4096));
    job.feed(block, 4096, position);
    block.release();
  }
  assert.equal(await job.finish(blob.bytes.length), hexOf(blob.digest));
});

for (const [how, end] of [
  ['given up', 'dispose'],
  ['failed', 'fail'],
] as const) {
  test(`memory fed to a job that is ${how} comes back`, async () => {
    using folder = temporaryFolder();
    const blocks = createWriteBlocks(4096, 2);
    await using pool = createHashPool(1, undefined, blocks);
    const path = `${folder.path}/blob`;
    writeFileSync(path, 'x');
    const job = pool.start(path, 'sha256');
    for (const position of [4096, 8192]) {
      const block = await blocks.take();
      // The file has not so much before it.
      job.feed(block, 4096, position);
      block.release();
    }
    if (end === 'dispose') job[Symbol.dispose]();
    else await assert.rejects(job.finish(12_288), /ends at 1/);
    await blocks.take();
    await blocks.take();
  });
}

test('memory that a worker had when it ended comes back', async () => {
  using folder = temporaryFolder();
  const broken = `${folder.path}/worker.mjs`;
  writeFileSync(
    broken,
    `import { parentPort } from 'node:worker_threads';
     parentPort.on('message', (m) => { if (m.type === 'feed') throw new Error('crashed'); });`,
  );
  const blocks = createWriteBlocks(4096, 1);
  await using pool = createHashPool(1, new URL(`file://${broken}`), blocks);
  using job = pool.start('any', 'sha256');
  const block = await blocks.take();
  job.feed(block, 4096, 0);
  block.release();
  await blocks.take();
  await assert.rejects(job.finish(4096), /worker ended/);
});

test('a pool does not keep the process alive, but a hash that is waited for does', () => {
  const pool = new URL('./hash-pool.ts', import.meta.url).href;
  const program = `
    import { createHashPool } from '${pool}';
    import { writeFileSync, rmSync } from 'node:fs';
    using folder = { path: process.argv[1], [Symbol.dispose]() {} };
    writeFileSync(folder.path + '/f', 'abc');
    const hash = createHashPool(1);
    console.log(await hash.start(folder.path + '/f', 'sha256').finish(3));`;
  using folder = temporaryFolder();
  const args = ['--input-type=module', '--eval', program, folder.path];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
  assert.equal(run.stderr, '');
  assert.match(run.stdout, /^ba7816bf/);
  assert.equal(run.status, 0);
});

test('a thread that has had no job for its time ends, and the next job starts another', async () => {
  using folder = temporaryFolder();
  const clock = createFakeClock();
  const started: Worker[] = [];
  const count = (worker: Worker): void => void started.push(worker);
  process.on('worker', count);
  await using pool = createHashPool(1, undefined, undefined, clock);
  const blob = sample(1000);
  const path = `${folder.path}/blob`;
  writeFileSync(path, blob.bytes);
  const hash = async (): Promise<void> =>
    assert.equal(await pool.start(path, 'sha256').finish(1000), hexOf(blob.digest));

  await hash();
  clock.advance(idleThreadMs - 1);
  await hash();
  assert.equal(started.length, 1, 'one that was used meanwhile goes on');
  const ended = once(started[0] as Worker, 'exit');
  using running = pool.start(path, 'sha256');
  clock.advance(2 * idleThreadMs);
  assert.equal(await running.finish(1000), hexOf(blob.digest), 'one with a job goes on');
  clock.advance(idleThreadMs);
  await ended;
  await hash();
  assert.equal(started.length, 2);
  pool.start(path, 'sha256')[Symbol.dispose]();
  const last = once(started[1] as Worker, 'exit');
  clock.advance(idleThreadMs);
  await last;
  process.off('worker', count);
});
