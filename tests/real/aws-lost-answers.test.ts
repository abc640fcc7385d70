// boto3 and Terraform whose every call loses its first answer: the server has done it, and they ask again by themselves, under the same invocation id.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';
import { setTerraform } from '../support/clients/terraform.ts';
import { startBreakwater } from '../support/processes/breakwater.ts';
import { startLosingProxy } from '../support/rigs/losing-proxy.ts';

const program = (url: string): string => `
import hashlib
retrying = Config(retries={'mode': 'standard', 'total_max_attempts': 4}, parameter_validation=False)
def client(name):
    return boto3.client(name, region_name='us-east-1', endpoint_url='${url}', config=retrying)
ecr, iam, secrets = client('ecr'), client('iam'), client('secretsmanager')
name = 'team/app'
told = {}
def say(what, value):
    told[what] = value if 'error' in value else 'done'
    return value
say('CreateRepository', call(ecr, 'create_repository', repositoryName=name))
say('CreatePullThroughCacheRule', call(ecr, 'create_pull_through_cache_rule', ecrRepositoryPrefix='k8s', upstreamRegistryUrl='registry.k8s.io'))
say('CreateUser', call(iam, 'create_user', UserName='mia'))
say('CreateSecret', call(secrets, 'create_secret', Name='app/db', SecretString='one'))
digest = lambda data: 'sha256:' + hashlib.sha256(data).hexdigest()
config = b'{"architecture":"amd64","os":"linux"}'
begun = say('InitiateLayerUpload', call(ecr, 'initiate_layer_upload', repositoryName=name))
say('UploadLayerPart', call(ecr, 'upload_layer_part', repositoryName=name, uploadId=begun['uploadId'], partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config))
say('CompleteLayerUpload', call(ecr, 'complete_layer_upload', repositoryName=name, uploadId=begun['uploadId'], layerDigests=[digest(config)]))
manifest = json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
    'config': {'mediaType': 'application/vnd.oci.image.config.v1+json', 'digest': digest(config), 'size': len(config)}, 'layers': []})
say('PutImage', call(ecr, 'put_image', repositoryName=name, imageManifest=manifest, imageTag='v1'))
deleted = say('BatchDeleteImage', call(ecr, 'batch_delete_image', repositoryName=name, imageIds=[{'imageTag': 'v1'}]))
say('DeletePullThroughCacheRule', call(ecr, 'delete_pull_through_cache_rule', ecrRepositoryPrefix='k8s'))
say('DeleteRepository', call(ecr, 'delete_repository', repositoryName=name))
say('DeleteUser', call(iam, 'delete_user', UserName='mia'))
say('DeleteSecret', call(secrets, 'delete_secret', SecretId='app/db', ForceDeleteWithoutRecovery=True))
answer({'told': told, 'deleted': deleted.get('imageIds'), 'failures': deleted.get('failures')})
`;

const operations = [
  'CreateRepository',
  'CreatePullThroughCacheRule',
  'CreateUser',
  'CreateSecret',
  'InitiateLayerUpload',
  'UploadLayerPart',
  'CompleteLayerUpload',
  'PutImage',
  'BatchDeleteImage',
  'DeletePullThroughCacheRule',
  'DeleteRepository',
  'DeleteUser',
  'DeleteSecret',
];

for (const [what, killed] of [
  ['is lost on the way', false],
  ['is lost with the server, which is killed before it has written the answer down', true],
] as const)
  test(`boto3 finds each call done once where its first answer ${what}.`, async (t) => {
    const s = await setAwsScene(t);
    if (s === undefined) return;
    const { breakwater } = s;
    await using proxy = await startLosingProxy(
      () => breakwater.url,
      async () => {
        if (!killed) return;
        await breakwater.kill9();
        await breakwater.restart();
      },
    );
    const { told, deleted, failures } = await s.boto3(program(proxy.url));
    assert.deepEqual(told, Object.fromEntries(operations.map((each) => [each, 'done'])));
    assert.equal(deleted.length, 1);
    assert.deepEqual(failures, []);
    const lost = proxy.passed.filter((each) => each.lost);
    assert.equal(lost.length, operations.length);
    for (const { invocation } of lost) {
      const attempts = proxy.passed.filter((each) => each.invocation === invocation);
      assert.deepEqual(
        attempts.map(({ attempt }) => attempt),
        ['attempt=1', 'attempt=2; max=4'],
      );
    }
  });

test('Terraform makes and destroys what it is told, though the first answer to each of its calls is lost.', async (t) => {
  const breakwater = await startBreakwater();
  t.after(() => breakwater.close());
  await using proxy = await startLosingProxy(() => breakwater.url);
  const terraform = await setTerraform(t, { ...breakwater, url: proxy.url });
  if (terraform === undefined) return;
  await terraform.write(`
resource "aws_ecr_repository" "app" { name = "team/app" }
resource "aws_ecr_pull_through_cache_rule" "k8s" {
  ecr_repository_prefix = "k8s"
  upstream_registry_url = "registry.k8s.io"
}
resource "aws_secretsmanager_secret" "db" {
  name                    = "app/db"
  recovery_window_in_days = 0
}
`);
  await terraform.apply();
  assert.ok(await terraform.planIsEmpty());
  await terraform.destroy();
  const made = proxy.passed.filter(({ target }) => /\.Create|\.Delete/.test(target));
  assert.ok(made.filter(({ lost }) => !lost).length >= 6, JSON.stringify(made));
});
