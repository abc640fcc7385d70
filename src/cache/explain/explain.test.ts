import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig, RigOptions } from '../../../tests/support/rigs/cache-rig.ts';
import {
  createCacheRig,
  randomBytes,
  readAll,
  testRule,
} from '../../../tests/support/rigs/cache-rig.ts';
import { createMemoryStorage } from '../../../tests/support/rigs/memory-storage.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { imageOf, pushBlob, pushImage } from '../../../tests/support/rigs/push-rig.ts';
import {
  createScriptedUpstream,
  failure,
} from '../../../tests/support/upstreams/scripted-upstream.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Explanation } from '../../contract/explanation.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { UpstreamState } from '../../ports/upstream.ts';
import type { Refresh } from './refresh.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

interface Explained extends AsyncDisposable {
  readonly rig: CacheRig;
  readonly explain: (image: string, probe?: boolean) => Promise<Explanation>;
  readonly refresh: Refresh;
  state: UpstreamState | undefined;
}

async function open(options: RigOptions = {}): Promise<Explained> {
  const state = (): UpstreamState | undefined => explained.state;
  const rig = await createCacheRig({
    ...options,
    upstream: Object.assign(createScriptedUpstream(), { state }),
  });
  const explained: Explained = {
    rig,
    state: undefined,
    refresh: rig.cache.refresh,
    explain: (image, probe = false) => rig.cache.explain({ image, probe }, rig.signal),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
  return explained;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const layer = text('layer');
const config = text('{}');
const descriptor = (bytes: Uint8Array, mediaType: string, more: object = {}): object => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
  ...more,
});

/** An index of two platforms and an attestation; only amd64's image has blobs at the upstream. */
function putIndex(rig: CacheRig): { readonly amd64: string } {
  const image = {
    schemaVersion: 2,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [
      descriptor(layer, 'application/vnd.oci.image.layer.v1.tar'),
      descriptor(text('far'), 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', {
        urls: ['https://far.example/x'],
      }),
    ],
  };
  const fetched = rig.upstream.putManifest('app', image, mediaTypes.ociManifest);
  rig.upstream.putBlob('app', layer);
  rig.upstream.putBlob('app', config);
  const index = {
    schemaVersion: 2,
    manifests: [
      descriptor(fetched.bytes, mediaTypes.ociManifest, {
        platform: { os: 'linux', architecture: 'amd64' },
      }),
      descriptor(text('arm'), mediaTypes.ociManifest, {
        platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      }),
      descriptor(text('attestation'), mediaTypes.ociManifest, {
        platform: { os: 'unknown', architecture: 'unknown' },
      }),
    ],
  };
  rig.upstream.putManifest('app', index, mediaTypes.ociIndex, '1');
  return { amd64: fetched.digest };
}

async function pullAmd64(rig: CacheRig): Promise<void> {
  const { amd64 } = putIndex(rig);
  await rig.manifest('up/app', '1');
  await rig.manifest('up/app', amd64);
  for (const bytes of [layer, config]) {
    const digest = digestOf(bytes);
    await readAll((await rig.blob('up/app', digest)).source);
    await until(() => rig.cache.downloads.count === 0);
  }
}

const closed: UpstreamState = {
  upstream: 'upstream',
  breaker: 'closed',
  restsUntil: undefined,
  heldUntil: undefined,
  lastSuccessAt: undefined,
  lastFailure: undefined,
  last: undefined,
  limit: undefined,
};

suite('explain says what a pull would do', () => {
  test('nothing held: it would be fetched, and upstream was not asked for saying so', async () => {
    await using at = await open();
    const found = await at.explain('up/app:1');
    assert.equal(found.verdict.code, 'fetch');
    assert.deepEqual(found.upstream, { url: 'http://upstream', mirrors: [], repository: 'app' });
    assert.equal(found.content.state, 'absent');
    assert.equal(found.tag, null);
    assert.equal(found.probe, null);
    assert.deepEqual(at.rig.upstream.calls, []);
  });

  test('nothing held and upstream limits us: 429', async () => {
    await using at = await open();
    at.state = { ...closed, heldUntil: at.rig.clock.now() + 1000 };
    assert.equal((await at.explain('up/app:1')).verdict.code, 'rateLimited');
    at.state = closed;
    assert.equal((await at.explain('up/app:1')).verdict.code, 'fetch');
  });

  for (const [kind, status, code] of [
    ['notFound', 404, 'upstreamMissing'],
    ['denied', 401, 'upstreamDenied'],
    ['invalid', undefined, 'upstreamInvalid'],
    ['network', undefined, 'fetch'],
  ] as const)
    for (const method of ['GET', 'HEAD'] as const)
      test(`nothing held, and the last ${method} met ${kind}: ${code}, for ten minutes`, async () => {
        await using at = await open();
        const { rig } = at;
        rig.upstream.before = () => {
          throw failure(kind, status);
        };
        await assert.rejects(rig.manifest('up/app', '1', method));
        const { verdict } = await at.explain('up/app:1');
        assert.equal(verdict.code, code);
        assert.equal(/^answered 4|^answered 5/.test(verdict.text), code !== 'fetch', verdict.text);
        assert.equal((await at.explain('up/app:2')).verdict.code, 'fetch');
        rig.clock.advance(601_000);
        assert.equal((await at.explain('up/app:1')).verdict.code, 'fetch');
      });

  test('what a probe finds outweighs what the last pull met', async () => {
    await using at = await open();
    at.rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest, '1');
    const { before } = at.rig.upstream;
    at.rig.upstream.before = () => {
      throw failure('notFound', 404);
    };
    await assert.rejects(at.rig.manifest('up/app', '1'));
    at.rig.upstream.before = before;
    assert.equal((await at.explain('up/app:1', true)).verdict.code, 'fetch');
  });

  test('nothing held and the breaker open: 503', async () => {
    await using at = await open();
    at.state = { ...closed, breaker: 'open', restsUntil: at.rig.clock.now() + 1000 };
    const { verdict } = await at.explain('up/app:1');
    assert.equal(verdict.code, 'unavailable');
    assert.match(verdict.text, /not asked until \d{4}-/);
  });

  test('nothing held and the rest of an open breaker over: the next pull is tried', async () => {
    await using at = await open();
    at.state = { ...closed, breaker: 'open' };
    assert.equal((await at.explain('up/app:1')).verdict.code, 'fetch');
  });

  test('a volume with no more free than minFree keeps: passed on, and not kept', async () => {
    const storage = await createMemoryStorage();
    const space = { freeBytes: 1000, totalBytes: 1_000_000 };
    storage.blobs.space = () => Promise.resolve(space);
    await using at = await open({ storage });
    const { verdict, space: found } = await at.explain('up/app:1');
    assert.deepEqual(
      [verdict.code, found],
      ['fetch', { freeBytes: 1000, minFreeBytes: 1024 ** 3 }],
    );
    assert.match(verdict.text, /not kept: 1000 bytes of the volume are free/);
    space.freeBytes = 1024 ** 4;
    at.rig.clock.advance(1001);
    assert.match((await at.explain('up/app:1')).verdict.text, /and kept, streamed/);
  });

  test('no rule leads there', async () => {
    await using at = await open();
    const found = await at.explain('unknown.example/app:1');
    assert.equal(found.verdict.code, 'noRule');
    assert.equal(found.rule, null);
    assert.equal(found.limiter, null);
  });

  test('a denied image', async () => {
    await using at = await open({ rules: [testRule({ deny: ['app'] })] });
    const found = await at.explain('up/app:1', true);
    assert.equal(found.verdict.code, 'denied');
    assert.equal(found.admission.allowed, false);
    assert.equal(found.probe, null, 'what is denied is not asked for');
  });

  test('a fresh tag of an index of which one platform is held is partial', async () => {
    await using at = await open();
    await pullAmd64(at.rig);
    const found = await at.explain('up/app:1');
    assert.equal(found.verdict.code, 'hitPartial');
    assert.equal(found.tag?.fresh, true);
    assert.equal(found.tag?.historyCount, 1);
    assert.deepEqual(found.content.held, { manifests: 2, blobs: 2 });
    assert.deepEqual(found.content.missing, { manifests: 2, blobs: 0 });
    assert.deepEqual(found.content.platforms, [
      { platform: 'linux/amd64', state: 'complete' },
      { platform: 'linux/arm64/v8', state: 'absent' },
    ]);
  });

  test('an image by digest with everything held is a hit, foreign layers aside', async () => {
    await using at = await open();
    await pullAmd64(at.rig);
    const { amd64 } = putIndex(at.rig);
    const found = await at.explain(`up/app@${amd64}`);
    assert.equal(found.verdict.code, 'hit');
    assert.equal(found.content.state, 'complete');
  });

  test('a blob whose file is gone makes it partial and is named', async () => {
    await using at = await open();
    await pullAmd64(at.rig);
    const { amd64 } = putIndex(at.rig);
    await at.rig.storage.blobs.delete(digestOf(layer));
    const found = await at.explain(`up/app@${amd64}`);
    assert.equal(found.verdict.code, 'hitPartial');
    assert.deepEqual(found.content.examples, [{ role: 'layer', digest: digestOf(layer) }]);
  });

  test('bytes that another rule fetched are not held by this one', async () => {
    await using at = await open({ rules: [testRule(), testRule({ prefix: 'other' })] });
    await pullAmd64(at.rig);
    const { amd64 } = putIndex(at.rig);
    await at.rig.manifest('other/app', amd64);
    const found = await at.explain(`other/app@${amd64}`);
    assert.deepEqual(found.content.held, { manifests: 1, blobs: 0 });
  });

  test('a stale tag would be revalidated, or served stale where upstream cannot be asked', async () => {
    await using at = await open({ rules: [testRule({ freshForMs: 1000 })] });
    await pullAmd64(at.rig);
    at.rig.clock.advance(1001);
    assert.equal((await at.explain('up/app:1')).verdict.code, 'revalidate');
    at.state = { ...closed, breaker: 'open', restsUntil: at.rig.clock.now() + 1000 };
    assert.equal((await at.explain('up/app:1')).verdict.code, 'stale');
  });

  test('a tag that was read from another source is not served before it is validated', async () => {
    await using at = await open();
    await pullAmd64(at.rig);
    const moved = testRule({ urls: [{ origin: 'http://new', host: 'new', plain: true }] });
    at.rig.setRules([moved]);
    at.state = { ...closed, breaker: 'open', restsUntil: at.rig.clock.now() + 1000 };
    const found = await at.explain('up/app:1');
    assert.equal(found.tag?.sourceChanged, true);
    assert.equal(found.verdict.code, 'unavailable');
  });

  test('content of a removed rule is served and never refreshed', async () => {
    await using at = await open({ rules: [testRule({ prefix: 'gone.example' })] });
    at.rig.upstream.putManifest(
      'app',
      { schemaVersion: 2, layers: [] },
      mediaTypes.ociManifest,
      '1',
    );
    await at.rig.manifest('gone.example/app', '1');
    at.rig.setRules([]);
    const found = await at.explain('gone.example/app:1');
    assert.equal(found.rule, null);
    assert.equal(found.verdict.code, 'hit');
  });

  test('a credential makes it the administrator’s, by name alone, unless the rule shares it', async () => {
    const credential = { name: 'hub', username: 'u', accessToken: 'very-secret' };
    const rules = [testRule({ credential, anonymousPull: false })];
    await using at = await open({ rules });
    const found = await at.explain('up/app:1');
    assert.equal(found.access.anonymous, false);
    assert.equal(found.rule?.credential, 'hub');
    assert.doesNotMatch(JSON.stringify(found), /very-secret/);
    await using shared = await open({ rules: [testRule({ credential, anonymousPull: true })] });
    assert.equal((await shared.explain('up/app:1')).access.anonymous, true);
  });

  test('a rule that may not ask its upstream says why', async () => {
    await using at = await open({ rules: [testRule({ blocked: 'the secret has no value yet' })] });
    const { verdict } = await at.explain('up/new:1');
    assert.deepEqual(
      [verdict.code, verdict.text],
      [
        'upstreamDenied',
        'answered 403: not held, and upstream is not asked: the secret has no value yet',
      ],
    );
  });

  test('a client certificate makes it the administrator’s too, and a push nobody’s but whom a policy lets in', async () => {
    const clientCert = { cert: 'c', key: 'k', holder: 'h' };
    await using at = await open({ rules: [testRule({ clientCert, anonymousPull: false })] });
    assert.equal((await at.explain('up/app:1')).access.anonymous, false);
    await using shared = await open({
      rules: [testRule({ clientCert, anonymousPull: true, push: true })],
    });
    assert.equal((await shared.explain('up/app:1')).access.anonymous, true);
    await pushBlob(shared.rig, 'up/app', randomBytes(9));
    assert.equal((await shared.explain('up/app:1')).access.anonymous, false);
  });

  test('of a stopped repository what was pushed is served, by digest too, and what came is not', async () => {
    const onFailure = { ...testRule().onFailure, denied: 'stop' } as const;
    await using at = await open({
      rules: [testRule({ push: true, freshForMs: 0, onFailure })],
    });
    const { rig } = at;
    const image = rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest, 'v1');
    await rig.manifest('up/app', 'v1');
    rig.upstream.before = () => {
      throw failure('denied', 403);
    };
    await assert.rejects(rig.manifest('up/app', 'v1'));
    const mine = await pushImage(rig, 'up/app', 'mine', randomBytes(9));
    for (const [of, code] of [
      [`@${mine}`, 'hit'],
      [':mine', 'hit'],
      [`@${image.digest}`, 'stopped'],
      [':v1', 'stopped'],
    ] as const)
      assert.equal((await at.explain(`up/app${of}`)).verdict.code, code, of);
  });

  test('what ROOT brought is forecast as it is served once something was pushed there', async () => {
    const root = testRule({ prefix: 'ROOT' });
    await using at = await open({ rules: [root] });
    at.rig.upstream.putManifest('team/app', imageOf(layer), mediaTypes.ociManifest, 'v1');
    await at.rig.manifest('team/app', 'v1');
    await pushImage(at.rig, 'team/app', 'mine', randomBytes(9));
    const found = await at.explain('team/app:v1');
    assert.deepEqual([found.rule, found.verdict.code], [null, 'hit']);
    const urls = [{ origin: 'http://there', host: 'there', plain: true }] as const;
    at.rig.setRules([{ ...root, urls }]);
    assert.equal((await at.explain('team/app:v1')).verdict.code, 'noRule');
    await assert.rejects(at.rig.manifest('team/app', 'v1'));
  });

  test('the walk of an endless index ends at its bound', async () => {
    await using at = await open();
    const manifests = Array.from({ length: 1500 }, (_, index) =>
      descriptor(text(`child ${index}`), mediaTypes.ociManifest),
    );
    at.rig.upstream.putManifest('app', { schemaVersion: 2, manifests }, mediaTypes.ociIndex, '1');
    await at.rig.manifest('up/app', '1');
    const { content } = await at.explain('up/app:1');
    assert.equal(content.truncated, true);
    assert.equal(content.held.manifests + content.missing.manifests, 1000);
    assert.equal(content.examples.length, 20);
  });
});

suite('explain --probe', () => {
  test('asks upstream with one HEAD', async () => {
    await using at = await open();
    const { digest } = at.rig.upstream.putManifest('app', {}, mediaTypes.ociManifest, '1');
    const { probe } = await at.explain('up/app:1', true);
    assert.equal(probe?.ok, true);
    assert.equal(probe?.digest, digest);
    assert.deepEqual(
      at.rig.upstream.calls.map(({ kind }) => kind),
      ['headManifest'],
    );
  });

  test('says what upstream failed with', async () => {
    await using at = await open();
    at.rig.upstream.before = () => {
      throw failure('rateLimited', 429);
    };
    const { probe } = await at.explain('up/app:1', true);
    assert.deepEqual(probe?.failure, {
      kind: 'rateLimited',
      reason: 'status',
      message: 'scripted rateLimited',
    });
  });
});

suite('explain --probe forecasts what it met, where nothing is held', () => {
  for (const [kind, status, code] of [
    ['notFound', 404, 'upstreamMissing'],
    ['denied', 403, 'upstreamDenied'],
    ['rateLimited', 429, 'rateLimited'],
    ['network', undefined, 'unavailable'],
    ['serverError', 503, 'unavailable'],
    ['serverError', 500, 'upstreamInvalid'],
    ['invalid', undefined, 'upstreamInvalid'],
    ['timeout', undefined, 'upstreamTimeout'],
  ] as const)
    test(`${kind} ${status ?? ''}: ${code}`, async () => {
      await using at = await open();
      at.rig.upstream.before = () => {
        throw failure(kind, status);
      };
      assert.equal((await at.explain('up/app:1')).verdict.code, 'fetch');
      assert.equal((await at.explain('up/app:1', true)).verdict.code, code);
    });
});

suite('refresh', () => {
  const signal = new AbortController().signal;
  const code = (expected: string) => (error: unknown) =>
    error instanceof RegistryError && error.code === expected;

  test('a tag that moved is fetched although it was fresh', async () => {
    await using at = await open();
    const put = (value: number) =>
      at.rig.upstream.putManifest(
        'app',
        { schemaVersion: 2, layers: [], value },
        mediaTypes.ociManifest,
        '1',
      );
    const before = put(1).digest;
    await at.rig.manifest('up/app', '1');
    const after = put(2).digest;
    const found = await at.refresh('up/app:1', signal);
    const { repository, tag } = { repository: 'up/app', tag: '1' };
    assert.deepEqual(found, { image: 'up/app:1', repository, tag, before, after, changed: true });
    assert.equal((await at.refresh('up/app:1', signal)).changed, false);
  });

  test('what upstream fails with is what the caller is told', async () => {
    await using at = await open();
    at.rig.upstream.before = () => {
      throw failure('timeout');
    };
    await assert.rejects(at.refresh('up/app:1', signal), code('upstreamTimeout'));
  });

  test('a digest is refused, and so is a name without a rule, and a denied one', async () => {
    await using at = await open({ rules: [testRule({ deny: ['bad'] })] });
    const digest = `sha256:${'a'.repeat(64)}`;
    await assert.rejects(at.refresh(`up/app@${digest}`, signal), code('requestInvalid'));
    await assert.rejects(at.refresh('unknown.example/app', signal), code('nameUnknown'));
    await assert.rejects(at.refresh('up/bad:1', signal), code('denied'));
    assert.deepEqual(at.rig.upstream.calls, []);
  });
});

suite('the last try', () => {
  for (const [name, kind, status, seconds] of [
    ['that was not found, and when the next is asked', 'notFound', 404, 5],
    ['that was denied, and when the next is asked', 'denied', 403, 30],
    ['that failed, which the next pull repeats', 'serverError', 500, undefined],
  ] as const)
    test(name, async () => {
      await using at = await open();
      at.rig.upstream.before = () => {
        throw failure(kind, status);
      };
      await assert.rejects(at.rig.manifest('up/app', 'one'));
      const { lastTry } = await at.explain('up/app:one');
      const now = at.rig.clock.now();
      assert.equal(lastTry?.at, new Date(now).toISOString());
      assert.match(lastTry.message, /./);
      const next = seconds === undefined ? null : new Date(now + seconds * 1000).toISOString();
      assert.equal(lastTry.nextAt, next);
      assert.equal((await at.explain('up/app:two')).lastTry, null);
    });

  test('is told no more once the tag was read', async () => {
    await using at = await open();
    at.rig.upstream.before = () => {
      throw failure('serverError', 500);
    };
    await assert.rejects(at.rig.manifest('up/app', 'one'));
    at.rig.upstream.before = () => undefined;
    at.rig.clock.advance(60_000);
    at.rig.upstream.putManifest('app', {}, 'application/vnd.oci.image.index.v1+json', 'one');
    await at.rig.manifest('up/app', 'one');
    assert.equal((await at.explain('up/app:one')).lastTry, null);
  });
});
