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
import type { Call } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import { createMemoryStorage } from '../../../tests/support/rigs/memory-storage.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const requested = (change: Partial<PullRule> = {}): PullRule =>
  testRule({ platforms: 'requested', ...change });

const onHost = (host: string, change: Partial<PullRule> = {}): PullRule =>
  requested({
    prefix: host,
    urls: [{ origin: `http://${host}`, host, plain: true }],
    upstreamHost: host,
    ...change,
  });

interface TestImage {
  readonly tag: string;
  readonly digest: Digest;
  /** Config first. */
  readonly blobs: readonly Digest[];
  readonly bytes: readonly Uint8Array[];
}

let made = 0;

/** An image upstream, its config and layers as large as given. */
function putImage(rig: CacheRig, sizes: readonly number[], repository = 'app'): TestImage {
  const bytes = sizes.map((size) => randomBytes(size, (made += 1)));
  const blobs = bytes.map((each) => rig.upstream.putBlob(repository, each));
  const [config, ...layers] = blobs.map((digest, at) => ({
    mediaType: 'x/y',
    digest,
    size: sizes[at],
  }));
  const tag = `v${made}`;
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const { digest } = rig.upstream.putManifest(repository, manifest, mediaTypes.ociManifest, tag);
  return { tag, digest, blobs, bytes };
}

const asked = (rig: CacheRig): readonly string[] =>
  rig.upstream.calls.filter((call) => call.kind === 'openBlob').map((call) => call.subject);

const times = (rig: CacheRig, digest: string): number =>
  asked(rig).filter((one) => one === digest).length;

/** Opened once; what waits for it goes on. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** Bodies give what comes before `bytes` at once, and the rest when the gate is open. */
function holdAfter(bytes: number, opened: Promise<void>, digests?: readonly string[]) {
  return async function* (call: Call, chunks: AsyncIterable<Uint8Array>) {
    let sent = 0;
    for await (const chunk of chunks) {
      if (sent >= bytes && digests?.includes(call.subject) !== false) await opened;
      yield chunk;
      sent += chunk.length;
    }
  };
}

const isHeld = async (rig: CacheRig, name: string, digest: string): Promise<boolean> =>
  (await rig.blob(name, digest, 'HEAD')).outcome.verdict === 'hit';

suite('an image whose manifest went out', () => {
  test('comes side by side: config and all layers are asked for at once', async () => {
    await using rig = await createCacheRig({ rules: [requested()] });
    const { opened, open } = gate();
    const image = putImage(rig, Array(11).fill(1000));
    rig.upstream.body = holdAfter(0, opened);
    await rig.manifest('up/app', image.tag);
    await until(() => rig.upstream.openMax === 11, 'eleven at once');
    open();
    await rig.cache.completion.idle();
    for (const digest of image.blobs) assert.equal(times(rig, digest), 1);
  });

  test('is asked for in the order of its manifest where connections are few', async () => {
    await using rig = await createCacheRig({ rules: [requested({ maxConnections: 2 })] });
    const image = putImage(rig, [10, 20, 30, 40, 50]);
    await rig.manifest('up/app', image.tag);
    await rig.cache.completion.idle();
    assert.deepEqual(asked(rig), image.blobs);
    assert.equal(rig.upstream.openMax, 1, 'one of two is left to clients');
  });

  test('has not arrived where it could not be stored, and is asked for again a minute later', async () => {
    const memory = await createMemoryStorage();
    let full = true;
    const adopt: typeof memory.blobs.adopt = async (file, replace) => {
      if (full) throw new Error('the volume is full');
      await memory.blobs.adopt(file, replace);
    };
    const storage = { ...memory, blobs: { ...memory.blobs, adopt } };
    await using rig = await createCacheRig({ rules: [requested()], storage });
    const image = putImage(rig, [10, 20]);
    const arrived = (): boolean => rig.events.some(({ type }) => type === 'imageArrived');
    await rig.manifest('up/app', image.tag);
    await rig.cache.completion.idle();
    assert.equal(arrived(), false);
    full = false;
    rig.clock.advance(60_000);
    await rig.manifest('up/app', image.tag);
    await rig.cache.completion.idle();
    assert.equal(arrived(), true);
  });

  test('leaves out layers that live elsewhere, and goes on behind them', async () => {
    await using rig = await createCacheRig({ rules: [requested()] });
    const [config, one, two] = [1, 2, 3].map((seed) =>
      rig.upstream.putBlob('app', randomBytes(100, seed)),
    );
    const far = digestOf(randomBytes(100, 4));
    const layer = (
      digest: string | undefined,
      mediaType = 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    ) => ({
      mediaType,
      digest,
      size: 100,
    });
    const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const { dockerManifest: mediaType } = mediaTypes;
    const layers = [layer(one), layer(far, foreign), layer(two)];
    const manifest = { schemaVersion: 2, mediaType, config: layer(config), layers };
    rig.upstream.putManifest('app', manifest, mediaType, 'v1');
    await rig.manifest('up/app', 'v1');
    await rig.cache.completion.idle();
    assert.deepEqual(new Set(asked(rig)), new Set([config, one, two]));
  });

  test('of BuildKit’s cache, an index of layers, comes whole where the rule wants all', async () => {
    await using rig = await createCacheRig({ rules: [requested({ platforms: 'all' })] });
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const manifests = [1, 2].map((seed) => {
      const digest = rig.upstream.putBlob('app', randomBytes(100, seed));
      return { mediaType, digest, size: 100 };
    });
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    rig.upstream.putManifest('app', index, mediaTypes.ociIndex, 'cache');
    await rig.manifest('up/app', 'cache');
    await rig.cache.completion.idle();
    assert.deepEqual(
      asked(rig),
      manifests.map((one) => one.digest),
    );
    assert.equal(rig.upstream.count('getManifest'), 1);
  });

  test('after a 429 nothing more of it is asked, until the next pull a minute later', async () => {
    await using rig = await createCacheRig({ rules: [requested({ maxConnections: 2 })] });
    const image = putImage(rig, [10, 20, 30, 40]);
    rig.upstream.before = (call) => {
      if (call.subject === image.blobs[1]) throw failure('rateLimited', 429);
    };
    await rig.manifest('up/app', image.tag);
    await rig.cache.completion.idle();
    assert.deepEqual(asked(rig), image.blobs.slice(0, 2));
    rig.upstream.before = () => {};
    await rig.manifest('up/app', image.tag);
    await rig.cache.completion.idle();
    assert.equal(asked(rig).length, 2);
    rig.clock.advance(60_000);
    await rig.manifest('up/app', image.tag);
    await rig.cache.completion.idle();
    for (const digest of image.blobs) assert.ok(await isHeld(rig, 'up/app', digest));
  });
});

/** How a layer misbehaves, and what a client that asks for it is told. */
const faults: readonly {
  readonly name: string;
  before?(): void;
  body?(chunks: AsyncIterable<Uint8Array>, opened: Promise<void>): AsyncIterable<Uint8Array>;
  readonly answer: RegExp;
}[] = [
  {
    name: 'is 404',
    before() {
      throw failure('notFound', 404);
    },
    answer: /^blobUnknown$/,
  },
  {
    name: 'has wrong bytes',
    async *body(chunks) {
      for await (const chunk of chunks) yield chunk.map((byte) => byte ^ 1);
    },
    answer: /wrong bytes|do not match|^upstreamInvalid$/,
  },
  {
    name: 'is reset again and again',
    async *body(chunks) {
      for await (const chunk of chunks) {
        yield chunk.subarray(0, 1);
        throw failure('network');
      }
    },
    answer: /^(?:scripted network|unavailable)$/,
  },
  {
    name: 'hangs',
    async *body(chunks, opened) {
      await opened;
      yield* chunks;
    },
    answer: /^whole$/,
  },
  {
    name: 'drips',
    async *body(chunks, opened) {
      for await (const chunk of chunks) {
        yield chunk.subarray(0, 1);
        await opened;
        yield chunk.subarray(1);
      }
    },
    answer: /^whole$/,
  },
];

suite('a layer that fails ends no other', () => {
  for (const fault of faults) {
    test(`one that ${fault.name}: the others come, and who asks for it gets its own answer`, async () => {
      await using rig = await createCacheRig({ rules: [requested()] });
      const image = putImage(rig, [100, 2000, 3000, 4000]);
      const { opened, open } = gate();
      const bad = image.blobs[1]!;
      rig.upstream.before = (call) => {
        if (call.subject === bad) fault.before?.();
      };
      rig.upstream.body = (call, chunks) =>
        (call.subject === bad ? fault.body?.(chunks, opened) : undefined) ?? chunks;
      await rig.manifest('up/app', image.tag);
      for (const digest of image.blobs.filter((one) => one !== bad))
        await until(() => isHeld(rig, 'up/app', digest), 'the others');
      const own = rig.blob('up/app', bad).then(
        async ({ source }) => {
          const read = readAll(source).then(
            () => 'whole',
            (error: Error) => error.message,
          );
          return read;
        },
        (error: unknown) => (error instanceof RegistryError ? error.code : String(error)),
      );
      open();
      let said: string | undefined;
      void own.then((text) => (said = text));
      await until(() => {
        rig.clock.advance(1000);
        return said !== undefined;
      }, 'an answer');
      assert.match(String(said), fault.answer);
    });
  }
});

suite('what a client waits for', () => {
  test('goes before what is fetched for nobody: a connection is left for it', async () => {
    await using rig = await createCacheRig({ rules: [requested({ maxConnections: 3 })] });
    const image = putImage(rig, [1000, 1000, 1000, 1000, 1000]);
    const { opened, open } = gate();
    const last = image.blobs.at(-1)!;
    rig.upstream.body = holdAfter(0, opened, image.blobs.slice(0, -1));
    await rig.manifest('up/app', image.tag);
    await until(() => asked(rig).length === 2, 'all that completion may have');
    const { source } = await rig.blob('up/app', last);
    assertBytes(await readAll(source), image.bytes.at(-1)!);
    assert.deepEqual(asked(rig), [...image.blobs.slice(0, 2), last]);
    open();
    await rig.cache.completion.idle();
    assert.equal(times(rig, last), 1);
  });

  test('gains connections once a client reads it', async () => {
    await using rig = await createCacheRig({ rules: [requested({ maxConnections: 4 })] });
    const image = putImage(rig, [200_000, 200_000, 200_000]);
    const { opened, open } = gate();
    const last = image.blobs.at(-1)!;
    rig.upstream.body = holdAfter(32_000, opened);
    await rig.manifest('up/app', image.tag);
    await until(() => asked(rig).length === 3, 'one connection each');
    const { source } = await rig.blob('up/app', last);
    const body = readAll(source);
    await until(() => times(rig, last) === 2, 'the connection that was left');
    open();
    assertBytes(await body, image.bytes.at(-1)!);
    await rig.cache.completion.idle();
  });

  test('takes the place of a fill where limits.downloads is reached, and the fill goes on behind it', async () => {
    await using rig = await createCacheRig({
      rules: [requested()],
      limits: { downloadsMax: 1 },
    });
    const image = putImage(rig, [1000, 70_000]);
    const other = putImage(rig, [500, 600]);
    const { opened, open } = gate();
    const [held] = image.blobs;
    rig.upstream.body = async function* (call, chunks) {
      const first = call.subject === held && times(rig, call.subject) === 1;
      if (first) await opened;
      yield* chunks;
    };
    await rig.manifest('up/app', image.tag);
    await until(() => times(rig, held!) === 1);
    const asks = rig.blob('up/app', other.blobs[0]!);
    await until(() => rig.events.some((event) => event.type === 'throttled'));
    open();
    assertBytes(await readAll((await asks).source), other.bytes[0]!);
    const ended = rig.events.filter((event) => event.type === 'downloadEnded');
    assert.match(String(ended[0]?.error), /a client waits for its place/);
    await rig.cache.completion.idle();
    for (const digest of image.blobs) assert.ok(await isHeld(rig, 'up/app', digest));
  });
});

suite('one upstream leaves the others theirs', () => {
  test('a dozen layers that drip hold back no image of another upstream, and give up after a minute', async () => {
    await using rig = await createCacheRig({ rules: [onHost('slow'), onHost('quick')] });
    const { opened, open } = gate();
    const dripping = putImage(rig, Array(20).fill(40_000), 'slow/app');
    const image = putImage(rig, [1000, 2000], 'app');
    rig.upstream.body = holdAfter(16_000, opened, dripping.blobs);
    await rig.manifest('slow/slow/app', dripping.tag);
    await until(() => asked(rig).length === 12, 'all that one upstream may have');
    await rig.manifest('quick/app', image.tag);
    for (const digest of image.blobs) await until(() => isHeld(rig, 'quick/app', digest));
    rig.clock.advance(60_000);
    open();
    const slow = (): boolean =>
      rig.events.some(
        (event) => event.type === 'downloadEnded' && /too slowly/.test(`${event.error}`),
      );
    await until(slow, 'one that gave its place up');
    await rig.cache.completion.idle();
  });

  test('300 GETs to one that hangs leave another’s misses their places', async () => {
    await using rig = await createCacheRig({ rules: [onHost('hung'), onHost('well')] });
    const { opened, open } = gate();
    rig.upstream.before = (call) => (call.host === 'hung' ? opened : undefined);
    const hung = Array.from({ length: 300 }, (_, at) =>
      rig.blob('hung/app', digestOf(Buffer.from(`hung ${at}`))).catch((error: unknown) => error),
    );
    await until(() => rig.events.some((event) => event.type === 'throttled'), 'all places taken');
    const bytes = randomBytes(1000, 7);
    const { source } = await rig.blob('well/app', rig.upstream.putBlob('app', bytes));
    assertBytes(await readAll(source), bytes);
    open();
    rig.clock.advance(10_000);
    await Promise.all(hung);
  });
});

suite('completion ends', () => {
  test('with its rule: a reload without it asks for nothing more', async () => {
    await using rig = await createCacheRig({ rules: [requested({ maxConnections: 2 })] });
    const first = putImage(rig, [100_000, 2000, 3000]);
    const second = putImage(rig, [1000, 2000]);
    const { opened, open } = gate();
    rig.upstream.body = holdAfter(16_000, opened);
    await rig.manifest('up/app', first.tag);
    await rig.manifest('up/app', second.tag);
    await until(() => asked(rig).length === 1);
    rig.reload([requested({ urls: [{ origin: 'http://other', host: 'other', plain: true }] })]);
    open();
    await rig.cache.completion.idle();
    await until(() => rig.cache.downloads.count === 0, 'the end of what ran');
    assert.deepEqual(asked(rig), first.blobs.slice(0, 1));
  });

  test('not with a reload that leaves its rule as it is', async () => {
    await using rig = await createCacheRig({ rules: [requested({ maxConnections: 2 })] });
    const image = putImage(rig, [1000, 2000, 3000]);
    const { opened, open } = gate();
    rig.upstream.body = holdAfter(0, opened);
    await rig.manifest('up/app', image.tag);
    await until(() => asked(rig).length === 1);
    rig.reload([requested({ maxConnections: 2, freshForMs: 1 })]);
    open();
    await rig.cache.completion.idle();
    for (const digest of image.blobs) assert.ok(await isHeld(rig, 'up/app', digest));
  });

  test('with the server: what is queued is not begun any more', async () => {
    const rig = await createCacheRig({ rules: [requested({ maxConnections: 2 })] });
    const image = putImage(rig, Array(30).fill(100_000));
    const { opened, open } = gate();
    rig.upstream.body = holdAfter(16_000, opened);
    await rig.manifest('up/app', image.tag);
    await until(() => asked(rig).length === 1);
    const ended = rig[Symbol.asyncDispose]();
    open();
    await ended;
    assert.equal(asked(rig).length, 1);
  });
});
