import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contiguousUntil } from '../../src/domain/byte-spans.ts';
import type { ByteSpan } from '../../src/domain/byte-source.ts';
import type { SpoolFile } from '../../src/ports/spool.ts';
import { createFileStorage } from '../../src/storage/file-storage.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import type { FakeClock } from '../support/rigs/fake-clock.ts';
import { PowerFailure, createPowerCut } from '../support/rigs/power-cut.ts';
import type { PowerCut } from '../support/rigs/power-cut.ts';
import {
  blobBytes,
  listed,
  recordEvents,
  sample,
  temporaryFolder,
} from '../support/samples/storage-samples.ts';
import type { Sample } from '../support/samples/storage-samples.ts';

const blobs = [sample(0, 1), sample(700, 2), sample(3000, 3), sample(900, 4, 'sha512')];

type Step =
  | {
      readonly type: 'write';
      readonly key: number;
      readonly start: number;
      readonly length: number;
    }
  | { readonly type: 'journal' | 'finish' | 'close' | 'reset' | 'discard'; readonly key: number }
  | { readonly type: 'delete'; readonly key: number }
  /** The partial is known to be gone: the next is of other bytes. */
  | { readonly type: 'other'; readonly key: number }
  | { readonly type: 'tick'; readonly ms: number }
  | { readonly type: 'sweep' };

const key = fc.nat(blobs.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('write' as const),
      key,
      start: fc.nat(2999),
      length: fc.integer({ min: 1, max: 2000 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constantFrom('journal', 'finish', 'close', 'reset', 'discard', 'finish', 'finish'),
      key,
    }) as fc.Arbitrary<Step>,
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ type: 'tick' as const, ms: 5000 }) },
  { weight: 1, arbitrary: fc.constant({ type: 'sweep' as const }) },
);

const numRuns = Number(process.env['BREAKWATER_TEST_RUNS'] ?? 60);

/** A life of the process: its steps, and before which file-system call the power goes. */
const lifetime = fc.record({
  steps: fc.array(step, { maxLength: 25 }),
  cutAfter: fc.nat(150),
  kept: fc.infiniteStream(fc.boolean()),
});

/** Right and wrong bytes by turns: each fresh start of a partial writes the other, so that old bytes are told from new. */
function variant({ bytes }: Sample, wrong: boolean): Uint8Array {
  return wrong ? bytes.map((byte) => byte ^ 0xff) : bytes;
}

/** What the test knows must hold, whatever happens to the process. */
class Expectations {
  /** Adoption was acknowledged, and no deletion asked for since. */
  readonly adopted: Set<Sample> = new Set();
  /** Which variants a partial may hold. */
  readonly variants: boolean[][] = blobs.map(() => [false]);
  /** What an acknowledged journal keeps until the partial is given up or adopted. */
  readonly journalled: ByteSpan[][] = blobs.map(() => []);

  async check(storage: Storage): Promise<void> {
    for (const digest of await listed(storage.blobs)) {
      const blob = blobs.find((known) => known.digest === digest);
      assert.ok(blob, `a blob nobody stored: ${digest}`);
      assert.deepEqual(await blobBytes(storage.blobs, digest), blob.bytes);
    }
    for (const { digest } of this.adopted) {
      assert.notEqual(await storage.blobs.size(digest), undefined, `lost: ${digest}`);
    }
  }

  async checkPartial(index: number, file: SpoolFile): Promise<void> {
    const blob = blobs[index]!;
    const allowed = this.variants[index]!;
    const matching: boolean[] = [];
    for (const wrong of allowed) if (await holds(file, variant(blob, wrong))) matching.push(wrong);
    assert.ok(matching.length > 0, `the partial of blob ${index} claims bytes that are not there`);
    if (file.arrived.length > 0) this.variants[index] = matching;
    for (const span of this.journalled[index]!) {
      const until = contiguousUntil(file.arrived, span.start);
      assert.ok(until > span.end, `the partial of blob ${index} lost journalled bytes`);
    }
  }
}

async function holds(file: SpoolFile, content: Uint8Array): Promise<boolean> {
  for (const { start, end } of file.arrived) {
    const into = new Uint8Array(end + 1 - start);
    assert.equal(await file.read(into, start), into.length);
    if (Buffer.compare(into, content.subarray(start, end + 1)) !== 0) return false;
  }
  return true;
}

/** One process over the power-cut folder; everything that it has open dies with it. */
class Life {
  readonly #storage: Storage;
  readonly #expectations: Expectations;
  readonly #clock: FakeClock;
  readonly #files = new Map<number, SpoolFile>();

  private constructor(storage: Storage, clock: FakeClock, expectations: Expectations) {
    this.#storage = storage;
    this.#clock = clock;
    this.#expectations = expectations;
  }

  static async start(power: PowerCut, path: string, expectations: Expectations): Promise<Life> {
    const clock = createFakeClock();
    const storage = await createFileStorage({
      dataDir: `${path}/data`,
      clock,
      events: recordEvents(),
      fileSystem: power.boot(),
      journalEveryBytes: 1500,
    });
    return new Life(storage, clock, expectations);
  }

  async #file(index: number): Promise<SpoolFile> {
    const open = this.#files.get(index);
    if (open !== undefined) return open;
    const file = await this.#storage.spool.open('owner', blobs[index]!.digest);
    this.#files.set(index, file);
    await this.#expectations.checkPartial(index, file);
    await file.expect(blobs[index]!.bytes.length);
    return file;
  }

  /** Writes what is missing of the span, in two pieces at once. */
  async #write(index: number, start: number, length: number): Promise<void> {
    const blob = blobs[index]!;
    const end = Math.min(start + length, blob.bytes.length);
    if (start >= end) return;
    const file = await this.#file(index);
    const allowed = this.#expectations.variants;
    if (file.arrived.length === 0) allowed[index] = allowed[index]!.slice(-1);
    const content = variant(blob, allowed[index]!.at(-1)!);
    const middle = Math.floor((start + end) / 2);
    await Promise.all([
      file.write(middle, [content.subarray(middle, end)]),
      file.write(start, [content.subarray(start, middle)]),
    ]);
  }

  async #finish(index: number): Promise<void> {
    const blob = blobs[index]!;
    await this.#write(index, 0, blob.bytes.length);
    const file = await this.#file(index);
    if (!(await file.verify())) return this.#forget(index, (wrong) => wrong.reset());
    this.#expectations.journalled[index] = [];
    await this.#storage.blobs.adopt(await file.seal(blob.digest));
    this.#expectations.adopted.add(blob);
    await this.#close(index);
  }

  /** Until it is done, a crash may leave the old bytes or none; the next to be written are the other variant. */
  async #forget(index: number, how: (file: SpoolFile) => Promise<void>): Promise<void> {
    const file = await this.#file(index);
    const old = this.#expectations.variants[index]!.at(-1)!;
    this.#expectations.journalled[index] = [];
    await how(file);
    this.#expectations.variants[index] = [!old];
  }

  async #close(index: number): Promise<void> {
    const file = this.#files.get(index);
    this.#files.delete(index);
    await file?.[Symbol.asyncDispose]();
  }

  async take(step: Step): Promise<void> {
    switch (step.type) {
      case 'write':
        return this.#write(step.key, step.start, step.length);
      case 'journal': {
        const file = await this.#file(step.key);
        await file.journal();
        this.#expectations.journalled[step.key] = [...file.arrived];
        return;
      }
      case 'finish':
        return this.#finish(step.key);
      case 'close':
        return this.#close(step.key);
      case 'reset':
        return this.#forget(step.key, (file) => file.reset());
      case 'discard':
        await this.#forget(step.key, (file) => file.discard());
        return this.#close(step.key);
      case 'delete':
        this.#expectations.adopted.delete(blobs[step.key]!);
        return this.#storage.blobs.delete(blobs[step.key]!.digest);
      case 'other':
        this.#expectations.journalled[step.key] = [];
        this.#expectations.variants[step.key] = [!this.#expectations.variants[step.key]!.at(-1)!];
        return;
      case 'tick':
        this.#clock.advance(step.ms);
        return;
      case 'sweep':
        return this.#storage.spool.sweep();
    }
  }

  /** Everything there is, checked as a later process finds it. */
  async check(): Promise<void> {
    await this.#expectations.check(this.#storage);
    for (const index of blobs.keys()) await this.#file(index);
    for (const index of blobs.keys()) await this.#close(index);
    await this.#storage.spool.sweep();
    await this.#expectations.check(this.#storage);
  }

  async end(): Promise<void> {
    for (const index of this.#files.keys()) await this.#close(index);
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

/** Runs the steps until the power goes, and checks what a later process finds. */
async function live(
  power: PowerCut,
  path: string,
  expectations: Expectations,
  steps: readonly Step[],
  keep: () => boolean,
): Promise<void> {
  let life: Life | undefined;
  await untilThePowerGoes(async () => {
    life = await Life.start(power, path, expectations);
    for (const step of steps) await life.take(step);
  });
  await power.crash(keep);
  await life?.end();
  const next = await Life.start(power, path, expectations);
  await next.check();
  await next.end();
  assert.equal(power.openDescriptors, 0);
}

test('a power cut at any call leaves whole blobs, keeps adopted ones, and journals claim only what is there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(lifetime, { minLength: 1, maxLength: 4 }), async (lives) => {
      using folder = temporaryFolder();
      const power = createPowerCut(folder.path);
      const expectations = new Expectations();
      for (const { steps, cutAfter, kept } of lives) {
        power.cutAfter(cutAfter);
        await live(power, folder.path, expectations, steps, () => kept.next().value);
      }
    }),
    { numRuns },
  );
});

const whole = (key: number): Step => ({ type: 'write', key, start: 0, length: 3000 });
const journalled: Step[] = [whole(2), { type: 'journal', key: 2 }];
const endings: Record<string, Step[]> = {
  reset: [{ type: 'reset', key: 2 }],
  discarded: [{ type: 'discard', key: 2 }],
  'adopted and deleted': [
    { type: 'finish', key: 2 },
    { type: 'delete', key: 2 },
    { type: 'other', key: 2 },
  ],
  'swept away': [
    { type: 'close', key: 2 },
    { type: 'other', key: 2 },
    { type: 'tick', ms: 25 * 60 * 60 * 1000 },
    { type: 'sweep' },
  ],
};

for (const [what, steps] of Object.entries(endings)) {
  test(`the journal of a partial that was ${what} never speaks for later bytes`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.boolean()), async (kept) => {
        using folder = temporaryFolder();
        const power = createPowerCut(folder.path);
        const all = [...journalled, ...steps, whole(2)];
        await live(power, folder.path, new Expectations(), all, () => kept.next().value);
      }),
      { numRuns },
    );
  });
}
