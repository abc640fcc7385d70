import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Digest } from '../../src/domain/names/digest.ts';
import {
  createRig,
  failureOf,
  latest,
  never,
  readAll,
  reference,
  targetAt,
} from '../support/rigs/upstream-rig.ts';
import {
  manifestBytes,
  manifestType,
  openStage,
  sendManifest,
} from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

type Headers = Readonly<Record<string, string>>;

/** Labels under which right bytes come as they are. */
const labels: readonly (readonly [string, Headers])[] = [
  ['text/html', { 'content-type': 'text/html; charset=utf-8' }],
  ['application/xhtml+xml', { 'content-type': 'application/xhtml+xml' }],
  ['no type', {}],
  ['x-gzip, as httpd says of what looks like gzip', { 'content-encoding': 'x-gzip' }],
  ['gzip', { 'content-encoding': 'gzip' }],
  ['deflate', { 'content-encoding': 'deflate' }],
  ['br', { 'content-encoding': 'br' }],
  ['zstd', { 'content-encoding': 'zstd' }],
  ['identity', { 'content-encoding': 'identity' }],
  ['aws-chunked, as stores keep it', { 'content-encoding': 'aws-chunked' }],
  ['a coding that nobody knows', { 'content-encoding': 'none, utf-8' }],
  ['five codings', { 'content-encoding': 'gzip, gzip, gzip, gzip, gzip' }],
];
/** A layer that is gzip itself, beside plain bytes. */
const layers: readonly (readonly [string, Buffer])[] = [
  ['plain', Buffer.from('a configuration or a tar')],
  ['gzip', gzipSync('a tar')],
  ['large', Buffer.alloc(3_000_000, 'layer')],
];

function send(response: ServerResponse, headers: Headers, bytes: Uint8Array, known: boolean): void {
  const length = known ? { 'content-length': String(bytes.length) } : {};
  response.writeHead(200, { ...headers, ...length });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}

for (const [label, headers] of labels) {
  test(`right bytes of a manifest are right under ${label}, by digest and by tag`, async () => {
    await using stage = await openStage((_request, response) =>
      send(response, headers, manifestBytes, true),
    );
    await using rig = createRig();
    const target = targetAt(stage);
    const wanted = {
      digest: digestOf(manifestBytes),
      mediaType: manifestType,
      bytes: manifestBytes,
    };
    const byDigest = reference(wanted.digest);
    assert.deepEqual(await rig.upstream.getManifest(target, byDigest, undefined, never), wanted);
    assert.deepEqual(await rig.upstream.getManifest(target, latest, undefined, never), wanted);
    await rig.upstream.headManifest(target, latest, never);
    assert.equal(rig.of('upstreamFailed').length, 0);
  });

  for (const [name, layer] of layers) {
    test(`right bytes of a ${name} blob are right under ${label}, with its length and without`, async () => {
      await using stage = await openStage((request, response) =>
        send(response, headers, layer, request.url?.includes('known') === true),
      );
      await using rig = createRig();
      for (const repository of ['team/known', 'team/chunked']) {
        const target = targetAt(stage, {}, repository);
        await using body = await rig.upstream.openBlob(target, digestOf(layer), {}, never);
        assert.ok(layer.equals(await readAll(body!.chunks)));
      }
      assert.equal(rig.of('upstreamFailed').length, 0);
    });
  }
}

const codings: readonly (readonly [string, (bytes: Uint8Array) => Buffer])[] = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['deflate, gzip', (bytes) => gzipSync(deflateSync(bytes))],
  ['aws-chunked, gzip', gzipSync],
  ['GZIP', gzipSync],
];
for (const [coding, encode] of codings) {
  test(`what a proxy has compressed by ${coding} is decoded where its digest is then right`, async () => {
    const config = Buffer.from('{"architecture":"amd64"}');
    await using stage = await openStage((request, response) => {
      const bytes = encode(request.url?.includes('/blobs/') === true ? config : manifestBytes);
      send(
        response,
        { 'content-encoding': coding },
        bytes,
        request.url?.includes('/blobs/') === true,
      );
    });
    await using rig = createRig();
    const target = targetAt(stage);
    const byDigest = reference(digestOf(manifestBytes));
    for (const asked of [byDigest, latest]) {
      const found = await rig.upstream.getManifest(target, asked, undefined, never);
      assert.deepEqual(found?.bytes, manifestBytes);
    }
    await using body = await rig.upstream.openBlob(target, digestOf(config), {}, never);
    assert.deepEqual([body?.start, body?.total, body?.partial], [0, config.length, false]);
    assert.deepEqual(await readAll(body!.chunks), config);
  });
}

test('a HEAD of what is compressed says no size: it would be another’s', async () => {
  await using stage = await openStage((_request, response) =>
    send(response, { 'content-encoding': 'gzip' }, gzipSync(manifestBytes), true),
  );
  await using rig = createRig();
  const target = targetAt(stage);
  assert.equal((await rig.upstream.headManifest(target, latest, never)).size, undefined);
  assert.deepEqual(await rig.upstream.headBlob(target, digestOf(manifestBytes), never), {
    size: undefined,
  });
});

const unpacked = Buffer.from(`{"schemaVersion":2,"pad":"${' '.repeat(5 * 1024 * 1024)}"}`);
const bomb = gzipSync(unpacked);
test('what unpacks to more than 4 MiB is no manifest and no small blob, though its digest were right', async () => {
  await using stage = await openStage((_request, response) =>
    send(response, { 'content-encoding': 'gzip' }, bomb, true),
  );
  await using rig = createRig();
  const target = targetAt(stage);
  const right = digestOf(unpacked);
  for (const asked of [latest, reference(right)]) {
    const failed = await failureOf(rig.upstream.getManifest(target, asked, undefined, never));
    assert.equal(failed.kind, 'invalid');
  }
  await using body = await rig.upstream.openBlob(target, right, {}, never);
  assert.equal(digestOf(await readAll(body!.chunks)), digestOf(bomb));
});

test('lists that are compressed although that was not asked for are read', async () => {
  await using stage = await openStage((_request, response) =>
    send(response, { 'content-encoding': 'gzip' }, gzipSync('{"tags":["a"],"manifests":[]}'), true),
  );
  await using rig = createRig();
  const target = targetAt(stage);
  assert.deepEqual((await rig.upstream.listTags(target, { n: 10 }, never)).tags, ['a']);
  assert.deepEqual(await rig.upstream.listReferrers(target, digestOf(bomb), never), []);
});

test('a compressed body that breaks is a break', async () => {
  await using stage = await openStage((_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': '1000' });
    response.write(gzipSync('x'), () => response.destroy());
  });
  await using rig = createRig();
  const failed = await failureOf(rig.upstream.openBlob(targetAt(stage), digestOf(bomb), {}, never));
  assert.deepEqual([failed.kind, failed.reason], ['network', 'reset']);
});

const other = digestOf(Buffer.from('another form of the manifest'));
const announced: readonly (readonly [string, string])[] = [
  ['of another form', other],
  ['without its algorithm', digestOf(manifestBytes).slice('sha256:'.length)],
  ['of no algorithm that is known', 'md5:d41d8cd98f00b204e9800998ecf8427e'],
  ['right in another algorithm', digestOf(manifestBytes, 'sha512')],
];
for (const [name, header] of announced) {
  test(`a tag whose Docker-Content-Digest is ${name} has the digest of its bytes`, async () => {
    await using stage = await openStage((request, response) => {
      if (request.url?.includes(other) === true) response.writeHead(404).end();
      else sendManifest(response, { 'docker-content-digest': header });
    });
    await using rig = createRig();
    const found = await rig.upstream.getManifest(targetAt(stage), latest, undefined, never);
    assert.equal(found?.digest, digestOf(manifestBytes));
  });
}

test('a tag whose bytes are not those announced is read by the digest that is announced, where that can be had', async () => {
  const right: Digest = digestOf(manifestBytes);
  await using stage = await openStage((request, response) => {
    if (request.url?.includes(right) === true) sendManifest(response);
    else
      send(response, { 'docker-content-digest': right }, Buffer.from('{"schemaVersion":2}'), true);
  });
  await using rig = createRig();
  const found = await rig.upstream.getManifest(targetAt(stage), latest, undefined, never);
  assert.equal(found?.digest, right);
});

test('a HEAD by digest whose header contradicts it says no digest', async () => {
  await using stage = await openStage((_request, response) =>
    sendManifest(response, { 'docker-content-digest': other }),
  );
  await using rig = createRig();
  const byDigest = reference(digestOf(manifestBytes));
  assert.equal(
    (await rig.upstream.headManifest(targetAt(stage), byDigest, never)).digest,
    undefined,
  );
});

for (const status of [201, 202, 203]) {
  test(`right bytes under ${status} are right`, async () => {
    await using stage = await openStage(
      (_request, response) => void response.writeHead(status).end(manifestBytes),
    );
    await using rig = createRig();
    const target = targetAt(stage);
    assert.ok(await rig.upstream.getManifest(target, latest, undefined, never));
    await using body = await rig.upstream.openBlob(target, digestOf(manifestBytes), {}, never);
    assert.deepEqual(await readAll(body!.chunks), manifestBytes);
  });
}

test('a 206 that holds the whole answers a request for the whole', async () => {
  const { length } = manifestBytes;
  await using stage = await openStage((_request, response) =>
    response
      .writeHead(206, { 'content-range': `bytes 0-${length - 1}/${length}` })
      .end(manifestBytes),
  );
  await using rig = createRig();
  const digest = digestOf(manifestBytes);
  await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
  assert.deepEqual([body?.total, body?.partial], [length, false]);
  assert.deepEqual(await readAll(body!.chunks), manifestBytes);
});
