import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { UploadBudget } from './upload-budget.ts';
import type { UploadPart } from './upload-budget.ts';

const kib = 1024;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An upload whose writes end when the test says so. */
class Upload {
  readonly part: UploadPart;
  readonly name: string;
  gathered = 0;
  under = 0;
  waits = false;

  constructor(budget: UploadBudget, name: string, log: string[] = []) {
    this.name = name;
    this.part = budget.join(() => {
      log.push(name);
      this.writeOut();
    });
  }

  gather(bytes: number): void {
    this.gathered += this.part.gather(bytes);
  }

  writeOut(): void {
    this.part.writing(this.gathered);
    this.under += this.gathered;
    this.gathered = 0;
  }

  written(): void {
    const cost = this.under;
    this.under = 0;
    this.part.written(cost);
  }

  turn(): void {
    const turn = this.part.turn();
    this.waits = turn !== undefined;
    void turn?.then(() => (this.waits = false));
  }
}

suite('the memory of uploads', () => {
  test('is nobody’s to wait for while there is room', () => {
    const budget = new UploadBudget(1000 * kib);
    const one = new Upload(budget, 'one');
    one.gather(900 * kib);
    one.turn();
    equal(one.waits, false);
  });

  test('used up, is written out from the largest on, until half of it is on its way', () => {
    const log: string[] = [];
    const budget = new UploadBudget(1000 * kib);
    for (const [name, size] of [
      ['small', 100],
      ['large', 500],
      ['middle', 300],
    ] as const)
      new Upload(budget, name, log).gather(size * kib);
    const last = new Upload(budget, 'last', log);
    last.gather(200 * kib);
    last.turn();
    equal(last.waits, true);
    deepEqual(log, ['large', 'middle']);
  });

  test('that is free again goes to those who wait in their order, two chunks a turn', async () => {
    const budget = new UploadBudget(1000 * kib);
    const full = new Upload(budget, 'full');
    full.gather(1100 * kib);
    const waiting = ['a', 'b', 'c'].map((name) => new Upload(budget, name));
    for (const one of waiting) one.turn();
    // Gathered meanwhile by another: 100 KiB of room are left, for one.
    new Upload(budget, 'other').gather(800 * kib);
    full.written();
    await settled();
    deepEqual(
      waiting.map(({ waits }) => waits),
      [false, false, true],
    );
  });

  test('of one that left is free at once, and it waits no longer', async () => {
    const budget = new UploadBudget(1000 * kib);
    const [leaver, waiter, other] = ['leaver', 'waiter', 'other'].map(
      (name) => new Upload(budget, name),
    ) as [Upload, Upload, Upload];
    leaver.gather(2000 * kib);
    leaver.turn();
    waiter.turn();
    leaver.part[Symbol.dispose]();
    await settled();
    deepEqual([budget.usedBytes, waiter.waits, leaver.waits], [0, false, true]);
    other.turn();
    equal(other.waits, false);
  });

  test('of one-byte chunks is counted by what they cost', () => {
    const budget = new UploadBudget(1000 * kib);
    const dripper = new Upload(budget, 'dripper');
    for (let n = 0; n < 4000; n += 1) dripper.gather(1);
    dripper.turn();
    equal(dripper.waits, true);
  });
});

test('whatever uploads do, what is counted is what they hold, and once all is written nobody waits', async () => {
  const step = fc.record({
    kind: fc.constantFrom('gather' as const, 'turn' as const, 'written' as const, 'leave' as const),
    at: fc.nat(5),
    bytes: fc.integer({ min: 1, max: 400 * kib }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const budget = new UploadBudget(1000 * kib);
      const all = Array.from({ length: 6 }, (_, n) => new Upload(budget, String(n)));
      for (const { kind, at, bytes } of steps) {
        const one = all[at];
        if (one === undefined) continue;
        if (kind === 'gather' && !one.waits) one.gather(bytes);
        else if (kind === 'turn' && !one.waits) one.turn();
        else if (kind === 'written') one.written();
        else if (kind === 'leave') {
          one.part[Symbol.dispose]();
          all[at] = new Upload(budget, `${at}'`);
        }
        await settled();
        equal(
          budget.usedBytes,
          all.reduce((sum, { gathered, under }) => sum + gathered + under, 0),
        );
      }
      for (const one of all) {
        one.writeOut();
        one.written();
      }
      await settled();
      equal(budget.usedBytes, 0);
      ok(all.every(({ waits }) => !waits));
    }),
    { numRuns: 60 },
  );
});
