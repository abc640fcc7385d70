import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { UploadLease } from '../../src/ports/uploads.ts';
import { createFileStorage } from '../../src/storage/file-storage.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import { PowerFailure, createPowerCut } from '../support/rigs/power-cut.ts';
import type { PowerCut } from '../support/rigs/power-cut.ts';
import {
  blobBytes,
  listed,
  recordEvents,
  sample,
  temporaryFolder,
} from '../support/samples/storage-samples.ts';
import { uploadPlace } from '../support/samples/upload-samples.ts';

const blobs = [sample(0, 1), sample(700, 2), sample(3000, 3), sample(900, 4, 'sha512')];
const numRuns = Number(process.env['BREAKWATER_TEST_RUNS'] ?? 60);

interface Step {
  readonly type: 'append' | 'sync' | 'cut' | 'finish' | 'leave' | 'cancel' | 'sweep';
  readonly key: number;
  readonly length: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom(
    'append',
    'append',
    'sync',
    'sync',
    'cut',
    'finish',
    'leave',
    'cancel',
    'sweep',
  ),
  key: fc.nat(blobs.length - 1),
  length: fc.integer({ min: 1, max: 2000 }),
});

/** A life of the process: its steps, and before which file-system call the power goes. */
const lifetime = fc.record({
  steps: fc.array(step, { maxLength: 25 }),
  cutAfter: fc.nat(120),
  kept: fc.infiniteStream(fc.boolean()),
});

/** One client's push of one blob: what it was told. */
class Push {
  readonly blob: (typeof blobs)[number];
  id: string | undefined;
  acknowledged = 0;
  /** So many of the acknowledged bytes are the client's own: after a power cut, zeros may follow what was synced. */
  proven = 0;
  /** The upload may be gone without the client knowing: its end was asked for and never answered. */
  ending = false;

  constructor(blob: (typeof blobs)[number]) {
    this.blob = blob;
  }

  begin(id: string): void {
    this.id = id;
    this.acknowledged = 0;
    this.proven = 0;
    this.ending = false;
  }

  end(): void {
    this.id = undefined;
  }
}

class Life {
  readonly #storage: Storage;
  readonly #pushes: readonly Push[];
  readonly #stored: Set<Push>;
  readonly #held = new Map<Push, UploadLease>();
  /** Whether the upload may hold other bytes than the client's. */
  readonly #foreign = new Map<Push, boolean>();

  private constructor(storage: Storage, pushes: readonly Push[], stored: Set<Push>) {
    this.#storage = storage;
    this.#pushes = pushes;
    this.#stored = stored;
  }

  static async start(
    power: PowerCut,
    path: string,
    pushes: readonly Push[],
    stored: Set<Push>,
  ): Promise<Life> {
    const storage = await createFileStorage({
      dataDir: `${path}/data`,
      clock: createFakeClock(Date.now()),
      events: recordEvents(),
      fileSystem: power.boot(),
      writebackEveryBytes: 1500,
    });
    return new Life(storage, pushes, stored);
  }

  /** The client's upload, or a new one where it knows of none. */
  async #hold(push: Push): Promise<UploadLease> {
    const held = this.#held.get(push);
    if (held !== undefined) return held;
    const { uploads } = this.#storage;
    const { signal } = new AbortController();
    if (push.id === undefined) push.begin(await uploads.create(uploadPlace, 'sha256'));
    const file = await uploads.take(uploadPlace, push.id!, signal);
    if (file === undefined) {
      assert.ok(push.ending, 'an upload was lost');
      push.end();
      return this.#hold(push);
    }
    this.#held.set(push, file);
    assert.ok(file.size >= push.acknowledged, 'acknowledged bytes were lost');
    this.#foreign.set(push, file.size > push.proven);
    return file;
  }

  async #leave(push: Push): Promise<void> {
    const file = this.#held.get(push);
    this.#held.delete(push);
    await file?.[Symbol.asyncDispose]();
  }

  async #finish(push: Push): Promise<void> {
    const { bytes, digest } = push.blob;
    const file = await this.#hold(push);
    await file.append([bytes.subarray(file.size)]);
    const right = await file.verify(digest);
    push.ending = true;
    if (right) {
      await this.#storage.blobs.adopt(await file.seal(digest));
      this.#stored.add(push);
    } else {
      assert.ok(this.#foreign.get(push), 'bytes were changed');
      await file.discard();
    }
    push.end();
    await this.#leave(push);
  }

  async take({ type, key, length }: Step): Promise<void> {
    const push = this.#pushes[key]!;
    const { bytes } = push.blob;
    switch (type) {
      case 'append': {
        const file = await this.#hold(push);
        if (file.size < bytes.length) {
          await file.append([
            bytes.subarray(file.size, Math.min(file.size + length, bytes.length)),
          ]);
        }
        return;
      }
      case 'sync': {
        const file = await this.#hold(push);
        await file.sync();
        push.acknowledged = file.size;
        if (!this.#foreign.get(push)) push.proven = file.size;
        return;
      }
      case 'cut': {
        const file = await this.#hold(push);
        return file.truncate(Math.max(push.acknowledged, file.size - length));
      }
      case 'finish':
        return this.#finish(push);
      case 'leave':
        return this.#leave(push);
      case 'cancel': {
        if (push.id === undefined) return;
        push.ending = true;
        await this.#storage.uploads.cancel(uploadPlace, push.id);
        await this.#leave(push);
        return push.end();
      }
      case 'sweep':
        return this.#storage.uploads.sweep();
    }
  }

  /** All that was acknowledged is there, and nothing else is among the blobs. */
  async check(root: string): Promise<void> {
    const there = await listed(this.#storage.blobs);
    for (const digest of there) {
      const blob = blobs.find((known) => known.digest === digest);
      assert.ok(blob, `a blob nobody pushed: ${digest}`);
      assert.deepEqual(await blobBytes(this.#storage.blobs, digest), blob.bytes);
    }
    for (const { blob } of this.#stored) assert.ok(there.includes(blob.digest), 'a blob was lost');
    for (const push of this.#pushes) {
      if (push.id === undefined || push.ending) continue;
      await this.#hold(push);
      const name = readdirSync(root).find((each) => each.startsWith(push.id!))!;
      const bytes = new Uint8Array(readFileSync(join(root, name)));
      const { proven } = push;
      assert.deepEqual(bytes.slice(0, proven), push.blob.bytes.slice(0, proven));
      await this.#leave(push);
    }
  }

  async end(): Promise<void> {
    for (const push of this.#held.keys()) await this.#leave(push);
    await this.#storage[Symbol.asyncDispose]();
  }
}

async function untilThePowerGoes(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof PowerFailure)) throw error;
  }
}

test('a power cut at any call keeps uploads with what was synced, and blobs are whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(lifetime, { minLength: 1, maxLength: 4 }), async (lives) => {
      using folder = temporaryFolder();
      const root = join(folder.path, 'data', 'uploads');
      const power = createPowerCut(folder.path);
      const pushes = blobs.map((blob) => new Push(blob));
      const stored = new Set<Push>();
      for (const { steps, cutAfter, kept } of lives) {
        power.cutAfter(cutAfter);
        let life: Life | undefined;
        await untilThePowerGoes(async () => {
          life = await Life.start(power, folder.path, pushes, stored);
          for (const each of steps) await life.take(each);
        });
        await power.crash(() => kept.next().value);
        await life?.end();
        const next = await Life.start(power, folder.path, pushes, stored);
        await next.check(root);
        await next.end();
        assert.equal(power.openDescriptors, 0);
      }
      const last = await Life.start(power, folder.path, pushes, stored);
      for (const key of blobs.keys()) {
        while (!stored.has(pushes[key]!)) await last.take({ type: 'finish', key, length: 1 });
      }
      await last.check(root);
      await last.end();
    }),
    { numRuns },
  );
});
