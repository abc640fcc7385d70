// What upstream refused is remembered for what was asked, and refuses nothing else of the same name.
import { equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig, randomBytes } from '../../../tests/support/rigs/cache-rig.ts';
import { refused } from '../../../tests/support/rigs/push-rig.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';

const layer = randomBytes(1000);

/** Upstream has the layer, and an image under the tag `tags`, whose list of tags it gives to nobody. */
async function open(): Promise<{ readonly rig: CacheRig; readonly image: string }> {
  const rig = await createCacheRig();
  rig.upstream.putBlob('app', layer);
  const manifest = { schemaVersion: 2, layers: [] };
  const { digest } = rig.upstream.putManifest('app', manifest, mediaTypes.ociManifest, 'tags');
  rig.upstream.listTags = () => Promise.reject(failure('denied', 403));
  return { rig, image: digest };
}

type Ask = (rig: CacheRig, image: string) => Promise<unknown>;

const asks = {
  'a layer as a manifest': (rig) => rig.manifest('up/app', digestOf(layer)),
  'a layer as a manifest, by HEAD': (rig) => rig.manifest('up/app', digestOf(layer), 'HEAD'),
  'a layer': (rig) => rig.blob('up/app', digestOf(layer)),
  'an image as a blob': (rig, image) => rig.blob('up/app', image),
  'an image as a blob, by HEAD': (rig, image) => rig.blob('up/app', image, 'HEAD'),
  'an image': (rig, image) => rig.manifest('up/app', image),
  'the tag `tags`': (rig) => rig.manifest('up/app', 'tags'),
  'the list of tags': (rig) =>
    rig.cache.listTags({ ...rig.request('up/app'), n: 10, last: '' }, rig.signal),
} satisfies Readonly<Record<string, Ask>>;

type Asked = keyof typeof asks;

const rows: readonly (readonly [first: Asked, code: ErrorCode, then: Asked])[] = [
  ['a layer as a manifest', 'manifestUnknown', 'a layer'],
  ['a layer as a manifest, by HEAD', 'manifestUnknown', 'a layer'],
  ['an image as a blob', 'blobUnknown', 'an image'],
  ['an image as a blob, by HEAD', 'blobUnknown', 'an image'],
  ['the list of tags', 'denied', 'the tag `tags`'],
];

suite('after upstream has refused', () => {
  for (const [first, code, then] of rows)
    test(`${first}, ${then} is pulled all the same`, async () => {
      const { rig, image } = await open();
      await using _rig = rig;
      await refused(asks[first](rig, image), code);
      const calls = rig.upstream.calls.length;
      await refused(asks[first](rig, image), code);
      equal(rig.upstream.calls.length, calls, 'it is refused from memory');
      await asks[then](rig, image);
    });
});
