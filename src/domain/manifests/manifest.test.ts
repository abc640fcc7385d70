import assert from 'node:assert/strict';
import { test } from 'node:test';
import { livesElsewhere } from './manifest.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;

for (const [mediaType, urls, elsewhere] of [
  ['application/vnd.oci.image.layer.v1.tar+gzip', undefined, false],
  ['application/vnd.oci.image.layer.v1.tar+gzip', [], false],
  ['application/vnd.oci.image.layer.v1.tar+gzip', ['https://far.example/x'], true],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', undefined, true],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', undefined, true],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', undefined, false],
  ['application/vnd.foreignoffice.report+json', undefined, false],
] as const) {
  test(`a layer of type ${mediaType} with urls ${JSON.stringify(urls)} lives ${elsewhere ? 'elsewhere' : 'here'}`, () => {
    const layer = { mediaType, digest: digest as never, size: 1, ...(urls && { urls }) };
    assert.equal(livesElsewhere(layer), elsewhere);
  });
}
