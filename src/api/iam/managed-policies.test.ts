import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { openAws } from '../../../tests/support/rigs/aws-rig.ts';
import type { AwsRig } from '../../../tests/support/rigs/aws-rig.ts';
import { iamAsker, member, membersOf } from '../../../tests/support/rigs/iam-asker.ts';

const account = '000000000000';
const readOnly = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';

function allowing(action: string, resource = '*'): string {
  const statement = { Effect: 'Allow', Action: action, Resource: resource };
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
}

function arnOf(name: string, path = '/'): string {
  return `arn:aws:iam::${account}:policy${path}${name}`;
}

/** Whose policies they are: the user `ci`. */
async function askAbout(aws: AwsRig): Promise<ReturnType<typeof iamAsker>> {
  const ask = iamAsker(aws);
  equal((await ask({ Action: 'CreateUser', UserName: 'ci' })).status, 200);
  return ask;
}

suite('managed policies over IAM', () => {
  test('a policy has its versions, of which one counts, its tags, and goes when it is alone', async () => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    const made = await ask({
      Action: 'CreatePolicy',
      PolicyName: 'push',
      Path: '/team/',
      Description: 'for CI',
      PolicyDocument: allowing('ecr:*'),
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'a',
    });
    equal(made.status, 200, made.text);
    const PolicyArn = arnOf('push', '/team/');
    equal(member(made, 'Arn'), PolicyArn);
    match(member(made, 'PolicyId') ?? '', /^ANPA[A-Z2-7]{17}$/);
    deepEqual([member(made, 'DefaultVersionId'), member(made, 'AttachmentCount')], ['v1', '0']);

    for (let version = 2; version <= 5; version += 1) {
      const SetAsDefault = version === 3 ? 'true' : 'false';
      const PolicyDocument = allowing(`ecr:Put${version}*`);
      const more = await ask({
        Action: 'CreatePolicyVersion',
        PolicyArn,
        PolicyDocument,
        SetAsDefault,
      });
      equal(member(more, 'VersionId'), `v${version}`, more.text);
    }
    const PolicyDocument = allowing('ecr:*');
    const sixth = await ask({ Action: 'CreatePolicyVersion', PolicyArn, PolicyDocument });
    deepEqual([sixth.status, member(sixth, 'Code')], [409, 'LimitExceeded']);
    const got = await ask({ Action: 'GetPolicy', PolicyArn });
    deepEqual(
      [member(got, 'DefaultVersionId'), member(got, 'Description'), membersOf(got, 'Key')],
      ['v3', 'for CI', ['team']],
    );
    const third = await ask({ Action: 'GetPolicyVersion', PolicyArn, VersionId: 'v3' });
    equal(decodeURIComponent(member(third, 'Document') ?? ''), allowing('ecr:Put3*'));
    equal(member(third, 'IsDefaultVersion'), 'true');

    const refusals = [
      [{ Action: 'DeletePolicyVersion', VersionId: 'v3' }, 'DeleteConflict'],
      [{ Action: 'DeletePolicyVersion', VersionId: 'v9' }, 'NoSuchEntity'],
      [{ Action: 'SetDefaultPolicyVersion', VersionId: 'v9' }, 'NoSuchEntity'],
      [{ Action: 'GetPolicyVersion', VersionId: 'v9' }, 'NoSuchEntity'],
      [{ Action: 'DeletePolicy' }, 'DeleteConflict'],
    ] as const;
    for (const [asked, code] of refusals) {
      const answer = await ask({ ...asked, PolicyArn });
      equal(member(answer, 'Code'), code, answer.text);
    }
    await ask({ Action: 'SetDefaultPolicyVersion', PolicyArn, VersionId: 'v5' });
    for (const VersionId of ['v1', 'v2', 'v3', 'v4'])
      equal((await ask({ Action: 'DeletePolicyVersion', PolicyArn, VersionId })).status, 200);
    const next = await ask({ Action: 'CreatePolicyVersion', PolicyArn, PolicyDocument });
    equal(member(next, 'VersionId'), 'v6');
    const versions = await ask({ Action: 'ListPolicyVersions', PolicyArn });
    deepEqual(membersOf(versions, 'VersionId').toSorted(), ['v5', 'v6']);
    await ask({ Action: 'DeletePolicyVersion', PolicyArn, VersionId: 'v6' });

    await ask({ Action: 'UntagPolicy', PolicyArn, 'TagKeys.member.1': 'team' });
    await ask({
      Action: 'TagPolicy',
      PolicyArn,
      'Tags.member.1.Key': 'x',
      'Tags.member.1.Value': '',
    });
    deepEqual(membersOf(await ask({ Action: 'ListPolicyTags', PolicyArn }), 'Key'), ['x']);
    equal((await ask({ Action: 'DeletePolicy', PolicyArn })).status, 200);
    equal(member(await ask({ Action: 'GetPolicy', PolicyArn }), 'Code'), 'NoSuchEntity');
  });

  test('what is attached counts with the next request, and so do its other version and its detaching', async () => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    const create = async (repositoryName: string): Promise<number> =>
      (await aws.ecr('CreateRepository', { repositoryName }, { as: 'ci' })).status;
    const PolicyDocument = allowing('ecr:CreateRepository', 'arn:aws:ecr:*:*:repository/a/*');
    await ask({ Action: 'CreatePolicy', PolicyName: 'make', PolicyDocument });
    const attachment = { UserName: 'ci', PolicyArn: arnOf('make') };
    equal(await create('a/one'), 400);
    await ask({ Action: 'AttachUserPolicy', ...attachment });
    await ask({ Action: 'AttachUserPolicy', ...attachment });
    equal(await create('a/one'), 200);
    equal(await create('b/one'), 400);
    await ask({
      Action: 'CreatePolicyVersion',
      PolicyArn: attachment.PolicyArn,
      PolicyDocument: allowing('ecr:CreateRepository', 'arn:aws:ecr:*:*:repository/b/*'),
      SetAsDefault: 'true',
    });
    deepEqual([await create('a/two'), await create('b/two')], [400, 200]);
    await ask({
      Action: 'SetDefaultPolicyVersion',
      PolicyArn: attachment.PolicyArn,
      VersionId: 'v1',
    });
    deepEqual([await create('a/three'), await create('b/three')], [200, 400]);

    const listed = await ask({ Action: 'ListAttachedUserPolicies', UserName: 'ci' });
    deepEqual(
      [membersOf(listed, 'PolicyArn'), membersOf(listed, 'PolicyName')],
      [[arnOf('make')], ['make']],
    );
    const holders = await ask({ Action: 'ListEntitiesForPolicy', PolicyArn: arnOf('make') });
    deepEqual(membersOf(holders, 'UserName'), ['ci']);
    const counted = await ask({ Action: 'GetPolicy', PolicyArn: arnOf('make') });
    equal(member(counted, 'AttachmentCount'), '1');
    const inUse = await ask({
      Action: 'DeletePolicyVersion',
      PolicyArn: arnOf('make'),
      VersionId: 'v2',
    });
    equal(inUse.status, 200, inUse.text);
    const kept = await ask({ Action: 'DeletePolicy', PolicyArn: arnOf('make') });
    deepEqual(
      [kept.status, member(kept, 'Code'), member(kept, 'Message')],
      [409, 'DeleteConflict', 'Cannot delete a policy attached to entities.'],
    );
    await ask({ Action: 'DetachUserPolicy', ...attachment });
    equal(await create('a/four'), 400);
    equal((await ask({ Action: 'DeletePolicy', PolicyArn: arnOf('make') })).status, 200);
  });

  test('a Deny of an attached policy holds against what others allow', async () => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    await ask({
      Action: 'PutUserPolicy',
      UserName: 'ci',
      PolicyName: 'all',
      PolicyDocument: allowing('ecr:*'),
    });
    const create = async (repositoryName: string): Promise<number> =>
      (await aws.ecr('CreateRepository', { repositoryName }, { as: 'ci' })).status;
    equal(await create('aa'), 200);
    const PolicyDocument = allowing('ecr:CreateRepository').replace('"Allow"', '"Deny"');
    await ask({ Action: 'CreatePolicy', PolicyName: 'no', PolicyDocument });
    await ask({ Action: 'AttachUserPolicy', UserName: 'ci', PolicyArn: arnOf('no') });
    equal(await create('bb'), 400);
    await ask({ Action: 'DetachUserPolicy', UserName: 'ci', PolicyArn: arnOf('no') });
    equal(await create('bb'), 200);
  });

  test('AWS’s policies are listed beside the account’s own, each as it is asked', async () => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    for (const PolicyName of ['b', `a${'x'.repeat(127)}`])
      await ask({
        Action: 'CreatePolicy',
        PolicyName,
        Path: '/t/',
        PolicyDocument: allowing('ecr:*'),
      });
    await ask({ Action: 'AttachUserPolicy', UserName: 'ci', PolicyArn: readOnly });
    const names = async (asked: Readonly<Record<string, string>>): Promise<string[]> => {
      const found: string[] = [];
      let Marker: string | undefined;
      do {
        const page = await ask({
          Action: 'ListPolicies',
          MaxItems: '3',
          ...asked,
          ...(Marker === undefined ? {} : { Marker }),
        });
        equal(page.status, 200, page.text);
        found.push(...membersOf(page, 'PolicyName'));
        Marker = member(page, 'Marker');
      } while (Marker !== undefined);
      return found;
    };
    const all = await names({});
    ok(all.length >= 12 && new Set(all).size === all.length, all.join(' '));
    deepEqual((await names({ Scope: 'Local' })).length, 2);
    deepEqual((await names({ Scope: 'AWS' })).length, all.length - 2);
    deepEqual(await names({ OnlyAttached: 'true' }), ['AmazonEC2ContainerRegistryReadOnly']);
    deepEqual((await names({ PathPrefix: '/t/' })).length, 2);
    deepEqual(await names({ PolicyUsageFilter: 'PermissionsBoundary' }), []);
    const text = await ask({ Action: 'GetPolicyVersion', PolicyArn: readOnly, VersionId: 'v3' });
    match(decodeURIComponent(member(text, 'Document') ?? ''), /ecr:BatchGetImage/);
  });

  const tooLong = allowing(`ecr:${'x'.repeat(6144)}`);
  const refused: readonly (readonly [
    name: string,
    asked: Readonly<Record<string, string>>,
    code: string,
    message?: RegExp,
  ])[] = [
    [
      'a second policy of a name, whatever its path',
      { Action: 'CreatePolicy', PolicyName: 'one', Path: '/x/', PolicyDocument: allowing('ecr:*') },
      'EntityAlreadyExists',
    ],
    [
      'a text that is no policy',
      { Action: 'CreatePolicy', PolicyName: 'p', PolicyDocument: '{}' },
      'MalformedPolicyDocument',
    ],
    [
      'a text beyond 6,144 characters',
      { Action: 'CreatePolicy', PolicyName: 'p', PolicyDocument: tooLong },
      'LimitExceeded',
      /PolicySize: 6144/,
    ],
    [
      'a policy of AWS that is not known, with those that are',
      { Action: 'GetPolicy', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' },
      'NoSuchEntity',
      /AdministratorAccess was not found.*AmazonEC2ContainerRegistryPullOnly/,
    ],
    [
      'attaching one that is not known',
      {
        Action: 'AttachUserPolicy',
        UserName: 'ci',
        PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess',
      },
      'NoSuchEntity',
      /does not exist or is not attachable.*AmazonEKS_CNI_Policy/,
    ],
    [
      'attaching one of another account',
      {
        Action: 'AttachUserPolicy',
        UserName: 'ci',
        PolicyArn: 'arn:aws:iam::111122223333:policy/x',
      },
      'NoSuchEntity',
    ],
    [
      'attaching one under another path',
      { Action: 'AttachUserPolicy', UserName: 'ci', PolicyArn: arnOf('one', '/x/') },
      'NoSuchEntity',
    ],
    [
      'attaching to nobody',
      { Action: 'AttachUserPolicy', UserName: 'nobody', PolicyArn: readOnly },
      'NoSuchEntity',
      /user with name nobody/,
    ],
    [
      'what is attached to nobody',
      { Action: 'ListAttachedUserPolicies', UserName: 'nobody' },
      'NoSuchEntity',
    ],
    [
      'detaching what is not attached',
      { Action: 'DetachUserPolicy', UserName: 'ci', PolicyArn: readOnly },
      'NoSuchEntity',
    ],
    [
      'a change of one of AWS’s',
      {
        Action: 'TagPolicy',
        PolicyArn: readOnly,
        'Tags.member.1.Key': 'a',
        'Tags.member.1.Value': '',
      },
      'AccessDenied',
    ],
    [
      'a text that is no ARN of a policy',
      { Action: 'GetPolicy', PolicyArn: 'arn:aws:iam::aws:role/ReadOnlyAccess' },
      'InvalidInput',
    ],
  ];
  test('what is refused is refused by IAM’s names, and changes nothing', async (t) => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    const PolicyDocument = allowing('ecr:*');
    await ask({ Action: 'CreatePolicy', PolicyName: 'one', PolicyDocument });
    for (const [name, asked, code, message = /./] of refused)
      await t.test(name, async () => {
        const answer = await ask(asked);
        equal(member(answer, 'Code'), code, answer.text);
        match(member(answer, 'Message') ?? '', message);
      });
    const own = await ask({ Action: 'ListPolicies', Scope: 'Local' });
    deepEqual(membersOf(own, 'PolicyName'), ['one']);
    deepEqual(
      membersOf(await ask({ Action: 'ListPolicies', OnlyAttached: 'true' }), 'PolicyName'),
      [],
    );
  });

  test('an eleventh policy of a principal is beyond IAM’s quota, and a principal that has any is in use', async () => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    await ask({ Action: 'CreateUser', UserName: 'mia' });
    const attach = async (name: string) => {
      await ask({ Action: 'CreatePolicy', PolicyName: name, PolicyDocument: allowing('ecr:*') });
      return ask({ Action: 'AttachUserPolicy', UserName: 'mia', PolicyArn: arnOf(name) });
    };
    for (let index = 0; index < 10; index += 1) equal((await attach(`p${index}`)).status, 200);
    const eleventh = await attach('p10');
    deepEqual(
      [member(eleventh, 'Code'), member(eleventh, 'Message')],
      ['LimitExceeded', 'Cannot exceed quota for PoliciesPerUser: 10'],
    );
    const inUse = await ask({ Action: 'DeleteUser', UserName: 'mia' });
    deepEqual(
      [member(inUse, 'Code'), member(inUse, 'Message')],
      ['DeleteConflict', 'Cannot delete entity, must detach all policies first.'],
    );
  });

  test('who has no right is denied, whether the policy is there or not; who may attach some may attach those', async () => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    await ask({ Action: 'CreatePolicy', PolicyName: 'one', PolicyDocument: allowing('ecr:*') });
    for (const name of ['one', 'none']) {
      const answer = await ask({ Action: 'GetPolicy', PolicyArn: arnOf(name) }, { as: 'ci' });
      deepEqual([answer.status, member(answer, 'Code')], [403, 'AccessDenied']);
      match(member(answer, 'Message') ?? '', new RegExp(`on resource: ${arnOf(name)}`));
    }
    const statement = {
      Effect: 'Allow',
      Action: 'iam:AttachUserPolicy',
      Resource: '*',
      Condition: { ArnEquals: { 'iam:PolicyARN': readOnly } },
    };
    await ask({
      Action: 'PutUserPolicy',
      UserName: 'ci',
      PolicyName: 'attach',
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    });
    const attach = async (PolicyArn: string) =>
      (await ask({ Action: 'AttachUserPolicy', UserName: 'ci', PolicyArn }, { as: 'ci' })).status;
    deepEqual([await attach(arnOf('one')), await attach(readOnly)], [403, 200]);
  });

  test('who may detach those under a path detaches no other by that path', async () => {
    await using aws = await openAws();
    const ask = await askAbout(aws);
    await ask({ Action: 'CreatePolicy', PolicyName: 'fence', PolicyDocument: allowing('ecr:*') });
    await ask({ Action: 'AttachUserPolicy', UserName: 'ci', PolicyArn: arnOf('fence') });
    const statement = {
      Effect: 'Allow',
      Action: 'iam:DetachUserPolicy',
      Resource: '*',
      Condition: { ArnLike: { 'iam:PolicyARN': arnOf('*', '/dev/') } },
    };
    await ask({
      Action: 'PutUserPolicy',
      UserName: 'ci',
      PolicyName: 'detach',
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    });
    for (const [path, code] of [
      ['/', 'AccessDenied'],
      ['/dev/', 'NoSuchEntity'],
    ] as const) {
      const PolicyArn = arnOf('fence', path);
      const asked = { Action: 'DetachUserPolicy', UserName: 'ci', PolicyArn };
      equal(member(await ask(asked, { as: 'ci' }), 'Code'), code);
    }
    const left = await ask({ Action: 'ListAttachedUserPolicies', UserName: 'ci' });
    deepEqual(membersOf(left, 'PolicyName'), ['fence']);
  });
});
