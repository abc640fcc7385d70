import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRetryAfter } from './retry-after.ts';

const now = Date.UTC(2026, 10, 20, 12, 0, 0);

const rows: readonly (readonly [string, string | undefined, number])[] = [
  ['absent', undefined, 60_000],
  ['seconds', '30', 30_000],
  ['zero', '0', 1000],
  ['a day', '86400', 900_000],
  ['spaces around', ' 5 ', 5000],
  ['an IMF date', 'Fri, 20 Nov 2026 12:02:00 GMT', 120_000],
  ['an RFC 850 date', 'Friday, 20-Nov-26 12:00:10 GMT', 10_000],
  ['an asctime date', 'Fri Nov 20 12:00:10 2026 GMT', 10_000],
  ['a date in the past', 'Fri, 20 Nov 2026 11:00:00 GMT', 1000],
  ['a date far ahead', 'Fri, 20 Nov 2099 12:00:00 GMT', 900_000],
  ['a negative number', '-5', 60_000],
  ['a fraction', '1.5', 60_000],
  ['rubbish', 'soon', 60_000],
  ['empty', '', 60_000],
];
for (const [name, header, expected] of rows) {
  test(`Retry-After: ${name}`, () => assert.equal(parseRetryAfter(header, now), expected));
}

test('Retry-After of any text is between 1 s and 15 min', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.integer().map(String),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      ),
      (text) => {
        const ms = parseRetryAfter(text, now);
        assert.equal(ms >= 1000 && ms <= 900_000, true);
      },
    ),
  );
});

test('Retry-After of seconds within the bounds is those seconds', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 900 }),
      (seconds) => parseRetryAfter(String(seconds), now) === seconds * 1000,
    ),
  );
});
