import { deepEqual, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import { iamAsker, member, membersOf } from '../../../tests/support/rigs/iam-asker.ts';

const trust = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'ec2.amazonaws.com' } },
  ],
});
const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }],
});
const pullOnly = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly';
const role = { RoleName: 'nodes' };

suite('roles over IAM', () => {
  test('a role has its trust, its policies and tags, and goes when those are gone', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    const made = await ask({
      Action: 'CreateRole',
      ...role,
      Path: '/eks/',
      AssumeRolePolicyDocument: trust,
      Description: 'of nodes',
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'a',
    });
    equal(made.status, 200, made.text);
    equal(member(made, 'Arn'), 'arn:aws:iam::000000000000:role/eks/nodes');
    match(member(made, 'RoleId') ?? '', /^AROA[A-Z2-7]{17}$/);
    equal(member(made, 'MaxSessionDuration'), '3600');
    await ask({ Action: 'UpdateRole', ...role, MaxSessionDuration: '7200', Description: 'x' });
    const described = await ask({ Action: 'UpdateRoleDescription', ...role, Description: 'y' });
    equal(member(described, 'Description'), 'y');
    const other = trust.replace('ec2', 'ecs-tasks');
    await ask({ Action: 'UpdateAssumeRolePolicy', ...role, PolicyDocument: other });
    const got = await ask({ Action: 'GetRole', ...role });
    deepEqual(
      ['MaxSessionDuration', 'Description', 'Path'].map((name) => member(got, name)),
      ['7200', 'y', '/eks/'],
    );
    equal(decodeURIComponent(member(got, 'AssumeRolePolicyDocument') ?? ''), other);
    deepEqual(membersOf(await ask({ Action: 'ListRoles' }), 'RoleName'), ['nodes']);
    const elsewhere = await ask({ Action: 'ListRoles', PathPrefix: '/x/' });
    deepEqual(membersOf(elsewhere, 'RoleName'), []);

    const named = { ...role, PolicyName: 'import' };
    await ask({ Action: 'PutRolePolicy', ...named, PolicyDocument: policy });
    const shown = await ask({ Action: 'GetRolePolicy', ...named });
    equal(decodeURIComponent(member(shown, 'PolicyDocument') ?? ''), policy);
    const policies = await ask({ Action: 'ListRolePolicies', ...role });
    match(policies.text, /<PolicyNames><member>import<\/member><\/PolicyNames>/);
    equal((await ask({ Action: 'AttachRolePolicy', ...role, PolicyArn: pullOnly })).status, 200);
    const attached = await ask({ Action: 'ListAttachedRolePolicies', ...role });
    deepEqual(membersOf(attached, 'PolicyArn'), [pullOnly]);
    const holders = await ask({ Action: 'ListEntitiesForPolicy', PolicyArn: pullOnly });
    deepEqual([membersOf(holders, 'RoleName'), membersOf(holders, 'UserName')], [['nodes'], []]);
    await ask({ Action: 'TagRole', ...role, 'Tags.member.1.Key': 'b', 'Tags.member.1.Value': '' });
    await ask({ Action: 'UntagRole', ...role, 'TagKeys.member.1': 'team' });
    deepEqual(membersOf(await ask({ Action: 'ListRoleTags', ...role }), 'Key'), ['b']);
    const profiles = await ask({ Action: 'ListInstanceProfilesForRole', ...role });
    match(profiles.text, /<InstanceProfiles\s*\/>|<InstanceProfiles><\/InstanceProfiles>/);

    const inUse = await ask({ Action: 'DeleteRole', ...role });
    equal(member(inUse, 'Message'), 'Cannot delete entity, must delete policies first.');
    await ask({ Action: 'DeleteRolePolicy', ...named });
    const stillInUse = await ask({ Action: 'DeleteRole', ...role });
    deepEqual(
      [member(stillInUse, 'Code'), member(stillInUse, 'Message')],
      ['DeleteConflict', 'Cannot delete entity, must detach all policies first.'],
    );
    await ask({ Action: 'DetachRolePolicy', ...role, PolicyArn: pullOnly });
    equal((await ask({ Action: 'DeleteRole', ...role })).status, 200);
    equal(member(await ask({ Action: 'GetRole', ...role }), 'Code'), 'NoSuchEntity');
  });

  test('a user and a role of one name are two', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    await ask({ Action: 'CreateUser', UserName: 'nodes' });
    await ask({ Action: 'CreateRole', ...role, AssumeRolePolicyDocument: trust });
    await ask({ Action: 'AttachRolePolicy', ...role, PolicyArn: pullOnly });
    const ofUser = await ask({ Action: 'ListAttachedUserPolicies', UserName: 'nodes' });
    deepEqual(membersOf(ofUser, 'PolicyArn'), []);
    equal((await ask({ Action: 'DeleteUser', UserName: 'nodes' })).status, 200);
    equal((await ask({ Action: 'GetRole', ...role })).status, 200);
  });

  const create = { Action: 'CreateRole', RoleName: 'other', AssumeRolePolicyDocument: trust };
  const refused: readonly (readonly [
    name: string,
    asked: Readonly<Record<string, string>>,
    code: string,
    message?: RegExp,
  ])[] = [
    [
      'a second role of a name',
      { ...create, ...role },
      'EntityAlreadyExists',
      /^Role with name nodes/,
    ],
    [
      'a trust policy that is none',
      { ...create, AssumeRolePolicyDocument: policy },
      'MalformedPolicyDocument',
    ],
    ['a session of a day', { ...create, MaxSessionDuration: '86400' }, 'ValidationError'],
    [
      'a boundary, which nothing enforces',
      { ...create, PermissionsBoundary: pullOnly },
      'InvalidInput',
    ],
    [
      'a length of console sessions, which there are none of',
      { ...create, MaxSigninSessionDuration: '3600' },
      'InvalidInput',
    ],
    ...[
      { Action: 'GetRole' },
      { Action: 'DeleteRole' },
      { Action: 'UpdateRole', Description: 'x' },
      { Action: 'UpdateAssumeRolePolicy', PolicyDocument: trust },
      { Action: 'ListRolePolicies' },
      { Action: 'PutRolePolicy', PolicyName: 'p', PolicyDocument: policy },
      { Action: 'ListAttachedRolePolicies' },
      { Action: 'AttachRolePolicy', PolicyArn: pullOnly },
      { Action: 'DetachRolePolicy', PolicyArn: pullOnly },
      { Action: 'ListRoleTags' },
      { Action: 'ListInstanceProfilesForRole' },
    ].map(
      (asked) =>
        [
          `${asked.Action} of no role`,
          { ...asked, RoleName: 'none' },
          'NoSuchEntity',
          /^The role with name none cannot be found\.$/,
        ] as const,
    ),
    [
      'a policy that the role has not',
      { Action: 'GetRolePolicy', ...role, PolicyName: 'p' },
      'NoSuchEntity',
      /^The role policy with name p cannot be found\.$/,
    ],
    [
      'detaching what is not attached',
      { Action: 'DetachRolePolicy', ...role, PolicyArn: pullOnly },
      'NoSuchEntity',
    ],
  ];
  test('what is refused is refused by IAM’s names', async (t) => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    await ask({ Action: 'CreateRole', ...role, AssumeRolePolicyDocument: trust });
    for (const [name, asked, code, message = /./] of refused)
      await t.test(name, async () => {
        const answer = await ask(asked);
        equal(member(answer, 'Code'), code, answer.text);
        match(member(answer, 'Message') ?? '', message);
      });
  });

  test('who has no right is denied, whether the role is there or not', async () => {
    await using aws = await openAws();
    const ask = iamAsker(aws);
    await ask({ Action: 'CreateRole', ...role, AssumeRolePolicyDocument: trust });
    for (const RoleName of ['nodes', 'none']) {
      const answer = await ask({ Action: 'GetRole', RoleName }, { as: 'ci' });
      deepEqual([answer.status, member(answer, 'Code')], [403, 'AccessDenied']);
    }
  });
});
