import { createFileStorage } from '../../src/storage/file-storage.ts';
import { systemClock } from '../../src/coordination/system-clock.ts';
import { sample } from '../support/samples/storage-samples.ts';
import { takeUpload, uploadPlace } from '../support/samples/upload-samples.ts';

/** Pushes the samples of the seeds given on the command line in chunks, telling what is acknowledged, until it is killed. */
const [dataDir = '', ...seeds] = process.argv.slice(2);
const chunkBytes = 100_000;

await using storage = await createFileStorage({
  dataDir,
  clock: systemClock,
  events: { emit: (event) => console.error(JSON.stringify(event)) },
  writebackEveryBytes: 50_000,
});
const { uploads, blobs } = storage;

async function push(seed: number): Promise<void> {
  const { bytes, digest } = sample(1_000_000, seed);
  const id = await uploads.create(uploadPlace, 'sha256');
  process.stdout.write(`begun ${seed} ${id}\n`);
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    await using file = await takeUpload(uploads, id);
    for (let part = at; part < at + chunkBytes; part += 10_000) {
      await file.append([bytes.subarray(part, part + 10_000)]);
    }
    await file.sync();
    process.stdout.write(`acknowledged ${seed} ${file.size}\n`);
  }
  await using file = await takeUpload(uploads, id);
  if (!(await file.verify(digest))) throw new Error(`${digest} has wrong bytes`);
  await blobs.adopt(await file.seal(digest));
  process.stdout.write(`stored ${seed}\n`);
}

await Promise.all(seeds.map((seed) => push(Number(seed))));
