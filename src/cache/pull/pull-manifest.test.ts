import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig, randomBytes, testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { ruleDefaults } from '../../domain/rules/builtin-rules.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { FailureKind } from '../../domain/upstream-failure.ts';

const code = (expected: string) => (error: unknown) =>
  error instanceof RegistryError && error.code === expected;
const hour = 3_600_000;

function image(label: string): object {
  const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: `sha256:${'a'.repeat(64)}`,
    size: 2,
  };
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [],
    annotations: { label },
  };
}

function put(rig: CacheRig, label: string, tag = 'v1') {
  return rig.upstream.putManifest('app', image(label), mediaTypes.ociManifest, tag);
}

const down = (kind: FailureKind, status?: number) => () => {
  throw failure(kind, status);
};

suite('a tag', () => {
  test('is fetched by one GET, then served without a word to upstream while it is fresh', async () => {
    await using rig = await createCacheRig();
    const first = put(rig, 'one');
    const answer = await rig.manifest('up/app', 'v1');
    assert.deepEqual(Buffer.from(answer.bytes!), Buffer.from(first.bytes));
    assert.equal(answer.outcome.verdict, 'miss');
    for (let pull = 0; pull < 100; pull += 1)
      assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'hit');
    assert.equal(rig.upstream.calls.length, 1);
  });

  test('T39: once stale costs one HEAD for any number of pulls', async () => {
    await using rig = await createCacheRig();
    put(rig, 'one');
    await rig.manifest('up/app', 'v1');
    rig.clock.advance(25 * hour);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => rig.manifest('up/app', 'v1')),
    );
    assert.ok(answers.every((answer) => answer.outcome.verdict === 'revalidated'));
    assert.equal(rig.upstream.count('headManifest'), 1);
    assert.equal(rig.upstream.count('getManifest'), 1);
    assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'hit');
  });

  test('that moved is fetched anew, and every digest it had is kept', async () => {
    await using rig = await createCacheRig();
    const one = put(rig, 'one');
    await rig.manifest('up/app', 'v1');
    const two = put(rig, 'two');
    assert.equal((await rig.manifest('up/app', 'v1')).digest, one.digest);
    rig.clock.advance(25 * hour);
    assert.equal((await rig.manifest('up/app', 'v1')).digest, two.digest);
    const key = {
      registry: rig.request('up/app').registry,
      repository: rig.request('up/app').target.repository,
    };
    const history = await rig.metadata.tags.tagHistory(key, 'v1' as never, 10);
    assert.deepEqual(
      history.map((entry) => entry.digest),
      [two.digest, one.digest],
    );
  });

  test('whose new digest cannot be had is served as it was', async () => {
    await using rig = await createCacheRig();
    const one = put(rig, 'one');
    await rig.manifest('up/app', 'v1');
    put(rig, 'two');
    rig.clock.advance(25 * hour);
    rig.upstream.before = (call) => {
      if (call.kind === 'getManifest') throw failure('serverError', 500);
    };
    const answer = await rig.manifest('up/app', 'v1');
    assert.equal(answer.digest, one.digest);
    assert.equal(answer.outcome.verdict, 'stale');
  });

  test('is validated by a conditional GET where upstream names no digest on HEAD', async () => {
    await using rig = await createCacheRig();
    put(rig, 'one');
    rig.upstream.says.digest = false;
    await rig.manifest('up/app', 'v1');
    rig.clock.advance(25 * hour);
    assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'revalidated');
    assert.equal(rig.upstream.count('getManifest'), 2);
  });

  test('T24: a slow upstream delays a pull by no more than the budget, and by nothing once it is known to be slow', async () => {
    await using rig = await createCacheRig();
    put(rig, 'one');
    await rig.manifest('up/app', 'v1');
    rig.clock.advance(25 * hour);
    const gate = Promise.withResolvers<void>();
    rig.upstream.before = () => gate.promise;
    const slow = rig.manifest('up/app', 'v1');
    await until(() => rig.upstream.count('headManifest') === 1 && rig.clock.pending > 0);
    rig.clock.advance(800);
    assert.equal((await slow).outcome.verdict, 'stale');
    const next = rig.manifest('up/app', 'v1');
    await until(() => rig.clock.pending > 0);
    rig.clock.advance(0);
    assert.equal((await next).outcome.detail, 'upstream timeout');
    assert.equal(rig.upstream.count('headManifest'), 1);
    gate.resolve();
    await until(async () => {
      rig.clock.advance(1);
      return (await rig.manifest('up/app', 'v1')).outcome.verdict === 'hit';
    });
  });

  const failures = [
    {
      kind: 'notFound',
      key: 'notFound',
      status: 404,
      detail: 'upstream gone',
      answer: 'manifestUnknown',
    },
    { kind: 'denied', key: 'denied', status: 403, detail: 'upstream denied', answer: 'denied' },
    {
      kind: 'rateLimited',
      key: 'rateLimited',
      status: 429,
      detail: 'upstream rate limited',
      answer: 'tooManyRequests',
    },
    {
      kind: 'serverError',
      key: 'serverError',
      status: 503,
      detail: 'upstream error',
      answer: 'unavailable',
    },
    {
      kind: 'timeout',
      key: 'timeout',
      status: undefined,
      detail: 'upstream timeout',
      answer: 'upstreamTimeout',
    },
    {
      kind: 'network',
      key: 'network',
      status: undefined,
      detail: 'upstream unreachable',
      answer: 'unavailable',
    },
  ] as const;
  for (const { kind, key, status, detail, answer } of failures) {
    test(`T23: with ${kind} upstream is kept by default, and says why`, async () => {
      await using rig = await createCacheRig();
      const one = put(rig, 'one');
      await rig.manifest('up/app', 'v1');
      rig.clock.advance(25 * hour);
      rig.upstream.before = down(kind, status);
      const stale = await rig.manifest('up/app', 'v1');
      assert.equal(stale.digest, one.digest);
      assert.deepEqual([stale.outcome.verdict, stale.outcome.detail], ['stale', detail]);
      await rig.manifest('up/app', 'v1');
      assert.equal(rig.upstream.count('headManifest'), 1, 'the failure is remembered');
      rig.upstream.before = () => {};
      rig.clock.advance(31_000);
      assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'revalidated');
    });
    test(`T23: with ${kind} upstream is stopped where the rule says so`, async () => {
      const rule = testRule({ onFailure: { ...ruleDefaults.onFailure, [key]: 'stop' } });
      await using rig = await createCacheRig({ rules: [rule] });
      put(rig, 'one');
      await rig.manifest('up/app', 'v1');
      rig.clock.advance(25 * hour);
      rig.upstream.before = down(kind, status);
      await assert.rejects(rig.manifest('up/app', 'v1'), code(answer));
      rig.upstream.before = () => {};
      rig.clock.advance(31_000);
      assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'revalidated');
    });
  }

  test('stop on 401/403 stops the repository, digests too, until a check succeeds', async () => {
    const rule = testRule({ onFailure: { ...ruleDefaults.onFailure, denied: 'stop' } });
    await using rig = await createCacheRig({ rules: [rule] });
    const one = put(rig, 'one');
    await rig.manifest('up/app', 'v1');
    rig.clock.advance(25 * hour);
    rig.upstream.before = down('denied', 403);
    await assert.rejects(rig.manifest('up/app', 'v1'), code('denied'));
    await assert.rejects(rig.manifest('up/app', one.digest), code('denied'));
    rig.upstream.before = () => {};
    rig.clock.advance(31_000);
    assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'revalidated');
    assert.equal((await rig.manifest('up/app', one.digest)).outcome.verdict, 'hit');
  });

  test('validated in the future is stale', async () => {
    await using rig = await createCacheRig();
    put(rig, 'one');
    await rig.manifest('up/app', 'v1');
    rig.clock.setNow(rig.clock.now() - hour);
    assert.equal((await rig.manifest('up/app', 'v1')).outcome.verdict, 'revalidated');
    rig.clock.setNow(rig.clock.now() - hour);
    rig.upstream.before = down('network');
    const { verdict, ttlSeconds } = (await rig.manifest('up/app', 'v1')).outcome;
    assert.deepEqual([verdict, ttlSeconds], ['stale', 0], 'and has no age');
  });

  test('read from another source is never served until it was validated there', async () => {
    await using rig = await createCacheRig();
    put(rig, 'one');
    const key = {
      registry: rig.request('up/app').registry,
      repository: rig.request('up/app').target.repository,
    };
    await rig.metadata.tags.setTag({
      ...key,
      tag: 'v1' as never,
      digest: `sha256:${'b'.repeat(64)}` as never,
      mediaType: 'x/y',
      size: 1,
      source: 'http://elsewhere/app',
      validatedAt: rig.clock.now(),
      private: false,
    });
    rig.upstream.before = down('network');
    await assert.rejects(rig.manifest('up/app', 'v1'), code('unavailable'));
    rig.upstream.before = () => {};
    rig.clock.advance(6000);
    assert.equal((await rig.manifest('up/app', 'v1')).bytes?.length, put(rig, 'one').bytes.length);
  });

  test('that is unknown is filled by a mirror when the first URL is away, and moved by the first alone', async () => {
    const at = (host: string) => ({ origin: `http://${host}`, host, plain: true });
    const urls = [at('a'), at('b')] as const;
    await using rig = await createCacheRig({ rules: [testRule({ urls })] });
    const one = put(rig, 'one');
    rig.upstream.before = (call) => {
      if (call.host === 'a') throw failure('network');
    };
    assert.equal((await rig.manifest('up/app', 'v1')).digest, one.digest);
    put(rig, 'two');
    rig.clock.advance(25 * hour);
    const stale = await rig.manifest('up/app', 'v1');
    assert.deepEqual([stale.digest, stale.outcome.verdict], [one.digest, 'stale']);
  });

  test('T25: unknown and answered 429 is 429 with Retry-After, never 404', async () => {
    await using rig = await createCacheRig();
    rig.upstream.before = down('rateLimited', 429);
    await assert.rejects(
      rig.manifest('up/app', 'v1'),
      (error) => code('tooManyRequests')(error) && (error as RegistryError).retryAfterMs === 60_000,
    );
  });

  test('unknown upstream is remembered for five seconds', async () => {
    await using rig = await createCacheRig();
    for (let pull = 0; pull < 10; pull += 1)
      await assert.rejects(rig.manifest('up/app', 'nope'), code('manifestUnknown'));
    assert.equal(rig.upstream.calls.length, 1);
    rig.clock.advance(5001);
    await assert.rejects(rig.manifest('up/app', 'nope'), code('manifestUnknown'));
    assert.equal(rig.upstream.calls.length, 2);
  });
});

suite('HEAD', () => {
  test('T16: of an unknown tag asks one HEAD, and keeps digest, type and size', async () => {
    await using rig = await createCacheRig();
    const one = put(rig, 'one');
    for (let round = 0; round < 3; round += 1) {
      const answer = await rig.manifest('up/app', 'v1', 'HEAD');
      assert.deepEqual(
        [answer.digest, answer.mediaType, answer.size],
        [one.digest, mediaTypes.ociManifest, one.bytes.length],
      );
      assert.equal(answer.bytes, undefined);
    }
    assert.deepEqual(
      rig.upstream.calls.map((call) => call.kind),
      ['headManifest'],
    );
    assert.equal((await rig.manifest('up/app', 'v1')).digest, one.digest);
    assert.deepEqual(
      rig.upstream.calls.map((call) => call.kind),
      ['headManifest', 'getManifest'],
    );
  });

  test('of a digest that is not held asks one HEAD, kept for a minute', async () => {
    await using rig = await createCacheRig();
    const one = put(rig, 'one');
    for (let round = 0; round < 3; round += 1)
      assert.equal((await rig.manifest('up/app', one.digest, 'HEAD')).size, one.bytes.length);
    assert.equal(rig.upstream.calls.length, 1);
    rig.clock.advance(60_001);
    await rig.manifest('up/app', one.digest, 'HEAD');
    assert.equal(rig.upstream.calls.length, 2);
  });
});

suite('whole images', () => {
  test('T45: config and layers follow in the background once the manifest went out', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ platforms: 'requested' })] });
    const config = rig.upstream.putBlob('app', randomBytes(100, 1));
    const layer = rig.upstream.putBlob('app', randomBytes(5000, 2));
    const elsewhere = {
      mediaType: 'x/y',
      digest: `sha256:${'c'.repeat(64)}`,
      size: 9,
      urls: ['http://elsewhere/x'],
    };
    const descriptor = (digest: string, size: number): object => ({
      mediaType: 'x/y',
      digest,
      size,
    });
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptor(config, 100),
      layers: [descriptor(layer, 5000), elsewhere],
    };
    rig.upstream.putManifest('app', manifest, mediaTypes.ociManifest, 'v1');
    await rig.manifest('up/app', 'v1', 'HEAD');
    await rig.cache.completion.idle();
    assert.equal(rig.upstream.count('openBlob'), 0, 'a HEAD fetches nothing');
    await rig.manifest('up/app', 'v1');
    await rig.cache.completion.idle();
    rig.upstream.before = down('network');
    assert.equal((await rig.blob('up/app', config)).outcome.verdict, 'hit');
    assert.equal((await rig.blob('up/app', layer)).outcome.verdict, 'hit');
    assert.equal(rig.upstream.count('openBlob'), 2);
  });

  test('an index brings the platforms that the rule lists', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ platforms: ['linux/amd64'] })] });
    const children = ['amd64', 'arm64'].map((architecture) => {
      const digest = rig.upstream.putBlob(
        'app',
        randomBytes(10, architecture.length + architecture.codePointAt(1)!),
      );
      const config = { mediaType: 'x/y', digest, size: 10 };
      const child = rig.upstream.putManifest(
        'app',
        {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config,
          layers: [],
          annotations: { architecture },
        },
        mediaTypes.ociManifest,
      );
      return {
        mediaType: child.mediaType,
        digest: child.digest,
        size: child.bytes.length,
        platform: { os: 'linux', architecture },
      };
    });
    rig.upstream.putManifest(
      'app',
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children },
      mediaTypes.ociIndex,
      'v1',
    );
    await rig.manifest('up/app', 'v1');
    await rig.cache.completion.idle();
    rig.upstream.before = down('network');
    assert.equal((await rig.manifest('up/app', children[0]!.digest)).outcome.verdict, 'hit');
    await assert.rejects(rig.manifest('up/app', children[1]!.digest), code('unavailable'));
  });
});

suite('lists', () => {
  test('T18: tags of upstream and ours together, in order and paged, one read upstream a minute', async () => {
    await using rig = await createCacheRig();
    put(rig, 'one', 'cached');
    await rig.manifest('up/app', 'cached');
    rig.upstream.tags.set('app', ['b', 'a', 'd']);
    const page = (n: number, last = '') =>
      rig.cache.listTags({ ...rig.request('up/app'), n, last }, rig.signal);
    assert.deepEqual((await page(10)).tags, ['a', 'b', 'cached', 'd']);
    assert.deepEqual([(await page(2)).tags, (await page(2)).more], [['a', 'b'], true]);
    assert.deepEqual(
      [(await page(2, 'b')).tags, (await page(2, 'b')).more],
      [['cached', 'd'], false],
    );
    assert.equal(rig.upstream.count('listTags'), 1);
    rig.clock.advance(61_000);
    rig.upstream.before = down('network');
    const away = await page(10);
    assert.deepEqual([away.tags, away.outcome.verdict], [['a', 'b', 'cached', 'd'], 'stale']);
  });

  test('a list of more than 10,000 tags is passed on page by page', async () => {
    await using rig = await createCacheRig();
    const tags = Array.from({ length: 10_500 }, (_, at) => `t${String(at).padStart(6, '0')}`);
    rig.upstream.tags.set('app', tags);
    const page = await rig.cache.listTags(
      { ...rig.request('up/app'), n: 3, last: 't010000' },
      rig.signal,
    );
    assert.deepEqual([page.tags, page.more], [['t010001', 't010002', 't010003'], true]);
  });

  test('referrers of upstream and ours together; the tag schema where upstream has no API', async () => {
    await using rig = await createCacheRig();
    const subject = put(rig, 'subject');
    const signature = {
      mediaType: mediaTypes.ociManifest,
      digest: `sha256:${'d'.repeat(64)}`,
      size: 5,
      artifactType: 'application/x-signature',
    };
    rig.upstream.referrers.set(subject.digest, undefined);
    rig.upstream.putManifest(
      'app',
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [signature] },
      mediaTypes.ociIndex,
      subject.digest.replace(':', '-'),
    );
    const list = () =>
      rig.cache.listReferrers({ ...rig.request('up/app'), subject: subject.digest }, rig.signal);
    assert.deepEqual(
      (await list()).descriptors.map((one) => one.digest),
      [signature.digest],
    );
    rig.upstream.before = down('network');
    assert.equal((await list()).outcome.verdict, 'hit');
    rig.clock.advance(25 * hour);
    const stale = await list();
    assert.deepEqual([stale.descriptors.length, stale.outcome.verdict], [1, 'stale']);
  });

  test('the tag of a sha512 subject has its first 64 hexadecimal digits', async () => {
    await using rig = await createCacheRig();
    const subject = `sha512:${'ab'.repeat(64)}` as Digest;
    rig.upstream.referrers.set(subject, undefined);
    await rig.cache.listReferrers({ ...rig.request('up/app'), subject }, rig.signal);
    assert.deepEqual(
      rig.upstream.calls.map((call) => call.subject).filter((one) => one.startsWith('sha512-')),
      [`sha512-${'ab'.repeat(32)}`],
    );
  });
});
