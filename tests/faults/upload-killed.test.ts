import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createFileStorage } from '../../src/storage/file-storage.ts';
import { systemClock } from '../../src/coordination/system-clock.ts';
import {
  blobBytes,
  listed,
  recordEvents,
  sample,
  temporaryFolder,
} from '../support/samples/storage-samples.ts';
import { takeUpload, uploadPlace } from '../support/samples/upload-samples.ts';

const child = fileURLToPath(new URL('./upload-child.ts', import.meta.url));
const seeds = [1, 2, 3, 4];

/** What the clients of one process were told. */
interface Told {
  readonly ids: Map<number, string>;
  readonly acknowledged: Map<number, number>;
  readonly stored: Set<number>;
}

/** Lets the child push until so many chunks are acknowledged, and kills it. */
async function pushUntilKilled(dataDir: string, chunks: number): Promise<Told> {
  const told: Told = { ids: new Map(), acknowledged: new Map(), stored: new Set() };
  const args = [child, dataDir, ...seeds.map(String)];
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(running, 'exit');
  let count = 0;
  for await (const line of createInterface({ input: running.stdout })) {
    const [what, seed = '', value = ''] = line.split(' ');
    if (what === 'begun') told.ids.set(Number(seed), value);
    if (what === 'acknowledged') told.acknowledged.set(Number(seed), Number(value));
    if (what === 'stored') told.stored.add(Number(seed));
    if (what === 'acknowledged') count += 1;
    if (count === chunks) running.kill('SIGKILL');
  }
  await ended;
  return told;
}

for (const chunks of [1, 13, 39, 40]) {
  test(`after kill -9 at chunk ${chunks} each upload goes on with what was acknowledged`, async () => {
    using folder = temporaryFolder();
    const told = await pushUntilKilled(folder.path, chunks);
    await using storage = await createFileStorage({
      dataDir: folder.path,
      clock: systemClock,
      events: recordEvents(),
    });
    const { uploads, blobs } = storage;
    const whole = new Map(seeds.map((seed) => [seed, sample(1_000_000, seed)]));
    const digests = [...whole.values()].map(({ digest }) => digest);
    for (const digest of await listed(blobs)) assert.ok(digests.includes(digest));
    for (const [seed, id] of told.ids) {
      const { bytes, digest } = whole.get(seed)!;
      // Adopted without its client having heard of it, at the latest moment.
      if ((await uploads.size(uploadPlace, id)) !== undefined) {
        assert.ok(!told.stored.has(seed), 'a stored upload came back');
        await using file = await takeUpload(uploads, id);
        assert.ok(file.size >= (told.acknowledged.get(seed) ?? 0), 'acknowledged bytes were lost');
        await file.append([bytes.subarray(file.size)]);
        assert.equal(await file.verify(digest), true);
        await blobs.adopt(await file.seal(digest));
      }
      assert.deepEqual(await blobBytes(blobs, digest), bytes);
    }
    await uploads.sweep();
  });
}
