import { deepEqual, equal } from 'node:assert/strict';
import type {
  AccessKeyRow,
  AuditRow,
  PrincipalRow,
  TokenRow,
} from '../../src/metadata/contract/access-metadata.ts';
import type { MetadataRow } from './metadata-row.ts';
import { home } from './metadata-samples.ts';

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

/** Accounts, principals, their credentials and policies, and the audit. */
export const accessRows: readonly MetadataRow[] = [
  {
    name: 'an account is made once; accounts are listed by their ids',
    async run(metadata) {
      equal(await metadata.findAccount(account), undefined);
      const one = { id: account, name: 'one', createdAt: 5 };
      const two = { id: '000011112222', name: 'two', createdAt: 6 };
      equal(await metadata.createAccount(one), true);
      equal(await metadata.createAccount({ ...one, name: 'other' }), false);
      equal(await metadata.createAccount(two), true);
      deepEqual(await metadata.findAccount(account), one);
      deepEqual(await metadata.listAccounts(), [two, one]);
    },
  },
  {
    name: 'a principal is made once in its account, which must be there where that is asked',
    async run(metadata) {
      const alice = principal('alice');
      equal(await metadata.createPrincipal({ ...alice, requireAccount: true }), 'noAccount');
      equal(await metadata.findPrincipal(account, 'alice'), undefined);
      await metadata.createAccount({ id: account, name: 'one', createdAt: 5 });
      equal(await metadata.createPrincipal({ ...alice, requireAccount: true }), 'created');
      equal(await metadata.createPrincipal({ ...alice, kind: 'robot' }), 'exists');
      const robot: PrincipalRow = { ...principal('Bot'), kind: 'robot' };
      equal(await metadata.createPrincipal(robot), 'created');
      equal(await metadata.createPrincipal(principal('alice', '000000000000')), 'created');
      deepEqual(await metadata.findPrincipal(account, 'alice'), alice);
      deepEqual(await metadata.listPrincipals(account), [robot, alice]);
      equal(await metadata.deletePrincipal({ account, name: 'Bot' }), true);
      equal(await metadata.deletePrincipal({ account, name: 'Bot' }), false);
      deepEqual(await metadata.listPrincipals(account), [alice]);
    },
  },
  {
    name: 'a principal has two keys at most, a root too, and one that is deleted makes room',
    async run(metadata) {
      await metadata.createPrincipal(principal('alice'));
      for (const name of ['alice', undefined]) {
        const id = name ?? 'root';
        equal(await metadata.createAccessKey(key(`${id}1`, name)), 'created');
        const second = {
          ...key(`${id}2`, name),
          active: false,
          createdAt: 2,
          expiresAt: 9,
          lastUsedAt: 3,
        };
        equal(await metadata.createAccessKey(second), 'created');
        equal(await metadata.createAccessKey(key(`${id}3`, name)), 'limit');
        deepEqual(await metadata.listAccessKeys(account, name), [key(`${id}1`, name), second]);
        equal(await metadata.deleteAccessKey({ id: `${id}1` }), true);
        equal(await metadata.deleteAccessKey({ id: `${id}1` }), false);
        const third = { ...key(`${id}3`, name), createdAt: 4 };
        equal(await metadata.createAccessKey(third), 'created');
        deepEqual(await metadata.listAccessKeys(account, name), [second, third]);
        deepEqual(await metadata.findAccessKey(`${id}3`), third);
        equal(await metadata.findAccessKey(`${id}1`), undefined);
      }
      equal(await metadata.createAccessKey(key('x', 'nobody')), 'noPrincipal');
      equal(await metadata.createAccessKey(key('x', 'alice', '000000000000')), 'noPrincipal');
      equal(await metadata.createAccessKey(key('x', undefined, '000000000000')), 'created');
    },
  },
  {
    name: 'of twenty keys made at once two are there',
    async run(metadata) {
      await metadata.createPrincipal(principal('alice'));
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          metadata.createAccessKey(key(`k${index}`, 'alice')),
        ),
      );
      equal(results.filter((result) => result === 'created').length, 2);
      equal((await metadata.listAccessKeys(account, 'alice')).length, 2);
    },
  },
  {
    name: "a token's name is its owner's alone; it is found by its id and deleted by its name",
    async run(metadata) {
      await metadata.createPrincipal(principal('alice'));
      await metadata.createPrincipal(principal('bob'));
      for (const owner of ['alice', 'bob', undefined]) {
        equal(await metadata.createToken(token(`${owner} ci`, owner, 'ci')), 'created');
        equal(await metadata.createToken(token(`${owner} again`, owner, 'ci')), 'exists');
        const lasting = { ...token(`${owner} b`, owner, 'b'), expiresAt: undefined, scopes: [] };
        equal(await metadata.createToken(lasting), 'created');
        deepEqual(await metadata.listTokens(account, owner), [
          lasting,
          token(`${owner} ci`, owner, 'ci'),
        ]);
        deepEqual(await metadata.findToken(`${owner} b`), lasting);
      }
      equal(await metadata.createToken(token('x', 'nobody', 'ci')), 'noPrincipal');
      const name = 'ci';
      equal(await metadata.deleteToken({ account, principal: undefined, name }), true);
      equal(await metadata.deleteToken({ account, principal: undefined, name }), false);
      equal(await metadata.findToken('undefined ci'), undefined);
      equal((await metadata.listTokens(account, 'alice')).length, 2);
    },
  },
  {
    name: "a principal's policies are put, replaced and deleted by their names",
    async run(metadata) {
      await metadata.createPrincipal(principal('alice'));
      await metadata.createPrincipal(principal('bob'));
      equal(await metadata.putIdentityPolicy(policy('nobody', 'a', '{}', 1)), 'noPrincipal');
      equal(await metadata.putIdentityPolicy(policy('alice', 'b', '{ }', 1)), 'stored');
      equal(await metadata.putIdentityPolicy(policy('alice', 'a', '{}', 2)), 'stored');
      equal(await metadata.putIdentityPolicy(policy('alice', 'b', '{\n}', 3)), 'stored');
      equal(await metadata.putIdentityPolicy(policy('bob', 'c', '{}', 3)), 'stored');
      deepEqual(await metadata.listIdentityPolicies(account, 'alice'), [
        policy('alice', 'a', '{}', 2),
        policy('alice', 'b', '{\n}', 3),
      ]);
      const one = { account, principal: 'alice', name: 'a' };
      equal(await metadata.deleteIdentityPolicy(one), true);
      equal(await metadata.deleteIdentityPolicy(one), false);
      equal((await metadata.listIdentityPolicies(account, 'alice')).length, 1);
    },
  },
  {
    name: 'a deleted principal leaves no key, token or policy to one of its name',
    async run(metadata) {
      for (const name of ['alice', 'bob']) {
        await metadata.createPrincipal(principal(name));
        await metadata.createAccessKey(key(`${name} key`, name));
        await metadata.createToken(token(`${name} token`, name, 'ci'));
        await metadata.putIdentityPolicy(policy(name, 'a', '{}', 1));
      }
      equal(await metadata.deletePrincipal({ account, name: 'alice' }), true);
      equal(await metadata.findAccessKey('alice key'), undefined);
      equal(await metadata.findToken('alice token'), undefined);
      await metadata.createPrincipal(principal('alice'));
      deepEqual(await metadata.listAccessKeys(account, 'alice'), []);
      deepEqual(await metadata.listTokens(account, 'alice'), []);
      deepEqual(await metadata.listIdentityPolicies(account, 'alice'), []);
      equal((await metadata.findAccessKey('bob key'))?.name, 'bob');
      equal((await metadata.findToken('bob token'))?.principal, 'bob');
      equal((await metadata.listIdentityPolicies(account, 'bob')).length, 1);
    },
  },
  {
    name: 'a registry has one policy, or none',
    async run(metadata) {
      equal(await metadata.findRegistryPolicy(home), undefined);
      await metadata.setRegistryPolicy({ registry: home, text: '{ }', now: 1 });
      await metadata.setRegistryPolicy({ registry: home, text: '{}', now: 2 });
      equal(await metadata.findRegistryPolicy(home), '{}');
      equal(await metadata.findRegistryPolicy('111122223333/eu-west-1'), undefined);
      await metadata.setRegistryPolicy({ registry: home, text: undefined, now: 3 });
      await metadata.setRegistryPolicy({ registry: home, text: undefined, now: 4 });
      equal(await metadata.findRegistryPolicy(home), undefined);
    },
  },
  {
    name: 'times of use only grow, and what is gone is passed over',
    async run(metadata) {
      await metadata.createAccessKey(key('k', undefined));
      await metadata.createToken(token('t', undefined, 'ci'));
      const gone = Array.from({ length: 1100 }, (_, index) => ({ id: `gone${index}`, at: 5 }));
      await metadata.touchCredentials({ keys: [{ id: 'k', at: 5 }], tokens: [] });
      await metadata.touchCredentials({
        keys: [{ id: 'k', at: 4 }],
        tokens: [...gone, { id: 't', at: 7 }],
      });
      equal((await metadata.findAccessKey('k'))?.lastUsedAt, 5);
      equal((await metadata.findToken('t'))?.lastUsedAt, 7);
    },
  },
  {
    name: 'the audit keeps every row in its order, and is read from its end',
    async run(metadata) {
      const rows = Array.from({ length: 1300 }, (_, index): Omit<AuditRow, 'id'> => ({
        at: 1000 - index,
        kind: 'decision',
        principal: 'anonymous',
        action: 'ecr:PutImage',
        resource: `team/app${index}`,
        registry: home,
        outcome: 'denied',
        address: '127.0.0.1',
        requestId: `r${index}`,
        detail: '{"by":"ü"}',
        count: index + 1,
      }));
      await metadata.appendAudit([]);
      await metadata.appendAudit(rows.slice(0, 1299));
      await metadata.appendAudit(rows.slice(1299));
      const seen: AuditRow[] = [];
      for (;;) {
        const before = seen.at(-1)?.id;
        const page = await metadata.listAudit({ account: undefined, before, limit: 500 });
        if (page.length === 0) break;
        seen.push(...page);
      }
      deepEqual(
        seen,
        rows.toReversed().map((row, index) => ({ id: seen[index]?.id, ...row })),
      );
      equal(new Set(seen.map((row) => row.id)).size, 1300);
      const first = rows[0] as (typeof rows)[number];
      const regions = ['us-east-1', 'eu-west-1'] as const;
      await metadata.appendAudit(
        regions.map((region) => ({ ...first, registry: `111122223333/${region}` })),
      );
      await metadata.appendAudit([first]);
      const account = '111122223333';
      const theirs = await metadata.listAudit({ account, before: undefined, limit: 500 });
      deepEqual(
        theirs.map((row) => row.registry),
        regions.map((region) => `${account}/${region}`).toReversed(),
      );
      const before = theirs[0]?.id;
      deepEqual(await metadata.listAudit({ account, before, limit: 1 }), [theirs[1]]);
    },
  },
  {
    name: 'rows of the audit are dropped by kind and age, the oldest beyond what is kept',
    async run(metadata) {
      const now = 9;
      const row = (kind: string, principal: string, at: number): Omit<AuditRow, 'id'> => ({
        at,
        kind,
        principal,
        action: 'a',
        resource: '',
        registry: home,
        outcome: 'denied',
        address: '127.0.0.1',
        requestId: 'r',
        detail: '{}',
        count: 1,
      });
      const kinds = [
        ['denial', 'anonymous'],
        ['denial', 'arn:x'],
        ['login', 'anonymous'],
        ['change', 'arn:x'],
      ] as const;
      await metadata.appendAudit(
        [1, 2, 3, 4].flatMap((at) => kinds.map(([kind, who]) => row(kind, who, at))),
      );
      const left = async (): Promise<readonly string[]> => {
        const rows = await metadata.listAudit({ account: undefined, before: undefined, limit: 99 });
        return kinds.map(([kind, who]) =>
          rows
            .filter((each) => each.kind === kind && each.principal === who)
            .map(({ at }) => at)
            .toReversed()
            .join(''),
        );
      };
      await metadata.pruneAudit({ kind: 'anonymousDenial', before: 2, now, rowsMax: 1 });
      deepEqual(await left(), ['4', '1234', '1234', '1234']);
      await metadata.pruneAudit({ kind: 'denial', before: 3, now, rowsMax: 9 });
      deepEqual(await left(), ['4', '34', '1234', '1234']);
      await metadata.pruneAudit({ kind: 'login', before: 2, now, rowsMax: 4 });
      deepEqual(await left(), ['4', '34', '234', '1234']);
      await metadata.pruneAudit({ kind: 'change', before: 0, now, rowsMax: 2 });
      deepEqual(await left(), ['4', '34', '234', '34']);
    },
  },
  {
    name: 'however many rows of the audit are too many, all of them go',
    async run(metadata) {
      const rows = Array.from({ length: 10_100 }, (_, at): Omit<AuditRow, 'id'> => ({
        at,
        kind: 'change',
        principal: 'p',
        action: 'a',
        resource: '',
        registry: home,
        outcome: 'allowed',
        address: '127.0.0.1',
        requestId: 'r',
        detail: '{}',
        count: 1,
      }));
      await metadata.appendAudit(rows);
      const now = 20_000;
      await metadata.pruneAudit({ kind: 'change', before: 10_098, now, rowsMax: 10_099 });
      const left = await metadata.listAudit({ account: undefined, before: undefined, limit: 99 });
      deepEqual(
        left.map(({ at }) => at),
        [10_099, 10_098],
      );
    },
  },
];
