import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import {
  createScriptedUpstream,
  failure,
} from '../../../tests/support/upstreams/scripted-upstream.ts';
import { inspectUpstreams } from '../../server/inspection.ts';
import { judgeSkew } from './clock.ts';
import type { Check } from '../command-context.ts';
import { inspectOpenFiles } from './runtime.ts';
import { judgeSpace } from './storage.ts';
import { judgeExpiry } from './tls.ts';

const gib = 1024 ** 3;
const limits = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}              20000                files\n`;
const day = 86_400_000;

const rows: readonly (readonly [string, Check, Check['result']])[] = [
  ['open files enough for the connections', inspectOpenFiles(limits('12048'), 10_000), 'success'],
  ['open files one too few', inspectOpenFiles(limits('12047'), 10_000), 'warning'],
  ['open files without a limit', inspectOpenFiles(limits('unlimited'), 10_000), 'success'],
  ['a system without /proc', inspectOpenFiles(undefined, 10_000), 'success'],
  ['a clock 30 s ahead', judgeSkew(30_000, 'u'), 'success'],
  ['a clock 31 s behind', judgeSkew(-31_000, 'u'), 'warning'],
  ['a clock over five minutes ahead', judgeSkew(300_001, 'u'), 'error'],
  ['space over the share', judgeSpace(6 * gib, 100 * gib, { share: 0.05 }), 'success'],
  ['space under the share', judgeSpace(4 * gib, 100 * gib, { share: 0.05 }), 'warning'],
  [
    'space under 1 GiB whatever the setting',
    judgeSpace(gib - 1, 100 * gib, { bytes: 0 }),
    'warning',
  ],
  ['a certificate of a year', judgeExpiry(new Date(365 * day), 0), 'success'],
  ['a certificate of 20 days', judgeExpiry(new Date(20 * day), 0), 'warning'],
  ['a certificate of yesterday', judgeExpiry(new Date(0), day), 'error'],
];

suite('what a doctor finds', () => {
  for (const [name, check, result] of rows)
    test(`${name}: ${result}`, () => {
      assert.equal(check.result, result);
      assert.equal(check.error === undefined, result === 'success');
    });
});

suite('upstreams', () => {
  const signal = new AbortController().signal;
  const builtin = testRule({ prefix: 'builtin', origin: 'builtin' });
  const file = testRule({
    prefix: 'file',
    urls: [{ origin: 'http://other', host: 'other', plain: true }],
  });
  const failing = (...hosts: string[]) => {
    const upstream = createScriptedUpstream();
    upstream.before = ({ host }) => {
      if (hosts.includes(host)) throw failure('network', undefined, host);
    };
    return upstream;
  };
  const results = async (...hosts: string[]): Promise<string[]> =>
    (await inspectUpstreams([builtin, file], failing(...hosts), signal)).map(
      ({ result }) => result,
    );

  test('that answer are in order', async () => {
    assert.deepEqual(await results(), ['success', 'success']);
  });
  test('built in and out of reach are a warning, since nobody asked for them', async () => {
    assert.deepEqual(await results('upstream'), ['warning', 'success']);
  });
  test('of the file and out of reach are an error', async () => {
    assert.deepEqual(await results('other'), ['success', 'error']);
  });
  test('all out of reach are errors', async () => {
    assert.deepEqual(await results('upstream', 'other'), ['error', 'error']);
  });
  test('that want a credential say so', async () => {
    const upstream = createScriptedUpstream();
    upstream.before = () => {
      throw failure('denied', 401);
    };
    const [check] = await inspectUpstreams([file], upstream, signal);
    assert.equal(check?.hint, 'the registry wants a credential: name one in the rule');
  });
  test('of Docker Hub are asked what is left of the quota, with one HEAD', async () => {
    const upstream = createScriptedUpstream();
    const limit = {
      upstream: 'upstream',
      limit: 100,
      remaining: 3,
      windowSeconds: 21_600,
      account: '',
      resetAt: undefined,
      observedAt: 0,
    };
    const state = {
      upstream: 'upstream',
      breaker: 'closed',
      restsUntil: undefined,
      heldUntil: undefined,
      lastSuccessAt: undefined,
      lastFailure: undefined,
      last: undefined,
      limit,
    } as const;
    upstream.putManifest('ratelimitpreview/test', {}, 'application/json', 'latest');
    const hub = testRule({ prefix: 'docker.io', upstreamHost: 'docker.io' });
    const checks = await inspectUpstreams([hub], { ...upstream, state: () => state }, signal);
    assert.deepEqual(
      checks.map(({ description, result }) => [description.replace(/ \(.*/, ''), result]),
      [
        ['docker.io: http://upstream answers', 'success'],
        ['docker.io: 3 of 100 pulls left per 6 h', 'warning'],
      ],
    );
  });
});
