import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { AccessDecision, AccessQuestion, NamedPolicy, PolicyKind } from './policy.ts';
import { evaluatePolicies } from './evaluator.ts';
import { parsePolicy } from './parser.ts';
import { anonymous } from './principal.ts';
import type { Principal } from './principal.ts';

const home = '000000000000';
const second = '111122223333';
const app = `arn:aws:ecr:us-east-1:${home}:repository/k8s/busybox`;

const root: Principal = { kind: 'administrator', account: home };
const otherRoot: Principal = { kind: 'administrator', account: second };
const user = (name: string): Principal => ({ kind: 'user', account: home, name });
const robot = (name: string): Principal => ({ kind: 'robot', account: home, name });
const otherUser = (name: string): Principal => ({ kind: 'user', account: second, name });

type Statement = Readonly<Record<string, unknown>>;

function policy(kind: PolicyKind, statements: readonly Statement[]): NamedPolicy {
  const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  return { name: `${kind} policy`, document: parsePolicy(text, kind) };
}

function example(file: string, kind: PolicyKind): NamedPolicy {
  const text = readFileSync(
    new URL(`../../../examples/policies/${file}.json`, import.meta.url),
    'utf8',
  );
  return { name: file, document: parsePolicy(text, kind) };
}

interface Asking {
  readonly who: Principal;
  readonly action?: string;
  readonly resource?: string;
  readonly context?: Readonly<Record<string, string>>;
  readonly identity?: readonly (Statement | NamedPolicy)[];
  readonly repository?: readonly (Statement | NamedPolicy)[];
  readonly registry?: readonly Statement[];
  readonly everyoneIncludesAnonymous?: boolean;
}

function question(asking: Asking): AccessQuestion {
  const named = (kind: PolicyKind, given: Asking['identity'] = []): readonly NamedPolicy[] =>
    given.map((each) => ('document' in each ? (each as NamedPolicy) : policy(kind, [each])));
  return {
    principal: asking.who,
    action: asking.action ?? 'ecr:BatchGetImage',
    resource: asking.resource ?? app,
    resourceAccount: home,
    context: new Map(Object.entries(asking.context ?? {}).map(([key, value]) => [key, [value]])),
    identityPolicies: named('identity', asking.identity),
    resourcePolicies: [
      ...named('repository', asking.repository),
      ...named('registry', asking.registry),
    ],
    everyoneIncludesAnonymous: asking.everyoneIncludesAnonymous ?? false,
  };
}

const pull = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];
const identityPull = { Effect: 'Allow', Action: pull, Resource: '*' };
const forPull = (principal: unknown): Statement => ({
  Effect: 'Allow',
  Principal: principal,
  Action: pull,
});
const deny = (principal: unknown): Statement => ({
  Effect: 'Deny',
  Principal: principal,
  Action: 'ecr:*',
});
const onlyCi = {
  Effect: 'Allow',
  NotPrincipal: { AWS: `arn:aws:iam::${home}:user/guest` },
  Action: pull,
};
const butCi = {
  Effect: 'Deny',
  NotPrincipal: { AWS: `arn:aws:iam::${home}:user/ci` },
  Action: '*',
};
const pullAccess = example('pull-access-second-account', 'repository');
const mayImport = example('nodes-may-import', 'identity');
const denyDelete = example('deny-delete', 'repository');
const ten = example('ten-statements', 'repository');
const own = (resource: string): Statement => ({ Effect: 'Allow', Action: '*', Resource: resource });

const rows: readonly (readonly [
  sentence: string,
  reason: AccessDecision['reason'],
  asking: Asking,
])[] = [
  ['A user without any policy may nothing', 'noStatement', { who: user('ci') }],
  [
    'A user whom its own policy allows it pulls',
    'identityAllow',
    { who: user('ci'), identity: [identityPull] },
  ],
  [
    'A robot is a user to policies',
    'resourceAllow',
    { who: robot('ci'), repository: [forPull({ AWS: `arn:aws:iam::${home}:user/ci` })] },
  ],
  [
    'A user whom the repository names pulls',
    'resourceAllow',
    { who: user('ci'), repository: [forPull({ AWS: `arn:aws:iam::${home}:user/ci` })] },
  ],
  [
    'A user whom the repository does not name does not',
    'noStatement',
    { who: user('cj'), repository: [forPull({ AWS: `arn:aws:iam::${home}:user/ci` })] },
  ],
  [
    'A user of that name in another account does not',
    'noStatement',
    { who: otherUser('ci'), repository: [forPull({ AWS: `arn:aws:iam::${home}:user/ci` })] },
  ],
  [
    'The registry policy allows as the repository’s does',
    'resourceAllow',
    { who: user('ci'), registry: [{ ...forPull('*'), Resource: '*' }] },
  ],
  [
    'The registry policy counts for the resources it names',
    'noStatement',
    {
      who: user('ci'),
      registry: [{ ...forPull('*'), Resource: `arn:aws:ecr:*:${home}:repository/team/*` }],
    },
  ],
  [
    'An action that is not named is not allowed',
    'noStatement',
    { who: user('ci'), identity: [identityPull], action: 'ecr:PutImage' },
  ],
  [
    'Actions are compared without case',
    'identityAllow',
    { who: user('ci'), identity: [own('*')], action: 'ECR:putimage' },
  ],
  [
    'A wildcard names the actions that match',
    'identityAllow',
    { who: user('ci'), identity: [{ ...identityPull, Action: 'ecr:BatchGet*' }] },
  ],
  [
    'NotAction names all others',
    'identityAllow',
    { who: user('ci'), identity: [{ Effect: 'Allow', NotAction: 'ecr:Put*', Resource: '*' }] },
  ],
  [
    'NotAction leaves out what it names',
    'noStatement',
    { who: user('ci'), identity: [{ Effect: 'Allow', NotAction: 'ecr:BatchGet*', Resource: '*' }] },
  ],
  [
    'NotResource leaves out what it names',
    'noStatement',
    {
      who: user('ci'),
      identity: [{ Effect: 'Allow', Action: '*', NotResource: 'arn:aws:ecr:*:*:repository/k8s/*' }],
    },
  ],
  [
    'NotResource names all others',
    'identityAllow',
    {
      who: user('ci'),
      identity: [
        { Effect: 'Allow', Action: '*', NotResource: 'arn:aws:ecr:*:*:repository/team/*' },
      ],
    },
  ],
  [
    'An action without a repository needs the resource *',
    'identityAllow',
    { who: user('ci'), identity: [own('*')], resource: '*' },
  ],
  [
    'An ARN does not name what has none',
    'noStatement',
    { who: user('ci'), identity: [own('arn:*')], resource: '*' },
  ],

  [
    'An explicit deny of the repository beats the identity’s allow',
    'explicitDeny',
    { who: user('ci'), identity: [identityPull], repository: [deny('*')] },
  ],
  [
    'An explicit deny of the identity beats the repository’s allow',
    'explicitDeny',
    {
      who: user('ci'),
      identity: [{ ...identityPull, Effect: 'Deny' }],
      repository: [forPull('*')],
    },
  ],
  [
    'A deny for an account is for its users too',
    'explicitDeny',
    { who: user('ci'), identity: [identityPull], repository: [deny({ AWS: home })] },
  ],
  [
    'A deny for another account is not',
    'identityAllow',
    { who: user('ci'), identity: [identityPull], repository: [deny({ AWS: second })] },
  ],
  [
    'NotPrincipal with Deny spares whom it names',
    'identityAllow',
    { who: user('ci'), identity: [identityPull], repository: [butCi] },
  ],
  [
    'NotPrincipal with Deny hits everyone else',
    'explicitDeny',
    { who: user('cj'), identity: [identityPull], repository: [butCi] },
  ],
  [
    'NotPrincipal with Deny hits anonymous',
    'explicitDeny',
    { who: anonymous, repository: [butCi] },
  ],
  [
    'NotPrincipal with Deny of an account spares its administrator',
    'administrator',
    { who: root, repository: [{ ...butCi, NotPrincipal: { AWS: home } }] },
  ],
  [
    'NotPrincipal with Deny of an account hits its users',
    'explicitDeny',
    {
      who: user('ci'),
      identity: [identityPull],
      repository: [{ ...butCi, NotPrincipal: { AWS: home } }],
    },
  ],
  [
    'NotPrincipal of a service alone spares nobody',
    'explicitDeny',
    { who: user('ci'), repository: [{ ...butCi, NotPrincipal: { Service: 'x' } }] },
  ],
  [
    'NotPrincipal with Allow is for the others',
    'resourceAllow',
    { who: user('ci'), repository: [onlyCi] },
  ],
  [
    'NotPrincipal with Allow is not for whom it names',
    'noStatement',
    { who: user('guest'), repository: [onlyCi] },
  ],
  [
    'NotPrincipal with Allow leaves out an account with its users',
    'noStatement',
    { who: user('ci'), repository: [{ ...onlyCi, NotPrincipal: { AWS: home } }] },
  ],
  [
    'NotPrincipal with Allow is not for anonymous',
    'noStatement',
    { who: anonymous, repository: [onlyCi] },
  ],
  [
    'A service is nobody who asks',
    'noStatement',
    { who: user('ci'), repository: [forPull({ Service: 'ecr.amazonaws.com' })] },
  ],

  [
    'An administrator may everything in its account',
    'administrator',
    { who: root, action: 'ecr:DeleteRepository' },
  ],
  [
    'An administrator is held by an explicit deny',
    'explicitDeny',
    { who: root, action: 'ecr:DeleteRepository', repository: [denyDelete] },
  ],
  [
    'Naming the own account leaves it to identity policies: no one is allowed by that',
    'noStatement',
    { who: user('ci'), repository: [forPull({ AWS: home })] },
  ],
  [
    'Naming the own account leaves it to identity policies: theirs allow',
    'identityAllow',
    { who: user('ci'), repository: [forPull({ AWS: home })], identity: [identityPull] },
  ],

  ['* is everyone who is known', 'resourceAllow', { who: user('ci'), repository: [forPull('*')] }],
  [
    '{"AWS": "*"} is the same',
    'resourceAllow',
    { who: user('ci'), repository: [forPull({ AWS: '*' })] },
  ],
  ['* is not anonymous', 'noStatement', { who: anonymous, repository: [forPull('*')] }],
  [
    '* is anonymous too, where that is asked for',
    'resourceAllow',
    { who: anonymous, repository: [forPull('*')], everyoneIncludesAnonymous: true },
  ],
  [
    'A deny for * is for anonymous always',
    'explicitDeny',
    { who: anonymous, repository: [deny('*')] },
  ],
  [
    'A deny for an account is not for anonymous',
    'noStatement',
    { who: anonymous, repository: [deny({ AWS: home })] },
  ],

  [
    'A second account’s user pulls by both sides',
    'resourceAllow',
    { who: otherUser('node'), repository: [pullAccess], identity: [identityPull] },
  ],
  [
    'A second account’s user without an identity policy does not',
    'crossAccount',
    { who: otherUser('node'), repository: [pullAccess] },
  ],
  [
    'A second account’s user needs both sides even where it is named',
    'crossAccount',
    { who: otherUser('node'), repository: [forPull({ AWS: `arn:aws:iam::${second}:user/node` })] },
  ],
  [
    'A second account’s user needs both sides for * too',
    'crossAccount',
    { who: otherUser('node'), repository: [forPull('*')] },
  ],
  [
    'A second account’s user is not allowed by its identity policy alone',
    'crossAccount',
    { who: otherUser('node'), identity: [identityPull] },
  ],
  [
    'A second account’s user whom nobody allows may nothing',
    'noStatement',
    { who: otherUser('node') },
  ],
  [
    'A second account’s administrator pulls what the repository gives its account',
    'resourceAllow',
    { who: otherRoot, repository: [pullAccess] },
  ],
  [
    'A second account’s administrator gets nothing beside',
    'crossAccount',
    { who: otherRoot, repository: [pullAccess], action: 'ecr:BatchImportUpstreamImage' },
  ],
  ['A second account’s administrator is none here', 'crossAccount', { who: otherRoot }],
  [
    'A third account gets nothing of what the second is given',
    'noStatement',
    { who: { kind: 'user', account: '222233334444', name: 'node' }, repository: [pullAccess] },
  ],

  [
    'A node whose policy says so may import',
    'identityAllow',
    { who: user('node'), identity: [mayImport], action: 'ecr:BatchImportUpstreamImage' },
  ],
  [
    'A node whose policy says so may create what it imports',
    'identityAllow',
    { who: user('node'), identity: [mayImport], action: 'ecr:CreateRepository', resource: '*' },
  ],
  [
    'A node that may import may not push',
    'noStatement',
    { who: user('node'), identity: [mayImport], action: 'ecr:PutImage' },
  ],
  [
    'A node without that policy does not import',
    'noStatement',
    { who: user('node'), identity: [identityPull], action: 'ecr:BatchImportUpstreamImage' },
  ],

  [
    'In the ten statements the build pushes',
    'resourceAllow',
    {
      who: user('build'),
      repository: [ten],
      action: 'ecr:PutImage',
      context: { 'aws:securetransport': 'true' },
    },
  ],
  [
    'In the ten statements the build does not push without TLS',
    'explicitDeny',
    {
      who: user('build'),
      repository: [ten],
      action: 'ecr:PutImage',
      context: { 'aws:securetransport': 'false' },
    },
  ],
  [
    'In the ten statements the office sees tags',
    'resourceAllow',
    {
      who: user('ann'),
      repository: [ten],
      action: 'ecr:ListImages',
      context: { 'aws:sourceip': '203.0.113.7' },
    },
  ],
  [
    'In the ten statements the street does not',
    'noStatement',
    {
      who: user('ann'),
      repository: [ten],
      action: 'ecr:ListImages',
      context: { 'aws:sourceip': '198.51.100.7' },
    },
  ],
  [
    'In the ten statements a release engineer retags',
    'resourceAllow',
    {
      who: user('release-ann'),
      repository: [ten],
      action: 'ecr:PutImage',
      context: { 'aws:securetransport': 'true' },
    },
  ],
  [
    'In the ten statements the janitor deletes',
    'resourceAllow',
    { who: user('janitor'), repository: [ten], action: 'ecr:BatchDeleteImage' },
  ],
  [
    'In the ten statements nobody else deletes',
    'explicitDeny',
    { who: user('ann'), repository: [ten], identity: [own('*')], action: 'ecr:BatchDeleteImage' },
  ],

  [
    'A variable is the name of who asks',
    'identityAllow',
    { who: user('k8s'), identity: [own('arn:aws:ecr:*:*:repository/${aws:username}/*')] },
  ],
  [
    'A variable is nobody else’s name',
    'noStatement',
    { who: user('team'), identity: [own('arn:aws:ecr:*:*:repository/${aws:username}/*')] },
  ],
  [
    'A variable is not taken from the context for who asks',
    'crossAccount',
    {
      who: otherRoot,
      repository: [forPull('*')].map((each) => ({
        ...each,
        Resource: 'arn:aws:ecr:*:*:repository/${aws:username}/*',
      })),
      context: { 'aws:username': 'k8s' },
    },
  ],
  [
    'An Allow that would exclude by a variable without value does not count',
    'noStatement',
    {
      who: user('ci'),
      identity: [
        { Effect: 'Allow', Action: '*', NotResource: 'arn:aws:ecr:*:*:repository/${aws:team}/*' },
      ],
    },
  ],
  [
    'A Deny that excludes by a variable without value hits all',
    'explicitDeny',
    {
      who: user('ci'),
      identity: [
        own('*'),
        { Effect: 'Deny', Action: '*', NotResource: 'arn:aws:ecr:*:*:repository/${aws:team}/*' },
      ],
    },
  ],
  [
    'An Allow by a negation of a variable without value does not count',
    'noStatement',
    {
      who: user('ci'),
      identity: [
        { ...own('*'), Condition: { StringNotEquals: { 'aws:username': '${aws:team}' } } },
      ],
    },
  ],
  [
    'Conditions are all asked',
    'noStatement',
    {
      who: user('ci'),
      identity: [
        {
          ...own('*'),
          Condition: {
            StringEquals: { 'aws:username': 'ci' },
            Bool: { 'aws:securetransport': 'true' },
          },
        },
      ],
    },
  ],
  [
    'A condition knows the principal without being told',
    'identityAllow',
    {
      who: user('ci'),
      identity: [
        {
          ...own('*'),
          Condition: {
            StringEquals: { 'aws:PrincipalAccount': home, 'aws:PrincipalType': 'User' },
          },
        },
      ],
    },
  ],
];
for (const [sentence, reason, asking] of rows) {
  test(`${sentence}.`, () => {
    const decision = evaluatePolicies(question(asking));
    assert.equal(decision.reason, reason);
    const allows = ['administrator', 'identityAllow', 'resourceAllow'].includes(reason);
    assert.equal(decision.allowed, allows);
  });
}

test('In 2008-10-17, and without a version, a variable is letters.', () => {
  for (const Version of ['2008-10-17', undefined]) {
    const Statement = own('arn:aws:ecr:*:*:repository/${aws:username}/*');
    const document = parsePolicy(JSON.stringify({ Version, Statement }), 'identity');
    const identity = [{ name: 'old', document }];
    assert.equal(evaluatePolicies(question({ who: user('k8s'), identity })).allowed, false);
  }
});

test('A decision names the policy and the statement by its Sid, or by its place.', () => {
  const by = (asking: Asking): unknown => evaluatePolicies(question(asking)).by;
  const named = { policy: 'ten-statements', statement: 'Only the janitor deletes' };
  assert.deepEqual(
    by({ who: user('a'), repository: [ten], action: 'ecr:BatchDeleteImage' }),
    named,
  );
  const second: NamedPolicy = policy('identity', [
    { ...own('arn:aws:ecr:eu-*'), Sid: '' },
    { ...own('*'), Sid: '' },
  ]);
  assert.deepEqual(by({ who: user('a'), identity: [second] }), {
    policy: 'identity policy',
    statement: '1',
  });
  assert.deepEqual(by({ who: otherUser('a'), repository: [pullAccess] }), {
    policy: 'pull-access-second-account',
    statement: 'pull access',
  });
  assert.equal(by({ who: root }), undefined);
  assert.equal(by({ who: user('a') }), undefined);
});
