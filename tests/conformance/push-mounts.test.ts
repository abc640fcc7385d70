import { deepEqual, equal } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
import {
  algorithms,
  assertError,
  assertPullable,
  freshRepository,
  locationOf,
  clientOfFile,
  withQuery,
} from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Mounting a blob from another repository", clause by clause. */
const client = await clientOfFile();

function mount(repository: string, digest: string, from?: string): Promise<HttpAnswer> {
  const parameters = { mount: digest, ...(from === undefined ? {} : { from }) };
  return client.ask('POST', withQuery(`/v2/${repository}/blobs/uploads/`, parameters));
}

suite('Mounting a blob from another repository', () => {
  for (const algorithm of algorithms) {
    for (const named of [true, false]) {
      test(`"The response to a successful mount MUST be 201 Created, and MUST contain … Location": ${named ? 'from a repository' : '"The registry MAY treat the from parameter as optional"'}, ${algorithm}`, async () => {
        const [source, target] = [freshRepository(), freshRepository()];
        const bytes = randomBytes(512);
        const digest = await client.pushBlob(source, bytes, algorithm);
        const answer = await mount(target, digest, named ? source : undefined);
        deepEqual([answer.status, answer.headers['docker-content-digest']], [201, digest]);
        equal(locationOf(answer).includes(target), true);
        await assertPullable(client, answer, bytes, digest);
      });
    }

    test(`"is unable to mount the requested blob, it SHOULD return a 202 … the upload session has begun": ${algorithm}`, async () => {
      const [source, target] = [freshRepository(), freshRepository()];
      await client.pushBlob(source, 'so that it is there');
      const bytes = randomBytes(512);
      const digest = digestOf(bytes, algorithm);
      const froms: readonly (string | undefined)[] = [source, 'conformance/absent', undefined];
      for (const from of froms) {
        const answer = await mount(target, digest, from);
        equal(answer.status, 202);
        equal((await client.ask('HEAD', `/v2/${target}/blobs/${digest}`)).status, 404);
        equal((await client.ask('DELETE', locationOf(answer))).status, 204);
      }
      const begun = locationOf(await mount(target, digest, source));
      const answer = await client.ask('PUT', withQuery(begun, { digest }), { body: bytes });
      equal(answer.status, 201);
      await assertPullable(client, answer, bytes, digest);
    });
  }

  test('a mounted blob does for a manifest', async () => {
    const [source, target] = [freshRepository(), freshRepository()];
    const image = (await client.image(source)) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    for (const { digest } of [image.config, ...image.layers]) {
      equal((await mount(target, digest, source)).status, 201);
    }
    const { answer } = await client.pushManifest(target, image, { reference: 'v1' });
    equal(answer.status, 201);
  });

  test('what is mounted outlives its deletion in the source, and the other way round', async () => {
    const [source, target] = [freshRepository(), freshRepository()];
    const digest = await client.pushBlob(source, randomBytes(64));
    equal((await mount(target, digest, source)).status, 201);
    equal((await client.ask('DELETE', `/v2/${source}/blobs/${digest}`)).status, 202);
    equal((await client.ask('HEAD', `/v2/${source}/blobs/${digest}`)).status, 404);
    equal((await client.ask('HEAD', `/v2/${target}/blobs/${digest}`)).status, 200);
    equal((await mount(source, digest, target)).status, 201);
    equal((await client.ask('DELETE', `/v2/${target}/blobs/${digest}`)).status, 202);
    equal((await client.ask('HEAD', `/v2/${source}/blobs/${digest}`)).status, 200);
  });

  test('a blob of the repository itself is mounted', async () => {
    const repository = freshRepository();
    const digest = await client.pushBlob(repository, randomBytes(64));
    equal((await mount(repository, digest, repository)).status, 201);
  });

  for (const digest of ['sha256:baddigeststring', `md5:${'0'.repeat(32)}`, 'latest']) {
    test(`a digest that is none is 400: ${digest}`, async () => {
      assertError(await mount(freshRepository(), digest), 400, 'DIGEST_INVALID');
    });
  }
});
