import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { accountInSecret } from './account-in-secret.ts';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (claims: object, signature = 'c2ln'): string =>
  [part({ alg: 'RS256' }), part(claims), signature].join('.');
const key = (email: string, more: object = {}): string =>
  JSON.stringify({
    type: 'service_account',
    client_email: email,
    private_key: 'k'.repeat(60),
    ...more,
  });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const opaque = 'ya29.'.padEnd(60, 'x');

interface Row {
  readonly what: string;
  readonly user: string;
  readonly one: string;
  readonly other: string;
  readonly same: boolean;
}

const nullUser = '00000000-0000-0000-0000-000000000000';
const ann = { iss: 'acr', sub: 'ann', tenant: 't', exp: 1 };
const rows: readonly Row[] = [
  {
    what: 'a new key of the same service account',
    user: '_json_key',
    one: key('a@p'),
    other: key('a@p', { private_key: 'n' }),
    same: true,
  },
  {
    what: 'the key of another service account',
    user: '_json_key',
    one: key('a@p'),
    other: key('b@p'),
    same: false,
  },
  {
    what: 'a new key in base64',
    user: '_json_key_base64',
    one: base64(key('a@p')),
    other: base64(key('a@p', { x: 1 })),
    same: true,
  },
  {
    what: 'another account’s key in base64',
    user: '_json_key_base64',
    one: base64(key('a@p')),
    other: base64(key('b@p')),
    same: false,
  },
  {
    what: 'a renewed refresh token',
    user: nullUser,
    one: jwt(ann),
    other: jwt({ ...ann, exp: 2 }, 'bmV3'),
    same: true,
  },
  {
    what: 'another subject’s refresh token',
    user: nullUser,
    one: jwt(ann),
    other: jwt({ ...ann, sub: 'bob' }),
    same: false,
  },
  {
    what: 'the same subject of another tenant',
    user: nullUser,
    one: jwt(ann),
    other: jwt({ ...ann, tenant: 'u' }),
    same: false,
  },
  {
    what: 'an identity token that says no subject',
    user: '<token>',
    one: jwt({ jti: 1 }),
    other: jwt({ jti: 2 }),
    same: false,
  },
  {
    what: 'another opaque token',
    user: 'oauth2accesstoken',
    one: opaque,
    other: opaque.replace('x', 'y'),
    same: false,
  },
  {
    what: 'the same opaque token',
    user: 'oauth2accesstoken',
    one: opaque,
    other: opaque,
    same: true,
  },
  {
    what: 'a password of the next 12 hours',
    user: 'AWS',
    one: opaque,
    other: opaque.replace('x', 'y'),
    same: true,
  },
  {
    what: 'a new password of a named user',
    user: 'ann',
    one: opaque,
    other: opaque.replace('x', 'y'),
    same: true,
  },
];

suite('the account that a secret is of', () => {
  for (const { what, user, one, other, same } of rows) {
    test(`${same ? 'stays with' : 'changes with'} ${what}, as ${user}`, () => {
      assert.equal(accountInSecret(user, one) === accountInSecret(user, other), same);
    });
  }

  test('is not told by the digest of what could be guessed', () => {
    for (const user of ['<token>', '_json_key', nullUser])
      assert.equal(accountInSecret(user, 'hunter2'), undefined);
  });

  test('shows nothing of the secret, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('_json_key', '_json_key_base64', '<token>'),
        fc.string(),
        (user, secret) => {
          const account = accountInSecret(user, secret);
          assert.ok(account === undefined || /^[\w-]{22}$/.test(account));
        },
      ),
    );
    assert.match(accountInSecret('_json_key', key('a@p')) ?? '', /^[\w-]{22}$/);
  });
});
