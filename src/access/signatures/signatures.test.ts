// Whom a signature speaks for, how long, and what becomes of those that are wrong.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, beforeEach, suite, test } from 'node:test';
import type { IdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { basic, homeAccount, openIdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { sha256Of, signedByAws } from '../../../tests/support/samples/signed-requests.ts';
import type { SentRequest, Signing } from '../../../tests/support/samples/signed-requests.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import { arnOf, describePrincipal } from '../../domain/policy/principal.ts';
import type { PrincipalKey } from '../../domain/policy/principal.ts';
import type { SignedClaim } from '../access.ts';
import type { KeyPair } from '../secrets/credentials.ts';
import { SignatureRefused } from './signature-refused.ts';

let rig: IdentityRig;
before(async () => {
  rig = await openIdentityRig();
});
after(() => rig[Symbol.asyncDispose]());
beforeEach(() => void (rig.audited.length = 0));

let made = 0;

async function robot(): Promise<PrincipalKey> {
  made += 1;
  const owner = { account: homeAccount, name: `robot${made}` };
  await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
  return owner;
}

async function keyOf(owner: PrincipalKey, lifetimeMs?: number): Promise<KeyPair> {
  const key = await rig.identities.createAccessKey({ ...owner, lifetimeMs }, rig.author);
  ok(key);
  return { accessKeyId: key.key.id, secretAccessKey: key.secret };
}

/** An address that nobody came from. */
function newAddress(): string {
  made += 1;
  return `198.51.${made >> 8}.${made & 255}`;
}

/** No two are alike. */
async function sign(pair: Signing['pair'], body = '{}'): Promise<SentRequest> {
  made += 1;
  const headers = { 'x-amz-target': 'T.Op', 'amz-sdk-invocation-id': `${made}` };
  return await signedByAws({ headers, body }, { pair, at: rig.clock.now() });
}

async function begin(request: SentRequest, address: string): Promise<SignedClaim> {
  return await rig.signatures.begin(request, rig.from(address));
}

/** Whom it speaks for, or why not. */
async function outcome(request: SentRequest, address: string = newAddress()): Promise<string> {
  try {
    const claim = await begin(request, address);
    const { caller } = await claim.verify(sha256Of(request));
    return describePrincipal(caller.principal);
  } catch (error) {
    return problemOf(error);
  }
}

async function who(pair: Signing['pair'], address?: string): Promise<string> {
  return await outcome(await sign(pair), address);
}

function problemOf(error: unknown): string {
  if (!(error instanceof SignatureRefused)) throw error;
  return error.problem;
}

function withWrongSecret({ accessKeyId }: KeyPair): KeyPair {
  made += 1;
  return { accessKeyId, secretAccessKey: `guess ${made}` };
}

/** What clients are told of a refusal, and when. */
async function refusalOf(request: SentRequest, address: string): Promise<unknown> {
  try {
    const claim = await begin(request, address);
    await claim.verify(sha256Of(request));
    return 'right';
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return [problemOf(error), error.code, error.message, error.retryAfterMs];
  }
}

const root = `arn:aws:iam::${homeAccount}:root`;

suite('a signature speaks for', () => {
  test('the administrator, by the pair of the credentials file', async () => {
    equal(await who(rig.administrator), root);
  });

  test('the robot whose key it is made with, as the key itself does', async () => {
    const owner = await robot();
    const pair = await keyOf(owner);
    const request = await sign(pair);
    const claim = await begin(request, newAddress());
    deepEqual(
      [claim.accessKeyId, claim.region, claim.service, claim.presigned],
      [pair.accessKeyId, 'eu-west-1', 'ecr', false],
    );
    const identity = await claim.verify(sha256Of(request));
    const asPair = await rig.identifier.identify(
      basic(pair.accessKeyId, pair.secretAccessKey),
      rig.from(),
      { mirror: false },
    );
    deepEqual(identity, {
      caller: asPair,
      account: homeAccount,
      accessKeyId: pair.accessKeyId,
      region: 'eu-west-1',
      service: 'ecr',
    });
    equal(identity.caller.credential, `key/${pair.accessKeyId}`);
  });

  test('one caller, the same object for each of its requests', async () => {
    const pair = await keyOf(await robot());
    const callers = [];
    for (let n = 0; n < 2; n += 1) {
      const request = await sign(pair);
      callers.push((await (await begin(request, newAddress())).verify(sha256Of(request))).caller);
    }
    equal(callers[0], callers[1]);
  });

  test('another account’s administrator', async () => {
    const account = '111122223333';
    const { key } = await rig.identities.createAccount({ id: account, name: 'a' }, rig.author);
    const request = await sign({ accessKeyId: key.key.id, secretAccessKey: key.secret });
    const identity = await (await begin(request, newAddress())).verify(sha256Of(request));
    equal(identity.account, account);
    equal(arnOf(identity.caller.principal), `arn:aws:iam::${account}:root`);
  });

  test('a key that is in memory without anything to wait for', async () => {
    const pair = await keyOf(await robot());
    const address = newAddress();
    await who(pair, address);
    ok(!(rig.signatures.begin(await sign(pair), rig.from(address)) instanceof Promise));
  });

  test('a key that stays in memory when rules, secrets, policies or repositories change', async () => {
    const pair = await keyOf(await robot());
    const address = newAddress();
    await who(pair, address);
    const registry = '000000000000/us-east-1';
    const repository = parseRepositoryName('a');
    ok(repository);
    rig.invalidations.note({ kind: 'rules', registry, prefix: 'a' });
    rig.invalidations.note({ kind: 'secrets', registry });
    rig.invalidations.note({ kind: 'policies' });
    rig.invalidations.note({ kind: 'repository', registry, repository });
    ok(!(rig.signatures.begin(await sign(pair), rig.from(address)) instanceof Promise));
  });
});

suite('a signature speaks for nobody', () => {
  test('with a secret that is not the key’s', async () => {
    equal(await who(withWrongSecret(await keyOf(await robot()))), 'wrong');
    equal(await who(withWrongSecret(rig.administrator)), 'wrong');
  });

  test('by a key that is not here', async () => {
    equal(await who({ accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' }), 'unknownKey');
    equal(await who({ accessKeyId: 'no-key:*', secretAccessKey: 'x' }), 'unknownKey');
  });

  test('by a session token that nobody made, whosever key stands beside it', async () => {
    const pair = await keyOf(await robot());
    equal(await who(pair), await who(pair), 'the key is known');
    equal(await who({ ...pair, sessionToken: 'FwoGZXIvYXdz' }), 'unknownKey');
    equal(
      await who({ accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'x', sessionToken: 't' }),
      'unknownKey',
    );
  });

  test('by a key that is inactive', async () => {
    const owner = await robot();
    const id = 'AKIAINACTIVE';
    await rig.metadata.identities.createAccessKey({
      ...owner,
      id,
      sealedSecret: rig.keys.seal('its secret', id),
      active: false,
      createdAt: rig.clock.now(),
      expiresAt: undefined,
      lastUsedAt: undefined,
    });
    equal(await who({ accessKeyId: id, secretAccessKey: 'its secret' }), 'unknownKey');
  });

  test('by a key that has ended, also where it was right a moment before', async () => {
    const pair = await keyOf(await robot(), 60_000);
    ok((await who(pair)).includes('robot'));
    rig.clock.advance(59_999);
    ok((await who(pair)).includes('robot'));
    rig.clock.advance(1);
    equal(await who(pair), 'expiredKey');
    rig.clock.advance(3_600_000);
    equal(await who(pair), 'expiredKey');
  });

  test('by a key that was deleted, from the next request on', async () => {
    const owner = await robot();
    const pair = await keyOf(owner);
    await who(pair);
    await rig.identities.deleteAccessKey({ ...owner, id: pair.accessKeyId }, rig.author);
    equal(await who(pair), 'unknownKey');
  });

  test('by a key that was deleted while the body came', async () => {
    const owner = await robot();
    const pair = await keyOf(owner);
    const request = await sign(pair);
    const claim = await begin(request, newAddress());
    await rig.identities.deleteAccessKey({ ...owner, id: pair.accessKeyId }, rig.author);
    equal(await claim.verify(sha256Of(request)).catch(problemOf), 'unknownKey');
  });

  test('by a key that was deleted while it was read', async () => {
    const owner = await robot();
    const pair = await keyOf(owner);
    const request = await sign(pair);
    const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    rig.pause = () => {
      reached.resolve();
      return go.promise;
    };
    const address = newAddress();
    const answer = begin(request, address);
    await reached.promise;
    rig.pause = undefined;
    await rig.identities.deleteAccessKey({ ...owner, id: pair.accessKeyId }, rig.author);
    go.resolve();
    await answer;
    equal(await who(pair, address), 'unknownKey');
  });

  test('by the administrator’s old secret, once the pair is another', async () => {
    const old = rig.administrator;
    equal(await who(old), root);
    await rig.identities.rotateAccessKey(
      { account: homeAccount, name: undefined, revoke: true },
      rig.author,
    );
    equal(await who(old), 'unknownKey');
    equal(await who(rig.administrator), root);
  });

  test('with another body than its own', async () => {
    const pair = await keyOf(await robot());
    const request = await sign(pair);
    const claim = await begin(request, newAddress());
    equal(await claim.verify(hash('sha256', '{} ', 'buffer')).catch(problemOf), 'wrong');
  });
});

test('When a key was used is written, as for any login.', async () => {
  const owner = await robot();
  const pair = await keyOf(owner);
  const at = rig.clock.now();
  await who(withWrongSecret(pair));
  rig.clock.advance(10_000);
  equal((await rig.identities.listAccessKeys(owner))[0]?.lastUsedAt, undefined);
  const used = rig.clock.now();
  ok(used > at);
  await who(pair);
  await until(async () => {
    rig.clock.advance(10_000);
    const [key] = await rig.identities.listAccessKeys(owner);
    return key?.lastUsedAt === used;
  });
});

suite('in the audit', () => {
  const rows: readonly (readonly [
    string,
    () => Promise<SentRequest>,
    string | undefined,
    string,
  ])[] = [
    [
      'a wrong signature',
      () => sign({ ...rig.administrator, secretAccessKey: 'x' }),
      undefined,
      'wrong signature',
    ],
    [
      'an unknown key',
      () => sign({ accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' }),
      'AKIANOBODY',
      'unknown key',
    ],
    [
      'an unknown session token',
      () => sign({ ...rig.administrator, sessionToken: 'secret' }),
      undefined,
      'unknown session token',
    ],
    [
      'a clock that is wrong',
      () => signedByAws({}, { pair: rig.administrator, at: rig.clock.now() + 3_600_000 }),
      undefined,
      'Signature not yet current',
    ],
    [
      'what can’t be read',
      async () => ({
        ...(await sign(rig.administrator)),
        rawHeaders: ['Authorization', 'Basic c2VjcmV0'],
      }),
      '',
      "Unsupported AWS 'algorithm'",
    ],
  ];
  for (const [name, request, principal, why] of rows) {
    test(`${name} is a failed login, without any secret`, async () => {
      const sent = await request();
      const id = rig.administrator.accessKeyId;
      await outcome(sent, '198.51.100.200');
      equal(rig.audited.length, 1);
      const [entry] = rig.audited;
      deepEqual(
        [entry?.kind, entry?.outcome, entry?.principal, entry?.address],
        ['login', 'failed', principal ?? id, '198.51.100.200'],
      );
      ok(String(entry?.detail['why']).startsWith(why), String(entry?.detail['why']));
      ok(!JSON.stringify(entry).includes('ecret'));
    });
  }

  test('a request that is not signed is no failed login', async () => {
    const sent = { ...(await sign(rig.administrator)), rawHeaders: ['Host', 'localhost'] };
    equal(await outcome(sent), 'missing');
    deepEqual(rig.audited, []);
  });

  test('a right signature is none', async () => {
    await who(rig.administrator);
    deepEqual(rig.audited, []);
  });
});

/** By user name and password. */
async function login({ accessKeyId, secretAccessKey }: KeyPair, address: string): Promise<string> {
  try {
    const header = basic(accessKeyId, secretAccessKey);
    return (await rig.identifier.identify(header, rig.from(address), { mirror: false })).via;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return error.code;
  }
}

suite('who guesses', () => {
  /** Has failed ten times. */
  async function throttledAddress(pair: KeyPair): Promise<string> {
    const address = newAddress();
    for (let n = 0; n < 10; n += 1) equal(await who(withWrongSecret(pair), address), 'wrong');
    return address;
  }

  test('waits after ten wrong signatures, and is told the same whether the next is right or wrong', async () => {
    const pair = await keyOf(await robot());
    const address = await throttledAddress(pair);
    const other = await keyOf(await robot());
    const told = [
      'throttled',
      'tooManyRequests',
      'too many failed logins; wait before the next',
      1000,
    ];
    for (const next of [withWrongSecret(pair), pair, other, withWrongSecret(other)])
      deepEqual(await refusalOf(await sign(next), address), told);
    deepEqual(
      await refusalOf(await sign({ accessKeyId: 'AKIANONE', secretAccessKey: 'x' }), address),
      told,
    );
    rig.clock.advance(1000);
    ok((await who(pair, address)).includes('robot'));
  });

  test('waits before the body is read', async () => {
    const pair = await keyOf(await robot());
    const address = await throttledAddress(pair);
    equal(await begin(await sign(pair), address).catch(problemOf), 'throttled');
  });

  test('keeps nobody out who was right from there before, and learns nothing of their key', async () => {
    const pair = await keyOf(await robot());
    const address = newAddress();
    await who(pair, address);
    for (let n = 0; n < 10; n += 1) await who(withWrongSecret(pair), address);
    ok((await who(pair, address)).includes('robot'));
    equal(await who(withWrongSecret(pair), address), 'throttled');
    rig.clock.advance(61_000);
    await who(withWrongSecret(pair), address);
    ok((await who(pair, address)).includes('robot'), 'also where its key has to be read again');
  });

  test('waits after ten that are sent at once', async () => {
    const pair = await keyOf(await robot());
    const address = newAddress();
    const requests = await Promise.all(
      Array.from({ length: 20 }, () => sign(withWrongSecret(pair))),
    );
    requests.push(await sign(pair));
    const outcomes = await Promise.all(requests.map((request) => outcome(request, address)));
    deepEqual(Object.groupBy(outcomes, (each) => each)['wrong']?.length, 10);
    equal(outcomes.at(-1), 'throttled');
  });

  test('by signatures waits for passwords too, and the other way round', async () => {
    const pair = await keyOf(await robot());
    const address = await throttledAddress(pair);
    equal(await login(pair, address), 'tooManyRequests');
    const second = newAddress();
    const other = await keyOf(await robot());
    for (let n = 0; n < 10; n += 1)
      equal(await login(withWrongSecret(other), second), 'unauthorized');
    equal(await who(other, second), 'throttled');
  });

  test('is not who sends the same wrong request again and again', async () => {
    const pair = await keyOf(await robot());
    const address = newAddress();
    const request = await sign(withWrongSecret(pair));
    for (let n = 0; n < 30; n += 1) equal(await outcome(request, address), 'wrong');
    ok((await who(pair, address)).includes('robot'));
  });

  test('is not who shows a key that has gone', async () => {
    const owner = await robot();
    const pair = await keyOf(owner, 60_000);
    await who(pair);
    rig.clock.advance(60_000);
    const address = newAddress();
    for (let n = 0; n < 30; n += 1) equal(await who(pair, address), 'expiredKey');
    await rig.identities.deleteAccessKey({ ...owner, id: pair.accessKeyId }, rig.author);
    for (let n = 0; n < 30; n += 1) equal(await who(pair, address), 'unknownKey');
    equal(await who(rig.administrator, address), root);
  });

  test('is not whose clock is wrong, nor who sends what can’t be read', async () => {
    const address = newAddress();
    const at = rig.clock.now() - 3_600_000;
    for (let n = 0; n < 30; n += 1) {
      equal(await outcome(await signedByAws({}, { pair: rig.administrator, at }), address), 'late');
      const rawHeaders = ['Authorization', `AWS4-HMAC-SHA256 ${n}=1`];
      equal(
        await outcome({ ...(await sign(rig.administrator)), rawHeaders }, address),
        'incomplete',
      );
    }
    equal(await who(rig.administrator, address), root);
  });
});
