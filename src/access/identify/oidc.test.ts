import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, suite, test } from 'node:test';
import { UnsecuredJWT, exportSPKI, generateKeyPair } from 'jose';
import type { IdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import { basic, homeAccount, openIdentityRig } from '../../../tests/support/rigs/identity-rig.ts';
import type { StagedJwtIssuer } from '../../../tests/support/upstreams/jwt-issuer.ts';
import { stageJwtIssuer } from '../../../tests/support/upstreams/jwt-issuer.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createAuthority, createServerCertificate } from '../../cli/tls/certificates.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { JwtIssuer, JwtSpeaker, Oidc } from './oidc.ts';
import { createOidc } from './oidc.ts';

let clock = createFakeClock();
let staged: StagedJwtIssuer;
let oidc: Oidc;
let issuer: JwtIssuer;
/** Failures of key fetches: issuer, URL, status, content type, message. */
const told: (readonly unknown[])[] = [];
before(async () => {
  staged = await stageJwtIssuer();
});
after(() => staged[Symbol.asyncDispose]());
beforeEach(async () => {
  clock = createFakeClock();
  Object.assign(staged, { instead: undefined, keysType: 'application/json', negotiates: false });
  await staged.rotate('one');
  staged.asked.length = 0;
  issuer = issuerOf({});
  oidc = create();
});

function create(): Oidc {
  told.length = 0;
  return createOidc({
    issuers: () => [issuer],
    clock,
    keysFailed: (of, { message, url, status, contentType }) =>
      void told.push([of, url, status, contentType, message]),
  });
}

function issuerOf(changes: Partial<JwtIssuer>): JwtIssuer {
  return {
    issuer: staged.url,
    audiences: ['breakwater', 'https://registry.example'],
    jwksUrl: undefined,
    ca: undefined,
    principals: [
      {
        claims: { sub: 'repo:team/*', ref: 'refs/heads/main' },
        principal: 'main',
        account: homeAccount,
      },
      { claims: { sub: 'repo:team/*' }, principal: 'ci', account: homeAccount },
      { claims: { groups: 'admin?' }, principal: 'admins', account: '123456789012' },
      { claims: { number: '7', sure: 'true' }, principal: 'odd', account: homeAccount },
    ],
    ...changes,
  };
}

const seconds = (offset: number): number => Math.floor(clock.now() / 1000) + offset;

function claims(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    iss: staged.url,
    aud: 'breakwater',
    sub: 'repo:team/app:ref',
    exp: seconds(300),
    ...changes,
  };
}

async function verify(
  text: string,
): Promise<JwtSpeaker | 'expired' | 'early' | 'unavailable' | undefined> {
  const found = oidc.issuerOf(text);
  if (found === undefined) return undefined;
  try {
    return await oidc.verify(text, found);
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'unavailable') return 'unavailable';
    throw error;
  }
}

async function named(text: string): Promise<string | undefined> {
  const found = await verify(text);
  return typeof found === 'object' ? found.name : found;
}

suite('the claims of a JWT', () => {
  const rows: readonly (readonly [
    name: string,
    changes: () => Readonly<Record<string, unknown>>,
    who: string | undefined,
  ])[] = [
    ['that match a pattern name a principal', () => ({}), 'ci'],
    ['that match the first of two name its', () => ({ ref: 'refs/heads/main' }), 'main'],
    ['that match no pattern name nobody', () => ({ sub: 'repo:other/app' }), undefined],
    ['without the claim name nobody', () => ({ sub: undefined }), undefined],
    ['in a list match by any element', () => ({ sub: 'x', groups: ['users', 'admin1'] }), 'admins'],
    ['in an empty list match nothing', () => ({ sub: 'x', groups: [] }), undefined],
    [
      'that are numbers and flags match as text',
      () => ({ sub: 'x', number: 7, sure: true }),
      'odd',
    ],
    ['that are objects match nothing', () => ({ sub: { toString: 'repo:team/' } }), undefined],
    ['for one of several audiences', () => ({ aud: ['x', 'https://registry.example'] }), 'ci'],
    ['for another audience', () => ({ aud: 'x' }), undefined],
    ['for no audience', () => ({ aud: undefined }), undefined],
    ['of another issuer', () => ({ iss: 'https://issuer.example' }), undefined],
    ['of the issuer with a slash', () => ({ iss: `${staged.url}/` }), undefined],
    ['that ended within the leeway', () => ({ exp: seconds(-29) }), 'ci'],
    ['that ended', () => ({ exp: seconds(-31) }), 'expired'],
    ['without an end', () => ({ exp: undefined }), undefined],
    ['that begin within the leeway', () => ({ nbf: seconds(29) }), 'ci'],
    ['that begin later', () => ({ nbf: seconds(31) }), 'early'],
  ];
  for (const [name, changes, who] of rows) {
    test(`${name}: ${who ?? 'nobody'}`, async () => {
      equal(await named(await staged.sign(claims(changes()))), who);
    });
  }
});

suite('the signature of a JWT', () => {
  for (const alg of ['RS256', 'PS384', 'ES512', 'EdDSA']) {
    test(`by ${alg} counts`, async () => {
      await staged.rotate('another', { alg });
      equal(await named(await staged.sign(claims(), { kid: 'another' })), 'ci');
    });
  }

  test('by an algorithm that is not admitted does not count', async () => {
    await staged.rotate('another', { alg: 'ML-DSA-44' });
    equal(await named(await staged.sign(claims(), { kid: 'another' })), undefined);
  });

  test('with one bit changed does not count', async () => {
    const text = await staged.sign(claims());
    const at = text.lastIndexOf('.') + 5;
    const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
    equal(await named(changed), undefined);
  });

  test('by alg none does not count', async () => {
    const text = new UnsecuredJWT(claims()).encode();
    equal(await named(text), undefined);
    equal(await named(`${text}AA`), undefined);
  });

  test('by the public key as HMAC secret does not count', async () => {
    const { publicKey } = await generateKeyPair('RS256');
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${encode({ alg: 'HS256', kid: 'one' })}.${encode(claims())}`;
    const mac = createHmac('sha256', await exportSPKI(publicKey))
      .update(input)
      .digest('base64url');
    equal(await named(`${input}.${mac}`), undefined);
  });

  test('T43: by a key that the header brings does not count', async () => {
    const other = await stageJwtIssuer();
    await using _other = other;
    await other.rotate('mine');
    for (const header of [
      { jku: `${other.url}/keys` },
      { x5u: `${other.url}/keys` },
      { jwk: { kty: 'oct', k: 'AAAA' } },
    ])
      equal(await named(await other.sign(claims(), { kid: 'mine', header })), undefined);
    deepEqual(other.asked, []);
  });
});

suite('the keys of an issuer', () => {
  const discovery = '/realm/.well-known/openid-configuration';

  test('are found once and kept for ten minutes', async () => {
    const text = async (): Promise<string> => await staged.sign(claims());
    await Promise.all([verify(await text()), verify(await text())]);
    equal(await named(await text()), 'ci');
    deepEqual(staged.asked, [discovery, '/realm/keys']);
    clock.advance(600_001);
    equal(await named(await text()), 'ci');
    equal(staged.asked.length, 4);
  });

  test('come from where the operator says, where he does', async () => {
    issuer = issuerOf({ jwksUrl: `${staged.url}/keys` });
    equal(await named(await staged.sign(claims())), 'ci');
    deepEqual(staged.asked, ['/realm/keys']);
  });

  const types = ['application/jwk-set+json', 'application/json'];
  for (const type of types) {
    test(`come from an issuer that serves them as ${type} and refuses who does not accept that`, async () => {
      staged.negotiates = true;
      staged.keysType = type;
      equal(await named(await staged.sign(claims())), 'ci');
      deepEqual(told, []);
    });
  }

  for (const type of ['text/plain', 'application/octet-stream']) {
    test(`come from an issuer that says ${type}`, async () => {
      staged.keysType = type;
      equal(await named(await staged.sign(claims())), 'ci');
    });
  }

  test('are asked for nothing but a JWT of that issuer', async () => {
    for (const text of [
      '',
      'x',
      'a.b.c',
      await staged.sign(claims({ iss: 'https://a.example' })),
      'x'.repeat(20_000),
    ])
      equal(await verify(text), undefined);
    deepEqual(staged.asked, []);
  });

  test('are fetched anew for an unknown kid, at most once in thirty seconds', async () => {
    equal(await named(await staged.sign(claims())), 'ci');
    clock.advance(30_000);
    await staged.rotate('two', { keep: true });
    equal(await named(await staged.sign(claims(), { kid: 'two' })), 'ci');
    equal(staged.asked.length, 4);
    await staged.rotate('three', { keep: true });
    for (let n = 0; n < 5; n += 1)
      equal(await named(await staged.sign(claims(), { kid: 'three' })), undefined);
    equal(staged.asked.length, 4);
    clock.advance(30_000);
    equal(await named(await staged.sign(claims(), { kid: 'three' })), 'ci');
    equal(staged.asked.length, 6);
  });

  test('no longer count when the issuer has given them up', async () => {
    equal(await named(await staged.sign(claims())), 'ci');
    const old = await staged.sign(claims({ exp: seconds(3600) }));
    await staged.rotate('two');
    clock.advance(600_001);
    equal(await named(old), undefined);
  });

  test('stay while the issuer is down', async () => {
    equal(await named(await staged.sign(claims())), 'ci');
    staged.instead = (_request, response) => void response.writeHead(503).end();
    clock.advance(3_600_000);
    equal(await named(await staged.sign(claims())), 'ci');
    equal(await named(await staged.sign(claims(), { header: { kid: 'unknown' } })), undefined);
    equal(staged.asked.length, 3, 'asked once more, not for each');
    equal(told.length, 1);
  });

  test('that were never had are said to be unavailable, and asked for again after five seconds', async () => {
    staged.instead = (_request, response) => void response.writeHead(503).end();
    for (let n = 0; n < 3; n += 1) equal(await verify(await staged.sign(claims())), 'unavailable');
    equal(staged.asked.length, 1);
    staged.instead = undefined;
    clock.advance(5000);
    equal(await named(await staged.sign(claims())), 'ci');
  });

  const large = JSON.stringify({ keys: [], x: 'x'.repeat(300_000) });
  const bad: readonly (readonly [name: string, status: number, body: string, told: string])[] = [
    ['is no JSON', 200, '<html>', 'the answer is no JSON object'],
    ['is no object', 200, '1', 'the answer is no JSON object'],
    ['is a list', 200, '[]', 'the answer is no key set'],
    ['has no keys', 200, '{"keys": 1}', 'the answer is no key set'],
    ['has a key that is no object', 200, '{"keys": [null]}', 'the answer is no key set'],
    ['is larger than 256 KiB', 200, large, 'the answer is larger than 262144 bytes'],
    ['leads elsewhere', 302, '', 'the answer is no 200'],
    ['is an error', 404, '{"keys": []}', 'the answer is no 200'],
    ['accepts nothing', 406, '406: Not Acceptable', 'the answer is no 200'],
  ];
  for (const [name, status, body, why] of bad) {
    test(`whose answer ${name} are none, and what was answered is told`, async () => {
      issuer = issuerOf({ jwksUrl: `${staged.url}/keys?key=secret` });
      staged.instead = (_request, response) =>
        void response
          .writeHead(status, { location: `${staged.url}/elsewhere`, 'content-type': 'a/b' })
          .end(body);
      equal(await verify(await staged.sign(claims())), 'unavailable');
      equal(staged.asked.length, 1);
      deepEqual(told, [[staged.url, `${staged.url}/keys`, status, 'a/b', why]]);
    });
  }

  const documents: readonly (readonly [name: string, document: (url: string) => unknown])[] = [
    ['of another issuer', (url) => ({ issuer: `${url}/x`, jwks_uri: `${url}/keys` })],
    ['without a place of keys', (url) => ({ issuer: url })],
    ['with a place that is no URL', (url) => ({ issuer: url, jwks_uri: 'keys' })],
    [
      'with a place on plain http elsewhere',
      (url) => ({ issuer: url, jwks_uri: 'http://127.0.0.1.example/keys' }),
    ],
    ['with a file', (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' })],
  ];
  for (const [name, document] of documents) {
    test(`are not asked for by a document ${name}`, async () => {
      staged.instead = (_request, response) =>
        void response.end(JSON.stringify(document(staged.url)));
      equal(await verify(await staged.sign(claims())), 'unavailable');
      deepEqual(staged.asked, [discovery]);
      equal(told[0]?.[1], new URL(discovery, staged.url).href);
    });
  }

  test('of an https issuer count by its own roots alone, and are never asked for on plain http', async () => {
    const validity = {
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
    };
    const authority = await createAuthority('roots', validity);
    await using secure = await stageJwtIssuer(
      await createServerCertificate(authority, ['127.0.0.1'], validity),
    );
    const text = await secure.sign(claims({ iss: secure.url }));
    issuer = issuerOf({ issuer: secure.url });
    equal(await verify(text), 'unavailable', "the system's roots");
    match(String(told[0]?.at(-1)), /certificate/);
    deepEqual(secure.asked, []);
    issuer = issuerOf({ issuer: secure.url, ca: authority.cert });
    equal(await named(text), 'ci');

    clock.advance(3_600_000);
    oidc = create();
    secure.instead = (_request, response) =>
      void response.end(JSON.stringify({ issuer: secure.url, jwks_uri: `${staged.url}/keys` }));
    equal(await verify(text), 'unavailable');
    deepEqual(staged.asked, []);
  });

  test('whose answer breaks off are none', async () => {
    issuer = issuerOf({ jwksUrl: `${staged.url}/keys` });
    staged.instead = (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('{');
      setImmediate(() => response.destroy());
    };
    equal(await verify(await staged.sign(claims())), 'unavailable');
    deepEqual(told[0]?.slice(0, 3), [staged.url, `${staged.url}/keys`, 200]);
  });

  test('that do not come within five seconds are none', async (t) => {
    let ms = 0;
    t.mock.method(AbortSignal, 'timeout', (limit: number) => {
      ms = limit;
      return AbortSignal.abort(new Error('too late'));
    });
    issuer = issuerOf({ jwksUrl: `${staged.url}/keys` });
    equal(await verify(await staged.sign(claims())), 'unavailable');
    equal(ms, 5000);
    deepEqual(told[0]?.slice(2), [undefined, undefined, 'there was no whole answer within 5 s']);
  });

  test('that none of them will do for are no error of ours', async () => {
    const keys = [{ kty: 'EC', crv: 'P-256', kid: 'one', x: 'AA', y: 'AA', alg: 'ES256' }, 1, null];
    issuer = issuerOf({ jwksUrl: `${staged.url}/keys` });
    staged.instead = (_request, response) => void response.end(JSON.stringify({ keys }));
    const found = await verify(await staged.sign(claims()));
    ok(found === undefined || found === 'unavailable');
  });
});

suite('a JWT as credential', () => {
  let rig: IdentityRig;
  before(async () => {
    rig = await openIdentityRig();
    await rig.identities.createPrincipal(
      { account: homeAccount, name: 'ci', kind: 'robot' },
      rig.author,
    );
  });
  after(() => rig[Symbol.asyncDispose]());
  const who = async (header: string): Promise<string> => {
    rig.issuers = [issuer];
    const caller = await rig.identifier.identify(header, rig.from(), { mirror: false });
    equal(caller.via, 'oidc');
    return describePrincipal(caller.principal);
  };
  const ci = `arn:aws:iam::${homeAccount}:user/ci`;

  test('is the principal that it names, as password and as bearer, until it ends', async () => {
    const text = await staged.sign(claims());
    equal(await who(basic('oauth2accesstoken', text)), ci);
    equal(await who(`Bearer ${text}`), ci);
    rig.clock.advance(330_001);
    await rejects(who(`Bearer ${text}`), { code: 'unauthorized' });
  });

  test('of a principal that is not here is nobody', async () => {
    await rejects(
      who(`Bearer ${await staged.sign(claims({ ref: 'refs/heads/main', exp: seconds(3600) }))}`),
      { code: 'unauthorized' },
    );
  });

  test('of an issuer that is down is unavailable, to a mirror anonymous, and no failed login', async () => {
    issuer = issuerOf({ jwksUrl: `${staged.url}/other/keys` });
    staged.instead = (_request, response) => void response.writeHead(500).end();
    rig.audited.length = 0;
    const header = `Bearer ${await staged.sign(claims({ exp: seconds(3600) }))}`;
    await rejects(who(header), { code: 'unavailable', retryAfterMs: 5000 });
    const caller = await rig.identifier.identify(header, rig.from(), { mirror: true });
    equal(caller.via, 'none');
    equal(rig.audited.length, 0);
  });

  test('no longer counts when its issuer is taken out of the configuration', async () => {
    const header = `Bearer ${await staged.sign(claims({ exp: seconds(3600) }))}`;
    equal(await who(header), ci);
    rig.issuers = [];
    rig.invalidations.note({ kind: 'configuration' });
    await rejects(async () => rig.identifier.identify(header, rig.from(), { mirror: false }), {
      code: 'unauthorized',
    });
  });
});
