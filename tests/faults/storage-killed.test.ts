import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createFileStorage } from '../../src/storage/file-storage.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import {
  blobBytes,
  listed,
  recordEvents,
  sample,
  temporaryFolder,
} from '../support/samples/storage-samples.ts';

const child = fileURLToPath(new URL('./storage-child.ts', import.meta.url));
const seeds = Array.from({ length: 24 }, (_, i) => i + 1);
const known = new Map(seeds.map((seed) => [seed, sample(500_000 * (1 + (seed % 4)), seed)]));

/** Lets the child adopt `adoptions` blobs, kills it `delayMs` later, and answers which it acknowledged. */
async function runKilled(
  dataDir: string,
  from: number,
  adoptions: number,
  delayMs: number,
): Promise<number[]> {
  const args = [child, dataDir, ...seeds.slice(from).map(String)];
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: running.stdout })) {
    if (line === 'done') break;
    acknowledged.push(Number(line));
    if (acknowledged.length === adoptions) setTimeout(() => running.kill('SIGKILL'), delayMs);
  }
  if (running.exitCode === null && running.signalCode === null) {
    running.kill('SIGKILL');
    await once(running, 'exit');
  }
  return acknowledged;
}

test('after kill -9 every acknowledged blob is whole, nothing else is in the tree, and the rest resumes', async () => {
  using folder = temporaryFolder();
  let stored = 0;
  for (const delayMs of [0, 3, 7, 12]) {
    const acknowledged = await runKilled(folder.path, stored, 2, delayMs);
    assert.ok(acknowledged.length >= 2);
    stored += acknowledged.length;
    const clock = createFakeClock(Date.now());
    const storage = await createFileStorage({
      dataDir: folder.path,
      clock,
      events: recordEvents(),
    });
    const found = await listed(storage.blobs);
    for (const digest of found) {
      const blob = [...known.values()].find((sampled) => sampled.digest === digest);
      assert.deepEqual(await blobBytes(storage.blobs, digest), blob?.bytes);
    }
    for (const seed of seeds.slice(0, stored)) {
      assert.ok(found.includes(known.get(seed)!.digest), `blob ${seed} is lost`);
    }
    for (const { bytes, digest } of known.values()) {
      await using file = await storage.spool.open('killed', digest);
      for (const { start, end } of file.arrived) {
        const into = new Uint8Array(end + 1 - start);
        assert.equal(await file.read(into, start), into.length);
        assert.deepEqual(into, bytes.slice(start, end + 1));
      }
    }
    await storage.spool.sweep();
    const names = readdirSync(`${folder.path}/spool`, { recursive: true, encoding: 'utf8' });
    const litter = names.filter((name) => name.includes('.tmp'));
    assert.deepEqual(litter, []);
    await storage[Symbol.asyncDispose]();
  }
});
