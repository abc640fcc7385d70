import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig, testRule } from '../../../tests/support/rigs/cache-rig.ts';
import type { Call } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { FailureKind } from '../../domain/upstream-failure.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';

const refusals: readonly (readonly [FailureKind, number])[] = [
  ['notFound', 404],
  ['invalid', 405],
  ['invalid', 400],
  ['denied', 403],
  ['serverError', 500],
  ['serverError', 503],
];

function put(rig: CacheRig, salt: string, tag?: string): Digest {
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [], salt };
  return rig.upstream.putManifest('app', manifest, mediaTypes.ociManifest, tag).digest;
}

function refuseHeads(rig: CacheRig, kind: FailureKind, status: number): void {
  rig.upstream.before = (call: Call) => {
    if (call.kind !== 'headManifest') return;
    const reason = failure(kind, status);
    Object.defineProperty(reason, 'reason', { value: 'status' });
    throw reason;
  };
}

async function said(rig: CacheRig, reference: string, method: 'GET' | 'HEAD'): Promise<string> {
  return await rig.manifest('up/app', reference, method).then(
    ({ digest, outcome }) => `${outcome.verdict} ${outcome.detail ?? ''} ${digest}`,
    (error: unknown) => (error instanceof RegistryError ? error.code : String(error)),
  );
}

suite('HEAD is a hint', () => {
  for (const [kind, status] of refusals) {
    test(`where it is ${status}, a tag is checked by GET, and moves`, async () => {
      await using rig = await createCacheRig({ rules: [testRule({ freshForMs: 0 })] });
      put(rig, 'first', 'v1');
      await rig.manifest('up/app', 'v1');
      refuseHeads(rig, kind, status);
      const second = put(rig, 'second', 'v1');
      assert.equal(await said(rig, 'v1', 'GET'), `revalidated tag moved ${second}`);
      const third = put(rig, 'third', 'v1');
      assert.equal(await said(rig, 'v1', 'GET'), `revalidated tag moved ${third}`);
      assert.equal(rig.upstream.count('headManifest'), 2);
      assert.equal(await said(rig, 'v1', 'GET'), `revalidated  ${third}`);
      assert.equal(rig.upstream.count('headManifest'), 2, 'HEAD is known to be useless');
      rig.clock.advance(600_000);
      assert.equal(await said(rig, 'v1', 'GET'), `revalidated  ${third}`);
      assert.equal(rig.upstream.count('headManifest'), 3, 'and is tried again after a while');
    });

    test(`where a client’s HEAD of a tag is ${status}, its GET is answered`, async () => {
      await using rig = await createCacheRig();
      const digest = put(rig, 'first', 'v1');
      refuseHeads(rig, kind, status);
      const head = await said(rig, 'v1', 'HEAD');
      const passedOn = { notFound: 'manifestUnknown', denied: 'denied' }[kind as string];
      assert.equal(head, passedOn ?? `miss  ${digest}`);
      assert.match(await said(rig, 'v1', 'GET'), new RegExp(digest));
      assert.match(await said(rig, 'v1', 'HEAD'), new RegExp(`hit .*${digest}`));
    });

    test(`where a client’s HEAD of a digest is ${status}, its GET is answered`, async () => {
      await using rig = await createCacheRig();
      const digest = put(rig, 'first');
      refuseHeads(rig, kind, status);
      await said(rig, digest, 'HEAD');
      assert.match(await said(rig, digest, 'GET'), new RegExp(digest));
      assert.match(await said(rig, digest, 'HEAD'), new RegExp(`hit .*${digest}`));
    });
  }

  test('a tag that is gone is gone by GET too, and kept', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ freshForMs: 0 })] });
    const digest = put(rig, 'first', 'v1');
    await rig.manifest('up/app', 'v1');
    rig.upstream.before = () => {
      throw failure('notFound', 404);
    };
    assert.equal(await said(rig, 'v1', 'GET'), `stale upstream gone ${digest}`);
  });

  test('one race of a HEAD and a GET is not the upstream’s way', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ freshForMs: 0 })] });
    put(rig, 'first', 'v1');
    await rig.manifest('up/app', 'v1');
    refuseHeads(rig, 'notFound', 404);
    await rig.manifest('up/app', 'v1');
    rig.upstream.before = () => {};
    await rig.manifest('up/app', 'v1');
    refuseHeads(rig, 'notFound', 404);
    await rig.manifest('up/app', 'v1');
    await rig.manifest('up/app', 'v1');
    assert.equal(rig.upstream.count('headManifest'), 4);
  });
});

suite('a digest that cannot be had is asked for again by its tag', () => {
  test('a tag that HEAD taught moves, and the old digest is gone', async () => {
    await using rig = await createCacheRig();
    const first = put(rig, 'first', 'v1');
    assert.match(await said(rig, 'v1', 'HEAD'), new RegExp(first));
    const second = put(rig, 'second', 'v1');
    rig.upstream.before = (call) => {
      if (call.subject === first) throw failure('notFound', 404);
    };
    assert.equal(await said(rig, 'v1', 'GET'), `miss  ${second}`);
    assert.match(await said(rig, 'v1', 'GET'), new RegExp(`hit .*${second}`));
  });

  test('where the tag is gone too, it is unknown', async () => {
    await using rig = await createCacheRig();
    put(rig, 'first', 'v1');
    await said(rig, 'v1', 'HEAD');
    rig.upstream.before = () => {
      throw failure('notFound', 404);
    };
    assert.equal(await said(rig, 'v1', 'GET'), 'manifestUnknown');
  });
});

suite('what a stored manifest names is on its way', () => {
  test('a child that comes seconds late is asked for after 5 s, any other digest after 60 s', async () => {
    await using rig = await createCacheRig();
    const child = put(rig, 'child');
    const stranger = put(rig, 'stranger');
    const descriptor = { mediaType: mediaTypes.ociManifest, digest: child, size: 5 };
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor] };
    rig.upstream.putManifest('app', index, mediaTypes.ociIndex, 'v1');
    await rig.manifest('up/app', 'v1');
    rig.upstream.before = () => {
      throw failure('notFound', 404);
    };
    assert.equal(await said(rig, child, 'GET'), 'manifestUnknown');
    assert.equal(await said(rig, stranger, 'GET'), 'manifestUnknown');
    rig.upstream.before = () => {};
    rig.clock.advance(5000);
    assert.match(await said(rig, child, 'GET'), new RegExp(child));
    assert.equal(await said(rig, stranger, 'GET'), 'manifestUnknown');
  });
});
