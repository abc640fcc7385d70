import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatContentRange, parseRange } from './byte-range.ts';
import type { ByteSpan } from './byte-source.ts';

const ranges: readonly (readonly [
  string | undefined,
  number,
  ByteSpan | 'whole' | 'unsatisfiable',
])[] = [
  [undefined, 10, 'whole'],
  ['', 10, 'whole'],
  ['bytes=0-', 10, { start: 0, end: 9 }],
  ['bytes=0-0', 10, { start: 0, end: 0 }],
  ['bytes=3-5', 10, { start: 3, end: 5 }],
  ['BYTES=3-5', 10, { start: 3, end: 5 }],
  ['bytes=9-', 10, { start: 9, end: 9 }],
  ['bytes=3-999', 10, { start: 3, end: 9 }],
  [`bytes=3-${'9'.repeat(400)}`, 10, { start: 3, end: 9 }],
  ['bytes=-3', 10, { start: 7, end: 9 }],
  ['bytes=-10', 10, { start: 0, end: 9 }],
  ['bytes=-999', 10, { start: 0, end: 9 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=10-20', 10, 'unsatisfiable'],
  [`bytes=${'9'.repeat(400)}-`, 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=5-3', 10, 'unsatisfiable'],
  ['bytes=-', 10, 'whole'],
  ['bytes=', 10, 'whole'],
  ['bytes', 10, 'whole'],
  ['bytes=a-b', 10, 'whole'],
  ['bytes=0x1-2', 10, 'whole'],
  ['bytes=1.5-2', 10, 'whole'],
  ['bytes=--3', 10, 'whole'],
  ['bytes=+1-2', 10, 'whole'],
  ['bytes=0-1,3-4', 10, 'whole'],
  ['bytes=0-1,', 10, 'whole'],
  ['items=0-5', 10, 'whole'],
  ['bytes=0-', 0, 'whole'],
  ['bytes=-5', 0, 'whole'],
  ['bytes=1-', 0, 'unsatisfiable'],
];
for (const [header, size, expected] of ranges) {
  const shown = JSON.stringify(header?.slice(0, 40) ?? null);
  test(`T36: Range ${shown} of ${size} bytes is ${JSON.stringify(expected)}`, () => {
    const parsed = parseRange(header, size);
    assert.deepEqual(
      parsed,
      typeof expected === 'string' ? { kind: expected } : { kind: 'span', span: expected },
    );
  });
}

test('a span of any range lies within the body', () => {
  const bound = fc.option(fc.nat(100), { nil: '' });
  fc.assert(
    fc.property(bound, bound, fc.nat(50), (first, last, size) => {
      const parsed = parseRange(`bytes=${first}-${last}`, size);
      if (parsed.kind !== 'span') return;
      assert.ok(
        parsed.span.start >= 0 && parsed.span.start <= parsed.span.end && parsed.span.end < size,
      );
    }),
  );
});

test('a range from N > 0 on is never the whole', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.nat(), (start, size) => {
      assert.notEqual(parseRange(`bytes=${start}-`, size).kind, 'whole');
    }),
  );
});

test('a written Content-Range', () => {
  assert.equal(formatContentRange({ start: 3, end: 9 }, 10), 'bytes 3-9/10');
  assert.equal(formatContentRange({ start: 3, end: 9 }, undefined), 'bytes 3-9/*');
  assert.equal(formatContentRange(undefined, 10), 'bytes */10');
});
