// Sessions of roles, from STS's call to what they may, each refusal by AWS's name.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsAnswer, AwsAsk, AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { home, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import { anonymousCaller } from '../../access/access.ts';
import type { Caller } from '../../access/access.ts';
import { callerOfSession } from '../../access/identify/session-callers.ts';
import { openSessionToken } from '../../access/secrets/temporary-key.ts';

const roleArn = `arn:aws:iam::${home}:role/ci`;
const allow = (Action: string | readonly string[]) => ({ Effect: 'Allow', Action, Resource: '*' });
const document = (...Statement: readonly object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement });
const trust = (Principal: unknown, Condition?: object): string =>
  document({
    Effect: 'Allow',
    Principal,
    Action: ['sts:AssumeRole', 'sts:TagSession'],
    ...(Condition && { Condition }),
  });
const trustsAnn = trust({ AWS: `arn:aws:iam::${home}:user/ann` });

/** The role `ci` with that trust policy, which may what is given, and Ann. */
async function openWithRole(
  trustPolicy: string = trustsAnn,
  may: readonly object[] = [allow('ecr:*')],
): Promise<AwsRig> {
  const aws = await openAws();
  await aws.api.ask('POST users', { body: { name: 'ann' } });
  const role = { name: 'ci', trustPolicy, maxSessionSeconds: 7200 };
  assert.equal((await aws.api.ask('POST roles', { body: role })).status, 201);
  if (may.length > 0)
    await aws.api.ask('PUT identity-policies', {
      body: { role: 'ci', name: 'p', policy: document(...may) },
    });
  aws.api.audited.length = 0;
  return aws;
}

type Parameters = Readonly<Record<string, string>>;

function sts(aws: AwsRig, Action: string, more: Parameters = {}, asked: AwsAsk = { as: 'ann' }) {
  return aws.form({ Version: '2011-06-15', Action, ...more }, asked);
}

function assume(aws: AwsRig, more: Parameters = {}, asked: AwsAsk = { as: 'ann' }) {
  const named = { RoleArn: roleArn, RoleSessionName: 'build' };
  return sts(aws, 'AssumeRole', { ...named, ...more }, asked);
}

function member({ text }: AwsAnswer, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
}

/** Whom the keys of an answer speak for: anonymous, where it is nobody any more. */
async function callerOf({ api }: AwsRig, answer: AwsAnswer): Promise<Caller> {
  const id = member(answer, 'AccessKeyId');
  const content = openSessionToken(api.sealing, id, member(answer, 'SessionToken'));
  assert.ok(content, answer.text);
  assert.equal(content.secret, member(answer, 'SecretAccessKey'));
  const checked = await callerOfSession(id, content, {
    metadata: api.metadata,
    keys: api.sealing as never,
    homeAccount: home,
    administrator: () => ({ accessKeyId: 'AKIANONE', secretAccessKey: '' }),
    clock: api.clock,
  });
  return 'why' in checked ? anonymousCaller : checked.caller;
}

async function session(aws: AwsRig, more: Parameters = {}, asked?: AwsAsk): Promise<Caller> {
  const answer = await assume(aws, more, asked);
  assert.equal(answer.status, 200, answer.text);
  return await callerOf(aws, answer);
}

suite('AssumeRole', () => {
  test('answers keys for an hour, with the session as it is named from then on', async () => {
    await using aws = await openWithRole();
    const answer = await assume(aws);
    assert.match(member(answer, 'AccessKeyId'), /^ASIA[A-Z2-7]{16}$/);
    assert.equal(member(answer, 'Arn'), `arn:aws:sts::${home}:assumed-role/ci/build`);
    assert.match(member(answer, 'AssumedRoleId'), /^AROA[A-Z2-7]{17}:build$/);
    assert.equal(Date.parse(member(answer, 'Expiration')), aws.api.clock.now() + 3_600_000);
    assert.equal(member(answer, 'PackedPolicySize'), '');
    const as = await callerOf(aws, answer);
    const who = await sts(aws, 'GetCallerIdentity', {}, { as });
    assert.equal(member(who, 'Arn'), member(answer, 'Arn'));
    assert.equal(member(who, 'UserId'), member(answer, 'AssumedRoleId'));
  });

  test('is in the audit, with the key and without a secret', async () => {
    await using aws = await openWithRole();
    const answer = await assume(aws);
    const { audited } = aws.api;
    assert.deepEqual(
      audited.map(({ action, resource, detail }) => [action, resource, detail['session']]),
      [['sts:AssumeRole', 'role/ci', 'build']],
    );
    const told = JSON.stringify(audited);
    assert.ok(told.includes(member(answer, 'AccessKeyId')));
    for (const name of ['SecretAccessKey', 'SessionToken'])
      assert.ok(!told.includes(member(answer, name)));
  });

  test('gives what the role may, and nothing of who assumed it', async () => {
    await using aws = await openWithRole(trustsAnn, [allow('ecr:CreateRepository')]);
    await aws.api.ask('PUT identity-policies', {
      body: { user: 'ann', name: 'p', policy: document(allow('ecr:DescribeRepositories')) },
    });
    const as = await session(aws);
    const made = await aws.ecr('CreateRepository', { repositoryName: 'a/b' }, { as });
    assert.equal(made.status, 200, made.text);
    const listed = await aws.ecr('DescribeRepositories', { repositoryNames: ['a/b'] }, { as });
    assert.equal(listed.json['__type'], 'AccessDeniedException');
    assert.match(listed.json.message, /assumed-role\/ci\/build is not authorized/);
  });

  test('with a policy gives what both allow', async () => {
    await using aws = await openWithRole();
    const Policy = document(allow('ecr:DescribeRepositories'));
    const answer = await assume(aws, { Policy });
    assert.match(member(answer, 'PackedPolicySize'), /^[1-9]\d?$/);
    const as = await callerOf(aws, answer);
    assert.equal((await aws.ecr('DescribeRepositories', {}, { as })).status, 200);
    const made = await aws.ecr('CreateRepository', { repositoryName: 'a/b' }, { as });
    assert.equal(made.json['__type'], 'AccessDeniedException');
  });

  test("with tags gives what depends on them, the session's before its role's", async () => {
    const inTeam = {
      ...allow('ecr:CreateRepository'),
      Resource: `arn:aws:ecr:*:${home}:repository/\${aws:PrincipalTag/team}/*`,
    };
    await using aws = await openWithRole(trustsAnn, [inTeam]);
    await aws.api.operations.roles.tagRole(
      { caller: admin, from: { address: '127.0.0.1' } as never },
      { name: 'ci', tags: [{ key: 'team', value: 'roles' }] },
    );
    const make = (repositoryName: string, as: Caller) =>
      aws.ecr('CreateRepository', { repositoryName }, { as }).then(({ status }) => status);
    const plain = await session(aws);
    assert.deepEqual([await make('roles/a', plain), await make('own/a', plain)], [200, 400]);
    const tagged = await session(aws, {
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'own',
    });
    assert.deepEqual([await make('roles/b', tagged), await make('own/b', tagged)], [400, 200]);
  });

  test("with a tag whose key is its role's but for case has its own alone, and hands it on by either spelling", async () => {
    await using aws = await openWithRole(trust({ AWS: home }), [allow('sts:*')]);
    const asAdmin = { caller: admin, from: { address: '127.0.0.1' } as never };
    const { roles } = aws.api.operations;
    for (const key of ['team', 'TEAM'])
      await roles.tagRole(asAdmin, { name: 'ci', tags: [{ key, value: key }] });
    assert.deepEqual((await roles.getRole(asAdmin, { name: 'ci' })).tags, [
      { key: 'TEAM', value: 'TEAM' },
    ]);
    await aws.api.ask('PUT identity-policies', {
      body: { user: 'ann', name: 'p', policy: document(allow('sts:*')) },
    });
    const first = await session(aws, {
      'Tags.member.1.Key': 'Team',
      'Tags.member.1.Value': 'own',
      'TransitiveTagKeys.member.1': 'tEAM',
    });
    assert.deepEqual(first.tags, [{ key: 'Team', value: 'own' }]);
    assert.deepEqual((await session(aws, {}, { as: first })).tags, first.tags);
  });

  test('hands transitive tags on to the sessions that a session begins, and no others', async () => {
    const anyRole = trust({ AWS: home });
    await using aws = await openWithRole(anyRole, [allow('sts:*')]);
    await aws.api.ask('PUT identity-policies', {
      body: { user: 'ann', name: 'p', policy: document(allow('sts:*')) },
    });
    const first = await session(aws, {
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'a',
      'Tags.member.2.Key': 'other',
      'Tags.member.2.Value': 'b',
      'TransitiveTagKeys.member.1': 'team',
    });
    const second = await session(aws, {}, { as: first });
    assert.deepEqual(second.tags, [{ key: 'team', value: 'a' }]);
    const again = { 'Tags.member.1.Key': 'Team', 'Tags.member.1.Value': 'x' };
    const refused = await assume(aws, again, { as: second });
    assert.equal(member(refused, 'Code'), 'ValidationError');
    assert.match(member(refused, 'Message'), /inherited/);
  });

  test('may be asked by an external id, by the name of the session and by its tags', async () => {
    await using aws = await openWithRole(
      trust(
        { AWS: `arn:aws:iam::${home}:user/ann` },
        {
          StringEquals: { 'sts:ExternalId': 'xy', 'aws:RequestTag/team': 'a' },
          StringLike: { 'sts:RoleSessionName': 'build*' },
          'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] },
        },
      ),
    );
    const good = {
      ExternalId: 'xy',
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'a',
    };
    assert.equal((await assume(aws, good)).status, 200);
    const changes: readonly Parameters[] = [
      { ExternalId: 'xz' },
      { RoleSessionName: 'deploy' },
      { 'Tags.member.1.Value': 'b' },
      { 'Tags.member.2.Key': 'other', 'Tags.member.2.Value': 'x' },
    ];
    for (const change of changes)
      assert.equal((await assume(aws, { ...good, ...change })).status, 403, JSON.stringify(change));
  });

  const refusals: readonly (readonly [string, Parameters, string, RegExp])[] = [
    [
      'a role that is not there',
      { RoleArn: `${roleArn}x` },
      'AccessDenied',
      /perform: sts:AssumeRole on resource: .*role\/cix/,
    ],
    [
      'a role by another path',
      { RoleArn: `arn:aws:iam::${home}:role/a/ci` },
      'AccessDenied',
      /role\/a\/ci/,
    ],
    [
      'what is no role',
      { RoleArn: `arn:aws:iam::${home}:user/ann` },
      'ValidationError',
      /user\/ann is invalid/,
    ],
    ['a name of one character', { RoleSessionName: 'x' }, 'ValidationError', /roleSessionName/i],
    ['a name with a slash', { RoleSessionName: 'a/b' }, 'ValidationError', /roleSessionName/i],
    [
      'less than a quarter of an hour',
      { DurationSeconds: '899' },
      'ValidationError',
      /durationSeconds/i,
    ],
    [
      'more than the role gives',
      { DurationSeconds: '7201' },
      'ValidationError',
      /exceeds the MaxSessionDuration set for this role/,
    ],
    ['more than half a day', { DurationSeconds: '43201' }, 'ValidationError', /durationSeconds/i],
    ['a policy that is none', { Policy: '{}' }, 'MalformedPolicyDocument', /holds no statement/],
    [
      'a policy of a repository',
      { Policy: trustsAnn },
      'MalformedPolicyDocument',
      /Statement\[0\]/,
    ],
    [
      'a policy that is too long',
      { Policy: document(...Array.from({ length: 40 }, () => allow('ecr:BatchGetImage'))) },
      'PackedPolicyTooLarge',
      /2048/,
    ],
    [
      'more labels than fit',
      Object.fromEntries(
        Array.from({ length: 20 }, (_, at) => [
          [`Tags.member.${at + 1}.Key`, `k${at}`],
          [`Tags.member.${at + 1}.Value`, 'x'.repeat(256)],
        ]).flat(),
      ),
      'PackedPolicyTooLarge',
      /Packed policy consumes 1\d\d%/,
    ],
    [
      'a label twice',
      {
        'Tags.member.1.Key': 'a',
        'Tags.member.1.Value': '1',
        'Tags.member.2.Key': 'A',
        'Tags.member.2.Value': '2',
      },
      'ValidationError',
      /Duplicate tag keys/,
    ],
    [
      'a transitive key without a label',
      { 'TransitiveTagKeys.member.1': 'x' },
      'ValidationError',
      /TransitiveTagKeys: x/,
    ],
    [
      'managed policies',
      { 'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess' },
      'ValidationError',
      /PolicyArns: .*give the text as Policy/,
    ],
    [
      'an MFA device',
      { SerialNumber: 'GAHT12345678', TokenCode: '123456' },
      'ValidationError',
      /no MFA devices/,
    ],
    ['a source identity', { SourceIdentity: 'ann' }, 'ValidationError', /SourceIdentity/],
  ];
  test('is refused by the name that SDKs know, and begins nothing', async (context) => {
    await using aws = await openWithRole();
    for (const [what, change, code, message] of refusals)
      await context.test(what, async () => {
        const answer = await assume(aws, change);
        assert.equal(member(answer, 'Code'), code, answer.text);
        assert.match(member(answer, 'Message'), message);
        assert.equal(aws.api.audited.filter(({ kind }) => kind === 'change').length, 0);
      });
  });

  test('by a session lasts an hour at most, whatever its role gives', async () => {
    await using aws = await openWithRole(trust({ AWS: home }), [allow('sts:*')]);
    await aws.api.ask('PUT identity-policies', {
      body: { user: 'ann', name: 'p', policy: document(allow('sts:*')) },
    });
    const as = await session(aws, { DurationSeconds: '7200' });
    const long = await assume(aws, { DurationSeconds: '3601' }, { as });
    assert.equal(member(long, 'Code'), 'ValidationError');
    assert.match(member(long, 'Message'), /role chaining/);
    assert.equal((await assume(aws, { DurationSeconds: '3600' }, { as })).status, 200);
  });

  test('from another account needs both sides', async () => {
    await using aws = await openWithRole(trust({ AWS: otherAccount }));
    await aws.api.ask('POST accounts', { body: { account: otherAccount, name: 'other' } });
    assert.equal((await assume(aws, {}, { as: 'other' })).status, 200);
    assert.equal((await assume(aws)).status, 403);
  });

  test('is the same to who may not, whether the role is there or not, and in the audit', async () => {
    await using aws = await openWithRole(trust({ AWS: otherAccount }));
    const there = await assume(aws);
    const not = await assume(aws, { RoleArn: `arn:aws:iam::${home}:role/no` });
    assert.equal(there.text.replaceAll('role/ci', 'role/no'), not.text);
    assert.deepEqual(
      aws.api.audited.map(({ kind, action, resource }) => [kind, action, resource]),
      [
        ['denial', 'sts:AssumeRole', roleArn],
        ['denial', 'sts:AssumeRole', `arn:aws:iam::${home}:role/no`],
      ],
    );
  });
});

const admin: Caller = {
  principal: { kind: 'administrator', account: home },
  via: 'key',
  scopes: undefined,
};

suite('a session ends', () => {
  test('with its role, also where another takes the name', async () => {
    await using aws = await openWithRole();
    const answer = await assume(aws);
    await aws.api.ask('DELETE roles', { query: { name: 'ci' } });
    assert.equal(await callerOf(aws, answer), anonymousCaller);
    aws.api.clock.advance(1000);
    await aws.api.ask('POST roles', { body: { name: 'ci', trustPolicy: trustsAnn } });
    assert.equal(await callerOf(aws, answer), anonymousCaller);
  });

  test('at its end, and goes on when its role trusts nobody any more', async () => {
    await using aws = await openWithRole();
    const answer = await assume(aws);
    await aws.api.ask('PATCH role', {
      body: { name: 'ci', trustPolicy: trust({ AWS: otherAccount }) },
    });
    assert.equal((await assume(aws)).status, 403);
    aws.api.clock.advance(3_599_000);
    assert.equal((await callerOf(aws, answer)).via, 'session');
    aws.api.clock.advance(1000);
    assert.equal(await callerOf(aws, answer), anonymousCaller);
  });

  test('its rights with the next request after the policies of its role', async () => {
    await using aws = await openWithRole();
    const as = await session(aws);
    const make = (repositoryName: string) =>
      aws.ecr('CreateRepository', { repositoryName }, { as });
    assert.equal((await make('a/b')).status, 200);
    await aws.api.ask('DELETE identity-policies', { query: { role: 'ci', name: 'p' } });
    assert.equal((await make('a/c')).json['__type'], 'AccessDeniedException');
  });
});

suite('a session has no users, keys or tokens of its own', () => {
  for (const Action of ['ListAccessKeys', 'CreateAccessKey', 'GetUser'])
    test(Action, async () => {
      await using aws = await openWithRole(trustsAnn, [allow('iam:*')]);
      const as = await session(aws);
      const asked = { as, service: 'iam' };
      const answer = await aws.form({ Version: '2010-05-08', Action }, asked);
      assert.equal(member(answer, 'Code'), 'ValidationError', answer.text);
      const named = await aws.form({ Version: '2010-05-08', Action, UserName: 'ann' }, asked);
      assert.equal(named.status, 200, named.text);
    });
});
