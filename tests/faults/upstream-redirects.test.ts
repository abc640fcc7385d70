import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { PullRule } from '../../src/domain/rules/pull-rule.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  readAll,
  secret,
  secretBasic,
  targetAt,
} from '../support/rigs/upstream-rig.ts';
import { manifestBytes, openStage, sendManifest } from '../support/upstreams/stage.ts';
import type { Stage } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const blob = Buffer.from('0123456789'.repeat(100));
const digest = digestOf(blob);

function redirect(response: ServerResponse, to: string, status = 307): void {
  response.writeHead(status, { location: to, 'content-length': '0' });
  response.end();
}

/** Serves `blob` with ranges, as an object store does. */
function serveBlob(response: ServerResponse): void {
  const found = /^bytes=(\d+)-(\d*)$/.exec(response.req.headers.range ?? '');
  if (found === null) {
    response.writeHead(200, { 'content-length': String(blob.length), 'accept-ranges': 'bytes' });
    response.end(blob);
    return;
  }
  const start = Number(found[1]);
  const end = found[2] === '' ? blob.length - 1 : Math.min(Number(found[2]), blob.length - 1);
  const part = blob.subarray(start, end + 1);
  response.writeHead(206, {
    'content-length': String(part.length),
    'content-range': `bytes ${start}-${end}/${blob.length}`,
  });
  response.end(part);
}

test('T30: a redirect to another origin carries no Authorization, a relative one does', async () => {
  await using store = await openStage((_request, response) => serveBlob(response));
  await using stage = await openStage((request, response) => {
    if (request.headers.authorization !== secretBasic) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' });
      response.end();
    } else if (request.url?.startsWith('/v2/') === true) redirect(response, '/moved/blob');
    else redirect(response, `http://cdn.elsewhere.net:${store.port}/b?X-Amz-Signature=abc`);
  });
  await using rig = createRig();
  await using body = await rig.upstream.openBlob(
    targetAt(stage, { credential: secret }),
    digest,
    { range: { start: 5, end: 9 } },
    never,
  );
  assert.equal((await readAll(body!.chunks)).toString(), '56789');
  assert.deepEqual(
    stage.seen.map(({ path }) => path),
    [`/v2/team/app/blobs/${digest}`, `/v2/team/app/blobs/${digest}`, '/moved/blob'],
  );
  assert.equal(stage.seen[2]?.headers.authorization, secretBasic);
  assert.equal(store.seen.length, 1);
  assert.equal(store.seen[0]?.headers.authorization, undefined);
  assert.equal(store.seen[0]?.headers.range, 'bytes=5-9');
});

test('T30: another port is another origin, and an origin that was left gets no Authorization again', async () => {
  await using other: Stage = await openStage((_request, response) =>
    redirect(response, `http://registry.vendor.com:${stage.port}/back`),
  );
  await using stage: Stage = await openStage((request, response) => {
    if (request.url === '/back') return serveBlob(response);
    if (request.headers.authorization !== undefined)
      return redirect(response, `http://registry.vendor.com:${other.port}/x`);
    return response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
  });
  await using rig = createRig();
  await using _body = await rig.upstream.openBlob(
    targetAt(stage, { credential: secret }),
    digest,
    {},
    never,
  );
  assert.equal(other.seen[0]?.headers.authorization, undefined);
  assert.equal(stage.seen.at(-1)?.path, '/back');
  assert.equal(stage.seen.at(-1)?.headers.authorization, undefined);
});

test('manifests, tags and referrers follow redirects', async () => {
  await using stage = await openStage((request, response) => {
    if (request.url?.startsWith('/v2/') === true)
      return redirect(response, `..${request.url}`.replace('../v2', '/real'), 302);
    if (request.url?.includes('/manifests/') === true) return sendManifest(response);
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(
      request.url?.includes('/tags/') === true ? '{"tags":["a"]}' : '{"manifests":[]}',
    );
  });
  await using rig = createRig();
  const target = targetAt(stage);
  assert.equal(
    (await rig.upstream.getManifest(target, latest, undefined, never))?.digest,
    digestOf(manifestBytes),
  );
  assert.deepEqual(await rig.upstream.listTags(target, { n: 10 }, never), {
    tags: ['a'],
    next: undefined,
  });
  assert.deepEqual(await rig.upstream.listReferrers(target, digest, never), []);
  assert.equal(stage.seen.length, 6);
});

const refusals: readonly (readonly [string, string, string, Partial<PullRule>?])[] = [
  ['a link-local metadata address', 'http://169.254.169.254/latest/meta-data', 'addressRefused'],
  [
    'a metadata address although allowHosts names it',
    'http://169.254.169.254/x',
    'addressRefused',
    { allowHosts: ['169.254.169.254'] },
  ],
  ['a mapped metadata address', 'http://[::ffff:a9fe:a9fe]/x', 'addressRefused'],
  ['Alibaba’s metadata address', 'http://100.100.100.200/x', 'addressRefused'],
  ['loopback', 'http://127.0.0.1:5001/metrics', 'addressRefused'],
  ['loopback in another spelling', 'http://0x7f.1/', 'addressRefused'],
  ['IPv6 loopback', 'http://[::1]/', 'addressRefused'],
  ['the unspecified address', 'http://0.0.0.0/', 'addressRefused'],
  ['a private address', 'http://10.1.2.3/', 'addressRefused'],
  ['localhost', 'http://localhost/', 'addressRefused'],
  ['a cloud’s metadata name', 'http://metadata.google.internal/', 'addressRefused'],
  ['another scheme', 'file:///etc/passwd', 'redirectRefused'],
  ['an unusable Location', 'http://[', 'badHeader'],
];
for (const [name, to, reason, rule] of refusals) {
  test(`a redirect to ${name} is not followed`, async () => {
    await using stage = await openStage((_request, response) => redirect(response, to));
    await using rig = createRig();
    const failed = await failureOf(rig.upstream.openBlob(targetAt(stage, rule), digest, {}, never));
    assert.deepEqual([failed.kind, failed.reason], ['invalid', reason]);
    assert.equal(stage.seen.length, 1);
    assert.equal(rig.of('upstreamRequest').length, 1);
    assert.equal(rig.of('upstreamFailed').length, 1);
  });
}

test('a redirect to a name that leads to a private address is not followed', async () => {
  await using store = await openStage((_request, response) => serveBlob(response));
  await using stage = await openStage((_request, response) =>
    redirect(response, `http://inside.corp.net:${store.port}/`),
  );
  await using rig = createRig({
    lookup: async (host) => [
      { address: host === 'inside.corp.net' ? '127.0.0.1' : '203.0.113.10', family: 4 },
    ],
  });
  const failed = await failureOf(rig.upstream.openBlob(targetAt(stage), digest, {}, never));
  assert.equal(failed.reason, 'addressRefused');
  assert.equal(store.seen.length, 0);
});

test('allowHosts admits a redirect to a private address', async () => {
  await using store = await openStage((_request, response) => serveBlob(response));
  await using stage = await openStage((_request, response) =>
    redirect(response, `http://inside.corp.net:${store.port}/`),
  );
  await using rig = createRig({
    lookup: async (host) => [
      { address: host === 'inside.corp.net' ? '127.0.0.1' : '203.0.113.10', family: 4 },
    ],
  });
  await using body = await rig.upstream.openBlob(
    targetAt(stage, { allowHosts: ['inside.corp.net'] }),
    digest,
    {},
    never,
  );
  assert.equal((await readAll(body!.chunks)).length, blob.length);
});

test('a rule whose own host is on loopback may be redirected to loopback', async () => {
  await using store = await openStage((_request, response) => serveBlob(response));
  await using stage = await openStage((_request, response) =>
    redirect(response, `http://127.0.0.1:${store.port}/`),
  );
  await using rig = createRig({ lookup: async () => [{ address: '127.0.0.1', family: 4 }] });
  await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
  assert.equal(body?.total, blob.length);
});

test('a redirect to itself ends at once', async () => {
  await using stage = await openStage((request, response) => redirect(response, request.url ?? ''));
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.openBlob(targetAt(stage), digest, {}, never));
  assert.deepEqual([failed.kind, failed.reason], ['invalid', 'redirectLoop']);
  assert.equal(stage.seen.length, 1);
});

test('redirects that never end, end after five', async () => {
  await using stage = await openStage((_request, response, count) =>
    redirect(response, `/hop/${count}`),
  );
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.openBlob(targetAt(stage), digest, {}, never));
  assert.equal(failed.reason, 'redirectLoop');
  assert.equal(stage.seen.length, 6);
});

test('T31: a location serves further ranges without the registry', async () => {
  await using store = await openStage((_request, response) => serveBlob(response));
  await using stage = await openStage((_request, response) =>
    redirect(response, `http://cdn.elsewhere.net:${store.port}/b?sig=1`),
  );
  await using rig = createRig();
  const target = targetAt(stage);
  await using first = await rig.upstream.openBlob(
    target,
    digest,
    { range: { start: 0, end: 99 } },
    never,
  );
  await using second = await rig.upstream.openBlob(
    target,
    digest,
    { range: { start: 100 }, location: first!.location },
    never,
  );
  assert.equal(second?.start, 100);
  assert.deepEqual(await readAll(second!.chunks), blob.subarray(100));
  assert.deepEqual([stage.seen.length, store.seen.length], [1, 2]);
});

for (const status of [401, 403, 404, 410]) {
  test(`T31: a location that answers ${status} is resolved anew, once`, async () => {
    let valid = '/b?sig=1';
    let dead = false;
    await using store = await openStage((request, response) => {
      if (request.url === valid && !dead) serveBlob(response);
      else
        response
          .writeHead(status, { 'content-type': 'application/xml' })
          .end('<Error>expired</Error>');
    });
    await using stage = await openStage((_request, response) =>
      redirect(response, `http://cdn.elsewhere.net:${store.port}${valid}`),
    );
    await using rig = createRig();
    const target = targetAt(stage);
    await using first = await rig.upstream.openBlob(
      target,
      digest,
      { range: { start: 0, end: 1 } },
      never,
    );
    valid = '/b?sig=2';
    await using second = await rig.upstream.openBlob(
      target,
      digest,
      { range: { start: 2 }, location: first!.location },
      never,
    );
    assert.equal(second?.start, 2);
    assert.deepEqual([stage.seen.length, store.seen.length], [2, 3]);
    assert.equal(rig.of('upstreamFailed').length, 0);

    dead = true;
    const failed = await failureOf(
      rig.upstream.openBlob(target, digest, { location: second!.location }, never),
    );
    assert.equal(failed.status, status);
    assert.deepEqual([stage.seen.length, store.seen.length], [3, 5]);
  });
}

test('T31: a location and its failures never show the presigned query', async () => {
  await using store = await openStage((_request, response) => response.writeHead(500).end());
  await using stage = await openStage((_request, response) =>
    redirect(response, `http://cdn.elsewhere.net:${store.port}/b?sig=presigned`),
  );
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.openBlob(targetAt(stage), digest, {}, never));
  assert.doesNotMatch(
    JSON.stringify([failed.message, rig.events]) + String(failed.stack),
    /presigned/,
  );
});
