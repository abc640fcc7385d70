// boto3 makes users with keys and policies over IAM, and keeps secrets; what it makes counts with the next call.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';

test('a user of IAM asks by its own key what its policy allows, and nothing while the key is inactive.', async (t) => {
  const s = await setAwsScene(t);
  if (s === undefined) return;
  const told = await s.boto3(`
iam = client('iam')
call(iam, 'create_user', UserName='ci', Tags=[{'Key': 'team', 'Value': 'x'}])
key = iam.create_access_key(UserName='ci')['AccessKey']
def by_key(name):
    return boto3.client(name, region_name='us-east-1', endpoint_url=iam.meta.endpoint_url, config=config,
        aws_access_key_id=key['AccessKeyId'], aws_secret_access_key=key['SecretAccessKey'])
make = lambda name: call(by_key('ecr'), 'create_repository', repositoryName=name)
policy = json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'ecr:CreateRepository', 'Resource': 'arn:aws:ecr:*:*:repository/ci/*'}]})
arn = call(by_key('sts'), 'get_caller_identity')['Arn']
before = make('ci/app')['error']
call(iam, 'put_user_policy', UserName='ci', PolicyName='make', PolicyDocument=policy)
allowed = make('ci/app')['repository']['repositoryName']
elsewhere = make('other/app')['error']
call(iam, 'update_access_key', UserName='ci', AccessKeyId=key['AccessKeyId'], Status='Inactive')
inactive = [call(by_key('sts'), 'get_caller_identity')['error'], make('ci/more')['error']]
in_use = call(iam, 'delete_user', UserName='ci')['error']
call(iam, 'delete_access_key', UserName='ci', AccessKeyId=key['AccessKeyId'])
call(iam, 'delete_user_policy', UserName='ci', PolicyName='make')
call(iam, 'delete_user', UserName='ci')
answer({'arn': arn, 'before': before, 'allowed': allowed, 'elsewhere': elsewhere, 'inactive': inactive, 'in_use': in_use,
    'gone': call(iam, 'get_user', UserName='ci')['error']})
`);
  assert.deepEqual(told, {
    arn: 'arn:aws:iam::000000000000:user/ci',
    before: 'AccessDeniedException',
    allowed: 'ci/app',
    elsewhere: 'AccessDeniedException',
    inactive: ['InvalidClientTokenId', 'UnrecognizedClientException'],
    in_use: 'DeleteConflict',
    gone: 'NoSuchEntity',
  });
});

test('a secret has versions with stages, is found by its name and its ARNs, and lies nowhere in plain text.', async (t) => {
  const s = await setAwsScene(t);
  if (s === undefined) return;
  const told = await s.boto3(`
secrets = client('secretsmanager')
name = 'ecr-pullthroughcache/hub'
arn = secrets.create_secret(Name=name, SecretString='first-value-of-it')['ARN']
call(secrets, 'put_secret_value', SecretId=arn, SecretString='second-value-of-it')
value = lambda **which: call(secrets, 'get_secret_value', **which).get('SecretString')
got = [value(SecretId=name), value(SecretId=arn), value(SecretId=arn[:-7]), value(SecretId=name, VersionStage='AWSPREVIOUS')]
twice = call(secrets, 'create_secret', Name=name)['error']
listed = [each['Name'] for each in call(secrets, 'list_secrets', Filters=[{'Key': 'name', 'Values': ['ecr-']}])['SecretList']]
call(secrets, 'delete_secret', SecretId=name, RecoveryWindowInDays=7)
deleted = call(secrets, 'get_secret_value', SecretId=name)['error']
call(secrets, 'restore_secret', SecretId=name)
restored = value(SecretId=name)
secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
answer({'got': got, 'twice': twice, 'listed': listed, 'deleted': deleted, 'restored': restored, 'gone': call(secrets, 'describe_secret', SecretId=name)['error']})
`);
  assert.deepEqual(told, {
    got: ['second-value-of-it', 'second-value-of-it', 'second-value-of-it', 'first-value-of-it'],
    twice: 'ResourceExistsException',
    listed: ['ecr-pullthroughcache/hub'],
    deleted: 'InvalidRequestException',
    restored: 'second-value-of-it',
    gone: 'ResourceNotFoundException',
  });
  const { dataDir } = s.breakwater;
  for (const file of await readdir(dataDir))
    if (/sqlite/.test(file))
      assert.doesNotMatch(await readFile(join(dataDir, file), 'latin1'), /value-of-it/, file);
  assert.doesNotMatch(s.breakwater.logs(), /value-of-it/);
});
