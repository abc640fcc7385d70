import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig, testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { refused } from '../../../tests/support/rigs/push-rig.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';

const name = 'up/app';
const hour = 3_600_000;

function put(rig: CacheRig, label: string): string {
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, label, layers: [] };
  return rig.upstream.putManifest('app', manifest, mediaTypes.ociManifest, 'v1').digest;
}

/** The tag v1 was pulled, and has moved upstream since; its day of freshness is over. */
async function openMoved(
  setting: TagMutability,
  rule = testRule(),
): Promise<{ readonly rig: CacheRig; readonly old: string; readonly next: string }> {
  const rig = await createCacheRig({ rules: [rule] });
  const old = put(rig, 'one');
  await rig.manifest(name, 'v1');
  await rig.cache.pushes.setTagMutability({ ...rig.request(name), tagMutability: setting });
  rig.clock.advance(25 * hour);
  const next = put(rig, 'two');
  rig.upstream.calls.length = 0;
  return { rig, old, next };
}

const immutable: TagMutability = { mode: 'IMMUTABLE', exclusions: [] };

const table: readonly (readonly [TagMutability['mode'], readonly string[], kept: boolean])[] = [
  ['MUTABLE', [], false],
  ['IMMUTABLE', [], true],
  ['IMMUTABLE_WITH_EXCLUSION', ['latest', 'dev-*'], true],
  ['IMMUTABLE_WITH_EXCLUSION', ['v*'], false],
  ['MUTABLE_WITH_EXCLUSION', ['v*'], true],
  ['MUTABLE_WITH_EXCLUSION', ['latest'], false],
];

suite('a tag of upstream', () => {
  for (const [mode, exclusions, kept] of table) {
    const filters = exclusions.length === 0 ? '' : ` of ${exclusions.join(', ')}`;
    test(`${kept ? 'is never revalidated' : 'is revalidated'}: v1 under ${mode}${filters}`, async () => {
      const { rig, old, next } = await openMoved({ mode, exclusions });
      await using _rig = rig;
      for (let pull = 0; pull < 2; pull += 1) {
        const { digest } = await rig.manifest(name, 'v1');
        assert.equal(digest, kept ? old : next);
      }
      assert.equal(rig.upstream.count('headManifest'), kept ? 0 : 1);
      const { outcome } = await rig.manifest(name, 'v1');
      if (kept) assert.deepEqual(outcome, { verdict: 'hit', detail: 'immutable' });
    });
  }

  test('is revalidated again from the pull after its repository was made mutable', async () => {
    const { rig, old, next } = await openMoved(immutable);
    await using _rig = rig;
    assert.equal((await rig.manifest(name, 'v1')).digest, old);
    const tagMutability = { mode: 'MUTABLE', exclusions: [] } as const;
    await rig.cache.pushes.setTagMutability({ ...rig.request(name), tagMutability });
    assert.equal((await rig.manifest(name, 'v1')).digest, next);
  });

  test('is not refreshed while it is immutable', async () => {
    const { rig, old } = await openMoved(immutable);
    await using _rig = rig;
    const error = await refused(rig.cache.refresh('up/app:v1', rig.signal), 'requestInvalid');
    assert.match(error.message, /immutable/);
    assert.equal(error.detail?.['digest'], old);
    assert.deepEqual(rig.upstream.calls, []);
  });

  test('is checked where a denial has stopped its repository, and stays what it was', async () => {
    const onFailure = { ...testRule().onFailure, denied: 'stop' } as const;
    const rig = await createCacheRig({ rules: [testRule({ onFailure })] });
    await using _rig = rig;
    const old = put(rig, 'one');
    await rig.manifest(name, 'v1');
    rig.clock.advance(25 * hour);
    rig.upstream.before = () => {
      throw failure('denied', 403);
    };
    await refused(rig.manifest(name, 'v1'), 'denied');
    await rig.cache.pushes.setTagMutability({ ...rig.request(name), tagMutability: immutable });
    rig.clock.advance(31_000);
    await refused(rig.manifest(name, 'v1'), 'denied');
    rig.upstream.before = () => {};
    put(rig, 'two');
    rig.clock.advance(31_000);
    assert.equal((await rig.manifest(name, 'v1')).digest, old);
    assert.deepEqual((await rig.manifest(name, 'v1')).outcome.detail, 'immutable');
  });

  test('that was read from another source is validated first, immutable or not', async () => {
    const { rig, next } = await openMoved(immutable);
    await using _rig = rig;
    const target = rig.request(name).target;
    const urls = [{ origin: 'http://new', host: 'new', plain: true }] as const;
    const moved = { ...rig.request(name), target: { ...target, rule: testRule({ urls }) } };
    const answer = await rig.cache.pullManifest(
      { ...moved, reference: { kind: 'tag', tag: 'v1' as never }, method: 'GET' },
      rig.signal,
    );
    assert.equal(answer.digest, next);
  });

  test('is explained as immutable', async () => {
    const { rig } = await openMoved(immutable);
    await using _rig = rig;
    const found = await rig.cache.explain({ image: 'up/app:v1', probe: false }, rig.signal);
    const { immutable: kept, fresh, freshUntil } = found.tag ?? {};
    assert.deepEqual([kept, fresh, freshUntil], [true, true, null]);
    assert.match(found.verdict.text, /the tag is immutable/);
  });
});
