import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRetryAfter, sentAt, waitSaidIn } from './retry-after.ts';

const now = Date.UTC(2026, 10, 20, 12, 0, 0);

const headers: readonly (readonly [string, string | undefined, number | undefined])[] = [
  ['absent', undefined, undefined],
  ['seconds', '30', 30_000],
  ['zero', '0', undefined],
  ['a day', '86400', 900_000],
  ['spaces around', ' 5 ', 5000],
  ['a fraction of seconds', '1.5', 1500],
  ['microseconds as GHCR writes them', '985.86µs', 1],
  ['microseconds with the Greek letter', '985.86μs', 1],
  ['microseconds whose UTF-8 was read as Latin-1', '985.86Âµs', 1],
  ['microseconds in ASCII', '1500us', 2],
  ['milliseconds', '10.305464ms', 11],
  ['a duration of two units', '1m30s', 90_000],
  ['an hour', '1h', 900_000],
  ['words', '2 minutes', 120_000],
  ['an epoch in seconds', String(now / 1000 + 7), 7000],
  ['an IMF date', 'Fri, 20 Nov 2026 12:02:00 GMT', 120_000],
  ['an RFC 850 date', 'Friday, 20-Nov-26 12:00:10 GMT', 10_000],
  ['an asctime date', 'Fri Nov 20 12:00:10 2026 GMT', 10_000],
  ['a moment of RFC 3339', '2026-11-20T12:00:10Z', 10_000],
  ['a date in the past', 'Fri, 20 Nov 2026 11:00:00 GMT', undefined],
  ['a date far ahead', 'Fri, 20 Nov 2099 12:00:00 GMT', 900_000],
  ['a negative number', '-5', undefined],
  ['another unit', '5 apples', undefined],
  ['an amount and a lone number', '5m 3', undefined],
  ['rubbish', 'soon', undefined],
  ['empty', '', undefined],
];
for (const [name, header, expected] of headers) {
  test(`Retry-After: ${name}`, () => assert.equal(parseRetryAfter(header, now), expected));
}

const message = (text: string): string =>
  JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: text }] });
const bodies: readonly (readonly [string, string, number | undefined])[] = [
  ['GHCR’s', message('retry-after: 985.86µs, allowed: 44000/minute'), 1],
  ['GHCR’s, a millisecond', message('retry-after: 1.16676ms, allowed: 44000/minute'), 2],
  ['Docker Hub’s abuse limiter, which names none', 'Too Many Requests (HAP429).\n', undefined],
  ['Docker Hub’s pull limit', message('You have reached your pull rate limit.'), undefined],
  ['a sentence', 'Please try again in 30 seconds.', 30_000],
  ['a sentence without a unit', 'retry in 5, please', 5000],
  ['a number in a field', '{"retry_after": 5}', 5000],
  ['a text in a field', '{"retryAfter":"1m30s"}', 90_000],
  ['a moment in a field', '{"retry_after":"2026-11-20T12:00:10Z"}', 10_000],
  ['a moment with an offset', '{"retry_after":"2026-11-20T13:00:10.5+01:00"}', 10_500],
  ['a moment without one', 'retry after 2026-11-20 12:00:10', 10_000],
  ['a moment that is past', '{"retry_after":"2026-11-19T12:00:10Z"}', undefined],
  ['no number', 'retry after the moon has set', undefined],
  ['nothing', '', undefined],
];
for (const [name, body, expected] of bodies) {
  test(`the wait in a 429’s body: ${name}`, () => assert.equal(waitSaidIn(body, now), expected));
}

test('a wait read from any text is a whole number of milliseconds between 1 and 15 min, or none', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.integer().map(String),
    fc.double().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.stringMatching(/^[0-9.]{1,12}(?:ns|us|µs|ms|s|m|h)[0-9.]{0,8}(?:ms|s|m)?$/),
  );
  fc.assert(
    fc.property(text, (said) => {
      for (const ms of [
        parseRetryAfter(said, now),
        waitSaidIn(said, now),
        waitSaidIn(`retry-after: ${said}`, now),
      ]) {
        if (ms !== undefined) assert.ok(Number.isSafeInteger(ms) && ms >= 1 && ms <= 900_000);
      }
    }),
  );
});

test('a duration as Go formats it is read, in a header and in a message', () => {
  const duration = fc.record({
    m: fc.integer({ min: 0, max: 14 }),
    s: fc.integer({ min: 0, max: 59 }),
    ms: fc.integer({ min: 0, max: 999 }),
  });
  fc.assert(
    fc.property(duration, ({ m, s, ms }) => {
      const total = (m * 60 + s) * 1000 + ms;
      fc.pre(total > 0);
      const seconds = `${s}${ms === 0 ? '' : `.${String(ms).padStart(3, '0').replace(/0+$/, '')}`}s`;
      const text = m > 0 ? `${m}m${seconds}` : s > 0 ? seconds : `${ms}ms`;
      // A tenth of a millisecond more may come of binary fractions, and is rounded up.
      assert.ok(Math.abs(parseRetryAfter(text, now)! - total) <= 1);
      assert.equal(
        waitSaidIn(message(`retry-after: ${text}, allowed: 5/minute`), now),
        parseRetryAfter(text, now),
      );
    }),
  );
});

test('no text makes the parser run long', () => {
  const started = performance.now();
  for (const text of [
    'retry '.repeat(200_000),
    '1'.repeat(500_000),
    'retry-after:'.repeat(90_000),
  ]) {
    parseRetryAfter(text, now);
    waitSaidIn(text, now);
  }
  assert.ok(performance.now() - started < 1000);
});

const sent = 'Fri, 20 Nov 2026 11:00:00 GMT';
const answers: readonly (readonly [string, string | undefined, string, number | undefined])[] = [
  [
    'a date, by an upstream whose clock is an hour behind ours',
    sent,
    'Fri, 20 Nov 2026 11:00:30 GMT',
    30_000,
  ],
  ['its own date in the past', sent, 'Fri, 20 Nov 2026 10:00:00 GMT', undefined],
  ['a date without its own', undefined, 'Fri, 20 Nov 2026 12:00:30 GMT', 30_000],
  ['a date beside one that cannot be read', 'yesterday', 'Fri, 20 Nov 2026 12:00:30 GMT', 30_000],
  ['seconds', sent, '30', 30_000],
];
for (const [name, date, header, ms] of answers)
  test(`of an answer: ${name}`, () => assert.equal(parseRetryAfter(header, sentAt(date, now)), ms));
