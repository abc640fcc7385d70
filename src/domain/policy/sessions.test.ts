// What sessions of a role may, and who may begin one.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { AccessDecision, NamedPolicy, PolicyKind } from './policy.ts';
import { evaluatePolicies } from './evaluator.ts';
import { parsePolicy } from './parser.ts';
import { anonymous } from './principal.ts';
import type { Principal } from './principal.ts';

const home = '000000000000';
const second = '111122223333';
const app = `arn:aws:ecr:us-east-1:${home}:repository/team/app`;
const roleArn = `arn:aws:iam::${home}:role/team/ci`;
const sessionOfCi = `arn:aws:sts::${home}:assumed-role/ci/build`;

type Statement = Readonly<Record<string, unknown>>;

const ci: Principal = { kind: 'role', account: home, name: 'ci', path: '/team/', session: 'build' };
const ann: Principal = { kind: 'user', account: home, name: 'ann' };
const bob: Principal = { kind: 'user', account: second, name: 'bob' };
const root: Principal = { kind: 'administrator', account: home };
const otherRoot: Principal = { kind: 'administrator', account: second };

function named(kind: PolicyKind, statements: readonly Statement[] = []): readonly NamedPolicy[] {
  return statements.map((statement) => ({
    name: kind,
    document: parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statement }), kind),
  }));
}

const allow = (Action: string, Condition?: object): Statement => ({
  Effect: 'Allow',
  Action,
  Resource: '*',
  ...(Condition && { Condition }),
});
const toPull = (Principal: unknown, Effect = 'Allow'): Statement => ({
  Effect,
  Principal,
  Action: 'ecr:BatchGetImage',
});

interface Pull {
  readonly who?: Principal;
  readonly identity?: readonly Statement[];
  readonly session?: readonly Statement[];
  readonly repository?: readonly Statement[];
  readonly account?: string;
}

const pulls: readonly (readonly [string, AccessDecision['reason'], Pull])[] = [
  ['what its role may', 'identityAllow', { identity: [allow('ecr:*')] }],
  ['nothing of a role without policies', 'noStatement', {}],
  [
    'what a repository gives its role, by the ARN with its path',
    'resourceAllow',
    { repository: [toPull({ AWS: roleArn })] },
  ],
  [
    'nothing that is given to a role of its name under another path',
    'noStatement',
    { repository: [toPull({ AWS: `arn:aws:iam::${home}:role/ci` })] },
  ],
  [
    'nothing that is given to a user of its name',
    'noStatement',
    { repository: [toPull({ AWS: `arn:aws:iam::${home}:user/ci` })] },
  ],
  ['what is given to it alone', 'resourceAllow', { repository: [toPull({ AWS: sessionOfCi })] }],
  [
    'nothing that is given to another session',
    'noStatement',
    { repository: [toPull({ AWS: `${sessionOfCi}2` })] },
  ],
  [
    'nothing that a repository denies its role',
    'explicitDeny',
    { identity: [allow('ecr:*')], repository: [toPull({ AWS: roleArn }, 'Deny')] },
  ],
  [
    'nothing that a repository denies it alone',
    'explicitDeny',
    { identity: [allow('ecr:*')], repository: [toPull({ AWS: sessionOfCi }, 'Deny')] },
  ],
  [
    'what is denied to all but its role',
    'identityAllow',
    {
      identity: [allow('ecr:*')],
      repository: [{ Effect: 'Deny', NotPrincipal: { AWS: roleArn }, Action: 'ecr:*' }],
    },
  ],
  [
    'what its role and its own policy both allow',
    'identityAllow',
    { identity: [allow('ecr:*')], session: [allow('ecr:BatchGetImage')] },
  ],
  [
    'nothing that its own policy leaves out',
    'sessionLimit',
    { identity: [allow('ecr:*')], session: [allow('ecr:ListImages')] },
  ],
  ['nothing by its own policy alone', 'noStatement', { session: [allow('ecr:*')] }],
  [
    'nothing that its own policy denies',
    'explicitDeny',
    {
      identity: [allow('ecr:*')],
      session: [allow('ecr:*'), { ...allow('ecr:Batch*'), Effect: 'Deny' }],
    },
  ],
  [
    'nothing that a repository gives its role, and its own policy leaves out',
    'sessionLimit',
    { session: [allow('ecr:ListImages')], repository: [toPull({ AWS: roleArn })] },
  ],
  [
    'what a repository gives it alone, whatever its own policy leaves out',
    'resourceAllow',
    { session: [allow('ecr:ListImages')], repository: [toPull('*'), toPull({ AWS: sessionOfCi })] },
  ],
  [
    'of another account what both sides allow',
    'resourceAllow',
    { account: second, identity: [allow('ecr:*')], repository: [toPull({ AWS: home })] },
  ],
  [
    'of another account nothing that its own policy leaves out',
    'sessionLimit',
    {
      account: second,
      identity: [allow('ecr:*')],
      session: [allow('ecr:ListImages')],
      repository: [toPull({ AWS: home })],
    },
  ],
  [
    'what depends on the ARN of its role',
    'identityAllow',
    { identity: [allow('ecr:*', { ArnEquals: { 'aws:PrincipalArn': roleArn } })] },
  ],
  [
    'what depends on what it is',
    'identityAllow',
    { identity: [allow('ecr:*', { StringEquals: { 'aws:PrincipalType': 'AssumedRole' } })] },
  ],
  [
    'nothing that depends on the name of a user',
    'noStatement',
    { identity: [allow('ecr:*', { StringLike: { 'aws:username': '*' } })] },
  ],
];

suite('a session may', () => {
  for (const [what, reason, { identity, session, repository, account = home }] of pulls)
    test(what, () => {
      const decision = evaluatePolicies({
        principal: ci,
        action: 'ecr:BatchGetImage',
        resource: app,
        resourceAccount: account,
        context: new Map(),
        identityPolicies: named('identity', identity),
        sessionPolicies: session && named('identity', session),
        resourcePolicies: named('repository', repository),
      });
      assert.equal(decision.reason, reason);
      assert.equal(decision.allowed, reason === 'identityAllow' || reason === 'resourceAllow');
    });
});

interface Assuming {
  readonly who?: Principal;
  readonly trust: readonly Statement[];
  readonly identity?: readonly Statement[];
  readonly session?: readonly Statement[];
  readonly federated?: readonly string[];
  readonly keys?: Readonly<Record<string, string>>;
}

const trusts = (Principal: unknown, Condition?: object): Statement => ({
  Effect: 'Allow',
  Principal,
  Action: 'sts:AssumeRole',
  ...(Condition && { Condition }),
});
const provider = `arn:aws:iam::${home}:oidc-provider/oidc.example.com/a`;
const vouched = (Condition?: object): Statement => ({
  ...trusts({ Federated: provider }, Condition),
  Action: ['sts:AssumeRole', 'sts:AssumeRoleWithWebIdentity'],
});

const assuming: readonly (readonly [string, boolean, Assuming])[] = [
  ['a user whom it names', true, { trust: [trusts({ AWS: `arn:aws:iam::${home}:user/ann` })] }],
  ['a user by an own policy alone', false, { trust: [], identity: [allow('sts:AssumeRole')] }],
  ['a user of an account that it names', false, { trust: [trusts({ AWS: home })] }],
  [
    'a user of an account that it names, with a policy',
    true,
    { trust: [trusts({ AWS: home })], identity: [allow('sts:AssumeRole')] },
  ],
  ['anyone of its account, where it names everyone', true, { trust: [trusts('*')] }],
  ['the administrator by nothing', false, { who: root, trust: [] }],
  ['the administrator of its account', true, { who: root, trust: [trusts({ AWS: home })] }],
  [
    'a user of another account that it names, without a policy',
    false,
    { who: bob, trust: [trusts({ AWS: `arn:aws:iam::${second}:user/bob` })] },
  ],
  [
    'a user of another account that it names, with one',
    true,
    {
      who: bob,
      trust: [trusts({ AWS: `arn:aws:iam::${second}:root` })],
      identity: [allow('sts:*')],
    },
  ],
  ['another administrator', true, { who: otherRoot, trust: [trusts({ AWS: second })] }],
  [
    'a user whom it denies',
    false,
    { trust: [trusts('*'), { ...trusts({ AWS: home }), Effect: 'Deny' }] },
  ],
  [
    'a user whose own policy denies it',
    false,
    { trust: [trusts('*')], identity: [{ ...allow('sts:*'), Effect: 'Deny' }] },
  ],
  ['a session of a role that it names', true, { who: ci, trust: [trusts({ AWS: roleArn })] }],
  [
    'a session whose own policy leaves it out',
    false,
    { who: ci, trust: [trusts({ AWS: roleArn })], session: [allow('ecr:*')] },
  ],
  ['anonymous, where it names everyone', false, { who: anonymous, trust: [trusts('*')] }],
  [
    'a service that it names, which nobody here is',
    false,
    { who: anonymous, trust: [trusts({ Service: 'ec2.amazonaws.com' })] },
  ],
  [
    'whoever shows the external id',
    true,
    {
      trust: [trusts('*', { StringEquals: { 'sts:ExternalId': 'x' } })],
      keys: { 'sts:externalid': 'x' },
    },
  ],
  [
    'nobody without the external id',
    false,
    { trust: [trusts('*', { StringEquals: { 'sts:ExternalId': 'x' } })] },
  ],
  [
    'whom a provider that it names vouches for',
    true,
    { who: anonymous, trust: [vouched()], federated: [provider] },
  ],
  [
    'nobody by another provider',
    false,
    { who: anonymous, trust: [vouched()], federated: [`${provider}b`] },
  ],
  ['a user by the name of a provider', false, { trust: [vouched()] }],
  [
    'whose claim is as it says',
    true,
    {
      who: anonymous,
      trust: [vouched({ StringLike: { 'oidc.example.com/a:sub': 'repo:team/*' } })],
      federated: [provider],
      keys: { 'oidc.example.com/a:sub': 'repo:team/app' },
    },
  ],
  [
    'nobody whose claim is another',
    false,
    {
      who: anonymous,
      trust: [vouched({ StringLike: { 'oidc.example.com/a:sub': 'repo:team/*' } })],
      federated: [provider],
      keys: { 'oidc.example.com/a:sub': 'repo:other/app' },
    },
  ],
  [
    'nobody by a provider, where everyone is denied',
    false,
    {
      who: anonymous,
      trust: [vouched(), { ...trusts('*'), Effect: 'Deny' }],
      federated: [provider],
    },
  ],
];

suite('a role may be assumed by', () => {
  for (const [
    who,
    allowed,
    { trust, identity, session, federated, keys = {}, ...rest },
  ] of assuming)
    test(who, () => {
      const [
        trustPolicy = { name: 'none', document: { kind: 'trust', id: undefined, statements: [] } },
      ] =
        trust.length === 0
          ? []
          : [
              {
                name: 'trust',
                document: parsePolicy(
                  JSON.stringify({ Version: '2012-10-17', Statement: trust }),
                  'trust',
                ),
              },
            ];
      const decision = evaluatePolicies({
        principal: rest.who ?? ann,
        action: 'sts:AssumeRole',
        resource: roleArn,
        resourceAccount: home,
        context: new Map(Object.entries(keys).map(([key, value]) => [key, [value]])),
        identityPolicies: named('identity', identity),
        sessionPolicies: session && named('identity', session),
        resourcePolicies: [],
        trustPolicy,
        federated,
      });
      assert.equal(decision.allowed, allowed, JSON.stringify(decision));
    });
});
