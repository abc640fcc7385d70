import { createFileStorage } from '../../src/storage/file-storage.ts';
import { systemClock } from '../../src/coordination/system-clock.ts';
import { sample } from '../support/samples/storage-samples.ts';

/** Downloads the samples of the seeds given on the command line, telling each adoption, until it is killed. */
const [dataDir = '', ...seeds] = process.argv.slice(2);

await using storage = await createFileStorage({
  dataDir,
  clock: systemClock,
  events: { emit: (event) => console.error(JSON.stringify(event)) },
  journalEveryBytes: 100_000,
});

for (const seed of seeds.map(Number)) {
  const { bytes, digest } = sample(500_000 * (1 + (seed % 4)), seed);
  await using file = await storage.spool.open('killed', digest);
  await file.expect(bytes.byteLength);
  const pieces: Promise<void>[] = [];
  for (const half of [0, 1]) {
    const from = half * (bytes.byteLength / 2);
    pieces.push(
      (async (): Promise<void> => {
        for (let at = from; at < from + bytes.byteLength / 2; at += 25_000) {
          await file.write(at, [bytes.subarray(at, at + 25_000)]);
        }
      })(),
    );
  }
  await Promise.all(pieces);
  if (!(await file.verify())) throw new Error(`${digest} has wrong bytes`);
  await storage.blobs.adopt(await file.seal(digest));
  process.stdout.write(`${seed}\n`);
}
process.stdout.write('done\n');
