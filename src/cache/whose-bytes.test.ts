import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../tests/support/rigs/cache-rig.ts';
import {
  assertBytes,
  createCacheRig,
  randomBytes,
  readAll,
  testRule,
} from '../../tests/support/rigs/cache-rig.ts';
import { until } from '../../tests/support/rigs/until.ts';
import {
  bytesOf,
  descriptorOf,
  emptyJson,
  imageOf,
  pushBlob,
  pushManifest,
  refused,
} from '../../tests/support/rigs/push-rig.ts';
import { failure } from '../../tests/support/upstreams/scripted-upstream.ts';
import type { Digest } from '../domain/names/digest.ts';
import { mediaTypes } from '../domain/manifests/media-type.ts';
import { digestOf } from '../../tests/support/samples/digest.ts';

const layer = randomBytes(650);
const digest = digestOf(layer);
const down = (): never => {
  throw failure('network');
};

async function pull(rig: CacheRig, name: string, of: Digest = digest): Promise<Buffer> {
  const body = await readAll((await rig.blob(name, of)).source);
  await until(() => rig.cache.downloads.count === 0);
  return body;
}

suite('a blob that the rule has fetched in another repository', () => {
  test('is asked for by the GET of one byte, and is held from then on', async () => {
    await using rig = await createCacheRig();
    for (const path of ['app', 'fork']) rig.upstream.putBlob(path, layer);
    await pull(rig, 'up/app');
    rig.upstream.calls.length = 0;
    const answer = await rig.blob('up/fork', digest);
    assert.equal(answer.outcome.verdict, 'revalidated');
    assertBytes(await readAll(answer.source), layer);
    const [call, ...more] = rig.upstream.calls;
    assert.deepEqual([call?.kind, call?.range, more.length], ['openBlob', { start: 0, end: 0 }, 0]);
    rig.upstream.before = down;
    rig.invalidations.note({ kind: 'configuration' });
    assert.equal((await rig.blob('up/fork', digest)).outcome.verdict, 'hit');
  });

  for (const status of [400, 416, 501]) {
    test(`is asked for whole where a range is answered ${status}`, async () => {
      await using rig = await createCacheRig();
      for (const path of ['app', 'fork']) rig.upstream.putBlob(path, layer);
      await pull(rig, 'up/app');
      rig.upstream.before = ({ range }) => {
        if (range !== undefined) throw failure('invalid', status);
      };
      assert.equal((await rig.blob('up/fork', digest)).outcome.verdict, 'revalidated');
      rig.upstream.before = () => {};
      assert.equal((await rig.blob('up/fork', digest)).outcome.verdict, 'hit');
    });
  }

  test('is not given out on the word of a manifest, nor of a HEAD', async () => {
    await using rig = await createCacheRig();
    rig.upstream.putBlob('app', layer);
    await pull(rig, 'up/app');
    const naming = imageOf(layer, {
      layers: [{ ...descriptorOf(layer), urls: ['https://x.test'] }],
    });
    rig.upstream.putManifest('bob', naming, mediaTypes.ociManifest, 'v1');
    rig.upstream.headBlob = async () => ({ size: layer.length });
    await rig.manifest('up/bob', 'v1');
    await refused(rig.blob('up/bob', digest), 'blobUnknown');
    await refused(rig.blob('up/bob', digest, 'HEAD'), 'blobUnknown');
    rig.upstream.before = down;
    rig.clock.advance(61_000);
    await refused(rig.blob('up/bob', digest), 'unavailable');
  });

  for (const has of [true, false]) {
    test(`and is still fetching there is ${has ? 'followed once upstream has it here' : 'not this repository’s'}`, async () => {
      await using rig = await createCacheRig();
      rig.upstream.putBlob('app', layer);
      if (has) rig.upstream.putBlob('fork', layer);
      const { promise, resolve } = Promise.withResolvers<void>();
      rig.upstream.body = async function* (call, chunks) {
        if (call.repository === 'app') await promise;
        yield* chunks;
      };
      const first = await rig.blob('up/app', digest);
      const second = rig.blob('up/fork', digest);
      if (!has) await refused(second, 'blobUnknown');
      else assert.equal((await second).outcome.verdict, 'coalesced');
      resolve();
      assertBytes(await readAll(first.source), layer);
      await until(() => rig.cache.downloads.count === 0);
      rig.upstream.before = down;
      rig.invalidations.note({ kind: 'configuration' });
      if (has)
        await until(() =>
          rig.blob('up/fork', digest).then(
            ({ outcome }) => outcome.verdict === 'hit',
            () => false,
          ),
        );
      else await refused(rig.blob('up/fork', digest), 'unavailable');
    });
  }

  for (const [what, total] of [
    ['of another length', 70],
    ['of no length', undefined],
    ['that is empty', 0],
  ] as const) {
    for (const running of [false, true]) {
      test(`is not given out for a page ${what} with 200${running ? ', while it is on its way there' : ''}`, async () => {
        await using rig = await createCacheRig();
        rig.upstream.putBlob('app', layer);
        const { promise, resolve } = Promise.withResolvers<void>();
        if (!running) resolve();
        rig.upstream.body = async function* (call, chunks) {
          if (call.repository === 'app') await promise;
          yield* chunks;
        };
        const page = rig.upstream.putBlob('fork', randomBytes(70));
        const honest = { ...rig.upstream };
        rig.upstream.openBlob = async (target, of, options, signal) => {
          if (target.repository === 'app') return honest.openBlob(target, of, options, signal);
          const body = await honest.openBlob(target, page, {}, signal);
          return { ...body, total, partial: false, ranges: false };
        };
        const first = await rig.blob('up/app', digest);
        if (!running) await readAll(first.source);
        const second = rig.blob('up/fork', digest).then(({ source }) => readAll(source));
        second.catch(() => {});
        await until(() => rig.upstream.calls.some(({ repository }) => repository === 'fork'));
        resolve();
        const ended = second.then(
          () => 'bytes',
          () => 'none',
        );
        let said: string | undefined;
        void ended.then((is) => (said = is));
        await until(() => {
          rig.clock.advance(1000);
          return said !== undefined;
        });
        assert.equal(said, 'none');
        const claim = await rig.metadata.blobs.findBlobClaim(
          { registry: rig.request('up/fork').registry, repository: 'up/fork' as never },
          undefined,
          digest,
        );
        assert.equal(claim.held, undefined);
      });
    }
  }

  test('fails there, and is fetched here all the same', async () => {
    await using rig = await createCacheRig();
    rig.upstream.putBlob('fork', layer);
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.upstream.before = async ({ repository }) => {
      if (repository === 'app') await promise;
    };
    const first = refused(rig.blob('up/app', digest), 'blobUnknown');
    await until(() => rig.upstream.count('openBlob') === 1);
    const second = rig.blob('up/fork', digest);
    resolve();
    await first;
    assertBytes(await readAll((await second).source), layer);
  });
});

suite('a size', () => {
  const naming = (size: number): object =>
    imageOf(emptyJson, { layers: [{ ...descriptorOf(layer), size }] });

  test('of 0 in a descriptor is not believed: the blob comes whole', async () => {
    await using rig = await createCacheRig();
    rig.upstream.putBlob('app', layer);
    rig.upstream.putManifest('app', naming(0), mediaTypes.ociManifest, 'v1');
    await rig.manifest('up/app', 'v1');
    const answer = await rig.blob('up/app', digest);
    assert.equal(answer.size, layer.length);
    assertBytes(await readAll(answer.source), layer);
  });

  for (const said of [0, 7]) {
    test(`of ${said} in a HEAD gives way to that of the GET`, async () => {
      await using rig = await createCacheRig();
      rig.upstream.putBlob('app', layer);
      rig.upstream.headBlob = async () => ({ size: said });
      const head = await rig.blob('up/app', digest, 'HEAD');
      assert.equal(head.size, said === 0 ? undefined : said);
      assertBytes(await pull(rig, 'up/app'), layer);
      assert.equal((await rig.blob('up/app', digest, 'HEAD')).size, layer.length);
    });
  }

  test('of 0 in a GET is refused before anything goes out, but for the empty blob', async () => {
    await using rig = await createCacheRig();
    const empty = rig.upstream.putBlob('app', new Uint8Array(0));
    assert.equal((await pull(rig, 'up/app', empty)).length, 0);
    const honest = { ...rig.upstream };
    rig.upstream.openBlob = (target, _digest, options, signal) =>
      honest.openBlob(target, empty, options, signal);
    const wrong = refused(rig.blob('up/app', digest), 'upstreamInvalid');
    await until(async () => {
      rig.clock.advance(1000);
      return rig.cache.downloads.count === 0;
    });
    await wrong;
  });

  test('that HEAD leaves out is the stored manifest’s', async () => {
    await using rig = await createCacheRig();
    rig.upstream.putBlob('app', layer);
    rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest, 'v1');
    await rig.manifest('up/app', 'v1');
    rig.upstream.headBlob = async () => ({ size: undefined });
    assert.equal((await rig.blob('up/app', digest, 'HEAD')).size, layer.length);
  });
});

suite('the no of a HEAD', () => {
  for (const [kind, status] of [
    ['notFound', 404],
    ['invalid', 405],
    ['denied', 403],
    ['serverError', 500],
  ] as const) {
    test(`${status} refuses no GET, and is remembered for HEADs alone`, async () => {
      await using rig = await createCacheRig({
        rules: [testRule(), testRule({ prefix: 'other' })],
      });
      rig.upstream.putBlob('app', layer);
      await pull(rig, 'other/app');
      rig.upstream.headBlob = async () => {
        throw failure(kind, status);
      };
      await assert.rejects(rig.blob('up/app', digest, 'HEAD'));
      assertBytes(await pull(rig, 'up/app'), layer);
      assert.equal((await rig.blob('up/app', digest, 'HEAD')).size, layer.length);
    });
  }

  test('of a blob that a manifest names is checked by a GET', async () => {
    await using rig = await createCacheRig();
    rig.upstream.putBlob('app', layer);
    rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest, 'v1');
    await rig.manifest('up/app', 'v1');
    rig.upstream.headBlob = async () => {
      throw failure('notFound', 404);
    };
    assert.equal((await rig.blob('up/app', digest, 'HEAD')).size, layer.length);
  });
});

suite('a rule that leads elsewhere begins with nothing', () => {
  const there = { urls: [{ origin: 'http://there', host: 'there', plain: true }] } as const;
  const credential = { name: 'c', username: 'u', accessToken: 't' };
  const rows = [
    { what: 'another upstream', before: {}, after: there },
    { what: 'no credential any more', before: { credential }, after: {} },
    {
      what: 'another user',
      before: { credential },
      after: { credential: { ...credential, username: 'v' } },
    },
    {
      what: 'another account’s token under the same user',
      before: { credential: { ...credential, account: 'a' } },
      after: { credential: { ...credential, account: 'b' } },
    },
    {
      what: 'another holder’s client certificate',
      before: { clientCert: { cert: 'c', key: 'k', holder: 'a' } },
      after: { clientCert: { cert: 'd', key: 'l', holder: 'b' } },
    },
  ];
  for (const { what, before, after } of rows) {
    test(`${what}: neither blob, manifest, tag, list nor referrer is served that upstream does not have`, async () => {
      await using rig = await createCacheRig({ rules: [testRule(before)] });
      const image = rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest, 'v1');
      const subject = descriptorOf(image.bytes, mediaTypes.ociManifest);
      const artifact = rig.upstream.putManifest(
        'app',
        imageOf(emptyJson, { subject }),
        mediaTypes.ociManifest,
      );
      rig.upstream.putBlob('app', layer);
      await rig.manifest('up/app', 'v1');
      await rig.manifest('up/app', artifact.digest);
      await pull(rig, 'up/app');
      rig.setRules([testRule(after)]);
      rig.upstream.before = () => {
        throw failure('notFound', 404);
      };
      for (const method of ['GET', 'HEAD'] as const) {
        await refused(rig.blob('up/app', digest, method), 'blobUnknown');
        for (const reference of [image.digest, 'v1'])
          await refused(rig.manifest('up/app', reference, method), 'manifestUnknown');
      }
      const request = rig.request('up/app');
      const tags = rig.cache.listTags({ ...request, n: 10, last: '' }, rig.signal);
      assert.deepEqual(await tags.then((one) => one.tags).catch(() => []), []);
      const listed = await rig.cache
        .listReferrers({ ...request, subject: image.digest }, rig.signal)
        .then((one) => one.descriptors)
        .catch(() => []);
      assert.deepEqual(listed, []);
      rig.setRules([testRule(before)]);
      assertBytes((await rig.manifest('up/app', 'v1')).bytes, image.bytes);
      assertBytes(await pull(rig, 'up/app'), layer);
    });
  }

  test('what a client certificate fetched stays private once its rule is gone', async () => {
    const clientCert = { cert: 'c', key: 'k', holder: 'a' };
    for (const anonymousPull of [false, true]) {
      await using rig = await createCacheRig({ rules: [testRule({ clientCert, anonymousPull })] });
      rig.upstream.putBlob('app', layer);
      await pull(rig, 'up/app');
      const { registry, target } = rig.request('up/app');
      const row = await rig.metadata.repositories.findRepository({
        registry,
        repository: target.repository,
      });
      assert.equal(row?.private, !anonymousPull);
    }
  });

  test('what has arrived of a blob under the old rule is not given out under the new', async () => {
    await using rig = await createCacheRig({ limits: { connectionsPerBlob: 1 } });
    rig.upstream.putBlob('app', layer);
    rig.upstream.body = async function* (_call, chunks) {
      for await (const chunk of chunks) yield chunk.subarray(0, 600);
      throw failure('network');
    };
    await rig.blob('up/app', digest);
    await until(() => {
      rig.clock.advance(1000);
      return rig.cache.downloads.count === 0;
    });
    rig.setRules([testRule(there)]);
    rig.upstream.body = async function* () {
      yield Uint8Array.of(0xee);
      throw failure('network');
    };
    const { source } = await rig.blob('up/app', digest);
    const reader = await source!.open({ start: 0, end: 9 }, rig.signal);
    const block = new Uint8Array(10);
    assert.equal(await reader.read(block), 1);
    assert.equal(block[0], 0xee);
    await reader[Symbol.asyncDispose]();
    await until(() => {
      rig.clock.advance(1000);
      return rig.cache.downloads.count === 0;
    });
  });

  const before = testRule({ credential });
  const after = testRule({ credential: { ...credential, username: 'v' } });
  for (const method of ['GET', 'HEAD'] as const) {
    for (const what of ['blob', 'digest', 'tag'] as const) {
      test(`a 404 that the old one waited for over the reload hides no ${what} from a ${method} of the new`, async () => {
        await using rig = await createCacheRig({ rules: [before] });
        const { promise, resolve } = Promise.withResolvers<void>();
        rig.upstream.before = async () => {
          await promise;
          throw failure('notFound', 404);
        };
        const image = imageOf(layer);
        const reference = what === 'tag' ? 'v1' : digestOf(bytesOf(image));
        const ask = async (): Promise<unknown> =>
          what === 'blob'
            ? rig.blob('up/app', digest, method)
            : rig.manifest('up/app', reference, method);
        const old = assert.rejects(ask());
        await until(() => rig.upstream.calls.length > 0);
        rig.setRules([after]);
        resolve();
        await old;
        rig.upstream.before = () => {};
        rig.upstream.putBlob('app', layer);
        rig.upstream.putManifest('app', image, mediaTypes.ociManifest, 'v1');
        await ask();
      });
    }
  }

  test('a refusal that the old one waited for over the reload stops nothing of the new in this process', async () => {
    const onFailure = { ...before.onFailure, denied: 'stop' } as const;
    const stopping = { onFailure, freshForMs: 0 };
    await using rig = await createCacheRig({ rules: [{ ...before, ...stopping }] });
    rig.upstream.putBlob('app', layer);
    rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest, 'v1');
    await rig.manifest('up/app', 'v1');
    const { promise, resolve } = Promise.withResolvers<void>();
    const refuse = (): never => {
      throw failure('denied', 403);
    };
    let asked = 0;
    rig.upstream.before = async () => {
      asked += 1;
      if (asked === 1) await promise.then(refuse);
    };
    const old = refused(rig.manifest('up/app', 'v1'), 'denied');
    await until(() => asked === 1);
    rig.setRules([{ ...after, ...stopping }]);
    await rig.manifest('up/app', 'v1');
    await pull(rig, 'up/app');
    rig.upstream.before = refuse;
    resolve();
    await old;
    rig.upstream.before = down;
    assert.equal((await rig.blob('up/app', digest)).outcome.verdict, 'hit');
  });

  test('what was pushed stays, with what the rule had brought of it', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    rig.upstream.putBlob('app', layer);
    await pushBlob(rig, 'up/app', emptyJson);
    await pushManifest(rig, 'up/app', 'mine', imageOf(layer));
    rig.setRules([testRule({ push: true, ...there })]);
    rig.upstream.before = down;
    assertBytes((await rig.manifest('up/app', 'mine')).bytes, bytesOf(imageOf(layer)));
    for (const bytes of [layer, emptyJson])
      assertBytes(await readAll((await rig.blob('up/app', digestOf(bytes))).source), bytes);
  });
});

suite('bytes that can’t be read, or are gone', () => {
  test('are not deleted: others hold them; and are fetched again where upstream has them', async () => {
    await using rig = await createCacheRig();
    rig.upstream.putBlob('app', layer);
    await pull(rig, 'up/app');
    const other = {
      registry: '111111111111/eu-west-1',
      target: rig.request('team/app').target,
    } as const;
    const { blobs } = rig.storage;
    const stored = { ...blobs };
    blobs.open = async (of, span) => {
      const reader = await stored.open(of, span);
      return reader && { ...reader, read: () => Promise.reject(new Error('EIO')) };
    };
    await rig.metadata.blobs.holdBlob({
      registry: other.registry,
      repository: other.target.repository,
      digest,
      create: true,
      now: 1,
    });
    await assert.rejects(pull(rig, 'up/app'), /EIO/);
    assert.equal(await blobs.size(digest), layer.length);
    blobs.open = (of, span) => stored.open(of, span);
    const pushed = await rig.cache.pullBlob({ ...other, digest, method: 'GET' }, rig.signal);
    assertBytes(await readAll(pushed.source), layer);
    const sent = rig.upstream.bytesSent;
    const again = await rig.blob('up/app', digest);
    assert.equal(again.outcome.verdict, 'miss');
    assertBytes(await readAll(again.source), layer);
    await until(() => rig.cache.downloads.count === 0);
    assert.equal(rig.upstream.bytesSent, sent + layer.length);
    assert.equal((await rig.blob('up/app', digest)).outcome.verdict, 'hit');
  });

  test('are tried once more where upstream is away', async () => {
    await using rig = await createCacheRig();
    rig.upstream.putBlob('app', layer);
    await pull(rig, 'up/app');
    const stored = { ...rig.storage.blobs };
    rig.storage.blobs.open = () =>
      Promise.reject(Object.assign(new Error('EIO'), { syscall: 'open' }));
    rig.upstream.before = down;
    await assert.rejects(pull(rig, 'up/app'));
    rig.storage.blobs.open = (of, span) => stored.open(of, span);
    assertBytes(await pull(rig, 'up/app'), layer);
  });

  for (const away of [false, true]) {
    test(`a push that names a layer which the rule fetched, whose bytes are gone, ${away ? 'is told that it is missing' : 'has them here before it is answered'}`, async () => {
      await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
      for (const path of ['app', 'base']) rig.upstream.putBlob(path, layer);
      rig.upstream.putManifest('app', imageOf(layer), mediaTypes.ociManifest, 'v1');
      await rig.manifest('up/app', 'v1');
      await pull(rig, 'up/base');
      await pushBlob(rig, 'up/app', emptyJson);
      await rig.storage.blobs.delete(digest);
      if (away) rig.upstream.before = down;
      const push = pushManifest(rig, 'up/app', 'mine', imageOf(layer, { annotations: { a: 'b' } }));
      if (away) await refused(push, 'manifestBlobUnknown');
      else await push;
      assert.equal(await rig.storage.blobs.size(digest), away ? undefined : layer.length);
    });
  }
});
