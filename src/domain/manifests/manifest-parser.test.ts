import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RegistryError } from '../errors.ts';
import { manifestChildrenMax, parseManifest } from './manifest-parser.ts';
import type { Manifest } from './manifest.ts';
import { manifestBytesMax } from './manifest.ts';
import { mediaTypes } from './media-type.ts';

const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
const configType = 'application/vnd.oci.image.config.v1+json';

function digest(letter: string): string {
  return `sha256:${letter.repeat(64)}`;
}

function descriptor(mediaType: string, letter: string, more: object = {}): object {
  return { mediaType, digest: digest(letter), size: 7, ...more };
}

function parse(body: unknown, contentType?: string): Manifest {
  return parseManifest(
    new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
    contentType,
  );
}

const config = descriptor(configType, 'c');
const layers = [descriptor(layerType, 'a'), descriptor(layerType, 'b')];
const image = { schemaVersion: 2, config, layers };
const index = { schemaVersion: 2, manifests: [descriptor(mediaTypes.ociManifest, 'd')] };
const schema1 = { schemaVersion: 1, name: 'a', fsLayers: [{ blobSum: digest('a') }], history: [] };

interface Row {
  readonly title: string;
  readonly body: unknown;
  readonly contentType?: string;
  readonly mediaType: string;
  readonly kind: Manifest['kind'];
}

const rows: readonly Row[] = [
  {
    title: 'an OCI image',
    body: { ...image, mediaType: mediaTypes.ociManifest },
    mediaType: mediaTypes.ociManifest,
    kind: 'image',
  },
  {
    title: 'an OCI index',
    body: { ...index, mediaType: mediaTypes.ociIndex },
    mediaType: mediaTypes.ociIndex,
    kind: 'index',
  },
  {
    title: 'a nested index',
    body: {
      ...index,
      mediaType: mediaTypes.ociIndex,
      manifests: [descriptor(mediaTypes.ociIndex, 'e')],
    },
    mediaType: mediaTypes.ociIndex,
    kind: 'index',
  },
  {
    title: 'a Docker schema 2 image',
    body: { ...image, mediaType: mediaTypes.dockerManifest },
    mediaType: mediaTypes.dockerManifest,
    kind: 'image',
  },
  {
    title: 'a Docker list',
    body: { ...index, mediaType: mediaTypes.dockerList },
    mediaType: mediaTypes.dockerList,
    kind: 'index',
  },
  {
    title: 'an artifact manifest',
    body: { mediaType: mediaTypes.ociArtifact, artifactType: 'a/b', blobs: layers },
    mediaType: mediaTypes.ociArtifact,
    kind: 'image',
  },
  {
    title: 'T15: an image whose type is in the header alone',
    body: image,
    contentType: `${mediaTypes.ociManifest}; charset=utf-8`,
    mediaType: mediaTypes.ociManifest,
    kind: 'image',
  },
  {
    title: 'T15: an image without any type',
    body: image,
    mediaType: mediaTypes.ociManifest,
    kind: 'image',
  },
  {
    title: 'T15: an index without any type',
    body: index,
    mediaType: mediaTypes.ociIndex,
    kind: 'index',
  },
  {
    title: 'T15: an empty index without any type',
    body: { schemaVersion: 2, manifests: [] },
    mediaType: mediaTypes.ociIndex,
    kind: 'index',
  },
  {
    title: 'T15: an image under a type that says nothing',
    body: image,
    contentType: 'application/json',
    mediaType: mediaTypes.ociManifest,
    kind: 'image',
  },
  {
    title: "the body's type before the header's",
    body: { ...image, mediaType: mediaTypes.ociManifest },
    contentType: mediaTypes.dockerManifest,
    mediaType: mediaTypes.ociManifest,
    kind: 'image',
  },
  {
    title: 'an image of a type unknown here',
    body: { ...image, mediaType: 'application/vnd.x+json' },
    mediaType: 'application/vnd.x+json',
    kind: 'image',
  },
  {
    title: 'JSON of another kind',
    body: { mediaType: 'application/vnd.x+json', y: 1 },
    mediaType: 'application/vnd.x+json',
    kind: 'opaque',
  },
  {
    title: 'a signed schema 1',
    body: { ...schema1, signatures: [] },
    mediaType: mediaTypes.dockerSchema1Signed,
    kind: 'opaque',
  },
  {
    title: 'a signed schema 1 under its type',
    body: { ...schema1, signatures: [] },
    contentType: mediaTypes.dockerSchema1Signed,
    mediaType: mediaTypes.dockerSchema1Signed,
    kind: 'opaque',
  },
  {
    title: 'an unsigned schema 1 as old registries send it',
    body: schema1,
    contentType: 'application/json',
    mediaType: mediaTypes.dockerSchema1,
    kind: 'opaque',
  },
  {
    title: 'a type spelled as a property of every object',
    body: { ...image, mediaType: 'constructor' },
    mediaType: 'constructor',
    kind: 'image',
  },
];
for (const { title, body, contentType, mediaType, kind } of rows) {
  test(`${title} is read`, () => {
    const manifest = parse(body, contentType);
    assert.deepEqual([manifest.mediaType, manifest.kind], [mediaType, kind]);
  });
}

test("an image's children are its config and layers", () => {
  const manifest = parse(image);
  assert.deepEqual(manifest.config, config);
  assert.deepEqual(manifest.layers, layers);
  assert.deepEqual(manifest.manifests, []);
});

test("an artifact manifest's blobs are layers", () => {
  const manifest = parse({
    mediaType: mediaTypes.ociArtifact,
    artifactType: 'a/b',
    blobs: layers,
    subject: config,
  });
  assert.deepEqual(manifest.layers, layers);
  assert.deepEqual(manifest.subject, config);
  assert.equal(manifest.artifactType, 'a/b');
});

test('a schema 1 manifest has no children, since it says no sizes', () => {
  const manifest = parse(schema1);
  assert.deepEqual([manifest.config, manifest.layers, manifest.manifests], [undefined, [], []]);
});

test("an index's children keep their platforms", () => {
  const platform = { os: 'linux', architecture: 'arm', variant: 'v7', 'os.version': '1' };
  const manifest = parse({
    ...index,
    manifests: [descriptor(mediaTypes.ociManifest, 'd', { platform })],
  });
  assert.deepEqual(manifest.manifests[0]?.platform, {
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
  });
});

test('a platform that is none is left out', () => {
  const manifest = parse({
    ...index,
    manifests: [descriptor(mediaTypes.ociManifest, 'd', { platform: { os: 1 } })],
  });
  assert.equal(manifest.manifests[0]?.platform, undefined);
});

test('a layer whose bytes lie elsewhere keeps its urls', () => {
  const urls = ['https://go.microsoft.com/x'];
  const manifest = parse({ ...image, layers: [descriptor('application/x', 'a', { urls })] });
  assert.deepEqual(manifest.layers[0]?.urls, urls);
});

test("without an artifactType an image's is its config's type", () => {
  assert.equal(parse(image).artifactType, configType);
  assert.equal(parse({ ...image, artifactType: 'x/y' }).artifactType, 'x/y');
  assert.equal(parse(index).artifactType, undefined);
});

test('lists that Go wrote as null are empty', () => {
  assert.deepEqual(
    parse({ mediaType: mediaTypes.ociManifest, config, layers: null, subject: null }).layers,
    [],
  );
  assert.deepEqual(
    parse({ mediaType: mediaTypes.ociIndex, manifests: null, layers: null }).manifests,
    [],
  );
});

test('a descriptor without a type is bytes', () => {
  const manifest = parse({ ...image, layers: [{ digest: digest('a'), size: 1 }] });
  assert.equal(manifest.layers[0]?.mediaType, 'application/octet-stream');
});

test('the last of duplicate keys counts, as in JSON.parse', () => {
  const text = `{"mediaType":"x/y","mediaType":"${mediaTypes.ociIndex}","manifests":[]}`;
  assert.equal(parse(text).mediaType, mediaTypes.ociIndex);
});

test('annotations are the texts among them, whatever their names', () => {
  const text = `{"mediaType":"${mediaTypes.ociIndex}","annotations":{"a":"ü","b":1,"__proto__":"x","constructor":"y"}}`;
  const { annotations } = parse(text);
  assert.deepEqual(Object.entries(annotations ?? {}), [
    ['a', 'ü'],
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  assert.equal(Object.getPrototypeOf(annotations), Object.prototype);
});

test('what __proto__ holds is not the manifest', () => {
  const text = `{"mediaType":"${mediaTypes.ociIndex}","__proto__":{"manifests":[{}],"subject":{}}}`;
  assert.deepEqual([parse(text).manifests, parse(text).subject], [[], undefined]);
});

interface Refusal {
  readonly title: string;
  readonly body: unknown;
  readonly contentType?: string;
  readonly cause: string;
}

const refusals: readonly Refusal[] = [
  { title: 'T44: an HTML page', body: '<!DOCTYPE html><html></html>', cause: 'html' },
  { title: 'T44: an HTML page behind a byte order mark', body: '\uFEFF\r\n <html>', cause: 'html' },
  {
    title: 'T44: what calls itself HTML',
    body: '{}',
    contentType: 'Text/HTML; charset=utf-8',
    cause: 'html',
  },
  { title: 'T44: a plain text', body: 'Too Many Requests', cause: 'badJson' },
  {
    title: 'T44: an error document',
    body: { errors: [{ code: 'DENIED' }] },
    contentType: mediaTypes.ociManifest,
    cause: 'badJson',
  },
  { title: 'nothing', body: '', cause: 'badJson' },
  { title: 'half a manifest', body: JSON.stringify(image).slice(0, -1), cause: 'badJson' },
  { title: 'a list', body: [], cause: 'badJson' },
  { title: 'null', body: 'null', cause: 'badJson' },
  { title: 'a number', body: '1', cause: 'badJson' },
  {
    title: 'JSON that is no manifest',
    body: { hello: 1 },
    contentType: 'application/json',
    cause: 'badJson',
  },
  {
    title: 'a manifest that is too large',
    body: `{"mediaType":"x/y","a":"${'a'.repeat(manifestBytesMax)}"}`,
    cause: 'tooLarge',
  },
  {
    title: 'a type with a line break',
    body: { ...image, mediaType: 'a/b\r\nX: y' },
    cause: 'badJson',
  },
  {
    title: 'a type that is endless',
    body: { ...image, mediaType: `a/${'b'.repeat(300)}` },
    cause: 'badJson',
  },
  { title: 'a type that is a number', body: { ...image, mediaType: 1 }, cause: 'badJson' },
  {
    title: 'an index with a config',
    body: { ...index, mediaType: mediaTypes.ociIndex, config },
    cause: 'badJson',
  },
  {
    title: 'an image with manifests',
    body: { ...image, mediaType: mediaTypes.ociManifest, manifests: index.manifests },
    cause: 'badJson',
  },
  { title: 'both at once without a type', body: { ...image, ...index }, cause: 'badJson' },
  {
    title: 'layers that are no list',
    body: { mediaType: mediaTypes.ociManifest, config, layers: {} },
    cause: 'badJson',
  },
  { title: 'a layer that is null', body: { ...image, layers: [null] }, cause: 'badJson' },
  { title: 'a layer that is a list', body: { ...image, layers: [[]] }, cause: 'badJson' },
  {
    title: 'a digest that is none',
    body: { ...image, layers: [{ ...layers[0], digest: 'sha256:../..' }] },
    cause: 'badJson',
  },
  {
    title: 'a digest that is a number',
    body: { ...image, layers: [{ ...layers[0], digest: 1 }] },
    cause: 'badJson',
  },
  {
    title: 'a size below nothing',
    body: { ...image, layers: [{ ...layers[0], size: -1 }] },
    cause: 'badJson',
  },
  {
    title: 'half a byte',
    body: { ...image, layers: [{ ...layers[0], size: 0.5 }] },
    cause: 'badJson',
  },
  {
    title: 'a size beyond counting',
    body: { ...image, layers: [{ ...layers[0], size: 1e300 }] },
    cause: 'badJson',
  },
  {
    title: 'a size in quotes',
    body: { ...image, layers: [{ ...layers[0], size: '7' }] },
    cause: 'badJson',
  },
  { title: 'no size', body: { ...image, layers: [{ digest: digest('a') }] }, cause: 'badJson' },
  { title: 'a broken config', body: { ...image, config: {} }, cause: 'badJson' },
  { title: 'a broken subject', body: { ...image, subject: {} }, cause: 'badJson' },
  {
    title: 'too many layers',
    body: { ...image, layers: Array.from({ length: manifestChildrenMax + 1 }, () => layers[0]) },
    cause: 'tooLarge',
  },
  {
    title: 'urls that are numbers',
    body: { ...image, layers: [{ ...layers[0], urls: [1] }] },
    cause: 'badJson',
  },
];
for (const { title, body, contentType, cause } of refusals) {
  test(`${title} is refused as ${cause}`, () => {
    assert.throws(
      () => parse(body, contentType),
      (error) =>
        error instanceof RegistryError &&
        error.code === 'upstreamInvalid' &&
        error.detail?.['cause'] === cause,
    );
  });
}

test('a million brackets end in a refusal', () => {
  assert.throws(() => parse('['.repeat(1_000_000)), RegistryError);
  const deep = `{"mediaType":"x/y","a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`;
  // Whether the engine reads or refuses them, nothing else comes of it.
  try {
    assert.equal(parse(deep).kind, 'opaque');
  } catch (error) {
    assert.ok(error instanceof RegistryError);
  }
});

test('any bytes are read or refused, never anything else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      (bytes) => {
        try {
          parseManifest(bytes, undefined);
        } catch (error) {
          assert.ok(error instanceof RegistryError);
        }
      },
    ),
  );
});

test('any JSON in the place of any field is read or refused', () => {
  const field = fc.constantFrom(
    'mediaType',
    'config',
    'layers',
    'manifests',
    'subject',
    'annotations',
    'schemaVersion',
  );
  fc.assert(
    fc.property(
      fc.constantFrom(image, index, schema1),
      field,
      fc.jsonValue(),
      (base, key, value) => {
        try {
          parse({ ...base, [key]: value });
        } catch (error) {
          assert.ok(error instanceof RegistryError);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
