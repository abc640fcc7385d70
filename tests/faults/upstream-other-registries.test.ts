import assert from 'node:assert/strict';
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
import type { Stage, StageHandler } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const blob = Buffer.from('layer');
const digest = digestOf(blob);

const content: StageHandler = (request, response) => {
  const path = request.url ?? '';
  if (path.includes('/manifests/')) sendManifest(response);
  else if (path.includes('/blobs/')) response.end(request.method === 'HEAD' ? undefined : blob);
  else response.end('{"tags":["a"],"manifests":[]}');
};

/** A registry with a token service of its own, which gives a token for whatever it is asked for. */
async function openOther(): Promise<Stage> {
  const stage: Stage = await openStage((request, response, count) => {
    const path = request.url ?? '';
    if (path.startsWith('/token')) {
      const scope = new URL(path, 'http://stage').searchParams.get('scope') ?? 'all';
      return void response.end(JSON.stringify({ token: Buffer.from(scope).toString('base64url') }));
    }
    const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
    const needs = name === undefined ? 'all' : `repository:${name}:pull`;
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (Buffer.from(token, 'base64url').toString() === needs)
      return content(request, response, count);
    const challenge = `Bearer realm="http://auth.other.net:${stage.port}/token",service="other"`;
    return void response.writeHead(401, { 'www-authenticate': challenge }).end();
  });
  return stage;
}

const calls: Readonly<
  Record<string, (upstream: Upstream, target: UpstreamTarget) => Promise<unknown>>
> = {
  'the HEAD of a manifest': (upstream, target) => upstream.headManifest(target, latest, never),
  'a manifest': (upstream, target) => upstream.getManifest(target, latest, undefined, never),
  'the HEAD of a blob': (upstream, target) => upstream.headBlob(target, digest, never),
  'a blob': async (upstream, target) => {
    await using body = await upstream.openBlob(target, digest, {}, never);
    assert.deepEqual(await readAll(body!.chunks), blob);
  },
  tags: (upstream, target) => upstream.listTags(target, { n: 10 }, never),
  referrers: (upstream, target) => upstream.listReferrers(target, digest, never),
  'the base': (upstream, target) => upstream.ping(target.rule, target.url, never),
};
for (const [name, call] of Object.entries(calls)) {
  for (const status of [301, 307, 308]) {
    test(`a vanity host leads by ${status} to a registry with its own token service for ${name}, without the credential`, async () => {
      await using other = await openOther();
      await using stage = await openStage((request, response) => {
        const to = (request.url ?? '').replace('/v2/team/', '/v2/k8s-artifacts-prod/images/');
        response.writeHead(status, { location: `http://us.other.net:${other.port}${to}` }).end();
      });
      await using rig = createRig();
      const target = targetAt(stage, { credential: secret });
      await call(rig.upstream, target);
      assert.equal(other.seen.length, 3);
      await call(rig.upstream, target);
      assert.equal(other.seen.length, 4);
      assert.deepEqual(
        stage.seen.map(({ headers }) => headers.authorization),
        [undefined, undefined],
      );
      for (const { headers } of other.seen)
        assert.doesNotMatch(headers.authorization ?? '', /Basic/);
    });
  }
}

test('a gateway between the two is passed, and each registry answers its own challenge', async () => {
  await using other = await openOther();
  await using gateway = await openStage((_request, response) =>
    response
      .writeHead(307, {
        location: `http://us.other.net:${other.port}/v2/real/app/manifests/latest`,
      })
      .end(),
  );
  await using stage: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true) response.end('{"token":"first"}');
    else if (request.headers.authorization === 'Bearer first')
      response
        .writeHead(307, { location: `http://gateway.vendor.com:${gateway.port}/route?url=x` })
        .end();
    else
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://auth.vendor.com:${stage.port}/token"`,
        })
        .end();
  });
  await using rig = createRig();
  await rig.upstream.getManifest(targetAt(stage), latest, undefined, never);
  assert.equal(gateway.seen[0]?.headers.authorization, undefined);
});

test('a store that refuses by 401 is asked for no token, and its answer stands', async () => {
  await using store = await openStage((_request, response) =>
    response
      .writeHead(401, { 'www-authenticate': 'Bearer realm="http://accounts.elsewhere.net/"' })
      .end(),
  );
  await using stage = await openStage((_request, response) =>
    response
      .writeHead(307, {
        location: `http://cdn.elsewhere.net:${store.port}/docker/registry/v2/blobs/sha256/aa/data`,
      })
      .end(),
  );
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.openBlob(targetAt(stage), digest, {}, never));
  assert.deepEqual([failed.kind, failed.status], ['denied', 401]);
  assert.equal(store.seen.length, 1);
});

test('another registry whose token service gives nothing answers for itself', async () => {
  await using other: Stage = await openStage((request, response) => {
    if (request.url?.startsWith('/token') === true) response.writeHead(500).end();
    else
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://auth.other.net:${other.port}/token"`,
        })
        .end();
  });
  await using stage = await openStage((request, response) =>
    response.writeHead(307, { location: `http://us.other.net:${other.port}${request.url}` }).end(),
  );
  await using rig = createRig();
  const failed = await failureOf(
    rig.upstream.getManifest(targetAt(stage), latest, undefined, never),
  );
  assert.deepEqual([failed.kind, failed.status], ['denied', 401]);
});

test('T29: a registry behind a redirect can not send anyone to a metadata address', async () => {
  await using other = await openStage((_request, response) =>
    response
      .writeHead(401, { 'www-authenticate': 'Bearer realm="http://169.254.169.254/token"' })
      .end(),
  );
  await using stage = await openStage((request, response) =>
    response.writeHead(307, { location: `http://us.other.net:${other.port}${request.url}` }).end(),
  );
  await using rig = createRig();
  const failed = await failureOf(
    rig.upstream.getManifest(targetAt(stage), latest, undefined, never),
  );
  assert.deepEqual([failed.kind, failed.status], ['denied', 401]);
  assert.equal(rig.of('upstreamRequest').length, 2);
});

const locations: readonly (readonly [string, string, string])[] = [
  ['spaces', '/store/a layer?sig=a b', '/store/a%20layer?sig=a%20b'],
  ['escapes', '/store/a%2Fb?sig=a%2Bb%3D', '/store/a%2Fb?sig=a%2Bb%3D'],
  ['a relative path', '../../../store/b', '/v2/store/b'],
  ['a query alone', '?sig=1', `/v2/team/app/blobs/${digest}?sig=1`],
  ['a fragment', '/store/b#part', '/store/b'],
];
for (const [name, location, asked] of locations) {
  test(`a Location is followed that has ${name}`, async () => {
    await using stage = await openStage((_request, response, count) => {
      if (count === 1) response.writeHead(302, { location }).end();
      else response.end(blob);
    });
    await using rig = createRig();
    await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
    assert.deepEqual(await readAll(body!.chunks), blob);
    assert.equal(stage.seen[1]?.path, asked);
  });
}

const referers: readonly (readonly [string, string, string | undefined])[] = [
  ['the path alone', '/moved', 'http://registry.vendor.com:PORT/v2/team/app/blobs/DIGEST'],
  [
    'no user and password',
    'http://user:pass@registry.vendor.com:PORT/moved',
    'http://registry.vendor.com:PORT/v2/team/app/blobs/DIGEST',
  ],
];
for (const [name, location, expected] of referers) {
  test(`a redirect is followed with the Referer that Go’s client sends: ${name}`, async () => {
    await using stage: Stage = await openStage((request, response) => {
      if (request.url?.startsWith('/v2/') === true)
        response.writeHead(307, { location: location.replace('PORT', String(stage.port)) }).end();
      else response.end(blob);
    });
    await using rig = createRig();
    await using _body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
    const filled = expected?.replace('PORT', String(stage.port)).replace('DIGEST', digest);
    assert.deepEqual(
      stage.seen.map(({ headers }) => headers.referer),
      [undefined, filled],
    );
  });
}

test('a Referer never holds a signature, and further ranges from the same place bring it too', async () => {
  await using stage: Stage = await openStage((request, response) => {
    const path = request.url ?? '';
    if (path.startsWith('/v2/'))
      response.writeHead(307, { location: `/signed?X-Amz-Signature=abc` }).end();
    else if (path.startsWith('/signed'))
      response.writeHead(302, { location: '/store/b?sig=2' }).end();
    else
      response
        .writeHead(206, { 'content-range': `bytes 0-0/${blob.length}` })
        .end(blob.subarray(0, 1));
  });
  await using rig = createRig();
  const range = { start: 0, end: 0 };
  await using first = await rig.upstream.openBlob(targetAt(stage), digest, { range }, never);
  await using _second = await rig.upstream.openBlob(
    targetAt(stage),
    digest,
    { range, location: first!.location },
    never,
  );
  const said = stage.seen.map(({ headers }) => headers.referer?.replace(/^.*?:\d+/, ''));
  assert.deepEqual(said, [undefined, `/v2/team/app/blobs/${digest}`, '/signed', '/signed']);
});
