// Whom a token of an issuer speaks for, where a role is to be assumed, and how each that is wrong is refused.
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { someClient } from '../../../tests/support/rigs/signature-rig.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { StagedJwtIssuer } from '../../../tests/support/upstreams/jwt-issuer.ts';
import { stageJwtIssuer } from '../../../tests/support/upstreams/jwt-issuer.ts';
import type { ErrorKind } from '../../domain/errors.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { AuditEntry } from '../access.ts';
import { createLoginFailures } from './login-failures.ts';
import { createOidc } from './oidc.ts';
import { createWebIdentities } from './web-identities.ts';

let issuer: StagedJwtIssuer;
before(async () => {
  issuer = await stageJwtIssuer();
});
after(() => issuer[Symbol.asyncDispose]());

function start() {
  const clock = createFakeClock();
  const audited: AuditEntry[] = [];
  const audit = { record: (entry: AuditEntry) => void audited.push(entry) };
  const place = { issuer: issuer.url, jwksUrl: undefined, ca: undefined };
  const identities = createWebIdentities({
    oidc: createOidc({
      issuers: () => [{ ...place, audiences: ['sts.amazonaws.com'], principals: [] }],
      clock,
      keysFailed: () => {},
    }),
    failures: createLoginFailures({ clock, audit, home: homeRegistry }),
  });
  const seconds = Math.floor(clock.now() / 1000);
  const sign = (change: object = {}): Promise<string> =>
    issuer.sign({
      iss: issuer.url,
      sub: 'pod',
      aud: ['sts.amazonaws.com', 'other'],
      exp: seconds + 60,
      ...change,
    });
  return { audited, identities, seconds, sign };
}

test('a token that is right speaks for its subject, and its claims are condition keys', async () => {
  const { identities, seconds, sign, audited } = start();
  const token = await sign({ Groups: ['a', 'b'], admin: true, deep: { x: 1 } });
  const { claims, ...identity } = await identities.verify(token, someClient);
  const provider = issuer.url.replace('http://', '');
  deepEqual(identity, {
    issuer: issuer.url,
    provider,
    subject: 'pod',
    audience: 'sts.amazonaws.com',
  });
  deepEqual(Object.fromEntries(claims), {
    [`${provider}:iss`]: [issuer.url],
    [`${provider}:sub`]: ['pod'],
    [`${provider}:aud`]: ['sts.amazonaws.com', 'other'],
    [`${provider}:exp`]: [String(seconds + 60)],
    [`${provider}:groups`]: ['a', 'b'],
    [`${provider}:admin`]: ['true'],
  });
  deepEqual(audited, []);
});

test('a claim whose name is another’s but for case, and any number of them, leave those that say who it is', async () => {
  const { identities, sign } = start();
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`a${at}`, at]));
  const token = await sign({ ...many, SUB: 'admin', Team: 'a', team: 'b', Sub: 'root' });
  const { claims } = await identities.verify(token, someClient);
  const provider = issuer.url.replace('http://', '');
  deepEqual(claims.get(`${provider}:sub`), ['pod']);
  equal(claims.size, 100);
  const few = await sign({ TEAM: 'a', team: 'b', Team: 'c' });
  const named = await identities.verify(few, someClient);
  deepEqual(named.claims.get(`${provider}:team`), ['b']);
});

suite('a token is refused', () => {
  const rows: readonly (readonly [string, object, ErrorKind])[] = [
    ['of an issuer that is not configured', { iss: 'https://x.example' }, 'identityTokenInvalid'],
    ['for another audience', { aud: 'breakwater' }, 'identityTokenInvalid'],
    ['without an end', { exp: undefined }, 'identityTokenInvalid'],
    ['past its end', { exp: 1 }, 'identityTokenExpired'],
    ['before its time', { nbf: 9_999_999_999 }, 'identityTokenRejected'],
    ['without a subject', { sub: undefined }, 'identityTokenRejected'],
  ];
  const kindIs =
    (kind: ErrorKind) =>
    (error: unknown): boolean =>
      error instanceof RegistryError && error.kind === kind;
  for (const [what, change, kind] of rows)
    test(`${what}: ${kind}`, async () => {
      const { identities, sign } = start();
      const token = await sign(change);
      await rejects(identities.verify(token, someClient), kindIs(kind));
    });

  test('with another signature, and is a failed login without the token in it', async () => {
    const { identities, sign, audited } = start();
    const token = await sign();
    const forged = token.slice(0, -4) + (token.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    await rejects(identities.verify(forged, someClient), kindIs('identityTokenInvalid'));
    deepEqual(
      audited.map(({ kind, outcome }) => [kind, outcome]),
      [['login', 'failed']],
    );
    equal(JSON.stringify(audited).includes(token.slice(20, 60)), false);
  });

  test('that is none', async () => {
    const { identities } = start();
    for (const text of ['', 'x', 'a.b.c', 'x'.repeat(20_000)])
      await rejects(identities.verify(text, someClient), kindIs('identityTokenInvalid'));
  });

  test('when the keys of its issuer cannot be had, as such, and without a failed login', async () => {
    const { identities, sign, audited } = start();
    const token = await sign();
    issuer.instead = (_request, response) => void response.writeHead(500).end();
    try {
      await rejects(identities.verify(token, someClient), kindIs('identityProviderDown'));
    } finally {
      issuer.instead = undefined;
    }
    deepEqual(audited, []);
  });
});
