import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { RegistryError } from '../errors.ts';
import { mediaTypes } from './media-type.ts';
import { parsePushedManifest } from './pushed-manifest.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 3 };
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };

function read(manifest: object | string, contentType?: string) {
  const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  return parsePushedManifest(new TextEncoder().encode(text), contentType);
}

suite('a pushed manifest is taken', () => {
  for (const [what, manifest, contentType, mediaType] of [
    ['as an image', image, mediaTypes.ociManifest, mediaTypes.ociManifest],
    ['as an image without Content-Type', image, undefined, mediaTypes.ociManifest],
    [
      'with parameters and capitals in its Content-Type',
      image,
      'Application/vnd.oci.image.manifest.v1+json; charset=utf-8',
      mediaTypes.ociManifest,
    ],
    [
      'without mediaType, by its Content-Type',
      { schemaVersion: 2, config, layers: [] },
      mediaTypes.ociManifest,
      mediaTypes.ociManifest,
    ],
    [
      'as Docker schema 2',
      { ...image, mediaType: mediaTypes.dockerManifest },
      mediaTypes.dockerManifest,
      mediaTypes.dockerManifest,
    ],
    ['as an index', index, mediaTypes.ociIndex, mediaTypes.ociIndex],
    [
      'as an artifact manifest without config and schemaVersion',
      { mediaType: mediaTypes.ociArtifact, blobs: [layer], artifactType: 'a/b' },
      mediaTypes.ociArtifact,
      mediaTypes.ociArtifact,
    ],
    ['with layers of null', { ...image, layers: null }, undefined, mediaTypes.ociManifest],
    ['with fields of its own', { ...image, x: { y: [1] } }, undefined, mediaTypes.ociManifest],
    [
      'with annotations that differ in capitals',
      { ...image, annotations: { Key: 'a', key: 'b' } },
      undefined,
      mediaTypes.ociManifest,
    ],
  ] as const) {
    test(what, () => {
      assert.equal(read(manifest, contentType).manifest.mediaType, mediaType);
    });
  }

  test('with the content that its descriptors carry', () => {
    const data = { ...layer, data: 'AAAA' };
    const { embedded } = read({ ...image, config: { ...config, data: 'e30=' }, layers: [data] });
    assert.deepEqual(
      embedded.map(({ where, size, base64 }) => [where, size, base64]),
      [
        ['config', 2, 'e30='],
        ['layers[0]', 3, 'AAAA'],
      ],
    );
  });
});

suite('a pushed manifest is refused', () => {
  const deep = `{"schemaVersion":2,"x":${'['.repeat(200)}${']'.repeat(200)}}`;
  for (const [what, manifest, contentType, message] of [
    ['that is no JSON', '{"schemaVersion":2', undefined, /not JSON/],
    ['that is no object', '[]', undefined, /not a JSON object/],
    ['with a byte order mark', `\uFEFF${JSON.stringify(image)}`, undefined, /not JSON/],
    ['with a key twice', '{"layers":[],"layers":[]}', undefined, /"layers" stands twice/],
    ['with a field in two spellings', '{"layers":[],"Layers":[]}', undefined, /stands twice/],
    ['that is nested deep', deep, undefined, /nested deeper than 100/],
    ['of another type than its Content-Type', image, mediaTypes.ociIndex, /different media types/],
    ['with a general Content-Type', image, 'application/json', /different media types/],
    ['without schemaVersion', { ...image, schemaVersion: undefined }, undefined, /schemaVersion/],
    ['of schemaVersion "2"', { ...image, schemaVersion: '2' }, undefined, /schemaVersion/],
    [
      'of Docker schema 1',
      { schemaVersion: 1, name: 'a', tag: 'b', fsLayers: [], signatures: [] },
      mediaTypes.dockerSchema1Signed,
      /schema 1/,
    ],
    ['of an unknown type', { schemaVersion: 2, mediaType: 'a/b' }, 'a/b', /known type/],
    ['without config', { ...image, config: undefined }, undefined, /has a config/],
    ['with a config that is none', { ...image, config: 'x' }, undefined, /config/],
    ['that is index and image', { ...index, layers: [layer] }, undefined, /ambiguous/],
    [
      'with a layer of a bad digest',
      { ...image, layers: [{ ...layer, digest: 'md5:1' }] },
      undefined,
      /layers\[0\]\.digest/,
    ],
    [
      'with a layer of a negative size',
      { ...image, layers: [{ ...layer, size: -1 }] },
      undefined,
      /layers\[0\]\.size/,
    ],
    [
      'with a layer without type',
      { ...image, layers: [layer, { digest, size: 3 }] },
      undefined,
      /layers\[1\]\.mediaType/,
    ],
    ['with a subject that is none', { ...image, subject: { digest } }, undefined, /subject/],
    ['with data that is no text', { ...image, config: { ...config, data: 7 } }, undefined, /data/],
    ['with annotations of numbers', { ...image, annotations: { a: 1 } }, undefined, /annotations/],
  ] as const) {
    test(what, () => {
      assert.throws(
        () => read(manifest, contentType),
        (error) =>
          error instanceof RegistryError &&
          error.code === 'manifestInvalid' &&
          message.test(error.message) &&
          error.detail !== undefined,
      );
    });
  }

  test('that is not UTF-8', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    assert.throws(() => parsePushedManifest(bytes, undefined), /not UTF-8/);
  });

  test('beyond 4 MiB, as too large', () => {
    const bytes = new Uint8Array(4 * 1024 * 1024 + 1);
    assert.throws(
      () => parsePushedManifest(bytes, undefined),
      (error) => error instanceof RegistryError && error.code === 'requestTooLarge',
    );
  });
});
