import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig, testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { ruleDefaults } from '../../domain/rules/builtin-rules.ts';
import { RegistryError } from '../../domain/errors.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { parseReference } from '../../domain/names/reference.ts';

const hour = 3_600_000;

interface Row {
  readonly what: string;
  readonly rule?: Parameters<typeof testRule>[0];
  /** After `up/app:v1` was pulled by somebody who may import. */
  readonly meanwhile?: (rig: CacheRig) => Promise<void> | void;
  readonly reference?: (digest: string) => string;
  /** A verdict and detail, or an error's code. */
  readonly is: string;
}

const stopping = {
  onFailure: { ...ruleDefaults.onFailure, denied: 'stop', notFound: 'stop' },
} as const;

/** Upstream says no to a pull of somebody who may import, once the tag is not fresh any more. */
async function refused(rig: CacheRig, kind: 'denied' | 'notFound', status: number): Promise<void> {
  rig.clock.advance(25 * hour);
  rig.upstream.before = () => {
    throw failure(kind, status);
  };
  await rig.manifest('up/app', 'v1').catch(() => {});
  rig.invalidations.note({ kind: 'configuration' });
}

const rows: readonly Row[] = [
  { what: 'a fresh tag', is: 'hit undefined' },
  {
    what: 'a tag that is not fresh any more',
    meanwhile: (rig) => rig.clock.advance(25 * hour),
    is: 'stale not validated',
  },
  {
    what: 'a tag that upstream lost, where the rule keeps it',
    meanwhile: (rig) => refused(rig, 'notFound', 404),
    is: 'stale upstream gone',
  },
  {
    what: 'a tag that upstream lost, where the rule says stop',
    rule: stopping,
    meanwhile: (rig) => refused(rig, 'notFound', 404),
    is: 'manifestUnknown',
  },
  {
    what: 'a tag of a repository that is stopped',
    rule: stopping,
    meanwhile: (rig) => refused(rig, 'denied', 403),
    is: 'denied',
  },
  {
    what: 'a digest of a repository that is stopped',
    rule: stopping,
    meanwhile: (rig) => refused(rig, 'denied', 403),
    reference: (digest) => digest,
    is: 'denied',
  },
  { what: 'a digest that is held', reference: (digest) => digest, is: 'hit undefined' },
  {
    what: 'a digest that is not held',
    reference: () => `sha256:${'0'.repeat(64)}`,
    is: 'manifestUnknown',
  },
  { what: 'a tag that is not held', reference: () => 'v2', is: 'manifestUnknown' },
  {
    what: 'a tag that was read from another source than the rule leads to',
    meanwhile: async (rig) => {
      const { registry, target } = rig.request('up/app');
      await rig.metadata.tags.validateTag({
        registry,
        repository: target.repository,
        tag: 'v1' as never,
        source: 'http://elsewhere/app',
        validatedAt: rig.clock.now(),
      });
      rig.invalidations.note({ kind: 'configuration' });
    },
    is: 'manifestUnknown',
  },
];

suite('who may import nothing is served, with no word to upstream', () => {
  for (const { what, rule, meanwhile, reference, is } of rows) {
    for (const method of ['GET', 'HEAD'] as const) {
      test(`${method} of ${what}: ${is}`, async () => {
        await using rig = await createCacheRig({
          rules: [testRule({ platforms: 'all', ...rule })],
        });
        const config = { mediaType: 'x/y', digest: `sha256:${'a'.repeat(64)}`, size: 2 };
        const manifest = {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config,
          layers: [],
        };
        const { digest } = rig.upstream.putManifest('app', manifest, mediaTypes.ociManifest, 'v1');
        await rig.manifest('up/app', 'v1');
        await rig.cache.completion.idle();
        await meanwhile?.(rig);
        await rig.cache.completion.idle();
        rig.upstream.calls.length = 0;
        const request = {
          ...rig.request('up/app'),
          heldOnly: true,
          reference: parseReference(reference?.(digest) ?? 'v1')!,
          method,
        };
        const said = await rig.cache.pullManifest(request, rig.signal).then(
          ({ outcome }) => `${outcome.verdict} ${outcome.detail}`,
          (error: unknown) => (error instanceof RegistryError ? error.code : String(error)),
        );
        await rig.cache.completion.idle();
        assert.equal(said, is);
        assert.deepEqual(rig.upstream.calls, []);
      });
    }
  }

  for (const list of ['tags', 'referrers'] as const) {
    test(`${list}: those that are held`, async () => {
      await using rig = await createCacheRig();
      const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
      const { digest } = rig.upstream.putManifest('app', manifest, mediaTypes.ociIndex, 'v1');
      await rig.manifest('up/app', 'v1');
      rig.upstream.tags.set('app', ['v1', 'v2']);
      rig.upstream.calls.length = 0;
      const request = { ...rig.request('up/app'), heldOnly: true };
      const { outcome, ...rest } =
        list === 'tags'
          ? await rig.cache.listTags({ ...request, n: 10, last: '' }, rig.signal)
          : await rig.cache.listReferrers({ ...request, subject: digest }, rig.signal);
      assert.deepEqual(rest, list === 'tags' ? { tags: ['v1'], more: false } : { descriptors: [] });
      assert.equal(outcome.detail, 'held only');
      assert.deepEqual(rig.upstream.calls, []);
    });
  }
});
