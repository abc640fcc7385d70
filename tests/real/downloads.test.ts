// One download for any number of clients: followed, left, resumed, and never ended as whole when it is not.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { rulesOnly } from '../support/processes/breakwater.ts';
import { startFront } from '../support/upstreams/front.ts';
import type { Front } from '../support/upstreams/front.ts';
import { until } from '../support/rigs/until.ts';
import { askBlob, askManifest, errorOf, text } from '../support/clients/pull.ts';
import type { Answer, AskOptions } from '../support/clients/pull.ts';
import { pushTinyImage } from '../support/clients/registry-push.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene, SceneOptions } from '../support/processes/scene.ts';
import type { TestContext } from 'node:test';

interface OneBlob extends Scene {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  get(options?: AskOptions): Promise<Answer>;
}

/** The layer of 219 MB, or the one of 1.1 MB, of which nothing is held yet. */
async function withBlob(
  t: TestContext,
  which: 'big' | 'small',
  options: SceneOptions = {},
): Promise<OneBlob | undefined> {
  const scene = await setScene(t, options);
  if (scene === undefined) return undefined;
  const image = scene.image(which === 'big' ? 'big' : 'single');
  const blob = which === 'big' ? image.blobs.at(-1) : image.blobs[1];
  if (blob === undefined) throw new Error('the corpus has no such blob');
  const name = `docker.io/${image.repository}`;
  return {
    ...scene,
    ...blob,
    name,
    get: async (more = {}) =>
      await askBlob(scene.breakwater.url, name, blob.digest, { discard: true, ...more }),
  };
}

function assertWhole(blob: OneBlob, answer: Answer): void {
  assert.equal(answer.status, 200, text(answer));
  assert.equal(answer.complete, true);
  assert.equal(answer.length, blob.size);
  assert.equal(answer.digest, blob.digest);
}

test('T8: 20 clients on one cold blob of 219 MB cost upstream its bytes once.', async (t) => {
  const s = await withBlob(t, 'big');
  if (s === undefined) return;
  const answers = await Promise.all(Array.from({ length: 20 }, () => s.get()));
  for (const answer of answers) assertWhole(s, answer);
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
  const answer = await s.get();
  assertWhole(s, answer);
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
});

test('T8: A blob asked for at the very moment its download ends is not fetched again.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const twice: string[] = [];
  for (let each = 0; each < 60; each++) {
    const content = randomBytes(700_000).toString('hex');
    const repository = `library/moment${each}`;
    const { layer } = await pushTinyImage(s.registry.url, repository, '1', content);
    const get = async (headers: Record<string, string>): Promise<Answer> =>
      await askBlob(s.breakwater.url, `docker.io/${repository}`, layer, { headers });
    assert.equal((await get({})).digest, layer);
    const range = { range: 'bytes=0-9' };
    for (const answer of await Promise.all([get(range), get(range), get(range)])) {
      assert.equal(answer.body.toString(), content.slice(0, 10));
    }
    if (s.front.count({ kind: 'blob', method: 'GET', path: layer }) !== 1) twice.push(repository);
  }
  assert.deepEqual(twice, []);
});

test('T6: A client that leaves does not end the fill.', async (t) => {
  const s = await withBlob(t, 'big', { behaviour: { bytesPerSecond: 50_000_000 } });
  if (s === undefined) return;
  // That its repository holds the blob is shown by the manifest.
  await askManifest(s.breakwater.url, s.name, '1');
  const left = await s.get({ leaveAfter: 1_000_000 });
  assert.equal(left.complete, false);
  await until(() => {
    const sent = s.front.bytes({ kind: 'blob', path: s.digest });
    return sent === s.size && s.front.requests.every((each) => each.ended);
  }, 'upstream has sent everything');
  await s.front.down();
  assertWhole(s, await s.get());
});

test('T7: A slow first client slows neither the fill nor those who follow.', async (t) => {
  const s = await withBlob(t, 'big');
  if (s === undefined) return;
  const leave = new AbortController();
  const slow = s.get({ bytesPerSecond: 500_000, signal: leave.signal });
  await until(() => s.front.bytes({ kind: 'blob' }) > 0, 'the fill has begun');
  const fast = await s.get();
  assertWhole(s, fast);
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
  leave.abort();
  assert.equal((await slow.catch(() => undefined))?.complete ?? false, false);
});

test('T9: A failure reaches every waiter, and none of them reads it as success.', async (t) => {
  const s = await withBlob(t, 'small');
  if (s === undefined) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  s.front.fault({ kind: 'blob', times: 1, wrong: { hold: promise } });
  const first = s.get();
  await until(() => s.front.count({ kind: 'blob' }) === 1, 'upstream is asked');
  const rest = Array.from({ length: 10 }, () => s.get());
  await s.front.down();
  resolve();
  for (const answer of await Promise.all([first, ...rest])) {
    assert.ok(answer.status === 503 || answer.status === 504, `${answer.status} ${text(answer)}`);
  }
  await s.front.up();
  await until(async () => (await s.get()).status === 200, 'the blob comes');
});

test('T9: One client that quits costs the others nothing.', async (t) => {
  const s = await withBlob(t, 'big', { behaviour: { bytesPerSecond: 60_000_000 } });
  if (s === undefined) return;
  const others = Array.from({ length: 5 }, () => s.get());
  await s.get({ leaveAfter: 100_000 });
  await s.get({ leaveAfter: 10_000_000 });
  for (const answer of await Promise.all(others)) assertWhole(s, answer);
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
});

test('A broken download goes on by Range where it stopped, unseen by its client.', async (t) => {
  const s = await withBlob(t, 'small');
  if (s === undefined) return;
  s.front.fault({ kind: 'blob', method: 'GET', times: 1, wrong: { truncateAt: 400_000 } });
  assertWhole(s, await s.get());
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
  const asked = s.front.requests.filter((each) => each.kind === 'blob' && each.method === 'GET');
  assert.equal(asked.length, 2);
  assert.match(asked[1]?.headers.range?.toString() ?? '', /^bytes=400000-/);
});

test('A piece that breaks is resumed alone.', async (t) => {
  const s = await withBlob(t, 'big');
  if (s === undefined) return;
  s.front.fault({ kind: 'blob', after: 2, times: 3, wrong: { truncateAt: 3_000_000 } });
  assertWhole(s, await s.get());
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
});

test('A break with an upstream that serves no ranges still ends in the right bytes.', async (t) => {
  const s = await withBlob(t, 'small', { behaviour: { ranges: 'ignore' } });
  if (s === undefined) return;
  s.front.fault({ kind: 'blob', method: 'GET', times: 1, wrong: { truncateAt: 400_000 } });
  assertWhole(s, await s.get());
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size + 400_000);
});

const cuts = [
  { name: 'short of its Content-Length', wrong: { truncateAt: 200_000 } },
  { name: 'chunked and cleanly ended', wrong: { endAt: 200_000 } },
  { name: 'reset', wrong: { resetAt: 200_000 } },
] as const;

for (const { name, wrong } of cuts) {
  test(`T11: A body cut upstream, ${name}, never ends as a whole answer.`, async (t) => {
    const s = await withBlob(t, 'small', { behaviour: { ranges: 'ignore' } });
    if (s === undefined) return;
    // The size is known from the manifest.
    assert.equal((await askManifest(s.breakwater.url, s.name, 'single')).status, 200);
    s.front.fault({ kind: 'blob', wrong });
    const answer = await s.get({ discard: false });
    assert.ok(answer.status !== 200 || !answer.complete, `${answer.status} ${answer.complete}`);
    s.front.heal();
    await until(async () => (await s.get()).digest === s.digest, 'the blob comes whole');
    assertWhole(s, await s.get());
  });
}

test('Wrong bytes never end as a whole answer, and none of them is kept.', async (t) => {
  const s = await withBlob(t, 'small');
  if (s === undefined) return;
  s.front.fault({ kind: 'blob', method: 'GET', wrong: { corruptAt: 700_000 } });
  const answer = await s.get({ discard: false });
  assert.ok(answer.status !== 200 || !answer.complete, `${answer.status} ${answer.complete}`);
  s.front.heal();
  await until(async () => {
    const again = await s.get();
    assert.ok(again.digest === s.digest || !again.complete || again.status !== 200);
    return again.digest === s.digest;
  }, 'the right bytes come');
});

test('A mirror gives the bytes where the first URL gives wrong ones.', async (t) => {
  const mirrors: Front[] = [];
  const s = await withBlob(t, 'small', {
    async config(front, registry) {
      const mirror = await startFront({ registry: registry.url });
      t.after(() => mirror.close());
      mirrors.push(mirror);
      return rulesOnly({ prefix: 'docker.io', upstream: front.url, mirrors: [mirror.url] });
    },
  });
  if (s === undefined) return;
  s.front.fault({ kind: 'blob', method: 'GET', wrong: { corruptAt: 700_000 } });
  await until(async () => (await s.get()).digest === s.digest, 'the right bytes come');
  assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 1);
  assert.equal(mirrors[0]?.bytes({ kind: 'blob' }), s.size);
});

test('T17: A blob comes by itself, with no manifest asked before it.', async (t) => {
  const s = await withBlob(t, 'small');
  if (s === undefined) return;
  assertWhole(s, await s.get());
  assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 1);
  assert.equal(s.front.count({ kind: 'manifest' }), 0);
  await s.breakwater.restart();
  assertWhole(s, await s.get());
  assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 1);
});

test('T31: A redirect that no longer holds is asked for again, and the download goes on.', async (t) => {
  const s = await withBlob(t, 'small', { behaviour: { redirect: { location: 'elsewhere' } } });
  if (s === undefined) return;
  s.front.fault({ kind: 'redirected', times: 1, wrong: { truncateAt: 500_000 } });
  s.front.fault({ kind: 'redirected', times: 1, wrong: { status: 403 } });
  assertWhole(s, await s.get());
  assert.equal(s.front.bytes({ kind: 'redirected' }), s.size);
  assert.equal(s.front.count({ kind: 'redirected' }), 3);
  assert.ok(s.front.count({ kind: 'blob', method: 'GET', status: 307 }) <= 3);
});

test('T31: A relative Location is followed.', async (t) => {
  const s = await withBlob(t, 'small', { behaviour: { redirect: { location: 'relative' } } });
  if (s === undefined) return;
  assertWhole(s, await s.get());
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
  assert.equal(s.front.count({ kind: 'blob' }), 2);
});

test('T16: HEAD of a blob not held costs one upstream HEAD, and is never kept as an empty GET.', async (t) => {
  const s = await withBlob(t, 'small');
  if (s === undefined) return;
  for (let each = 0; each < 3; each++) {
    const head = await s.get({ method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], String(s.size));
    assert.equal(head.length, 0);
  }
  assert.equal(s.front.count({ kind: 'blob', method: 'HEAD' }), 1);
  assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 0);
  assertWhole(s, await s.get());
  const head = await s.get({ method: 'HEAD' });
  assert.equal(head.headers['content-length'], String(s.size));
});

const ranges = [
  { range: 'bytes=0-', status: 206, from: 0, to: undefined },
  { range: 'bytes=0-0', status: 206, from: 0, to: 1 },
  { range: 'bytes=1000000-1000009', status: 206, from: 1_000_000, to: 1_000_010 },
  { range: 'bytes=1102000-', status: 206, from: 1_102_000, to: undefined },
  { range: 'bytes=-7', status: 206, from: -7, to: undefined },
  { range: 'bytes=1102000-99999999', status: 206, from: 1_102_000, to: undefined },
  { range: 'bytes=99999999-', status: 416, from: 0, to: 0 },
  { range: 'bytes=0-1,5-9', status: 200, from: 0, to: undefined },
] as const;

async function assertRange(s: OneBlob, row: (typeof ranges)[number]): Promise<void> {
  const { range, status, from, to } = row;
  const answer = await s.get({ headers: { range }, discard: false });
  assert.equal(answer.status, status, text(answer));
  if (status === 416) {
    assert.equal(answer.headers['content-range'], `bytes */${s.size}`);
    return;
  }
  assert.ok(answer.body.equals(s.bytesOf(s.digest).subarray(from, to)));
  const first = from < 0 ? s.size + from : from;
  const expected = `bytes ${first}-${first + answer.length - 1}/${s.size}`;
  assert.equal(answer.headers['content-range'], status === 206 ? expected : undefined);
}

test('T36: A range of a held blob', async (t) => {
  const s = await withBlob(t, 'small');
  if (s === undefined) return;
  await s.get();
  for (const row of ranges) {
    await t.test(`${row.range} is ${row.status} to the byte.`, () => assertRange(s, row));
  }
  assert.equal(s.front.bytes({ kind: 'blob' }), s.size);
});

for (const row of ranges) {
  test(`T36: ${row.range} of a blob not held is ${row.status} to the byte, and upstream sends it once.`, async (t) => {
    const s = await withBlob(t, 'small');
    if (s === undefined) return;
    await askManifest(s.breakwater.url, s.name, 'single');
    await assertRange(s, row);
    await until(() => {
      return s.front.bytes({ kind: 'blob', path: s.digest }) >= s.size;
    }, 'upstream has sent it');
    assert.equal(s.front.bytes({ kind: 'blob', path: s.digest }), s.size);
  });
}

test('T36: Ranges of a blob that is still arriving come right, and upstream sends each byte once.', async (t) => {
  const s = await withBlob(t, 'big', { behaviour: { bytesPerSecond: 40_000_000 } });
  if (s === undefined) return;
  await askManifest(s.breakwater.url, s.name, '1');
  const whole = s.bytesOf(s.digest);
  const offsets = [200_000_000, 5_000_000, 120_000_000, 77_777_777];
  const answers = offsets.map(async (offset) => {
    const headers = { range: `bytes=${offset}-${offset + 4_999_999}` };
    const answer = await s.get({ headers, discard: false });
    assert.equal(answer.status, 206, text(answer));
    assert.ok(answer.body.equals(whole.subarray(offset, offset + 5_000_000)), `at ${offset}`);
  });
  await Promise.all([...answers, s.get().then((answer) => assertWhole(s, answer))]);
  assert.equal(s.front.bytes({ kind: 'blob', path: s.digest }), s.size);
});

test('T36: bytes=0- of a manifest gives it whole.', async (t) => {
  const s = await withBlob(t, 'small');
  if (s === undefined) return;
  const { digest } = s.image('index');
  const headers = { range: 'bytes=0-' };
  const answer = await askManifest(s.breakwater.url, s.name, '1.36', { headers });
  assert.deepEqual(answer.body, s.bytesOf(digest));
  assert.ok(answer.status === 200 || answer.headers['content-range'] !== undefined);
  const missing = await askManifest(s.breakwater.url, s.name, 'none', { headers });
  assert.equal(missing.status, 404);
  assert.equal(errorOf(missing).code, 'MANIFEST_UNKNOWN');
});
