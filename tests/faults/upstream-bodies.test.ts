import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { BlobOptions } from '../../src/ports/upstream.ts';
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

const blob = Buffer.alloc(3_000_000, 'layer');
const digest = digestOf(blob);

type Answering = (response: ServerResponse, request: IncomingMessage) => void;

const page = '<!doctype html><html><body>Access denied: ask your proxy</body></html>';
const html: Answering = (response) =>
  void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
const json =
  (status: number, body: unknown): Answering =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify(body));

/** Whatever a reading client does, a few hundred chunks follow one another for as long as it listens. */
const endlessOf =
  (status: number): Answering =>
  (response) => {
    response.writeHead(status, { 'content-type': manifestType });
    const chunk = Buffer.alloc(65_536, ' ');
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
const endless = endlessOf(200);

const manifests: readonly (readonly [string, Answering, readonly [string, string]])[] = [
  ['an HTML page', html, ['invalid', 'html']],
  [
    'HTML in disguise',
    (response) => void response.writeHead(200, { 'content-type': manifestType }).end(page),
    ['invalid', 'html'],
  ],
  [
    'text',
    (response) => void response.writeHead(200, { 'content-type': manifestType }).end('OK'),
    ['invalid', 'badJson'],
  ],
  [
    'nothing',
    (response) => void response.writeHead(200, { 'content-type': manifestType }).end(),
    ['invalid', 'badJson'],
  ],
  ["a gateway's JSON", json(200, { error: 'login' }), ['invalid', 'badJson']],
  [
    "a gateway's problem",
    (response) =>
      void response
        .writeHead(200, { 'content-type': 'application/problem+json' })
        .end('{"title": "Forbidden", "status": 403}'),
    ['invalid', 'badJson'],
  ],
  [
    "a gateway's JSON that is called HTML",
    (response) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('{"error": "login"}'),
    ['invalid', 'badJson'],
  ],
  ['an endless body', endless, ['invalid', 'tooLarge']],
  [
    'five announced megabytes',
    (response) => response.writeHead(200, { 'content-length': '5242880' }).flushHeaders(),
    ['invalid', 'tooLarge'],
  ],
  [
    'a truncated body',
    (response) => {
      response.writeHead(200, { 'content-length': '500', 'content-type': manifestType });
      response.write('{', () => response.destroy());
    },
    ['network', 'reset'],
  ],
  [
    'what is no HTTP',
    (response) => void response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n'),
    ['invalid', 'badHeader'],
  ],
  [
    '10 MB of headers',
    (response) => {
      response.socket?.write('HTTP/1.1 200 OK\r\n');
      const line = `x-pad: ${'a'.repeat(8000)}\r\n`;
      const more = (): void => {
        while (response.socket?.destroyed === false && response.socket.write(line));
        if (response.socket?.destroyed === false) response.socket.once('drain', more);
      };
      more();
    },
    ['invalid', 'headersTooLarge'],
  ],
  ['304 to no condition', (response) => void response.writeHead(304).end(), ['invalid', 'status']],
  ['204', (response) => void response.writeHead(204).end(), ['invalid', 'status']],
  ['404', json(404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] }), ['notFound', 'status']],
  ['410', json(410, {}), ['notFound', 'status']],
  ['403', json(403, {}), ['denied', 'status']],
  ['500', json(500, {}), ['serverError', 'status']],
  ['400', json(400, {}), ['invalid', 'status']],
];
for (const [name, answer, expected] of manifests) {
  test(`a manifest answered by ${name} is ${expected.join('/')} after one request`, async () => {
    await using stage = await openStage((request, response) => answer(response, request));
    await using rig = createRig();
    const failed = await failureOf(
      rig.upstream.getManifest(targetAt(stage), latest, undefined, never),
    );
    assert.deepEqual([failed.kind, failed.reason], expected);
    assert.equal(stage.seen.length, 1);
    assert.equal(rig.of('upstreamFailed').length, 1);
    assert.equal(rig.of('upstreamRequest').length, 1);
  });
}

const pages: readonly (readonly [number, string])[] = [
  [401, 'denied'],
  [403, 'denied'],
  [404, 'notFound'],
  [429, 'rateLimited'],
  [503, 'serverError'],
];
for (const [status, kind] of pages) {
  test(`T44: an HTML ${status} keeps its meaning, and the page goes nowhere`, async () => {
    await using stage = await openStage((_request, response) =>
      response.writeHead(status, { 'content-type': 'text/html' }).end(page),
    );
    await using rig = createRig();
    const failed = await failureOf(
      rig.upstream.getManifest(targetAt(stage), latest, undefined, never),
    );
    assert.deepEqual([failed.kind, failed.status], [kind, status]);
    assert.doesNotMatch(failed.message, /html|Access denied/);
  });
}

test('T44: a registry’s own code and message go on, trimmed to one line of 200 characters', async () => {
  const message = `quota\u0000 of\nteam\u001b[31m ${'x '.repeat(400)}`;
  await using stage = await openStage((_request, response) =>
    json(403, { errors: [{ code: 'DENIED', message, detail: { token: 't' } }] })(
      response,
      _request,
    ),
  );
  await using rig = createRig();
  const failed = await failureOf(
    rig.upstream.getManifest(targetAt(stage), latest, undefined, never),
  );
  assert.match(failed.message, /403 DENIED: quota {2}of team \[31m x x/);
  assert.equal(failed.message.length < 300, true);
  assert.doesNotMatch(failed.message, /\p{C}|"token"/u);
});

test('T44: an endless error body is cut', async () => {
  await using stage = await openStage((request, response) => endlessOf(500)(response, request));
  await using rig = createRig();
  const gone = stage.disconnected();
  const failed = await failureOf(
    rig.upstream.getManifest(targetAt(stage), latest, undefined, never),
  );
  assert.equal(failed.status, 500);
  await gone;
});

test('checks of tags keep their connections', async () => {
  const connections = new Set<unknown>();
  await using stage = await openStage((request, response) => {
    connections.add(request.socket);
    sendManifest(response);
  });
  await using rig = createRig();
  for (let count = 0; count < 8; count += 1)
    await rig.upstream.headManifest(targetAt(stage), latest, never);
  // undici frees a connection one turn of the loop after its answer, so that two take turns.
  assert.equal(connections.size <= 2, true);
});

test('a manifest by digest is checked against it, sha512 too', async () => {
  await using stage = await openStage((_request, response) => sendManifest(response));
  await using rig = createRig();
  const target = targetAt(stage);
  const long = digestOf(manifestBytes, 'sha512');
  assert.equal(
    (await rig.upstream.getManifest(target, reference(long), undefined, never))?.digest,
    long,
  );
  const wrong = await failureOf(
    rig.upstream.getManifest(target, reference(digest), undefined, never),
  );
  assert.deepEqual([wrong.kind, wrong.reason], ['invalid', 'wrongDigest']);
});

test('a conditional GET that finds nothing new is undefined, and every request asks for all types', async () => {
  await using stage = await openStage((request, response) => {
    if (request.headers['if-none-match'] === `"${digest}"`) response.writeHead(304).end();
    else sendManifest(response);
  });
  await using rig = createRig();
  const target = targetAt(stage);
  assert.equal(await rig.upstream.getManifest(target, latest, digest, never), undefined);
  const fresh = await rig.upstream.getManifest(target, latest, digestOf(Buffer.from('y')), never);
  assert.deepEqual(fresh, {
    digest: digestOf(manifestBytes),
    mediaType: manifestType,
    bytes: manifestBytes,
  });
  for (const { headers } of stage.seen) {
    assert.match(headers.accept ?? '', /oci\.image\.index.*manifest\.list.*\*\/\*/);
    assert.equal(headers['accept-encoding'], 'identity');
  }
});

test('a HEAD gives digest, type and size, and leaves out what upstream does not say', async () => {
  await using stage = await openStage((_request, response, count) => {
    if (count === 1) sendManifest(response);
    else response.writeHead(200, { 'docker-content-digest': 'md5:nonsense' }).end();
  });
  await using rig = createRig();
  const target = targetAt(stage);
  assert.deepEqual(await rig.upstream.headManifest(target, latest, never), {
    digest: digestOf(manifestBytes),
    mediaType: manifestType,
    size: manifestBytes.length,
  });
  const second = await rig.upstream.headManifest(target, latest, never);
  assert.deepEqual(second, { digest: undefined, mediaType: undefined, size: undefined });
});

interface RangeCase {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status?: number;
  readonly range?: BlobOptions['range'];
  readonly expected: string;
}
const ranges: readonly RangeCase[] = [
  {
    name: 'a shifted range',
    headers: { 'content-range': 'bytes 11-20/3000000' },
    expected: 'wrongRange',
  },
  {
    name: 'a shortened range',
    headers: { 'content-range': 'bytes 10-18/3000000' },
    expected: 'wrongRange',
  },
  {
    name: 'a longer range',
    headers: { 'content-range': 'bytes 10-30/3000000' },
    expected: 'wrongRange',
  },
  {
    name: 'a range beyond its total',
    headers: { 'content-range': 'bytes 10-20/15' },
    expected: 'wrongRange',
  },
  { name: 'no Content-Range', headers: {}, expected: 'wrongRange' },
  {
    name: 'an open end cut short',
    range: { start: 10 },
    headers: { 'content-range': 'bytes 10-20/100' },
    expected: 'wrongRange',
  },
  {
    name: 'a length that contradicts the range',
    headers: { 'content-range': 'bytes 10-20/100', 'content-length': '12' },
    expected: 'wrongLength',
  },
  { name: '416', status: 416, headers: { 'content-range': 'bytes */5' }, expected: 'wrongRange' },
];
for (const { name, headers, status = 206, range = { start: 10, end: 20 }, expected } of ranges) {
  test(`a range answered by ${name} is invalid`, async () => {
    await using stage = await openStage(
      (_request, response) => void response.writeHead(status, headers).end(),
    );
    await using rig = createRig();
    const failed = await failureOf(
      rig.upstream.openBlob(targetAt(stage), digest, { range }, never),
    );
    assert.deepEqual([failed.kind, failed.reason], ['invalid', expected]);
    assert.equal(stage.seen.length, 1);
  });
}

test('a 200 to a range starts at 0 and says so', async () => {
  await using stage = await openStage(
    (_request, response) =>
      void response.writeHead(200, { 'content-length': String(blob.length) }).end(blob),
  );
  await using rig = createRig();
  await using body = await rig.upstream.openBlob(
    targetAt(stage),
    digest,
    { range: { start: 10, end: 20 } },
    never,
  );
  assert.deepEqual(
    [body?.start, body?.total, body?.partial, body?.ranges],
    [0, blob.length, false, false],
  );
  assert.equal(digestOf(await readAll(body!.chunks)), digest);
});

test('received bytes are told in large steps and add up', async () => {
  await using stage = await openStage(
    (_request, response) => void response.writeHead(200).end(blob),
  );
  await using rig = createRig();
  {
    await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
    assert.equal(body?.total, undefined);
    await readAll(body!.chunks);
  }
  const told = rig.of('upstreamReceived').map(({ bytes }) => bytes);
  assert.equal(
    told.reduce((sum, bytes) => sum + bytes, 0),
    blob.length,
  );
  assert.equal(told.length <= 3, true);
});

test('a blob cut in the middle breaks as a reset, told once', async () => {
  await using stage = await openStage((_request, response) => {
    response.writeHead(200, { 'content-length': String(blob.length) });
    response.write(blob.subarray(0, 100_000), () => response.destroy());
  });
  await using rig = createRig();
  await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
  const failed = await failureOf(readAll(body!.chunks));
  assert.deepEqual([failed.kind, failed.reason], ['network', 'reset']);
  assert.equal(rig.of('upstreamFailed').length, 1);
});

test('a blob that stops coming ends after 30 s of silence', async () => {
  await using stage = await openStage((_request, response) => {
    response.writeHead(200, { 'content-length': String(blob.length) });
    response.write(blob.subarray(0, 10));
  });
  await using rig = createRig();
  await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
  const chunks = body!.chunks[Symbol.asyncIterator]();
  assert.equal((await chunks.next()).value?.length, 10);
  const gone = stage.disconnected();
  const work = failureOf(chunks.next());
  await new Promise((resolve) => setImmediate(resolve));
  rig.clock.advance(30_000);
  const failed = await work;
  assert.deepEqual([failed.kind, failed.reason], ['timeout', 'idleTimeout']);
  await gone;
});

test('a reader that pauses is no silence of upstream', async () => {
  await using stage = await openStage(
    (_request, response) =>
      void response.writeHead(200, { 'content-length': String(blob.length) }).end(blob),
  );
  await using rig = createRig();
  await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
  const chunks = body!.chunks[Symbol.asyncIterator]();
  await chunks.next();
  rig.clock.advance(120_000);
  let bytes = 0;
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
    bytes += next.value.length;
  assert.equal(bytes > 2_000_000, true);
});

test('disposing a body early ends its connection', async () => {
  let sending = true;
  await using stage = await openStage((request, response) => {
    response.on('close', () => (sending = false));
    endless(response, request);
  });
  await using rig = createRig();
  const body = await rig.upstream.openBlob(targetAt(stage), digest, {}, never);
  const gone = stage.disconnected();
  for await (const _chunk of body!.chunks) {
    assert.equal(sending, true);
    break;
  }
  await body![Symbol.asyncDispose]();
  await gone;
  assert.equal(sending, false);
});

test('an abort ends a body with its own reason and is no failure of upstream', async () => {
  await using stage = await openStage((_request, response) =>
    response.writeHead(200, { 'content-length': '10' }).flushHeaders(),
  );
  await using rig = createRig();
  const leaving = new AbortController();
  await using body = await rig.upstream.openBlob(targetAt(stage), digest, {}, leaving.signal);
  const reading = readAll(body!.chunks);
  leaving.abort(new Error('enough'));
  await assert.rejects(reading, /enough/);
  assert.equal(rig.of('upstreamFailed').length, 0);
});

const waits: readonly (readonly [
  string,
  number,
  (rig: ReturnType<typeof createRig>, target: ReturnType<typeof targetAt>) => Promise<unknown>,
])[] = [
  [
    'a manifest',
    10_000,
    ({ upstream }, target) => upstream.getManifest(target, latest, undefined, never),
  ],
  ['tags', 10_000, ({ upstream }, target) => upstream.listTags(target, { n: 1 }, never)],
  ['a blob', 30_000, ({ upstream }, target) => upstream.openBlob(target, digest, {}, never)],
];
for (const [name, ms, call] of waits) {
  test(`${name} whose answer never begins ends after ${ms / 1000} s`, async () => {
    await using stage = await openStage(() => {});
    await using rig = createRig();
    const work = failureOf(call(rig, targetAt(stage)));
    await stage.reached(1);
    rig.clock.advance(ms - 1);
    assert.equal(rig.of('upstreamFailed').length, 0);
    const gone = stage.disconnected();
    rig.clock.advance(1);
    const failed = await work;
    assert.deepEqual([failed.kind, failed.reason], ['timeout', 'firstByteTimeout']);
    await gone;
  });
}

test('a manifest that drips is given up after 30 s', async () => {
  const drip = Promise.withResolvers<ServerResponse>();
  await using stage = await openStage((_request, response) => {
    response.writeHead(200, { 'content-type': manifestType });
    response.write('{', () => drip.resolve(response));
  });
  await using rig = createRig();
  const work = failureOf(rig.upstream.getManifest(targetAt(stage), latest, undefined, never));
  await drip.promise;
  await new Promise((resolve) => setImmediate(resolve));
  rig.clock.advance(30_000);
  assert.equal((await work).kind, 'timeout');
});

test('a connection that upstream closed for being idle costs a repeat, not a failure', async () => {
  await using stage = await openStage((request, response, count) => {
    if (count === 4) request.socket.destroy();
    else sendManifest(response);
  });
  await using rig = createRig();
  const target = targetAt(stage);
  for (let count = 0; count < 4; count += 1) await rig.upstream.headManifest(target, latest, never);
  assert.equal(stage.seen.length, 5);
  assert.equal(rig.of('upstreamFailed').length, 0);
});
