import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home } from '../../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../../tests/support/rigs/aws-rig.ts';

const at = Date.parse('2026-01-01T00:00:00Z') / 1000;
const whole = {
  prefix: 'team/',
  description: 'of the team',
  encryptionConfiguration: {
    encryptionType: 'KMS',
    kmsKey: `arn:aws:kms:us-east-1:${home}:key/k1`,
  },
  resourceTags: [{ Key: 'team', Value: 'a' }],
  imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
  imageTagMutabilityExclusionFilters: [{ filter: 'dev-*', filterType: 'WILDCARD' }],
  appliedFor: ['PULL_THROUGH_CACHE', 'CREATE_ON_PUSH'],
  customRoleArn: `arn:aws:iam::${home}:role/templates`,
};

suite('repository creation templates', () => {
  test('a template is made, described, changed by members, and deleted, as it was given', async () => {
    await using aws = await openAws();
    const expected = { ...whole, createdAt: at, updatedAt: at };
    const answer = { registryId: home, repositoryCreationTemplate: expected };
    const made = await aws.ecr('CreateRepositoryCreationTemplate', whole);
    assert.deepEqual(made.json, answer, made.text);
    const named = await aws.ecr('DescribeRepositoryCreationTemplates', {
      prefixes: ['team', 'none'],
    });
    assert.deepEqual(named.json, { registryId: home, repositoryCreationTemplates: [expected] });
    const changed = await aws.ecr('UpdateRepositoryCreationTemplate', {
      prefix: 'team',
      description: 'another',
    });
    assert.deepEqual(changed.json.repositoryCreationTemplate, {
      ...expected,
      description: 'another',
    });
    const gone = await aws.ecr('DeleteRepositoryCreationTemplate', { prefix: 'team/' });
    assert.equal(gone.json.repositoryCreationTemplate.description, 'another');
    const after = await aws.ecr('DescribeRepositoryCreationTemplates', { prefixes: ['team'] });
    assert.deepEqual(after.json.repositoryCreationTemplates, []);
  });

  test('templates are listed by pages, in the order of their prefixes', async () => {
    await using aws = await openAws();
    for (const prefix of ['b', 'ROOT', 'a'])
      await aws.ecr('CreateRepositoryCreationTemplate', { prefix, appliedFor: ['REPLICATION'] });
    const first = await aws.ecr('DescribeRepositoryCreationTemplates', { maxResults: 2 });
    const prefixes = (json: { readonly repositoryCreationTemplates: { prefix: string }[] }) =>
      json.repositoryCreationTemplates.map(({ prefix }) => prefix);
    assert.deepEqual(prefixes(first.json), ['ROOT', 'a']);
    const { nextToken } = first.json;
    const second = await aws.ecr('DescribeRepositoryCreationTemplates', { nextToken });
    assert.deepEqual(prefixes(second.json), ['b']);
    assert.equal(second.json.nextToken, undefined);
  });

  for (const [what, operation, input, code] of [
    ['made twice', 'Create', { ...whole, prefix: 'team' }, 'TemplateAlreadyExistsException'],
    ['changed that is not there', 'Update', { prefix: 'none' }, 'TemplateNotFoundException'],
    ['deleted that is not there', 'Delete', { prefix: 'none' }, 'TemplateNotFoundException'],
    ['for nothing', 'Create', { prefix: 'x', appliedFor: [] }, 'InvalidParameterException'],
    [
      'for one use twice',
      'Create',
      { prefix: 'x', appliedFor: ['REPLICATION', 'REPLICATION'] },
      'InvalidParameterException',
    ],
    [
      'with a policy that is none',
      'Create',
      { ...whole, prefix: 'x', repositoryPolicy: '{}' },
      'InvalidParameterException',
    ],
    [
      'with a lifecycle policy that is none',
      'Create',
      { ...whole, prefix: 'x', lifecyclePolicy: '{}' },
      'InvalidParameterException',
    ],
    [
      'with filters and a mode that takes none',
      'Create',
      { ...whole, prefix: 'x', imageTagMutability: 'MUTABLE' },
      'InvalidParameterException',
    ],
  ] as const) {
    test(`a template ${what} is ${code}`, async () => {
      await using aws = await openAws();
      await aws.ecr('CreateRepositoryCreationTemplate', whole);
      const { status, json } = await aws.ecr(`${operation}RepositoryCreationTemplate`, input);
      assert.deepEqual([status, json.__type], [400, code]);
    });
  }

  for (const [operation, input] of [
    ['CreateRepositoryCreationTemplate', whole],
    ['UpdateRepositoryCreationTemplate', { prefix: 'team' }],
    ['DeleteRepositoryCreationTemplate', { prefix: 'team' }],
    ['DescribeRepositoryCreationTemplates', {}],
  ] as const) {
    test(`${operation} needs its own right`, async () => {
      await using aws = await openAws();
      const { json } = await aws.ecr(operation, input, { as: 'nobody' });
      assert.equal(json.__type, 'AccessDeniedException');
      assert.match(json.message, new RegExp(`ecr:${operation}( |$)`));
    });
  }
});
