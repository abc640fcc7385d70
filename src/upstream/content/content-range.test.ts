import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatContentRange } from '../../domain/byte-range.ts';
import { answersRange, parseContentRange } from './content-range.ts';

const bad = [
  undefined,
  '',
  'bytes */5',
  'bytes */*',
  'bytes=0-9/10',
  'bytes 0-/10',
  'bytes -9/10',
  'bytes 0-9/10 x',
  'bytes 0-9007199254740993/9007199254740995',
  'bytes 5-4/10',
  'bytes 0-10/10',
  'items 0-1/2',
  'bytes 0-1',
  'bytes a-b/c',
  'bytes 0-99999999999999999/*',
];
for (const text of bad) {
  test(`"${text}" is no Content-Range`, () => assert.equal(parseContentRange(text), undefined));
}

test('the unit may be written in any case', () => {
  assert.deepEqual(parseContentRange('Bytes 5-5/10'), { start: 5, end: 5, total: 10 });
});

test('a written Content-Range is read as the same', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.nat(1000),
      fc.nat(1000),
      fc.boolean(),
      (start, length, rest, known) => {
        const end = start + length;
        const total = known ? end + 1 + rest : undefined;
        fc.pre(Number.isSafeInteger(end + 1 + rest));
        const text = formatContentRange({ start, end }, total);
        assert.deepEqual(parseContentRange(text), { start, end, total });
        assert.equal(parseContentRange(formatContentRange(undefined, start)), undefined);
      },
    ),
  );
});

test('a total may be left open', () => {
  assert.deepEqual(parseContentRange('bytes 3-9/*'), { start: 3, end: 9, total: undefined });
});

const span = fc.tuple(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 1000 }));

test('the range that a right server gives answers what was asked, and every shifted one does not', () => {
  fc.assert(
    fc.property(span, fc.boolean(), ([start, more, rest], open) => {
      const total = start + more + rest;
      const asked = open ? { start } : { start, end: start + more };
      const end = open ? total - 1 : start + more;
      const given = parseContentRange(`bytes ${start}-${end}/${total}`);
      assert.equal(given !== undefined && answersRange(given, asked), true);
      assert.equal(answersRange({ start: start + 1, end, total }, asked), false);
      assert.equal(answersRange({ start, end: end - 1, total }, asked), false);
    }),
  );
});

test('an end beyond the blob is cut to its last byte', () => {
  assert.equal(answersRange({ start: 5, end: 9, total: 10 }, { start: 5, end: 100 }), true);
});
