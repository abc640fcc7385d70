import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessQuestion, NamedPolicy, PolicyKind } from './policy.ts';
import { evaluatePolicies } from './evaluator.ts';
import { operators } from './operators.ts';
import { parsePolicy, policyProblems } from './parser.ts';
import { anonymous } from './principal.ts';
import type { Principal } from './principal.ts';

const accounts = ['000000000000', '111122223333'] as const;
const users = accounts.flatMap((account) => ['a', 'b'].map((name) => ({ account, name })));
const repository = 'arn:aws:ecr:us-east-1:000000000000:repository/team/app';

type Statement = Readonly<Record<string, unknown>>;

const principals = fc.oneof(
  fc.constant('*'),
  fc
    .uniqueArray(
      fc.constantFrom(
        '*',
        ...accounts,
        ...accounts.map((account) => `arn:aws:iam::${account}:root`),
        ...users.map(({ account, name }) => `arn:aws:iam::${account}:user/${name}`),
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((AWS) => ({ AWS })),
  fc.constant({ Service: 'ecr.amazonaws.com' }),
);
const actions = fc.constantFrom('*', 'ecr:*', 'ecr:Get*', 'ecr:PutImage', 'ecr:BatchGetImage');
const resources = fc.constantFrom(
  '*',
  repository,
  'arn:aws:ecr:*',
  'arn:aws:ecr:*:*:repository/team/*',
  'arn:aws:ecr:*:*:repository/${aws:username}',
  'arn:aws:ecr:eu-*:*:repository/*',
);
const conditions = fc.constantFrom(
  undefined,
  {},
  { Bool: { 'aws:SecureTransport': 'true' } },
  { NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '::1'] } },
  { StringNotLike: { 'aws:username': '${aws:team}*' } },
  { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a', 'b'] } },
  { NumericLessThanIfExists: { 'aws:x': 5 }, Null: { 'aws:team': true } },
  { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/a' } },
);

function oneOf(name: string, values: fc.Arbitrary<unknown>): fc.Arbitrary<Statement> {
  return fc
    .tuple(fc.constantFrom(name, name, `Not${name}`), values)
    .map(([key, value]) => ({ [key]: value }));
}

function statements(
  kind: PolicyKind,
  effects: readonly string[] = ['Allow', 'Deny'],
): fc.Arbitrary<Statement> {
  return fc
    .tuple(
      fc.record({ Effect: fc.constantFrom(...effects), Condition: conditions }),
      oneOf('Action', actions),
      kind === 'identity' ? fc.constant({}) : oneOf('Principal', principals),
      kind === 'repository'
        ? fc.oneof(fc.constant({}), oneOf('Resource', resources))
        : oneOf('Resource', resources),
    )
    .map((parts): Statement => Object.assign({}, ...parts) as Statement);
}

type EcrPolicyKind = Exclude<PolicyKind, 'secret' | 'trust'>;

/** The statements of a question's policies, by their place. */
interface Policies {
  readonly identity: readonly Statement[];
  readonly repository: readonly Statement[];
  readonly registry: readonly Statement[];
}

function policiesOf(effects?: readonly string[]): fc.Arbitrary<Policies> {
  const some = (kind: EcrPolicyKind): fc.Arbitrary<readonly Statement[]> =>
    fc.array(statements(kind, effects), { maxLength: 3 });
  return fc.record({
    identity: some('identity'),
    repository: some('repository'),
    registry: some('registry'),
  });
}

const askers: fc.Arbitrary<Principal> = fc.constantFrom<Principal>(
  anonymous,
  ...accounts.map((account) => ({ kind: 'administrator' as const, account })),
  ...users.map((each) => ({ kind: 'user' as const, ...each })),
);
const contexts = fc
  .record(
    {
      'aws:securetransport': fc.constantFrom(['true'], ['false']),
      'aws:sourceip': fc.constantFrom(['10.1.1.1'], ['192.0.2.1'], ['::1'], ['?']),
      'aws:tagkeys': fc.constantFrom<string[]>(['a'], ['a', 'c'], []),
      'aws:team': fc.constantFrom(['a'], ['*']),
      'aws:x': fc.constantFrom(['4'], ['6'], ['x']),
    },
    { requiredKeys: [] },
  )
  .map((record): ReadonlyMap<string, readonly string[]> => new Map(Object.entries(record)));
const asked = fc.record({
  principal: askers,
  action: fc.constantFrom('ecr:PutImage', 'ecr:BatchGetImage', 'ecr:GetAuthorizationToken'),
  resource: fc.constantFrom(repository, '*'),
  context: contexts,
  everyoneIncludesAnonymous: fc.boolean(),
});

function ask(
  question: Omit<AccessQuestion, 'identityPolicies' | 'resourcePolicies' | 'resourceAccount'>,
  policies: Policies,
): { readonly allowed: boolean; readonly reason: string } {
  const named = (kind: EcrPolicyKind): readonly NamedPolicy[] =>
    policies[kind].length === 0 ? [] : [{ name: kind, document: documentOf(policies[kind], kind) }];
  const { allowed, reason } = evaluatePolicies({
    ...question,
    resourceAccount: accounts[0],
    identityPolicies: named('identity'),
    resourcePolicies: [...named('repository'), ...named('registry')],
  });
  return { allowed, reason };
}

function documentOf(list: readonly Statement[], kind: EcrPolicyKind): NamedPolicy['document'] {
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: list }), kind);
}

function add(policies: Policies, kind: EcrPolicyKind, statement: Statement): Policies {
  return { ...policies, [kind]: [...policies[kind], statement] };
}

/** A statement and where to add it. */
function added(effect: 'Allow' | 'Deny'): fc.Arbitrary<readonly [EcrPolicyKind, Statement]> {
  return fc
    .constantFrom<EcrPolicyKind>('identity', 'repository', 'registry')
    .chain((kind) => fc.tuple(fc.constant(kind), statements(kind, [effect])));
}

const runs = { numRuns: 1000 };

test('A Deny for everyone and everything wins, whatever else is there.', () => {
  const all: Statement = { Effect: 'Deny', Action: '*' };
  const places: readonly (readonly [EcrPolicyKind, Statement])[] = [
    ['identity', { ...all, Resource: '*' }],
    ['repository', { ...all, Principal: '*' }],
    ['registry', { ...all, Principal: { AWS: '*' }, Resource: '*' }],
  ];
  fc.assert(
    fc.property(
      asked,
      policiesOf(),
      fc.constantFrom(...places),
      (question, policies, [kind, deny]) => {
        assert.deepEqual(ask(question, add(policies, kind, deny)), {
          allowed: false,
          reason: 'explicitDeny',
        });
      },
    ),
    runs,
  );
});

test('Without a statement nobody is allowed anything but the account’s administrator.', () => {
  fc.assert(
    fc.property(asked, (question) => {
      const { principal } = question;
      const isAdministrator =
        principal.kind === 'administrator' && principal.account === accounts[0];
      const nothing: Policies = { identity: [], repository: [], registry: [] };
      assert.equal(ask(question, nothing).allowed, isAdministrator);
    }),
    runs,
  );
});

test('Without an Allow nobody is allowed anything but the account’s administrator.', () => {
  fc.assert(
    fc.property(asked, policiesOf(['Deny']), (question, policies) => {
      const { principal } = question;
      const isAdministrator =
        principal.kind === 'administrator' && principal.account === accounts[0];
      assert.ok(!ask(question, policies).allowed || isAdministrator);
    }),
    runs,
  );
});

test('The order of statements and of policies does not matter.', () => {
  fc.assert(
    fc.property(asked, policiesOf(), (question, policies) => {
      const turned: Policies = {
        identity: policies.identity.toReversed(),
        repository: policies.repository.toReversed(),
        registry: policies.registry.toReversed(),
      };
      assert.deepEqual(ask(question, turned), ask(question, policies));
      // One policy for each statement, the registry's first.
      const single = (kind: EcrPolicyKind): readonly NamedPolicy[] =>
        turned[kind].map((each) => ({ name: kind, document: documentOf([each], kind) }));
      const apart = evaluatePolicies({
        ...question,
        resourceAccount: accounts[0],
        identityPolicies: single('identity'),
        resourcePolicies: [...single('registry'), ...single('repository')],
      });
      assert.equal(apart.allowed, ask(question, policies).allowed);
    }),
    runs,
  );
});

test('An Allow more never takes away.', () => {
  fc.assert(
    fc.property(asked, policiesOf(), added('Allow'), (question, policies, [kind, statement]) => {
      if (!ask(question, policies).allowed) return;
      assert.ok(ask(question, add(policies, kind, statement)).allowed);
    }),
    runs,
  );
});

test('A Deny more never gives.', () => {
  fc.assert(
    fc.property(asked, policiesOf(), added('Deny'), (question, policies, [kind, statement]) => {
      if (ask(question, policies).allowed) return;
      assert.ok(!ask(question, add(policies, kind, statement)).allowed);
    }),
    runs,
  );
});

test('Another account’s principal is allowed only what a resource policy gives.', () => {
  fc.assert(
    fc.property(asked, policiesOf(), (question, policies) => {
      const { principal } = question;
      if (principal.kind === 'anonymous' || principal.account === accounts[0]) return;
      assert.ok(!ask(question, { ...policies, repository: [], registry: [] }).allowed);
      const isAdministrator = principal.kind === 'administrator';
      assert.ok(isAdministrator || !ask(question, { ...policies, identity: [] }).allowed);
    }),
    runs,
  );
});

test('Questions are answered the same the second time, from the same documents.', () => {
  fc.assert(
    fc.property(
      fc.array(asked, { minLength: 2, maxLength: 4 }),
      policiesOf(),
      (questions, policies) => {
        const document =
          policies.registry.length === 0
            ? []
            : [{ name: 'x', document: documentOf(policies.registry, 'registry') }];
        const answer = (question: (typeof questions)[number]): unknown =>
          evaluatePolicies({
            ...question,
            resourceAccount: accounts[0],
            identityPolicies: [],
            resourcePolicies: document,
          });
        const first = questions.map(answer);
        assert.deepEqual(questions.map(answer), first);
      },
    ),
    { numRuns: 200 },
  );
});

test('What the parser accepts is answered, never thrown at.', () => {
  const names = fc
    .tuple(
      fc.constantFrom('', '', 'ForAllValues:', 'ForAnyValue:'),
      fc.constantFrom('Null', ...operators.keys()),
      fc.constantFrom('', '', 'IfExists'),
    )
    .map((parts) => parts.join(''));
  const values = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('true', '10.0.0.0/8', '2026-01-01', '${aws:team}', '*', 'arn:::::${*}', 'YQ=='),
    fc.integer(),
    fc.boolean(),
  );
  const keys = fc.constantFrom('aws:x', 'aws:SourceIp', 'aws:TagKeys', 'aws:toString', 'aws:none');
  const blocks = fc.dictionary(
    names,
    fc.dictionary(keys, fc.array(values, { maxLength: 3 }), { maxKeys: 2 }),
    { maxKeys: 2 },
  );
  const things = fc.oneof(
    resources,
    fc
      .string({ unit: fc.constantFrom('*', '?', ':', '${', '}', 'a', '${*}') })
      .map((each) => `arn:${each}`),
  );
  let accepted = 0;
  fc.assert(
    fc.property(asked, blocks, things, (question, Condition, Resource) => {
      const statement = { Effect: 'Allow', Principal: '*', Action: '*', Resource, Condition };
      const text = JSON.stringify({ Version: '2012-10-17', Statement: statement });
      if (policyProblems(text, 'registry').length > 0) return;
      accepted += 1;
      const { allowed } = ask(question, { identity: [], repository: [], registry: [statement] });
      assert.equal(typeof allowed, 'boolean');
    }),
    { numRuns: 2000 },
  );
  assert.ok(accepted > 300, String(accepted));
});
