import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { requireScanning, scanningOf } from './scanning.ts';
import type { ScanningConfiguration } from './scanning.ts';

const onPush = (...filters: string[]) => ({ frequency: 'SCAN_ON_PUSH', filters }) as const;
const always = (...filters: string[]) => ({ frequency: 'CONTINUOUS_SCAN', filters }) as const;
const basic = (...rules: ScanningConfiguration['rules']): ScanningConfiguration => ({
  type: 'BASIC',
  rules,
});
const enhanced = (...rules: ScanningConfiguration['rules']): ScanningConfiguration => ({
  type: 'ENHANCED',
  rules,
});

suite('how a repository is scanned', () => {
  for (const [what, configuration, repository, scanOnPush, frequency, filters] of [
    ['nothing said', basic(), 'a', false, 'MANUAL', []],
    ['its own setting', basic(), 'a', true, 'SCAN_ON_PUSH', []],
    [
      'a text in the middle of its name',
      basic(onPush('prod', 'x')),
      'repo-prod-repo',
      false,
      'SCAN_ON_PUSH',
      ['prod'],
    ],
    [
      'a wildcard, which is the whole name',
      basic(onPush('prod*')),
      'repo-prod',
      false,
      'MANUAL',
      [],
    ],
    ['a wildcard at its end', basic(onPush('prod*')), 'prod/app', false, 'SCAN_ON_PUSH', ['prod*']],
    [
      'both rules: the continuous one',
      enhanced(onPush('a'), always('*')),
      'a',
      false,
      'CONTINUOUS_SCAN',
      ['*'],
    ],
    ['enhanced without rules', enhanced(), 'a', false, 'CONTINUOUS_SCAN', []],
    ['enhanced with rules for others', enhanced(onPush('b')), 'a', true, 'MANUAL', []],
  ] as const)
    test(`${what}: ${frequency}`, () => {
      assert.deepEqual(scanningOf(configuration, repository, scanOnPush), { frequency, filters });
    });

  for (const [what, configuration, why] of [
    ['continuous scans of BASIC', basic(always('*')), /BASIC scans on push alone/],
    ['a rule that is MANUAL', enhanced({ frequency: 'MANUAL', filters: ['*'] }), /MANUAL/],
    ['two rules of one frequency', enhanced(onPush('a'), onPush('b')), /one rule at most/],
  ] as const)
    test(`${what} are refused`, () => {
      assert.throws(() => requireScanning(configuration), why);
    });
});
