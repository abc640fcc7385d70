import { deepEqual, equal, ok } from 'node:assert/strict';
import type { AccessKeyRow, PrincipalRow, TokenRow } from '../../../src/metadata/contract/rows.ts';
import type { MetadataRow } from './row.ts';
import { home } from './samples.ts';

const account = '111122223333';

function principal(name: string, of: string = account): PrincipalRow {
  return { account: of, name, kind: 'user', createdAt: 1 };
}

function key(id: string, name: string | undefined, of: string = account): AccessKeyRow {
  return {
    id,
    account: of,
    name,
    sealedSecret: `sealed ${id}`,
    active: true,
    createdAt: 1,
    expiresAt: undefined,
    lastUsedAt: undefined,
  };
}

function token(id: string, owner: string | undefined, name: string): TokenRow {
  return {
    id,
    account,
    principal: owner,
    name,
    hash: `hash ${id}`,
    scopes: ['repository:team/*:pull', 'ü'],
    createdAt: 1,
    expiresAt: 99,
    lastUsedAt: undefined,
  };
}

function policy(owner: string, name: string, text: string, updatedAt: number) {
  return { account, principal: owner, name, text, updatedAt };
}

/** Accounts, principals, keys, tokens and policies. */
export const identitiesRows: readonly MetadataRow[] = [
  {
    name: 'an account is made once; accounts are listed by their ids',
    async run(metadata) {
      equal(await metadata.identities.findAccount(account), undefined);
      const one = { id: account, name: 'one', createdAt: 5 };
      const two = { id: '000011112222', name: 'two', createdAt: 6 };
      equal(await metadata.identities.createAccount(one), true);
      equal(await metadata.identities.createAccount({ ...one, name: 'other' }), false);
      equal(await metadata.identities.createAccount(two), true);
      deepEqual(await metadata.identities.findAccount(account), one);
      deepEqual(await metadata.identities.listAccounts(), [two, one]);
    },
  },
  {
    name: 'a principal is made once in its account, which must be there where that is asked',
    async run(metadata) {
      const alice = principal('alice');
      equal(
        await metadata.identities.createPrincipal({ ...alice, requireAccount: true }),
        'noAccount',
      );
      equal(await metadata.identities.findPrincipal(account, 'alice'), undefined);
      await metadata.identities.createAccount({ id: account, name: 'one', createdAt: 5 });
      equal(
        await metadata.identities.createPrincipal({ ...alice, requireAccount: true }),
        'created',
      );
      equal(await metadata.identities.createPrincipal({ ...alice, kind: 'robot' }), 'exists');
      const robot: PrincipalRow = { ...principal('Bot'), kind: 'robot' };
      equal(await metadata.identities.createPrincipal(robot), 'created');
      equal(
        await metadata.identities.createPrincipal(principal('alice', '000000000000')),
        'created',
      );
      deepEqual(await metadata.identities.findPrincipal(account, 'alice'), alice);
      deepEqual(await metadata.identities.listPrincipals(account), [robot, alice]);
      equal(await metadata.identities.deletePrincipal({ account, name: 'Bot' }), true);
      equal(await metadata.identities.deletePrincipal({ account, name: 'Bot' }), false);
      deepEqual(await metadata.identities.listPrincipals(account), [alice]);
    },
  },
  {
    name: 'tags of a principal are put, replaced and removed, up to a bound',
    async run(metadata) {
      const { identities } = metadata;
      const alice = principal('alice');
      const change = (
        remove: readonly string[],
        set: readonly { readonly key: string; readonly value: string }[],
      ): ReturnType<typeof identities.changePrincipalTags> =>
        identities.changePrincipalTags({ account, name: 'alice', remove, set, tagsMax: 2 });
      const [a, b, c] = ['a', 'b', 'c'].map((key) => ({ key, value: '1' }));
      ok(a && b && c);
      equal(await change([], [a]), 'notFound');
      await identities.createPrincipal({ ...alice, tags: [a] });
      equal(await change([], [b]), 'changed');
      equal(await change([], [c]), 'tooMany');
      deepEqual(await identities.findPrincipal(account, 'alice'), { ...alice, tags: [a, b] });
      equal(await change(['a', 'absent'], [{ ...b, value: '2' }, c]), 'changed');
      const now = [{ ...b, value: '2' }, c];
      deepEqual(await identities.listPrincipals(account), [{ ...alice, tags: now }]);
      equal(await change(['b', 'c'], []), 'changed');
      deepEqual(await identities.findPrincipal(account, 'alice'), alice);
    },
  },
  {
    name: 'tags of a principal are in the order of their keys',
    async run({ identities }) {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ key: name, value: '1' }));
      ok(a && b && c);
      await identities.createPrincipal({ ...principal('alice'), tags: [b] });
      const change = { account, name: 'alice', remove: [], set: [c, a], tagsMax: 9 };
      equal(await identities.changePrincipalTags(change), 'changed');
      deepEqual((await identities.findPrincipal(account, 'alice'))?.tags, [a, b, c]);
    },
  },
  {
    name: 'a principal that is in use is not deleted where that is asked',
    async run({ identities }) {
      const alice = { account, name: 'alice' };
      const remove = () => identities.deleteUnusedPrincipal(alice);
      equal(await remove(), 'notFound');
      for (const name of ['alice', 'bob']) {
        await identities.createPrincipal(principal(name));
        await identities.createAccessKey(key(`key of ${name}`, name));
        await identities.createToken(token(`token of ${name}`, name, 'ci'));
        await identities.putIdentityPolicy(policy(name, 'p', '{}', 1));
      }
      equal(await remove(), 'hasKeys');
      await identities.deleteAccessKey({ id: 'key of alice' });
      equal(await remove(), 'hasTokens');
      await identities.deleteToken({ account, principal: 'alice', name: 'ci' });
      equal(await remove(), 'hasPolicies');
      ok(await identities.findPrincipal(account, 'alice'));
      await identities.deleteIdentityPolicy({ ...policy('alice', 'p', '', 1) });
      equal(await remove(), 'deleted');
      deepEqual(await identities.listPrincipals(account), [principal('bob')]);
      ok(await identities.findAccessKey('key of bob'));
    },
  },
  {
    name: 'a principal has two keys at most, a root too, and one that is deleted makes room',
    async run(metadata) {
      await metadata.identities.createPrincipal(principal('alice'));
      for (const name of ['alice', undefined]) {
        const id = name ?? 'root';
        equal(await metadata.identities.createAccessKey(key(`${id}1`, name)), 'created');
        const second = {
          ...key(`${id}2`, name),
          active: false,
          createdAt: 2,
          expiresAt: 9,
          lastUsedAt: 3,
        };
        equal(await metadata.identities.createAccessKey(second), 'created');
        equal(await metadata.identities.createAccessKey(key(`${id}3`, name)), 'limit');
        deepEqual(await metadata.identities.listAccessKeys(account, name), [
          key(`${id}1`, name),
          second,
        ]);
        equal(await metadata.identities.setAccessKeyActive({ id: `${id}1`, active: false }), true);
        equal((await metadata.identities.findAccessKey(`${id}1`))?.active, false);
        equal(await metadata.identities.setAccessKeyActive({ id: 'none', active: true }), false);
        equal(await metadata.identities.deleteAccessKey({ id: `${id}1` }), true);
        equal(await metadata.identities.deleteAccessKey({ id: `${id}1` }), false);
        const third = { ...key(`${id}3`, name), createdAt: 4 };
        equal(await metadata.identities.createAccessKey(third), 'created');
        deepEqual(await metadata.identities.listAccessKeys(account, name), [second, third]);
        deepEqual(await metadata.identities.findAccessKey(`${id}3`), third);
        equal(await metadata.identities.findAccessKey(`${id}1`), undefined);
      }
      equal(await metadata.identities.createAccessKey(key('x', 'nobody')), 'noPrincipal');
      equal(
        await metadata.identities.createAccessKey(key('x', 'alice', '000000000000')),
        'noPrincipal',
      );
      equal(
        await metadata.identities.createAccessKey(key('x', undefined, '000000000000')),
        'created',
      );
    },
  },
  {
    name: 'of twenty keys made at once two are there',
    async run(metadata) {
      await metadata.identities.createPrincipal(principal('alice'));
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          metadata.identities.createAccessKey(key(`k${index}`, 'alice')),
        ),
      );
      equal(results.filter((result) => result === 'created').length, 2);
      equal((await metadata.identities.listAccessKeys(account, 'alice')).length, 2);
    },
  },
  {
    name: "a token's name is its owner's alone; it is found by its id and deleted by its name",
    async run(metadata) {
      await metadata.identities.createPrincipal(principal('alice'));
      await metadata.identities.createPrincipal(principal('bob'));
      for (const owner of ['alice', 'bob', undefined]) {
        equal(await metadata.identities.createToken(token(`${owner} ci`, owner, 'ci')), 'created');
        equal(
          await metadata.identities.createToken(token(`${owner} again`, owner, 'ci')),
          'exists',
        );
        const lasting = { ...token(`${owner} b`, owner, 'b'), expiresAt: undefined, scopes: [] };
        equal(await metadata.identities.createToken(lasting), 'created');
        deepEqual(await metadata.identities.listTokens(account, owner), [
          lasting,
          token(`${owner} ci`, owner, 'ci'),
        ]);
        deepEqual(await metadata.identities.findToken(`${owner} b`), lasting);
      }
      equal(await metadata.identities.createToken(token('x', 'nobody', 'ci')), 'noPrincipal');
      const name = 'ci';
      equal(await metadata.identities.deleteToken({ account, principal: undefined, name }), true);
      equal(await metadata.identities.deleteToken({ account, principal: undefined, name }), false);
      equal(await metadata.identities.findToken('undefined ci'), undefined);
      equal((await metadata.identities.listTokens(account, 'alice')).length, 2);
    },
  },
  {
    name: "a principal's policies are put, replaced and deleted by their names",
    async run(metadata) {
      await metadata.identities.createPrincipal(principal('alice'));
      await metadata.identities.createPrincipal(principal('bob'));
      equal(
        await metadata.identities.putIdentityPolicy(policy('nobody', 'a', '{}', 1)),
        'noPrincipal',
      );
      equal(await metadata.identities.putIdentityPolicy(policy('alice', 'b', '{ }', 1)), 'stored');
      equal(await metadata.identities.putIdentityPolicy(policy('alice', 'a', '{}', 2)), 'stored');
      equal(await metadata.identities.putIdentityPolicy(policy('alice', 'b', '{\n}', 3)), 'stored');
      equal(await metadata.identities.putIdentityPolicy(policy('bob', 'c', '{}', 3)), 'stored');
      deepEqual(await metadata.identities.listIdentityPolicies(account, 'alice'), [
        policy('alice', 'a', '{}', 2),
        policy('alice', 'b', '{\n}', 3),
      ]);
      const one = { account, principal: 'alice', name: 'a' };
      equal(await metadata.identities.deleteIdentityPolicy(one), true);
      equal(await metadata.identities.deleteIdentityPolicy(one), false);
      equal((await metadata.identities.listIdentityPolicies(account, 'alice')).length, 1);
    },
  },
  {
    name: 'a deleted principal leaves no key, token or policy to one of its name',
    async run(metadata) {
      for (const name of ['alice', 'bob']) {
        await metadata.identities.createPrincipal(principal(name));
        await metadata.identities.createAccessKey(key(`${name} key`, name));
        await metadata.identities.createToken(token(`${name} token`, name, 'ci'));
        await metadata.identities.putIdentityPolicy(policy(name, 'a', '{}', 1));
      }
      equal(await metadata.identities.deletePrincipal({ account, name: 'alice' }), true);
      equal(await metadata.identities.findAccessKey('alice key'), undefined);
      equal(await metadata.identities.findToken('alice token'), undefined);
      await metadata.identities.createPrincipal(principal('alice'));
      deepEqual(await metadata.identities.listAccessKeys(account, 'alice'), []);
      deepEqual(await metadata.identities.listTokens(account, 'alice'), []);
      deepEqual(await metadata.identities.listIdentityPolicies(account, 'alice'), []);
      equal((await metadata.identities.findAccessKey('bob key'))?.name, 'bob');
      equal((await metadata.identities.findToken('bob token'))?.principal, 'bob');
      equal((await metadata.identities.listIdentityPolicies(account, 'bob')).length, 1);
    },
  },
  {
    name: 'a registry has one policy, or none',
    async run(metadata) {
      equal(await metadata.identities.findRegistryPolicy(home), undefined);
      await metadata.identities.setRegistryPolicy({ registry: home, text: '{ }', now: 1 });
      await metadata.identities.setRegistryPolicy({ registry: home, text: '{}', now: 2 });
      equal(await metadata.identities.findRegistryPolicy(home), '{}');
      equal(await metadata.identities.findRegistryPolicy('111122223333/eu-west-1'), undefined);
      await metadata.identities.setRegistryPolicy({ registry: home, text: undefined, now: 3 });
      await metadata.identities.setRegistryPolicy({ registry: home, text: undefined, now: 4 });
      equal(await metadata.identities.findRegistryPolicy(home), undefined);
    },
  },
  {
    name: 'times of use only grow, and what is gone is passed over',
    async run(metadata) {
      await metadata.identities.createAccessKey(key('k', undefined));
      await metadata.identities.createToken(token('t', undefined, 'ci'));
      const gone = Array.from({ length: 1100 }, (_, index) => ({ id: `gone${index}`, at: 5 }));
      await metadata.identities.touchCredentials({ keys: [{ id: 'k', at: 5 }], tokens: [] });
      await metadata.identities.touchCredentials({
        keys: [{ id: 'k', at: 4 }],
        tokens: [...gone, { id: 't', at: 7 }],
      });
      equal((await metadata.identities.findAccessKey('k'))?.lastUsedAt, 5);
      equal((await metadata.identities.findToken('t'))?.lastUsedAt, 7);
    },
  },
];
