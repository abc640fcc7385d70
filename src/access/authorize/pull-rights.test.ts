import { deepEqual } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { anonymous } from '../../domain/policy/principal.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { AuditEntry, Authorizer, Caller, PullRights, Question, Scope } from '../access.ts';
import { createAuthorizer } from './authorizer.ts';
import { createTestInvalidations } from '../../../tests/support/rigs/invalidations.ts';

const app = 'team/app' as RepositoryName;
const rule = { prefix: 'team', credential: undefined, anonymousPull: true } as PullRule;
const pull = actions.getManifest;
const bringing = [pull, actions.importUpstream];

function start(first: readonly string[], options: { readonly readsRequests?: boolean } = {}) {
  const clock = createFakeClock();
  const denials: AuditEntry[] = [];
  const state = { allowed: first };
  const Condition = { StringNotLike: { 'aws:UserAgent': 'x*' } };
  const invalidations = createTestInvalidations();
  const authorizer = createAuthorizer({
    clock,
    invalidations,
    settings: () => ({ anonymousPull: false, anonymousImport: false, regions: ['us-east-1'] }),
    audit: { record: (entry) => denials.push(entry) },
    metadata: {
      repositories: {
        findRepository: async () => ({
          private: false,
          stopped: undefined,
          createdAt: 0,
          pushed: true,
          tagMutability: mutableTags,
          policy: undefined,
        }),
      },
      managedPolicies: { listAttachedPolicies: async () => [] },
      identities: {
        findRegistryPolicy: async () => undefined,
        listIdentityPolicies: async (account, principal) => {
          const statement = {
            Effect: 'Allow',
            Action: state.allowed,
            Resource: '*',
            ...(options.readsRequests === true ? { Condition } : {}),
          };
          const text = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
          return [{ account, principal, name: 'inline', text, updatedAt: 0 }];
        },
      },
    },
  });
  return { clock, denials, state, authorizer, invalidations };
}

function user(scopes?: readonly Scope[]): Caller {
  return {
    principal: { kind: 'user', account: '000000000000', name: 'ann' },
    via: 'key',
    scopes,
  };
}

function question(caller: Caller): Question {
  const from = { address: '10.1.2.3', secure: true, isLoopback: false, requestId: 'r1' };
  return {
    caller,
    action: pull,
    registry: homeRegistry,
    repository: app,
    rule,
    from: { ...from, userAgent: undefined },
  };
}

function shown({ pulls, imports, makes }: PullRights): readonly boolean[] {
  return [pulls.allowed, imports.allowed, makes.allowed];
}

/** What the three questions by themselves are answered; nothing is asked of whom the one before refused. */
async function oneByOne(authorizer: Authorizer, asked: Question): Promise<readonly boolean[]> {
  const found: boolean[] = [];
  for (const action of [pull, actions.importUpstream, actions.createRepository])
    found.push((await authorizer.explain({ ...asked, action })).allowed && found.at(-1) !== false);
  return found;
}

suite('the rights of a pull at once', () => {
  const nobody: Caller = { principal: anonymous, via: 'none', scopes: undefined };
  const pullScope: Scope = { repository: 'team/*', rights: ['pull'] };
  const everything = [...bringing, actions.createRepository];
  const rows: readonly (readonly [
    name: string,
    allowed: readonly string[],
    caller: Caller,
    expected: readonly boolean[],
    under?: PullRule | undefined,
  ])[] = [
    ['who may do all', everything, user(), [true, true, true]],
    ['who may make no repository', bringing, user(), [true, true, false]],
    ['who may only read', [pull], user(), [true, false, false]],
    ['who may import and not read', [actions.importUpstream], user(), [false, false, false]],
    ['a credential for pulls', everything, user([pullScope]), [true, true, true]],
    [
      'a credential for pulls elsewhere',
      everything,
      user([{ ...pullScope, repository: 'other/*' }]),
      [false, false, false],
    ],
    [
      'a credential for pulls where no rule leads: a pull makes nothing there',
      everything,
      user([pullScope]),
      [true, true, false],
      undefined,
    ],
    [
      'a credential for pushes alone',
      everything,
      user([{ ...pullScope, rights: ['push'] }]),
      [false, false, false],
    ],
    ['nobody where nobody may pull', everything, nobody, [false, false, false]],
  ];
  for (const [name, allowed, caller, expected, ...under] of rows) {
    for (const readsRequests of [false, true]) {
      const how = readsRequests ? ', by a policy that reads each request' : '';
      test(`${name}${how}: as one by one, and a refusal is told each time`, async () => {
        const { authorizer, denials } = start(allowed, { readsRequests });
        const asked = { ...question(caller), rule: under.length === 0 ? rule : under[0] };
        deepEqual(await oneByOne(authorizer, asked), expected);
        for (let time = 1; time <= 2; time += 1) {
          deepEqual(shown(await authorizer.pullRights(asked)), expected);
          const told = expected[0] === true ? 0 : time;
          deepEqual(
            denials.map(({ action }) => action),
            Array.from({ length: told }, () => pull),
          );
        }
      });
    }
  }

  test('they change once their policies are read again, and at once when they are forgotten', async () => {
    const { authorizer, clock, state, invalidations } = start([pull]);
    const asked = question(user());
    deepEqual(shown(await authorizer.pullRights(asked)), [true, false, false]);
    state.allowed = everything;
    clock.advance(9999);
    deepEqual(shown(await authorizer.pullRights(asked)), [true, false, false]);
    clock.advance(1);
    deepEqual(shown(await authorizer.pullRights(asked)), [true, true, true]);
    state.allowed = bringing;
    invalidations.note({ kind: 'policies' });
    deepEqual(shown(await authorizer.pullRights(asked)), [true, true, false]);
  });

  test('those of one caller, action or address are not those of another', async () => {
    const { authorizer } = start(everything);
    const asked = question(user());
    const all = [true, true, true];
    deepEqual(shown(await authorizer.pullRights(asked)), all);
    deepEqual(shown(await authorizer.pullRights({ ...asked, caller: user([]) })), [
      false,
      false,
      false,
    ]);
    deepEqual(shown(await authorizer.pullRights({ ...asked, action: actions.listTags })), [
      false,
      false,
      false,
    ]);
    deepEqual(shown(await authorizer.pullRights(asked)), all);
  });
});
