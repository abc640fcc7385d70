import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLimit } from './rate-limit.ts';
import { createSecrets } from '../redaction.ts';

const secrets = createSecrets({ username: 'robot', accessToken: 'sesame-open-42' });

const read = (headers: Readonly<Record<string, string>>): unknown => {
  const limit = readLimit({ headers, secrets }, 'docker.io', 1000);
  return limit && [limit.limit, limit.remaining, limit.windowSeconds, limit.account, limit.resetAt];
};

const rows: readonly (readonly [string, Readonly<Record<string, string>>, unknown])[] = [
  ['no headers', {}, undefined],
  [
    'a source that is the credential',
    {
      'ratelimit-limit': '100;w=21600',
      'ratelimit-remaining': '99;w=21600',
      'docker-ratelimit-source': 'robot:sesame-open-42',
    },
    [100, 99, 21_600, '', undefined],
  ],
  ['one of two', { 'ratelimit-limit': '100;w=21600' }, undefined],
  [
    'Docker Hub',
    {
      'ratelimit-limit': '100;w=21600',
      'ratelimit-remaining': '99;w=21600',
      'docker-ratelimit-source': 'a1b2',
    },
    [100, 99, 21_600, 'a1b2', undefined],
  ],
  [
    'without a window',
    { 'ratelimit-limit': '100', 'ratelimit-remaining': '0' },
    [100, 0, 0, '', undefined],
  ],
  [
    'a reset in seconds',
    { 'ratelimit-limit': '5', 'ratelimit-remaining': '1', 'ratelimit-reset': '30' },
    [5, 1, 0, '', 31_000],
  ],
  [
    'a reset as an epoch',
    { 'ratelimit-limit': '5', 'ratelimit-remaining': '1', 'ratelimit-reset': '1800000000' },
    [5, 1, 0, '', 1_800_000_000_000],
  ],
  ['rubbish', { 'ratelimit-limit': 'lots', 'ratelimit-remaining': '-4' }, undefined],
  [
    'an account with control characters',
    { 'ratelimit-limit': '5', 'ratelimit-remaining': '1', 'docker-ratelimit-source': 'a b"c' },
    [5, 1, 0, '', undefined],
  ],
];
for (const [name, headers, expected] of rows) {
  test(`T27: a quota is read: ${name}`, () => assert.deepEqual(read(headers), expected));
}
