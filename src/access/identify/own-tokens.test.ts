import { deepEqual, equal, ok } from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { OwnTokenClaims } from './own-tokens.ts';
import { createOwnTokens } from './own-tokens.ts';

const clock = createFakeClock();
const own = {
  id: 'ownkeyaa',
  source: 'file' as const,
  createdAt: 0,
  bytes: new Uint8Array(randomBytes(32)),
};
const older = {
  id: 'oldkeyaa',
  source: 'file' as const,
  createdAt: 0,
  bytes: new Uint8Array(randomBytes(32)),
};
const tokens = createOwnTokens({ signing: () => [own, older], clock });

const claims: OwnTokenClaims = {
  subject: 'arn:aws:iam::000000000000:user/dev',
  credential: 'key/AKIA',
  scopes: [{ repository: 'team/*', rights: ['pull'] }],
  madeAt: 5,
  issuedAt: clock.now(),
  expiresAt: clock.now() + 900_000,
};
const text = await tokens.issue('bearer', claims, 'registry.example');
const [head = '', body = '', signature = ''] = text.split('.');
const header = { alg: 'HS256', typ: 'at+jwt', kid: own.id };

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A token of any header and claims; by our own key unless another is given. */
function forge(
  changes: Readonly<Record<string, unknown>>,
  options: { readonly key?: Uint8Array; readonly body?: Readonly<Record<string, unknown>> } = {},
): string {
  const payload = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), ...options.body };
  const input = `${encode({ ...header, ...changes })}.${encode(payload)}`;
  const mac = createHmac('sha256', options.key ?? own.bytes)
    .update(input)
    .digest('base64url');
  return `${input}.${mac}`;
}

test('what was issued is verified as it was', async () => {
  deepEqual(await tokens.verify('bearer', text), claims);
  deepEqual(JSON.parse(Buffer.from(head, 'base64url').toString()), header);
  const payload = JSON.parse(Buffer.from(body, 'base64url').toString());
  deepEqual(payload.aud, ['urn:breakwater:registry', 'registry.example']);
  deepEqual(payload.access, [{ type: 'repository', name: 'team/*', actions: ['pull'] }]);
});

test('without limits and credential too', async () => {
  const plain = { ...claims, scopes: undefined, credential: undefined };
  deepEqual(await tokens.verify('ecr', await tokens.issue('ecr', plain)), plain);
});

test('a token that an older key signed is verified', async () => {
  const before = createOwnTokens({ signing: () => [older], clock });
  deepEqual(await tokens.verify('bearer', await before.issue('bearer', claims)), claims);
});

test('the forger of these tests makes tokens that are verified', async () => {
  deepEqual(await tokens.verify('bearer', forge({})), claims);
});

const foreign = new Uint8Array(randomBytes(32));
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsaJwk = rsa.publicKey.export({ format: 'jwk' });
const rsaPem = rsa.publicKey.export({ format: 'pem', type: 'spki' }).toString();

function byRsa(changes: Readonly<Record<string, unknown>>): string {
  const input = `${encode({ ...header, alg: 'RS256', ...changes })}.${body}`;
  return `${input}.${sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')}`;
}

const octets = { kty: 'oct', k: Buffer.from(foreign).toString('base64url'), alg: 'HS256' };

suite('T43: a header never brings a key (CVE-2025-24976)', () => {
  const rows: readonly (readonly [name: string, token: string])[] = [
    ['another key under our kid', forge({}, { key: foreign })],
    ['another key under a kid of its own', forge({ kid: 'other' }, { key: foreign })],
    ['another key without a kid', forge({ kid: undefined }, { key: foreign })],
    ['our key without a kid', forge({ kid: undefined })],
    ['our key under the older kid', forge({ kid: older.id })],
    ['another key beside it as jwk', forge({ jwk: octets }, { key: foreign })],
    [
      'another key beside it as jwk, without a kid',
      forge({ jwk: octets, kid: undefined }, { key: foreign }),
    ],
    ['another key by jku', forge({ jku: 'http://127.0.0.1:1/keys' }, { key: foreign })],
    ['a certificate by x5u', forge({ x5u: 'http://127.0.0.1:1/cert' }, { key: foreign })],
    ['RS256 with its public key as jwk', byRsa({ jwk: rsaJwk })],
    ['RS256 with a certificate as x5c', byRsa({ x5c: [rsaPem.replaceAll(/-+[^-]+-+|\n/g, '')] })],
    ['RS256 under our kid', byRsa({})],
    ['a kid that leads out of the folder', forge({ kid: '../signing-ownkeyaa' }, { key: foreign })],
    ['a kid of the prototype', forge({ kid: '__proto__' }, { key: foreign })],
    ['a kid that is no text', forge({ kid: 1 }, { key: foreign })],
    ['an empty key', forge({}, { key: new Uint8Array() })],
    ['the public key as secret', forge({}, { key: new TextEncoder().encode(rsaPem) })],
    ['alg none, signed', forge({ alg: 'none' })],
    ['alg none, without a signature', `${encode({ ...header, alg: 'none' })}.${body}.`],
    ['alg nOnE', `${encode({ ...header, alg: 'nOnE' })}.${body}.`],
    ['no alg', forge({ alg: undefined })],
    [
      'HS512 of our key',
      `${encode({ ...header, alg: 'HS512' })}.${body}.${createHmac('sha512', own.bytes)
        .update(`${encode({ ...header, alg: 'HS512' })}.${body}`)
        .digest('base64url')}`,
    ],
    ['no signature', `${head}.${body}.`],
    ['a critical extension', forge({ crit: ['x'], x: 1 })],
    ['an unencoded payload', forge({ crit: ['b64'], b64: false })],
    ['another typ', forge({ typ: 'JWT' })],
    ['no typ', forge({ typ: undefined })],
    ["ECR's typ", forge({ typ: 'ecr+jwt' })],
    ['another issuer', forge({}, { body: { iss: 'https://issuer.example' } })],
    ['another audience', forge({}, { body: { aud: 'urn:breakwater:ecr' } })],
    ['no audience', forge({}, { body: { aud: undefined } })],
    ['no end', forge({}, { body: { exp: undefined } })],
    ['an end that is no number', forge({}, { body: { exp: 'never' } })],
    ['no subject', forge({}, { body: { sub: undefined } })],
    ['a beginning in the future', forge({}, { body: { nbf: clock.now() / 1000 + 60 } })],
  ];
  for (const [name, token] of rows) {
    test(`${name} is refused`, async () => {
      equal(await tokens.verify('bearer', token), undefined);
    });
  }
});

test('a registry token is no ECR password, and the other way round', async () => {
  equal(await tokens.verify('ecr', text), undefined);
  equal(await tokens.verify('bearer', await tokens.issue('ecr', claims)), undefined);
});

test('the token of a download URL is neither, and none of them is one', async () => {
  const download = await tokens.issue('download', claims);
  deepEqual(await tokens.verify('download', download), claims);
  for (const kind of ['bearer', 'ecr'] as const) {
    equal(await tokens.verify(kind, download), undefined, kind);
    equal(await tokens.verify('download', await tokens.issue(kind, claims)), undefined, kind);
  }
});

test('past its end ours is expired, and a forged one nothing', async () => {
  const past = { ...claims, issuedAt: clock.now() - 10_000, expiresAt: clock.now() - 1000 };
  const ended = await tokens.issue('bearer', past);
  equal(await tokens.verify('bearer', ended), 'expired');
  equal(await tokens.verify('ecr', ended), undefined);
  equal(await tokens.verify('bearer', `${ended.slice(0, -6)}AAAAAA`), undefined);
});

test('the end of a signature has no second spelling', async () => {
  for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
    const other = text.slice(0, -1) + last;
    if (other !== text) equal(await tokens.verify('bearer', other), undefined, last);
  }
  equal(await tokens.verify('bearer', `${text}=`), undefined);
});

suite('what was made with a secret that changed under its id', () => {
  const withSecret = (secret: string): ReturnType<typeof createOwnTokens> =>
    createOwnTokens({
      signing: () => [own],
      clock,
      secretOf: (credential) => (credential === 'key/AKIA' ? secret : undefined),
    });

  for (const kind of ['bearer', 'ecr', 'download'] as const) {
    test(`is expired: ${kind}`, async () => {
      const made = await withSecret('one').issue(kind, claims);
      deepEqual(await withSecret('one').verify(kind, made), claims);
      equal(await withSecret('two').verify(kind, made), 'expired');
      ok(
        !Buffer.from(made.split('.')[1] ?? '', 'base64url')
          .toString()
          .includes('one'),
      );
    });
  }

  test('is expired too where nothing was noted of the secret', async () => {
    equal(await withSecret('one').verify('bearer', text), 'expired');
  });

  test('is nothing to what other credentials made', async () => {
    const others = { ...claims, credential: 'token/abc' };
    const made = await withSecret('one').issue('bearer', others);
    deepEqual(await withSecret('two').verify('bearer', made), others);
  });

  test('goes on with an older signing key', async () => {
    const secretOf = (): string => 'one';
    const before = createOwnTokens({ signing: () => [older], clock, secretOf });
    const now = createOwnTokens({ signing: () => [own, older], clock, secretOf });
    deepEqual(await now.verify('bearer', await before.issue('bearer', claims)), claims);
  });
});

test('no other text is a token', async () => {
  const part = fc.constantFrom(head, body, signature, '', 'e30', '.');
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.array(part).map((parts) => parts.join('.')),
      ),
      async (other) => {
        if (other !== text) equal(await tokens.verify('bearer', other), undefined);
      },
    ),
  );
  ok((await tokens.verify('bearer', text.padEnd(20_000, 'A'))) === undefined);
});
