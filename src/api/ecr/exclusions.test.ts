import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsRig } from '../../../tests/support/rigs/aws-rig.ts';

const role = (name: string): { principalArn: string } => ({
  principalArn: `arn:aws:iam::${home}:role/${name}`,
});

async function codeOf(aws: AwsRig, operation: string, input: object): Promise<string> {
  const { json } = await aws.ecr(operation, input);
  return json.__type ?? 'taken';
}

suite('exclusions of pull times', () => {
  test('are registered once, listed page by page, and taken away once', async () => {
    await using aws = await openAws();
    const register = (name: string): Promise<string> =>
      codeOf(aws, 'RegisterPullTimeUpdateExclusion', role(name));
    assert.deepEqual((await aws.ecr('RegisterPullTimeUpdateExclusion', role('b'))).json, {
      ...role('b'),
      createdAt: Date.parse('2026-01-01T00:00:00Z') / 1000,
    });
    assert.equal(await register('b'), 'ExclusionAlreadyExistsException');
    assert.deepEqual([await register('c'), await register('a')], ['taken', 'taken']);
    const first = await aws.ecr('ListPullTimeUpdateExclusions', { maxResults: 2 });
    const { nextToken, pullTimeUpdateExclusions } = first.json;
    assert.deepEqual(pullTimeUpdateExclusions, [role('a').principalArn, role('b').principalArn]);
    const remove = (name: string): Promise<string> =>
      codeOf(aws, 'DeregisterPullTimeUpdateExclusion', role(name));
    assert.deepEqual(
      [await remove('b'), await remove('b')],
      ['taken', 'ExclusionNotFoundException'],
    );
    const second = await aws.ecr('ListPullTimeUpdateExclusions', { nextToken });
    assert.deepEqual(second.json, { pullTimeUpdateExclusions: [role('c').principalArn] });
  });

  test('are a hundred at most', async () => {
    await using aws = await openAws();
    for (let index = 0; index < 100; index += 1)
      assert.equal(
        await codeOf(aws, 'RegisterPullTimeUpdateExclusion', role(`r${index}`)),
        'taken',
      );
    const code = await codeOf(aws, 'RegisterPullTimeUpdateExclusion', role('last'));
    assert.equal(code, 'LimitExceededException');
  });
});

suite('replication backfills', () => {
  const replicationBackfillId = '01234567-89ab-cdef-0123-456789abcdef';
  const destination = { region: 'eu-west-1', registryId: home };
  for (const [operation, input, code] of [
    ['StartReplicationBackfill', { destination }, 'ValidationException'],
    ['StopReplicationBackfill', { replicationBackfillId }, 'ReplicationBackfillNotFoundException'],
    [
      'DescribeReplicationBackfillResults',
      { replicationBackfillId },
      'ReplicationBackfillNotFoundException',
    ],
  ] as const)
    test(`${operation} is ${code}, for whoever may ask`, async () => {
      await using aws = await openAws();
      assert.equal(await codeOf(aws, operation, input), code);
      await aws.api.ask('POST users', { body: { name: 'ann' } });
      const refused = await aws.ecr(operation, input, { as: 'ann' });
      assert.equal(refused.json.__type, 'AccessDeniedException');
    });

  test('there are none', async () => {
    await using aws = await openAws();
    const { json } = await aws.ecr('ListReplicationBackfills');
    assert.deepEqual(json, { registryId: home, backfills: [] });
  });
});
