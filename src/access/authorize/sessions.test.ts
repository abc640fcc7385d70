// What sessions of roles, labels and the organization are to decisions, and how long they are remembered.
import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createTestInvalidations } from '../../../tests/support/rigs/invalidations.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import type { Caller, Question, TrustAsked } from '../access.ts';
import { createAuthorizer } from './authorizer.ts';

const home = '000000000000';
const roleArn = `arn:aws:iam::${home}:role/ci`;
const text = (statement: object): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statement });
const allow = (Condition?: object): object => ({
  Effect: 'Allow',
  Action: ['ecr:*', 'sts:*'],
  Resource: '*',
  ...(Condition && { Condition }),
});

const session: Caller = {
  principal: { kind: 'role', account: home, name: 'ci', path: '/', session: 'build' },
  via: 'session',
  scopes: undefined,
  madeAt: 5,
};

function start(policy: object | undefined, organizationId = '') {
  const state = { policy };
  const invalidations = createTestInvalidations();
  const asked: string[] = [];
  const denied: string[] = [];
  const authorizer = createAuthorizer({
    clock: createFakeClock(),
    invalidations,
    settings: () => ({
      anonymousPull: false,
      anonymousImport: false,
      regions: ['us-east-1'],
      organizationId,
    }),
    audit: { record: ({ principal }) => void denied.push(principal) },
    metadata: {
      repositories: { findRepository: async () => undefined },
      managedPolicies: { listAttachedPolicies: async () => [] },
      identities: {
        findRegistryPolicy: async () => undefined,
        listIdentityPolicies: async (account, principal) => {
          asked.push(principal);
          return state.policy === undefined
            ? []
            : [{ account, principal, name: 'p', text: text(state.policy), updatedAt: 0 }];
        },
      },
    },
  });
  const may = async (caller: Caller, more: Partial<Question> = {}): Promise<boolean> => {
    const from = {
      address: '192.0.2.1',
      secure: true,
      isLoopback: false,
      userAgent: undefined,
      requestId: 'r',
    };
    const question: Question = {
      caller,
      action: 'ecr:CreateRepository',
      registry: homeRegistry,
      repository: undefined,
      rule: undefined,
      from,
      ...more,
    };
    return (await authorizer.may(question)).allowed;
  };
  return { state, invalidations, asked, denied, may };
}

suite('a session', () => {
  test("may what its role's policies say, which are read once and anew when they change", async () => {
    const { state, invalidations, asked, denied, may } = start(allow());
    deepEqual([await may(session), await may(session)], [true, true]);
    deepEqual(asked, ['role/ci']);
    state.policy = undefined;
    invalidations.note({ kind: 'policies' });
    equal(await may(session), false);
    deepEqual(denied, [`arn:aws:sts::${home}:assumed-role/ci/build`]);
  });

  test('is limited by its own policy, and another one of its role is not', async () => {
    const { may } = start(allow());
    const limited = { ...session, session: { policy: text({ ...allow(), Action: 'ecr:Get*' }) } };
    deepEqual([await may(limited), await may(session), await may(limited)], [false, true, false]);
  });

  test('with a policy that can not be read any more may nothing', async () => {
    const { may } = start(allow());
    equal(await may({ ...session, session: { policy: '{' } }), false);
  });
});

const organization = 'o-a1b2c3d4e5';
const labels = { tags: [{ key: 'Team', value: 'a' }] };
const keys: readonly (readonly [string, object, Partial<Caller>, boolean])[] = [
  ['a label that it has', { 'aws:PrincipalTag/team': 'a' }, labels, true],
  ['another value of a label', { 'aws:PrincipalTag/team': 'b' }, labels, false],
  ['a label that it has not', { 'aws:PrincipalTag/team': 'a' }, {}, false],
  ['the organization', { 'aws:PrincipalOrgID': organization }, {}, true],
  ['another organization', { 'aws:PrincipalOrgID': 'o-other00000' }, {}, false],
  ['what it is', { 'aws:PrincipalType': 'AssumedRole' }, {}, true],
  ['the ARN of its role', { 'aws:PrincipalArn': roleArn }, {}, true],
  [
    'who vouched for it',
    { 'aws:FederatedProvider': 'arn:p' },
    { session: { provider: 'arn:p' } },
    true,
  ],
];
suite('a condition of a session asks for', () => {
  for (const [what, StringEquals, more, allowed] of keys)
    test(what, async () => {
      const { may } = start(allow({ StringEquals }), organization);
      equal(await may({ ...session, ...more }), allowed);
      // Once more, as it is remembered.
      equal(await may({ ...session, ...more }), allowed);
    });

  test('its id, with the name of the session behind that of its role', async () => {
    const { may } = start(allow({ StringLike: { 'aws:userid': 'AROA*:build' } }));
    equal(await may(session), true);
    const other = { ...session.principal, session: 'other' } as Caller['principal'];
    equal(await may({ ...session, principal: other }), false);
  });

  test('the organization in vain where none is configured', async () => {
    const { may } = start(allow({ StringEquals: { 'aws:PrincipalOrgID': organization } }));
    equal(await may(session), false);
  });
});

suite('a role that is to be assumed', () => {
  const ann: Caller = {
    principal: { kind: 'user', account: home, name: 'ann' },
    via: 'key',
    scopes: undefined,
  };
  const trusting = (Condition?: object): TrustAsked => ({
    policy: text({
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${home}:user/ann` },
      Action: 'sts:AssumeRole',
      ...(Condition && { Condition }),
    }),
    keys: new Map([['sts:externalid', ['x']]]),
  });
  const ask = { action: identityActions.assumeRole, resource: roleArn };

  test('may be by whom it trusts, each time by the keys of the call', async () => {
    const { may } = start(undefined);
    const trust = trusting({ StringEquals: { 'sts:ExternalId': 'x' } });
    equal(await may(ann, { ...ask, trust }), true);
    equal(await may(ann, { ...ask, trust: { ...trust, keys: new Map() } }), false);
    equal(await may(ann, { ...ask, trust }), true);
  });

  test('may not be where it is not there, nor by a policy alone', async () => {
    const { may } = start(allow());
    const nobody: TrustAsked = { policy: undefined, keys: new Map() };
    equal(await may(ann, { ...ask, trust: nobody }), false);
    const admin = { ...ann, principal: { kind: 'administrator', account: home } } as Caller;
    equal(await may(admin, { ...ask, trust: nobody }), false);
    equal(await may(admin, { ...ask, trust: trusting() }), false);
  });
});
