import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { ByteSpan } from '../../domain/byte-source.ts';
import { bytesIn } from '../../domain/byte-spans.ts';
import { PiecePlan } from './piece-plan.ts';

/** A blob that came in part: spans that are sorted and never touch. */
const partial = fc
  .record({
    size: fc.integer({ min: 1, max: 2000 }),
    cuts: fc.uniqueArray(fc.nat({ max: 2000 }), { maxLength: 8 }),
    pieceBytes: fc.integer({ min: 1, max: 600 }),
    waiting: fc.array(fc.nat({ max: 1999 }), { maxLength: 3 }),
  })
  .map(({ size, cuts, ...rest }) => {
    const at = cuts.filter((cut) => cut < size).toSorted((a, b) => a - b);
    const arrived: ByteSpan[] = [];
    for (let index = 0; index + 1 < at.length; index += 2)
      arrived.push({ start: at[index]!, end: at[index + 1]! - 1 });
    return { size, arrived, ...rest };
  });

suite('the pieces of a blob', () => {
  test('cover what is missing, each byte once, none larger than asked', () => {
    fc.assert(
      fc.property(partial, ({ size, arrived, pieceBytes, waiting }) => {
        const plan = new PiecePlan();
        const pieces: ByteSpan[] = [];
        for (;;) {
          const left = plan.unclaimed(arrived, size);
          assert.equal(left, size - bytesIn(arrived) - bytesIn(pieces));
          const piece = plan.claim(arrived, size, pieceBytes, waiting);
          if (piece === undefined) break;
          assert.ok(piece.end - piece.start < pieceBytes);
          pieces.push(piece);
        }
        const seen = new Set<number>();
        for (const { start, end } of [...arrived, ...pieces]) {
          for (let at = start; at <= end; at += 1) {
            assert.ok(at < size && !seen.has(at), `byte ${at}`);
            seen.add(at);
          }
        }
        assert.equal(seen.size, size);
      }),
    );
  });

  test('come first from where a reader waits', () => {
    const plan = new PiecePlan();
    assert.deepEqual(plan.claim([], 1000, 100, [650, 300]), { start: 300, end: 399 });
    assert.deepEqual(plan.claim([], 1000, 100, [650, 300]), { start: 400, end: 499 });
    assert.deepEqual(plan.claim([], 1000, 100, [650]), { start: 650, end: 749 });
    assert.deepEqual(plan.claim([], 1000, 100, []), { start: 0, end: 99 });
  });

  test('that were given back are asked for again', () => {
    const plan = new PiecePlan();
    const piece = plan.claim([], 100, 100, [])!;
    assert.equal(plan.claim([], 100, 100, []), undefined);
    plan.release(piece);
    assert.deepEqual(plan.claimRest([], 100), { start: 0, end: 99 });
  });
});
