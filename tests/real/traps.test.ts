// Rows of the traps that are about limits, closed names, freshness and what a crash leaves, counted in upstream requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UpstreamView } from '../../src/contract/admin-view.ts';
import type { Explanation } from '../../src/contract/explanation.ts';
import { basicOf, rulesOnly } from '../support/processes/breakwater.ts';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import type { RateLimit } from '../support/upstreams/front-behaviour.ts';
import { startFront } from '../support/upstreams/front.ts';
import type { Front } from '../support/upstreams/front.ts';
import type { CorpusName } from '../support/samples/images.ts';
import { until } from '../support/rigs/until.ts';
import { ask, askManifest, errorOf, fullAccept, pullImage, text } from '../support/clients/pull.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';

const busybox = 'docker.io/library/busybox';
const everyPull = { freshFor: '0s' };
const manifestGets = { kind: 'manifest', method: 'GET', status: 200 } as const;

async function api<Body>(s: Scene, path: string, method = 'GET', body?: object): Promise<Body> {
  const answer = await fetch(`${s.breakwater.url}/api/v1/${path}`, {
    method,
    headers: {
      authorization: await basicOf(s.breakwater),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as Body;
}

/** The front as `/api/v1/upstreams` shows it. */
async function upstreamOf(s: Scene): Promise<UpstreamView> {
  const { items } = await api<{ items: UpstreamView[] }>(s, 'upstreams');
  const found = items.find(({ upstream }) => upstream === s.front.host);
  assert.ok(found !== undefined, JSON.stringify(items));
  return found;
}

async function explain(s: Scene, image: string): Promise<Explanation> {
  return await api<Explanation>(s, `explain?image=${encodeURIComponent(image)}`);
}

function cacheStatus(answer: Awaited<ReturnType<typeof askManifest>>): string {
  return answer.headers['cache-status']?.toString() ?? '';
}

/** Docker Hub counts each GET of a manifest that it answers, and nothing else. */
function hubQuota(front: Front): RateLimit {
  const remaining = 100 - front.count(manifestGets);
  return { limit: 100, remaining, windowSeconds: 21_600, source: '192.0.2.7' };
}

test('T26: Docker Hub’s quota is read from its headers and shown by /api/v1/upstreams, and the HEADs of checks take nothing from it.', async (t) => {
  const s = await setScene(t, { behaviour: publicRegistries.dockerHub, rule: everyPull });
  if (s === undefined) return;
  const before = await upstreamOf(s);
  assert.deepEqual([before.limit, before.state, before.rules], [null, 'unknown', ['docker.io']]);
  await pullImage(s.breakwater.url, busybox, 'single');
  assert.equal(s.front.count(manifestGets), 1);
  const seen = await upstreamOf(s);
  assert.deepEqual([seen.state, seen.breaker, seen.heldUntil], ['ok', 'closed', null]);
  const { limit, remaining, windowSeconds, account, resetAt } = seen.limit ?? assert.fail();
  assert.deepEqual([limit, remaining, windowSeconds], [100, 99, 21_600]);
  assert.deepEqual([account, resetAt], ['192.0.2.7', null]);

  await pullImage(s.breakwater.url, busybox, '1.36');
  // The index, and its one child: the other was pulled by its tag.
  const gets = s.front.count(manifestGets);
  assert.ok(gets >= 2 && gets <= 3, `${gets} manifests`);
  s.front.behave({ rateLimit: hubQuota(s.front) });
  s.front.clear();
  for (let each = 0; each < 10; each++) {
    assert.equal((await askManifest(s.breakwater.url, busybox, '1.36')).status, 200);
  }
  assert.equal(s.front.count({ kind: 'manifest', method: 'HEAD' }), 10);
  assert.equal(s.front.count(), 10);
  assert.equal((await upstreamOf(s)).limit?.remaining, 100 - gets);
});

const limitersWithoutTime = [
  {
    name: 'the abuse limiter’s plain “Too Many Requests”, without a link or a time,',
    headers: { 'content-type': 'text/plain' },
    body: 'Too Many Requests',
  },
  {
    name: 'the abuse limiter’s page HAP429',
    headers: { 'content-type': 'text/html' },
    body: '<html><body><h1>429 Too Many Requests</h1>(HAP429).</body></html>',
  },
] as const;

for (const { name, headers, body } of limitersWithoutTime) {
  test(`T26: ${name} holds misses for 1 s, then 2, and what is held is served.`, async (t) => {
    const s = await setScene(t, { behaviour: publicRegistries.dockerHub, rule: everyPull });
    if (s === undefined) return;
    await pullImage(s.breakwater.url, busybox, 'single');
    s.front.fault({ kind: 'manifest', wrong: { status: 429, headers, body } });
    const waitOf = async (): Promise<number> => {
      const miss = await askManifest(s.breakwater.url, 'docker.io/library/hello', '1');
      assert.equal(miss.status, 429, text(miss));
      assert.equal(errorOf(miss).code, 'TOOMANYREQUESTS');
      return Number(miss.headers['retry-after']);
    };
    assert.equal(await waitOf(), 1);
    await until(async () => (await waitOf()) === 2, 'the hold is longer the second time');
    const held = await askManifest(s.breakwater.url, busybox, 'single');
    assert.equal(held.status, 200);
    assert.match(cacheStatus(held), /upstream rate limited/);
    assert.equal((await upstreamOf(s)).state, 'rateLimited');
  });
}

const limiters = [
  {
    name: 'the pull limiter’s TOOMANYREQUESTS with a link',
    headers: { 'content-type': 'application/json', 'retry-after': '600' },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"}]}',
    seconds: 600,
  },
  {
    name: 'the abuse limiter with a time in words',
    headers: { 'content-type': 'application/json' },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1m30s, allowed: 44000/minute"}]}',
    seconds: 90,
  },
] as const;

for (const { name, headers, body, seconds } of limiters) {
  test(`T26: After one request ${name} holds misses for ${seconds} s, and what is held is served.`, async (t) => {
    const s = await setScene(t, { behaviour: publicRegistries.dockerHub, rule: everyPull });
    if (s === undefined) return;
    await pullImage(s.breakwater.url, busybox, 'single');
    s.front.clear();
    s.front.fault({ kind: 'manifest', wrong: { status: 429, headers, body } });
    for (const repository of ['hello', 'docker', 'big']) {
      const miss = await askManifest(s.breakwater.url, `docker.io/library/${repository}`, '1');
      assert.equal(miss.status, 429, text(miss));
      assert.equal(errorOf(miss).code, 'TOOMANYREQUESTS');
      const wait = Number(miss.headers['retry-after']);
      assert.ok(wait > seconds - 30 && wait <= seconds, `${wait} s`);
    }
    const held = await askManifest(s.breakwater.url, busybox, 'single');
    assert.equal(held.status, 200);
    assert.deepEqual(held.body, s.bytesOf(s.image('single').digest));
    assert.match(cacheStatus(held), /upstream rate limited/);
    await pullImage(s.breakwater.url, busybox, 'single');
    assert.equal(s.front.count({ kind: 'manifest' }), 1);
    const shown = await upstreamOf(s);
    assert.equal(shown.state, 'rateLimited');
    const heldFor = Date.parse(shown.heldUntil ?? '') - Date.now();
    assert.ok(heldFor > (seconds - 30) * 1000 && heldFor <= seconds * 1000, `${heldFor} ms`);
  });
}

test('T26: A 429 of the token service holds as one of the registry does.', async (t) => {
  const s = await setScene(t, { behaviour: publicRegistries.dockerHub });
  if (s === undefined) return;
  s.front.fault({
    kind: 'token',
    wrong: { status: 429, headers: { 'retry-after': '60' }, body: 'Too Many Requests' },
  });
  for (const repository of ['hello', 'docker', 'big']) {
    const miss = await askManifest(s.breakwater.url, `docker.io/library/${repository}`, '1');
    assert.equal(miss.status, 429, text(miss));
  }
  assert.deepEqual([s.front.count({ kind: 'token' }), s.front.count()], [1, 2]);
});

test('T27: Without ratelimit headers there is no limit and no entry of one.', async (t) => {
  const s = await setScene(t, { rule: { platforms: 'all' } });
  if (s === undefined) return;
  await askManifest(s.breakwater.url, busybox, '1.36');
  const { children } = s.image('index');
  await until(() => {
    return s.front.count({ kind: 'blob', status: 200 }) === 2 * children.length;
  }, 'all children and their blobs have come');
  assert.equal(s.front.count({ kind: 'manifest' }), 1 + children.length);
  const shown = await upstreamOf(s);
  assert.deepEqual([shown.limit, shown.state, shown.heldUntil], [null, 'ok', null]);
  assert.equal((await explain(s, `${busybox}:1.36`)).limiter?.limit, null);
  const metrics = await ask(`${s.breakwater.adminUrl}/metrics`);
  const samples = metrics.body
    .toString('utf8')
    .split('\n')
    .filter((line) => /ratelimit|rate_limit/.test(line) && !line.startsWith('#'));
  assert.deepEqual(samples, []);
});

test('T27: Headers that no longer come mean that the limit is gone.', async (t) => {
  const rateLimit = { limit: 100, remaining: 1, windowSeconds: 21_600 };
  const s = await setScene(t, { behaviour: { rateLimit }, rule: { platforms: 'all' } });
  if (s === undefined) return;
  await pullImage(s.breakwater.url, 'docker.io/library/hello', '1');
  assert.equal((await upstreamOf(s)).limit?.remaining, 1);
  s.front.behave({ rateLimit: undefined });
  s.front.clear();
  await askManifest(s.breakwater.url, busybox, '1.36');
  assert.equal((await upstreamOf(s)).limit, null);
  const { children } = s.image('index');
  await until(() => {
    return s.front.count({ kind: 'manifest' }) === 1 + children.length;
  }, 'the children come, with no quota to spare');
});

test('T35: ns never becomes a target: a live server that no rule names is 404, with ROOT too, and sees no request', async (t) => {
  const live: Front[] = [];
  const s = await setScene(t, {
    async config(front, registry) {
      const other = await startFront({ registry: registry.url });
      t.after(() => other.close());
      live.push(other);
      return rulesOnly(
        { prefix: 'docker.io', upstream: front.url },
        { prefix: 'ROOT', upstream: front.url },
      );
    },
  });
  const [other] = live;
  if (s === undefined || other === undefined) return;
  const digest = s.image('index').digest;
  const port = new URL(other.url).port;
  const hosts = [
    other.host,
    `localhost:${port}`,
    `LOCALHOST:${port}`,
    `[::ffff:127.0.0.1]:${port}`,
    other.blobHost,
    other.url,
    `docker.io@${other.host}`,
    `${other.host}/docker.io`,
    `docker.io:${port}`,
  ];
  const paths = ['manifests/1.36', `manifests/${digest}`, `blobs/${digest}`, 'tags/list'];
  for (const host of hosts) {
    await t.test(`${host.replaceAll(/:\d{3,}/g, ':PORT')}.`, async () => {
      for (const path of paths) {
        const url = `${s.breakwater.url}/v2/library/busybox/${path}?ns=${encodeURIComponent(host)}`;
        const answer = await ask(url, { headers: { accept: fullAccept } });
        assert.equal(answer.status, 404, `${path} ${text(answer)}`);
        assert.equal(errorOf(answer).code, 'NAME_UNKNOWN');
      }
    });
  }
  assert.deepEqual([other.count(), s.front.count()], [0, 0]);
});

test('T35: docker.io is itself in any case, with its port, and by each of its names, fetched once.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const names = ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];
  const spelled = names.flatMap((name) => [
    name,
    `${name}:443`,
    name.toUpperCase(),
    `${name.toUpperCase()}:443`,
  ]);
  for (const ns of spelled) {
    for (const repository of ['busybox', 'library/busybox']) {
      const url = `${s.breakwater.url}/v2/${repository}/manifests/1.36?ns=${encodeURIComponent(ns)}`;
      const answer = await ask(url, { headers: { accept: fullAccept } });
      assert.equal(answer.status, 200, `${ns} ${text(answer)}`);
      assert.deepEqual(answer.body, s.bytesOf(s.image('index').digest));
      assert.equal(answer.headers['oci-namespace'], ns.toLowerCase().replace(':443', ''));
    }
  }
  assert.equal(s.front.count({ kind: 'manifest' }), 1);
  const http = await ask(`${s.breakwater.url}/v2/busybox/manifests/1.36?ns=docker.io%3A80`);
  assert.equal(http.status, 404);
});

const trees = ['index', 'dockerList', 'nested'] as const satisfies readonly CorpusName[];

for (const kind of trees) {
  test(`T39: A stale tag (${kind}) costs exactly one HEAD, and no walk of its tree.`, async (t) => {
    const s = await setScene(t, { rule: { ...everyPull, staleBudget: '20s', platforms: 'all' } });
    if (s === undefined) return;
    const { repository, tag, digest } = s.image(kind);
    const name = `docker.io/${repository}`;
    await pullImage(s.breakwater.url, name, tag);
    await until(async () => {
      return (await explain(s, `${name}:${tag}`)).content.state === 'complete';
    }, 'the image is complete');
    for (let each = 1; each <= 5; each++) {
      s.front.clear();
      const pulled = await pullImage(s.breakwater.url, name, tag);
      assert.equal(pulled.digest, digest);
      const requests: string[] = s.front.requests.map(({ method, url }) => `${method} ${url}`);
      assert.deepEqual(requests, [`HEAD /v2/${repository}/manifests/${tag}`]);
    }
    s.front.clear();
    const gate = Promise.withResolvers<void>();
    s.front.fault({ kind: 'manifest', wrong: { hold: gate.promise } });
    const answers = Array.from({ length: 50 }, () => askManifest(s.breakwater.url, name, tag));
    await until(async () => {
      const metrics = (await ask(`${s.breakwater.adminUrl}/metrics`)).body.toString('utf8');
      return /^\w*http_requests_in_flight 50$/m.test(metrics);
    }, 'all fifty wait for the check');
    gate.resolve();
    for (const answer of await Promise.all(answers)) assert.equal(answer.digest, digest);
    assert.deepEqual([s.front.count({ method: 'HEAD' }), s.front.count()], [1, 1]);
  });
}

test('T40: A tag that was fresh at kill -9 is fresh after it, for no upstream request.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  await pullImage(s.breakwater.url, busybox, 'single');
  await until(async () => {
    return (await explain(s, `${busybox}:single`)).content.state === 'complete';
  }, 'the image is stored');
  // The tag that is answered last has no time to be flushed by anything.
  assert.equal((await askManifest(s.breakwater.url, 'docker.io/library/hello', '1')).status, 200);
  await s.breakwater.kill9();
  s.front.clear();
  await s.breakwater.restart();
  await pullImage(s.breakwater.url, busybox, 'single');
  for (const [name, tag, kind] of [
    ['busybox', 'single', 'single'],
    ['hello', '1', 'hello'],
  ] as const) {
    const answer = await askManifest(s.breakwater.url, `docker.io/library/${name}`, tag);
    assert.deepEqual(answer.body, s.bytesOf(s.image(kind).digest));
    assert.match(cacheStatus(answer), /^Breakwater; hit; ttl=\d+/);
  }
  assert.equal(s.front.count({ kind: ['manifest', 'token', 'ping'] }), 0);
  assert.equal(s.front.count({ path: 'busybox' }), 0);
});

test('T40: A tag learnt by HEAD alone is known after kill -9.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const head = await askManifest(s.breakwater.url, busybox, '1.36', { method: 'HEAD' });
  assert.equal(head.status, 200);
  await s.breakwater.kill9();
  s.front.clear();
  await s.breakwater.restart();
  const again = await askManifest(s.breakwater.url, busybox, '1.36', { method: 'HEAD' });
  assert.equal(again.headers['docker-content-digest'], s.image('index').digest);
  assert.equal(s.front.count(), 0);
});

test('T40: When a tag was validated, and that upstream lost it, outlive kill -9.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const image = `${busybox}:1.36`;
  await pullImage(s.breakwater.url, busybox, '1.36');
  const first = (await explain(s, image)).tag ?? assert.fail();
  await api(s, 'refresh', 'POST', { image });
  const validated = (await explain(s, image)).tag ?? assert.fail();
  assert.ok(validated.validatedAt > first.validatedAt);
  s.front.fault({ kind: 'manifest', path: '/1.36', wrong: { status: 404 } });
  await api(s, 'refresh', 'POST', { image });
  const gone = (await explain(s, image)).tag ?? assert.fail();
  assert.deepEqual([gone.status, gone.fresh], ['gone', false]);
  await s.breakwater.kill9();
  s.front.clear();
  await s.breakwater.restart();
  assert.deepEqual((await explain(s, image)).tag, gone);
  assert.equal(gone.validatedAt, validated.validatedAt);
  assert.equal(s.front.count(), 0);
  const answer = await askManifest(s.breakwater.url, busybox, '1.36');
  assert.deepEqual(answer.body, s.bytesOf(s.image('index').digest));
  assert.match(cacheStatus(answer), /upstream gone/);
  // HEAD is a hint: its no is checked by one GET.
  assert.deepEqual([s.front.count({ method: 'HEAD', status: 404 }), s.front.count()], [1, 2]);
  s.front.heal();
  await api(s, 'refresh', 'POST', { image });
  const found = (await explain(s, image)).tag ?? assert.fail();
  assert.deepEqual([found.status, found.fresh, found.digest], ['ok', true, first.digest]);
});
