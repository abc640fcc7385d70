import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { Upstream, UpstreamTarget } from '../../src/ports/upstream.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  readAll,
  secret,
  targetAt,
} from '../support/rigs/upstream-rig.ts';
import { openStage, sendManifest } from '../support/upstreams/stage.ts';
import type { StageHandler } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const digest = digestOf(Buffer.from('x'));

type Ask = (upstream: Upstream, target: UpstreamTarget) => Promise<unknown>;

/** One of each GET; the stage answers each with what it asks for. */
const gets: Readonly<Record<string, Ask>> = {
  manifest: (upstream, target) => upstream.getManifest(target, latest, undefined, never),
  blob: async (upstream, target) => {
    await using body = await upstream.openBlob(target, digest, {}, never);
    return await readAll(body!.chunks);
  },
  tags: (upstream, target) => upstream.listTags(target, { n: 10 }, never),
  referrers: (upstream, target) => upstream.listReferrers(target, digest, never),
};
const heads: Readonly<Record<string, Ask>> = {
  'HEAD of a manifest': (upstream, target) => upstream.headManifest(target, latest, never),
  'HEAD of a blob': (upstream, target) => upstream.headBlob(target, digest, never),
};

const serve: StageHandler = (request, response) => {
  const path = request.url ?? '';
  if (path.includes('/manifests/')) sendManifest(response);
  else if (path.includes('/blobs/')) response.writeHead(200, { 'content-length': '1' }).end('x');
  else if (path.startsWith('/token')) response.end('{"token":"t"}');
  else response.end('{"tags":[],"manifests":[]}');
};

const passing: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  ['502', (response) => response.writeHead(502).end('<html>')],
  ['503', (response) => response.writeHead(503).end()],
  ['504', (response) => response.writeHead(504).end()],
  ['a reset', (response) => void response.destroy()],
];
for (const [kind, ask] of Object.entries(gets)) {
  for (const [name, fail] of passing) {
    test(`the GET of a ${kind} that gets ${name} is sent once more, and the failure is nobody’s`, async () => {
      await using stage = await openStage((request, response, count) => {
        if (count === 1) fail(response);
        else serve(request, response, count);
      });
      await using rig = createRig();
      await ask(rig.upstream, targetAt(stage));
      assert.equal(stage.seen.length, 2);
      assert.equal(rig.of('upstreamRequest').length, 2);
      assert.equal(rig.of('upstreamFailed').length, 0);
    });
  }
}

test('the GET of a token that gets 502 is sent once more', async () => {
  let tokens = 0;
  await using stage = await openStage((request, response, count) => {
    if (request.url?.startsWith('/token') === true && (tokens += 1) === 1)
      response.writeHead(502).end();
    else if (
      request.url?.startsWith('/v2/') === true &&
      request.headers.authorization === undefined
    )
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://${request.headers.host}/token"`,
        })
        .end();
    else serve(request, response, count);
  });
  await using rig = createRig();
  await rig.upstream.getManifest(targetAt(stage), latest, undefined, never);
  assert.equal(tokens, 2);
});

test('what fails twice has failed, and its 503 keeps its Retry-After', async () => {
  await using stage = await openStage((_request, response) =>
    response.writeHead(503, { 'retry-after': '7' }).end(),
  );
  await using rig = createRig();
  const failed = await failureOf(gets['manifest']!(rig.upstream, targetAt(stage)));
  assert.deepEqual([failed.kind, failed.status, failed.retryAfterMs], ['serverError', 503, 7000]);
  assert.equal(stage.seen.length, 2);
  assert.equal(rig.of('upstreamFailed').length, 1);
});

test('a repeat that gets no answer in what time is left hides nothing of the 503 before it', async () => {
  const repeated = Promise.withResolvers<void>();
  await using stage = await openStage((_request, response, count) => {
    if (count === 1) response.writeHead(503, { 'retry-after': '7' }).end();
    else repeated.resolve();
  });
  await using rig = createRig();
  const failing = failureOf(gets['manifest']!(rig.upstream, targetAt(stage)));
  await repeated.promise;
  rig.clock.advance(10_000);
  const failed = await failing;
  assert.deepEqual([failed.kind, failed.status, failed.retryAfterMs], ['serverError', 503, 7000]);
});

test('a GET that failed twice is one failure of the five that open a breaker', async () => {
  await using stage = await openStage((_request, response) => response.writeHead(502).end());
  await using rig = createRig();
  for (let count = 0; count < 5; count += 1) {
    const failed = await failureOf(gets['manifest']!(rig.upstream, targetAt(stage)));
    assert.equal(failed.kind, 'serverError');
  }
  assert.equal(stage.seen.length, 10);
  const rests = await failureOf(gets['manifest']!(rig.upstream, targetAt(stage)));
  assert.equal(rests.reason, 'breakerOpen');
});

const final: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  ['500', (response) => response.writeHead(500).end()],
  ['501', (response) => response.writeHead(501).end()],
  ['404', (response) => response.writeHead(404).end()],
];
for (const [name, fail] of final) {
  test(`${name} is an answer, and is not asked for twice`, async () => {
    await using stage = await openStage((_request, response) => fail(response));
    await using rig = createRig();
    await failureOf(gets['manifest']!(rig.upstream, targetAt(stage)));
    assert.equal(stage.seen.length, 1);
  });
}

for (const [name, ask] of Object.entries(heads)) {
  test(`a ${name} that gets 503 is not repeated, and is no failure that opens the breaker`, async () => {
    await using stage = await openStage((request, response, count) => {
      if (request.method === 'HEAD') response.writeHead(503).end();
      else serve(request, response, count);
    });
    await using rig = createRig();
    for (let count = 1; count <= 8; count += 1) {
      const failed = await failureOf(ask(rig.upstream, targetAt(stage)));
      assert.deepEqual([failed.kind, failed.status], ['serverError', 503]);
      assert.equal(stage.seen.length, count);
    }
    await gets['manifest']!(rig.upstream, targetAt(stage));
    assert.equal(rig.of('breaker').length, 0);
  });
}

for (const [name, fail] of [
  ...passing,
  ['500', (response: ServerResponse) => response.writeHead(500).end()] as const,
]) {
  test(`referrers that fail by ${name} stop no pull`, async () => {
    await using stage = await openStage((request, response, count) => {
      if (request.url?.includes('/referrers/') === true) fail(response);
      else serve(request, response, count);
    });
    await using rig = createRig();
    for (let count = 0; count < 8; count += 1)
      await failureOf(gets['referrers']!(rig.upstream, targetAt(stage)));
    await gets['manifest']!(rig.upstream, targetAt(stage));
    assert.equal(rig.of('breaker').length, 0);
  });
}

test('GHCR’s 429 that puts a request off by microseconds costs one more request and no client’s pull', async () => {
  await using stage = await openStage((request, response, count) => {
    if (count > 1) serve(request, response, count);
    else {
      const message = 'retry-after: 985.86µs, allowed: 44000/minute';
      response
        .writeHead(429, { 'content-type': 'application/json' })
        .end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message }] }));
    }
  });
  await using rig = createRig();
  const work = rig.upstream.getManifest(targetAt(stage), latest, undefined, never);
  await stage.reached(1);
  while (stage.seen.length < 2) {
    await new Promise((resolve) => setImmediate(resolve));
    rig.clock.advance(1);
  }
  await work;
  assert.equal(rig.of('throttled').length, 0);
});

test('a 429 without a duration holds 1 s, doubling to 60 s, and an answer begins anew', async () => {
  let limited = true;
  await using stage = await openStage((request, response, count) => {
    if (limited) response.writeHead(429).end('Too Many Requests');
    else serve(request, response, count);
  });
  await using rig = createRig();
  const ask = () => rig.upstream.getManifest(targetAt(stage), latest, undefined, never);
  const waits: unknown[] = [];
  for (let count = 0; count < 8; count += 1) {
    const { retryAfterMs } = await failureOf(ask());
    waits.push(retryAfterMs);
    rig.clock.advance(retryAfterMs ?? 0);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  limited = false;
  await ask();
  limited = true;
  assert.equal((await failureOf(ask())).retryAfterMs, 1000);
});

test('an answer to what was sent before a hold is no news of it: the next hold is twice as long', async () => {
  const slow = Promise.withResolvers<ServerResponse>();
  await using stage = await openStage((request, response) => {
    if (request.url?.includes('/manifests/') === true) response.writeHead(429).end();
    else slow.resolve(response);
  });
  await using rig = createRig();
  const ask = () => failureOf(rig.upstream.getManifest(targetAt(stage), latest, undefined, never));
  const before = rig.upstream.listTags(targetAt(stage), {}, never);
  const response = await slow.promise;
  assert.equal((await ask()).retryAfterMs, 1000);
  response.end('{"tags":[]}');
  await before;
  rig.clock.advance(1000);
  assert.equal((await ask()).retryAfterMs, 2000);
});

test('429s that were on their way together are one hold', async () => {
  const waiting: ServerResponse[] = [];
  await using stage = await openStage((_request, response) => {
    waiting.push(response);
    if (waiting.length === 5) for (const one of waiting) one.writeHead(429).end();
  });
  await using rig = createRig();
  const asked = Array.from({ length: 5 }, () =>
    failureOf(rig.upstream.getManifest(targetAt(stage), latest, undefined, never)),
  );
  for (const failed of await Promise.all(asked)) assert.equal(failed.retryAfterMs, 1000);
});

test('a hold is of one credential: another’s rule and a rule without go on', async () => {
  await using stage = await openStage((request, response, count) => {
    const authorization = request.headers.authorization ?? '';
    if (authorization.startsWith('Basic cm9ib3Q6'))
      response.writeHead(429, { 'retry-after': '90' }).end();
    else if (authorization === '') response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
    else serve(request, response, count);
  });
  await using rig = createRig();
  const limited = targetAt(stage, { credential: secret });
  const other = targetAt(stage, { credential: { ...secret, name: 'other', username: 'other' } });
  assert.equal((await failureOf(gets['manifest']!(rig.upstream, limited))).kind, 'rateLimited');
  await gets['manifest']!(rig.upstream, other);
  const seen = stage.seen.length;
  assert.equal((await failureOf(gets['manifest']!(rig.upstream, limited))).kind, 'rateLimited');
  assert.equal(stage.seen.length, seen);
  const { host } = limited.url;
  const until = rig.clock.now() + 90_000;
  assert.equal(rig.upstream.state(host, limited.rule)?.heldUntil, until);
  assert.equal(rig.upstream.state(host, other.rule)?.heldUntil, undefined);
  assert.equal(rig.upstream.state(host)?.heldUntil, until);
});
