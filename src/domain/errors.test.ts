import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from './errors.ts';
import type { FailureKind } from './upstream-failure.ts';
import { UpstreamFailure, answerOf } from './upstream-failure.ts';
import type { CacheOutcome } from './verdict.ts';
import { formatCacheStatus } from './verdict.ts';

test('an error keeps its code, detail, wait and cause', () => {
  const cause = new Error('below');
  const error = new RegistryError('unavailable', 'down', {
    detail: { a: 1 },
    retryAfterMs: 5,
    cause,
  });
  assert.ok(error instanceof Error);
  assert.deepEqual(
    [error.name, error.code, error.message, error.detail, error.retryAfterMs, error.cause],
    ['RegistryError', 'unavailable', 'down', { a: 1 }, 5, cause],
  );
});

test('an error without options has no cause of its own', () => {
  assert.equal(Object.hasOwn(new RegistryError('denied', 'no'), 'cause'), false);
});

const answers: readonly (readonly [FailureKind, string, number | undefined])[] = [
  ['notFound', 'manifestUnknown', undefined],
  ['denied', 'denied', undefined],
  ['rateLimited', 'tooManyRequests', 60_000],
  ['network', 'unavailable', 1000],
  ['timeout', 'upstreamTimeout', undefined],
  ['serverError', 'upstreamInvalid', undefined],
  ['invalid', 'upstreamInvalid', undefined],
];
for (const [kind, code, retryAfterMs] of answers) {
  test(`T44: a failure of the kind ${kind} is answered as ${code}, with its cause`, () => {
    const failure = new UpstreamFailure('said so', {
      kind,
      reason: 'status',
      upstream: 'quay.io',
      status: 418,
    });
    const answer = answerOf(failure, 'manifest');
    assert.equal(answer.code, code);
    assert.equal(answer.retryAfterMs, retryAfterMs);
    assert.deepEqual(answer.detail, {
      upstream: 'quay.io',
      cause: 'status',
      status: 418,
      message: 'said so',
    });
    assert.equal(answer.cause, failure);
  });
}

const serverErrors: readonly (readonly [number, number | undefined, string, number | undefined])[] =
  [
    [500, 7000, 'upstreamInvalid', undefined],
    [502, undefined, 'upstreamInvalid', undefined],
    [503, 7000, 'unavailable', 7000],
    [503, undefined, 'unavailable', 1000],
    [504, 7000, 'upstreamInvalid', undefined],
  ];
for (const [status, wait, code, retryAfterMs] of serverErrors) {
  test(`an upstream’s ${status} ${wait === undefined ? 'without' : 'with'} Retry-After is answered as ${code}`, () => {
    const failure = new UpstreamFailure('said so', {
      kind: 'serverError',
      reason: 'status',
      upstream: 'quay.io',
      status,
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
    });
    const answer = answerOf(failure, 'blob');
    assert.deepEqual([answer.code, answer.retryAfterMs], [code, retryAfterMs]);
  });
}

for (const [subject, code] of [
  ['blob', 'blobUnknown'],
  ['tags', 'nameUnknown'],
  ['referrers', 'nameUnknown'],
] as const) {
  test(`an unknown ${subject} upstream is ${code}`, () => {
    const failure = new UpstreamFailure('no', {
      kind: 'notFound',
      reason: 'status',
      upstream: 'quay.io',
    });
    assert.equal(answerOf(failure, subject).code, code);
  });
}

const outcomes: readonly (readonly [CacheOutcome, string])[] = [
  [{ verdict: 'hit', ttlSeconds: 12.9 }, 'Breakwater; hit; ttl=12'],
  [
    { verdict: 'stale', ttlSeconds: -3, detail: 'upstream gone' },
    'Breakwater; hit; ttl=-3; detail="upstream gone"',
  ],
  [{ verdict: 'negative' }, 'Breakwater; hit'],
  [{ verdict: 'miss', upstreamStatus: 200 }, 'Breakwater; fwd=uri-miss; stored; fwd-status=200'],
  [{ verdict: 'coalesced' }, 'Breakwater; fwd=uri-miss; collapsed'],
  [{ verdict: 'revalidated', upstreamStatus: 304 }, 'Breakwater; fwd=stale; fwd-status=304'],
  [{ verdict: 'bypass' }, 'Breakwater; fwd=bypass'],
  [{ verdict: 'error', detail: 'a"b\r\nc\\d é' }, 'Breakwater; fwd=uri-miss; detail="a_b__c_d _"'],
];
for (const [outcome, header] of outcomes) {
  test(`a verdict of ${outcome.verdict} reads ${JSON.stringify(header)}`, () => {
    assert.equal(formatCacheStatus(outcome), header);
  });
}
