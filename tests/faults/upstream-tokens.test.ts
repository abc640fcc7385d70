import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Credential } from '../../src/domain/rules/pull-rule.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  secret,
  secretBasic,
  targetAt,
} from '../support/rigs/upstream-rig.ts';
import { until } from '../support/rigs/until.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';
import type { Stage } from '../support/upstreams/stage.ts';

type Answering = (request: IncomingMessage, response: ServerResponse, port: number) => void;

/** A registry whose realm is `/token` of auth.vendor.com, at the same port; it takes the token `good`. */
async function openRegistry(token: Answering): Promise<Stage> {
  const stage: Stage = await openStage((request, response) => {
    const { port } = stage;
    if (request.url?.startsWith('/v2/') !== true) return token(request, response, port);
    if (request.headers.authorization === 'Bearer good') return sendManifest(response);
    const challenge = `Bearer realm="http://auth.vendor.com:${port}/token",service="s"`;
    return void response.writeHead(401, { 'www-authenticate': challenge }).end();
  });
  return stage;
}

const now = Date.UTC(2026, 0, 1);
const iso = (ms: number): string => new Date(now + ms).toISOString();

/** Each answer, and for how many milliseconds its token is used: a tenth of its life, 30 s at most, is left for clocks. */
const lives: readonly (readonly [string, object, number])[] = [
  ['no expires_in', { token: 'good' }, 54_000],
  ['expires_in of 0', { token: 'good', expires_in: 0 }, 54_000],
  ['a negative expires_in', { token: 'good', expires_in: -5 }, 54_000],
  ['expires_in as a text', { token: 'good', expires_in: '600' }, 570_000],
  ['expires_in that is no number', { token: 'good', expires_in: 'soon' }, 54_000],
  ['expires_in of a fraction', { token: 'good', expires_in: 90.5 }, 81_450],
  ['a huge expires_in', { token: 'good', expires_in: 1e15 }, 86_370_000],
  ['access_token beside an empty token', { token: '', access_token: 'good' }, 54_000],
  ['both, token first', { token: 'good', access_token: 'other' }, 54_000],
  ['issued_at of now', { token: 'good', expires_in: 300, issued_at: iso(0) }, 270_000],
  [
    'issued_at three minutes ago',
    { token: 'good', expires_in: 300, issued_at: iso(-180_000) },
    108_000,
  ],
  ['issued_at ages ago', { token: 'good', expires_in: 300, issued_at: iso(-9e9) }, 54_000],
  ['issued_at tomorrow', { token: 'good', expires_in: 300, issued_at: iso(9e7) }, 270_000],
  ['issued_at that is no date', { token: 'good', expires_in: 300, issued_at: 'yes' }, 270_000],
];
for (const [name, answer, usableMs] of lives) {
  test(`a token with ${name} is used for ${usableMs / 1000} s`, async () => {
    await using stage = await openRegistry((_request, response) =>
      response.end(JSON.stringify(answer)),
    );
    await using rig = createRig();
    const tokens = () => stage.seen.filter(({ path }) => path.startsWith('/token')).length;
    const ask = () => rig.upstream.headManifest(targetAt(stage), latest, never);
    await ask();
    rig.clock.advance(usableMs - 1);
    await ask();
    assert.equal(tokens(), 1);
    rig.clock.advance(1);
    await ask();
    assert.equal(tokens(), 2);
  });
}

const shapes: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  [
    'as text/html',
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('{"token":"good"}'),
  ],
  ['without a type', (response) => response.writeHead(200).end('{"token":"good"}')],
  ['with 201', (response) => response.writeHead(201).end('{"token":"good"}')],
  [
    'compressed',
    (response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"token":"good"}')),
  ],
  [
    'said to be compressed',
    (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('{"token":"good"}'),
  ],
  ['with a line break after it', (response) => response.end('{"token":"good"}\n\n')],
];
for (const [name, answer] of shapes) {
  test(`a token that comes ${name} is read`, async () => {
    await using stage = await openRegistry((_request, response) => answer(response));
    await using rig = createRig();
    await rig.upstream.headManifest(targetAt(stage), latest, never);
    assert.equal(stage.seen.at(-1)?.headers.authorization, 'Bearer good');
  });
}

test('a token that unpacks to a gigabyte is no token, and is not unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  await using stage = await openRegistry((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
  );
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  assert.deepEqual([failed.kind, failed.reason], ['invalid', 'badJson']);
});

interface Redirected {
  readonly name: string;
  readonly status?: number;
  /** By the request's path and port, the Location; a token where there is none. */
  readonly location: (path: string, port: number) => string | undefined;
  /** Whether the last request to a token service brings the credential. */
  readonly shown: boolean;
}
const once =
  (to: (port: number) => string): Redirected['location'] =>
  (path, port) =>
    path.startsWith('/token') ? to(port) : undefined;
const redirects: readonly Redirected[] = [
  { name: 'to another path', location: once(() => '/real'), shown: true },
  {
    name: 'by 301 on the same host',
    status: 301,
    location: once((port) => `http://auth.vendor.com:${port}/real`),
    shown: true,
  },
  {
    name: 'to another host of the same domain',
    location: once((port) => `http://login.vendor.com:${port}/real`),
    shown: false,
  },
  {
    name: 'to another domain',
    location: once((port) => `http://auth.elsewhere.net:${port}/real`),
    shown: false,
  },
  {
    name: 'five times',
    status: 308,
    location: (path) =>
      path.startsWith('/token') ? '/1' : path < '/5' ? `/${Number(path[1]) + 1}` : undefined,
    shown: true,
  },
];
for (const { name, status = 307, location, shown } of redirects) {
  test(`a token service that redirects ${name} is followed, ${shown ? 'with' : 'without'} the credential`, async () => {
    await using stage = await openRegistry((request, response, port) => {
      const to = location(request.url ?? '', port);
      if (to === undefined) response.end('{"token":"good"}');
      else response.writeHead(status, { location: to }).end();
    });
    await using rig = createRig();
    await rig.upstream.headManifest(targetAt(stage, { credential: secret }), latest, never);
    const [first, ...others] = stage.seen.filter(({ path }) => !path.startsWith('/v2/'));
    assert.equal(first?.headers.authorization, secretBasic);
    assert.equal(others.at(-1)?.headers.authorization, shown ? secretBasic : undefined);
  });
}

test('a realm that answers 301 to another port is followed', async () => {
  await using moved = await openStage((_request, response) => response.end('{"token":"good"}'));
  await using stage = await openRegistry((request, response) =>
    response
      .writeHead(301, { location: `http://auth.vendor.com:${moved.port}${request.url}` })
      .end(),
  );
  await using rig = createRig();
  await rig.upstream.headManifest(targetAt(stage), latest, never);
  assert.match(
    moved.seen[0]?.path ?? '',
    /^\/token\?service=s&scope=repository%3Ateam%2Fapp%3Apull$/,
  );
});

const badRedirects: readonly (readonly [string, string, readonly [string, string]])[] = [
  ['for ever', '/token', ['invalid', 'redirectLoop']],
  ['to a metadata address', 'http://169.254.169.254/token', ['denied', 'realmRefused']],
  ['to another scheme', 'ftp://auth.vendor.com/token', ['denied', 'realmRefused']],
  ['to what is no URL', 'http://[', ['invalid', 'badHeader']],
];
for (const [name, location, expected] of badRedirects) {
  test(`a token service that redirects ${name} gives nothing`, async () => {
    await using stage = await openRegistry((_request, response) =>
      response.writeHead(302, { location }).end(),
    );
    await using rig = createRig();
    const failed = await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
    assert.deepEqual([failed.kind, failed.reason], expected);
    assert.equal(stage.seen.length <= 7, true);
  });
}

const identity = (username: string): Credential => ({
  name: 'acr',
  username,
  accessToken: 'refresh-me',
});
const zero = '00000000-0000-0000-0000-000000000000';

async function formOf(request: IncomingMessage): Promise<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams((await buffer(request)).toString()));
}

for (const username of [zero, '<token>']) {
  test(`the identity token of ${username} is exchanged by POST, as Azure’s registry wants it`, async () => {
    const forms: unknown[] = [];
    await using stage = await openRegistry((request, response) => {
      void formOf(request).then((form) => {
        forms.push([request.method, request.headers['content-type'], form]);
        response.end('{"access_token":"good"}');
      });
    });
    await using rig = createRig();
    const target = targetAt(stage, { credential: identity(username) });
    await rig.upstream.headManifest(target, latest, never);
    const form = {
      grant_type: 'refresh_token',
      client_id: 'breakwater',
      service: 's',
      scope: 'repository:team/app:pull',
      refresh_token: 'refresh-me',
    };
    assert.deepEqual(forms, [['POST', 'application/x-www-form-urlencoded', form]]);
    assert.equal(stage.seen[1]?.path, '/token');
    assert.equal(stage.seen[1]?.headers.authorization, undefined);
  });
}

for (const status of [400, 401, 403, 404, 405, 406, 415, 501, 301]) {
  test(`a token service that answers ${status} to POST is asked by GET, and by GET alone later`, async () => {
    await using stage = await openRegistry((request, response) => {
      if (request.method === 'POST') response.writeHead(status, { location: '/elsewhere' }).end();
      else response.end('{"token":"good"}');
    });
    await using rig = createRig();
    const credential = identity(zero);
    await rig.upstream.headManifest(targetAt(stage, { credential }), latest, never);
    await rig.upstream.headManifest(targetAt(stage, { credential }, 'team/other'), latest, never);
    const asked = stage.seen.filter(({ path }) => !path.startsWith('/v2/'));
    assert.deepEqual(
      asked.map(({ method }) => method),
      ['POST', 'GET', 'GET'],
    );
    const basic = `Basic ${Buffer.from(`${zero}:refresh-me`).toString('base64')}`;
    assert.equal(asked[1]?.headers.authorization, basic);
  });
}

for (const [post, get, status] of [
  [401, 401, 401],
  [400, 403, 403],
  [400, 404, 400],
  [405, 404, 404],
] as const) {
  test(`an identity token that is refused by ${post} to POST and ${get} to GET is refused by ${status}, and both ask once`, async () => {
    await using stage = await openRegistry((request, response) =>
      response.writeHead(request.method === 'POST' ? post : get).end('{}'),
    );
    await using rig = createRig();
    const target = targetAt(stage, { credential: identity(zero) });
    for (let times = 0; times < 2; times += 1) {
      const failed = await failureOf(rig.upstream.headManifest(target, latest, never));
      assert.deepEqual([failed.reason, failed.status], ['tokenRefused', status]);
    }
    const asked = stage.seen.filter(({ path }) => !path.startsWith('/v2/'));
    assert.deepEqual(
      asked.map(({ method }) => method),
      ['POST', 'GET'],
    );
  });
}

test('a token that was fetched after a reset is kept, though a fetch from before it fails later', async () => {
  const held: ServerResponse[] = [];
  await using stage = await openRegistry((_request, response) => {
    if (held.push(response) > 1) response.end('{"token":"good"}');
  });
  await using rig = createRig();
  const ask = () => rig.upstream.headManifest(targetAt(stage), latest, never);
  const before = failureOf(ask());
  await until(() => held.length === 1);
  rig.upstream.reset();
  await ask();
  held[0]?.writeHead(403).end();
  await before;
  await ask();
  assert.equal(held.length, 2);
});

test('T29: an identity token goes to no other host, not by a redirect either', async () => {
  await using stage = await openRegistry((_request, response, port) =>
    response.writeHead(307, { location: `http://login.vendor.com:${port}/real` }).end(),
  );
  await using rig = createRig();
  const target = targetAt(stage, { credential: identity(zero) });
  assert.equal(
    (await failureOf(rig.upstream.headManifest(target, latest, never))).reason,
    'realmRefused',
  );
  assert.deepEqual(
    new Set(stage.seen.map(({ host }) => host.split(':')[0])),
    new Set(['registry.vendor.com', 'auth.vendor.com']),
  );
});
