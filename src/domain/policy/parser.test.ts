import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { RegistryError } from '../errors.ts';
import type { PolicyKind } from './policy.ts';
import { parsePolicy, policyProblems } from './parser.ts';

const kinds = [
  'identity',
  'repository',
  'registry',
  'secret',
  'trust',
] as const satisfies readonly PolicyKind[];

const everything = {
  repository: { Effect: 'Allow', Principal: '*', Action: '*' },
  registry: { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' },
  identity: { Effect: 'Allow', Action: '*', Resource: '*' },
  secret: { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' },
  trust: { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' },
} as const satisfies Readonly<Record<PolicyKind, object>>;

/** The text of a policy with one statement, which is everything but for what is given. */
function text(kind: PolicyKind, change: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ ...everything[kind], ...change }] });
}

const accepted: readonly (readonly [string, PolicyKind, Readonly<Record<string, unknown>>])[] = [
  ['a Sid with spaces', 'repository', { Sid: 'pull access' }],
  ['a Sid in any script', 'repository', { Sid: 'Nur lesen – 読み取り 😀' }],
  ['an empty Sid', 'repository', { Sid: '' }],
  ['an account by its digits', 'repository', { Principal: { AWS: '111122223333' } }],
  ['everyone as AWS', 'repository', { Principal: { AWS: '*' } }],
  ['a role', 'repository', { Principal: { AWS: ['arn:aws:iam::111122223333:role/a/b'] } }],
  ['a session', 'repository', { Principal: { AWS: 'arn:aws:sts::111122223333:assumed-role/a/b' } }],
  [
    'another partition',
    'repository',
    { Principal: { AWS: 'arn:aws-cn:iam::111122223333:user/a' } },
  ],
  ['a service', 'repository', { Principal: { Service: 'codebuild.amazonaws.com' } }],
  ['kinds without effect', 'repository', { Principal: { Federated: 'x', CanonicalUser: ['y'] } }],
  ['NotPrincipal', 'repository', { Principal: undefined, NotPrincipal: { AWS: '111122223333' } }],
  ['a repository policy with a Resource', 'repository', { Resource: 'arn:aws:ecr:*' }],
  ['an action by wildcard', 'repository', { Action: ['ecr:Get*', 'ECR:?ist*'] }],
  ['an action that has no route', 'registry', { Action: 'ecr:ReplicateImage' }],
  ['NotAction', 'registry', { Action: undefined, NotAction: 'ecr:Put*' }],
  ['actions of other services', 'identity', { Action: ['s3:GetObject', 'aws-marketplace:View*'] }],
  ['everything of everyone', 'identity', { Action: '*:*' }],
  ['NotResource', 'identity', { Resource: undefined, NotResource: ['arn:aws:ecr:*'] }],
  ['a variable', 'identity', { Resource: 'arn:aws:ecr:*:*:repository/${aws:username}/*' }],
  ['a boolean as value', 'identity', { Condition: { Bool: { 'aws:SecureTransport': true } } }],
  ['a number as value', 'identity', { Condition: { NumericLessThan: { 'aws:x': 10 } } }],
  ['no operators', 'identity', { Condition: {} }],
  [
    'an identity provider',
    'trust',
    {
      Principal: { Federated: 'arn:aws:iam::111122223333:oidc-provider/oidc.example.com/a' },
      Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'],
      Condition: { StringEquals: { 'oidc.example.com/a:sub': 'system:serviceaccount:a:b' } },
    },
  ],
  [
    'a claim of an issuer with a port',
    'trust',
    { Condition: { StringEquals: { '127.0.0.1:8080:aud': 'x' } } },
  ],
  ['any of the actions of trust', 'trust', { Action: 'sts:*' }],
  ['a trusted service', 'trust', { Principal: { Service: 'ec2.amazonaws.com' } }],
  ['no values', 'identity', { Condition: { 'ForAllValues:StringLike': { 'aws:TagKeys': [] } } }],
];
for (const [name, kind, change] of accepted) {
  test(`${name} is accepted in a policy of the kind ${kind}`, () => {
    assert.equal(parsePolicy(text(kind, change), kind).statements.length, 1);
    assert.deepEqual(policyProblems(text(kind, change), kind), []);
  });
}

const deep = `{"Statement": ${'['.repeat(2000)}${']'.repeat(2000)}}`;
const wide = `{"Version":"2012-10-17","Statement":[${'{},'.repeat(3000)}{}]}`;

const refusedTexts: readonly (readonly [string, string, RegExp])[] = [
  ['no text', '', /^the policy is not JSON/],
  ['half a text', '{"Version":', /^the policy is not JSON/],
  ['a list', '[]', /^the policy "\[\]" is no JSON object/],
  ['null', 'null', /^the policy "null" is no JSON object/],
  ['no statement', '{"Version": "2012-10-17"}', /^Statement holds no statement; add one/],
  ['an empty list', '{"Statement": []}', /^Statement "\[\]" holds no statement/],
  ['a statement of text', '{"Statement": ["x"]}', /^Statement\[0\] "x" is no statement/],
  ['an unknown key', '{"Statment": []}', /^Statment is no key .* did you mean Statement\?/],
  ['an inherited name', '{"__proto__": {}, "Statement": {}}', /^__proto__ is no key/],
  [
    'an unknown version',
    '{"Version": "2026-01-01"}',
    /^Version "2026-01-01" is no version .* write 2012-10-17/,
  ],
  ['a number as Id', '{"Id": 5}', /^Id "5" is no text/],
  [
    'a key twice',
    '{"Version": "2012-10-17", "Version": "2012-10-17"}',
    /^the policy "Version" has this key twice/,
  ],
  [
    'a key twice, once escaped',
    String.raw`{"Statement": [{"Sid": 1}, {"Effect": "Deny", "\u0045ffect": "Allow"}]}`,
    /^Statement\[1\] "Effect" has this key twice; keep one/,
  ],
  [
    'a key twice, far inside',
    '{"Statement": {"Condition": {"Bool": {"aws:x": {}}, "Bool": {}}}}',
    /^Statement\.Condition "Bool" has this key twice/,
  ],
  [
    'too much text',
    text('repository', { Sid: 'x'.repeat(10_240) }),
    /^the policy has 103\d\d characters; 10240 at most/,
  ],
  [
    'half a character',
    text('repository', { Sid: '' }).replace('""', '"\ud800"'),
    /^the policy holds half a character/,
  ],
  [
    'half a character, escaped',
    String.raw`{"Id": "\ud800"}`,
    /^the policy .*holds a control character or half a pair/,
  ],
  [
    'a control character',
    String.raw`{"Id": "\u001b[2J"}`,
    /^the policy "\[2J" holds a control character/,
  ],
  ['lists in lists', deep, /^Statement.* is nested too deep; a policy has at most 8 levels/],
];
for (const [name, policy, message] of refusedTexts) {
  test(`${name} is refused as a policy`, () => refused(policy, 'repository', message));
}

const refusedStatements: readonly (readonly [
  string,
  PolicyKind,
  Readonly<Record<string, unknown>>,
  RegExp,
])[] = [
  [
    'an unknown key',
    'repository',
    { Actions: 'x' },
    /^Statement\[0\]\.Actions is no key .* did you mean Action\?/,
  ],
  [
    'another case of a key',
    'repository',
    { effect: 'Deny' },
    /^Statement\[0\]\.effect is no key .* did you mean Effect\?/,
  ],
  [
    'another case of Allow',
    'repository',
    { Effect: 'allow' },
    /^Statement\[0\]\.Effect "allow" is neither Allow nor Deny; write "Allow" or "Deny"$/,
  ],
  ['no Effect', 'repository', { Effect: undefined }, /^Statement\[0\]\.Effect is missing/],
  [
    'a number as Sid',
    'repository',
    { Sid: 1 },
    /^Statement\[0\]\.Sid "1" is no text; put it in quotes$/,
  ],
  [
    'an action of ECR',
    'trust',
    { Action: ['sts:AssumeRole', 'ecr:BatchGetImage'] },
    /^Statement\[0\]\.Action\[1\] "ecr:BatchGetImage" is not understood; a trust policy speaks of sts:AssumeRole, /,
  ],
  [
    'an action that begins no session',
    'trust',
    { Action: 'sts:GetCallerIdentity' },
    /^Statement\[0\]\.Action "sts:GetCallerIdentity" is not understood/,
  ],
  [
    'a Resource',
    'trust',
    { Resource: '*' },
    /^Statement\[0\]\.Resource "\*" stands in a trust policy; remove it$/,
  ],
  ['a NotResource', 'trust', { NotResource: '*' }, /NotResource "\*" stands in a trust policy/],
  ['no Principal', 'trust', { Principal: undefined }, /has neither Principal nor NotPrincipal/],
  [
    'a key of nothing',
    'trust',
    { Condition: { StringEquals: { sub: 'x' } } },
    /^Statement\[0\]\.Condition\.StringEquals\.sub is no condition key/,
  ],
  [
    'a key of an issuer',
    'identity',
    { Condition: { StringEquals: { 'oidc.example.com/a:sub': 'x' } } },
    /is no condition key; write it as aws:SourceIp$/,
  ],
  [
    'no Principal',
    'repository',
    { Principal: undefined },
    /^Statement\[0\] has neither Principal nor NotPrincipal; add Principal$/,
  ],
  ['no Principal', 'registry', { Principal: undefined }, /has neither Principal nor NotPrincipal/],
  [
    'a Principal',
    'identity',
    { Principal: '*' },
    /^Statement\[0\]\.Principal "\*" stands in an identity policy; remove it/,
  ],
  [
    'a NotPrincipal',
    'identity',
    { NotPrincipal: '*' },
    /^Statement\[0\]\.NotPrincipal "\*" stands in an identity policy/,
  ],
  [
    'both Principals',
    'repository',
    { NotPrincipal: '*' },
    /^Statement\[0\] has both Principal and NotPrincipal; keep one/,
  ],
  [
    'a Principal of text',
    'repository',
    { Principal: '111122223333' },
    /^Statement\[0\]\.Principal "111122223333" names nobody; write "\*" or \{"AWS"/,
  ],
  ['an empty Principal', 'repository', { Principal: {} }, /names nobody/],
  [
    'an unknown kind',
    'repository',
    { Principal: { aws: '*' } },
    /^Statement\[0\]\.Principal\.aws is no kind of principal; the kinds are AWS/,
  ],
  [
    'nobody in a list',
    'repository',
    { Principal: { AWS: [] } },
    /^Statement\[0\]\.Principal\.AWS "\[\]" is an empty list; name one/,
  ],
  [
    'a short account',
    'repository',
    { Principal: { AWS: '11112222333' } },
    /^Statement\[0\]\.Principal\.AWS "11112222333" is not understood; write twelve digits/,
  ],
  [
    'an account as number',
    'repository',
    { Principal: { AWS: 111122223333 } },
    /is no text; put it in quotes/,
  ],
  [
    'a wildcard in a principal',
    'repository',
    { Principal: { AWS: ['*', 'arn:aws:iam::111122223333:user/*'] } },
    /^Statement\[0\]\.Principal\.AWS\[1\] .* no wildcards.*aws:PrincipalArn with ArnLike/,
  ],
  [
    'no Action',
    'repository',
    { Action: undefined },
    /^Statement\[0\] has neither Action nor NotAction; add Action/,
  ],
  [
    'both Actions',
    'repository',
    { NotAction: '*' },
    /^Statement\[0\] has both Action and NotAction; keep one of the two/,
  ],
  [
    'an empty Action',
    'repository',
    { Action: [] },
    /^Statement\[0\]\.Action "\[\]" is an empty list/,
  ],
  [
    'an Action without service',
    'repository',
    { Action: 'PutImage' },
    /^Statement\[0\]\.Action "PutImage" is not understood; write it as ecr:/,
  ],
  [
    'a wildcard as service',
    'identity',
    { Action: ['ecr:PutImage', '*:Put*'] },
    /^Statement\[0\]\.Action\[1\] "\*:Put\*"/,
  ],
  [
    'another service',
    'repository',
    { Action: 's3:GetObject' },
    /only actions of ecr stand in a repository policy/,
  ],
  [
    'another service',
    'registry',
    { Action: 's3:GetObject' },
    /only actions of ecr stand in a registry policy/,
  ],
  [
    'no Resource',
    'identity',
    { Resource: undefined },
    /^Statement\[0\] has neither Resource nor NotResource; add Resource/,
  ],
  [
    'no Resource',
    'registry',
    { Resource: undefined },
    /^Statement\[0\] has neither Resource nor NotResource/,
  ],
  [
    'both Resources',
    'identity',
    { NotResource: '*' },
    /^Statement\[0\] has both Resource and NotResource/,
  ],
  [
    'a name as Resource',
    'identity',
    { Resource: 'team/app' },
    /^Statement\[0\]\.Resource "team\/app" is not understood; write \* or an ARN such as arn:aws:ecr:/,
  ],
  [
    'half a variable',
    'identity',
    { Resource: 'arn:aws:ecr:*:*:repository/${aws:username' },
    /write a variable as \$\{aws:username\}/,
  ],
  [
    'a Condition of text',
    'identity',
    { Condition: 'x' },
    /^Statement\[0\]\.Condition "x" is no object of operators/,
  ],
  [
    'an unknown operator',
    'identity',
    { Condition: { StringEqual: {} } },
    /^Statement\[0\]\.Condition\.StringEqual is no operator; did you mean StringEquals\?$/,
  ],
  [
    'an operator of text',
    'identity',
    { Condition: { StringEquals: 'x' } },
    /^Statement\[0\]\.Condition\.StringEquals "x" is no object of keys/,
  ],
  [
    'a key without prefix',
    'identity',
    { Condition: { StringEquals: { username: 'x' } } },
    /^Statement\[0\]\.Condition\.StringEquals\.username is no condition key/,
  ],
  [
    'a key in two cases',
    'identity',
    { Condition: { Bool: { 'aws:A': 'true', 'aws:a': 'true' } } },
    /^Statement\[0\]\.Condition\.Bool\.aws:a is there twice: case does not count/,
  ],
  [
    'a value of no type',
    'identity',
    { Condition: { StringEquals: { 'aws:x': [null] } } },
    /^Statement\[0\]\.Condition\.StringEquals\.aws:x\[0\] "null" is no value/,
  ],
  [
    'a value of another type',
    'identity',
    { Condition: { IpAddress: { 'aws:SourceIp': '10.0.*' } } },
    /^Statement\[0\]\.Condition\.IpAddress\.aws:SourceIp "10\.0\.\*" is no value of IpAddress; write an address or a block/,
  ],
];
for (const [name, kind, change, message] of refusedStatements) {
  test(`${name} is refused in a statement of the kind ${kind}`, () =>
    refused(text(kind, change), kind, message));
}

function refused(policy: string, kind: PolicyKind, message: RegExp): void {
  assert.throws(
    () => parsePolicy(policy, kind),
    (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.code, 'requestInvalid');
      assert.match(error.message, message);
      assert.ok(error.message.length < 500 && error.message.isWellFormed());
      assert.deepEqual(error.detail?.['fix'], policyProblems(policy, kind)[0]?.fix);
      return true;
    },
  );
}

test('a statement is read into the form that questions are answered from', () => {
  const statement = {
    Sid: 'pull access',
    Effect: 'Deny',
    Principal: {
      AWS: [
        'arn:aws:iam::111122223333:root',
        '222233334444',
        'arn:aws:iam::1'.padEnd(25, '0') + ':user/a',
      ],
      Service: 's',
      Federated: 'f',
    },
    NotAction: 'ECR:Put*',
    NotResource: ['arn:aws:ecr:*'],
    Condition: { StringEquals: { 'aws:UserAgent': ['a', 5, false] } },
  };
  const document = parsePolicy(JSON.stringify({ Id: 'x', Statement: statement }), 'registry');
  assert.deepEqual(document, {
    kind: 'registry',
    version: undefined,
    id: 'x',
    statements: [
      {
        sid: 'pull access',
        effect: 'Deny',
        principals: {
          everyone: false,
          accounts: ['111122223333', '222233334444'],
          arns: ['arn:aws:iam::100000000000:user/a'],
          services: ['s'],
          federated: ['f'],
        },
        notPrincipals: undefined,
        actions: undefined,
        notActions: ['ecr:put*'],
        resources: undefined,
        notResources: ['arn:aws:ecr:*'],
        conditions: [
          { operator: 'StringEquals', key: 'aws:useragent', values: ['a', '5', 'false'] },
        ],
      },
    ],
  });
});

test('of many problems twenty are told', () => {
  assert.equal(policyProblems(wide, 'repository').length, 20);
});

test('a text made to be slow is read at once', () => {
  const started = performance.now();
  for (const each of [
    deep,
    wide,
    '['.repeat(10_000),
    '"'.repeat(10_000),
    `{"a":"${'\\'.repeat(9000)}"}`,
    ' '.repeat(10_000),
    'x'.repeat(5_000_000),
  ])
    assert.ok(policyProblems(each, 'registry').length > 0);
  assert.ok(performance.now() - started < 1000);
});

test('any text is a policy or requestInvalid', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"Statement"',
    '"Effect"',
    '"Allow"',
    '"*"',
    '"Principal"',
    '"Action"',
    '\\',
    '"',
    '1',
    'null',
    '\ud800',
    '\0',
  );
  const soup = fc.array(pieces, { maxLength: 30 }).map((each) => each.join(''));
  const names = fc.constantFrom(
    'Version',
    'Statement',
    'Sid',
    'Effect',
    'Principal',
    'AWS',
    'Action',
    'Resource',
    'Condition',
    'StringLike',
    'Null',
    'aws:x',
    '__proto__',
    'toString',
  );
  const values = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom('*', 'Allow', 'ecr:*', '2012-10-17', null, 1, true),
      tie('object'),
      fc.array(tie('value'), { maxLength: 3 }),
    ),
    object: fc.dictionary(names, tie('value'), { maxKeys: 5 }),
  }));
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    soup,
    values.object.map((each) => JSON.stringify(each)),
  );
  fc.assert(
    fc.property(texts, fc.constantFrom(...kinds), (each, kind) => {
      const problems = policyProblems(each, kind);
      try {
        parsePolicy(each, kind);
        assert.deepEqual(problems, []);
      } catch (error) {
        assert.ok(error instanceof RegistryError, String(error));
        assert.ok(problems.length > 0);
      }
    }),
    { numRuns: 3000 },
  );
});

test('JSON is read as JSON.parse reads it, where no key comes twice', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 3, stringUnit: 'grapheme' }), (json) => {
      assert.ok(
        policyProblems(json, 'identity').every(
          (problem) => !/twice|nested|JSON \(/.test(problem.what),
        ),
      );
    }),
  );
});

const examples: Readonly<Record<string, PolicyKind>> = {
  'pull-access-second-account.json': 'repository',
  'nodes-may-import.json': 'identity',
  'pull-only.json': 'identity',
  'push-and-pull.json': 'identity',
  'ten-statements.json': 'repository',
  'deny-delete.json': 'repository',
};
const folder = new URL('../../../examples/policies/', import.meta.url);
for (const file of readdirSync(folder)) {
  test(`the example ${file} is a policy`, () => {
    const kind = examples[file];
    assert.ok(kind !== undefined, 'say here of which kind it is');
    assert.deepEqual(policyProblems(readFileSync(new URL(file, folder), 'utf8'), kind), []);
  });
}

test('what the documentation shows is a policy', () => {
  const page = readFileSync(new URL('../../../docs/access.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```json (identity|repository|registry|trust)\n(.*?)```/gs)];
  assert.ok(blocks.length >= 3);
  for (const [, kind = '', json = ''] of blocks)
    assert.deepEqual(policyProblems(json, kind as PolicyKind), [], json);
});
