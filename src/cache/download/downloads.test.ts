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
import { RegistryError } from '../../domain/errors.ts';

/** Lets bytes of a blob come only after its gate was opened. */
function gated(): { readonly gate: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { gate: promise, open: resolve };
}

suite('downloads that nobody reads', () => {
  test('leave an eighth of the connections: beyond that the oldest pauses, and what had come of it is not fetched again', async () => {
    await using rig = await createCacheRig({ limits: { connectionsPerBlob: 1 } });
    const { gate, open } = gated();
    const bytes = Array.from({ length: 18 }, (_, at) => randomBytes(100_000, at + 1));
    const digests = bytes.map((blob) => rig.upstream.putBlob('app', blob));
    rig.upstream.body = async function* (_call, chunks) {
      let sent = 0;
      for await (const chunk of chunks) {
        if (sent >= 49_152) await gate;
        yield chunk;
        sent += chunk.length;
      }
    };
    for (const digest of digests) {
      const { source } = await rig.blob('up/app', digest);
      const reader = await source!.open(undefined, rig.signal);
      await reader.read(new Uint8Array(1000));
      await reader[Symbol.asyncDispose]();
      rig.clock.advance(1000);
    }
    const paused = (): boolean =>
      rig.events.some(
        (event) => event.type === 'downloadEnded' && /more than 14/.test(event.error ?? ''),
      );
    open();
    await until(paused, 'a pause');
    await until(() => rig.cache.downloads.count === 0);
    const sent = rig.upstream.bytesSent;
    const again = await readAll((await rig.blob('up/app', digests[0] as string)).source);
    assertBytes(again, bytes[0] as Uint8Array);
    assert.ok(rig.upstream.bytesSent - sent < 100_000, 'the partial was taken up');
  });

  test('are not those of clients that were answered just now: each can read what it was promised', async () => {
    await using rig = await createCacheRig({ limits: { connectionsPerBlob: 1 } });
    const { gate, open } = gated();
    const bytes = Array.from({ length: 17 }, (_, at) => randomBytes(200_000, at + 1));
    const digests = bytes.map((blob) => rig.upstream.putBlob('app', blob));
    rig.upstream.body = async function* (_call, chunks) {
      let sent = 0;
      for await (const chunk of chunks) {
        if (sent > 0) await gate;
        yield chunk;
        sent += chunk.length;
      }
    };
    const answers = [];
    for (const digest of digests.slice(0, 16)) answers.push(await rig.blob('up/app', digest));
    const last = rig.blob('up/app', digests[16] as string);
    await until(() => rig.cache.downloads.count === 17);
    const read = Promise.all(answers.map(({ source }) => readAll(source)));
    open();
    for (const [at, body] of (await read).entries()) assertBytes(body, bytes[at] as Uint8Array);
    assertBytes(await readAll((await last).source), bytes[16] as Uint8Array);
  });

  test('a client whose download was paused before it began to read is told to come again', async () => {
    const rules = [testRule({ maxConnections: 2 })];
    await using rig = await createCacheRig({ rules, limits: { connectionsPerBlob: 1 } });
    const { gate, open } = gated();
    rig.upstream.body = async function* (_call, chunks) {
      let sent = 0;
      for await (const chunk of chunks) {
        if (sent > 0) await gate;
        yield chunk;
        sent += chunk.length;
      }
    };
    const [first, second, third] = [1, 2, 3].map((seed) =>
      rig.upstream.putBlob('app', randomBytes(200_000, seed)),
    );
    const late = await rig.blob('up/app', first as string);
    await rig.blob('up/app', second as string);
    rig.clock.advance(1000);
    const next = rig.blob('up/app', third as string);
    await until(() => rig.cache.downloads.count === 3);
    open();
    await assert.rejects(
      readAll(late.source),
      (error) => error instanceof RegistryError && error.code === 'unavailable',
    );
    await next;
  });
});

test('pieces that do not say of how much they are (`0-99/*`) are no blob: it comes whole', async () => {
  await using rig = await createCacheRig({ limits: { connectionsPerBlob: 4, pieceBytes: 10_000 } });
  const bytes = randomBytes(25_000, 1);
  const digest = rig.upstream.putBlob('app', bytes);
  rig.upstream.says = { digest: true, size: false, total: false };
  const open = rig.upstream.openBlob.bind(rig.upstream);
  rig.upstream.openBlob = async (...asked) => {
    const body = await open(...asked);
    return body.partial ? { ...body, total: undefined } : body;
  };
  assertBytes(await readAll((await rig.blob('up/app', digest)).source), bytes);
});

test('what an earlier download left is shown to nobody where upstream begins anew without a size', async () => {
  await using rig = await createCacheRig({ limits: { connectionsPerBlob: 1 } });
  const bytes = randomBytes(200_000, 1);
  const digest = rig.upstream.putBlob('app', bytes);
  rig.upstream.says = { digest: true, size: false, total: false };
  rig.upstream.body = async function* (_call, chunks) {
    let sent = 0;
    for await (const chunk of chunks) {
      if (sent >= 100_000) throw new Error('cut');
      yield chunk;
      sent += chunk.length;
    }
  };
  const broken = await rig.blob('up/app', digest);
  await assert.rejects(readAll(broken.source));
  await until(() => rig.cache.downloads.count === 0);
  const { gate, open } = gated();
  rig.upstream.body = async function* (_call, chunks) {
    await gate;
    yield* chunks;
  };
  const again = await rig.blob('up/app', digest);
  await using reader = await again.source!.open({ start: 0, end: 999 }, rig.signal);
  const isShown = reader.arrival?.isHere();
  open();
  assert.equal(isShown, false);
  assertBytes(await readAll(again.source), bytes);
});

suite('limits.downloads', () => {
  test('a download beyond it waits ten seconds, then is 503 with Retry-After', async () => {
    await using rig = await createCacheRig({ limits: { downloadsMax: 1 } });
    const { gate, open } = gated();
    rig.upstream.before = () => gate;
    const first = rig.blob('up/app', rig.upstream.putBlob('app', randomBytes(1000, 1)));
    await until(() => rig.cache.downloads.count === 1);
    const second = rig.blob('up/app', rig.upstream.putBlob('app', randomBytes(1000, 2)));
    const refused = assert.rejects(second, (error) => {
      assert.ok(error instanceof RegistryError);
      return error.code === 'unavailable' && error.retryAfterMs === 10_000;
    });
    await until(() => rig.events.some((event) => event.type === 'throttled'));
    rig.clock.advance(10_000);
    await refused;
    open();
    assert.equal((await readAll((await first).source)).length, 1000);
  });

  test('a place that becomes free is taken by the one that waited longest', async () => {
    await using rig = await createCacheRig({ limits: { downloadsMax: 1 } });
    const { gate, open } = gated();
    rig.upstream.before = () => gate;
    const blobs = [1, 2, 3].map((seed) => rig.upstream.putBlob('app', randomBytes(1000, seed)));
    const pulls = blobs.map((digest) =>
      rig.blob('up/app', digest).then((one) => readAll(one.source)),
    );
    await until(() => rig.events.filter((event) => event.type === 'throttled').length === 2);
    open();
    for (const body of await Promise.all(pulls)) assert.equal(body.length, 1000);
  });
});
