import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';

const failed = ({ status, json }: AwsAnswer): [number, string, string] => [
  status,
  json.__type,
  json.message,
];

async function made(aws: AwsRig, ...names: readonly string[]): Promise<void> {
  for (const repositoryName of names) {
    const { status, text } = await aws.ecr('CreateRepository', { repositoryName });
    assert.equal(status, 200, text);
  }
}

suite('repositories', () => {
  test('a repository that nothing is said of is mutable, not scanned, encrypted by AES256', async () => {
    await using aws = await openAws();
    const { status, json, headers } = await aws.ecr('CreateRepository', {
      repositoryName: 'team/app',
    });
    assert.equal(status, 200);
    assert.equal(headers['Content-Type'], 'application/x-amz-json-1.1');
    assert.equal(headers['x-amzn-RequestId'], 'r-1');
    assert.deepEqual(json, {
      repository: {
        repositoryArn: `arn:aws:ecr:us-east-1:${home}:repository/team/app`,
        registryId: home,
        repositoryName: 'team/app',
        repositoryUri: '127.0.0.1:5000/team/app',
        createdAt: Date.parse('2026-01-01T00:00:00Z') / 1000,
        imageTagMutability: 'MUTABLE',
        imageScanningConfiguration: { scanOnPush: false },
        encryptionConfiguration: { encryptionType: 'AES256' },
      },
    });
  });

  test('what is said of a repository is answered by each that describes it', async () => {
    await using aws = await openAws();
    const said = {
      repositoryName: 'team/app',
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: [{ filter: 'dev-*', filterType: 'WILDCARD' }],
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: { encryptionType: 'KMS' },
    };
    const tags = [
      { Key: 'team', Value: 'a' },
      { Key: 'env', Value: '' },
    ];
    const created = await aws.ecr('CreateRepository', { ...said, tags });
    const described = await aws.ecr('DescribeRepositories', { repositoryNames: ['team/app'] });
    assert.deepEqual(described.json.repositories, [created.json.repository]);
    const { repository } = created.json;
    for (const [member, value] of Object.entries(said))
      if (member !== 'encryptionConfiguration') assert.deepEqual(repository[member], value, member);
    assert.deepEqual(repository.encryptionConfiguration, {
      encryptionType: 'KMS',
      kmsKey: `arn:aws:kms:us-east-1:${home}:alias/aws/ecr`,
    });
    const resourceArn = repository.repositoryArn;
    const listed = await aws.ecr('ListTagsForResource', { resourceArn });
    assert.deepEqual(listed.json, { tags: [tags[1], tags[0]] });
  });

  test('a page of repositories goes on where the one before ended, whatever was made or deleted meanwhile', async () => {
    await using aws = await openAws();
    await made(aws, 'aa', 'bb', 'cc', 'dd');
    const first = await aws.ecr('DescribeRepositories', { maxResults: 2 });
    const names = (answer: AwsAnswer): string[] =>
      answer.json.repositories.map((each: { repositoryName: string }) => each.repositoryName);
    assert.deepEqual(names(first), ['aa', 'bb']);
    await made(aws, 'ab', 'ca');
    await aws.ecr('DeleteRepository', { repositoryName: 'bb' });
    const { nextToken } = first.json;
    const second = await aws.ecr('DescribeRepositories', { nextToken });
    assert.deepEqual(names(second), ['ca', 'cc', 'dd']);
    assert.equal(second.json.nextToken, undefined);
  });

  test('a token that was changed, or is of another account’s list, is refused', async () => {
    await using aws = await openAws();
    await made(aws, 'aa', 'bb');
    const { nextToken } = (await aws.ecr('DescribeRepositories', { maxResults: 1 })).json;
    const flipped = `${nextToken.slice(0, 40)}${nextToken[40] === 'A' ? 'B' : 'A'}${nextToken.slice(41)}`;
    for (const token of [flipped, 'x', '', nextToken.slice(4)]) {
      const answer = await aws.ecr('DescribeRepositories', { nextToken: token });
      assert.deepEqual(failed(answer).slice(0, 2), [400, 'InvalidParameterException'], token);
    }
    const other = await aws.ecr('DescribeRepositories', { nextToken }, { as: 'other' });
    assert.equal(other.json.__type, 'InvalidParameterException');
  });

  for (const [what, operation, input, code, message] of [
    [
      'made twice',
      'CreateRepository',
      { repositoryName: 'team/app' },
      'RepositoryAlreadyExistsException',
      `The repository with name 'team/app' already exists in the registry with id '${home}'`,
    ],
    [
      'described where one of the names is not there',
      'DescribeRepositories',
      { repositoryNames: ['team/app', 'no/such'] },
      'RepositoryNotFoundException',
      `The repository with name 'no/such' does not exist in the registry with id '${home}'`,
    ],
    [
      'described by name and page',
      'DescribeRepositories',
      { repositoryNames: ['team/app'], maxResults: 2 },
      'InvalidParameterException',
      `Invalid parameter at 'maxResults' failed to satisfy constraint: 'cannot be used together with repositoryNames'`,
    ],
    [
      'deleted where it is not',
      'DeleteRepository',
      { repositoryName: 'no/such' },
      'RepositoryNotFoundException',
      `The repository with name 'no/such' does not exist in the registry with id '${home}'`,
    ],
    [
      'made under a name that is none',
      'CreateRepository',
      { repositoryName: 'Team' },
      'InvalidParameterException',
      `Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*''`,
    ],
    [
      'made without a name',
      'CreateRepository',
      {},
      'InvalidParameterException',
      `Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must not be null'`,
    ],
    [
      'set to exclude tags without a filter',
      'PutImageTagMutability',
      { repositoryName: 'team/app', imageTagMutability: 'MUTABLE_WITH_EXCLUSION' },
      'InvalidParameterException',
      `Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'MUTABLE_WITH_EXCLUSION takes 1 to 5 exclusion filters, not 0'`,
    ],
    [
      'asked for its policy, which it has not',
      'GetRepositoryPolicy',
      { repositoryName: 'team/app' },
      'RepositoryPolicyNotFoundException',
      `Repository policy does not exist for the repository with name 'team/app' in the registry with id '${home}'`,
    ],
    [
      'labelled by a key of AWS’s own',
      'TagResource',
      {
        resourceArn: `arn:aws:ecr:us-east-1:${home}:repository/team/app`,
        tags: [{ Key: 'aws:x', Value: '' }],
      },
      'InvalidTagParameterException',
      'tags: keys that begin with aws: are reserved',
    ],
    [
      'labelled by an ARN that is no repository’s',
      'TagResource',
      { resourceArn: 'arn:aws:s3:::bucket', tags: [] },
      'InvalidParameterException',
      `Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'`,
    ],
  ] as const) {
    test(`a repository that is ${what} answers ${code}`, async () => {
      await using aws = await openAws();
      await made(aws, 'team/app');
      assert.deepEqual(failed(await aws.ecr(operation, input)), [400, code, message]);
    });
  }

  test('a fifty-first label is refused, and none of its call is kept', async () => {
    await using aws = await openAws();
    await made(aws, 'team/app');
    const resourceArn = `arn:aws:ecr:us-east-1:${home}:repository/team/app`;
    const labels = (from: number, to: number): object[] =>
      Array.from({ length: to - from }, (_, index) => ({ Key: `k${from + index}`, Value: 'v' }));
    assert.deepEqual((await aws.ecr('TagResource', { resourceArn, tags: labels(0, 49) })).json, {});
    const tooMany = await aws.ecr('TagResource', { resourceArn, tags: labels(49, 51) });
    assert.equal(tooMany.json.__type, 'TooManyTagsException');
    await aws.ecr('UntagResource', { resourceArn, tagKeys: ['k0', 'none'] });
    const { tags } = (await aws.ecr('ListTagsForResource', { resourceArn })).json;
    assert.equal(tags.length, 48);
  });

  test('who may not is refused in the same words, whether the repository is there or not', async () => {
    await using aws = await openAws();
    await made(aws, 'team/app');
    await aws.api.ask('POST users', { body: { name: 'ann' } });
    for (const repositoryName of ['team/app', 'no/such']) {
      const answer = await aws.ecr('DeleteRepository', { repositoryName }, { as: 'ann' });
      const arn = `arn:aws:ecr:us-east-1:${home}:repository/${repositoryName}`;
      assert.deepEqual(failed(answer), [
        400,
        'AccessDeniedException',
        `User: arn:aws:iam::${home}:user/ann is not authorized to perform: ecr:DeleteRepository on resource: ${arn} because no identity-based policy allows the ecr:DeleteRepository action`,
      ]);
    }
    const list = await aws.ecr('DescribeRepositories', {}, { as: 'ann' });
    assert.deepEqual(list.json, { repositories: [] });
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: { Effect: 'Deny', Action: 'ecr:DescribeRepositories', Resource: '*' },
    });
    await aws.api.ask('PUT identity-policies', { body: { user: 'ann', name: 'none', policy } });
    const denied = await aws.ecr('DescribeRepositories', {}, { as: 'ann' });
    assert.equal(denied.json.__type, 'AccessDeniedException');
    assert.match(denied.json.message, /on resource: arn:aws:ecr:us-east-1:\d{12}:repository\/\* /);
  });

  test('a region that is no registry of its own is home, and is named as it was asked', async () => {
    await using aws = await openAws();
    await made(aws, 'team/app');
    const { json } = await aws.ecr(
      'DescribeRepositories',
      { repositoryNames: ['team/app'] },
      { region: 'eu-west-2' },
    );
    const [repository] = json.repositories;
    assert.equal(repository.repositoryArn, `arn:aws:ecr:eu-west-2:${home}:repository/team/app`);
    assert.equal(repository.repositoryUri, '127.0.0.1:5000/team/app');
    const resourceArn = repository.repositoryArn;
    const tags = [{ Key: 'k', Value: 'v' }];
    assert.equal(
      (await aws.ecr('TagResource', { resourceArn, tags }, { region: 'eu-west-2' })).status,
      200,
    );
  });

  test('a registry beside home has names of ECR’s form, and nothing of home’s', async () => {
    await using aws = await openAws();
    await made(aws, 'team/app');
    const there = { region: 'eu-west-1' };
    assert.deepEqual((await aws.ecr('DescribeRepositories', {}, there)).json, { repositories: [] });
    const { repository } = (
      await aws.ecr('CreateRepository', { repositoryName: 'team/app' }, there)
    ).json;
    assert.equal(repository.repositoryUri, `${home}.dkr.ecr.eu-west-1.localhost:5000/team/app`);
  });

  test('a public URL of ECR’s form tells account and region apart in URIs', async () => {
    await using aws = await openAws({
      publicUrl: 'https://000000000000.dkr.ecr.us-east-1.example.com',
    });
    const { repository } = (
      await aws.ecr('CreateRepository', { repositoryName: 'team/app' }, { region: 'eu-west-2' })
    ).json;
    assert.equal(repository.repositoryUri, `${home}.dkr.ecr.eu-west-2.example.com/team/app`);
    const { authorizationData } = (
      await aws.ecr('GetAuthorizationToken', { registryIds: [otherAccount, home] })
    ).json;
    assert.deepEqual(
      authorizationData.map(({ proxyEndpoint }: { proxyEndpoint: string }) => proxyEndpoint),
      [
        `https://${otherAccount}.dkr.ecr.us-east-1.example.com`,
        `https://${home}.dkr.ecr.us-east-1.example.com`,
      ],
    );
  });
});
