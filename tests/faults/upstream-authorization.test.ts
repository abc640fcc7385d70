import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
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
import type { Stage, StageHandler } from '../support/upstreams/stage.ts';

function challenge(response: ServerResponse, value: string | string[]): void {
  response.writeHead(401, { 'www-authenticate': value, 'content-type': 'application/json' });
  response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

const bearer = (
  port: number,
  host = 'auth.vendor.com',
  scope = 'repository:team/app:pull',
): string =>
  `Bearer realm="http://${host}:${port}/token",service="registry.vendor.com",scope="${scope}"`;

/** A registry with a token service on the same port; every token it has issued is accepted. */
async function openGuarded(
  over: {
    readonly token?: (response: ServerResponse, count: number) => void;
    readonly host?: string;
  } = {},
): Promise<Stage> {
  let issued = 0;
  const accepted = new Set<string>();
  const handler: StageHandler = (request, response) => {
    const { port } = stage;
    if (request.url?.startsWith('/token') === true) {
      issued += 1;
      accepted.add(`Bearer t${issued}`);
      if (over.token === undefined) json(response, { token: `t${issued}`, expires_in: 300 });
      else over.token(response, issued);
    } else if (accepted.has(request.headers.authorization ?? '')) sendManifest(response);
    else {
      const scope = `repository:${request.url?.split('/').slice(2, 4).join('/')}:pull`;
      challenge(response, bearer(port, over.host, scope));
    }
  };
  const stage: Stage = await openStage(handler);
  return stage;
}

const paths = (stage: Stage): string[] =>
  stage.seen.map(({ path }) => path.split('?')[0] as string);
const tokensAsked = (stage: Stage): number =>
  paths(stage).filter((path) => path === '/token').length;

test('a bearer challenge is answered with a token that serves later requests until it expires', async () => {
  await using stage = await openGuarded();
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  await rig.upstream.headManifest(target, latest, never);
  assert.deepEqual(paths(stage), [
    '/v2/team/app/manifests/latest',
    '/token',
    '/v2/team/app/manifests/latest',
  ]);
  const [, token] = stage.seen;
  assert.equal(token?.headers.authorization, secretBasic);
  assert.equal(
    token?.path,
    '/token?service=registry.vendor.com&scope=repository%3Ateam%2Fapp%3Apull',
  );

  await rig.upstream.headManifest(target, latest, never);
  assert.equal(stage.seen.length, 4);

  rig.clock.advance(271_000);
  await rig.upstream.headManifest(target, latest, never);
  assert.deepEqual(paths(stage).slice(4), ['/token', '/v2/team/app/manifests/latest']);
});

test('a token without expires_in lives for 60 s, and access_token is read where token is absent', async () => {
  await using stage = await openGuarded({
    token: (response, count) => json(response, { access_token: `t${count}` }),
  });
  await using rig = createRig();
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  rig.clock.advance(50_000);
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  assert.equal(tokensAsked(stage), 1);
  rig.clock.advance(10_000);
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  assert.equal(tokensAsked(stage), 2);
});

test('another repository of a known registry asks its token first and saves the challenge', async () => {
  await using stage = await openGuarded();
  await using rig = createRig();
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  await rig.upstream.headManifest(targetAt(stage, {}, 'team/other'), latest, never);
  assert.deepEqual(paths(stage).slice(3), ['/token', '/v2/team/other/manifests/latest']);
});

test('one token request serves fifty waiting requests', async () => {
  await using stage = await openGuarded();
  await using rig = createRig();
  const target = targetAt(stage);
  await Promise.all(
    Array.from({ length: 50 }, () => rig.upstream.headManifest(target, latest, never)),
  );
  assert.equal(tokensAsked(stage), 1);
});

test('a waiter that goes away leaves the token request to the others', async () => {
  let answer: (() => void) | undefined;
  await using stage = await openGuarded({
    token: (response, count) => (answer = () => json(response, { token: `t${count}` })),
  });
  await using rig = createRig();
  const leaving = new AbortController();
  const left = rig.upstream.headManifest(targetAt(stage), latest, leaving.signal);
  const stayed = rig.upstream.headManifest(targetAt(stage), latest, never);
  await stage.reached(3);
  leaving.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  answer?.();
  await stayed;
  assert.equal(tokensAsked(stage), 1);
});

test('a token that is no longer taken is refreshed once for all', async () => {
  let valid = 't1';
  let issued = 0;
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true)
      return json(response, { token: `t${(issued += 1)}` });
    if (request.headers.authorization === `Bearer ${valid}`) return sendManifest(response);
    return challenge(response, bearer(stage.port));
  });
  await using rig = createRig();
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  valid = 't2';
  await Promise.all(
    Array.from({ length: 8 }, () => rig.upstream.headManifest(targetAt(stage), latest, never)),
  );
  assert.equal(issued, 2);
});

test('a storm of 401 ends after one token and is not fed for 30 s', async () => {
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true) return json(response, { token: 'useless' });
    return challenge(response, bearer(stage.port));
  });
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  const first = await failureOf(rig.upstream.headManifest(target, latest, never));
  assert.equal(first.kind, 'denied');
  assert.equal(stage.seen.length, 3);
  for (let again = 0; again < 20; again += 1) {
    assert.equal(
      (await failureOf(rig.upstream.headManifest(target, latest, never))).kind,
      'denied',
    );
  }
  assert.equal(stage.seen.length, 3);
  assert.equal(rig.of('authFailed').length, 1);
  rig.clock.advance(30_000);
  await failureOf(rig.upstream.headManifest(target, latest, never));
  assert.equal(stage.seen.length > 3, true);
});

test('T26: a refused login is not repeated for 30 s, so that the account is not locked', async () => {
  await using stage = await openGuarded({ token: (response) => json(response, {}, 401) });
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  for (let again = 0; again < 5; again += 1) {
    const failed = await failureOf(rig.upstream.headManifest(target, latest, never));
    assert.deepEqual([failed.kind, failed.reason], ['denied', 'tokenRefused']);
  }
  assert.equal(tokensAsked(stage), 1);
  assert.equal(rig.of('authFailed').length, 1);
});

test('T26: a login that got nothing is tried once for all repositories, and one that was good once more', async () => {
  const status = { now: 401 };
  await using stage = await openGuarded({
    token: (response, count) => json(response, { token: `t${count}` }, status.now),
  });
  await using rig = createRig();
  const ask = (name: string): Promise<unknown> =>
    rig.upstream.headManifest(targetAt(stage, { credential: secret }, name), latest, never);
  for (const name of ['team/a', 'team/b', 'team/c']) await failureOf(ask(name));
  assert.equal(tokensAsked(stage), 1);
  rig.clock.advance(30_000);
  status.now = 200;
  await ask('team/a');
  status.now = 401;
  for (const name of ['team/b', 'team/c', 'team/d', 'team/e']) await failureOf(ask(name));
  assert.equal(tokensAsked(stage), 4);
  await ask('team/a');
});

test('T26: a token refused by 403 is refused for its repository alone', async () => {
  await using stage = await openGuarded({
    token: (response, count) => json(response, { token: `t${count}` }, count === 1 ? 403 : 200),
  });
  await using rig = createRig();
  const ask = (name: string): Promise<unknown> =>
    rig.upstream.headManifest(targetAt(stage, { credential: secret }, name), latest, never);
  await failureOf(ask('team/a'));
  await ask('team/b');
  assert.equal((await failureOf(ask('team/a'))).reason, 'tokenRefused');
  assert.equal(tokensAsked(stage), 2);
});

test('T28: a changed credential is used at once, for its tokens and after a refusal', async () => {
  await using stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') !== true) {
      if (request.headers.authorization === 'Bearer good') return sendManifest(response);
      return challenge(response, bearer(stage.port));
    }
    const right = request.headers.authorization === secretBasic;
    return json(response, right ? { token: 'good' } : {}, right ? 200 : 401);
  });
  await using rig = createRig();
  const wrong = targetAt(stage, { credential: { ...secret, accessToken: 'old' } });
  assert.equal(
    (await failureOf(rig.upstream.headManifest(wrong, latest, never))).reason,
    'tokenRefused',
  );
  await rig.upstream.headManifest(targetAt(stage, { credential: secret }), latest, never);
  assert.equal(tokensAsked(stage), 2);
});

test('T28: reset forgets tokens and refusals', async () => {
  await using stage = await openGuarded({
    token: (response, count) => json(response, { token: `t${count}` }, count === 1 ? 403 : 200),
  });
  await using rig = createRig();
  await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  rig.upstream.reset();
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  rig.upstream.reset();
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  assert.equal(tokensAsked(stage), 3);
});

test('Basic is given where it is asked for, ahead of the next request too', async () => {
  await using stage = await openStage((request, response) => {
    if (request.headers.authorization === secretBasic) sendManifest(response);
    else challenge(response, ['Negotiate', 'Basic realm="a, \\"quoted\\" realm"']);
  });
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  await rig.upstream.headManifest(target, latest, never);
  await rig.upstream.headManifest(target, latest, never);
  assert.equal(stage.seen.length, 3);
});

test('Basic without a credential is denied after one request', async () => {
  await using stage = await openStage((_request, response) =>
    challenge(response, 'Basic realm="x"'),
  );
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  assert.deepEqual([failed.kind, failed.status], ['denied', 401]);
  assert.equal(stage.seen.length, 1);
});

test('T29: a credential goes to no realm of another domain', async () => {
  await using stage = await openGuarded({ host: 'auth.attacker.net' });
  await using rig = createRig();
  const failed = await failureOf(
    rig.upstream.headManifest(targetAt(stage, { credential: secret }), latest, never),
  );
  assert.deepEqual([failed.kind, failed.reason], ['denied', 'realmRefused']);
  assert.deepEqual(paths(stage), ['/v2/team/app/manifests/latest']);
});

test('T29: a public suffix is no shared domain', async () => {
  await using stage = await openGuarded({ host: 'mallory.github.io' });
  await using rig = createRig();
  const rule = { credential: secret };
  const target = targetAt(stage, rule);
  const url = {
    origin: `http://alice.github.io:${stage.port}`,
    host: `alice.github.io:${stage.port}`,
    plain: true,
  };
  const there = { ...target, url, rule: { ...target.rule, urls: [url] as const } };
  assert.equal(
    (await failureOf(rig.upstream.headManifest(there, latest, never))).reason,
    'realmRefused',
  );
  assert.equal(stage.seen.length, 1);
});

test('T29: allowHosts admits a realm of another domain', async () => {
  await using stage = await openGuarded({ host: 'login.partner.org' });
  await using rig = createRig();
  await rig.upstream.headManifest(
    targetAt(stage, { credential: secret, allowHosts: ['login.partner.org'] }),
    latest,
    never,
  );
  assert.equal(stage.seen.filter(({ headers }) => headers.authorization === secretBasic).length, 1);
});

test('T29: without a credential another realm is asked anonymously', async () => {
  await using stage = await openGuarded({ host: 'auth.elsewhere.net' });
  await using rig = createRig();
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  const [, token] = stage.seen;
  assert.equal(token?.host, `auth.elsewhere.net:${stage.port}`);
  assert.equal(token?.headers.authorization, undefined);
});

for (const host of [
  '127.0.0.1',
  '169.254.169.254',
  '[::ffff:169.254.169.254]',
  '10.0.0.1',
  'localhost',
  '[fd00:ec2::254]',
]) {
  test(`T29: a realm at ${host} is never dialled for a public registry`, async () => {
    await using stage = await openGuarded({ host });
    await using rig = createRig();
    const failed = await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
    assert.deepEqual([failed.kind, failed.reason], ['denied', 'realmRefused']);
    assert.equal(stage.seen.length, 1);
  });
}

test('T29: a realm whose name leads to a private address is never dialled', async () => {
  await using stage = await openGuarded({ host: 'auth.vendor.com' });
  await using rig = createRig({
    lookup: async (host) => [
      { address: host === 'auth.vendor.com' ? '192.168.1.1' : '203.0.113.10', family: 4 },
    ],
  });
  const failed = await failureOf(
    rig.upstream.headManifest(targetAt(stage, { credential: secret }), latest, never),
  );
  assert.equal(failed.reason, 'realmRefused');
  assert.equal(stage.seen.length, 1);
});

test('T29: a refused realm is forgotten once the registry names a right one', async () => {
  let host = 'auth.attacker.net';
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true) return json(response, { token: 'good' });
    if (request.headers.authorization === 'Bearer good') return sendManifest(response);
    return challenge(response, bearer(stage.port, host));
  });
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  await failureOf(rig.upstream.headManifest(target, latest, never));
  host = 'auth.vendor.com';
  await rig.upstream.headManifest(target, latest, never);
  const issuers = stage.seen.filter(({ path }) => path.startsWith('/token'));
  assert.deepEqual(
    issuers.map((each) => each.host),
    [`auth.vendor.com:${stage.port}`],
  );
});

test('a mirror of another domain gets no credential of the rule', async () => {
  await using stage = await openStage((_request, response) =>
    challenge(response, 'Basic realm="give"'),
  );
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  const mirror = {
    origin: `http://mirror.other.net:${stage.port}`,
    host: `mirror.other.net:${stage.port}`,
    plain: true,
  };
  const failed = await failureOf(
    rig.upstream.headManifest({ ...target, url: mirror }, latest, never),
  );
  assert.equal(failed.kind, 'denied');
  assert.equal(stage.seen.length, 1);
});

const badTokens: readonly (readonly [string, (response: ServerResponse) => void, string])[] = [
  [
    'HTML',
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    'html',
  ],
  ['bad JSON', (response) => response.end('{'), 'badJson'],
  ['no token', (response) => json(response, { token: 5 }), 'badJson'],
  ['a token with a line break', (response) => json(response, { token: 'a\r\nx: y' }), 'badJson'],
  [
    'two megabytes',
    (response) => json(response, { token: 't', pad: 'x'.repeat(2_000_000) }),
    'tooLarge',
  ],
];
for (const [name, answer, reason] of badTokens) {
  test(`a token service that answers ${name} is an unusable answer`, async () => {
    await using stage = await openGuarded({ token: answer });
    await using rig = createRig();
    const failed = await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
    assert.deepEqual([failed.kind, failed.reason], ['invalid', reason]);
    assert.equal(stage.seen.length, 2);
  });
}

test('a token service that never answers ends after 10 s', async () => {
  await using stage = await openGuarded({ token: () => {} });
  await using rig = createRig();
  const work = failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  await stage.reached(2);
  rig.clock.advance(10_000);
  const failed = await work;
  assert.deepEqual([failed.kind, failed.reason], ['timeout', 'firstByteTimeout']);
});

test('no failure, event or state names a token or a credential', async () => {
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true)
      return json(response, { token: 'token-that-is-secret' });
    if (request.headers.authorization === undefined) return challenge(response, bearer(stage.port));
    const message = `no access with ${request.headers.authorization} at https://cdn/x?X-Amz-Signature=abcdef`;
    return json(response, { errors: [{ code: 'DENIED', message }] }, 403);
  });
  await using rig = createRig();
  const target = targetAt(stage, { credential: secret });
  const failed = await failureOf(rig.upstream.headManifest(target, latest, never));
  assert.equal(failed.kind, 'denied');
  const state = rig.upstream.state(target.url.host);
  const got = await failureOf(rig.upstream.getManifest(target, latest, undefined, never));
  const told = JSON.stringify([rig.events, state, failed.message, got.message]);
  assert.match(told, /DENIED: no access/);
  assert.doesNotMatch(told, /token-that-is-secret|sesame|X-Amz-Signature|cm9ib3Q/);
});
