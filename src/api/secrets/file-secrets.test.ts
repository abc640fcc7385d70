import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { createFileSecrets } from '../../operations/secrets/file-secrets.ts';

const name = 'ecr-pullthroughcache/hub';
const changedAt = Date.parse('2026-02-03T04:05:06Z');
const text = '{"username":"ann","accessToken":"t0ken"}';

function openWithFile(): Promise<AwsRig> {
  const credential = { name, username: 'ann', accessToken: 't0ken' };
  return openAws({
    fileSecrets: createFileSecrets({
      home: homeRegistry,
      secrets: () => new Map([[name, credential]]),
      file: () => ({ path: 'conf/secrets.yaml', changedAt }),
    }),
  });
}

suite('a secret of secretsFile', () => {
  test('is described and listed as any other, and its value read by who may', async () => {
    await using aws = await openWithFile();
    await aws.secrets('CreateSecret', { Name: 'made', SecretString: 'x' });
    const { json: described } = await aws.secrets('DescribeSecret', { SecretId: name });
    assert.match(described.ARN, /:secret:ecr-pullthroughcache\/hub-[0-9a-f]{6}$/);
    assert.deepEqual(
      [described.Name, described.CreatedDate, described.LastChangedDate],
      [name, changedAt / 1000, changedAt / 1000],
    );
    const { json: list } = await aws.secrets('ListSecrets', { SortBy: 'name', SortOrder: 'asc' });
    const names = (list.SecretList as readonly { readonly Name: string }[]).map(({ Name }) => Name);
    assert.deepEqual(names, [name, 'made']);
    for (const SecretId of [name, described.ARN, described.ARN.slice(0, -7)]) {
      const { json: value } = await aws.secrets('GetSecretValue', { SecretId });
      assert.deepEqual(
        [value.SecretString, value.VersionStages, value.CreatedDate],
        [text, ['AWSCURRENT'], changedAt / 1000],
      );
    }
    const { json: versions } = await aws.secrets('ListSecretVersionIds', { SecretId: name });
    assert.equal(versions.Versions.length, 1);
    const { json: policy } = await aws.secrets('GetResourcePolicy', { SecretId: name });
    assert.equal(policy.ResourcePolicy, undefined);
  });

  test('is nobody’s without the right, and in no other region', async () => {
    await using aws = await openWithFile();
    for (const [operation, input] of [
      ['GetSecretValue', { SecretId: name }],
      ['DescribeSecret', { SecretId: name }],
      ['ListSecrets', {}],
    ] as const) {
      const { status, json } = await aws.secrets(operation, input, { as: 'ann' });
      assert.deepEqual([status, json.__type], [400, 'AccessDeniedException'], operation);
    }
    const elsewhere = await aws.secrets(
      'DescribeSecret',
      { SecretId: name },
      { region: 'eu-west-1' },
    );
    assert.equal(elsewhere.json.__type, 'ResourceNotFoundException');
    const { json } = await aws.secrets('ListSecrets', {}, { region: 'eu-west-1' });
    assert.deepEqual(json.SecretList, []);
  });

  for (const [operation, input] of [
    ['PutSecretValue', { SecretString: 'x' }],
    ['UpdateSecret', { Description: 'x' }],
    ['UpdateSecret', { SecretString: 'x' }],
    ['UpdateSecretVersionStage', { VersionStage: 'x' }],
    ['DeleteSecret', {}],
    ['DeleteSecret', { ForceDeleteWithoutRecovery: true }],
    ['RestoreSecret', {}],
    ['TagResource', { Tags: [{ Key: 'a', Value: 'b' }] }],
    ['UntagResource', { TagKeys: ['a'] }],
    ['PutResourcePolicy', { ResourcePolicy: '{}' }],
    ['DeleteResourcePolicy', {}],
  ] as const)
    test(`refuses ${operation} ${JSON.stringify(input)}, and names the file`, async () => {
      await using aws = await openWithFile();
      const { status, json } = await aws.secrets(operation, { SecretId: name, ...input });
      assert.deepEqual([status, json.__type], [400, 'InvalidRequestException']);
      assert.match(json.Message, /stands in secretsFile of this server \(conf\/secrets\.yaml\)/);
      assert.equal(
        (await aws.secrets('GetSecretValue', { SecretId: name })).json.SecretString,
        text,
      );
    });

  test('keeps its name: another one of it is not made; one that was made before gives way, and is found by its ARN', async () => {
    await using aws = await openAws();
    const { json: made } = await aws.secrets('CreateSecret', {
      Name: name,
      SecretString: 'stored',
    });
    await using withFile = await openWithFile();
    const { json } = await withFile.secrets('CreateSecret', { Name: name });
    assert.equal(json.__type, 'ResourceExistsException');
    assert.match(json.Message, /in secretsFile of this server/);
    const secret = (await aws.api.metadata.secrets.findSecret({ registry: homeRegistry, name }))!;
    const { metadata, clock } = withFile.api;
    const sealed = undefined;
    await metadata.secrets.createSecret({ secret, sealed, secretsMax: 9, now: clock.now() });
    const { json: byArn } = await withFile.secrets('DescribeSecret', { SecretId: made.ARN });
    assert.equal(byArn.ARN, made.ARN);
    const { json: byName } = await withFile.secrets('DescribeSecret', { SecretId: name });
    assert.notEqual(byName.ARN, made.ARN);
    const { json: list } = await withFile.secrets('ListSecrets');
    assert.deepEqual(
      list.SecretList.map(({ ARN }: { readonly ARN: string }) => ARN),
      [byName.ARN],
    );
  });
});
