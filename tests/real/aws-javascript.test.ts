// AWS's SDK for JavaScript against a running Breakwater, by the pair of dataDir/credentials: what it makes, lists in pages and is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import {
  CreatePullThroughCacheRuleCommand,
  CreateRepositoryCommand,
  DeleteRepositoryCommand,
  DescribePullThroughCacheRulesCommand,
  ECRClient,
  GetAuthorizationTokenCommand,
  paginateDescribeRepositories,
  PullThroughCacheRuleAlreadyExistsException,
  PutLifecyclePolicyCommand,
  RepositoryAlreadyExistsException,
  RepositoryNotFoundException,
} from '@aws-sdk/client-ecr';
import {
  CreateUserCommand,
  DeleteUserCommand,
  EntityAlreadyExistsException,
  IAMClient,
  NoSuchEntityException,
  paginateListUsers,
} from '@aws-sdk/client-iam';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  paginateListSecrets,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { credentialsOf, startBreakwater } from '../support/processes/breakwater.ts';
import { startLosingProxy } from '../support/rigs/losing-proxy.ts';

interface Clients {
  readonly ecr: ECRClient;
  readonly iam: IAMClient;
  readonly secrets: SecretsManagerClient;
  readonly sts: STSClient;
}

async function setClients(
  t: TestContext,
  endpointOf: (url: string) => Promise<string> = async (url) => url,
): Promise<Clients> {
  const breakwater = await startBreakwater();
  t.after(() => breakwater.close());
  const { key, secret } = await credentialsOf(breakwater);
  const shared = {
    endpoint: await endpointOf(breakwater.url),
    region: 'eu-west-1',
    credentials: { accessKeyId: key, secretAccessKey: secret },
  };
  const clients = {
    ecr: new ECRClient(shared),
    iam: new IAMClient(shared),
    secrets: new SecretsManagerClient(shared),
    sts: new STSClient(shared),
  };
  t.after(() => {
    for (const client of Object.values(clients)) client.destroy();
  });
  return clients;
}

const named = (name: string) => ({ name });

test('ECR’s client makes, pages and deletes repositories and rules, and knows each error by its class and name.', async (t) => {
  const { ecr } = await setClients(t);
  for (const repositoryName of ['team/a', 'team/b', 'team/c', 'team/d', 'team/e']) {
    const { repository } = await ecr.send(new CreateRepositoryCommand({ repositoryName }));
    assert.ok(repository?.createdAt instanceof Date);
    assert.match(repository.repositoryArn ?? '', /^arn:aws:ecr:eu-west-1:\d{12}:repository\/team/);
  }
  const pages: (string | undefined)[][] = [];
  for await (const page of paginateDescribeRepositories({ client: ecr, pageSize: 2 }, {}))
    pages.push((page.repositories ?? []).map((each) => each.repositoryName));
  assert.deepEqual(pages, [['team/a', 'team/b'], ['team/c', 'team/d'], ['team/e']]);
  const rule = { ecrRepositoryPrefix: 'k8s', upstreamRegistryUrl: 'registry.k8s.io' };
  await ecr.send(new CreatePullThroughCacheRuleCommand(rule));
  const described = await ecr.send(new DescribePullThroughCacheRulesCommand({}));
  assert.deepEqual(
    described.pullThroughCacheRules?.map((each) => each.upstreamRegistry),
    ['k8s'],
  );
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  const [token] = authorizationData ?? [];
  assert.match(Buffer.from(token?.authorizationToken ?? '', 'base64').toString(), /^AWS:/);
  assert.ok((token?.expiresAt?.getTime() ?? 0) > Date.now());
  await assert.rejects(
    ecr.send(new CreatePullThroughCacheRuleCommand(rule)),
    PullThroughCacheRuleAlreadyExistsException,
  );
  await assert.rejects(
    ecr.send(new CreateRepositoryCommand({ repositoryName: 'team/a' })),
    (error) =>
      error instanceof RepositoryAlreadyExistsException &&
      error.name === 'RepositoryAlreadyExistsException' &&
      error.$metadata.httpStatusCode === 400 &&
      error.$metadata.requestId !== undefined,
  );
  await assert.rejects(
    ecr.send(new DeleteRepositoryCommand({ repositoryName: 'none' })),
    RepositoryNotFoundException,
  );
  await assert.rejects(
    ecr.send(new CreateRepositoryCommand({ repositoryName: 'A' })),
    named('InvalidParameterException'),
  );
  const lifecyclePolicyText = '{'.repeat(200);
  await assert.rejects(
    ecr.send(new PutLifecyclePolicyCommand({ repositoryName: 'team/a', lifecyclePolicyText })),
    named('InvalidParameterException'),
  );
});

test('Secrets Manager’s client keeps secrets and pages them, IAM’s users, and STS says who asks.', async (t) => {
  const { iam, secrets, sts } = await setClients(t);
  const { Account, Arn } = await sts.send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, `arn:aws:iam::${Account}:root`);

  for (const Name of ['one', 'two', 'three'])
    await secrets.send(new CreateSecretCommand({ Name, SecretString: `value of ${Name}` }));
  await secrets.send(
    new PutSecretValueCommand({ SecretId: 'one', SecretBinary: Buffer.from([0, 255]) }),
  );
  const value = await secrets.send(new GetSecretValueCommand({ SecretId: 'one' }));
  assert.deepEqual([...(value.SecretBinary ?? [])], [0, 255]);
  assert.ok(value.CreatedDate instanceof Date);
  const names: (string | undefined)[] = [];
  for await (const page of paginateListSecrets({ client: secrets, pageSize: 1 }, {}))
    names.push(...(page.SecretList ?? []).map(({ Name }) => Name));
  assert.deepEqual(new Set(names), new Set(['one', 'two', 'three']));
  await assert.rejects(
    secrets.send(new CreateSecretCommand({ Name: 'one', SecretString: 'other' })),
    ResourceExistsException,
  );
  await assert.rejects(
    secrets.send(new GetSecretValueCommand({ SecretId: 'none' })),
    ResourceNotFoundException,
  );

  for (const UserName of ['ann', 'bob', 'eve']) {
    const { User } = await iam.send(
      new CreateUserCommand({ UserName, Tags: [{ Key: 'team', Value: 'a + b' }] }),
    );
    assert.deepEqual(User?.Tags, [{ Key: 'team', Value: 'a + b' }]);
    assert.ok(User.CreateDate instanceof Date);
  }
  const users: (string | undefined)[] = [];
  for await (const page of paginateListUsers({ client: iam, pageSize: 2 }, {}))
    users.push(...(page.Users ?? []).map(({ UserName }) => UserName));
  assert.deepEqual(users, ['ann', 'bob', 'eve']);
  await assert.rejects(
    iam.send(new CreateUserCommand({ UserName: 'ann' })),
    EntityAlreadyExistsException,
  );
  await assert.rejects(
    iam.send(new DeleteUserCommand({ UserName: 'none' })),
    NoSuchEntityException,
  );
});

test('Each client repeats by itself a call whose answer is lost, and finds it done once.', async (t) => {
  const { ecr, iam, secrets } = await setClients(t, async (url) => {
    const proxy = await startLosingProxy(() => url);
    t.after(() => proxy[Symbol.asyncDispose]());
    return proxy.url;
  });
  const { repository } = await ecr.send(new CreateRepositoryCommand({ repositoryName: 'team/a' }));
  assert.equal(repository?.repositoryName, 'team/a');
  const { User } = await iam.send(new CreateUserCommand({ UserName: 'ann' }));
  assert.equal(User?.UserName, 'ann');
  const { Name } = await secrets.send(new CreateSecretCommand({ Name: 'one', SecretString: 'x' }));
  assert.equal(Name, 'one');
  const deleted = await ecr.send(new DeleteRepositoryCommand({ repositoryName: 'team/a' }));
  assert.equal(deleted.repository?.repositoryName, 'team/a');
});
