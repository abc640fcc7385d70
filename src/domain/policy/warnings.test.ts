import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { actions } from './access-action.ts';
import { parsePolicy } from './parser.ts';
import { policyWarnings } from './warnings.ts';

function warned(statement: object): readonly (readonly string[])[] {
  const policy = {
    Version: '2012-10-17',
    Statement: { Effect: 'Deny', Resource: '*', ...statement },
  };
  const kind = 'Principal' in statement ? 'registry' : 'identity';
  return policyWarnings(parsePolicy(JSON.stringify(policy), kind)).map(({ field, value, fix }) => [
    field.replace('Statement[0].', ''),
    value,
    fix,
  ]);
}

suite('a policy is warned of', () => {
  const rows: readonly (readonly [what: string, statement: object, warning: readonly string[]])[] =
    [
      [
        'an action whose name is another in ECR',
        { Action: 'ecr:GetImage' },
        ['Action', 'ecr:getimage', 'write ecr:BatchGetImage'],
      ],
      [
        'a slip in an action',
        { Action: ['ecr:PutImage', 'ecr:BatchDeleteImages'] },
        ['Action', 'ecr:batchdeleteimages', 'write ecr:BatchDeleteImage'],
      ],
      [
        'an action that is left out and is none',
        { NotAction: 'ecr:Frobnicate' },
        ['NotAction', 'ecr:frobnicate', 'see docs/access.md for those that there are'],
      ],
      [
        'a wildcard that no action fits',
        { Action: 'ecr:Pull*' },
        ['Action', 'ecr:pull*', 'see docs/access.md for those that there are'],
      ],
      [
        'a federated user',
        { Action: 'ecr:*', Principal: { AWS: 'arn:aws:sts::111122223333:federated-user/bob' } },
        [
          'Principal.AWS',
          'arn:aws:sts::111122223333:federated-user/bob',
          'name a user, a role or an account',
        ],
      ],
      [
        'a slip in a key',
        { Action: 'ecr:*', Condition: { StringEquals: { 'aws:SourceIP4': '10.0.0.1' } } },
        ['Condition.StringEquals', 'aws:sourceip4', 'write aws:sourceip'],
      ],
      [
        'a key that there is in AWS alone',
        { Action: 'ecr:*', Condition: { StringEquals: { 'aws:MultiFactorAuthAge': 'a' } } },
        [
          'Condition.StringEquals',
          'aws:multifactorauthage',
          'remove it, or ask for a key of docs/access.md',
        ],
      ],
    ];
  for (const [what, statement, warning] of rows)
    test(what, () => deepEqual(warned(statement), [warning]));

  test('twenty things at most', () => {
    equal(warned({ Action: Array.from({ length: 30 }, (_, n) => `ecr:No${n}`) }).length, 20);
  });
});

suite('a policy is not warned of', () => {
  const rows: readonly (readonly [what: string, statement: object])[] = [
    ['any action that requests here are asked as', { Action: Object.values(actions) }],
    ['an action of ECR that nothing here asks for', { Action: 'ecr:StartImageScan' }],
    ['a wildcard', { Action: ['ecr:Get*', '*', '*:*', 'ECR:batch?etimage'] }],
    ['an action of another service', { Action: 's3:GetThing' }],
    [
      'a user, an account, everyone',
      {
        Action: 'ecr:*',
        Principal: { AWS: ['*', '111122223333', 'arn:aws:iam::111122223333:user/ci'] },
      },
    ],
    [
      'a role, a session, a label of the caller',
      {
        Action: 'ecr:*',
        Principal: {
          AWS: [
            'arn:aws:iam::111122223333:role/team/ci',
            'arn:aws:sts::111122223333:assumed-role/ci/build',
          ],
        },
        Condition: { StringEquals: { 'aws:PrincipalTag/team': 'a' } },
      },
    ],
    [
      'a key, however it is written',
      {
        Action: 'ecr:*',
        Condition: { IpAddress: { 'AWS:sourceIp': '10.0.0.0/8' } },
      },
    ],
  ];
  for (const [what, statement] of rows) test(what, () => deepEqual(warned(statement), []));
});
