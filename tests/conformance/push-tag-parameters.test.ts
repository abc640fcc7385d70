import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
import { index } from '../support/samples/manifest-kinds.ts';
import {
  algorithms,
  assertError,
  freshRepository,
  clientOfFile,
} from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, main branch, "Pushing manifests" with `tag` parameters (end-7b), clause by clause. */
const client = await clientOfFile();

function put(
  repository: string,
  manifest: object,
  digest: string,
  tags: readonly string[],
): Promise<HttpAnswer> {
  const query = tags.map((tag) => `tag=${encodeURIComponent(tag)}`).join('&');
  return client.ask('PUT', `/v2/${repository}/manifests/${digest}?${query}`, {
    headers: { 'Content-Type': (manifest as { mediaType: string }).mediaType },
    body: JSON.stringify(manifest),
  });
}

function tagsOf(answer: HttpAnswer): readonly string[] {
  const header = [answer.headers['oci-tag'] ?? []].flat().join(',');
  return header
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}

async function digestAt(repository: string, reference: string): Promise<string | undefined> {
  const answer = await client.ask('HEAD', `/v2/${repository}/manifests/${reference}`);
  const digest = answer.headers['docker-content-digest'];
  return answer.status === 200 && typeof digest === 'string' ? digest : undefined;
}

suite('Pushing manifests with tag parameters', () => {
  const lists = [
    ['v1'],
    ['3', '3.1', '3.1.4', 'latest'],
    ['_a', 'A.b-C_d', 'x'.repeat(128)],
    Array.from({ length: 10 }, (_, at) => `at-least-ten-${String(at)}`),
  ];
  for (const algorithm of algorithms) {
    for (const tags of lists) {
      test(`the answer has an OCI-Tag "for each accepted tag", and each leads to the digest: ${tags.join(' ').slice(0, 30)}, ${algorithm}`, async () => {
        const repository = freshRepository();
        const manifest = await client.image(repository, {}, algorithm);
        const digest = digestOf(JSON.stringify(manifest), algorithm);
        const answer = await put(repository, manifest, digest, tags);
        deepEqual([answer.status, answer.headers['docker-content-digest']], [201, digest]);
        deepEqual([...tagsOf(answer)].toSorted(), [...tags].toSorted());
        for (const tag of tags) equal(await digestAt(repository, tag), digest);
        const listed = await client.ask('GET', `/v2/${repository}/tags/list`);
        deepEqual((JSON.parse(listed.text) as { tags: string[] }).tags, [...tags].toSorted());
      });
    }

    test(`an index of another algorithm keeps it under its tags: ${algorithm}`, async () => {
      const repository = freshRepository();
      const manifest = await index(client, repository, {}, algorithm);
      const text = JSON.stringify(manifest);
      const digest = digestOf(text, algorithm);
      equal((await put(repository, manifest, digest, ['multi'])).status, 201);
      const answer = await client.ask('GET', `/v2/${repository}/manifests/multi`);
      deepEqual([answer.headers['docker-content-digest'], answer.text], [digest, text]);
    });
  }

  test('the same bytes are under two tags with two algorithms', async () => {
    const repository = freshRepository();
    const manifest = await client.image(repository);
    const text = JSON.stringify(manifest);
    for (const algorithm of algorithms) {
      const digest = digestOf(text, algorithm);
      equal((await put(repository, manifest, digest, [`by-${algorithm}`])).status, 201);
    }
    for (const algorithm of algorithms)
      equal(await digestAt(repository, `by-${algorithm}`), digestOf(text, algorithm));
  });

  test('a tag that is there moves', async () => {
    const repository = freshRepository();
    const old = await client.pushManifest(repository, await client.image(repository), {
      reference: 'v1',
    });
    const young = await client.image(repository);
    const digest = digestOf(JSON.stringify(young));
    deepEqual(tagsOf(await put(repository, young, digest, ['v1', 'v2'])), ['v1', 'v2']);
    deepEqual(
      [await digestAt(repository, 'v1'), await digestAt(repository, 'v2')],
      [digest, digest],
    );
    equal(await digestAt(repository, old.digest), old.digest);
  });

  test('without the parameter there is no OCI-Tag', async () => {
    const repository = freshRepository();
    const { answer } = await client.pushManifest(repository, await client.image(repository));
    equal(answer.headers['oci-tag'], undefined);
  });

  for (const tag of ['.hidden', 'a b', 'x'.repeat(129), 'a,b', 'größe']) {
    test(`a tag that can't be is refused, and nothing is pushed: ${tag.slice(0, 20)}`, async () => {
      const repository = freshRepository();
      const manifest = await client.image(repository);
      const digest = digestOf(JSON.stringify(manifest));
      const answer = await put(repository, manifest, digest, ['fine', tag]);
      assertError(
        answer,
        [400, 404],
        'MANIFEST_INVALID',
        'TAG_INVALID',
        'MANIFEST_UNKNOWN',
        'UNSUPPORTED',
      );
      deepEqual(
        [await digestAt(repository, digest), await digestAt(repository, 'fine')],
        [undefined, undefined],
      );
    });
  }

  test('more tags than are taken at once are refused whole', async () => {
    const repository = freshRepository();
    const manifest = await client.image(repository);
    const digest = digestOf(JSON.stringify(manifest));
    const tags = Array.from({ length: 1000 }, (_, at) => `t${String(at)}`);
    const answer = await put(repository, manifest, digest, tags);
    equal([201, 400, 414, 431].includes(answer.status), true, String(answer.status));
    equal(await digestAt(repository, 't0'), answer.status === 201 ? digest : undefined);
  });
});
