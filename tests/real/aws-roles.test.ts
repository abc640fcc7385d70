// The AWS command line and boto3 assume roles, by a key and by an identity provider's token, and registry clients pull as them.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { setAwsScene } from '../support/clients/aws.ts';
import type { AwsScene } from '../support/clients/aws.ts';
import { basicOf } from '../support/processes/breakwater.ts';
import { runCommand } from '../support/processes/run-command.ts';
import { findTool } from '../support/tools/tools.ts';
import { stageJwtIssuer } from '../support/upstreams/jwt-issuer.ts';

const account = '000000000000';
const roleArn = `arn:aws:iam::${account}:role/ci`;
const document = (...Statement: readonly object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement });
const pushAndPull = document({ Effect: 'Allow', Action: 'ecr:*', Resource: '*' });
const trustOfAccount = document({
  Effect: 'Allow',
  Principal: { AWS: `arn:aws:iam::${account}:root` },
  Action: 'sts:AssumeRole',
});

async function makeRole(s: AwsScene, trustPolicy: string): Promise<void> {
  const { breakwater } = s;
  const admin = await basicOf(breakwater);
  const ask = async (method: string, path: string, body: object): Promise<void> => {
    const answer = await fetch(`${breakwater.url}/api/v1/${path}`, {
      method,
      headers: { authorization: admin, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.ok(answer.ok, await answer.text());
  };
  await ask('POST', 'roles', { name: 'ci', trustPolicy });
  await ask('PUT', 'identity-policies', { role: 'ci', name: 'p', policy: pushAndPull });
}

/** What `aws` and registry clients are given instead of the data folder's key. */
function envOf(Credentials: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: Credentials['AccessKeyId'] ?? '',
    AWS_SECRET_ACCESS_KEY: Credentials['SecretAccessKey'] ?? '',
    AWS_SESSION_TOKEN: Credentials['SessionToken'] ?? '',
  };
}

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'breakwater-roles-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

test('aws assumes a role, and crane pulls by its get-login-password until the role is gone.', async (t) => {
  const s = await setAwsScene(t);
  if (s === undefined) return;
  const crane = await findTool('crane');
  if ('missing' in crane) return t.skip(crane.missing);
  await makeRole(s, trustOfAccount);
  const named = ['--role-arn', roleArn, '--role-session-name', 'build-1'];
  const begun = await s.aws('sts', 'assume-role', ...named, '--duration-seconds', '900');
  const session = `arn:aws:sts::${account}:assumed-role/ci/build-1`;
  assert.equal(begun.AssumedRoleUser.Arn, session);
  const asRole = s.with(envOf(begun.Credentials));
  assert.equal((await asRole.aws('sts', 'get-caller-identity')).Arn, session);
  await asRole.aws('ecr', 'create-repository', '--repository-name', 'team/app');
  const token = await asRole.aws('ecr', 'get-authorization-token');
  const [{ expiresAt }] = token.authorizationData;
  const until = Date.parse(begun.Credentials.Expiration);
  // Version 1 prints the number as it came, version 2 a time.
  const end = typeof expiresAt === 'number' ? expiresAt * 1000 : Date.parse(expiresAt as string);
  assert.equal(end, until, 'the password ends with the keys');
  const password = await asRole.aws('ecr', 'get-login-password');
  const env = { DOCKER_CONFIG: await folder(t) };
  const { host } = s.breakwater;
  const login = ['auth', 'login', host, '-u', 'AWS', '--password-stdin'];
  const loggedIn = await runCommand(crane.path, login, { env, input: password });
  assert.equal(loggedIn.code, 0, loggedIn.stderr);
  const layer = join(env.DOCKER_CONFIG, 'layer.tar');
  await writeFile(layer, new Uint8Array(1024));
  const image = `${host}/team/app:1`;
  const push = await runCommand(crane.path, ['append', '-f', layer, '-t', image], { env });
  assert.equal(push.code, 0, push.stderr);
  const pull = () => runCommand(crane.path, ['manifest', image], { env });
  assert.equal((await pull()).code, 0);

  const gone = await fetch(`${s.breakwater.url}/api/v1/roles?name=ci`, {
    method: 'DELETE',
    headers: { authorization: await basicOf(s.breakwater) },
  });
  assert.equal(gone.status, 204);
  assert.notEqual((await pull()).code, 0);
  const after = await asRole.attempt('sts', 'get-caller-identity');
  assert.match(after.stderr, /InvalidClientTokenId/);
  for (const secret of [begun.Credentials.SecretAccessKey, begun.Credentials.SessionToken])
    assert.ok(!s.breakwater.logs().includes(secret));
});

test('boto3 takes a profile with role_arn and source_profile, and keys of GetSessionToken.', async (t) => {
  const s = await setAwsScene(t);
  if (s === undefined) return;
  await makeRole(s, trustOfAccount);
  const config = join(await folder(t), 'config');
  await writeFile(
    config,
    `[default]\nendpoint_url = ${s.breakwater.url}\n[profile ci]\nrole_arn = ${roleArn}\nsource_profile = default\nrole_session_name = from-profile\nendpoint_url = ${s.breakwater.url}\nregion = us-east-1\n`,
  );
  const told = await s.with({ AWS_CONFIG_FILE: config, AWS_ENDPOINT_URL_STS: s.breakwater.url })
    .boto3(`
session = boto3.Session(profile_name='ci')
arn = session.client('sts').get_caller_identity()['Arn']
made = call(session.client('ecr'), 'create_repository', repositoryName='by/role')['repository']['repositoryName']
own = client('sts').get_session_token(DurationSeconds=900)['Credentials']
def by_token(name):
    return boto3.client(name, region_name='us-east-1', endpoint_url='${s.breakwater.url}', config=config,
        aws_access_key_id=own['AccessKeyId'], aws_secret_access_key=own['SecretAccessKey'], aws_session_token=own['SessionToken'])
root = by_token('sts').get_caller_identity()['Arn']
more = [call(by_token('ecr'), 'create_repository', repositoryName='by/token')['repository']['repositoryName'],
    call(by_token('iam'), 'list_users')['error'], call(by_token('sts'), 'get_session_token')['error']]
url = by_token('sts').generate_presigned_url('get_caller_identity', HttpMethod='GET')
import urllib.request
presigned = urllib.request.urlopen(url).read().decode()
answer({'arn': arn, 'made': made, 'root': root, 'more': more, 'presigned': '<Arn>' + root + '</Arn>' in presigned, 'token in url': 'X-Amz-Security-Token=' in url})
`);
  assert.deepEqual(told, {
    arn: `arn:aws:sts::${account}:assumed-role/ci/from-profile`,
    made: 'by/role',
    root: `arn:aws:iam::${account}:root`,
    more: ['by/token', 'AccessDenied', 'AccessDenied'],
    presigned: true,
    'token in url': true,
  });
});

test('a workload with a token of its issuer in a file is the role that trusts its subject.', async (t) => {
  await using issuer = await stageJwtIssuer();
  const s = await setAwsScene(t, {
    oidc: [{ issuer: issuer.url, audiences: ['sts.amazonaws.com'] }],
  });
  if (s === undefined) return;
  const provider = issuer.url.replace('http://', '');
  await makeRole(
    s,
    document({
      Effect: 'Allow',
      Principal: { Federated: `arn:aws:iam::${account}:oidc-provider/${provider}` },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: {
          [`${provider}:sub`]: 'system:serviceaccount:team:builder',
          [`${provider}:aud`]: 'sts.amazonaws.com',
        },
      },
    }),
  );
  const place = await folder(t);
  const file = join(place, 'token');
  await writeFile(join(place, 'config'), '[default]\nregion = us-east-1\n');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer.url,
    sub: 'system:serviceaccount:team:builder',
    aud: 'sts.amazonaws.com',
    iat: now,
    exp: now + 600,
  };
  const asWorkload = s.with({
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_ROLE_ARN: roleArn,
    AWS_ROLE_SESSION_NAME: 'pod-1',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_CONFIG_FILE: join(place, 'config'),
    AWS_ENDPOINT_URL: s.breakwater.url,
    AWS_ENDPOINT_URL_STS: s.breakwater.url,
    AWS_DEFAULT_REGION: 'us-east-1',
  });
  const attempt = async (change: object): Promise<string> => {
    await writeFile(file, await issuer.sign({ ...claims, ...change }));
    // The command line keeps what it was given in the user's home; boto3 keeps nothing.
    return String(
      await asWorkload.boto3("answer(json.dumps(call(client('sts'), 'get_caller_identity')))"),
    );
  };
  assert.match(await attempt({}), /assumed-role\/ci\/pod-1/);
  const wrong: readonly (readonly [object, RegExp])[] = [
    [
      { sub: 'system:serviceaccount:team:other' },
      /AccessDenied.*Not authorized to perform sts:AssumeRoleWithWebIdentity/s,
    ],
    [{ aud: 'breakwater' }, /InvalidIdentityToken/],
    [{ exp: now - 60 }, /ExpiredTokenException/],
    [{ nbf: now + 300 }, /IDPRejectedClaim/],
    [
      { iss: 'https://elsewhere.example' },
      /InvalidIdentityToken.*No OpenIDConnect provider found/s,
    ],
  ];
  for (const [change, message] of wrong) assert.match(await attempt(change), message);
});
