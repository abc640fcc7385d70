import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlobPlace } from '../../src/ports/upstream.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  ruleOf,
  targetAt,
  targetOf,
  urlOf,
} from '../support/rigs/upstream-rig.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const digest = digestOf(Buffer.from('x'));

test('T25: a 429 is rateLimited, holds every further request, and ends with Retry-After', async () => {
  await using stage = await openStage((_request, response, count) => {
    if (count > 1) sendManifest(response);
    else
      response
        .writeHead(429, { 'retry-after': '120' })
        .end('{"errors":[{"code":"TOOMANYREQUESTS"}]}');
  });
  await using rig = createRig();
  const target = targetAt(stage);
  const first = await failureOf(rig.upstream.headManifest(target, latest, never));
  assert.deepEqual([first.kind, first.status, first.retryAfterMs], ['rateLimited', 429, 120_000]);
  rig.clock.advance(20_000);
  const held = await Promise.all(
    [
      rig.upstream.getManifest(target, latest, undefined, never),
      rig.upstream.headBlob(target, digest, never),
      rig.upstream.openBlob(target, digest, {}, never),
      rig.upstream.listTags(target, { n: 5 }, never),
    ].map(failureOf),
  );
  assert.deepEqual(
    held.map(({ kind, retryAfterMs }) => [kind, retryAfterMs]),
    Array(4).fill(['rateLimited', 100_000]),
  );
  assert.equal(stage.seen.length, 1);
  assert.equal(rig.upstream.state(target.url.host)?.heldUntil, rig.clock.now() + 100_000);
  assert.deepEqual(
    rig.of('throttled').map(({ reason }) => reason),
    ['rateLimited', 'held', 'held', 'held', 'held'],
  );
  rig.clock.advance(100_000);
  await rig.upstream.headManifest(target, latest, never);
  assert.equal(stage.seen.length, 2);
  assert.equal(rig.upstream.state(target.url.host)?.heldUntil, undefined);
});

test('what came last is told by its order, also where the clock was set back', async () => {
  await using stage = await openStage((_request, response, count) => {
    if (count > 1) sendManifest(response);
    else response.writeHead(429, { 'retry-after': '1' }).end();
  });
  await using rig = createRig();
  const target = targetAt(stage);
  const last = (): string | undefined => rig.upstream.state(target.url.host)?.last;
  await failureOf(rig.upstream.headManifest(target, latest, never));
  assert.equal(last(), 'failure');
  rig.clock.advance(1000);
  rig.clock.setNow(rig.clock.now() - 3_600_000);
  await rig.upstream.headManifest(target, latest, never);
  assert.equal(last(), 'success');
});

test('T26: the abuse limiter’s plain "Too Many Requests" is no other thing', async () => {
  await using stage = await openStage((_request, response) =>
    response.writeHead(429, { 'content-type': 'text/html' }).end('Too Many Requests (HAP429)'),
  );
  await using rig = createRig();
  const failed = await failureOf(
    rig.upstream.getManifest(targetAt(stage), latest, undefined, never),
  );
  assert.deepEqual([failed.kind, failed.retryAfterMs], ['rateLimited', 1000]);
  await failureOf(rig.upstream.getManifest(targetAt(stage), latest, undefined, never));
  assert.equal(stage.seen.length, 1);
});

test('T25: a day of Retry-After holds for 15 minutes at most, and reset lets go', async () => {
  await using stage = await openStage((_request, response) =>
    response.writeHead(429, { 'retry-after': '86400' }).end(),
  );
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  assert.equal(failed.retryAfterMs, 900_000);
  rig.upstream.reset();
  await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
  assert.equal(stage.seen.length, 2);
});

test('T25: a 429 holds its own host and no other', async () => {
  await using stage = await openStage((_request, response) => response.writeHead(429).end());
  await using other = await openStage((_request, response) => sendManifest(response));
  await using rig = createRig();
  const target = targetAt(stage);
  await failureOf(rig.upstream.headManifest(target, latest, never));
  await rig.upstream.headManifest(
    { ...target, url: urlOf(`http://mirror.vendor.com:${other.port}`) },
    latest,
    never,
  );
  await failureOf(rig.upstream.headManifest(target, latest, never));
  assert.deepEqual([stage.seen.length, other.seen.length], [1, 1]);
});

test('T26: a token service’s 429 costs one request for the repositories that follow', async () => {
  await using auth = await openStage((_request, response) =>
    response.writeHead(429).end('Too Many Requests'),
  );
  await using stage = await openStage((_request, response) =>
    response
      .writeHead(401, {
        'www-authenticate': `Bearer realm="http://auth.vendor.com:${auth.port}/t"`,
      })
      .end(),
  );
  await using rig = createRig();
  for (const name of ['team/a', 'team/b', 'team/c']) {
    assert.equal(
      (await failureOf(rig.upstream.headManifest(targetAt(stage, {}, name), latest, never))).kind,
      'rateLimited',
    );
  }
  assert.equal(auth.seen.length, 1);
});

test('T27: Docker Hub’s headers are kept as a limit, and missing headers mean none', async () => {
  let headers: Record<string, string> = {};
  await using stage = await openStage((_request, response) => sendManifest(response, headers));
  await using rig = createRig();
  const target = targetAt(stage);
  await rig.upstream.headManifest(target, latest, never);
  assert.equal(rig.upstream.state(target.url.host)?.limit, undefined);
  assert.equal(rig.of('rateLimit').length, 0);

  headers = {
    'ratelimit-limit': '100;w=21600',
    'ratelimit-remaining': '76;w=21600',
    'docker-ratelimit-source': '192.0.2.1',
  };
  await rig.upstream.headManifest(target, latest, never);
  assert.deepEqual(rig.upstream.state(target.url.host)?.limit, {
    upstream: target.url.host,
    limit: 100,
    remaining: 76,
    windowSeconds: 21_600,
    account: '192.0.2.1',
    resetAt: undefined,
    observedAt: rig.clock.now(),
  });
  const [told] = rig.of('rateLimit');
  assert.deepEqual([told?.limit, told?.remaining, told?.account], [100, 76, '192.0.2.1']);

  headers = {};
  await rig.upstream.headManifest(target, latest, never);
  assert.equal(rig.upstream.state(target.url.host)?.limit, undefined);
});

test('T42: five failures open the breaker of their host alone, and one probe closes it', async () => {
  let down = true;
  await using stage = await openStage((_request, response) => {
    if (down) response.writeHead(500).end();
    else sendManifest(response);
  });
  await using mirror = await openStage((_request, response) => sendManifest(response));
  await using rig = createRig();
  const rule = ruleOf(`http://registry.vendor.com:${stage.port}`);
  const target = targetOf(rule);
  for (let count = 0; count < 5; count += 1) {
    assert.equal(
      (await failureOf(rig.upstream.getManifest(target, latest, undefined, never))).kind,
      'serverError',
    );
  }
  const refused = await failureOf(rig.upstream.getManifest(target, latest, undefined, never));
  assert.deepEqual(
    [refused.kind, refused.reason, refused.retryAfterMs],
    ['network', 'breakerOpen', 1000],
  );
  assert.equal(stage.seen.length, 5);
  const url = urlOf(`http://mirror.vendor.com:${mirror.port}`);
  await rig.upstream.getManifest({ ...target, url }, latest, undefined, never);

  const restsUntil = (): number | undefined => rig.upstream.state(target.url.host)?.restsUntil;
  assert.equal(restsUntil(), rig.clock.now() + 1000);
  rig.clock.advance(1000);
  assert.equal(restsUntil(), undefined);
  assert.equal(
    (await failureOf(rig.upstream.getManifest(target, latest, undefined, never))).kind,
    'serverError',
  );
  rig.clock.advance(1999);
  assert.equal(
    (await failureOf(rig.upstream.getManifest(target, latest, undefined, never))).reason,
    'breakerOpen',
  );
  assert.equal(stage.seen.length, 6);

  down = false;
  rig.clock.advance(1);
  await rig.upstream.getManifest(target, latest, undefined, never);
  await rig.upstream.getManifest(target, latest, undefined, never);
  assert.deepEqual(
    rig.of('breaker').map(({ state }) => state),
    ['open', 'half-open', 'open', 'half-open', 'closed'],
  );
});

test('T42: one failed ping stops nothing', async () => {
  await using stage = await openStage((request, response) => {
    if (request.url === '/v2/') response.writeHead(503).end();
    else sendManifest(response);
  });
  await using rig = createRig();
  const target = targetAt(stage);
  assert.equal((await failureOf(rig.upstream.ping(target.rule, target.url, never))).status, 503);
  await rig.upstream.headManifest(target, latest, never);
  assert.equal(rig.upstream.state(target.url.host)?.breaker, 'closed');
});

test('T42: a redirect’s target that fails rests alone, and telemetry gets no label that an upstream chose', async () => {
  await using store = await openStage((_request, response) => void response.writeHead(500).end());
  await using stage = await openStage((request, response) => {
    if (request.url?.includes('/manifests/') === true) sendManifest(response);
    else response.writeHead(307, { location: `http://cdn.elsewhere.net:${store.port}/b` }).end();
  });
  await using rig = createRig();
  const target = targetAt(stage);
  for (let count = 0; count < 7; count += 1)
    await failureOf(rig.upstream.openBlob(target, digest, {}, never));
  assert.equal(store.seen.length, 5);
  await rig.upstream.headManifest(target, latest, never);
  assert.equal(rig.of('breaker').length, 0);
  const named = rig.events.map((event) => ('upstream' in event ? event.upstream : target.url.host));
  assert.deepEqual(new Set(named), new Set([target.url.host]));
});

/** What `evil.liar.net` has asked of `registry.vendor.com`, and how that answers it. */
const leads: readonly (readonly [name: string, by: 'redirect' | 'realm', status: number])[] = [
  ['a redirect to where it fails', 'redirect', 500],
  ['a redirect to where it asks for peace', 'redirect', 429],
  ['a realm that fails', 'realm', 500],
  ['a realm that asks for peace', 'realm', 429],
];
for (const [name, by, status] of leads) {
  test(`T42: ${name}, named by another upstream, keeps nobody from a registry`, async () => {
    await using stage = await openStage((request, response) => {
      const place = `http://registry.vendor.com:${stage.port}/odd`;
      if (request.url?.startsWith('/odd') === true)
        response.writeHead(status, { 'retry-after': '600' }).end();
      else if (request.headers.host?.startsWith('registry.vendor.com') === true)
        sendManifest(response);
      else if (by === 'redirect') response.writeHead(307, { location: place }).end();
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${place}"` }).end();
    });
    await using rig = createRig();
    const liar = targetOf(ruleOf(`http://evil.liar.net:${stage.port}`));
    for (let count = 0; count < 5; count += 1)
      await failureOf(rig.upstream.getManifest(liar, latest, undefined, never));
    const honest = targetAt(stage);
    await rig.upstream.getManifest(honest, latest, undefined, never);
    assert.equal(rig.upstream.state(honest.url.host)?.heldUntil, undefined);
  });
}

for (const status of [400, 403, 404, 410, 418]) {
  test(`T42: answers of ${status} never open the breaker`, async () => {
    await using stage = await openStage((_request, response) => response.writeHead(status).end());
    await using rig = createRig();
    for (let count = 0; count < 8; count += 1)
      await failureOf(rig.upstream.headManifest(targetAt(stage), latest, never));
    assert.equal(stage.seen.length, 8);
    assert.equal(rig.of('breaker').length, 0);
  });
}

test('a half-open breaker lets one probe out, and a probe whose caller leaves decides nothing', async () => {
  let mode: 'down' | 'silent' | 'up' = 'down';
  await using stage = await openStage((_request, response) => {
    if (mode === 'down') response.writeHead(500).end();
    if (mode === 'up') sendManifest(response);
  });
  await using rig = createRig();
  const target = targetAt(stage);
  for (let count = 0; count < 5; count += 1)
    await failureOf(rig.upstream.getManifest(target, latest, undefined, never));
  mode = 'silent';
  rig.clock.advance(1000);
  const leaving = new AbortController();
  const probe = rig.upstream.getManifest(target, latest, undefined, leaving.signal);
  await stage.reached(6);
  assert.equal(
    (await failureOf(rig.upstream.getManifest(target, latest, undefined, never))).reason,
    'breakerOpen',
  );
  leaving.abort(new Error('gone'));
  await assert.rejects(probe, /gone/);
  mode = 'up';
  await rig.upstream.getManifest(target, latest, undefined, never);
  assert.equal(stage.seen.length, 7);
});

test('blobs wait for one of maxConnections in order, a further piece does not wait, and manifests pass by', async () => {
  const bytes = Buffer.alloc(1000);
  await using stage = await openStage((request, response) => {
    if (request.url?.includes('/manifests/') === true) sendManifest(response);
    else response.writeHead(200, { 'content-length': '1000' }).end(bytes);
  });
  await using rig = createRig();
  const target = targetAt(stage, { maxConnections: 2 });
  const open = (place?: BlobPlace) =>
    rig.upstream.openBlob(target, digest, place === undefined ? {} : { place }, never);
  const places: BlobPlace[] = [];
  const taker = { wanted: true, load: 1, take: (place: BlobPlace) => void places.push(place) };
  const first = await open();
  const offer = rig.upstream.offerPlaces(target, taker);
  assert.equal(places.length, 1, 'the one that is free');
  const second = await open(places[0]);
  const leaving = new AbortController();
  const left = rig.upstream.openBlob(target, digest, {}, leaving.signal);
  const third = open();
  await rig.upstream.headManifest(target, latest, never);
  leaving.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  assert.equal(stage.seen.length, 3);
  await first[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  const opened = await third;
  assert.equal(places.length, 1, 'the one that waited was first');
  assert.equal(stage.seen.length, 4);
  await second[Symbol.asyncDispose]();
  assert.equal(places.length, 2);
  offer[Symbol.dispose]();
  await opened[Symbol.asyncDispose]();
  assert.equal(places.length, 2, 'whoever takes no more gets no more');
  assert.deepEqual(
    rig.of('throttled').map(({ reason }) => reason),
    ['connections', 'connections'],
  );
});

for (const [wanted, until] of [
  [true, 'no connection came free'],
  [false, 'waits'],
] as const) {
  test(`a blob that ${wanted ? 'a client' : 'nobody'} waits for, and that gets no connection for two minutes: ${until}`, async () => {
    await using stage = await openStage((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('x');
    });
    await using rig = createRig();
    const target = targetAt(stage, { maxConnections: 1 });
    await using _first = await rig.upstream.openBlob(target, digest, {}, never);
    const leaving = new AbortController();
    const demand = { wanted };
    const second = rig.upstream.openBlob(target, digest, { demand }, leaving.signal).then(
      () => 'came',
      ({ message }: Error) => message,
    );
    rig.clock.advance(59_999);
    rig.clock.advance(1);
    rig.clock.advance(60_000);
    leaving.abort(new Error('waits'));
    assert.match(await second, new RegExp(until));
  });
}

test('a blob that fails to open gives its place back', async () => {
  await using stage = await openStage((_request, response) => response.writeHead(404).end());
  await using rig = createRig();
  const target = targetAt(stage, { maxConnections: 1 });
  for (let count = 0; count < 3; count += 1) {
    assert.equal(
      (await failureOf(rig.upstream.openBlob(target, digest, {}, never))).kind,
      'notFound',
    );
  }
});
