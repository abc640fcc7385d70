import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import {
  createRig,
  failureOf,
  latest,
  never,
  secret,
  secretBasic,
  targetAt,
} from '../support/rigs/upstream-rig.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';
import type { Stage } from '../support/upstreams/stage.ts';

const own = 'repository:team/app:pull';

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const scopesOf = (path: string): string[] =>
  new URL(path, 'http://stage').searchParams.getAll('scope').flatMap((scope) => scope.split(' '));

/**
 * A registry whose token is what it was asked for, and which takes one that holds `needs`. `challenge` gets the realm; `grants`
 * says whether the token service gives such a token.
 */
async function openRegistry(over: {
  readonly challenge: (realm: string) => string | string[];
  readonly needs?: string;
  readonly grants?: (scopes: readonly string[]) => boolean;
}): Promise<Stage> {
  const { challenge, needs = own, grants = () => true } = over;
  const stage: Stage = await openStage((request, response) => {
    const path = request.url ?? '';
    if (path.startsWith('/token')) {
      const scopes = scopesOf(path);
      if (grants(scopes))
        json(response, { token: Buffer.from(scopes.join(' ')).toString('base64url') || 'none' });
      else json(response, {}, 403);
      return;
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const held = Buffer.from(token, 'base64url').toString().split(' ');
    if (held.includes(needs)) return sendManifest(response);
    const realm = `http://auth.vendor.com:${stage.port}/token`;
    return void response.writeHead(401, { 'www-authenticate': challenge(realm) }).end();
  });
  return stage;
}

interface Row {
  readonly name: string;
  readonly challenge: (realm: string) => string | string[];
  readonly needs?: string;
  readonly grants?: (scopes: readonly string[]) => boolean;
  /** Scopes of each request to the token service; `[own]` once by default. */
  readonly asked?: readonly (readonly string[])[];
}
const rows: readonly Row[] = [
  { name: 'no scope', challenge: (realm) => `Bearer realm="${realm}",service="s"` },
  { name: 'an empty scope', challenge: (realm) => `Bearer realm="${realm}",service="s",scope=""` },
  {
    name: 'the scope of push and pull',
    challenge: (realm) => `Bearer realm="${realm}",scope="repository:team/app:pull,push"`,
  },
  { name: 'Gitea’s scope', challenge: (realm) => `Bearer realm="${realm}",scope="*"` },
  { name: 'public.ecr.aws’s scope', challenge: (realm) => `Bearer realm="${realm}",scope="aws"` },
  {
    name: 'GHCR’s placeholder, whose token nobody gets',
    challenge: (realm) => `Bearer realm="${realm}",scope="repository:user/image:pull"`,
    grants: (scopes) => !scopes.includes('repository:user/image:pull'),
  },
  {
    name: 'the scope of the repository behind the name, which the registry needs',
    challenge: (realm) => `Bearer realm="${realm}",scope="repository:real/app:pull"`,
    needs: 'repository:real/app:pull',
    asked: [[own], [own, 'repository:real/app:pull']],
  },
  {
    name: 'a scope without which the token service gives nothing',
    challenge: (realm) => `Bearer realm="${realm}",scope="aws"`,
    grants: (scopes) => scopes.includes('aws'),
    asked: [[own], [own, 'aws']],
  },
  { name: 'lower case and no quotes', challenge: (realm) => `bearer realm=${realm},service=s` },
  { name: 'a realm by its path alone', challenge: () => 'Bearer realm="/token"' },
  {
    name: 'Basic in a line of its own before Bearer',
    challenge: (realm) => ['BASIC realm="Sonatype Nexus"', `Bearer realm="${realm}"`],
  },
  {
    name: 'Negotiate and Bearer in one line',
    challenge: (realm) => `Negotiate, Bearer realm="${realm}",service="s"`,
  },
  {
    name: 'two realms, the first of which is no URL',
    challenge: (realm) => [`Bearer realm="http://["`, `Bearer realm="${realm}"`],
  },
];
for (const { name, asked = [[own]], ...registry } of rows) {
  test(`a challenge is answered that names ${name}`, async () => {
    await using stage = await openRegistry(registry);
    await using rig = createRig();
    await rig.upstream.headManifest(targetAt(stage), latest, never);
    const tokens = stage.seen.filter(({ path }) => path.startsWith('/token'));
    assert.deepEqual(
      tokens.map(({ path }) => scopesOf(path)),
      asked,
    );
    await rig.upstream.headManifest(targetAt(stage), latest, never);
    assert.equal(stage.seen.filter(({ path }) => path.startsWith('/token')).length, asked.length);
  });
}

const unusable: readonly (readonly [string, (port: number) => string])[] = [
  ['without a realm', () => 'Bearer service="s"'],
  [
    'whose realm may not have the credential',
    (port) => `Bearer realm="http://auth.elsewhere.net:${port}/token"`,
  ],
  [
    'whose token service is not there',
    (port) => `Bearer realm="http://auth.vendor.com:${port}/nowhere"`,
  ],
  ['whose realm is another scheme', () => 'Bearer realm="ftp://auth.vendor.com/"'],
];
for (const [name, bearer] of unusable) {
  test(`Basic is tried beside a Bearer ${name}`, async () => {
    await using stage: Stage = await openStage((request, response) => {
      if (
        request.url === '/v2/team/app/manifests/latest' &&
        request.headers.authorization === secretBasic
      )
        sendManifest(response);
      else if (request.url?.startsWith('/nowhere') === true) response.writeHead(404).end();
      else
        response
          .writeHead(401, { 'www-authenticate': [bearer(stage.port), 'Basic realm="x"'] })
          .end();
    });
    await using rig = createRig();
    await rig.upstream.headManifest(targetAt(stage, { credential: secret }), latest, never);
    assert.equal(
      stage.seen.some(({ host }) => host.startsWith('auth.elsewhere')),
      false,
    );
  });
}

test('T26: a login that the token service refuses is not repeated as Basic', async () => {
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true) return json(response, {}, 401);
    const bearer = `Bearer realm="http://auth.vendor.com:${stage.port}/token"`;
    return void response.writeHead(401, { 'www-authenticate': [bearer, 'Basic'] }).end();
  });
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  assert.equal(
    (await failureOf(rig.upstream.headManifest(target, latest, never))).reason,
    'tokenRefused',
  );
  assert.equal(stage.seen.length, 2);
});

/** A registry that takes only the newest token, and refuses an older one as it is told. */
async function openWithdrawing(refuse: (response: ServerResponse, port: number) => void): Promise<{
  readonly stage: Stage;
  readonly withdraw: () => void;
  readonly issued: () => number;
}> {
  let issued = 0;
  let good = 1;
  const stage: Stage = await openStage((request: IncomingMessage, response) => {
    if (request.url?.startsWith('/token') === true) json(response, { token: `t${(issued += 1)}` });
    else if (request.headers.authorization === `Bearer t${good}`) sendManifest(response);
    else if (request.headers.authorization === undefined)
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://auth.vendor.com:${stage.port}/token"`,
        })
        .end();
    else refuse(response, stage.port);
  });
  return { stage, withdraw: () => (good += 1), issued: () => issued };
}

const withdrawals: readonly (readonly [
  string,
  (response: ServerResponse, port: number) => void,
])[] = [
  ['403', (response) => json(response, { errors: [{ code: 'DENIED' }] }, 403)],
  [
    '403 with an HTML page',
    (response) => response.writeHead(403, { 'content-type': 'text/html' }).end('<p>'),
  ],
  ['401 without a challenge', (response) => response.writeHead(401).end()],
  [
    'Harbor’s 401, which offers Basic alone',
    (response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="harbor"' }).end(),
  ],
  [
    '401 and the same challenge',
    (response, port) =>
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://auth.vendor.com:${port}/token",error="invalid_token"`,
        })
        .end(),
  ],
];
for (const [name, refuse] of withdrawals) {
  test(`a token that is refused before its time by ${name} is renewed, once for all`, async () => {
    const { stage, withdraw, issued } = await openWithdrawing(refuse);
    await using _stage = stage;
    await using rig = createRig();
    const ask = () => rig.upstream.getManifest(targetAt(stage), latest, undefined, never);
    await ask();
    withdraw();
    await Promise.all(Array.from({ length: 6 }, ask));
    assert.equal(issued(), 2);
    await ask();
    assert.equal(issued(), 2);
  });
}

test('a 403 that a new token does not change is the answer, and costs no token for 30 s', async () => {
  let issued = 0;
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true) json(response, { token: `t${(issued += 1)}` });
    else if (request.headers.authorization === undefined)
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://auth.vendor.com:${stage.port}/token"`,
        })
        .end();
    else if (request.url?.endsWith('/latest') === true) sendManifest(response);
    else json(response, { errors: [{ code: 'DENIED', message: 'not this one' }] }, 403);
  });
  await using rig = createRig();
  const target = targetAt(stage);
  const denied = { kind: 'tag', tag: 'denied' as never } as const;
  await rig.upstream.headManifest(target, latest, never);
  for (let count = 0; count < 5; count += 1) {
    const failed = await failureOf(rig.upstream.getManifest(target, denied, undefined, never));
    assert.deepEqual([failed.kind, failed.status], ['denied', 403]);
    // The new token is good for others, and so would be renewed again.
    await rig.upstream.headManifest(target, latest, never);
  }
  assert.equal(issued, 2);
  rig.clock.advance(30_000);
  await failureOf(rig.upstream.getManifest(target, denied, undefined, never));
  assert.equal(issued, 3);
});
