import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer } from '../../../tests/support/rigs/aws-rig.ts';

const failed = ({ json }: AwsAnswer): string => `${json.__type}: ${json.message}`;

const destinations = [
  { region: 'eu-west-1', registryId: home },
  { region: 'us-east-1', registryId: otherAccount },
];

suite('replication', () => {
  test('is nothing until it is put, and answered as it was put', async () => {
    await using aws = await openAws();
    const described = async (): Promise<unknown> => (await aws.ecr('DescribeRegistry')).json;
    assert.deepEqual(await described(), {
      registryId: home,
      replicationConfiguration: { rules: [] },
    });
    const replicationConfiguration = {
      rules: [
        { destinations },
        {
          destinations: destinations.slice(1),
          repositoryFilters: [{ filter: 'prod/', filterType: 'PREFIX_MATCH' }],
          deleteReplication: { enabled: true },
        },
      ],
    };
    const put = await aws.ecr('PutReplicationConfiguration', { replicationConfiguration });
    assert.deepEqual(put.json, { replicationConfiguration });
    assert.deepEqual(await described(), { registryId: home, replicationConfiguration });
    await aws.ecr('PutReplicationConfiguration', { replicationConfiguration: { rules: [] } });
    assert.deepEqual(await described(), {
      registryId: home,
      replicationConfiguration: { rules: [] },
    });
    assert.deepEqual(
      aws.api.audited.map(({ action, outcome }) => [action, outcome]),
      [
        ['ecr:PutReplicationConfiguration', 'allowed'],
        ['ecr:PutReplicationConfiguration', 'allowed'],
      ],
    );
  });

  test('is a registry’s own', async () => {
    await using aws = await openAws();
    const replicationConfiguration = { rules: [{ destinations: destinations.slice(1) }] };
    await aws.ecr('PutReplicationConfiguration', { replicationConfiguration });
    for (const asked of [{ region: 'eu-west-1' }, { as: 'other' }]) {
      const { json } = await aws.ecr('DescribeRegistry', {}, asked);
      assert.deepEqual(json.replicationConfiguration, { rules: [] });
    }
  });

  const many = (count: number): object[] =>
    Array.from({ length: count }, (_, index) => ({
      region: `eu-west-${index + 1}`,
      registryId: otherAccount,
    }));
  for (const [what, rules, region, why] of [
    [
      'to itself',
      [{ destinations: [{ region: 'us-east-1', registryId: home }] }],
      'us-east-1',
      'Replication destination cannot be the same as the source registry',
    ],
    [
      'to itself, as a region that is home was asked',
      [{ destinations: [{ region: 'eu-west-2', registryId: home }] }],
      'eu-west-2',
      'Replication destination cannot be the same as the source registry',
    ],
    [
      'by eleven rules',
      Array.from({ length: 11 }, () => ({ destinations: many(1) })),
      'us-east-1',
      'there are at most 10 rules',
    ],
    [
      'to 26 destinations in all',
      [{ destinations: many(20) }, { destinations: many(26) }],
      'us-east-1',
      'there are at most 25 destinations in all rules together',
    ],
  ] as const)
    test(`${what} is refused, and changes nothing`, async () => {
      await using aws = await openAws();
      const input = { replicationConfiguration: { rules } };
      const answer = await aws.ecr('PutReplicationConfiguration', input, { region });
      assert.equal(
        failed(answer),
        `InvalidParameterException: Invalid parameter at 'replicationConfiguration' failed to satisfy constraint: '${why}'`,
      );
      const { json } = await aws.ecr('DescribeRegistry');
      assert.deepEqual(json.replicationConfiguration, { rules: [] });
    });

  test('to home is no destination of itself where another text of a region was asked', async () => {
    await using aws = await openAws();
    const rules = [{ destinations: [{ region: 'us-east-1', registryId: home }] }];
    const input = { replicationConfiguration: { rules } };
    const answer = await aws.ecr('PutReplicationConfiguration', input, { region: 'eu-west-2' });
    assert.equal(answer.status, 200, answer.text);
  });
});

suite('scanning', () => {
  test('is BASIC without rules until it is put; each repository is told what it means for it', async () => {
    await using aws = await openAws();
    const got = async (): Promise<unknown> =>
      (await aws.ecr('GetRegistryScanningConfiguration')).json;
    const none = { scanType: 'BASIC', rules: [] };
    assert.deepEqual(await got(), { registryId: home, scanningConfiguration: none });
    const configuration = {
      scanType: 'BASIC',
      rules: [
        {
          scanFrequency: 'SCAN_ON_PUSH',
          repositoryFilters: [{ filter: 'prod', filterType: 'WILDCARD' }],
        },
      ],
    };
    const put = await aws.ecr('PutRegistryScanningConfiguration', configuration);
    assert.deepEqual(put.json, { registryScanningConfiguration: configuration });
    assert.deepEqual(await got(), { registryId: home, scanningConfiguration: configuration });
    for (const repositoryName of ['team/prod', 'team/dev'])
      await aws.ecr('CreateRepository', { repositoryName });
    const { json } = await aws.ecr('BatchGetRepositoryScanningConfiguration', {
      repositoryNames: ['team/prod', 'team/dev', 'no/such'],
    });
    const arn = (name: string): string => `arn:aws:ecr:us-east-1:${home}:repository/${name}`;
    assert.deepEqual(json, {
      scanningConfigurations: [
        {
          repositoryArn: arn('team/prod'),
          repositoryName: 'team/prod',
          scanOnPush: true,
          scanFrequency: 'SCAN_ON_PUSH',
          appliedScanFilters: [{ filter: 'prod', filterType: 'WILDCARD' }],
        },
        {
          repositoryArn: arn('team/dev'),
          repositoryName: 'team/dev',
          scanOnPush: false,
          scanFrequency: 'MANUAL',
          appliedScanFilters: [],
        },
      ],
      failures: [
        {
          repositoryName: 'no/such',
          failureCode: 'REPOSITORY_NOT_FOUND',
          failureReason: `The repository with name 'no/such' does not exist in the registry with id '${home}'`,
        },
      ],
    });
    await aws.ecr('PutRegistryScanningConfiguration', { scanType: 'BASIC', rules: [] });
    assert.deepEqual(await got(), { registryId: home, scanningConfiguration: none });
  });

  test('rules that do not go with the type are refused', async () => {
    await using aws = await openAws();
    const repositoryFilters = [{ filter: '*', filterType: 'WILDCARD' }];
    const rules = [{ scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters }];
    const answer = await aws.ecr('PutRegistryScanningConfiguration', { scanType: 'BASIC', rules });
    assert.equal(
      failed(answer),
      `InvalidParameterException: Invalid parameter at 'rules' failed to satisfy constraint: 'BASIC scans on push alone'`,
    );
  });

  test('of a repository is for nobody without the right to ask', async () => {
    await using aws = await openAws();
    await aws.api.ask('POST users', { body: { name: 'ann' } });
    for (const repository of ['no/such', 'team/app']) {
      const input = { repositoryNames: [repository] };
      const answer = await aws.ecr('BatchGetRepositoryScanningConfiguration', input, { as: 'ann' });
      assert.equal(answer.json.__type, 'AccessDeniedException');
    }
  });
});

suite('signing', () => {
  test('is not there until it is put, answered as it was put, and gone with its deletion', async () => {
    await using aws = await openAws();
    const none = `SigningConfigurationNotFoundException: Signing configuration does not exist in the registry with id '${home}'`;
    assert.equal(failed(await aws.ecr('GetSigningConfiguration')), none);
    assert.equal(failed(await aws.ecr('DeleteSigningConfiguration')), none);
    const signingProfileArn = `arn:aws:signer:us-east-1:${home}:/signing-profiles/team`;
    const signingConfiguration = {
      rules: [
        { signingProfileArn },
        {
          signingProfileArn,
          repositoryFilters: [{ filter: 'prod/*', filterType: 'WILDCARD_MATCH' }],
        },
      ],
    };
    const put = await aws.ecr('PutSigningConfiguration', { signingConfiguration });
    assert.deepEqual(put.json, { signingConfiguration });
    const kept = { registryId: home, signingConfiguration };
    assert.deepEqual((await aws.ecr('GetSigningConfiguration')).json, kept);
    assert.deepEqual((await aws.ecr('DeleteSigningConfiguration')).json, kept);
    assert.equal(failed(await aws.ecr('GetSigningConfiguration')), none);
  });
});
