import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteSpan } from '../../domain/byte-source.ts';
import { bytesBetween } from '../disk/buffers.ts';
import { bytesIn, clipSpans, enterSpan, missingIn } from './spans.ts';

const span = fc
  .tuple(fc.nat(60), fc.nat(20))
  .map(([start, more]) => ({ start, end: start + more }));

function positions(spans: readonly ByteSpan[]): Set<number> {
  const all = new Set<number>();
  for (const { start, end } of spans) for (let at = start; at <= end; at += 1) all.add(at);
  return all;
}

test('entered spans stay sorted, disjoint, never touching, and hold what was entered', () => {
  fc.assert(
    fc.property(fc.array(span), (added) => {
      const spans: ByteSpan[] = [];
      for (const one of added) enterSpan(spans, one);
      assert.deepEqual(positions(spans), new Set([...positions(added)].sort((a, b) => a - b)));
      assert.equal(bytesIn(spans), positions(added).size);
      for (const [i, { start }] of spans.entries()) {
        assert.ok(i === 0 || start > spans[i - 1]!.end + 1);
      }
    }),
  );
});

test('what is missing is what was wanted and has not been entered', () => {
  fc.assert(
    fc.property(fc.array(span), span, (added, wanted) => {
      const spans: ByteSpan[] = [];
      for (const one of added) enterSpan(spans, one);
      const missing = missingIn(spans, wanted);
      assert.deepEqual(positions(missing), positions([wanted]).difference(positions(spans)));
    }),
  );
});

test('clipped spans end below the length', () => {
  const spans = [
    { start: 0, end: 4 },
    { start: 8, end: 9 },
    { start: 12, end: 20 },
  ];
  assert.deepEqual(clipSpans(spans, 9), [
    { start: 0, end: 4 },
    { start: 8, end: 8 },
  ]);
  assert.deepEqual(clipSpans(spans, 0), []);
  assert.deepEqual(clipSpans(spans, 100), spans);
});

test('a cut through buffers gives the bytes between, and copies none', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 9 })),
      fc.nat(40),
      fc.nat(40),
      (buffers, a, b) => {
        const whole = Buffer.concat(buffers);
        const parts = bytesBetween(buffers, a, b);
        assert.deepEqual(Buffer.concat(parts), whole.subarray(a, b));
        assert.ok(parts.every((part) => buffers.some((buffer) => buffer.buffer === part.buffer)));
      },
    ),
  );
});
