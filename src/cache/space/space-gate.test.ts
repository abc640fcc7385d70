import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  assertBytes,
  createCacheRig,
  randomBytes,
  readAll,
} from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { heldBody, pushBlob } from '../../../tests/support/rigs/push-rig.ts';
import { createScriptedUpstream } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Event } from '../../ports/events.ts';
import { createMemoryStorage } from '../../../tests/support/rigs/memory-storage.ts';
import type { Storage } from '../../storage/file-storage.ts';
import { createSpaceGate } from './space-gate.ts';

const gibibyte = 1024 ** 3;
const totalBytes = 100 * gibibyte;
/** What is claimed: more than half of what is free. */
const claimed = 42 * gibibyte;

async function volume(): Promise<{ readonly storage: Storage; freeBytes: number }> {
  const storage = await createMemoryStorage();
  const state = { storage, freeBytes: 50 * gibibyte };
  const space = (): Promise<{ freeBytes: number; totalBytes: number }> =>
    Promise.resolve({ freeBytes: state.freeBytes, totalBytes });
  state.storage = { ...storage, blobs: { ...storage.blobs, space } };
  return state;
}

/** Others push, and pull what is stored, as if nobody had claimed anything. */
async function othersGoOn(rig: CacheRig): Promise<void> {
  const pulled = randomBytes(100_000, 7);
  const digest = rig.upstream.putBlob('app', pulled);
  const answer = await rig.blob('up/app', digest);
  assert.equal(answer.outcome.verdict, 'miss');
  assertBytes(await readAll(answer.source), pulled);
  await until(async () => (await rig.storage.blobs.size(digest)) === pulled.length);
  await pushBlob(rig, 'team/other', randomBytes(100_000, 8));
}

suite('room that is only claimed', () => {
  test('a push that announces 42 GiB and sends a byte keeps nobody out', async () => {
    await using rig = await createCacheRig({
      storage: (await volume()).storage,
      limits: { maxBlobBytes: 64 * gibibyte },
    });
    const { pushes } = rig.cache;
    const pushing = await Promise.all(
      [1, 2, 3].map(async (n) => {
        const begun = {
          ...rig.request(`team/app${n}`),
          algorithm: 'sha256',
          owner: 'one',
        } as const;
        const { id } = await pushes.startUpload(begun);
        const body = heldBody();
        body.send(Buffer.from('x'));
        const chunk = { range: undefined, bytes: claimed, body };
        const append = pushes.appendUpload({ ...begun, id, ...chunk }, rig.signal);
        await until(() => body.read === 1);
        return { append: append.catch(() => undefined), body };
      }),
    );
    await othersGoOn(rig);
    for (const { append, body } of pushing) {
      body.end();
      await append;
    }
  });

  test('upstreams that claim 42 GiB and send little keep nobody out', async () => {
    const scripted = createScriptedUpstream();
    const liars = new Set<string>();
    const silence = Promise.withResolvers<void>();
    const openBlob = scripted.openBlob.bind(scripted);
    scripted.openBlob = async (target, digest, options, signal) => {
      const body = await openBlob(target, digest, options, signal);
      if (body === undefined || !liars.has(digest)) return body;
      return { ...body, total: claimed };
    };
    scripted.body = async function* (call, chunks) {
      yield* chunks;
      if (liars.has(call.subject)) await silence.promise;
    };
    await using rig = await createCacheRig({
      storage: (await volume()).storage,
      upstream: scripted,
      limits: { maxBlobBytes: 64 * gibibyte, connectionsPerBlob: 1 },
    });
    const lies: Digest[] = [1, 2, 3].map((seed) => scripted.putBlob('app', randomBytes(10, seed)));
    for (const digest of lies) {
      liars.add(digest);
      assert.equal((await rig.blob('up/app', digest)).outcome.verdict, 'miss');
    }
    await othersGoOn(rig);
    silence.resolve();
  });

  test('what can never fit is told before a byte: 507 for a push, and a pull goes past the disk', async () => {
    const disk = await volume();
    disk.freeBytes = 10 * gibibyte;
    await using rig = await createCacheRig({
      storage: disk.storage,
      limits: { maxBlobBytes: 64 * gibibyte },
    });
    const begun = { ...rig.request('team/app'), algorithm: 'sha256', owner: 'one' } as const;
    const { id } = await rig.cache.pushes.startUpload(begun);
    const body = heldBody();
    const chunk = { range: undefined, bytes: claimed, body };
    await assert.rejects(rig.cache.pushes.appendUpload({ ...begun, id, ...chunk }, rig.signal), {
      code: 'storageFull',
    });
    assert.equal(body.read, 0);
  });

  test('a volume that fills while a pull arrives leaves its readers whole, and nothing is kept', async () => {
    const disk = await volume();
    await using rig = await createCacheRig({
      storage: disk.storage,
      limits: { connectionsPerBlob: 1 },
    });
    const bytes = randomBytes(400_000, 3);
    const digest = rig.upstream.putBlob('app', bytes);
    rig.upstream.body = async function* (_call, chunks) {
      let sent = 0;
      for await (const chunk of chunks) {
        yield chunk;
        sent += chunk.length;
        if (sent < 200_000) continue;
        disk.freeBytes = gibibyte;
        rig.clock.advance(1001);
      }
    };
    const answer = await rig.blob('up/app', digest);
    assert.equal(answer.outcome.verdict, 'miss');
    assertBytes(await readAll(answer.source), bytes);
    await until(() => rig.cache.downloads.count === 0);
    assert.equal(await rig.storage.blobs.size(digest), undefined);
    const ended = rig.events.filter((event) => event.type === 'downloadEnded');
    assert.deepEqual(
      ended.map((event) => event.error),
      ['the volume has no room for it'],
    );
  });
});

test('bytes written since the volume was last measured are taken off what is free', async () => {
  const disk = await volume();
  disk.freeBytes = gibibyte + 100;
  const clock = createFakeClock();
  const told: Event[] = [];
  const gate = createSpaceGate(
    { blobs: disk.storage.blobs, clock, events: { emit: (event) => void told.push(event) } },
    { bytes: 0 },
  );
  const first = await gate.reserve(60);
  assert.equal(await gate.reserve(60), undefined);
  first?.written();
  first?.[Symbol.dispose]();
  assert.deepEqual([await gate.fits(40), await gate.fits(41)], [true, false]);
  {
    using _unwritten = await gate.reserve(40);
    assert.equal(await gate.fits(1), false);
  }
  assert.equal(await gate.fits(40), true);
  clock.advance(1001);
  assert.equal(await gate.fits(100), true);
  assert.deepEqual(told.at(-1), {
    type: 'spaceLow',
    freeBytes: gibibyte + 40,
    minFreeBytes: gibibyte,
    wantedBytes: 1,
  });
  assert.equal(told.length, 3);
});
