// The AWS command line and boto3 drive a registry's repositories, and log registry clients in, by dataDir/credentials alone.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';
import { runCommand } from '../support/processes/run-command.ts';
import { findTool } from '../support/tools/tools.ts';

test('aws asks ECR and STS by dataDir/credentials, and podman logs in by get-login-password.', async (t) => {
  const s = await setAwsScene(t);
  if (s === undefined) return;
  assert.deepEqual(await s.aws('sts', 'get-caller-identity'), {
    UserId: '000000000000',
    Account: '000000000000',
    Arn: 'arn:aws:iam::000000000000:root',
  });
  await s.aws('ecr', 'create-repository', '--repository-name', 'team/app');
  const uri = ['--query', 'repositories[].repositoryUri', '--output', 'text'];
  assert.equal(
    await s.aws('ecr', 'describe-repositories', ...uri),
    `${s.breakwater.host}/team/app`,
  );
  const missing = await s.attempt('ecr', 'delete-repository', '--repository-name', 'no/such');
  assert.match(
    missing.stderr,
    /An error occurred \(RepositoryNotFoundException\) when calling the DeleteRepository operation: The repository with name 'no\/such' does not exist in the registry with id '000000000000'/,
  );
  const podman = await findTool('podman');
  if ('missing' in podman) return t.diagnostic(podman.missing);
  const password = await s.aws('ecr', 'get-login-password');
  const args = ['--username', 'AWS', '--password-stdin', '--tls-verify=false'];
  const login = await runCommand(podman.path, ['login', ...args, s.breakwater.host], {
    input: password,
    env: { REGISTRY_AUTH_FILE: join(s.breakwater.dataDir, '..', 'auth.json') },
  });
  assert.match(login.stdout, /Login Succeeded/, login.stderr);
});

test('boto3 makes, describes, changes and deletes repositories, and knows each error by its class.', async (t) => {
  const s = await setAwsScene(t);
  if (s === undefined) return;
  const told = await s.boto3(`
ecr = client('ecr')
names = ['aa/%02d' % number for number in range(25)]
for name in names:
    call(ecr, 'create_repository', repositoryName=name, tags=[{'Key': 'team', 'Value': 'a b'}])
pages = list(ecr.get_paginator('describe_repositories').paginate(PaginationConfig={'PageSize': 10}))
arn = pages[0]['repositories'][0]['repositoryArn']
try:
    ecr.create_repository(repositoryName='aa/00')
    typed = None
except ecr.exceptions.RepositoryAlreadyExistsException as error:
    typed = type(error).__name__
policy = '{"Version":"2012-10-17","Statement":[{"Sid":"pull access","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":["ecr:BatchGetImage"]}]}'
answer({
    'pages': [len(page['repositories']) for page in pages],
    'made': pages[0]['repositories'][0]['createdAt'],
    'typed': typed,
    'tags': call(ecr, 'list_tags_for_resource', resourceArn=arn),
    'untagged': [call(ecr, 'untag_resource', resourceArn=arn, tagKeys=['team']), call(ecr, 'list_tags_for_resource', resourceArn=arn)],
    'scanning': call(ecr, 'put_image_scanning_configuration', repositoryName='aa/00', imageScanningConfiguration={'scanOnPush': True}),
    'mutability': call(ecr, 'put_image_tag_mutability', repositoryName='aa/00', imageTagMutability='IMMUTABLE_WITH_EXCLUSION', imageTagMutabilityExclusionFilters=[{'filterType': 'WILDCARD', 'filter': 'dev-*'}]),
    'policy': [call(ecr, 'set_repository_policy', repositoryName='aa/00', policyText=policy), call(ecr, 'get_repository_policy', repositoryName='aa/00')['policyText'] == policy, call(ecr, 'delete_repository_policy', repositoryName='aa/00')['policyText'] == policy, call(ecr, 'delete_repository_policy', repositoryName='aa/00')],
    'bad policy': call(ecr, 'set_repository_policy', repositoryName='aa/00', policyText='{}'),
    'registry policy': [call(ecr, 'get_registry_policy'), call(ecr, 'delete_registry_policy')],
    'setting': [call(ecr, 'get_account_setting', name='REGISTRY_POLICY_SCOPE'), call(ecr, 'put_account_setting', name='BLOB_MOUNTING', value='DISABLED'), call(ecr, 'get_account_setting', name='BLOB_MOUNTING'), call(ecr, 'put_account_setting', name='BLOB_MOUNTING', value='maybe')],
    'elsewhere': call(client('ecr', 'eu-west-2'), 'describe_repositories', repositoryNames=['aa/01'])['repositories'][0]['repositoryArn'],
    'deleted': call(ecr, 'delete_repository', repositoryName='aa/00')['repository']['imageTagMutability'],
    'token': len(call(ecr, 'get_authorization_token', registryIds=['000000000000'])['authorizationData']),
})
`);
  assert.deepEqual(told.pages, [10, 10, 5]);
  assert.ok(Math.abs(told.made - Date.now() / 1000) < 600, String(told.made));
  assert.equal(told.typed, 'RepositoryAlreadyExistsException');
  assert.deepEqual(told.tags, { tags: [{ Key: 'team', Value: 'a b' }] });
  assert.deepEqual(told.untagged, [{}, { tags: [] }]);
  const place = { registryId: '000000000000', repositoryName: 'aa/00' };
  assert.deepEqual(told.scanning, { ...place, imageScanningConfiguration: { scanOnPush: true } });
  assert.deepEqual(told.mutability, {
    ...place,
    imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
    imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
  });
  assert.deepEqual(
    [told.policy[0].repositoryName, told.policy[1], told.policy[2], told.policy[3].error],
    ['aa/00', true, true, 'RepositoryPolicyNotFoundException'],
  );
  assert.equal(told['bad policy'].error, 'InvalidParameterException');
  assert.match(told['bad policy'].message, /Invalid repository policy provided/);
  assert.deepEqual(
    told['registry policy'].map(({ error }: { error: string }) => error),
    ['RegistryPolicyNotFoundException', 'RegistryPolicyNotFoundException'],
  );
  assert.deepEqual(told.setting.slice(0, 3), [
    { name: 'REGISTRY_POLICY_SCOPE', value: 'V2' },
    { name: 'BLOB_MOUNTING', value: 'DISABLED' },
    { name: 'BLOB_MOUNTING', value: 'DISABLED' },
  ]);
  assert.equal(told.setting[3].error, 'InvalidParameterException');
  assert.equal(told.elsewhere, 'arn:aws:ecr:eu-west-2:000000000000:repository/aa/01');
  assert.equal(told.deleted, 'IMMUTABLE_WITH_EXCLUSION');
  assert.equal(told.token, 1);
});
