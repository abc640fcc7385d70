import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  assertBytes,
  createCacheRig,
  randomBytes,
  readAll,
  testRule,
} from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { RegistryError } from '../../domain/errors.ts';

const code = (expected: string) => (error: unknown) =>
  error instanceof RegistryError && error.code === expected;

suite('a blob is downloaded once', () => {
  const rows = [
    { size: 0, what: 'an empty blob' },
    { size: 1, what: 'a blob of one byte' },
    { size: 65_536, what: 'a blob as long as what is held back' },
    { size: 200_000, what: 'a small blob' },
    { size: 256 * 1024 + 1, what: 'a blob just large enough for pieces' },
    { size: 1_000_003, what: 'a large blob' },
  ];
  for (const { size, what } of rows) {
    for (const ranges of [true, false]) {
      test(`${what} comes whole, ${ranges ? 'with' : 'without'} ranges upstream, and is served again with upstream away`, async () => {
        await using rig = await createCacheRig();
        rig.upstream.ranges = ranges;
        const bytes = randomBytes(size);
        const digest = rig.upstream.putBlob('app', bytes);
        const answer = await rig.blob('up/app', digest);
        assert.equal(answer.outcome.verdict, 'miss');
        assertBytes(await readAll(answer.source), bytes);
        await until(() => rig.cache.downloads.count === 0);
        rig.upstream.before = () => {
          throw failure('network');
        };
        const again = await rig.blob('up/app', digest);
        assert.equal(again.outcome.verdict, 'hit');
        assertBytes(await readAll(again.source), bytes);
        assert.ok(rig.upstream.bytesSent <= size * (ranges ? 1 : 1.5) + 65_536);
      });
    }
  }

  test('whoever began it is told once, when it is stored and recorded', async () => {
    await using rig = await createCacheRig();
    const digest = rig.upstream.putBlob('app', randomBytes(1000));
    const { registry, target } = rig.request('up/app');
    const key = { registry, repository: target.repository };
    const found: Promise<unknown>[] = [];
    const pull = async (): Promise<void> => {
      const request = { registry, target, digest, method: 'GET' } as const;
      const stored = () => void found.push(rig.metadata.repositories.findRepository(key));
      await readAll((await rig.cache.pullBlob({ ...request, stored }, rig.signal)).source);
    };
    await Promise.all([pull(), pull()]);
    await until(() => rig.cache.downloads.count === 0);
    await pull();
    assert.deepEqual(await Promise.all(found.map(async (row) => (await row) !== undefined)), [
      true,
    ]);
  });

  test('T8: twenty clients of one cold blob cost one download', async () => {
    await using rig = await createCacheRig();
    const bytes = randomBytes(600_000);
    const digest = rig.upstream.putBlob('app', bytes);
    const answers = await Promise.all(Array.from({ length: 20 }, () => rig.blob('up/app', digest)));
    const bodies = await Promise.all(answers.map((answer) => readAll(answer.source)));
    for (const body of bodies) assertBytes(body, bytes);
    assert.equal(answers.filter((answer) => answer.outcome.verdict === 'miss').length, 1);
    assert.equal(rig.upstream.bytesSent, bytes.length);
  });

  test('a large blob comes over several connections at once', async () => {
    await using rig = await createCacheRig();
    const digest = rig.upstream.putBlob('app', randomBytes(1_000_000));
    await readAll((await rig.blob('up/app', digest)).source);
    assert.equal(rig.upstream.openMax, 4);
  });

  test('T9: a failure reaches every waiter, and the next pull starts anew', async () => {
    await using rig = await createCacheRig();
    const digest = rig.upstream.putBlob('app', randomBytes(1000));
    rig.upstream.before = () => {
      throw failure('serverError', 500);
    };
    const failed = await Promise.allSettled(
      Array.from({ length: 5 }, () => rig.blob('up/app', digest)),
    );
    for (const one of failed)
      assert.ok(one.status === 'rejected' && code('upstreamInvalid')(one.reason));
    rig.upstream.before = () => {};
    assert.equal((await readAll((await rig.blob('up/app', digest)).source)).length, 1000);
  });

  test('T6: a client that leaves does not end the download', async () => {
    await using rig = await createCacheRig();
    const digest = rig.upstream.putBlob('app', randomBytes(500_000));
    const answer = await rig.blob('up/app', digest);
    const reader = await answer.source!.open(undefined, rig.signal);
    await reader.read(new Uint8Array(100));
    await reader[Symbol.asyncDispose]();
    await until(() => rig.cache.downloads.count === 0);
    assert.equal((await rig.blob('up/app', digest)).outcome.verdict, 'hit');
  });

  test('T7: a slow first client does not slow the others', async () => {
    await using rig = await createCacheRig();
    const bytes = randomBytes(500_000);
    const digest = rig.upstream.putBlob('app', bytes);
    const slow = await (await rig.blob('up/app', digest)).source!.open(undefined, rig.signal);
    await slow.read(new Uint8Array(10));
    assertBytes(await readAll((await rig.blob('up/app', digest)).source), bytes);
    await slow[Symbol.asyncDispose]();
    assert.equal(rig.upstream.bytesSent, bytes.length);
  });
});

suite('what breaks on the way', () => {
  test('a break resumes where it stopped', async () => {
    await using rig = await createCacheRig({ limits: { connectionsPerBlob: 1 } });
    const bytes = randomBytes(200_000);
    const digest = rig.upstream.putBlob('app', bytes);
    let breaks = 0;
    rig.upstream.body = async function* (_call, chunks) {
      let sent = 0;
      for await (const chunk of chunks) {
        yield chunk;
        sent += chunk.length;
        if (breaks < 2 && sent > 50_000) {
          breaks += 1;
          throw failure('network');
        }
      }
    };
    const answer = await rig.blob('up/app', digest);
    const body = readAll(answer.source);
    await until(() => {
      rig.clock.advance(1000);
      return rig.cache.downloads.count === 0;
    });
    assertBytes(await body, bytes);
    assert.equal(breaks, 2);
    assert.equal(rig.upstream.bytesSent, bytes.length);
  });

  test('T11: a whole body of wrong bytes never ends as complete, and is not kept', async () => {
    await using rig = await createCacheRig();
    const bytes = randomBytes(150_000);
    const digest = rig.upstream.putBlob('app', bytes);
    rig.upstream.body = async function* (_call, chunks) {
      for await (const chunk of chunks) {
        chunk[0] = (chunk[0] as number) ^ 1;
        yield chunk;
      }
    };
    const answer = await rig.blob('up/app', digest);
    await assert.rejects(readAll(answer.source));
    await until(() => {
      rig.clock.advance(1000);
      return rig.cache.downloads.count === 0;
    });
    assert.ok(rig.events.some((event) => event.type === 'digestMismatch'));
    assert.equal(await rig.storage.blobs.size(digest), undefined);
    rig.upstream.body = (_call, chunks) => chunks;
    rig.clock.advance(60_000);
    assertBytes(await readAll((await rig.blob('up/app', digest)).source), bytes);
  });

  test('wrong bytes from the first URL are had right from the mirror', async () => {
    const at = (host: string) => ({ origin: `http://${host}`, host, plain: true });
    const rule = testRule({ urls: [at('a'), at('b')] });
    await using rig = await createCacheRig({ rules: [rule] });
    const bytes = randomBytes(150_000);
    const digest = rig.upstream.putBlob('app', bytes);
    rig.upstream.body = async function* (call, chunks) {
      for await (const chunk of chunks) {
        if (call.host === 'a') chunk[0] = (chunk[0] as number) ^ 1;
        yield chunk;
      }
    };
    const first = await rig.blob('up/app', digest);
    await readAll(first.source).catch(() => {});
    await until(() => rig.cache.downloads.count === 0);
    assertBytes(await readAll((await rig.blob('up/app', digest)).source), bytes);
    assert.ok(rig.upstream.calls.some((call) => call.host === 'b'));
  });

  test('T5: a blob whose file is gone is fetched again', async () => {
    await using rig = await createCacheRig();
    const bytes = randomBytes(10_000);
    const digest = rig.upstream.putBlob('app', bytes);
    await readAll((await rig.blob('up/app', digest)).source);
    await until(() => rig.cache.downloads.count === 0);
    await rig.storage.blobs.delete(digest);
    assertBytes(await readAll((await rig.blob('up/app', digest)).source), bytes);
  });

  test('a full disk passes the blob through, hashed in flight and not kept', async () => {
    await using rig = await createCacheRig({
      limits: { minFree: { bytes: Number.MAX_SAFE_INTEGER } },
    });
    const bytes = randomBytes(300_000);
    const digest = rig.upstream.putBlob('app', bytes);
    const answer = await rig.blob('up/app', digest);
    assert.equal(answer.outcome.verdict, 'bypass');
    assertBytes(await readAll(answer.source), bytes);
    assert.equal(await rig.storage.blobs.size(digest), undefined);
    rig.upstream.body = async function* (_call, chunks) {
      for await (const chunk of chunks) yield chunk.map((byte) => byte ^ 1);
    };
    await assert.rejects(readAll((await rig.blob('up/app', digest)).source), /digest/);
  });

  for (const expected of [
    { kind: 'notFound', status: 404, answer: 'blobUnknown' },
    { kind: 'denied', status: 403, answer: 'denied' },
    { kind: 'rateLimited', status: 429, answer: 'tooManyRequests' },
    { kind: 'network', status: undefined, answer: 'unavailable' },
    { kind: 'timeout', status: undefined, answer: 'upstreamTimeout' },
    { kind: 'invalid', status: 200, answer: 'upstreamInvalid' },
  ] as const) {
    test(`upstream's ${expected.kind} is answered ${expected.answer}`, async () => {
      await using rig = await createCacheRig();
      const digest = rig.upstream.putBlob('app', randomBytes(10));
      rig.upstream.before = () => {
        throw failure(expected.kind, expected.status);
      };
      await assert.rejects(rig.blob('up/app', digest), code(expected.answer));
    });
  }
});

suite('whose bytes', () => {
  test('T47: another rule fetches it itself, and upstream down is 503, never the shared bytes', async () => {
    const rules = [testRule(), testRule({ prefix: 'other' })];
    await using rig = await createCacheRig({ rules });
    const digest = rig.upstream.putBlob('app', randomBytes(1000));
    await readAll((await rig.blob('up/app', digest)).source);
    await until(() => rig.cache.downloads.count === 0);
    rig.upstream.before = () => {
      throw failure('network');
    };
    await assert.rejects(rig.blob('other/app', digest), code('unavailable'));
    rig.upstream.before = () => {};
    const sent = rig.upstream.bytesSent;
    assert.equal((await readAll((await rig.blob('other/app', digest)).source)).length, 1000);
    assert.equal(rig.upstream.bytesSent, sent + 1000, 'whole, however many copies are here');
    await until(() => rig.cache.downloads.count === 0);
    rig.upstream.before = () => {
      throw failure('network');
    };
    assert.equal((await rig.blob('other/app', digest)).outcome.verdict, 'hit');
  });

  test('a repository whose upstream lacks the blob does not get it', async () => {
    await using rig = await createCacheRig();
    const digest = rig.upstream.putBlob('app', randomBytes(1000));
    await readAll((await rig.blob('up/app', digest)).source);
    await until(() => rig.cache.downloads.count === 0);
    await assert.rejects(rig.blob('up/secret', digest), code('blobUnknown'));
  });

  test('T16: a HEAD of a blob that is not held asks one HEAD, and no bytes, for a minute', async () => {
    await using rig = await createCacheRig();
    const digest = rig.upstream.putBlob('app', randomBytes(777));
    for (let round = 0; round < 3; round += 1) {
      const answer = await rig.blob('up/app', digest, 'HEAD');
      assert.equal(answer.size, 777);
    }
    assert.equal(rig.upstream.count('headBlob'), 1);
    assert.equal(rig.upstream.count('openBlob'), 0);
  });

  test('a 404 is remembered for a minute', async () => {
    await using rig = await createCacheRig();
    const digest = rig.upstream.putBlob('elsewhere', randomBytes(10));
    for (let round = 0; round < 5; round += 1)
      await assert.rejects(rig.blob('up/app', digest), code('blobUnknown'));
    assert.equal(rig.upstream.calls.length, 1);
    rig.clock.advance(60_001);
    await assert.rejects(rig.blob('up/app', digest), code('blobUnknown'));
    assert.equal(rig.upstream.calls.length, 2);
  });
});

suite('T36: ranges of a blob that is still arriving', () => {
  const size = 700_000;
  for (const span of [
    { start: 0, end: 0 },
    { start: 0, end: size - 1 },
    { start: 1, end: size - 1 },
    { start: 650_000, end: size - 1 },
    { start: 123_456, end: 234_567 },
    { start: size - 1, end: size - 1 },
  ]) {
    test(`bytes ${span.start}-${span.end}`, async () => {
      await using rig = await createCacheRig();
      const bytes = randomBytes(size);
      const digest = rig.upstream.putBlob('app', bytes);
      const answer = await rig.blob('up/app', digest);
      assert.equal(answer.size, size);
      assertBytes(await readAll(answer.source, span), bytes.subarray(span.start, span.end + 1));
    });
  }
});
