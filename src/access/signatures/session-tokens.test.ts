// What temporary keys are believed by, and what ends them.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, beforeEach, suite, test } from 'node:test';
import type { IdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { homeAccount, openIdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { sha256Of, signedByAws } from '../../../tests/support/samples/signed-requests.ts';
import { describePrincipal, roleKey, sessionArn } from '../../domain/policy/principal.ts';
import type { RoleRow } from '../../metadata/contract/roles.ts';
import type { Caller, SignedIdentity } from '../access.ts';
import { createMarkOwnKey } from '../identify/own-keys.ts';
import { mintEcrPassword } from '../identify/registry-tokens.ts';
import { makeTemporaryKey } from '../secrets/temporary-key.ts';
import type { SessionContent, TemporaryKey } from '../secrets/temporary-key.ts';
import { basic } from '../../../tests/support/rigs/identity-rig.ts';
import { SignatureRefused } from './signature-refused.ts';

let rig: IdentityRig;
before(async () => {
  rig = await openIdentityRig();
});
after(() => rig[Symbol.asyncDispose]());
beforeEach(() => void (rig.audited.length = 0));

let made = 0;

async function newRole(): Promise<RoleRow> {
  made += 1;
  const row: RoleRow = {
    account: homeAccount,
    name: `role${made}`,
    path: '/',
    trustPolicy: '',
    description: '',
    sessionSecondsMax: 3600,
    createdAt: rig.clock.now(),
    lastUsedAt: undefined,
  };
  equal(await rig.metadata.roles.createRole(row), 'created');
  return row;
}

function keyOf(role: RoleRow, more: Partial<SessionContent> = {}): TemporaryKey {
  const { account, name, path, createdAt: madeAt } = role;
  const subject = sessionArn({ kind: 'role', account, name, path }, 'build');
  const expiresAt = rig.clock.now() + 3_600_000;
  return makeTemporaryKey(rig.keys, { subject, madeAt, expiresAt, ...more });
}

/** Who signs with it, or why nobody does. */
async function outcome(pair: Parameters<typeof signedByAws>[1]['pair']): Promise<string> {
  made += 1;
  const headers = { 'x-amz-target': 'T.Op', 'amz-sdk-invocation-id': `${made}` };
  const request = await signedByAws({ headers, body: '{}' }, { pair, at: rig.clock.now() });
  const from = rig.from(`198.51.${made >> 8}.${made & 255}`);
  try {
    const claim = await rig.signatures.begin(request, from);
    return describePrincipal((await claim.verify(sha256Of(request))).caller.principal);
  } catch (error) {
    if (error instanceof SignatureRefused) return error.problem;
    throw error;
  }
}

async function identityOf(pair: TemporaryKey): Promise<SignedIdentity> {
  made += 1;
  const headers = { 'x-amz-target': 'T.Op', 'amz-sdk-invocation-id': `${made}` };
  const request = await signedByAws({ headers, body: '{}' }, { pair, at: rig.clock.now() });
  const claim = await rig.signatures.begin(request, rig.from());
  return await claim.verify(sha256Of(request));
}

const end = (role: RoleRow): string =>
  `arn:aws:sts::${homeAccount}:assumed-role/${role.name}/build`;

suite('temporary keys of a role', () => {
  test('speak for their session, with what it was begun with', async () => {
    const role = await newRole();
    const session = { policy: '{}', tags: [{ key: 'a', value: 'b' }] };
    const key = keyOf(role, { session });
    const { caller, accessKeyId } = await identityOf(key);
    equal(accessKeyId, key.accessKeyId);
    deepEqual(caller, {
      principal: {
        kind: 'role',
        account: homeAccount,
        name: role.name,
        path: '/',
        session: 'build',
      },
      madeAt: role.createdAt,
      tags: session.tags,
      via: 'session',
      scopes: undefined,
      credential: `session/${key.accessKeyId}`,
      session,
      expiresAt: key.expiresAt,
    });
  });

  test('are known by both, the key and its own token', async () => {
    const role = await newRole();
    const [one, other] = [keyOf(role), keyOf(role)];
    equal(await outcome(one), end(role));
    equal(await outcome({ ...one, sessionToken: other.sessionToken }), 'unknownKey');
    const { sessionToken: _token, ...alone } = one;
    equal(await outcome(alone), 'unknownKey');
    equal(await outcome({ ...one, secretAccessKey: other.secretAccessKey }), 'wrong');
    equal(await outcome({ ...rig.administrator, sessionToken: one.sessionToken }), 'unknownKey');
  });

  test('with a token that was changed anywhere are not known', async () => {
    const key = keyOf(await newRole());
    const { sessionToken } = key;
    for (const at of [0, 5, 20, Math.floor(sessionToken.length / 2), sessionToken.length - 1]) {
      const other = sessionToken[at] === 'A' ? 'B' : 'A';
      const changed = sessionToken.slice(0, at) + other + sessionToken.slice(at + 1);
      equal(await outcome({ ...key, sessionToken: changed }), 'unknownKey', String(at));
    }
    equal(await outcome({ ...key, sessionToken: 'x'.repeat(9000) }), 'unknownKey');
  });

  test('end at once with their role, and are not those of another one of its name', async () => {
    const role = await newRole();
    const key = keyOf(role);
    equal(await outcome(key), end(role));
    const { account, name } = roleKey(role);
    await rig.metadata.identities.deletePrincipal({ account, name });
    rig.invalidations.note({ kind: 'credentials' });
    equal(await outcome(key), 'unknownKey');
    await rig.metadata.roles.createRole({ ...role, createdAt: role.createdAt + 1 });
    equal(await outcome(key), 'unknownKey');
  });

  test('end at their end, also while they are remembered, with the code that SDKs renew by', async () => {
    const role = await newRole();
    const key = keyOf(role, { expiresAt: rig.clock.now() + 30_000 });
    equal(await outcome(key), end(role));
    rig.clock.advance(29_999);
    equal(await outcome(key), end(role));
    rig.clock.advance(1);
    equal(await outcome(key), 'expiredKey');
    equal(await outcome(keyOf(role, { expiresAt: rig.clock.now() })), 'expiredKey');
  });

  test('leave when their role was last used', async () => {
    const role = await newRole();
    await outcome(keyOf(role));
    const at = rig.clock.now();
    rig.clock.advance(10_000);
    await until(async () => (await rig.metadata.roles.findRole(role))?.lastUsedAt === at);
  });
});

suite('an ECR password of temporary keys', () => {
  const passwordOf = (caller: Caller) =>
    mintEcrPassword(caller, { tokens: rig.tokens, clock: rig.clock });

  test('speaks for the session with its limits, and ends with the keys', async () => {
    const role = await newRole();
    const session = { policy: '{}', tags: [{ key: 'a', value: 'b' }] };
    const key = keyOf(role, { session, expiresAt: rig.clock.now() + 1_800_000 });
    const { password, expiresAt } = await passwordOf((await identityOf(key)).caller);
    equal(expiresAt, key.expiresAt);
    const login = () =>
      rig.identifier.identify(basic('AWS', password), rig.from(), { mirror: false });
    const caller = await login();
    equal(describePrincipal(caller.principal), end(role));
    deepEqual(
      [caller.via, caller.session, caller.tags, caller.madeAt],
      ['ecr', session, session.tags, role.createdAt],
    );
    const bearer = await rig.tokenService.issueToken({ caller, scopes: [], service: 'x' });
    const again = await rig.identifier.identify(`Bearer ${bearer.token}`, rig.from(), {
      mirror: false,
    });
    deepEqual([again.session, again.tags], [session, session.tags]);
    rig.clock.advance(1_800_000);
    await rejected(login);
  });

  test('ends with the role', async () => {
    const role = await newRole();
    const { password } = await passwordOf((await identityOf(keyOf(role))).caller);
    const login = () =>
      rig.identifier.identify(basic('AWS', password), rig.from(), { mirror: false });
    ok(await login());
    const { account, name } = roleKey(role);
    await rig.metadata.identities.deletePrincipal({ account, name });
    rig.invalidations.note({ kind: 'credentials' });
    await rejected(login);
  });
});

async function rejected(login: () => unknown): Promise<void> {
  try {
    await login();
  } catch {
    return;
  }
  throw new Error('it was let in');
}

suite('temporary keys of an access key', () => {
  const mark = (id: string) =>
    createMarkOwnKey({
      metadata: rig.metadata,
      keys: rig.keys,
      homeAccount,
      administrator: () => rig.administrator,
      clock: rig.clock,
    })(`key/${id}`);

  async function ofRobot(): Promise<{
    readonly key: TemporaryKey;
    readonly id: string;
    readonly name: string;
  }> {
    made += 1;
    const owner = { account: homeAccount, name: `bot${made}` };
    const row = await rig.identities.createPrincipal({ ...owner, kind: 'robot' }, rig.author);
    const pair = await rig.identities.createAccessKey(owner, rig.author);
    ok(pair && row);
    const key = makeTemporaryKey(rig.keys, {
      subject: `arn:aws:iam::${homeAccount}:user/${owner.name}`,
      madeAt: row.createdAt,
      expiresAt: rig.clock.now() + 3_600_000,
      key: await mark(pair.key.id),
    });
    return { key, id: pair.key.id, name: owner.name };
  }

  test('speak for its owner', async () => {
    const { key, id, name } = await ofRobot();
    const { caller } = await identityOf(key);
    equal(describePrincipal(caller.principal), `arn:aws:iam::${homeAccount}:user/${name}`);
    deepEqual(
      [caller.via, caller.credential, caller.expiresAt],
      ['session', `key/${id}`, key.expiresAt],
    );
  });

  for (const [what, change] of [
    ['is deleted', 'delete'],
    ['is made inactive', 'inactive'],
    ['loses its owner', 'owner'],
  ] as const)
    test(`end at once when it ${what}`, async () => {
      const { key, id, name } = await ofRobot();
      equal(await outcome(key), `arn:aws:iam::${homeAccount}:user/${name}`);
      const owner = { account: homeAccount, name };
      if (change === 'delete') await rig.identities.deleteAccessKey({ ...owner, id }, rig.author);
      else if (change === 'inactive')
        await rig.identities.setAccessKeyActive({ ...owner, id, active: false }, rig.author);
      else await rig.identities.deletePrincipal(owner, rig.author);
      equal(await outcome(key), 'unknownKey');
    });

  test("end with the administrator's pair", async () => {
    const key = makeTemporaryKey(rig.keys, {
      subject: `arn:aws:iam::${homeAccount}:root`,
      expiresAt: rig.clock.now() + 3_600_000,
      key: await mark(rig.administrator.accessKeyId),
    });
    equal(await outcome(key), `arn:aws:iam::${homeAccount}:root`);
    const root = { account: homeAccount, name: undefined, revoke: false };
    await rig.identities.rotateAccessKey(root, rig.author);
    equal(await outcome(key), 'unknownKey');
  });

  test('are of the secret that it had, not of another one under its id', async () => {
    const { id, name } = await ofRobot();
    const key = makeTemporaryKey(rig.keys, {
      subject: `arn:aws:iam::${homeAccount}:user/${name}`,
      expiresAt: rig.clock.now() + 3_600_000,
      key: { id, mark: 'of another secret' },
    });
    equal(await outcome(key), 'unknownKey');
  });
});
