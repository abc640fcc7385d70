import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { awsManagedPolicies } from './aws-managed-policies.ts';
import {
  managedPolicyCharactersMax,
  parseManagedPolicyArn,
  policyCharacters,
} from './managed-policy.ts';
import { parsePolicy } from './parser.ts';

suite('AWS’s managed policies', () => {
  for (const [arn, { name, path, text, version, createdAt, updatedAt }] of awsManagedPolicies)
    test(`${name} is a policy of the language, under its ARN`, () => {
      deepEqual(parseManagedPolicyArn(arn), { account: 'aws', path, name });
      ok(parsePolicy(text, 'identity').statements.length > 0);
      ok(policyCharacters(text) <= managedPolicyCharactersMax);
      ok(version >= 1 && createdAt <= updatedAt && createdAt > Date.UTC(2015));
    });

  const allowed: readonly (readonly [name: string, action: string, allows: boolean])[] = [
    ['AmazonEC2ContainerRegistryReadOnly', 'ecr:batchgetimage', true],
    ['AmazonEC2ContainerRegistryReadOnly', 'ecr:batchimportupstreamimage', false],
    ['AmazonEC2ContainerRegistryReadOnly', 'ecr:putimage', false],
    ['AmazonEC2ContainerRegistryPullOnly', 'ecr:batchimportupstreamimage', true],
    ['AmazonEC2ContainerRegistryPullOnly', 'ecr:createrepository', false],
    ['AmazonEC2ContainerRegistryPowerUser', 'ecr:putimage', true],
    ['AmazonEC2ContainerRegistryPowerUser', 'ecr:deleterepository', false],
    ['AmazonEC2ContainerRegistryFullAccess', 'ecr:*', true],
    ['AmazonEKSWorkerNodePolicy', 'ecr:batchgetimage', false],
  ];
  for (const [name, action, allows] of allowed)
    test(`${name} ${allows ? 'names' : 'does not name'} ${action}`, () => {
      const { text = '' } = awsManagedPolicies.get(`arn:aws:iam::aws:policy/${name}`) ?? {};
      const { statements } = parsePolicy(text, 'identity');
      equal(
        statements.some(({ actions }) => actions?.includes(action) ?? false),
        allows,
      );
    });
});
