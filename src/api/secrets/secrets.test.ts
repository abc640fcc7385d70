import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home } from '../../../tests/support/rigs/api-rig.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';

const token = (of: string): string => of.padEnd(36, '0');
const hub = 'ecr-pullthroughcache/hub';
const madeAt = Date.parse('2026-01-01T00:00:00Z') / 1000;

async function done(aws: AwsRig, operation: string, input: object): Promise<AwsAnswer['json']> {
  const { status, text, json } = await aws.secrets(operation, input);
  assert.equal(status, 200, `${operation}: ${text}`);
  return json;
}

async function refused(
  aws: AwsRig,
  operation: string,
  input: object,
  asked: { readonly as?: string; readonly region?: string } = {},
): Promise<string> {
  const { status, text, json } = await aws.secrets(operation, input, asked);
  assert.equal(status, 400, `${operation}: ${text}`);
  return `${json.__type}: ${json.Message}`;
}

suite('a secret', () => {
  test('is made without a value, gets one, and is answered by name, ARN and partial ARN', async () => {
    await using aws = await openAws();
    const made = await done(aws, 'CreateSecret', {
      Name: hub,
      Description: 'Hub',
      ClientRequestToken: token('terraform-1'),
      Tags: [{ Key: 'team', Value: 'a' }],
    });
    assert.match(
      made.ARN,
      new RegExp(`^arn:aws:secretsmanager:us-east-1:${home}:secret:${hub}-[A-Za-z0-9]{6}$`),
    );
    assert.deepEqual(Object.keys(made), ['ARN', 'Name']);
    assert.match(
      await refused(aws, 'GetSecretValue', { SecretId: hub }),
      /^ResourceNotFoundException: .*for staging label: AWSCURRENT$/,
    );
    const put = await done(aws, 'PutSecretValue', {
      SecretId: made.ARN,
      SecretString: 'text',
      ClientRequestToken: token('v1'),
    });
    assert.deepEqual(put, { ...made, VersionId: token('v1'), VersionStages: ['AWSCURRENT'] });
    for (const SecretId of [hub, made.ARN, made.ARN.slice(0, -7)])
      assert.deepEqual(await done(aws, 'GetSecretValue', { SecretId }), {
        ...made,
        VersionId: token('v1'),
        SecretString: 'text',
        VersionStages: ['AWSCURRENT'],
        CreatedDate: madeAt,
      });
    assert.deepEqual(await done(aws, 'DescribeSecret', { SecretId: hub }), {
      ...made,
      Description: 'Hub',
      LastChangedDate: madeAt,
      LastAccessedDate: madeAt,
      CreatedDate: madeAt,
      Tags: [{ Key: 'team', Value: 'a' }],
      VersionIdsToStages: { [token('v1')]: ['AWSCURRENT'] },
    });
  });

  test('holds bytes as well as text, and never lies open in the database', async () => {
    await using aws = await openAws();
    const SecretBinary = Buffer.from([0, 255, 1]).toString('base64');
    const made = await done(aws, 'CreateSecret', { Name: 'bytes', SecretBinary });
    const read = await done(aws, 'GetSecretValue', { SecretId: 'bytes' });
    assert.equal(read.SecretBinary, SecretBinary);
    assert.equal(read.SecretString, undefined);
    const key = { registry: `${home}/us-east-1`, name: 'bytes', version: made.VersionId } as const;
    const sealed = await aws.api.metadata.secrets.findSecretValue(key);
    assert.match(sealed ?? '', /^v1\./);
    assert.ok(!sealed?.includes(SecretBinary));
    assert.ok(!JSON.stringify(aws.api.audited).includes(SecretBinary));
  });

  test('of another region, account or suffix is not there', async () => {
    await using aws = await openAws();
    const { ARN } = await done(aws, 'CreateSecret', { Name: hub, SecretString: 's' });
    const notFound =
      /^ResourceNotFoundException: Secrets Manager can't find the specified secret\.$/;
    assert.match(
      await refused(aws, 'GetSecretValue', { SecretId: hub }, { region: 'eu-west-1' }),
      notFound,
    );
    assert.match(
      await refused(aws, 'GetSecretValue', { SecretId: ARN }, { region: 'eu-west-1' }),
      notFound,
    );
    for (const SecretId of [`${ARN.slice(0, -6)}ZZZZZZ`, 'arn:aws:iam::1:x', 'missing'])
      assert.match(await refused(aws, 'DescribeSecret', { SecretId }), notFound, SecretId);
    // A region that is none of its own is home, and named as it was asked.
    const asked = await aws.secrets('DescribeSecret', { SecretId: hub }, { region: 'ap-south-1' });
    assert.equal(asked.json.ARN, ARN.replace('us-east-1', 'ap-south-1'));
  });
});

suite('a version', () => {
  const idempotent: readonly (readonly [string, string, object])[] = [
    ['CreateSecret', 'the same request', { Name: 'again', SecretString: 'one' }],
    ['PutSecretValue', 'the same value', { SecretId: 'a', SecretString: 'one' }],
    ['UpdateSecret', 'the same value', { SecretId: 'a', SecretString: 'one' }],
  ];
  for (const [operation, what, input] of idempotent)
    test(`of ${operation} repeated with ${what} and token is one, with another value refused`, async () => {
      await using aws = await openAws();
      await done(aws, 'CreateSecret', { Name: 'a' });
      const asked = { ...input, ClientRequestToken: token('t') };
      const first = await done(aws, operation, asked);
      assert.deepEqual(await done(aws, operation, asked), first);
      assert.match(
        await refused(aws, operation, { ...asked, SecretString: 'two' }),
        /^ResourceExistsException: /,
      );
      const SecretId = operation === 'CreateSecret' ? 'again' : 'a';
      const { Versions } = await done(aws, 'ListSecretVersionIds', { SecretId });
      assert.equal(Versions.length, 1);
    });

  test('becomes the current one, and the one before the previous', async () => {
    await using aws = await openAws();
    await done(aws, 'CreateSecret', {
      Name: 'a',
      SecretString: '1',
      ClientRequestToken: token('1'),
    });
    for (const value of ['2', '3'])
      await done(aws, 'PutSecretValue', {
        SecretId: 'a',
        SecretString: value,
        ClientRequestToken: token(value),
      });
    const stages = async (): Promise<unknown> =>
      (await done(aws, 'DescribeSecret', { SecretId: 'a' })).VersionIdsToStages;
    assert.deepEqual(await stages(), {
      [token('2')]: ['AWSPREVIOUS'],
      [token('3')]: ['AWSCURRENT'],
    });
    const previous = { SecretId: 'a', VersionStage: 'AWSPREVIOUS' };
    assert.equal((await done(aws, 'GetSecretValue', previous)).SecretString, '2');
    await done(aws, 'UpdateSecretVersionStage', {
      SecretId: 'a',
      VersionStage: 'AWSCURRENT',
      RemoveFromVersionId: token('3'),
      MoveToVersionId: token('1'),
    });
    assert.deepEqual(await stages(), {
      [token('1')]: ['AWSCURRENT'],
      [token('3')]: ['AWSPREVIOUS'],
    });
    const list = async (input: object) =>
      (await done(aws, 'ListSecretVersionIds', { SecretId: 'a', ...input })) as {
        Versions: { VersionId: string }[];
        NextToken?: string;
      };
    assert.equal((await list({})).Versions.length, 2);
    const first = await list({ IncludeDeprecated: true, MaxResults: 2 });
    const second = await list({ IncludeDeprecated: true, NextToken: first.NextToken });
    assert.deepEqual(
      [...first.Versions, ...second.Versions].map(({ VersionId }) => VersionId[0]),
      ['3', '2', '1'],
    );
    assert.equal(second.NextToken, undefined);
    assert.match(
      await refused(aws, 'ListSecretVersionIds', { SecretId: 'a', NextToken: 'eHg=' }),
      /^InvalidNextTokenException/,
    );
  });

  const wrongMoves: readonly (readonly [string, object, RegExp])[] = [
    ['nowhere', {}, /^InvalidParameterException: You must specify/],
    ['away from the current one', { RemoveFromVersionId: token('2') }, /completely removed/],
    ['without its holder', { MoveToVersionId: token('1') }, /RemoveFromVersionId can't be empty/],
    [
      'from another holder',
      { MoveToVersionId: token('1'), RemoveFromVersionId: token('1') },
      /^InvalidParameterException: .*isn't attached/,
    ],
    [
      'to a missing one',
      { MoveToVersionId: token('9') },
      /^ResourceNotFoundException: .*VersionId/,
    ],
  ];
  for (const [how, input, expected] of wrongMoves)
    test(`keeps AWSCURRENT where it is to move ${how}`, async () => {
      await using aws = await openAws();
      await done(aws, 'CreateSecret', {
        Name: 'a',
        SecretString: '1',
        ClientRequestToken: token('1'),
      });
      await done(aws, 'PutSecretValue', {
        SecretId: 'a',
        SecretString: '2',
        ClientRequestToken: token('2'),
      });
      const asked = { SecretId: 'a', VersionStage: 'AWSCURRENT', ...input };
      assert.match(await refused(aws, 'UpdateSecretVersionStage', asked), expected);
      assert.equal((await done(aws, 'GetSecretValue', { SecretId: 'a' })).SecretString, '2');
    });
});

suite('a deleted secret', () => {
  test('is refused until it is restored, and its name is taken', async () => {
    await using aws = await openAws();
    const SecretId = 'a';
    await done(aws, 'CreateSecret', { Name: SecretId, SecretString: '1' });
    const deleted = await done(aws, 'DeleteSecret', { SecretId, RecoveryWindowInDays: 7 });
    assert.equal(deleted.DeletionDate, madeAt + 7 * 86_400);
    assert.equal((await done(aws, 'DescribeSecret', { SecretId })).DeletedDate, madeAt);
    const others: readonly (readonly [string, object])[] = [
      ['GetSecretValue', {}],
      ['PutSecretValue', { SecretString: '2' }],
      ['UpdateSecret', { Description: 'd' }],
      ['UpdateSecretVersionStage', { VersionStage: 'x', MoveToVersionId: token('x') }],
      ['TagResource', { Tags: [{ Key: 'k', Value: 'v' }] }],
      ['UntagResource', { TagKeys: ['k'] }],
      ['GetResourcePolicy', {}],
      ['DeleteResourcePolicy', {}],
      ['DeleteSecret', {}],
    ];
    for (const [operation, input] of others)
      assert.match(
        await refused(aws, operation, { SecretId, ...input }),
        /^InvalidRequestException: .*deleti?/,
        operation,
      );
    assert.match(
      await refused(aws, 'CreateSecret', { Name: SecretId }),
      /^InvalidRequestException: .*scheduled for deletion/,
    );
    await done(aws, 'RestoreSecret', { SecretId });
    assert.equal((await done(aws, 'GetSecretValue', { SecretId })).SecretString, '1');
  });

  test('is gone when its time is over, or at once, which is no error for a missing one', async () => {
    await using aws = await openAws();
    await done(aws, 'CreateSecret', { Name: 'a', SecretString: '1' });
    await done(aws, 'DeleteSecret', { SecretId: 'a' });
    aws.api.clock.advance(30 * 86_400_000);
    assert.match(await refused(aws, 'DescribeSecret', { SecretId: 'a' }), /^ResourceNotFound/);
    assert.match(await refused(aws, 'RestoreSecret', { SecretId: 'a' }), /^ResourceNotFound/);
    await done(aws, 'CreateSecret', { Name: 'a' });
    const force = { SecretId: 'a', ForceDeleteWithoutRecovery: true };
    await done(aws, 'DeleteSecret', force);
    assert.match(await refused(aws, 'DescribeSecret', { SecretId: 'a' }), /^ResourceNotFound/);
    await done(aws, 'DeleteSecret', force);
    assert.match(await refused(aws, 'DeleteSecret', { SecretId: 'a' }), /^ResourceNotFound/);
  });

  const windows: readonly (readonly [string, object, RegExp])[] = [
    ['six days', { RecoveryWindowInDays: 6 }, /between 7 and 30/],
    ['31 days', { RecoveryWindowInDays: 31 }, /between 7 and 30/],
    ['both', { RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: true }, /in conjunction with/],
  ];
  for (const [what, input, expected] of windows)
    test(`is not deleted by ${what}`, async () => {
      await using aws = await openAws();
      await done(aws, 'CreateSecret', { Name: 'a' });
      assert.match(await refused(aws, 'DeleteSecret', { SecretId: 'a', ...input }), expected);
      assert.equal((await done(aws, 'DescribeSecret', { SecretId: 'a' })).DeletedDate, undefined);
    });
});

suite('inputs', () => {
  const wrong: readonly (readonly [string, string, object, RegExp])[] = [
    [
      'a name with a space',
      'CreateSecret',
      { Name: 'a b' },
      /^InvalidParameterException: Invalid name/,
    ],
    [
      'a name of 513 characters',
      'CreateSecret',
      { Name: 'a'.repeat(513) },
      /^InvalidParameterException/,
    ],
    [
      'text and bytes at once',
      'CreateSecret',
      { Name: 'b', SecretString: 's', SecretBinary: 'AA==' },
      /^InvalidParameterException: You can't specify both/,
    ],
    [
      'a token of 31 characters',
      'CreateSecret',
      { Name: 'b', ClientRequestToken: 'x'.repeat(31) },
      /clientRequestToken/,
    ],
    [
      'a copy in another region',
      'CreateSecret',
      { Name: 'b', AddReplicaRegions: [{ Region: 'eu-west-1' }] },
      /not replicated/,
    ],
    [
      'a tag twice',
      'CreateSecret',
      { Name: 'b', Tags: [{ Key: 'k' }, { Key: 'k' }] },
      /^InvalidParameterException/,
    ],
    [
      'a tag of AWS',
      'TagResource',
      { SecretId: 'a', Tags: [{ Key: 'aws:k', Value: '' }] },
      /aws: prefixed/,
    ],
    [
      '51 tags',
      'TagResource',
      {
        SecretId: 'a',
        Tags: Array.from({ length: 51 }, (_, at) => ({ Key: `k${at}`, Value: '' })),
      },
      /^LimitExceededException/,
    ],
    [
      'no value',
      'PutSecretValue',
      { SecretId: 'a' },
      /^InvalidParameterException: You must provide/,
    ],
    [
      'a text of 65,537 characters',
      'PutSecretValue',
      { SecretId: 'a', SecretString: 'x'.repeat(65_537) },
      /^InvalidParameterException: [^x]*'\*\*\*'/,
    ],
    [
      'a policy that is none',
      'PutResourcePolicy',
      { SecretId: 'a', ResourcePolicy: '{}' },
      /^MalformedPolicyDocumentException/,
    ],
    [
      'a name that is there',
      'CreateSecret',
      { Name: 'a' },
      /^ResourceExistsException: The operation failed because the secret a already exists\.$/,
    ],
  ];
  for (const [what, operation, input, expected] of wrong)
    test(`${what} is refused by ${operation} and changes nothing`, async () => {
      await using aws = await openAws();
      await done(aws, 'CreateSecret', { Name: 'a' });
      const before = await done(aws, 'ListSecrets', {});
      assert.match(await refused(aws, operation, input), expected);
      assert.deepEqual(await done(aws, 'ListSecrets', {}), before);
    });
});

suite('secrets', () => {
  test('are listed by filters, in order and page by page', async () => {
    await using aws = await openAws();
    for (const [name, description, key] of [
      ['app/db', 'The database', 'team'],
      ['app/hub', 'docker hub', 'env'],
      ['web', 'Web', 'team'],
    ] as const) {
      aws.api.clock.advance(1000);
      await done(aws, 'CreateSecret', {
        Name: name,
        Description: description,
        Tags: [{ Key: key, Value: `${key}-value` }],
      });
    }
    const names = async (input: object): Promise<string> =>
      (await done(aws, 'ListSecrets', input)).SecretList.map(
        (each: { readonly Name: string }) => each.Name,
      ).join(' ');
    const by = (Key: string, ...Values: readonly string[]): object => ({
      SortBy: 'name',
      SortOrder: 'asc',
      Filters: [{ Key, Values }],
    });
    assert.equal(await names({}), 'web app/hub app/db');
    assert.equal(await names({ SortOrder: 'asc' }), 'app/db app/hub web');
    assert.equal(await names(by('name', 'app/')), 'app/db app/hub');
    assert.equal(await names(by('name', 'App/')), '');
    assert.equal(await names(by('name', '!app/')), 'web');
    assert.equal(await names(by('description', 'HUB')), 'app/hub');
    assert.equal(await names(by('tag-key', 'te')), 'app/db web');
    assert.equal(await names(by('tag-value', 'env')), 'app/hub');
    assert.equal(await names(by('all', 'data team')), 'app/db');
    assert.equal(await names(by('owning-service', 'x')), '');
    const first = await done(aws, 'ListSecrets', { MaxResults: 2 });
    const rest = { MaxResults: 2, NextToken: first.NextToken };
    assert.equal(await names(rest), 'app/db');
    assert.match(
      await refused(aws, 'ListSecrets', { ...rest, SortOrder: 'asc' }),
      /^InvalidNextTokenException/,
    );
  });

  test('are tagged and untagged, which answers nothing', async () => {
    await using aws = await openAws();
    await done(aws, 'CreateSecret', { Name: 'a', Tags: [{ Key: 'b', Value: '1' }] });
    const Tags = [
      { Key: 'a', Value: '2' },
      { Key: 'b', Value: '3' },
    ];
    await done(aws, 'TagResource', { SecretId: 'a', Tags });
    assert.deepEqual((await done(aws, 'DescribeSecret', { SecretId: 'a' })).Tags, Tags);
    await done(aws, 'UntagResource', { SecretId: 'a', TagKeys: ['a', 'x', 'b'] });
    assert.equal((await done(aws, 'DescribeSecret', { SecretId: 'a' })).Tags, undefined);
  });
});

suite('rights to secrets', () => {
  const identity = (Action: string, Resource: string): string =>
    JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action, Resource } });

  async function openFor(policy: string): Promise<AwsRig> {
    const aws = await openAws();
    await aws.api.ask('POST users', { body: { name: 'ci', kind: 'user' } });
    const { metadata } = aws.api;
    await metadata.identities.createPrincipal({
      account: home,
      name: 'ci',
      kind: 'user',
      createdAt: 1,
    });
    await metadata.identities.putIdentityPolicy({
      account: home,
      principal: 'ci',
      name: 'p',
      text: policy,
      updatedAt: 1,
    });
    await done(aws, 'CreateSecret', { Name: hub, SecretString: 's' });
    return aws;
  }

  test('are those of identity policies, by ARN', async () => {
    const arn = `arn:aws:secretsmanager:us-east-1:${home}:secret:ecr-pullthroughcache/*`;
    await using aws = await openFor(identity('secretsmanager:GetSecretValue', arn));
    const read = await aws.secrets('GetSecretValue', { SecretId: hub }, { as: 'ci' });
    assert.equal(read.json.SecretString, 's');
    const missing = { SecretId: 'ecr-pullthroughcache/none' };
    assert.match(await refused(aws, 'GetSecretValue', missing, { as: 'ci' }), /^ResourceNotFound/);
    for (const SecretId of [
      'other',
      `arn:aws:secretsmanager:us-east-1:${home}:secret:other-AbCdEf`,
    ])
      assert.equal(
        await refused(aws, 'GetSecretValue', { SecretId }, { as: 'ci' }),
        `AccessDeniedException: User: arn:aws:iam::${home}:user/ci is not authorized to perform: secretsmanager:GetSecretValue on resource: ${SecretId} because no identity-based policy allows the secretsmanager:GetSecretValue action`,
      );
  });

  test('read the same in a refusal, whether the secret is there or not', async () => {
    await using aws = await openFor(identity('secretsmanager:ListSecrets', '*'));
    const told = async (SecretId: string): Promise<string> =>
      (await refused(aws, 'DescribeSecret', { SecretId }, { as: 'ci' })).replaceAll(SecretId, '…');
    assert.equal(await told(hub), await told('ecr-pullthroughcache/none'));
    assert.equal((await aws.secrets('ListSecrets', {}, { as: 'ci' })).status, 200);
  });

  test('are those of the secret’s own policy too, whose Deny holds for administrators but for policies', async () => {
    await using aws = await openFor(identity('secretsmanager:ListSecrets', '*'));
    const ResourcePolicy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${home}:user/ci` },
          Action: 'secretsmanager:GetSecretValue',
          Resource: '*',
        },
        {
          Effect: 'Deny',
          Principal: { AWS: `arn:aws:iam::${home}:root` },
          Action: 'secretsmanager:Describe*',
          Resource: '*',
        },
      ],
    });
    await done(aws, 'PutResourcePolicy', { SecretId: hub, ResourcePolicy });
    const policy = await done(aws, 'GetResourcePolicy', { SecretId: hub });
    assert.equal(policy.ResourcePolicy, ResourcePolicy);
    assert.equal(
      (await aws.secrets('GetSecretValue', { SecretId: hub }, { as: 'ci' })).status,
      200,
    );
    assert.match(await refused(aws, 'DescribeSecret', { SecretId: hub }), /^AccessDenied/);
    await done(aws, 'DeleteResourcePolicy', { SecretId: hub });
    assert.equal(
      (await done(aws, 'GetResourcePolicy', { SecretId: hub })).ResourcePolicy,
      undefined,
    );
    assert.match(
      await refused(aws, 'GetSecretValue', { SecretId: hub }, { as: 'ci' }),
      /^AccessDenied/,
    );
  });

  test('for everyone are refused where a policy may not be public', async () => {
    await using aws = await openAws();
    await done(aws, 'CreateSecret', { Name: 'a' });
    const ResourcePolicy = JSON.stringify({
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Principal: '*', Action: 'secretsmanager:*', Resource: '*' },
    });
    const asked = { SecretId: 'a', ResourcePolicy };
    assert.match(
      await refused(aws, 'PutResourcePolicy', { ...asked, BlockPublicPolicy: true }),
      /^PublicPolicyException/,
    );
    await done(aws, 'PutResourcePolicy', asked);
  });
});
