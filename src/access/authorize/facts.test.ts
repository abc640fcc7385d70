import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { mutableTags } from '../../domain/names/tag-mutability.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type { Question } from '../access.ts';
import type { Facts } from './facts.ts';
import { createFacts } from './facts.ts';

const stored: StoredRepository = {
  private: false,
  stopped: undefined,
  createdAt: 0,
  pushed: true,
  tagMutability: mutableTags,
  policy: undefined,
};

function start() {
  const clock = createFakeClock();
  const reads: string[] = [];
  const held = new Map<string, StoredRepository>([['team/hidden', stored]]);
  const facts = createFacts(
    {
      repositories: {
        findRepository: async ({ repository }) => {
          reads.push(repository);
          return held.get(repository);
        },
      },
      managedPolicies: { listAttachedPolicies: async () => [] },
      identities: {
        findRegistryPolicy: async () => undefined,
        listIdentityPolicies: async () => [],
      },
    },
    clock,
    () => 'any',
  );
  const question = (repository: string): Question => ({
    caller: { principal: { kind: 'anonymous' }, via: 'none', scopes: undefined },
    action: actions.putManifest,
    registry: homeRegistry,
    repository: repository as RepositoryName,
    rule: undefined,
    from: {
      address: '127.0.0.1',
      secure: false,
      isLoopback: false,
      userAgent: undefined,
      requestId: 'r',
    },
  });
  const gather = (repository: string): Facts | Promise<Facts> => facts.gather(question(repository));
  return { clock, reads, held, facts, question, gather };
}

suite('what decisions know of repositories', () => {
  for (const name of ['team/hidden', 'team/missing'])
    test(`${name} is read once in two seconds: the time of an answer does not tell it`, async () => {
      const { clock, reads, gather } = start();
      await gather(name);
      ok(!(gather(name) instanceof Promise));
      clock.advance(1999);
      ok(!(gather(name) instanceof Promise));
      clock.advance(1);
      ok(gather(name) instanceof Promise);
      deepEqual(reads, [name, name]);
    });

  test('one that is made is there at once', async () => {
    const { facts, held, gather } = start();
    equal((await gather('team/new')).repository, undefined);
    const before = gather('team/other');
    held.set('team/new', stored).set('team/other', stored);
    facts.forget(homeRegistry, 'team/new' as RepositoryName);
    facts.forget(homeRegistry, 'team/other' as RepositoryName);
    await before;
    equal((await gather('team/new')).repository?.row, stored);
    equal((await gather('team/other')).repository?.row, stored);
  });

  test('one that is being made by a push is not believed to be missing', async () => {
    const { facts, held, question, gather } = start();
    facts.noteUse(question('team/new'), await gather('team/new'));
    equal((await gather('team/new')).repository, undefined);
    held.set('team/new', stored);
    equal((await gather('team/new')).repository?.row, stored);
  });

  test('names that were made up drive out none that is there', async () => {
    const { reads, gather } = start();
    await gather('team/hidden');
    for (let n = 0; n < 25_000; n += 1) await gather(`made-up/${n}`);
    reads.length = 0;
    await gather('team/hidden');
    await gather('made-up/24999');
    await gather('made-up/0');
    deepEqual(reads, ['made-up/0']);
  });

  test('policies of the same text are parsed once, and told apart by their repository', async () => {
    const { held, gather } = start();
    const statement = { Effect: 'Allow', Principal: '*', Action: 'ecr:*' };
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    held.set('a', { ...stored, policy }).set('b', { ...stored, policy });
    const [one, other] = [(await gather('a')).repository, (await gather('b')).repository];
    ok(one?.policies[0]?.document === other?.policies[0]?.document);
    ok(one?.number !== other?.number);
    equal(other?.policies[0]?.name, 'repository policy of b');
  });
});
