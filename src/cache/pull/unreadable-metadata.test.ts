// While the database can't be read, what was pulled before is served on, however long that lasts; nothing else is.
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig, randomBytes, readAll } from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';

const layer = randomBytes(1000);
const image = { schemaVersion: 2, layers: [] };

/** After `up/app:v1` and a layer of it were pulled. */
async function start(): Promise<{
  readonly rig: CacheRig;
  readonly fail: () => void;
  readonly digest: string;
}> {
  let failing = false;
  const broken = <T extends object>(store: T): T =>
    new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown =>
          failing
            ? Promise.reject(new Error('the database is gone'))
            : Reflect.apply(value, target, args);
      },
    });
  const around = (metadata: Metadata): Metadata => ({
    ...metadata,
    repositories: broken(metadata.repositories),
    manifests: broken(metadata.manifests),
    tags: broken(metadata.tags),
    blobs: broken(metadata.blobs),
  });
  const rig = await createCacheRig({ around });
  const { digest } = rig.upstream.putManifest('app', image, mediaTypes.ociManifest, 'v1');
  rig.upstream.putBlob('app', layer);
  await rig.manifest('up/app', 'v1');
  await readAll((await rig.blob('up/app', digestOf(layer))).source);
  await until(() => rig.cache.downloads.count === 0);
  return { rig, fail: () => void (failing = true), digest };
}

const pulls: readonly (readonly [
  what: string,
  (rig: CacheRig, digest: string) => Promise<{ outcome: { verdict: string } }>,
])[] = [
  ['a tag', (rig) => rig.manifest('up/app', 'v1')],
  ['a manifest by digest', (rig, digest) => rig.manifest('up/app', digest)],
  ['a blob', (rig) => rig.blob('up/app', digestOf(layer))],
];

suite('while metadata can’t be read', () => {
  for (const [what, pull] of pulls)
    test(`${what} that was pulled is served, an hour later too`, async () => {
      const { rig, fail, digest } = await start();
      await using _rig = rig;
      fail();
      rig.upstream.calls.length = 0;
      equal((await pull(rig, digest)).outcome.verdict, 'hit');
      rig.clock.advance(3_600_000);
      equal((await pull(rig, digest)).outcome.verdict, 'hit');
      deepEqual(rig.upstream.calls, []);
    });

  for (const [what, pull] of pulls)
    test(`${what} of a repository that has changed since is not`, async () => {
      const { rig, fail, digest } = await start();
      await using _rig = rig;
      fail();
      rig.invalidations.note({ kind: 'missed' });
      await rejects(pull(rig, digest), { message: 'the database is gone' });
    });
});
