import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import {
  algorithms,
  assertError,
  freshRepository,
  clientOfFile,
} from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Pull", "Checking if content exists in the registry" and "Determining Support", for what was pushed here. */
const client = await clientOfFile();

const bytes = randomBytes(2048);
const ranges: readonly (readonly [range: string, start: number, end: number])[] = [
  ['bytes=0-0', 0, 1],
  ['bytes=500-1499', 500, 1500],
  ['bytes=500-', 500, 2048],
  ['bytes=-500', 1548, 2048],
  ['bytes=-5000', 0, 2048],
  ['bytes=2000-5000', 2000, 2048],
  ['bytes=2047-2047', 2047, 2048],
];

suite('Pulling blobs', () => {
  for (const algorithm of algorithms) {
    for (const [range, start, end] of ranges) {
      test(`"A registry SHOULD support the Range request header": ${range}, ${algorithm}`, async () => {
        const repository = freshRepository();
        const digest = await client.pushBlob(repository, bytes, algorithm);
        const answer = await client.ask('GET', `/v2/${repository}/blobs/${digest}`, {
          headers: { Range: range },
        });
        deepEqual(
          [answer.status, answer.headers['content-range'], answer.headers['content-length']],
          [206, `bytes ${String(start)}-${String(end - 1)}/2048`, String(end - start)],
        );
        ok(answer.bytes.equals(bytes.subarray(start, end)));
      });
    }
  }

  for (const range of ['bytes=500-0', 'bytes=2048-', 'bytes=5000-10000']) {
    test(`a range that there is nothing of is 416: ${range}`, async () => {
      const repository = freshRepository();
      const digest = await client.pushBlob(repository, bytes);
      const headers = { Range: range };
      const answer = await client.ask('GET', `/v2/${repository}/blobs/${digest}`, { headers });
      equal(answer.status, 416);
    });
  }

  test('what is asked for compressed comes as it is, with its length', async () => {
    const repository = freshRepository();
    const text = 'a'.repeat(10_000);
    const digest = await client.pushBlob(repository, text);
    const headers = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
    const answer = await client.ask('GET', `/v2/${repository}/blobs/${digest}`, { headers });
    deepEqual(
      [answer.headers['content-encoding'], answer.headers['content-length'], answer.text === text],
      [undefined, '10000', true],
    );
  });

  test('"If the blob is not found in the repository, the response code MUST be 404": a manifest is none', async () => {
    const repository = freshRepository();
    const { digest } = await client.pushManifest(repository, await client.image(repository));
    const answer = await client.ask('GET', `/v2/${repository}/blobs/${digest}`);
    assertError(answer, 404, 'BLOB_UNKNOWN');
  });
});

suite('Pulling manifests', () => {
  const accepts = [undefined, '*/*', mediaTypes.ociIndex, mediaTypes.dockerManifest, 'text/html'];
  for (const accept of accepts) {
    test(`"A GET request to an existing manifest URL MUST provide the expected manifest": Accept ${accept ?? 'is absent'}`, async () => {
      const repository = freshRepository();
      const image = await client.image(repository);
      const { text, digest } = await client.pushManifest(repository, image, { reference: 'v1' });
      for (const reference of ['v1', digest]) {
        const answer = await client.ask('GET', `/v2/${repository}/manifests/${reference}`, {
          headers: accept === undefined ? {} : { Accept: accept },
        });
        deepEqual(
          [answer.status, answer.headers['content-type'], answer.text],
          [200, mediaTypes.ociManifest, text],
        );
      }
    });
  }

  test('"If the manifest is not found in the repository, the response code MUST be 404": a blob is none', async () => {
    const repository = freshRepository();
    const digest = await client.pushBlob(repository, '{"schemaVersion":2}');
    const answer = await client.ask('GET', `/v2/${repository}/manifests/${digest}`);
    assertError(answer, 404, 'MANIFEST_UNKNOWN');
  });

  for (const algorithm of algorithms) {
    test(`a manifest is under the digests it was pushed by, no others: ${algorithm}`, async () => {
      const repository = freshRepository();
      const image = await client.image(repository);
      const { text } = await client.pushManifest(repository, image, { algorithm });
      for (const each of algorithms) {
        const path = `/v2/${repository}/manifests/${digestOf(text, each)}`;
        const answer = await client.ask('HEAD', path);
        equal(answer.status, each === algorithm ? 200 : 404);
      }
    });
  }
});

suite('Determining Support', () => {
  test('"If the response is 200 OK, then the registry implements this specification"', async () => {
    const answer = await client.ask('GET', '/v2/');
    deepEqual(
      [answer.status, answer.headers['docker-distribution-api-version']],
      [200, 'registry/2.0'],
    );
  });

  for (const authorization of ['', `Basic ${Buffer.from('nobody:wrong').toString('base64')}`]) {
    test(`"This endpoint MAY be used for authentication": ${authorization === '' ? 'nobody' : 'wrong credentials'} is 401 with one challenge`, async () => {
      const answer = await client.ask('GET', '/v2/', { headers: { Authorization: authorization } });
      assertError(answer, 401, 'UNAUTHORIZED');
      match(
        String(answer.headers['www-authenticate']),
        /^Bearer realm="http:\/\/127\.0\.0\.1:\d+\/v2\/token",service="[^"]+"$/,
      );
    });
  }
});
