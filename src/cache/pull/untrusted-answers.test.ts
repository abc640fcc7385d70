// What one repository of an upstream, or a gateway before it, says wrongly is believed of nothing else.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import {
  assertBytes,
  createCacheRig,
  randomBytes,
  readAll,
  testRule,
} from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { imageOf, pushBlob, refused } from '../../../tests/support/rigs/push-rig.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { ScriptedUpstream } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const held = randomBytes(650);
const fresh = randomBytes(4000);
const empty = new Uint8Array(0);
const image = imageOf(held);

async function pull(rig: CacheRig, name: string, of: Digest): Promise<Buffer> {
  const body = await readAll((await rig.blob(name, of)).source);
  await until(() => rig.cache.downloads.count === 0);
  return body;
}

suite('wrong bytes rest their URL for the digest in the repository that gave them alone', () => {
  test('a blob', async () => {
    await using rig = await createCacheRig();
    for (const path of ['evil', 'app']) rig.upstream.putBlob(path, fresh);
    rig.upstream.body = async function* (call, chunks) {
      for await (const chunk of chunks)
        yield call.repository === 'evil' ? new Uint8Array(chunk.length) : chunk;
    };
    await assert.rejects(pull(rig, 'up/evil', digestOf(fresh)));
    await until(() => rig.cache.downloads.count === 0);
    assertBytes(await pull(rig, 'up/app', digestOf(fresh)), fresh);
  });

  test('a manifest', async () => {
    await using rig = await createCacheRig();
    const { digest } = rig.upstream.putManifest('app', image, mediaTypes.ociManifest);
    const getManifest = rig.upstream.getManifest.bind(rig.upstream);
    rig.upstream.getManifest = async (target, ...rest) => {
      if (target.repository !== 'evil') return getManifest(target, ...rest);
      throw Object.assign(failure('invalid', 200), { reason: 'wrongDigest' });
    };
    await refused(rig.manifest('up/evil', digest), 'upstreamInvalid');
    assert.equal((await rig.manifest('up/app', digest)).digest, digest);
  });
});

/** `evil` gives so many wrong bytes of the blob, claims so many of the whole, and breaks off; `app` has it. */
async function leavePartial(rig: CacheRig, bytes: number, total: number): Promise<void> {
  for (const path of ['evil', 'app']) rig.upstream.putBlob(path, fresh);
  const openBlob = rig.upstream.openBlob.bind(rig.upstream);
  rig.upstream.openBlob = async (target, ...rest) => {
    const body = await openBlob(target, ...rest);
    if (target.repository !== 'evil') return body;
    const chunks = (async function* () {
      if (body.start < bytes) yield new Uint8Array(bytes - body.start);
      throw failure('network');
    })();
    return { ...body, total, chunks, [Symbol.asyncDispose]: () => body[Symbol.asyncDispose]() };
  };
  await assert.rejects(pullInTime(rig, 'up/evil'));
}

/** Time goes on meanwhile: between its attempts a download waits. */
async function pullInTime(rig: CacheRig, name: string): Promise<Buffer> {
  let ended = false;
  const pulled = pull(rig, name, digestOf(fresh)).finally(() => (ended = true));
  pulled.catch(() => undefined);
  await until(() => {
    rig.clock.advance(50);
    return ended && rig.cache.downloads.count === 0;
  });
  return await pulled;
}

suite(
  'a partial that another repository left is taken up, and nobody pays for what was wrong',
  () => {
    for (const [what, bytes, total, connectionsPerBlob] of [
      ['wrong bytes', 2000, fresh.length, 1],
      ['wrong bytes, where pieces are fetched side by side', 2000, fresh.length, 4],
      ['wrong bytes of a blob that is said to be shorter', 500, 1000, 1],
      ['wrong bytes of a blob that is said to be shorter, in pieces', 500, 1000, 4],
      ['wrong bytes of a blob that is said to be longer', 2000, 9000, 1],
      ['all bytes that there are said to be', 1000, 1000, 1],
    ] as const) {
      test(what, async () => {
        await using rig = await createCacheRig({ limits: { connectionsPerBlob } });
        await leavePartial(rig, bytes, total);
        assertBytes(await pullInTime(rig, 'up/app'), fresh);
      });
    }

    test('wrong bytes, where upstream says no length', async () => {
      await using rig = await createCacheRig({ limits: { connectionsPerBlob: 1 } });
      await leavePartial(rig, 500, 1000);
      const openBlob = rig.upstream.openBlob.bind(rig.upstream);
      rig.upstream.openBlob = async (target, digest, _options, signal) => ({
        ...(await openBlob(target, digest, {}, signal)),
        total: undefined,
      });
      assertBytes(await pullInTime(rig, 'up/app'), fresh);
    });

    test('a stored manifest knows the size better than the partial', async () => {
      await using rig = await createCacheRig({ limits: { connectionsPerBlob: 1 } });
      rig.upstream.putManifest('app', imageOf(fresh), mediaTypes.ociManifest, 'v1');
      await rig.manifest('up/app', 'v1');
      await leavePartial(rig, 500, 1000);
      assertBytes(await pullInTime(rig, 'up/app'), fresh);
    });
  },
);

suite('a stop is lifted by what a page in the place of a no cannot be', () => {
  /** `held` and its image were pulled; then upstream denied the repository. */
  async function openStopped(): Promise<CacheRig> {
    const onFailure = { ...testRule().onFailure, denied: 'stop' } as const;
    const rig = await createCacheRig({
      rules: [testRule({ push: true, onFailure, freshForMs: 1000 })],
    });
    rig.upstream.putManifest('app', image, mediaTypes.ociManifest, 'v1');
    for (const bytes of [held, fresh, empty]) rig.upstream.putBlob('app', bytes);
    await rig.manifest('up/app', 'v1');
    await pull(rig, 'up/app', digestOf(held));
    rig.clock.advance(2000);
    rig.upstream.before = () => {
      throw failure('denied', 403);
    };
    await refused(rig.manifest('up/app', 'v1'), 'denied');
    rig.clock.advance(60_000);
    rig.upstream.before = () => {};
    return rig;
  }

  /** Every question is answered 200 with a page of this many bytes. */
  function gateway(upstream: ScriptedUpstream, total: number | undefined): void {
    const openBlob = upstream.openBlob.bind(upstream);
    upstream.openBlob = async (target, digest, options, signal) => {
      const body = await openBlob(target, digest, options, signal);
      return {
        ...body,
        start: 0,
        partial: false,
        total,
        ranges: false,
        chunks: (async function* () {
          yield new Uint8Array(total ?? 100);
        })(),
        [Symbol.asyncDispose]: () => body[Symbol.asyncDispose](),
      };
    };
  }

  async function isStopped(rig: CacheRig): Promise<boolean> {
    rig.upstream.before = () => {
      throw failure('network');
    };
    const asked = rig.blob('up/app', digestOf(held));
    return await asked.then(
      () => false,
      () => true,
    );
  }

  for (const [what, total, of, method] of [
    ['of any length, for a blob that is not here', 5123, fresh, 'GET'],
    ['of any length, for a HEAD', 5123, fresh, 'HEAD'],
    ['of no length', undefined, fresh, 'GET'],
    ['of another length, for a blob that is here', 5123, held, 'GET'],
    ['for the empty blob', 5123, empty, 'GET'],
  ] as const) {
    test(`not by a page ${what}`, async () => {
      await using rig = await openStopped();
      gateway(rig.upstream, total);
      await rig
        .blob('up/app', digestOf(of), method)
        .then((answer) => answer.source && readAll(answer.source))
        .catch(() => undefined);
      await until(() => rig.cache.downloads.count === 0);
      assert.equal(await isStopped(rig), true);
    });
  }

  test('not by a page as long as a file that was pushed elsewhere', async () => {
    await using rig = await openStopped();
    await pushBlob(rig, 'up/mine', fresh);
    gateway(rig.upstream, fresh.length);
    await pull(rig, 'up/app', digestOf(fresh)).catch(() => undefined);
    await until(() => rig.cache.downloads.count === 0);
    assert.equal(await isStopped(rig), true);
  });

  for (const [what, of] of [
    ['a blob whose size is known', held],
    ['a body whose digest is right', fresh],
  ] as const) {
    test(`by ${what}`, async () => {
      await using rig = await openStopped();
      assertBytes(await pull(rig, 'up/app', digestOf(of)), of);
      assert.equal(await isStopped(rig), false);
    });
  }
});
