import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import { iamAsker, member, membersOf } from '../../../tests/support/rigs/iam-asker.ts';

const policy =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}';

suite('IAM over the AWS endpoint', () => {
  test('a user has its tags, keys and policies, and goes when those are gone', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    const user = { UserName: 'mia' };
    const made = await ask({
      Action: 'CreateUser',
      ...user,
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'a b',
    });
    assert.equal(made.status, 200, made.text);
    assert.match(member(made, 'UserId') ?? '', /^AIDA[A-Z2-7]{17}$/);
    assert.match(member(made, 'Arn') ?? '', /^arn:aws:iam::\d{12}:user\/mia$/);
    assert.match(member(made, 'CreateDate') ?? '', /^[\d-]{10}T[\d:]{8}Z$/);
    await ask({
      Action: 'TagUser',
      ...user,
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'c d',
      'Tags.member.2.Key': 'env',
      'Tags.member.2.Value': '',
    });
    await ask({ Action: 'UntagUser', ...user, 'TagKeys.member.1': 'env' });
    const got = await ask({ Action: 'GetUser', ...user });
    assert.deepEqual([membersOf(got, 'Key'), membersOf(got, 'Value')], [['team'], ['c d']]);
    const tags = await ask({ Action: 'ListUserTags', ...user });
    assert.deepEqual(membersOf(tags, 'Key'), ['team']);

    const key = await ask({ Action: 'CreateAccessKey', ...user });
    const id = member(key, 'AccessKeyId') ?? '';
    assert.match(id, /^AKIA/);
    assert.equal(member(key, 'SecretAccessKey')?.length, 40);
    const off = { Action: 'UpdateAccessKey', ...user, AccessKeyId: id, Status: 'Inactive' };
    assert.equal((await ask(off)).status, 200);
    const keys = await ask({ Action: 'ListAccessKeys', ...user });
    assert.deepEqual([member(keys, 'Status'), membersOf(keys, 'AccessKeyId')], ['Inactive', [id]]);
    const used = await ask({ Action: 'GetAccessKeyLastUsed', AccessKeyId: id });
    assert.deepEqual([member(used, 'UserName'), member(used, 'ServiceName')], ['mia', 'N/A']);

    const named = { ...user, PolicyName: 'pull' };
    await ask({ Action: 'PutUserPolicy', ...named, PolicyDocument: policy });
    const shown = await ask({ Action: 'GetUserPolicy', ...named });
    assert.equal(decodeURIComponent(member(shown, 'PolicyDocument') ?? ''), policy);
    assert.ok(!shown.text.includes('*'), 'the document is percent-encoded whole');
    const policies = await ask({ Action: 'ListUserPolicies', ...user });
    assert.match(policies.text, /<PolicyNames><member>pull<\/member><\/PolicyNames>/);

    const inUse = await ask({ Action: 'DeleteUser', ...user });
    assert.deepEqual([inUse.status, member(inUse, 'Code')], [409, 'DeleteConflict']);
    await ask({ Action: 'DeleteAccessKey', ...user, AccessKeyId: id });
    await ask({ Action: 'DeleteUserPolicy', ...named });
    assert.equal((await ask({ Action: 'DeleteUser', ...user })).status, 200);
    const gone = await ask({ Action: 'GetUser', ...user });
    assert.deepEqual([gone.status, member(gone, 'Code')], [404, 'NoSuchEntity']);
  });

  test('lists have markers, which are good for their list alone', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    const longest = 'z'.repeat(64);
    for (const name of ['mia', longest, `${longest.slice(1)}z`.replace(/^z/, 'y')])
      await ask({ Action: 'CreateUser', UserName: name });
    const all = membersOf(await ask({ Action: 'ListUsers' }), 'UserName');
    const read: string[] = [];
    let marker: string | undefined;
    do {
      const page = await ask({
        Action: 'ListUsers',
        MaxItems: '1',
        ...(marker === undefined ? {} : { Marker: marker }),
      });
      assert.equal(page.status, 200, page.text);
      read.push(...membersOf(page, 'UserName'));
      marker = member(page, 'Marker');
      assert.equal(member(page, 'IsTruncated'), String(marker !== undefined));
      if (read.length === 1) {
        const other = { Action: 'ListUserTags', UserName: 'mia', Marker: marker ?? '' };
        assert.equal((await ask(other)).status, 400);
      }
    } while (marker !== undefined);
    assert.deepEqual(read, all);
    assert.ok(all.length >= 3);
    const below = await ask({ Action: 'ListUsers', PathPrefix: '/system/' });
    assert.deepEqual(membersOf(below, 'UserName'), []);
  });

  const refused: readonly (readonly [
    name: string,
    asked: Readonly<Record<string, string>>,
    status: number,
    code: string,
  ])[] = [
    [
      'a second user of a name',
      { Action: 'CreateUser', UserName: 'mia' },
      409,
      'EntityAlreadyExists',
    ],
    [
      'a path, which nothing keeps',
      { Action: 'CreateUser', UserName: 'bob', Path: '/x/' },
      400,
      'InvalidInput',
    ],
    [
      'a boundary, which nothing enforces',
      { Action: 'CreateUser', UserName: 'bob', PermissionsBoundary: 'arn:aws:iam::aws:policy/X' },
      400,
      'InvalidInput',
    ],
    ['keys of nobody', { Action: 'ListAccessKeys', UserName: 'nobody' }, 404, 'NoSuchEntity'],
    ['tags of nobody', { Action: 'ListUserTags', UserName: 'nobody' }, 404, 'NoSuchEntity'],
    ['groups of nobody', { Action: 'ListGroupsForUser', UserName: 'nobody' }, 404, 'NoSuchEntity'],
    [
      'the key of somebody else',
      {
        Action: 'UpdateAccessKey',
        UserName: 'mia',
        AccessKeyId: 'AKIAAAAAAAAAAAAAAAAA',
        Status: 'Active',
      },
      404,
      'NoSuchEntity',
    ],
    [
      'a policy that is none',
      { Action: 'PutUserPolicy', UserName: 'mia', PolicyName: 'p', PolicyDocument: '{"x":1}' },
      400,
      'MalformedPolicyDocument',
    ],
    [
      'a policy that is not there',
      { Action: 'GetUserPolicy', UserName: 'mia', PolicyName: 'p' },
      404,
      'NoSuchEntity',
    ],
    ['a name with a slash', { Action: 'GetUser', UserName: 'a/b' }, 400, 'ValidationError'],
  ];
  test('what is refused is refused by IAM’s names', async (t) => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    await ask({ Action: 'CreateUser', UserName: 'mia' });
    for (const [name, asked, status, code] of refused)
      await t.test(name, async () => {
        const answer = await ask(asked);
        assert.deepEqual([answer.status, member(answer, 'Code')], [status, code], answer.text);
      });
  });

  test('a third key is beyond IAM’s quota', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    await ask({ Action: 'CreateUser', UserName: 'mia' });
    const create = { Action: 'CreateAccessKey', UserName: 'mia' };
    await ask(create);
    await ask(create);
    const third = await ask(create);
    assert.deepEqual([third.status, member(third, 'Code')], [409, 'LimitExceeded']);
  });

  test('who has no right is denied, whether the user is there or not', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    await ask({ Action: 'CreateUser', UserName: 'mia' });
    for (const UserName of ['mia', 'nobody']) {
      const answer = await ask({ Action: 'GetUser', UserName }, { as: 'ci' });
      assert.deepEqual([answer.status, member(answer, 'Code')], [403, 'AccessDenied']);
    }
  });

  test('who may not ask about a key learns neither whose it is nor whether it is here', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    await ask({ Action: 'CreateUser', UserName: 'mia' });
    const made = await ask({ Action: 'CreateAccessKey', UserName: 'mia' });
    const id = member(made, 'AccessKeyId') ?? '';
    const unknown = 'AKIAAAAAAAAAAAAAAAAA';
    const lastUsed = { Action: 'GetAccessKeyLastUsed' };
    const there = await ask({ ...lastUsed, AccessKeyId: id }, { as: 'ci' });
    const missing = await ask({ ...lastUsed, AccessKeyId: unknown }, { as: 'ci' });
    assert.match(member(there, 'Message') ?? '', new RegExp(`on resource: access key ${id} `));
    assert.deepEqual([missing.status, missing.text.replace(unknown, id)], [403, there.text]);
  });

  test('without a name it is the caller; a root is told by its account', async () => {
    await using aws = await openAws();
    const answer = await iamAsker(aws)({ Action: 'GetUser' });
    assert.match(member(answer, 'UserId') ?? '', /^\d{12}$/);
    assert.match(member(answer, 'Arn') ?? '', /:root$/);
  });
});
