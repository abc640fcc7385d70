import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import { indexOf, plain } from '../support/samples/manifest-kinds.ts';
import {
  algorithms,
  assertError,
  descriptorOf,
  freshRepository,
  clientOfFile,
} from '../support/clients/registry-client.ts';
import type { Algorithm } from '../support/clients/registry-client.ts';

/** distribution-spec, "Push": "A registry MAY reject a manifest … with descriptors … that reference a manifest or blob that does not exist"; with `sparseIndexes: true` it does not. */
const client = await clientOfFile({ sparseIndexes: true });

const rows: readonly (readonly [
  name: string,
  make: (repository: string, algorithm: Algorithm) => Promise<object>,
])[] = [
  [
    'an index of which one manifest is there',
    async (repository, algorithm) => {
      const image = await client.image(repository, {}, algorithm);
      const held = await client.pushManifest(repository, image, { algorithm });
      return indexOf([plain(held), descriptorOf(mediaTypes.ociManifest, 'absent', algorithm)]);
    },
  ],
  [
    'an index of which none is there',
    (_, algorithm) =>
      Promise.resolve(indexOf([descriptorOf(mediaTypes.ociManifest, 'absent', algorithm)])),
  ],
  [
    'an image without one of its layers',
    (repository, algorithm) =>
      client.image(
        repository,
        { layers: [descriptorOf('application/vnd.oci.image.layer.v1.tar', 'absent', algorithm)] },
        algorithm,
      ),
  ],
];

suite('Push of a sparse manifest', () => {
  for (const [name, make] of rows) {
    for (const algorithm of algorithms) {
      test(`what it names need not be there: ${name}, ${algorithm}`, async () => {
        const repository = freshRepository();
        const manifest = await make(repository, algorithm);
        const { digest, text } = await client.pushManifest(repository, manifest, { algorithm });
        const pulled = await client.ask('GET', `/v2/${repository}/manifests/${digest}`);
        deepEqual([pulled.status, pulled.text], [200, text]);
        equal((await client.ask('DELETE', `/v2/${repository}/manifests/${digest}`)).status, 202);
      });
    }
  }

  test('what is not there is 404, and may be pushed later', async () => {
    const repository = freshRepository();
    const image = await client.image(repository);
    const text = JSON.stringify(image);
    const child = descriptorOf(mediaTypes.ociManifest, text);
    await client.pushManifest(repository, indexOf([child]), { reference: 'sparse' });
    const path = `/v2/${repository}/manifests/${child.digest}`;
    assertError(await client.ask('GET', path), 404, 'MANIFEST_UNKNOWN');
    await client.pushManifest(repository, text);
    equal((await client.ask('GET', path)).text, text);
  });
});
