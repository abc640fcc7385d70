import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { IdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { basic, homeAccount, openIdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import { mintEcrPassword } from './registry-tokens.ts';
import type { PrincipalKey } from '../../domain/policy/principal.ts';
import { createLoginHistory } from './login-history.ts';

let rig: IdentityRig;
before(async () => {
  rig = await openIdentityRig();
});
after(() => rig[Symbol.asyncDispose]());

const right = basic('AKIAEXAMPLE', 's3cret:with:colons');
const root = `arn:aws:iam::${homeAccount}:root`;
let guesses = 0;
let sources = 0;

/** An address that nobody came from. */
function newAddress(): string {
  sources += 1;
  return `198.51.100.${sources}`;
}

async function who(header: string, address: string, mirror = false): Promise<string> {
  try {
    const caller = await rig.identifier.identify(header, rig.from(address), { mirror });
    return describePrincipal(caller.principal);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return error.code;
  }
}

/** All that a client is told of a refusal. */
async function refusalOf(header: string, address: string): Promise<unknown> {
  try {
    await rig.identifier.identify(header, rig.from(address), { mirror: false });
    return undefined;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return [error.code, error.message, error.detail, error.retryAfterMs];
  }
}

/** A pair that was not shown before, each at somebody else where nobody is named. */
function guess(username?: string): string {
  guesses += 1;
  return basic(username ?? `user${guesses}`, `guess ${guesses}`);
}

/** An address where the next guess must wait. */
async function throttledAddress(address: string = newAddress()): Promise<string> {
  for (let n = 0; n < 10; n += 1) {
    if ((await who(guess(), address)) === 'tooManyRequests') return address;
  }
  equal(await who(guess(), address), 'tooManyRequests');
  return address;
}

async function robot(name: string): Promise<PrincipalKey> {
  const owner = { account: homeAccount, name };
  await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
  return owner;
}

async function keyOf(owner: PrincipalKey): Promise<string> {
  const made = await rig.identities.createAccessKey(owner, rig.author);
  ok(made);
  return basic(made.key.id, made.secret);
}

async function tokenOf(owner: PrincipalKey, tokenName: string): Promise<string> {
  const made = await rig.identities.createToken({ ...owner, tokenName, scopes: [] }, rig.author);
  ok(made);
  return made.secret;
}

suite('behind an address that guesses', () => {
  test('a pair and a token that were right from it before go on, in any spelling, also after changes of others', async () => {
    const owner = await robot('neighbour');
    const text = await tokenOf(owner, 't');
    const arn = `arn:aws:iam::${homeAccount}:user/neighbour`;
    const address = newAddress();
    equal(await who(right, address), root);
    equal(await who(`Bearer ${text}`, address), arn);
    await robot('another');
    rig.clock.advance(3_600_000);
    await throttledAddress(address);
    equal(await who(right, address), root);
    equal(await who(right.replace('Basic', 'bAsIc '), address), root);
    equal(await who(basic('whoever', text), address), arn);
    await robot('third');
    equal(await who(right, address), root);
    equal(await who(guess(), address), 'tooManyRequests');
  });

  test('what was never right from it, or more than a day ago, waits like a guess', async () => {
    const owner = await robot('newcomer');
    const [known, fresh] = [await keyOf(owner), await keyOf(owner)];
    const address = newAddress();
    ok((await who(known, address)).endsWith('newcomer'));
    await throttledAddress(address);
    equal(await who(fresh, address), 'tooManyRequests');
    ok((await who(known, address)).endsWith('newcomer'));
    rig.clock.advance(86_400_001);
    await throttledAddress(address);
    equal(await who(known, address), 'tooManyRequests');
  });

  test('what others show at this moment is answered as a guess is, to the letter', async () => {
    const owner = await robot('elsewhere');
    const [pair, text] = [await keyOf(owner), await tokenOf(owner, 't')];
    const elsewhere = newAddress();
    const address = await throttledAddress();
    for (const header of [pair, `Bearer ${text}`, basic('x', text), right]) {
      ok((await who(header, elsewhere)).startsWith('arn:'));
      deepEqual(await refusalOf(header, address), await refusalOf(guess(), address));
      ok((await who(header, elsewhere)).startsWith('arn:'), 'and goes on where it is at home');
    }
  });

  test('a pair that is known goes on from an address where it was shown before the guesses began', async () => {
    const pair = await keyOf(await robot('two-places'));
    const [first, second] = [newAddress(), newAddress()];
    for (const address of [first, second]) ok((await who(pair, address)).endsWith('two-places'));
    await throttledAddress(second);
    rig.clock.advance(120_000);
    await throttledAddress(second);
    ok((await who(pair, second)).endsWith('two-places'));
  });

  test('a registry token and an ECR password that were just made are let through, forged ones are not', async () => {
    const owner = await robot('puller');
    const from = rig.from(newAddress());
    const caller = await rig.identifier.identify(await keyOf(owner), from, { mirror: false });
    const address = await throttledAddress();
    const issued = await rig.tokenService.issueToken({ caller, scopes: [], service: 's' });
    ok((await who(`Bearer ${issued.token}`, address)).endsWith('puller'));
    const { password } = await mintEcrPassword(caller, rig);
    ok((await who(basic('AWS', password), address)).endsWith('puller'));
    equal(await who(`Bearer ${issued.token.slice(0, -4)}AAAA`, address), 'tooManyRequests');
    equal(await who(basic('AWS', issued.token), address), 'tooManyRequests');
    equal(await who(basic('AKIAEXAMPLE', password), address), 'tooManyRequests');
  });

  test('no flood of guesses makes forgotten who was right', () => {
    const history = createLoginHistory(rig.clock);
    const mine = { scheme: 'basic', username: 'me', password: 'right' } as const;
    history.right(mine, 'here');
    for (let n = 0; n < 20_000; n += 1) history.refused({ ...mine, password: `${n}` });
    ok(history.wasRight(mine, 'here'));
    ok(!history.wasRight(mine, 'there'));
  });
});

test('a right guess among many that are sent at once is not told from the others', async () => {
  const pair = await keyOf(await robot('guessed'));
  const address = newAddress();
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  rig.pause = async () => {
    reached.resolve();
    await goOn.promise;
  };
  const sent = who(pair, address);
  await reached.promise;
  rig.pause = undefined;
  for (let n = 0; n < 10; n += 1) equal(await who(guess(), address), 'unauthorized');
  goOn.resolve();
  equal(await sent, 'tooManyRequests');
  equal(await who(pair, address), 'tooManyRequests', 'nor is it known by now');
});

test('of sixty guesses that are sent at once those beyond the tenth are answered alike, the right one too', async () => {
  for (const rightAt of [0, 11, 59]) {
    const pair = await keyOf(await robot(`burst-${rightAt}`));
    const address = newAddress();
    const sent = Array.from({ length: 60 }, (_, n) => (n === rightAt ? pair : guess()));
    const answers = await Promise.all(sent.map((header) => refusalOf(header, address)));
    const codes = answers.map((answer) => (Array.isArray(answer) ? String(answer[0]) : 'right'));
    const learnt = codes.filter((code) => code !== 'tooManyRequests').length;
    ok(learnt <= 11, `${learnt} answers say something`);
    const late = answers.filter((_, n) => codes[n] === 'tooManyRequests');
    for (const answer of late) deepEqual(answer, late[0]);
    const next = await refusalOf(guess(), address);
    deepEqual(next, late[0], 'and how long the next has to wait says nothing either');
  }
});

suite('no guess is', () => {
  const cases: readonly (readonly [
    name: string,
    take: (owner: PrincipalKey) => Promise<unknown>,
  ])[] = [
    [
      'a token that was revoked',
      (owner) => rig.identities.deleteToken({ ...owner, tokenName: 't' }, rig.author),
    ],
    [
      'a token whose owner is gone',
      ({ account, name = '' }) => rig.identities.deletePrincipal({ account, name }, rig.author),
    ],
    [
      'a token that another process revoked',
      ({ account, name }) =>
        rig.metadata.identities.deleteToken({ account, principal: name, name: 't' }),
    ],
  ];
  for (const [name, take] of cases) {
    test(`${name}, however often a fleet shows it`, async () => {
      const owner = await robot('fleet');
      const text = await tokenOf(owner, 't');
      equal(await who(`Bearer ${text}`, newAddress()), `arn:aws:iam::${homeAccount}:user/fleet`);
      await take(owner);
      rig.clock.advance(60_000);
      const address = newAddress();
      for (let n = 0; n < 30; n += 1)
        equal(await who(basic(`node${n}`, text), address), 'unauthorized');
      equal(await who(guess(), address), 'unauthorized', 'nobody waits');
      await rig.identities.deletePrincipal({ account: homeAccount, name: 'fleet' }, rig.author);
    });
  }

  test('one of many tokens that ended with their owner, each on a node of its own', async () => {
    const owner = await robot('fleet');
    const texts: string[] = [];
    for (let n = 0; n < 30; n += 1) texts.push(await tokenOf(owner, `t${n}`));
    for (const text of texts) await who(`Bearer ${text}`, newAddress());
    await rig.identities.deletePrincipal({ account: homeAccount, name: 'fleet' }, rig.author);
    const address = newAddress();
    for (const text of texts) equal(await who(`Bearer ${text}`, address), 'unauthorized');
    equal(await who(guess(), address), 'unauthorized', 'nobody waits');
  });

  test('a wrong secret that is shown again and again', async () => {
    const address = newAddress();
    const stale = guess('somebody');
    for (let n = 0; n < 30; n += 1) equal(await who(stale, address), 'unauthorized');
    for (let n = 0; n < 9; n += 1) equal(await who(guess(), address), 'unauthorized');
    equal(await who(guess(), address), 'tooManyRequests', 'it was one');
    equal(await who(stale, address), 'tooManyRequests', 'and waits as one');
  });

  test('a key whose stored secret cannot be opened any more', async () => {
    const owner = await robot('restored');
    const id = 'AKIARESTORED';
    const sealedSecret = `v1.goneaaaa.${'A'.repeat(80)}`;
    const times = { createdAt: rig.clock.now(), expiresAt: undefined, lastUsedAt: undefined };
    await rig.metadata.identities.createAccessKey({
      ...owner,
      ...times,
      id,
      sealedSecret,
      active: true,
    });
    const address = newAddress();
    for (let n = 0; n < 30; n += 1) equal(await who(basic(id, `x${n}`), address), 'unauthorized');
    equal(rig.audited.at(-1)?.detail['why'], 'its stored secret cannot be opened');
    equal(await who(guess(), address), 'unauthorized');
  });

  test('a header that holds nothing', async () => {
    const address = newAddress();
    for (let n = 0; n < 30; n += 1) equal(await who(`Basic !${n}`, address), 'unauthorized');
    equal(await who(guess(), address), 'unauthorized');
  });
});

suite('what a node shows to a mirror', () => {
  test('is neither counted nor told to the audit where it names nothing of here', async () => {
    const address = newAddress();
    const { length } = rig.audited;
    for (let n = 0; n < 30; n += 1) {
      equal(await who(guess('hub-user'), address, true), 'anonymous');
      equal(await who(`Bearer eyJ.${n}`, address, true), 'anonymous');
      equal(await who(basic('AWS', `of AWS itself ${n}`), address, true), 'anonymous');
    }
    equal(rig.audited.length, length);
    equal(await who(guess(), address), 'unauthorized');
  });

  for (const [name, made] of [
    ['the administrator', async () => () => guess('AKIAEXAMPLE')],
    [
      'an access key',
      async () => {
        const pair = await keyOf(await robot('mirrored'));
        const [id] = Buffer.from(pair.slice(6), 'base64').toString().split(':');
        return () => guess(id);
      },
    ],
    [
      'a token',
      async () => {
        const text = await tokenOf(await robot('mirrored2'), 't');
        return () => {
          guesses += 1;
          return basic('x', text.slice(0, -6) + String(guesses).padStart(6, '0'));
        };
      },
    ],
  ] as const) {
    test(`is a login where it guesses at ${name}: anonymous, counted and told`, async () => {
      const next = await made();
      const address = newAddress();
      const { length } = rig.audited;
      for (let n = 0; n < 10; n += 1) equal(await who(next(), address, true), 'anonymous');
      equal(rig.audited.length, length + 10);
      ok(rig.audited.slice(length).every(({ detail }) => detail['why'] === 'wrong secret'));
      equal(await who(next(), address), 'tooManyRequests');
      const unseen = await keyOf(await robot(`unseen-${name.replaceAll(' ', '-')}`));
      equal(await who(unseen, address, true), 'anonymous', 'a right one looks no different');
    });
  }
});
