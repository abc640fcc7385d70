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
import {
  bytesOf,
  descriptorOf,
  emptyJson,
  imageOf,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
} from '../../../tests/support/rigs/push-rig.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const name = 'up/app';
const layer = randomBytes(1000);
const ours = imageOf(layer);
const theirs = imageOf(layer, { annotations: { from: 'upstream' } });
const tagged = { kind: 'tag', tag: 'v1' as Tag } as const;
const hour = 3_600_000;

/** A rule that takes pushes; upstream has a tag v1 of its own. */
async function openRig(change: Parameters<typeof testRule>[0] = {}): Promise<CacheRig> {
  const rig = await createCacheRig({ rules: [testRule({ push: true, ...change })] });
  putTheirs(rig);
  return rig;
}

function putTheirs(rig: CacheRig, manifest = theirs): void {
  rig.upstream.putManifest('app', manifest, mediaTypes.ociManifest, 'v1');
  rig.upstream.putBlob('app', layer);
  rig.upstream.putBlob('app', emptyJson);
  rig.upstream.tags.set('app', ['v1', 'v2']);
}

function listTags(rig: CacheRig, n = 10, last = '', repository = name) {
  return rig.cache.listTags({ ...rig.request(repository), n, last }, rig.signal);
}

suite('T34: a pushed tag in a rule’s repository', () => {
  test('is answered without upstream, for ever, though upstream has the tag, and is away', async () => {
    await using rig = await openRig();
    await pushImage(rig, name, 'v1', layer);
    rig.upstream.calls.length = 0;
    rig.upstream.before = () => {
      throw failure('network');
    };
    for (const method of ['GET', 'HEAD'] as const) {
      rig.clock.advance(1000 * hour);
      const pulled = await rig.manifest(name, 'v1', method);
      assert.equal(pulled.digest, digestOf(bytesOf(ours)));
      assert.deepEqual(pulled.outcome, { verdict: 'hit', detail: 'pushed' });
      rig.invalidations.note({ kind: 'configuration' });
      assertBytes(await readAll((await rig.blob(name, digestOf(layer))).source), layer);
    }
    await rig.cache.completion.idle();
    assert.equal(rig.upstream.calls.length, 0);
  });

  test('hides the cached one, and says so; deleted, upstream’s is back', async () => {
    await using rig = await openRig();
    assert.equal((await rig.manifest(name, 'v1')).digest, digestOf(bytesOf(theirs)));
    await pushBlob(rig, name, emptyJson);
    await pushBlob(rig, name, layer);
    const answer = await pushManifest(rig, name, 'v1', ours, { tags: ['own'] });
    assert.deepEqual(answer.hides, ['v1']);
    assert.equal((await rig.manifest(name, 'v1')).digest, answer.digest);
    const deleted = { ...rig.request(name), reference: tagged };
    await rig.cache.pushes.deleteManifest(deleted);
    assert.equal((await rig.manifest(name, 'v1')).digest, digestOf(bytesOf(theirs)));
  });

  test('says that it hides one that only a list has shown', async () => {
    await using rig = await openRig();
    await listTags(rig);
    await pushImage(rig, name, 'own', layer);
    assert.deepEqual((await pushManifest(rig, name, 'v2', ours)).hides, ['v2']);
  });

  for (const [what, first] of [
    ['the fetch of an unknown tag', false],
    ['the check of a stale one', true],
  ] as const) {
    test(`is not overwritten by ${what} that was under way`, async () => {
      await using rig = await openRig({ freshForMs: 1000, staleBudgetMs: 60_000 });
      await pushImage(rig, name, 'other', layer);
      if (first) {
        await rig.manifest(name, 'v1');
        rig.clock.advance(2000);
        putTheirs(rig, imageOf(layer, { annotations: { from: 'upstream', moved: 'yes' } }));
      }
      const gate = Promise.withResolvers<void>();
      let asked = false;
      rig.upstream.before = () => {
        asked = true;
        return gate.promise;
      };
      const pull = rig.manifest(name, 'v1');
      await until(() => asked);
      const { digest } = await pushManifest(rig, name, 'v1', ours);
      gate.resolve();
      await pull;
      for (let times = 0; times < 2; times += 1) {
        assert.equal((await rig.manifest(name, 'v1')).digest, digest);
        rig.invalidations.note({ kind: 'configuration' });
      }
    });
  }

  test('is not asked for by a HEAD of an unknown tag that was under way', async () => {
    await using rig = await openRig();
    await pushImage(rig, name, 'other', layer);
    const gate = Promise.withResolvers<void>();
    rig.upstream.before = () => gate.promise;
    const pull = rig.manifest(name, 'v1', 'HEAD');
    await until(() => rig.upstream.calls.length > 0);
    const { digest } = await pushManifest(rig, name, 'v1', ours);
    gate.resolve();
    assert.equal((await pull).digest, digest);
    assert.equal((await rig.manifest(name, 'v1')).digest, digest);
  });

  test('is not refreshed: nothing upstream could make it fresher', async () => {
    await using rig = await openRig();
    const digest = await pushImage(rig, name, 'v1', layer);
    const error = await refused(rig.cache.refresh('up/app:v1', rig.signal), 'requestInvalid');
    assert.match(error.message, /pushed here/);
    assert.equal(error.detail?.['digest'], digest);
  });

  test('is explained: pushed, for no anonymous, and what it hides where that is known', async () => {
    await using rig = await openRig();
    await pushImage(rig, name, 'v1', layer);
    const plain = await rig.cache.explain({ image: 'up/app:v1', probe: false }, rig.signal);
    assert.equal(plain.tag?.provenance, 'pushed');
    assert.deepEqual([plain.tag.fresh, plain.tag.sourceChanged], [true, false]);
    assert.equal(plain.access.anonymous, false);
    assert.equal(plain.verdict.code, 'hit');
    assert.match(plain.verdict.text, /the tag was pushed here$/);
    const probed = await rig.cache.explain({ image: 'up/app:v1', probe: true }, rig.signal);
    assert.match(probed.verdict.text, /hides the upstream’s tag of the same name/);
    await listTags(rig);
    const listed = await rig.cache.explain({ image: 'up/app:v1', probe: false }, rig.signal);
    assert.equal(listed.verdict.text, probed.verdict.text);
  });

  test('and its content are served where the rule has stopped the repository', async () => {
    const onFailure = { ...testRule().onFailure, denied: 'stop' } as const;
    await using rig = await openRig({ onFailure, freshForMs: 1000 });
    const digest = await pushImage(rig, name, 'own', layer);
    await rig.manifest(name, 'v1');
    rig.clock.advance(2000);
    rig.upstream.before = () => {
      throw failure('denied', 403);
    };
    await refused(rig.manifest(name, 'v1'), 'denied');
    await refused(rig.manifest(name, digestOf(bytesOf(theirs))), 'denied');
    assert.equal((await rig.manifest(name, 'own')).digest, digest);
    assert.equal((await rig.manifest(name, digest)).digest, digest);
    assert.equal((await rig.blob(name, digestOf(layer))).outcome.verdict, 'hit');
  });
});

suite('lists beside pushed content', () => {
  test('T18: tags of ours and of upstream together; ours alone where it fails or is slow', async () => {
    await using rig = await openRig({ staleBudgetMs: 500 });
    await pushImage(rig, name, 'own', layer);
    assert.deepEqual((await listTags(rig)).tags, ['own', 'v1', 'v2']);
    rig.clock.advance(hour);
    rig.upstream.before = () => {
      throw failure('notFound', 404);
    };
    const gone = await listTags(rig);
    assert.deepEqual([gone.tags, gone.outcome.detail], [['own'], 'upstream gone']);
    const asked = rig.upstream.count('listTags');
    await listTags(rig);
    assert.equal(rig.upstream.count('listTags'), asked, 'a refusal is remembered');
    rig.clock.advance(hour);
    rig.upstream.before = () => new Promise(() => {});
    const slow = listTags(rig);
    await until(() => rig.upstream.count('listTags') > asked);
    rig.clock.advance(500);
    assert.deepEqual((await slow).tags, ['own']);
  });

  test('a page of a list beyond 10,000 tags has ours in its place', async () => {
    await using rig = await openRig();
    await pushImage(rig, name, 't00002-own', layer);
    const many = Array.from({ length: 10_500 }, (_, at) => `t${String(at).padStart(5, '0')}`);
    rig.upstream.tags.set('app', many);
    const first = await listTags(rig, 3, 't00000');
    assert.deepEqual([first.tags, first.more], [['t00001', 't00002', 't00002-own'], true]);
    const next = await listTags(rig, 2, 't00002-own');
    assert.deepEqual([next.tags, next.more], [['t00003', 't00004'], true]);
    await pushManifest(rig, name, 'z', ours);
    const last = await listTags(rig, 5, 't10498');
    assert.deepEqual([last.tags, last.more], [['t10499', 'z'], false]);
  });

  test('of a repository without a rule: unknown, or empty where it is there', async () => {
    await using rig = await createCacheRig();
    await refused(listTags(rig, 5, '', 'team/app'), 'nameUnknown');
    await pushBlob(rig, 'team/app', layer);
    assert.deepEqual((await listTags(rig, 5, '', 'team/app')).tags, []);
  });

  test('referrers of a pushed subject wait for a slow upstream no longer than a stale tag', async () => {
    await using rig = await openRig({ staleBudgetMs: 500 });
    const digest = await pushImage(rig, name, 'own', layer);
    const subject = descriptorOf(bytesOf(ours), mediaTypes.ociManifest);
    const signature = imageOf(layer, { artifactType: 'a/b', subject });
    const pushed = await pushManifest(rig, name, digestOf(bytesOf(signature)), signature);
    rig.upstream.before = () => new Promise(() => {});
    const list = rig.cache.listReferrers({ ...rig.request(name), subject: digest }, rig.signal);
    await until(() => rig.upstream.count('listReferrers') > 0);
    rig.clock.advance(500);
    assert.deepEqual(
      (await list).descriptors.map((one) => one.digest),
      [pushed.digest],
    );
  });
});

suite('whose bytes', () => {
  test('a pushed manifest that names a blob as living elsewhere makes nobody’s bytes readable', async () => {
    const rules = [testRule({ push: true }), testRule({ prefix: 'ROOT' })];
    await using rig = await createCacheRig({ rules });
    const secret = randomBytes(500);
    const stolen = { ...descriptorOf(secret), urls: ['https://example.com/x'] };
    const thief = imageOf(layer, { layers: [stolen] });
    rig.upstream.putBlob('private', secret);
    await rig.blob('up/private', stolen.digest).then((answer) => readAll(answer.source));
    await until(() => rig.cache.downloads.count === 0);
    for (const repository of ['up/thief', 'thief']) {
      await pushBlob(rig, repository, emptyJson);
      await pushManifest(rig, repository, 'v1', thief);
      await refused(rig.blob(repository, stolen.digest), 'blobUnknown');
      await refused(rig.blob(repository, stolen.digest, 'HEAD'), 'blobUnknown');
    }
    await using ruleless = await createCacheRig();
    await pushBlob(ruleless, 'mine', secret);
    await pushBlob(ruleless, 'thief', emptyJson);
    await pushManifest(ruleless, 'thief', 'v1', thief);
    await refused(ruleless.blob('thief', stolen.digest), 'blobUnknown');
  });

  test('a pushed blob whose file can’t be read for a moment is not thrown away', async () => {
    await using rig = await createCacheRig({ rules: [testRule({ push: true })] });
    await pushBlob(rig, name, layer);
    const { blobs } = rig.storage;
    const open: typeof blobs.open = (digest, span) => stored.open(digest, span);
    const stored = { ...blobs };
    blobs.open = async (digest, span) => {
      const reader = await open(digest, span);
      return reader && { ...reader, read: () => Promise.reject(new Error('EIO')) };
    };
    const { source } = await rig.blob(name, digestOf(layer));
    await assert.rejects(readAll(source), /EIO/);
    blobs.open = open;
    assertBytes(await readAll((await rig.blob(name, digestOf(layer))).source), layer);
  });
});
