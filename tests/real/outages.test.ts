// Held tags while an upstream fails in every way that it can, and what clients are told of what is not held.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../support/upstreams/front-behaviour.ts';
import { until } from '../support/rigs/until.ts';
import { ask, askBlob, askManifest, errorOf, pullImage, text } from '../support/clients/pull.ts';
import { setScene } from '../support/processes/scene.ts';

const busybox = 'docker.io/library/busybox';
const everyPull = { freshFor: '0s' };

test('An upstream that is gone takes no held image with it.', async (t) => {
  const s = await setScene(t, { rule: everyPull });
  if (s === undefined) return;
  const before = await pullImage(s.breakwater.url, busybox, '1.36');
  await s.front.down();
  const after = await pullImage(s.breakwater.url, busybox, '1.36');
  assert.deepEqual(after, before);
  const answer = await askManifest(s.breakwater.url, busybox, '1.36');
  assert.match(
    answer.headers['cache-status']?.toString() ?? '',
    /hit.*ttl=-?\d+.*upstream unreachable/,
  );
  await s.breakwater.restart();
  assert.deepEqual(await pullImage(s.breakwater.url, busybox, '1.36'), before);
  const ready = await ask(`${s.breakwater.adminUrl}/readyz`);
  assert.equal(ready.status, 200, text(ready));
});

interface FailureRow {
  readonly name: string;
  readonly key: string;
  readonly wrong: Fault['wrong'];
  /** To a client where the rule says stop, or nothing is held. */
  readonly status: number;
}

const failures: readonly FailureRow[] = [
  { name: '404', key: 'notFound', wrong: { status: 404, body: '{"errors":[]}' }, status: 404 },
  { name: '401', key: 'denied', wrong: { status: 401 }, status: 403 },
  { name: '403', key: 'denied', wrong: { status: 403 }, status: 403 },
  {
    name: '429',
    key: 'rateLimited',
    wrong: { status: 429, headers: { 'retry-after': '7' } },
    status: 429,
  },
  { name: '500', key: 'serverError', wrong: { status: 500 }, status: 502 },
  { name: 'a reset', key: 'network', wrong: { resetAt: 0 }, status: 503 },
];

for (const row of failures) {
  test(`T23: ${row.name} keeps a held tag by default, and stops it where the rule says so.`, async (t) => {
    for (const action of ['keep', 'stop']) {
      const rule = { ...everyPull, onFailure: { [row.key]: action } };
      const s = await setScene(t, { rule });
      if (s === undefined) return;
      await pullImage(s.breakwater.url, busybox, '1.36');
      s.front.clear();
      s.front.fault({ kind: 'manifest', wrong: row.wrong });
      const answer = await askManifest(s.breakwater.url, busybox, '1.36');
      assert.equal(answer.status, action === 'keep' ? 200 : row.status, text(answer));
      if (action === 'keep') assert.deepEqual(answer.body, s.bytesOf(s.image('index').digest));
      const asked = s.front.count({ kind: 'manifest' });
      assert.ok(asked >= 1 && asked <= 2, `${asked} requests`);
    }
  });

  test(`T37: ${row.name} for what is not held is never 401, and 404 only where upstream says so.`, async (t) => {
    const s = await setScene(t);
    if (s === undefined) return;
    s.front.fault({ kind: ['manifest', 'blob'], wrong: row.wrong });
    const manifest = await askManifest(s.breakwater.url, busybox, '1.36');
    assert.equal(manifest.status, row.status, text(manifest));
    const blob = await askBlob(s.breakwater.url, busybox, s.image('single').blobs[1]?.digest ?? '');
    assert.equal(blob.status, row.status, text(blob));
    if (row.status === 429 || row.status === 503)
      assert.ok(Number(manifest.headers['retry-after']) > 0);
  });
}

test('T24: A slow upstream costs a held tag the stale budget and no more.', async (t) => {
  const s = await setScene(t, { rule: { ...everyPull, staleBudget: '300ms' } });
  if (s === undefined) return;
  await pullImage(s.breakwater.url, busybox, '1.36');
  s.front.clear();
  s.front.fault({ kind: 'manifest', wrong: { delayMs: 20_000 } });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => askManifest(s.breakwater.url, busybox, '1.36')),
  );
  for (const answer of answers) {
    assert.equal(answer.status, 200);
    assert.ok(answer.ms < 3000, `${answer.ms} ms`);
  }
  assert.equal(s.front.count({ kind: 'manifest' }), 1);
});

test('T25: 429 answers from the cache, holds further misses, and is never 404.', async (t) => {
  const s = await setScene(t, { rule: everyPull });
  if (s === undefined) return;
  await pullImage(s.breakwater.url, busybox, '1.36');
  s.front.clear();
  s.front.fault({
    kind: 'manifest',
    wrong: { status: 429, headers: { 'retry-after': '30' }, body: 'Too Many Requests' },
  });
  assert.equal((await askManifest(s.breakwater.url, busybox, '1.36')).status, 200);
  const miss = await askManifest(s.breakwater.url, 'docker.io/library/hello', '1');
  assert.equal(miss.status, 429, text(miss));
  assert.ok(Number(miss.headers['retry-after']) <= 30);
  const asked = s.front.count();
  const again = await askManifest(s.breakwater.url, 'docker.io/library/docker', 'list');
  assert.equal(again.status, 429);
  assert.equal(errorOf(again).code, 'TOOMANYREQUESTS');
  assert.equal((await askManifest(s.breakwater.url, busybox, '1.36')).status, 200);
  assert.equal(s.front.count(), asked);
});

test('T42: A failing ping stops no fill, and neither does one failed request.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  s.front.fault({ kind: 'ping', wrong: { status: 500 } });
  await pullImage(s.breakwater.url, busybox, '1.36');
  s.front.fault({ kind: 'manifest', times: 1, wrong: { resetAt: 0 } });
  await askManifest(s.breakwater.url, 'docker.io/library/hello', '1');
  await pullImage(s.breakwater.url, 'docker.io/library/docker', 'list');
  assert.equal((await ask(`${s.breakwater.adminUrl}/readyz`)).status, 200);
});

test('The breaker opens after five failures, answers 503 at once, and lets a probe through.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const fault = s.front.fault({ kind: 'manifest', wrong: { status: 503 } });
  for (let each = 0; each < 8; each++) {
    const answer = await askManifest(s.breakwater.url, 'docker.io/library/hello', `t${each}`);
    const open = each > 5;
    assert.ok(answer.status === 503 || (!open && answer.status === 502), text(answer));
    assert.equal(answer.headers['retry-after'] !== undefined, answer.status === 503);
  }
  // Each of the five is sent once more.
  assert.ok(fault.met() >= 10 && fault.met() <= 12, `${fault.met()} requests`);
  s.front.heal();
  await until(async () => {
    return (await askManifest(s.breakwater.url, busybox, '1.36')).status === 200;
  }, 'the breaker closes');
});

const pages = [
  { status: 403, expected: 403, code: 'DENIED' },
  { status: 429, expected: 429, code: 'TOOMANYREQUESTS' },
  { status: 502, expected: 502, code: 'UNAVAILABLE' },
  { status: 200, expected: 502, code: 'UNAVAILABLE' },
];

for (const { status, expected, code } of pages) {
  test(`T44: An HTML page with ${status} becomes a spec error with its typed cause.`, async (t) => {
    const s = await setScene(t);
    if (s === undefined) return;
    const headers = { 'content-type': 'text/html; charset=utf-8' };
    const body = '<html><body>Access to this page has been denied</body></html>';
    s.front.fault({ kind: 'manifest', wrong: { status, headers, body } });
    const answer = await askManifest(s.breakwater.url, busybox, '1.36');
    assert.equal(answer.status, expected, text(answer));
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
    const error = errorOf(answer);
    assert.equal(error.code, code);
    assert.ok(JSON.stringify(error.detail).includes('cause'));
    assert.ok(!answer.body.includes('<html>'));
  });
}

test('T10: A crash in the middle of a fill leaves nothing that later pulls by tag wait for.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  await pullImage(s.breakwater.url, busybox, '1.36');
  s.front.behave({ bytesPerSecond: 20_000_000 });
  const big = s.image('big');
  await askManifest(s.breakwater.url, 'docker.io/library/big', '1');
  const layer = big.blobs.at(-1)?.digest ?? '';
  const cut = askBlob(s.breakwater.url, 'docker.io/library/big', layer).catch(() => undefined);
  await until(() => s.front.bytes({ kind: 'blob' }) > 20_000_000, 'some of the layer has come');
  await s.breakwater.kill9();
  await cut;
  s.front.behave({ bytesPerSecond: 0 });
  await s.breakwater.restart();
  assert.equal((await ask(`${s.breakwater.adminUrl}/readyz`)).status, 200);
  const started = performance.now();
  await pullImage(s.breakwater.url, busybox, '1.36');
  assert.ok(performance.now() - started < 3000);
  await pullImage(s.breakwater.url, 'docker.io/library/big', '1');
});

test('A moved tag is followed, and an upstream that goes in between leaves the old one whole.', async (t) => {
  const s = await setScene(t, { rule: everyPull });
  if (s === undefined) return;
  await pullImage(s.breakwater.url, 'docker.io/library/docker', 'list');
  const url = `${s.registry.url}/v2/library/docker/manifests/list`;
  const { digest, mediaType } = s.image('dockerImage');
  const moved = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: s.bytesOf(digest),
  });
  assert.equal(moved.status, 201);
  s.front.fault({ kind: 'manifest', method: 'GET', wrong: { status: 500 } });
  const old = await askManifest(s.breakwater.url, 'docker.io/library/docker', 'list');
  assert.deepEqual(old.body, s.bytesOf(s.image('dockerList').digest));
  s.front.heal();
  await until(async () => {
    const pulled = await pullImage(s.breakwater.url, 'docker.io/library/docker', 'list');
    return pulled.digest === digest;
  }, 'the tag moves');
});

test('A fresh tag costs upstream nothing, and one that is not fresh one request for any number of pulls.', async (t) => {
  const s = await setScene(t, { rule: { freshFor: '2s' } });
  if (s === undefined) return;
  await pullImage(s.breakwater.url, busybox, '1.36');
  s.front.clear();
  for (let each = 0; each < 100; each++) await askManifest(s.breakwater.url, busybox, '1.36');
  const fresh = s.front.count();
  assert.ok(fresh <= 1, `${fresh} requests`);
  await until(async () => {
    await askManifest(s.breakwater.url, busybox, '1.36');
    return s.front.count() > fresh;
  }, 'the tag is no longer fresh');
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => askManifest(s.breakwater.url, busybox, '1.36')),
  );
  assert.ok(answers.every((answer) => answer.status === 200));
  assert.equal(s.front.count({ kind: 'manifest', method: 'HEAD' }), fresh + 1);
});
