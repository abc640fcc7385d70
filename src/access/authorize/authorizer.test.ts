import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import type { Principal } from '../../domain/policy/principal.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type { AuditEntry, Authorizer, Caller, Question, Scope, Verdict } from '../access.ts';
import { createAuthorizer } from './authorizer.ts';
import { createTestInvalidations } from '../../../tests/support/rigs/invalidations.ts';

const [home, other] = ['000000000000', '111111111111'] as const;
const app = 'team/app' as RepositoryName;

interface World {
  repositories: Record<string, Partial<StoredRepository>>;
  identity: Record<string, readonly object[]>;
  registryPolicy: object | undefined;
  anonymousPull: boolean;
  anonymousImport: boolean | 'loopback';
}

function start(world: Partial<World> = {}) {
  const [clock, invalidations] = [createFakeClock(), createTestInvalidations()];
  const [reads, denials]: [string[], AuditEntry[]] = [[], []];
  const state: World = {
    repositories: {},
    identity: {},
    registryPolicy: undefined,
    anonymousPull: true,
    anonymousImport: 'loopback',
    ...world,
  };
  const authorizer = createAuthorizer({
    clock,
    invalidations,
    settings: () => ({ ...state, regions: ['us-east-1'] }),
    audit: { record: (entry) => denials.push(entry) },
    metadata: {
      repositories: {
        findRepository: async ({ repository }) => {
          reads.push(repository);
          return state.repositories[repository] && { ...stored, ...state.repositories[repository] };
        },
      },
      managedPolicies: { listAttachedPolicies: async () => [] },
      identities: {
        findRegistryPolicy: async () =>
          state.registryPolicy && policyText(state.registryPolicy as Record<string, unknown>),
        listIdentityPolicies: async (account, principal) => {
          reads.push(`${account}:${principal}`);
          return (state.identity[principal] ?? []).map((statement, index) => ({
            account,
            principal,
            name: `p${index}`,
            text: policyText(statement as Record<string, unknown>),
            updatedAt: 0,
          }));
        },
      },
    },
  });
  return { clock, reads, denials, state, authorizer, invalidations };
}

const stored: StoredRepository = {
  private: false,
  stopped: undefined,
  createdAt: 0,
  pushed: false,
  tagMutability: mutableTags,
  policy: undefined,
};

function policyText(statement: Record<string, unknown>): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
}

function caller(principal: Principal, scopes?: readonly Scope[]): Caller {
  return { principal, via: principal.kind === 'anonymous' ? 'none' : 'key', scopes };
}

const nobody = caller({ kind: 'anonymous' });
const admin = caller({ kind: 'administrator', account: home });
const otherAdmin = caller({ kind: 'administrator', account: other });
const user = caller({ kind: 'user', account: home, name: 'ann' });
const otherUser = caller({ kind: 'user', account: other, name: 'bob' });

function question(change: Partial<Question> & { readonly caller: Caller }): Question {
  return {
    action: actions.getManifest,
    registry: homeRegistry,
    repository: app,
    rule: undefined,
    from: {
      address: '127.0.0.1',
      secure: true,
      isLoopback: true,
      userAgent: undefined,
      requestId: 'r1',
    },
    ...change,
  };
}

async function allowed(
  authorizer: Authorizer,
  change: Partial<Question> & { readonly caller: Caller },
): Promise<boolean> {
  return (await authorizer.may(question(change))).allowed;
}

const rule = (credential: boolean, anonymousPull: boolean): PullRule =>
  ({
    prefix: 'team',
    credential: credential ? { name: 'c', username: 'u', accessToken: 't' } : undefined,
    anonymousPull,
  }) as PullRule;

const clientCert = { cert: 'c', key: 'k' };
const allowEveryone = policyText({
  Effect: 'Allow',
  Principal: '*',
  Action: ['ecr:BatchGetImage', 'ecr:PutImage'],
});
const denyEveryone = policyText({ Effect: 'Deny', Principal: '*', Action: 'ecr:*' });
const near = question({ caller: nobody }).from;
const far = { ...near, address: '10.1.2.3', secure: false, isLoopback: false };

suite('what anonymous may read', () => {
  const rows: readonly (readonly [
    name: string,
    rule: PullRule | undefined,
    repository: Partial<StoredRepository> | undefined,
    anonymous: boolean,
  ])[] = [
    ['a public rule, nothing held', rule(false, true), undefined, true],
    ['a public rule, public content', rule(false, true), {}, true],
    [
      'T32: what a credential fetched, under the rule that has it',
      rule(true, false),
      { private: true },
      false,
    ],
    ['T32: a rule with a credential, nothing held', rule(true, false), undefined, false],
    [
      'T32: public content under a rule that has got a credential since',
      rule(true, false),
      {},
      false,
    ],
    [
      'T32: what a credential fetched, after the rule lost it',
      rule(false, true),
      { private: true },
      false,
    ],
    [
      'T32: what a credential fetched, after its rule was removed',
      undefined,
      { private: true },
      false,
    ],
    ['T32: a rule with a client certificate', { ...rule(false, false), clientCert }, {}, false],
    ['a credential that only raises limits', rule(true, true), {}, true],
    [
      'private content whose rule now says anonymousPull: true beside its credential',
      rule(true, true),
      { private: true },
      true,
    ],
    ['public content of a removed rule', undefined, {}, true],
    ['what is not there, without a rule', undefined, undefined, false],
    ['what was pushed', undefined, { pushed: true }, false],
    ['what was pushed under a public rule', rule(false, true), { pushed: true }, false],
    [
      'what was pushed, with a policy for everyone',
      undefined,
      { pushed: true, policy: allowEveryone },
      true,
    ],
    [
      'T32: what a credential fetched, with a policy for everyone',
      undefined,
      { private: true, policy: allowEveryone },
      false,
    ],
    [
      'public content whose policy denies everyone',
      rule(false, true),
      { policy: denyEveryone },
      false,
    ],
  ];
  for (const [name, one, row, expected] of rows) {
    test(`${name}: ${expected ? 'everybody' : 'not anonymous'}`, async () => {
      const { authorizer } = start({ repositories: row ? { [app]: row } : {} });
      equal(await allowed(authorizer, { caller: nobody, rule: one }), expected);
      const denied = row?.policy === denyEveryone;
      equal(await allowed(authorizer, { caller: admin, rule: one }), !denied);
      // A principal that no policy names has what anonymous has, and what is for everyone.
      const forEveryone = row?.policy === allowEveryone;
      equal(await allowed(authorizer, { caller: user, rule: one }), expected || forEveryone);
    });
  }

  test('with anonymousPull: false nothing, whatever a policy says; principals keep what policies give them', async () => {
    const { authorizer } = start({
      anonymousPull: false,
      repositories: { [app]: { policy: allowEveryone }, open: {} },
    });
    equal(await allowed(authorizer, { caller: nobody }), false);
    equal(await allowed(authorizer, { caller: user }), true);
    equal(await allowed(authorizer, { caller: user, repository: 'open' as RepositoryName }), false);
  });

  for (const action of [actions.putManifest, actions.delete, actions.getRepositoryPolicy]) {
    test(`never ${action}, even where a policy allows it to everyone`, async () => {
      const policy = policyText({ Effect: 'Allow', Principal: '*', Action: '*' });
      const { authorizer } = start({ repositories: { [app]: { policy } } });
      equal(await allowed(authorizer, { caller: nobody, action }), false);
    });
  }
});

suite('who may import', () => {
  const rows: readonly (readonly [
    setting: boolean | 'loopback',
    isLoopback: boolean,
    expected: boolean,
  ])[] = [
    [true, false, true],
    [true, true, true],
    [false, true, false],
    ['loopback', true, true],
    ['loopback', false, false],
  ];
  for (const action of [actions.importUpstream, actions.createRepository]) {
    for (const [anonymousImport, isLoopback, expected] of rows) {
      test(`${action} with anonymousImport ${anonymousImport} from ${isLoopback ? 'here' : 'elsewhere'} is ${expected ? '' : 'not '}for everybody`, async () => {
        const { authorizer } = start({ anonymousImport });
        const from = { ...far, isLoopback };
        const one = { action, from, rule: rule(false, true) };
        equal(await allowed(authorizer, { caller: nobody, ...one }), expected);
        equal(await allowed(authorizer, { caller: user, ...one }), expected);
        equal(await allowed(authorizer, { caller: admin, ...one }), true);
        equal(await allowed(authorizer, { caller: nobody, ...one, rule: undefined }), false);
        equal(
          await allowed(authorizer, { caller: nobody, ...one, rule: rule(true, false) }),
          false,
        );
      });
    }
  }

  test('an identity policy lets nodes import where anonymous may not (W1.10)', async () => {
    const grant = {
      Effect: 'Allow',
      Action: ['ecr:CreateRepository', 'ecr:BatchImportUpstreamImage'],
      Resource: '*',
    };
    const { authorizer } = start({ anonymousImport: false, identity: { ann: [grant] } });
    const one = { action: actions.importUpstream, rule: rule(false, true), from: far };
    equal(await allowed(authorizer, { caller: user, ...one }), true);
    equal(await allowed(authorizer, { caller: nobody, ...one }), false);
  });
});

suite('policies through the authorizer', () => {
  const grant = { Effect: 'Allow', Action: 'ecr:*', Resource: '*' };
  const deny = { Effect: 'Deny', Action: 'ecr:BatchGetImage', Resource: '*' };

  test('an explicit deny wins over an allow, over being the owner and over what anonymous has', async () => {
    const repositories = { [app]: { policy: denyEveryone } };
    const { authorizer } = start({ repositories, identity: { ann: [grant] } });
    equal(await allowed(authorizer, { caller: user, rule: rule(false, true) }), false);
    equal(await allowed(authorizer, { caller: admin, rule: rule(false, true) }), false);
    const own = start({ repositories: { [app]: {} }, identity: { ann: [deny, grant] } });
    equal(await allowed(own.authorizer, { caller: user }), false);
    equal(await allowed(own.authorizer, { caller: user, action: actions.listTags }), true);
    equal(await allowed(own.authorizer, { caller: nobody }), true);
  });

  test('a registry policy counts as a repository policy does', async () => {
    const registryPolicy = {
      Effect: 'Deny',
      Principal: '*',
      Action: 'ecr:BatchGetImage',
      Resource: `arn:aws:ecr:us-east-1:${home}:repository/team/*`,
    };
    const { authorizer } = start({ repositories: { [app]: {}, open: {} }, registryPolicy });
    equal(await allowed(authorizer, { caller: user }), false);
    equal(await allowed(authorizer, { caller: nobody }), false);
    equal(
      await allowed(authorizer, { caller: nobody, repository: 'open' as RepositoryName }),
      true,
    );
  });

  for (const action of [
    actions.getRepositoryPolicy,
    actions.setRepositoryPolicy,
    actions.deleteRepositoryPolicy,
    actions.putRegistryPolicy,
  ]) {
    test(`no policy locks the administrator out of ${action}`, async () => {
      const { authorizer } = start({ repositories: { [app]: { policy: denyEveryone } } });
      equal(await allowed(authorizer, { caller: admin, action }), true);
      equal(await allowed(authorizer, { caller: otherAdmin, action }), false);
      equal(await allowed(authorizer, { caller: user, action }), false);
    });
  }

  test('a stored policy that cannot be read denies everything but policies', async () => {
    const { authorizer } = start({ repositories: { [app]: { policy: '{' } } });
    equal(await allowed(authorizer, { caller: admin }), false);
    equal(await allowed(authorizer, { caller: nobody }), false);
    equal(await allowed(authorizer, { caller: admin, action: actions.setRepositoryPolicy }), true);
  });

  test('a second account needs its own policy and the repository’s (W1.9)', async () => {
    const policy = policyText({
      Sid: 'pull access',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${other}:root` },
      Action: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
    });
    const repositories = { [app]: { private: true, policy } };
    const { authorizer } = start({ repositories, identity: { bob: [grant] } });
    equal(await allowed(authorizer, { caller: otherAdmin }), true);
    equal(await allowed(authorizer, { caller: otherUser }), true);
    equal(await allowed(authorizer, { caller: otherUser, action: actions.putManifest }), false);
    equal(await allowed(authorizer, { caller: otherUser, action: actions.importUpstream }), false);
    const without = start({ repositories });
    equal(await allowed(without.authorizer, { caller: otherUser }), false);
    equal(await allowed(without.authorizer, { caller: otherAdmin }), true);
    equal(await allowed(without.authorizer, { caller: user }), false);
  });

  test('an administrator rules in its own account alone', async () => {
    const { authorizer } = start({ repositories: { [app]: { pushed: true } } });
    const registry: RegistryKey = `${other}/us-east-1`;
    equal(await allowed(authorizer, { caller: otherAdmin }), false);
    equal(await allowed(authorizer, { caller: otherAdmin, registry }), true);
    equal(await allowed(authorizer, { caller: admin, registry }), false);
  });

  test('users and their keys are managed by the administrator and by whom iam:* is allowed', async () => {
    const { authorizer } = start({
      identity: { ann: [{ ...grant, Action: 'iam:*' }], eve: [grant] },
    });
    const ask = (who: Caller): Promise<boolean> =>
      allowed(authorizer, {
        caller: who,
        action: identityActions.createUser,
        repository: undefined,
      });
    equal(await ask(admin), true);
    equal(await ask(user), true);
    equal(await ask(caller({ kind: 'user', account: home, name: 'eve' })), false);
    equal(await ask(otherAdmin), false);
    equal(await ask(nobody), false);
  });

  const conditions: readonly (readonly [name: string, condition: object, expected: boolean])[] = [
    ['its address', { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, true],
    ['another address', { IpAddress: { 'aws:SourceIp': '192.168.0.0/16' } }, false],
    ['plain http', { Bool: { 'aws:SecureTransport': 'false' } }, true],
    ['TLS', { Bool: { 'aws:SecureTransport': 'true' } }, false],
    ['its ARN', { ArnEquals: { 'aws:PrincipalArn': `arn:aws:iam::${home}:user/ann` } }, true],
    ['its account', { StringEquals: { 'aws:PrincipalAccount': home } }, true],
    ['its name', { StringEquals: { 'aws:username': 'ann' } }, true],
    ['its type', { StringEquals: { 'aws:PrincipalType': 'User' } }, true],
    ['the region', { StringEquals: { 'aws:RequestedRegion': 'us-east-1' } }, true],
    ['a user agent', { StringLike: { 'aws:UserAgent': 'docker/*' } }, true],
    ['no service of AWS', { Bool: { 'aws:ViaAWSService': 'false' } }, true],
    ['no service of AWS itself', { Bool: { 'aws:PrincipalIsAWSService': 'false' } }, true],
    ['a time to come', { DateGreaterThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } }, false],
    ['a time gone by', { NumericGreaterThan: { 'aws:EpochTime': '1700000000' } }, true],
  ];
  for (const [name, Condition, expected] of conditions) {
    test(`a condition on ${name} ${expected ? 'holds' : 'does not hold'}`, async () => {
      const policy = policyText({ Effect: 'Allow', Principal: '*', Action: 'ecr:*', Condition });
      const { authorizer } = start({ repositories: { [app]: { pushed: true, policy } } });
      const from = { ...far, userAgent: 'docker/28.0' };
      equal(await allowed(authorizer, { caller: user, from }), expected);
    });
  }
});

suite('AWS’s example that denies by source address', () => {
  const grant = { Effect: 'Allow', Action: 'ecr:*', Resource: '*' };
  // IAM user guide, "AWS: Denies access to AWS based on the source IP".
  const Condition = {
    NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '203.0.113.0/24'] },
    Bool: { 'aws:ViaAWSService': 'false' },
  };
  const rows = [
    ['192.0.2.7', true],
    ['198.51.100.7', false],
  ] as const;
  for (const [address, expected] of rows)
    test(`${expected ? 'lets' : 'does not let'} ${address} in`, async () => {
      const { authorizer } = start({
        repositories: { [app]: { pushed: true } },
        identity: {
          ann: [grant, { Effect: 'Deny', Action: '*', Resource: '*', Condition }],
        },
      });
      equal(await allowed(authorizer, { caller: user, from: { ...far, address } }), expected);
    });
});

suite('scopes of a credential', () => {
  const scoped = (repository: string, ...rights: Scope['rights']): Caller =>
    caller({ kind: 'administrator', account: home }, [{ repository, rights }]);
  const rows: readonly (readonly [
    name: string,
    caller: Caller,
    action: Question['action'],
    rule: PullRule | undefined,
    expected: boolean,
  ])[] = [
    ['pull may pull', scoped('team/*', 'pull'), actions.getManifest, undefined, true],
    ['pull may not push', scoped('team/*', 'pull'), actions.putManifest, undefined, false],
    ['pull and push may not delete', scoped('*', 'pull', 'push'), actions.delete, undefined, false],
    ['delete may delete', scoped('team/app', 'delete'), actions.delete, undefined, true],
    [
      'another repository’s scope may not pull',
      scoped('other/*', 'pull'),
      actions.getManifest,
      undefined,
      false,
    ],
    [
      'pull makes a repository under a rule',
      scoped('*', 'pull'),
      actions.createRepository,
      rule(false, true),
      true,
    ],
    ['pull makes none by itself', scoped('*', 'pull'), actions.createRepository, undefined, false],
    [
      'no scope sets a policy',
      scoped('*', 'pull', 'push', 'delete'),
      actions.setRepositoryPolicy,
      undefined,
      false,
    ],
    [
      'no scope makes a user',
      scoped('*', 'pull', 'push', 'delete'),
      identityActions.createUser,
      undefined,
      false,
    ],
    [
      'a password, which keeps the scopes, is got with any',
      scoped('*', 'pull'),
      actions.getAuthorizationToken,
      undefined,
      true,
    ],
  ];
  for (const [name, who, action, one, expected] of rows) {
    test(name, async () => {
      const { authorizer } = start({ repositories: { [app]: {} } });
      equal(await allowed(authorizer, { caller: who, action, rule: one }), expected);
    });
  }

  test('a scope gives nothing that its principal has not', async () => {
    const { authorizer } = start({ repositories: { [app]: { pushed: true } } });
    const who = caller({ kind: 'user', account: home, name: 'ann' }, [
      { repository: '*', rights: ['pull', 'push', 'delete'] },
    ]);
    equal(await allowed(authorizer, { caller: who }), false);
  });
});

suite('how decisions are made', () => {
  const isNow = (verdict: Verdict | Promise<Verdict>): boolean => !(verdict instanceof Promise);

  test('what is known is answered without waiting, and believed for two seconds', async () => {
    const { authorizer, clock, reads } = start({ repositories: { [app]: {} } });
    ok(!isNow(authorizer.may(question({ caller: user }))));
    await authorizer.may(question({ caller: user }));
    ok(isNow(authorizer.may(question({ caller: user }))));
    ok(isNow(authorizer.may(question({ caller: admin, action: actions.putManifest }))) === true);
    clock.advance(2001);
    ok(!isNow(authorizer.may(question({ caller: nobody }))));
    await authorizer.may(question({ caller: nobody }));
    deepEqual(
      reads.filter((read) => read.includes(':')),
      [`${home}:ann`],
    );
  });

  test('a row that a listing has read is neither read again nor kept', async () => {
    const { authorizer, reads, state } = start({ repositories: { [app]: { pushed: true } } });
    const row = { ...stored, pushed: true, policy: allowEveryone };
    equal((await authorizer.explain(question({ caller: nobody }), row)).allowed, true);
    equal(
      (await authorizer.explain(question({ caller: user }), { ...row, policy: denyEveryone }))
        .allowed,
      false,
    );
    deepEqual(reads, [`${home}:ann`]);
    equal(await allowed(authorizer, { caller: nobody }), false);
    deepEqual(reads, [`${home}:ann`, app]);
    deepEqual(state.repositories[app], { pushed: true });
  });

  test('a change that is told counts at once, also for what is being read', async () => {
    const { authorizer, invalidations, state } = start({ repositories: { [app]: {} } });
    const changed = { kind: 'repository', registry: homeRegistry, repository: app } as const;
    equal(await allowed(authorizer, { caller: nobody }), true);
    state.repositories = { [app]: { policy: denyEveryone } };
    equal(await allowed(authorizer, { caller: nobody }), true);
    invalidations.note(changed);
    equal(await allowed(authorizer, { caller: nobody }), false);
    invalidations.note(changed);
    const before = authorizer.may(question({ caller: nobody }));
    state.repositories = { [app]: {} };
    invalidations.note(changed);
    await before;
    equal(await allowed(authorizer, { caller: nobody }), true);
    state.anonymousPull = false;
    invalidations.note({ kind: 'configuration' });
    equal(await allowed(authorizer, { caller: nobody }), false);
  });

  test('a public repository that is being pushed into is not believed to be public', async () => {
    const { authorizer, state } = start({ repositories: { [app]: {} } });
    equal(await allowed(authorizer, { caller: nobody }), true);
    equal(await allowed(authorizer, { caller: admin, action: actions.putManifest }), true);
    equal(await allowed(authorizer, { caller: nobody }), true);
    state.repositories = { [app]: { pushed: true } };
    equal(await allowed(authorizer, { caller: nobody }), false);
  });

  test('a decision that depends on the time is made again', async () => {
    const policy = policyText({
      Effect: 'Allow',
      Principal: '*',
      Action: 'ecr:*',
      Condition: { DateLessThan: { 'aws:CurrentTime': '2026-01-01T00:00:01Z' } },
    });
    const { authorizer, clock } = start({ repositories: { [app]: { pushed: true, policy } } });
    equal(await allowed(authorizer, { caller: user }), true);
    clock.advance(1500);
    equal(await allowed(authorizer, { caller: user }), false);
  });

  test('one caller from two addresses is two decisions', async () => {
    const policy = policyText({
      Effect: 'Allow',
      Principal: '*',
      Action: 'ecr:*',
      Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } },
    });
    const { authorizer } = start({ repositories: { [app]: { pushed: true, policy } } });
    equal(await allowed(authorizer, { caller: user }), true);
    equal(await allowed(authorizer, { caller: user, from: far }), false);
    equal(await allowed(authorizer, { caller: user }), true);
  });

  test('a denial is audited with who, what, where and why; explain tells nobody', async () => {
    const { authorizer, denials } = start({ repositories: { [app]: { pushed: true } } });
    const verdict = await authorizer.explain(question({ caller: user }));
    deepEqual(denials, []);
    equal(verdict.allowed, false);
    match(verdict.because, /no statement of a policy allows ecr:BatchGetImage to arn:.*user\/ann/);
    await authorizer.may(question({ caller: user }));
    deepEqual(denials, [
      {
        kind: 'denial',
        principal: `arn:aws:iam::${home}:user/ann`,
        action: 'ecr:BatchGetImage',
        resource: app,
        registry: homeRegistry,
        outcome: 'denied',
        address: '127.0.0.1',
        requestId: 'r1',
        detail: { because: verdict.because },
      },
    ]);
  });

  test('the reason names the policy and the statement', async () => {
    const { authorizer } = start({ repositories: { [app]: { policy: denyEveryone } } });
    const verdict = await authorizer.explain(question({ caller: user }));
    match(verdict.because, /^repository policy of team\/app, statement 0, denies/);
  });
});
