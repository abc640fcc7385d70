import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { knownConditionKeys } from '../../domain/policy/warnings.ts';
import { anonymousCaller } from '../access.ts';
import { conditionContext } from './context.ts';

test('no policy is warned of a key that requests have', () => {
  const from = {
    address: '192.0.2.1',
    secure: true,
    isLoopback: false,
    userAgent: 'docker',
    requestId: 'r',
  };
  const context = conditionContext(
    {
      caller: anonymousCaller,
      action: 'ecr:BatchGetImage',
      registry: '000000000000/us-east-1',
      repository: undefined,
      rule: undefined,
      from,
    },
    0,
  );
  for (const key of context.keys()) ok(knownConditionKeys.has(key), key);
});
