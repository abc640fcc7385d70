import { deepEqual, equal } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { index, indexOf, plain } from '../support/samples/manifest-kinds.ts';
import {
  algorithms,
  assertError,
  freshRepository,
  clientOfFile,
} from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Content Management", clause by clause. */
const client = await clientOfFile();

async function assertGone(path: string, ...codes: readonly string[]): Promise<void> {
  assertError(await client.ask('GET', path), 404, ...codes);
  equal((await client.ask('HEAD', path)).status, 404);
}

suite('Deleting tags', () => {
  test('"Upon success, the registry MUST respond with a 202 Accepted … Once deleted, a GET … will return a 404": the tag alone', async () => {
    const repository = freshRepository();
    const image = await client.image(repository);
    for (const reference of ['v1', 'v2'])
      await client.pushManifest(repository, image, { reference });
    const manifests = `/v2/${repository}/manifests`;
    equal((await client.ask('DELETE', `${manifests}/v1`)).status, 202);
    await assertGone(`${manifests}/v1`, 'MANIFEST_UNKNOWN');
    for (const reference of ['v2', digestOf(JSON.stringify(image))])
      equal((await client.ask('GET', `${manifests}/${reference}`)).status, 200);
  });

  test('the last tag leaves the manifest too', async () => {
    const repository = freshRepository();
    const image = await client.image(repository);
    const { digest } = await client.pushManifest(repository, image, { reference: 'v1' });
    equal((await client.ask('DELETE', `/v2/${repository}/manifests/v1`)).status, 202);
    equal((await client.ask('GET', `/v2/${repository}/manifests/${digest}`)).status, 200);
  });

  test('one that is deleted is pushed again', async () => {
    const repository = freshRepository();
    const image = await client.image(repository);
    for (let round = 0; round < 3; round += 1) {
      await client.pushManifest(repository, image, { reference: 'v1' });
      equal((await client.ask('DELETE', `/v2/${repository}/manifests/v1`)).status, 202);
    }
  });

  for (const [reference, statuses] of [
    ['absent', [404]],
    ['.hidden', [400, 404]],
    ['a'.repeat(129), [400, 404]],
  ] as const) {
    test(`a tag that is not there is ${statuses.join(' or ')}: ${reference.slice(0, 10)}`, async () => {
      const repository = freshRepository();
      await client.pushManifest(repository, indexOf([]));
      const path = `/v2/${repository}/manifests/${reference}`;
      const answer = await client.ask('DELETE', path);
      assertError(answer, statuses, 'MANIFEST_UNKNOWN', 'MANIFEST_INVALID', 'TAG_INVALID');
    });
  }
});

suite('Deleting Manifests', () => {
  for (const algorithm of algorithms) {
    test(`"a GET to /v2/<name>/manifests/<digest> and any tag pointing to that digest will return a 404": ${algorithm}`, async () => {
      const repository = freshRepository();
      const image = await client.image(repository, {}, algorithm);
      const text = JSON.stringify(image);
      const digest = digestOf(text, algorithm);
      const manifests = `/v2/${repository}/manifests`;
      const put = await client.ask('PUT', `${manifests}/${digest}?tag=v1&tag=v2`, {
        headers: { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
        body: text,
      });
      equal(put.status, 201);
      const other = await client.pushManifest(repository, await client.image(repository), {
        reference: 'other',
      });
      equal((await client.ask('DELETE', `${manifests}/${digest}`)).status, 202);
      for (const reference of [digest, 'v1', 'v2'])
        await assertGone(`${manifests}/${reference}`, 'MANIFEST_UNKNOWN');
      const listed = await client.ask('GET', `/v2/${repository}/tags/list`);
      deepEqual((JSON.parse(listed.text) as { tags: string[] }).tags, ['other']);
      equal((await client.ask('GET', `${manifests}/${other.digest}`)).status, 200);
      assertError(await client.ask('DELETE', `${manifests}/${digest}`), 404, 'MANIFEST_UNKNOWN');
    });
  }

  test('"If the repository does not exist, the response MUST return 404 Not Found"', async () => {
    for (const reference of [digestOf('absent'), 'absent']) {
      const path = `/v2/${freshRepository()}/manifests/${reference}`;
      assertError(await client.ask('DELETE', path), 404, 'NAME_UNKNOWN', 'MANIFEST_UNKNOWN');
    }
  });

  test('the manifests of an index outlive it, and an index its manifests', async () => {
    const repository = freshRepository();
    const manifest = (await index(client, repository)) as { manifests: { digest: string }[] };
    const [first = '', second = ''] = manifest.manifests.map(({ digest }) => digest);
    const { digest } = await client.pushManifest(repository, manifest, { reference: 'multi' });
    const manifests = `/v2/${repository}/manifests`;
    equal((await client.ask('DELETE', `${manifests}/${first}`)).status, 202);
    equal((await client.ask('GET', `${manifests}/multi`)).status, 200);
    await assertGone(`${manifests}/${first}`, 'MANIFEST_UNKNOWN');
    equal((await client.ask('DELETE', `${manifests}/${digest}`)).status, 202);
    equal((await client.ask('GET', `${manifests}/${second}`)).status, 200);
  });

  test('one repository at a time', async () => {
    const [mine, other] = [freshRepository(), freshRepository()];
    const text = JSON.stringify(indexOf([]));
    const { digest } = await client.pushManifest(mine, text, { reference: 'v1' });
    await client.pushManifest(other, text, { reference: 'v1' });
    equal((await client.ask('DELETE', `/v2/${mine}/manifests/${digest}`)).status, 202);
    equal((await client.ask('GET', `/v2/${other}/manifests/v1`)).text, text);
  });

  test('deletion is seen at once, by every client, and a digest pushed again is back', async () => {
    const repository = freshRepository();
    const text = JSON.stringify(indexOf([]));
    const path = `/v2/${repository}/manifests/${digestOf(text)}`;
    for (let round = 0; round < 10; round += 1) {
      await client.pushManifest(repository, text);
      equal((await client.ask('GET', path)).status, 200);
      equal((await client.ask('DELETE', path)).status, 202);
      const answers = await Promise.all([1, 2, 3].map(() => client.ask('GET', path)));
      deepEqual(
        answers.map(({ status }) => status),
        [404, 404, 404],
      );
    }
  });

  for (const reference of ['sha256:baddigeststring', `md5:${'0'.repeat(32)}`]) {
    test(`a digest that is none is 400 or 404: ${reference.slice(0, 12)}`, async () => {
      const repository = freshRepository();
      await client.pushManifest(repository, indexOf([]));
      const path = `/v2/${repository}/manifests/${reference}`;
      assertError(await client.ask('DELETE', path), [400, 404], 'DIGEST_INVALID');
    });
  }
});

suite('Deleting Blobs', () => {
  for (const algorithm of algorithms) {
    for (const bytes of [Buffer.from('{}'), Buffer.alloc(0), randomBytes(500)]) {
      test(`"Upon success, the registry MUST respond with code 202 Accepted. If the blob is not found, a 404 Not Found code MUST be returned": ${String(bytes.length)} bytes, ${algorithm}`, async () => {
        const [repository, other] = [freshRepository(), freshRepository()];
        await client.pushBlob(other, bytes, algorithm);
        for (let round = 0; round < 2; round += 1) {
          const digest = await client.pushBlob(repository, bytes, algorithm);
          const path = `/v2/${repository}/blobs/${digest}`;
          equal((await client.ask('DELETE', path)).status, 202);
          await assertGone(path, 'BLOB_UNKNOWN', 'NAME_UNKNOWN');
          assertError(await client.ask('DELETE', path), 404, 'BLOB_UNKNOWN', 'NAME_UNKNOWN');
          const kept = await client.ask('GET', `/v2/${other}/blobs/${digest}`);
          deepEqual([kept.status, kept.bytes.equals(bytes)], [200, true]);
        }
      });
    }
  }

  test('T4: a blob that is deleted is not readable again by what was remembered of it', async () => {
    const repository = freshRepository();
    const bytes = randomBytes(100);
    const digest = await client.pushBlob(repository, bytes);
    const path = `/v2/${repository}/blobs/${digest}`;
    for (const method of ['HEAD', 'GET', 'GET'])
      equal((await client.ask(method, path)).status, 200);
    equal((await client.ask('DELETE', path)).status, 202);
    for (const method of ['HEAD', 'GET', 'HEAD'])
      equal((await client.ask(method, path)).status, 404);
    const image = await client.image(repository, {
      layers: [{ mediaType: 'text/plain', digest, size: bytes.length }],
    });
    const answer = await client.ask('PUT', `/v2/${repository}/manifests/v1`, {
      headers: { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
      body: JSON.stringify(image),
    });
    assertError(answer, [400, 404], 'MANIFEST_BLOB_UNKNOWN');
  });

  test('in a repository that is not there it is 404', async () => {
    const path = `/v2/${freshRepository()}/blobs/${digestOf('absent')}`;
    assertError(await client.ask('DELETE', path), 404, 'BLOB_UNKNOWN', 'NAME_UNKNOWN');
  });

  test('a manifest is no blob: it is deleted as a manifest alone', async () => {
    const repository = freshRepository();
    const { digest } = plain(await client.pushManifest(repository, indexOf([])));
    assertError(
      await client.ask('DELETE', `/v2/${repository}/blobs/${digest}`),
      404,
      'BLOB_UNKNOWN',
    );
    equal((await client.ask('GET', `/v2/${repository}/manifests/${digest}`)).status, 200);
  });
});
