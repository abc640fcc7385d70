import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteSpan } from './byte-source.ts';
import { addSpan, bytesIn, clipSpans, contiguousUntil, missingIn } from './byte-spans.ts';

const span = fc
  .tuple(fc.nat(60), fc.nat(20))
  .map(([start, more]) => ({ start, end: start + more }));

function positions(spans: readonly ByteSpan[]): Set<number> {
  const all = new Set<number>();
  for (const { start, end } of spans) for (let at = start; at <= end; at += 1) all.add(at);
  return all;
}

function listOf(added: readonly ByteSpan[]): ByteSpan[] {
  const spans: ByteSpan[] = [];
  for (const one of added) addSpan(spans, one);
  return spans;
}

test('entered spans stay sorted, disjoint, never touching, and hold what was entered', () => {
  fc.assert(
    fc.property(fc.array(span), (added) => {
      const spans = listOf(added);
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
      const spans = listOf(added);
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

test('bytes read contiguous up to the first that is missing', () => {
  fc.assert(
    fc.property(fc.array(span), fc.nat(80), (added, position) => {
      const there = positions(added);
      let expected = position;
      while (there.has(expected)) expected += 1;
      assert.equal(contiguousUntil(listOf(added), position), expected);
    }),
  );
});

test('touching spans merge', () => {
  assert.deepEqual(
    listOf([
      { start: 0, end: 4 },
      { start: 10, end: 14 },
      { start: 5, end: 9 },
    ]),
    [{ start: 0, end: 14 }],
  );
});
