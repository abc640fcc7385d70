import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import { startPullServer } from '../support/rigs/pull-server.ts';
import type { PullServer } from '../support/rigs/pull-server.ts';

/** Content discovery of distribution-spec 1.1: "Listing Tags" and "Listing Referrers". */
const repository = 'docker.io/library/nginx';

async function tagged(): Promise<PullServer> {
  const server = await startPullServer();
  for (const tag of ['test2', 'Test0', '_x', 'test0', 'test1', '10', '9']) {
    server.cache.addManifest(repository, tag, mediaTypes.ociManifest, tag);
  }
  return server;
}

const lexical = ['10', '9', 'Test0', '_x', 'test0', 'test1', 'test2'];

suite('Listing Tags', () => {
  const rows: readonly (readonly [query: string, tags: readonly string[], more: boolean])[] = [
    ['', lexical, false],
    ['?n=3', lexical.slice(0, 3), true],
    ['?n=3&last=Test0', lexical.slice(3, 6), true],
    ['?n=3&last=test1', lexical.slice(6), false],
    ['?last=test0', lexical.slice(5), false],
    ['?last=absent', lexical.slice(4), false],
    ['?n=0', [], false],
    ['?n=7', lexical, false],
    ['?n=100000', lexical, false],
    ['?last=zzz', [], false],
  ];
  for (const [query, tags, more] of rows) {
    test(`tags/list${query} is in lexical order and ${more ? 'leads on' : 'is the end'}`, async () => {
      await using server = await tagged();
      const answer = await server.ask(`/v2/${repository}/tags/list${query}`);
      equal(answer.status, 200);
      equal(answer.headers['content-type'], 'application/json');
      deepEqual(JSON.parse(answer.text), { name: repository, tags });
      equal(answer.headers.link !== undefined, more);
    });
  }

  test('T18: one request asks the cache once, for no more than the page', async () => {
    await using server = await tagged();
    await server.ask(`/v2/${repository}/tags/list?n=2&last=10`);
    deepEqual(server.cache.calls, [`tags ${repository} n=2 last=10`]);
  });
});

suite('Listing Referrers', () => {
  test('the answer is an index that says what was filtered', async () => {
    await using server = await tagged();
    const subject = server.cache.addManifest(
      repository,
      'subject',
      mediaTypes.ociManifest,
      'subject',
    );
    const sbom = server.cache.addManifest(repository, undefined, mediaTypes.ociManifest, 'sbom');
    const descriptor = {
      mediaType: mediaTypes.ociManifest,
      digest: sbom,
      size: 4,
      artifactType: 'application/spdx+json',
      annotations: { by: 'test' },
    };
    server.cache.addReferrer(repository, subject, descriptor);
    const ask = async (query: string): Promise<readonly [unknown, unknown]> => {
      const answer = await server.ask(`/v2/${repository}/referrers/${subject}${query}`);
      equal(answer.status, 200);
      equal(answer.headers['content-type'], mediaTypes.ociIndex);
      return [
        (JSON.parse(answer.text) as { manifests: unknown }).manifests,
        answer.headers['oci-filters-applied'],
      ];
    };
    deepEqual(await ask(''), [[descriptor], undefined]);
    deepEqual(await ask('?artifactType=application%2Fspdx%2Bjson'), [[descriptor], 'artifactType']);
    deepEqual(await ask('?artifactType=application/other'), [[], 'artifactType']);
  });

  test('an invalid digest is 400', async () => {
    await using server = await tagged();
    equal((await server.ask(`/v2/${repository}/referrers/latest`)).status, 400);
  });
});
