import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { after, before, beforeEach, suite, test } from 'node:test';
import type { IdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { basic, homeAccount, openIdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { tokenLifetime } from './identities.ts';
import type { Identities } from './identities.ts';
import { openIdentities } from './open-identities.ts';

let rig: IdentityRig;
const dev = { account: homeAccount, name: 'dev' };
const root = { account: homeAccount, name: undefined };
before(async () => {
  rig = await openIdentityRig();
  await rig.identities.createPrincipal({ ...dev, kind: 'user' }, rig.author);
});
after(() => rig[Symbol.asyncDispose]());
beforeEach(() => {
  rig.audited.length = 0;
});

suite('accounts', () => {
  test('begin with the home account', async () => {
    deepEqual(
      (await rig.identities.listAccounts()).map(({ id, name }) => [id, name]),
      [[homeAccount, 'home']],
    );
  });

  test('come with the first key of their root', async () => {
    const { account, key } = await rig.identities.createAccount(
      { id: '123456789012', name: 'Team one' },
      rig.author,
    );
    deepEqual(account, { id: '123456789012', name: 'Team one', createdAt: rig.clock.now() });
    match(key.key.id, /^AKIA[A-Z2-7]{16}$/);
    match(key.secret, /^[A-Za-z0-9]{40}$/);
    const caller = await rig.identifier.identify(basic(key.key.id, key.secret), rig.from(), {
      mirror: false,
    });
    equal(describePrincipal(caller.principal), 'arn:aws:iam::123456789012:root');
    deepEqual(
      rig.audited.map(({ action, resource, registry }) => [action, resource, registry]),
      [
        ['account:Create', '123456789012', '123456789012/us-east-1'],
        ['iam:CreateAccessKey', 'root', '123456789012/us-east-1'],
      ],
    );
  });

  test('are there once', async () => {
    const again = { id: homeAccount, name: 'again' };
    await rejects(rig.identities.createAccount(again, rig.author), { code: 'conflict' });
    equal(rig.audited.length, 0);
  });

  for (const [id, name] of [
    ['1', 'x'],
    ['12345678901a', 'x'],
    ['123456789013', ''],
    ['123456789013', 'x'.repeat(65)],
    ['123456789013', 'a\nb'],
  ] as const) {
    test(`are not called ${JSON.stringify([id, name.slice(0, 10)])}`, async () => {
      await rejects(rig.identities.createAccount({ id, name }, rig.author), {
        code: 'requestInvalid',
      });
    });
  }
});

suite('principals', () => {
  test('are made, found, listed and deleted', async () => {
    const robot = { account: homeAccount, name: 'robot+1@ci', kind: 'robot' } as const;
    const row = await rig.identities.createPrincipal(robot, rig.author);
    deepEqual(row, { ...robot, createdAt: rig.clock.now() });
    deepEqual(await rig.identities.findPrincipal(homeAccount, robot.name), row);
    ok((await rig.identities.listPrincipals(homeAccount)).some(({ name }) => name === robot.name));
    equal(await rig.identities.deletePrincipal(robot, rig.author), true);
    equal(await rig.identities.deletePrincipal(robot, rig.author), false);
    deepEqual(
      rig.audited.map(({ kind, action, resource, outcome, principal }) => [
        kind,
        action,
        resource,
        outcome,
        principal,
      ]),
      ['iam:CreateUser', 'iam:DeleteUser'].map((action) => [
        'change',
        action,
        robot.name,
        'allowed',
        `arn:aws:iam::${homeAccount}:root`,
      ]),
    );
  });

  test('are there once, whatever they are', async () => {
    await rejects(rig.identities.createPrincipal({ ...dev, kind: 'robot' }, rig.author), {
      code: 'conflict',
    });
  });

  test('of an account that is not there are not made', async () => {
    const nowhere = { account: '999999999999', name: 'x', kind: 'user' } as const;
    equal(await rig.identities.createPrincipal(nowhere, rig.author), undefined);
    equal(rig.audited.length, 0);
  });

  for (const name of ['', 'a b', 'a/b', 'a:b', 'ä', 'x'.repeat(65), '*']) {
    test(`are not called ${JSON.stringify(name.slice(0, 10))}`, async () => {
      const input = { account: homeAccount, name, kind: 'user' } as const;
      await rejects(rig.identities.createPrincipal(input, rig.author), { code: 'requestInvalid' });
    });
  }
});

suite('access keys', () => {
  const ids = async (): Promise<readonly string[]> =>
    (await rig.identities.listAccessKeys(dev)).map(({ id }) => id);
  const told = (): readonly unknown[] =>
    rig.audited.map(({ action, resource, detail }) => [action, resource, detail['accessKeyId']]);

  test('are rotated: a new one beside the old, which then is deleted', async () => {
    const old = await rig.identities.createAccessKey(dev, rig.author);
    const made = await rig.identities.rotateAccessKey({ ...dev, revoke: false }, rig.author);
    deepEqual([made?.kept, made?.revoked, made?.file], [[old?.key.id], [], undefined]);
    deepEqual(await ids(), [old?.key.id, made?.key.id]);
    const third = rig.identities.rotateAccessKey({ ...dev, revoke: false }, rig.author);
    await rejects(third, { code: 'conflict' });
  });

  test('are replaced where they leaked, all at once', async () => {
    const before = await ids();
    equal(before.length, 2);
    rig.audited.length = 0;
    const made = await rig.identities.rotateAccessKey({ ...dev, revoke: true }, rig.author);
    deepEqual([made?.kept, made?.revoked.toSorted()], [[], before.toSorted()]);
    deepEqual(await ids(), [made?.key.id]);
    deepEqual(told(), [
      ['iam:DeleteAccessKey', 'dev', before[1]],
      ['iam:CreateAccessKey', 'dev', made?.key.id],
      ['iam:DeleteAccessKey', 'dev', before[0]],
    ]);
    await rig.identities.deleteAccessKey({ ...dev, id: made?.key.id ?? '' }, rig.author);
  });

  test('end where they are made to', async () => {
    const lifetimeMs = 90 * 86_400_000;
    const made = await rig.identities.createAccessKey({ ...dev, lifetimeMs }, rig.author);
    equal(made?.key.expiresAt, rig.clock.now() + lifetimeMs);
    const rotated = await rig.identities.rotateAccessKey(
      { ...dev, revoke: true, lifetimeMs: 60_000 },
      rig.author,
    );
    equal(rotated?.key.expiresAt, rig.clock.now() + 60_000);
    const root = { account: homeAccount, name: undefined };
    for (const wrong of [
      rig.identities.createAccessKey({ ...dev, lifetimeMs: 59_999 }, rig.author),
      rig.identities.rotateAccessKey({ ...dev, revoke: true, lifetimeMs: 1e12 }, rig.author),
      rig.identities.rotateAccessKey({ ...root, revoke: true, lifetimeMs }, rig.author),
    ])
      await rejects(wrong, { code: 'requestInvalid' });
    deepEqual(await ids(), [rotated?.key.id], 'what is refused takes no key away');
    await rig.identities.deleteAccessKey({ ...dev, id: rotated?.key.id ?? '' }, rig.author);
  });

  test('of the home account’s root are another pair in the file of credentials', async () => {
    const root = { account: homeAccount, name: undefined };
    const old = rig.administrator;
    const who = (pair: typeof old): Promise<string> =>
      Promise.resolve(
        rig.identifier.identify(basic(pair.accessKeyId, pair.secretAccessKey), rig.from(), {
          mirror: false,
        }),
      ).then(
        ({ principal }) => principal.kind,
        (error: { readonly code: string }) => error.code,
      );
    equal(await who(old), 'administrator');
    const other = await rig.identities.createAccessKey(root, rig.author);
    rig.audited.length = 0;
    const made = await rig.identities.rotateAccessKey({ ...root, revoke: false }, rig.author);
    deepEqual(
      [made?.revoked, made?.kept, made?.file],
      [[old.accessKeyId], [other?.key.id], 'credentials'],
    );
    deepEqual(told(), [
      ['iam:CreateAccessKey', 'root', made?.key.id],
      ['iam:DeleteAccessKey', 'root', old.accessKeyId],
    ]);
    equal(await who(old), 'unauthorized');
    equal(await who(rig.administrator), 'administrator');
    equal(rig.administrator.secretAccessKey, made?.secret);
    const again = await rig.identities.rotateAccessKey({ ...root, revoke: true }, rig.author);
    deepEqual([again?.revoked.at(1), again?.kept], [other?.key.id, []]);
  });

  test('are two at most, and a third needs one deleted', async () => {
    const keys = [
      await rig.identities.createAccessKey(dev, rig.author),
      await rig.identities.createAccessKey(dev, rig.author),
    ];
    await rejects(rig.identities.createAccessKey(dev, rig.author), { code: 'conflict' });
    for (const key of keys)
      equal(
        await rig.identities.deleteAccessKey({ ...dev, id: key?.key.id ?? '' }, rig.author),
        true,
      );
    ok(await rig.identities.createAccessKey(dev, rig.author));
  });

  test('are kept sealed, and listed without their secret', async () => {
    const made = await rig.identities.createAccessKey(root, rig.author);
    ok(made);
    const row = await rig.metadata.identities.findAccessKey(made.key.id);
    match(row?.sealedSecret ?? '', /^v1\.[a-z2-7]{8}\.[\w-]+$/);
    equal(rig.keys.open(row?.sealedSecret ?? '', made.key.id), made.secret);
    const shown = JSON.stringify([await rig.identities.listAccessKeys(root), rig.audited]);
    ok(shown.includes(made.key.id));
    ok(!shown.includes(made.secret) && !shown.includes('v1.'));
  });

  test('of another principal are not deleted', async () => {
    const made = await rig.identities.createAccessKey(root, rig.author);
    const id = made?.key.id ?? '';
    equal(await rig.identities.deleteAccessKey({ ...dev, id }, rig.author), false);
    equal(
      await rig.identities.deleteAccessKey(
        { account: '123456789012', name: undefined, id },
        rig.author,
      ),
      false,
    );
    equal(await rig.identities.deleteAccessKey({ ...root, id }, rig.author), true);
    equal(await rig.identities.deleteAccessKey({ ...root, id }, rig.author), false);
  });

  test('of nobody are not made', async () => {
    equal(await rig.identities.createAccessKey({ ...dev, name: 'nobody' }, rig.author), undefined);
    equal(
      await rig.identities.createAccessKey({ ...root, account: '999999999999' }, rig.author),
      undefined,
    );
  });
});

suite(
  'what was verified before is verified anew after a write that failed and may have been committed:',
  () => {
    const { account, name } = dev;
    const failing = async <T>(write: Promise<T>): Promise<T> => {
      await write;
      throw new Error('the connection was lost');
    };
    const never = (): Promise<never> => Promise.reject(new Error('nobody rotates here'));
    /** Over metadata whose writes are committed, and fail. */
    const open = async (onChange: () => void): Promise<Identities> => {
      const { identities } = rig.metadata;
      return await openIdentities({
        metadata: {
          identities: {
            ...identities,
            deletePrincipal: (input) => failing(identities.deletePrincipal(input)),
            deleteUnusedPrincipal: (input) => failing(identities.deleteUnusedPrincipal(input)),
            setAccessKeyActive: (input) => failing(identities.setAccessKeyActive(input)),
            deleteAccessKey: (input) => failing(identities.deleteAccessKey(input)),
            deleteToken: (input) => failing(identities.deleteToken(input)),
          },
        },
        keys: rig.keys,
        administrator: { pair: () => rig.administrator, file: '', rotate: never },
        home: homeRegistry,
        clock: rig.clock,
        audit: { record: () => {} },
        onChange,
      });
    };
    const cases: readonly (readonly [
      name: string,
      take: (identities: Identities, id: string) => Promise<unknown>,
    ])[] = [
      [
        'a key is inactive',
        (identities, id) =>
          identities.setAccessKeyActive({ account, name: 'lost', id, active: false }, rig.author),
      ],
      [
        'a key is deleted',
        (identities, id) => identities.deleteAccessKey({ account, name: 'lost', id }, rig.author),
      ],
      [
        'a token is deleted',
        (identities) => identities.deleteToken({ account, name, tokenName: 'x' }, rig.author),
      ],
      [
        'a principal is deleted',
        (identities) => identities.deletePrincipal({ account, name: 'lost' }, rig.author),
      ],
      [
        'a principal without anything is deleted',
        (identities) =>
          identities.deletePrincipal({ account, name: 'lost', unlessInUse: true }, rig.author),
      ],
    ];
    for (const [what, take] of cases)
      test(what, async () => {
        const lost = { account, name: 'lost' };
        await rig.identities.createPrincipal({ ...lost, kind: 'robot' }, rig.author);
        const made = await rig.identities.createAccessKey(lost, rig.author);
        let notes = 0;
        const identities = await open(() => (notes += 1));
        await rejects(take(identities, made?.key.id ?? ''), /the connection was lost/);
        equal(notes, 1);
        await rig.identities.deletePrincipal(lost, rig.author);
      });
  },
);

suite('tokens', () => {
  test('are shown once, kept as a hash, and listed with their limits', async () => {
    const made = await rig.identities.createToken(
      { ...dev, tokenName: 'ci', scopes: ['repository:team/*:push,pull'] },
      rig.author,
    );
    ok(made);
    match(made.secret, /^bw_[a-z2-7]{12}_[A-Za-z0-9]{40}$/);
    const row = await rig.metadata.identities.findToken(made.token.id);
    match(row?.hash ?? '', /^[0-9a-f]{64}$/);
    const [listed] = await rig.identities.listTokens(dev);
    deepEqual(listed, made.token);
    deepEqual(listed?.scopes, [{ repository: 'team/*', rights: ['pull', 'push'] }]);
    equal(listed?.expiresAt, rig.clock.now() + tokenLifetime.defaultMs);
    const [, , secret = ''] = made.secret.split('_');
    ok(!JSON.stringify([row, listed, rig.audited]).includes(secret));
    equal(rig.audited[0]?.detail['token'], 'ci');
  });

  test('have a name of their own, which is free again when they are deleted', async () => {
    const input = { ...dev, tokenName: 'once', scopes: [] };
    await rig.identities.createToken(input, rig.author);
    await rejects(rig.identities.createToken(input, rig.author), { code: 'conflict' });
    ok(await rig.identities.createToken({ ...input, name: undefined }, rig.author), "the root's");
    equal(await rig.identities.deleteToken(input, rig.author), true);
    equal(await rig.identities.deleteToken(input, rig.author), false);
    ok(await rig.identities.createToken(input, rig.author));
  });

  test('of nobody are not made', async () => {
    const input = { account: homeAccount, name: 'nobody', tokenName: 't', scopes: [] };
    equal(await rig.identities.createToken(input, rig.author), undefined);
    const nowhere = { ...input, account: '999999999999', name: undefined };
    equal(await rig.identities.createToken(nowhere, rig.author), undefined);
  });

  const bad: readonly (readonly [name: string, changes: object])[] = [
    ['an unknown scope', { scopes: ['repository:a:write'] }],
    ['too many scopes', { scopes: Array.from({ length: 101 }, () => 'repository:a:pull') }],
    ['a name with a space', { tokenName: 'a b' }],
    ['no name', { tokenName: '' }],
    ['a life of less than a minute', { lifetimeMs: 59_999 }],
    ['a life of more than 366 days', { lifetimeMs: 366 * 86_400_000 + 1 }],
    ['no life', { lifetimeMs: Number.NaN }],
    ['half a millisecond', { lifetimeMs: 60_000.5 }],
  ];
  for (const [name, changes] of bad) {
    test(`with ${name} are not made`, async () => {
      const input = { ...dev, tokenName: 'bad', scopes: [], ...changes };
      await rejects(rig.identities.createToken(input, rig.author), { code: 'requestInvalid' });
    });
  }

  for (const lifetimeMs of [60_000, 366 * 86_400_000]) {
    test(`may live for ${lifetimeMs} ms`, async () => {
      const input = { ...dev, tokenName: `for-${lifetimeMs}`, scopes: [], lifetimeMs };
      const made = await rig.identities.createToken(input, rig.author);
      equal(made?.token.expiresAt, rig.clock.now() + lifetimeMs);
    });
  }
});
