import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import type { IdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { basic, homeAccount, openIdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { RegistryError } from '../../domain/errors.ts';
import { arnOf, describePrincipal } from '../../domain/policy/principal.ts';
import type { Caller } from '../access.ts';
import { mintEcrPassword } from './registry-tokens.ts';
import { parseRequestedScopes } from '../secrets/scopes.ts';

let rig: IdentityRig;
before(async () => {
  rig = await openIdentityRig();
  await rig.identities.createPrincipal(
    { account: homeAccount, name: 'dev', kind: 'user' },
    rig.author,
  );
});
after(() => rig[Symbol.asyncDispose]());

const right = basic('AKIAEXAMPLE', 's3cret:with:colons');
let sources = 0;

/** Each from a source of its own, so that failures of one row don't slow another. */
async function who(
  header: string | undefined,
  options: { mirror?: boolean; basicOnly?: boolean; address?: string } = {},
): Promise<string> {
  sources += 1;
  const { mirror = false, basicOnly = false } = options;
  const from = rig.from(
    options.address ?? `10.${sources >> 16}.${(sources >> 8) & 255}.${sources & 255}`,
  );
  try {
    return describePrincipal(
      (await rig.identifier.identify(header, from, { mirror, basicOnly })).principal,
    );
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return error.code;
  }
}

async function callerOf(header: string): Promise<Caller> {
  return await rig.identifier.identify(header, rig.from(), { mirror: false });
}

const root = `arn:aws:iam::${homeAccount}:root`;
const dev = `arn:aws:iam::${homeAccount}:user/dev`;

suite('who is asking, by the pair of the credentials file', () => {
  const rows: readonly (readonly [
    name: string,
    header: string | undefined,
    who: string,
    onMirror: string,
  ])[] = [
    ['no header', undefined, 'anonymous', 'anonymous'],
    ['the right pair', right, root, root],
    [
      'the right pair in another spelling',
      right.replace('Basic', 'bAsIc  ').replaceAll('=', ''),
      root,
      root,
    ],
    ['an empty pair', basic('', ''), 'anonymous', 'anonymous'],
    ['a wrong password', basic('AKIAEXAMPLE', 'wrong'), 'unauthorized', 'anonymous'],
    ['a wrong user', basic('other', 's3cret:with:colons'), 'unauthorized', 'anonymous'],
    ['a user without a password', basic('AKIAEXAMPLE', ''), 'unauthorized', 'anonymous'],
    ['a password without a user', basic('', 's3cret:with:colons'), 'unauthorized', 'anonymous'],
    ['a pair without a colon', 'Basic QUtJQQ==', 'unauthorized', 'anonymous'],
    ['no pair', 'Basic ', 'unauthorized', 'anonymous'],
    ['an empty header', '', 'unauthorized', 'anonymous'],
    ['what is not base64', 'Basic !!!', 'unauthorized', 'anonymous'],
    ['an unknown bearer token', 'Bearer abc', 'unauthorized', 'anonymous'],
    ['a bearer of nothing', 'Bearer ', 'unauthorized', 'anonymous'],
    ['the secret as bearer', 'Bearer s3cret', 'unauthorized', 'anonymous'],
    ['another scheme', 'Negotiate abc', 'unauthorized', 'anonymous'],
    ['two pairs', `${right}, ${right}`, 'unauthorized', 'anonymous'],
    ['a header of 20 KB', `Basic ${'A'.repeat(20_000)}`, 'unauthorized', 'anonymous'],
    ["ECR's user with the secret", basic('AWS', 's3cret:with:colons'), 'unauthorized', 'anonymous'],
    [
      'a token that was never made',
      basic('x', `bw_${'a'.repeat(12)}_${'a'.repeat(40)}`),
      'unauthorized',
      'anonymous',
    ],
    [
      'a JWT of nobody that is configured',
      'Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9.AA',
      'unauthorized',
      'anonymous',
    ],
  ];
  for (const [name, header, expected, onMirror] of rows) {
    test(`${name} is ${expected}, on a mirror request ${onMirror}`, async () => {
      equal(await who(header), expected);
      equal(await who(header, { mirror: true }), onMirror);
    });
  }

  test('no other text is ever a principal', async () => {
    const credentials = fc.oneof(
      fc.string(),
      fc.string().map((text) => `Basic ${text}`),
      fc.string().map((text) => `Bearer ${text}`),
      fc.tuple(fc.string(), fc.string()).map(([user, password]) => basic(user, password)),
      fc
        .tuple(fc.constantFrom('AKIAEXAMPLE', 'AWS', 'dev'), fc.string())
        .map(([user, password]) => basic(user, password)),
      fc
        .tuple(fc.string(), fc.constant('s3cret:with:colons'))
        .map(([user, password]) => basic(user, password)),
    );
    await fc.assert(
      fc.asyncProperty(credentials, async (header) => {
        equal(await who(header, { mirror: true }), 'anonymous');
      }),
    );
  });
});

suite('who is asking, by what was made here', () => {
  const minted: Record<string, string> = {};
  before(async () => {
    const owner = { account: homeAccount, name: 'dev' };
    const key = await rig.identities.createAccessKey(owner, rig.author);
    const token = await rig.identities.createToken(
      { ...owner, tokenName: 'all', scopes: [] },
      rig.author,
    );
    ok(key !== undefined && token !== undefined);
    minted['key'] = basic(key.key.id, key.secret);
    minted['wrongKey'] = basic(key.key.id, `${key.secret.slice(0, -1)}!`);
    minted['token'] = token.secret;
    const caller = await callerOf(minted['key']);
    minted['ecr'] = (await mintEcrPassword(caller, rig)).password;
    const issued = await rig.tokenService.issueToken({ caller, scopes: [], service: 's' });
    minted['bearer'] = issued.token;
    const nobody = await callerOf(basic('', ''));
    minted['nobody'] = (
      await rig.tokenService.issueToken({ caller: nobody, scopes: [], service: 's' })
    ).token;
  });
  const get = (name: string): string => minted[name] ?? '';

  const rows: readonly (readonly [
    name: string,
    header: () => string,
    who: string,
    onEcrHost: string,
  ])[] = [
    ['an access key', () => get('key'), dev, dev],
    ['an access key with another secret', () => get('wrongKey'), 'unauthorized', 'unauthorized'],
    ['a token as password of any user', () => basic('whoever', get('token')), dev, dev],
    ['a token as password of nobody', () => basic('', get('token')), dev, dev],
    ["a token as password of ECR's user", () => basic('AWS', get('token')), dev, dev],
    ['a token as bearer', () => `Bearer ${get('token')}`, dev, 'unauthorized'],
    ['a token as user name', () => basic(get('token'), 'x'), 'unauthorized', 'unauthorized'],
    ["ECR's password", () => basic('AWS', get('ecr')), dev, dev],
    [
      "ECR's password of another user",
      () => basic('dev', get('ecr')),
      'unauthorized',
      'unauthorized',
    ],
    ["ECR's password as bearer", () => `Bearer ${get('ecr')}`, 'unauthorized', 'unauthorized'],
    ['a registry token as bearer', () => `Bearer ${get('bearer')}`, dev, 'unauthorized'],
    [
      'a registry token as password',
      () => basic('dev', get('bearer')),
      'unauthorized',
      'unauthorized',
    ],
    [
      "a registry token as ECR's password",
      () => basic('AWS', get('bearer')),
      'unauthorized',
      'unauthorized',
    ],
    ["nobody's registry token", () => `Bearer ${get('nobody')}`, 'anonymous', 'unauthorized'],
  ];
  for (const [name, header, expected, onEcrHost] of rows) {
    test(`${name} is ${expected}, at an ECR host ${onEcrHost}`, async () => {
      equal(await who(header()), expected);
      equal(await who(header(), { basicOnly: true }), onEcrHost);
      equal(await who(header()), expected, 'known by now');
      equal(await who(header(), { basicOnly: true }), onEcrHost, 'known by now');
    });
  }

  test('an ECR password and a token hold no colon', () => {
    for (const name of ['ecr', 'token', 'bearer']) ok(!get(name).includes(':'));
  });

  test('one bit wrong anywhere in a credential is nobody', async () => {
    const headers = ['key', 'ecr', 'token', 'bearer'].map(
      (name): readonly [string, (text: string) => string] => {
        if (name === 'key') {
          const pair = Buffer.from(get('key').slice(6), 'base64').toString();
          return [pair, (text) => `Basic ${Buffer.from(text, 'latin1').toString('base64')}`];
        }
        return [
          get(name),
          (text) =>
            name === 'ecr'
              ? `Basic ${Buffer.from(`AWS:${text}`, 'latin1').toString('base64')}`
              : `Bearer ${text}`,
        ];
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...headers),
        fc.nat(),
        fc.nat(7),
        async ([text, header], at, bit) => {
          const bytes = Buffer.from(text, 'latin1');
          const index = at % bytes.byteLength;
          bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
          equal(await who(header(bytes.toString('latin1')), { mirror: true }), 'anonymous');
        },
      ),
      { numRuns: 300 },
    );
  });
});

suite('what is known', () => {
  test('is answered without waiting, with the same caller', async () => {
    const caller = await callerOf(right);
    equal(rig.identifier.identify(right, rig.from(), { mirror: false }), caller);
  });

  test('of every kind costs no promise, on a mirror request and elsewhere', async () => {
    const owner = { account: homeAccount, name: 'dev' };
    const token = await rig.identities.createToken(
      { ...owner, tokenName: 'known', scopes: [] },
      rig.author,
    );
    const caller = await callerOf(`Bearer ${token?.secret}`);
    const { password } = await mintEcrPassword(caller, rig);
    const issued = await rig.tokenService.issueToken({ caller, scopes: [], service: 's' });
    const headers = [
      right,
      basic('x', token?.secret ?? ''),
      `Bearer ${token?.secret}`,
      basic('AWS', password),
      `Bearer ${issued.token}`,
      basic('', ''),
      undefined,
    ];
    for (const header of headers) {
      if (header !== undefined) await callerOf(header);
      for (const mirror of [true, false])
        ok(!(rig.identifier.identify(header, rig.from(), { mirror }) instanceof Promise));
    }
  });

  test('is looked at again after a minute', async () => {
    const caller = await callerOf(right);
    rig.clock.advance(60_001);
    ok(rig.identifier.identify(right, rig.from(), { mirror: false }) instanceof Promise);
    deepEqual(await callerOf(right), caller);
  });

  test('is not answered beyond its end', async () => {
    const name = 'ends';
    const token = await rig.identities.createToken(
      { account: homeAccount, name: 'dev', tokenName: name, scopes: [], lifetimeMs: 90_000 },
      rig.author,
    );
    const header = `Bearer ${token?.secret}`;
    rig.clock.advance(60_000);
    equal(await who(header), dev);
    rig.clock.advance(29_999);
    equal(await who(header), dev);
    rig.clock.advance(1);
    equal(await who(header), 'unauthorized');
  });

  test('an ECR password lasts for twelve hours', async () => {
    const { password, expiresAt } = await mintEcrPassword(await callerOf(right), rig);
    equal(expiresAt, rig.clock.now() + 12 * 3_600_000);
    rig.clock.advance(12 * 3_600_000 - 1);
    equal(await who(basic('AWS', password)), root);
    rig.clock.advance(1000);
    equal(await who(basic('AWS', password)), 'unauthorized');
  });

  test('a registry token lasts for fifteen minutes, an anonymous one for five', async () => {
    const caller = await callerOf(right);
    const nobody = await callerOf(basic('', ''));
    for (const [from, seconds] of [
      [caller, 900],
      [nobody, 300],
    ] as const) {
      const issued = await rig.tokenService.issueToken({ caller: from, scopes: [], service: 's' });
      equal(issued.expires_in, seconds);
      equal(issued.token, issued.access_token);
      equal(issued.issued_at, new Date(rig.clock.now()).toISOString());
      rig.clock.advance(seconds * 1000 - 1);
      equal(await who(`Bearer ${issued.token}`), describePrincipal(from.principal));
      rig.clock.advance(1000);
      equal(await who(`Bearer ${issued.token}`), 'unauthorized');
    }
  });

  test('a registry token that a registry token was asked with lasts no longer', async () => {
    const first = await rig.tokenService.issueToken({
      caller: await callerOf(right),
      scopes: [],
      service: 's',
    });
    rig.clock.advance(600_000);
    const caller = await callerOf(`Bearer ${first.token}`);
    const second = await rig.tokenService.issueToken({ caller, scopes: [], service: 's' });
    equal(second.expires_in, 300);
  });
});

suite('what a credential is limited to', () => {
  test('goes on to what is made with it', async () => {
    const token = await rig.identities.createToken(
      {
        account: homeAccount,
        name: 'dev',
        tokenName: 'limited',
        scopes: ['repository:team/*:pull,push'],
      },
      rig.author,
    );
    const limits = [{ repository: 'team/*', rights: ['pull', 'push'] }];
    const caller = await callerOf(`Bearer ${token?.secret}`);
    deepEqual(caller.scopes, limits);
    equal(caller.credential, `token/${token?.token.id}`);
    const { password } = await mintEcrPassword(caller, rig);
    deepEqual((await callerOf(basic('AWS', password))).scopes, limits);

    const scopes = parseRequestedScopes(['repository:team/a:pull,delete repository:other:pull']);
    const issued = await rig.tokenService.issueToken({ caller, scopes, service: 's' });
    const bearer = await callerOf(`Bearer ${issued.token}`);
    deepEqual(bearer.scopes, [{ repository: 'team/a', rights: ['pull'] }]);
    deepEqual(bearer.credentialScopes, limits);
    equal(bearer.expiresAt, Math.ceil((rig.clock.now() + 900_000) / 1000) * 1000);
  });

  test('is nothing beyond the request where the credential has no limits', async () => {
    const scopes = parseRequestedScopes(['repository:a/b:pull', 'registry:catalog:*']);
    const caller = await callerOf(right);
    const issued = await rig.tokenService.issueToken({ caller, scopes, service: 's' });
    const bearer = await callerOf(`Bearer ${issued.token}`);
    deepEqual(bearer.scopes, [
      { repository: 'a/b', rights: ['pull'] },
      { repository: '*', rights: ['pull'] },
    ]);
    equal(bearer.credentialScopes, undefined);
  });
});

suite('what is taken away stops at once', () => {
  const owner = { account: homeAccount, name: 'leaves' };
  const made = async (): Promise<
    Record<'key' | 'token' | 'ecr' | 'bearer' | 'ofToken', string>
  > => {
    await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
    const key = await rig.identities.createAccessKey(owner, rig.author);
    const token = await rig.identities.createToken(
      { ...owner, tokenName: 't', scopes: [] },
      rig.author,
    );
    ok(key && token);
    const headers = { key: basic(key.key.id, key.secret), token: `Bearer ${token.secret}` };
    const caller = await callerOf(headers.key);
    const ask = async (who: Caller): Promise<string> =>
      `Bearer ${(await rig.tokenService.issueToken({ caller: who, scopes: [], service: 's' })).token}`;
    const { password } = await mintEcrPassword(caller, rig);
    return {
      ...headers,
      ecr: basic('AWS', password),
      bearer: await ask(caller),
      ofToken: await ask(await callerOf(headers.token)),
    };
  };
  const leaves = arnOf({ kind: 'robot', ...owner });
  const all = ['key', 'token', 'ecr', 'bearer', 'ofToken'] as const;
  const cases: readonly (readonly [
    name: string,
    take: () => Promise<unknown>,
    gone: readonly (typeof all)[number][],
  ])[] = [
    ['a principal', () => rig.identities.deletePrincipal(owner, rig.author), all],
    [
      'a principal that is made anew',
      async () => {
        await rig.identities.deletePrincipal(owner, rig.author);
        rig.clock.advance(1);
        await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
      },
      all,
    ],
    [
      'a key, with what was made with it',
      async () => {
        for (const { id } of await rig.identities.listAccessKeys(owner))
          await rig.identities.deleteAccessKey({ ...owner, id }, rig.author);
      },
      ['key', 'ecr', 'bearer'],
    ],
    [
      'a token, with what was made with it',
      () => rig.identities.deleteToken({ ...owner, tokenName: 't' }, rig.author),
      ['token', 'ofToken'],
    ],
  ];
  for (const [name, take, gone] of cases) {
    test(name, async () => {
      const headers = await made();
      for (const one of all) equal(await who(headers[one]), leaves, one);
      await take();
      for (const one of all)
        equal(await who(headers[one]), gone.includes(one) ? 'unauthorized' : leaves, one);
      await rig.identities.deletePrincipal(owner, rig.author);
    });
  }

  test('a change while a credential is looked at leaves nothing behind', async () => {
    const headers = await made();
    let goOn = (): void => {};
    const found = new Promise<void>((resolve) => {
      rig.pause = async () => {
        resolve();
        await new Promise<void>((release) => {
          goOn = release;
        });
      };
    });
    rig.invalidations.note({ kind: 'credentials' });
    const running = rig.identifier.identify(headers.key, rig.from(), { mirror: false });
    await found;
    rig.pause = undefined;
    await rig.identities.deletePrincipal(owner, rig.author);
    goOn();
    await Promise.allSettled([running]);
    equal(await who(headers.key), 'unauthorized');
  });

  test('what was made without a key or token of here ends with its principal', async () => {
    await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
    const caller: Caller = {
      principal: { kind: 'robot', ...owner },
      via: 'oidc',
      scopes: undefined,
      madeAt: rig.clock.now(),
    };
    const { token } = await rig.tokenService.issueToken({ caller, scopes: [], service: 's' });
    equal(await who(`Bearer ${token}`), leaves);
    rig.clock.advance(1);
    await rig.identities.deletePrincipal(owner, rig.author);
    await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
    equal(await who(`Bearer ${token}`), 'unauthorized');
    await rig.identities.deletePrincipal(owner, rig.author);
  });

  test('of a key that ends: it, and all that was made with it', async () => {
    await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
    const made = await rig.identities.createAccessKey(
      { ...owner, lifetimeMs: 120_000 },
      rig.author,
    );
    const key = basic(made?.key.id ?? '', made?.secret ?? '');
    const caller = await callerOf(key);
    equal(caller.expiresAt, rig.clock.now() + 120_000);
    const { token } = await rig.tokenService.issueToken({ caller, scopes: [], service: 's' });
    const { password } = await mintEcrPassword(caller, rig);
    const all = [key, `Bearer ${token}`, basic('AWS', password)];
    rig.clock.advance(119_999);
    for (const each of all) equal(await who(each), leaves);
    rig.clock.advance(1);
    for (const each of all) equal(await who(each), 'unauthorized');
    await rig.identities.deletePrincipal(owner, rig.author);
  });

  test('by another process within a minute', async () => {
    const headers = await made();
    equal(await who(headers.token), leaves);
    await rig.metadata.identities.deleteToken({
      account: owner.account,
      principal: owner.name,
      name: 't',
    });
    equal(await who(headers.token), leaves);
    rig.clock.advance(60_000);
    equal(await who(headers.token), 'unauthorized');
    await rig.identities.deletePrincipal(owner, rig.author);
  });
});

suite('failed logins', () => {
  const wrong = (n: number): string => basic('AKIAEXAMPLE', `wrong ${n}`);
  const address = '198.51.100.7';

  test('are slowed down from the tenth on, for a minute at most', async () => {
    for (let n = 0; n < 10; n += 1) equal(await who(wrong(n), { address }), 'unauthorized');
    equal(await who(wrong(10), { address }), 'tooManyRequests');
    for (const seconds of [1, 2, 4, 8, 16, 32, 60]) {
      rig.clock.advance(seconds * 1000 - 1);
      equal(await who(wrong(seconds + 100), { address }), 'tooManyRequests');
      rig.clock.advance(1);
      equal(await who(wrong(seconds + 100), { address }), 'unauthorized');
    }
  });

  test('say when to come back', async () => {
    const from = rig.from('198.51.100.8');
    for (let n = 0; n < 10; n += 1)
      await rejects(async () =>
        rig.identifier.identify(basic('nobody', `${n}`), from, { mirror: false }),
      );
    await rejects(
      async () => rig.identifier.identify(basic('nobody', 'x'), from, { mirror: false }),
      (error) => {
        ok(error instanceof RegistryError);
        equal(error.code, 'tooManyRequests');
        equal(error.retryAfterMs, 1000);
        return true;
      },
    );
  });

  test('do not lock out the right credential of another source', async () => {
    for (let n = 0; n < 50; n += 1) await who(wrong(n), { address: `203.0.113.${n % 5}` });
    rig.invalidations.note({ kind: 'credentials' });
    equal(await who(right, { address: '203.0.113.99' }), root);
  });

  test('are told to the audit, without the secret', async () => {
    rig.audited.length = 0;
    await who(basic('some\none', 'hunter2'), { address: '198.51.100.10' });
    deepEqual(rig.audited, [
      {
        kind: 'login',
        principal: 'some?one',
        action: 'login',
        resource: '',
        registry: `${homeAccount}/us-east-1`,
        outcome: 'failed',
        address: '198.51.100.10',
        requestId: 'r-1',
        detail: { why: 'unknown key' },
      },
    ]);
  });

  test('with a secret in the place of the user name do not tell it', async () => {
    rig.audited.length = 0;
    const secret = `bw_${'abcdefghijkl'}_${'S'.repeat(40)}`;
    await who(basic(secret, 'x'));
    await who(`Bearer ${secret}`);
    match(rig.audited[1]?.principal ?? '', /^token\/abcdefghijkl$/);
    ok(!JSON.stringify(rig.audited).includes('S'.repeat(10)));
  });

  test('an expired registry token is no failed login', async () => {
    const issued = await rig.tokenService.issueToken({
      caller: await callerOf(right),
      scopes: [],
      service: 's',
    });
    rig.clock.advance(901_000);
    rig.audited.length = 0;
    for (let n = 0; n < 20; n += 1)
      equal(await who(`Bearer ${issued.token}`, { address: '198.51.100.11' }), 'unauthorized');
    equal(rig.audited.length, 0);
  });
});

test('when keys and tokens were used is written within ten seconds', async () => {
  const owner = { account: homeAccount, name: 'uses' };
  await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
  const key = await rig.identities.createAccessKey(owner, rig.author);
  const token = await rig.identities.createToken(
    { ...owner, tokenName: 't', scopes: [] },
    rig.author,
  );
  const at = rig.clock.now();
  await who(basic(key?.key.id ?? '', key?.secret ?? ''));
  await who(`Bearer ${token?.secret}`);
  rig.clock.advance(10_000);
  for (;;) {
    const [usedKey] = await rig.identities.listAccessKeys(owner);
    const [usedToken] = await rig.identities.listTokens(owner);
    if (usedKey?.lastUsedAt === at && usedToken?.lastUsedAt === at) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
});
