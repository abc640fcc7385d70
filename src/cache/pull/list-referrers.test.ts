import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const signature = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [] };

/** Upstream's image `app:v1`. */
function putSubject(rig: CacheRig): Digest {
  return rig.upstream.putManifest('app', image, mediaTypes.ociManifest, 'v1').digest;
}

/** A manifest at upstream that refers to the subject, as its descriptor. */
function putReferrer(rig: CacheRig, subject: Digest, artifactType = signature): Descriptor {
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: subject, size: 2 };
  const manifest = { ...image, artifactType, subject: descriptor };
  const { digest, bytes } = rig.upstream.putManifest('app', manifest, mediaTypes.ociManifest);
  return { mediaType: mediaTypes.ociManifest, digest, size: bytes.length, artifactType };
}

async function look(rig: CacheRig, subject: Digest): Promise<string> {
  const request = { ...rig.request('up/app'), subject };
  return await rig.cache.listReferrers(request, rig.signal).then(
    ({ descriptors, outcome }) => `${outcome.verdict} ${descriptors.length}`,
    (error: unknown) => (error instanceof RegistryError ? error.code : String(error)),
  );
}

function failing(rig: CacheRig, kind: Parameters<typeof failure>[0], status: number): void {
  rig.upstream.before = () => {
    throw failure(kind, status);
  };
}

suite('referrers are as fresh as a tag, and what is not known is no list', () => {
  test('an empty list is believed 5 s: an image is looked at before it is signed', async () => {
    await using rig = await createCacheRig();
    const subject = putSubject(rig);
    assert.equal(await look(rig, subject), 'miss 0');
    rig.upstream.referrers.set(subject, [putReferrer(rig, subject)]);
    rig.clock.advance(4999);
    assert.equal(await look(rig, subject), 'hit 0');
    rig.clock.advance(1);
    assert.equal(await look(rig, subject), 'miss 1');
    rig.clock.advance(60_000);
    assert.equal(await look(rig, subject), 'hit 1');
  });

  for (const [kind, status, is] of [
    ['serverError', 503, 'unavailable'],
    ['denied', 403, 'denied'],
    ['rateLimited', 429, 'tooManyRequests'],
  ] as const) {
    test(`a failure (${status}) with nothing known is ${is}, never an empty list, and asked again after 5 s`, async () => {
      await using rig = await createCacheRig();
      const subject = putSubject(rig);
      failing(rig, kind, status);
      assert.equal(await look(rig, subject), is);
      assert.equal(await look(rig, subject), is);
      assert.equal(rig.upstream.count('listReferrers'), 1);
      rig.upstream.before = () => {};
      rig.clock.advance(5000);
      assert.equal(await look(rig, subject), 'miss 0');
    });
  }

  test('a list that was empty a while ago is nothing known', async () => {
    await using rig = await createCacheRig();
    const subject = putSubject(rig);
    assert.equal(await look(rig, subject), 'miss 0');
    rig.clock.advance(5000);
    failing(rig, 'serverError', 503);
    assert.equal(await look(rig, subject), 'unavailable');
  });

  test('a failure leaves a known list standing, stale', async () => {
    await using rig = await createCacheRig();
    const subject = putSubject(rig);
    rig.upstream.referrers.set(subject, [putReferrer(rig, subject)]);
    assert.equal(await look(rig, subject), 'miss 1');
    rig.clock.advance(25 * 3_600_000);
    failing(rig, 'serverError', 503);
    assert.equal(await look(rig, subject), 'stale 1');
  });

  test('a list for which there is no room now leaves a known one standing, and is 503 where nothing is known', async () => {
    await using rig = await createCacheRig();
    const subject = putSubject(rig);
    rig.upstream.referrers.set(subject, [putReferrer(rig, subject)]);
    assert.equal(await look(rig, subject), 'miss 1');
    rig.clock.advance(24 * 60 * 60_000);
    rig.upstream.before = () => {
      throw new ListsBusy();
    };
    assert.equal(await look(rig, subject), 'stale 1');
    assert.equal(await look(rig, digestOf(Buffer.from('another'))), 'unavailable');
  });

  test('after a restart, a referrer that was pulled is a known one', async () => {
    await using rig = await createCacheRig();
    const subject = putSubject(rig);
    await rig.manifest('up/app', putReferrer(rig, subject).digest);
    failing(rig, 'serverError', 503);
    assert.equal(await look(rig, subject), 'stale 1');
  });

  test('`refresh` asks for the referrers too', async () => {
    await using rig = await createCacheRig();
    const subject = putSubject(rig);
    const first = putReferrer(rig, subject);
    rig.upstream.referrers.set(subject, [first]);
    assert.equal(await look(rig, subject), 'miss 1');
    rig.upstream.referrers.set(subject, [first, putReferrer(rig, subject, 'application/sbom')]);
    await rig.cache.refresh('up/app:v1', rig.signal);
    assert.equal(await look(rig, subject), 'hit 2');
  });

  test('`refresh` of one image ends, and lets each list of the repository that is known expire', async () => {
    await using rig = await createCacheRig();
    const subjects = [putSubject(rig), putReferrer(rig, putSubject(rig)).digest, putSubject(rig)];
    for (const subject of subjects)
      rig.upstream.referrers.set(subject, [putReferrer(rig, subject)]);
    for (const subject of subjects) await look(rig, subject);
    await rig.cache.refresh('up/app:v1', rig.signal);
    assert.deepEqual(
      [await look(rig, subjects[0]!), await look(rig, subjects[1]!)],
      ['hit 1', 'miss 1'],
    );
  });

  test('a digest that we hold ourselves is described as we hold it', async () => {
    await using rig = await createCacheRig();
    const subject = putSubject(rig);
    const ours = putReferrer(rig, subject);
    await rig.manifest('up/app', ours.digest);
    rig.upstream.referrers.set(subject, [{ ...ours, artifactType: 'application/another' }]);
    const { descriptors } = await rig.cache.listReferrers(
      { ...rig.request('up/app'), subject },
      rig.signal,
    );
    assert.deepEqual(
      descriptors.map(({ artifactType }) => artifactType),
      [signature],
    );
  });
});

/** What upstream has under the subject's tag, and what of it refers to the subject. */
const tagged: readonly {
  readonly title: string;
  readonly put: (rig: CacheRig, subject: Digest) => readonly Descriptor[] | 'itself' | 'an image';
  readonly referrers: number;
}[] = [
  {
    title: 'descriptors with an artifactType are referrers',
    put: (rig, subject) => [putReferrer(rig, subject), putReferrer(rig, subject, 'a/b')],
    referrers: 2,
  },
  {
    title: 'one without is, where its manifest names the subject',
    put: (rig, subject) => {
      const { artifactType: _left, ...bare } = putReferrer(rig, subject);
      return [bare];
    },
    referrers: 1,
  },
  {
    title: 'and is none, where it names another',
    put: (rig) => {
      const { artifactType: _left, ...bare } = putReferrer(rig, digestOf(new Uint8Array(1)));
      return [bare];
    },
    referrers: 0,
  },
  {
    title: 'and none, where it is gone',
    put: () => [
      { mediaType: mediaTypes.ociManifest, digest: digestOf(new Uint8Array(2)), size: 7 },
    ],
    referrers: 0,
  },
  {
    title: 'one that is no manifest is none, and hides no other',
    put: (rig, subject) => {
      const { artifactType: _left, ...bare } = putReferrer(rig, subject);
      const { digest } = rig.upstream.putManifest('app', 'no manifest' as never, 'text/plain');
      return [{ mediaType: 'text/plain', digest, size: 13 }, bare];
    },
    referrers: 1,
  },
  {
    title: 'the platforms of an image are none',
    put: (rig, subject) => {
      const { artifactType: _left, ...bare } = putReferrer(rig, subject);
      return [{ ...bare, platform: { os: 'linux', architecture: 'amd64' } }];
    },
    referrers: 0,
  },
  {
    title: 'an index that is tagged by its own digest has none',
    put: () => 'itself',
    referrers: 0,
  },
  { title: 'an image under the tag is none', put: () => 'an image', referrers: 0 },
];
suite('where upstream has no referrers API, the subject’s tag names them', () => {
  for (const { title, put, referrers } of tagged) {
    test(title, async () => {
      await using rig = await createCacheRig();
      const child = putReferrer(rig, digestOf(new Uint8Array(3)));
      const own = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] };
      const { digest: subject } = rig.upstream.putManifest('app', own, mediaTypes.ociIndex, 'v1');
      const put1 = put(rig, subject);
      const tag = subject.replace(':', '-');
      if (put1 === 'an image') rig.upstream.putManifest('app', image, mediaTypes.ociManifest, tag);
      else {
        const manifests = put1 === 'itself' ? own.manifests : put1;
        rig.upstream.putManifest('app', { ...own, manifests }, mediaTypes.ociIndex, tag);
      }
      rig.upstream.referrers.set(subject, undefined);
      assert.equal(await look(rig, subject), `miss ${referrers}`);
    });
  }
});
