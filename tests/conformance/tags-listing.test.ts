import { deepEqual, equal, ok } from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
import { indexOf } from '../support/samples/manifest-kinds.ts';
import { assertError, freshRepository, clientOfFile } from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Listing Tags", clause by clause; and the catalog, which is no longer in it but in every client. */
const tags = [
  '1',
  '10',
  '2',
  'A',
  'B.1',
  'Z',
  '_',
  '_a',
  'a',
  'a-1',
  'a.1',
  'aB',
  'ab',
  'b',
  'latest',
];
const repository = freshRepository();
const client = await clientOfFile();
before(async () => {
  const query = tags.map((tag) => `tag=${tag}`).join('&');
  const body = JSON.stringify(indexOf([]));
  const path = `/v2/${repository}/manifests/${digestOf(body)}?${query}`;
  const headers = { 'Content-Type': 'application/vnd.oci.image.index.v1+json' };
  equal((await client.ask('PUT', path, { headers, body })).status, 201);
});

const list = `/v2/${repository}/tags/list`;

function tagsIn(answer: HttpAnswer): readonly string[] {
  equal(answer.status, 200, answer.text);
  equal(answer.headers['content-type'], 'application/json');
  const body = JSON.parse(answer.text) as { name: string; tags: string[] };
  equal(body.name, repository);
  return body.tags;
}

function nextOf(answer: HttpAnswer): string | undefined {
  const { link } = answer.headers;
  if (link === undefined) return undefined;
  const target = /^<([^>]+)>; ?rel="?next"?$/.exec(String(link))?.[1];
  ok(target !== undefined, `a Link of RFC 5988: ${String(link)}`);
  return target;
}

const pages: readonly (readonly [name: string, query: string, from: number, to: number])[] = [
  ['"the tags MUST be in lexical … or ASCIIbetical order"', '', 0, 15],
  ['"will return up to <int> tags": the first', '?n=1', 0, 1],
  ['some', '?n=4', 0, 4],
  ['all but one', '?n=14', 0, 14],
  ['exactly all', '?n=15', 0, 15],
  [
    '"MAY return fewer than <int> results, but only when the total number of tags … is less"',
    '?n=16',
    0,
    15,
  ],
  ['more than anyone has', '?n=1000000', 0, 15],
  ['"When n is zero, this endpoint MUST return an empty list"', '?n=0', 0, 0],
  ['"When using the last query parameter, the n parameter is OPTIONAL"', '?last=Z', 6, 15],
  ['"beginning non-inclusively with <tagname>"', '?n=3&last=a', 9, 12],
  ['behind the last one there is nothing', '?last=latest', 15, 15],
  ['behind the last one there is nothing, with n', '?n=5&last=latest', 15, 15],
  ['behind a tag that is not there', '?n=2&last=0', 0, 2],
  ['behind one that would be in between', '?last=ac', 13, 15],
  ['behind one that would be the last', '?n=3&last=zzz', 15, 15],
];

suite('Listing Tags', () => {
  for (const [name, query, from, to] of pages) {
    test(`${name}: ${query === '' ? 'no parameters' : query}`, async () => {
      const answer = await client.ask('GET', list + query);
      deepEqual(tagsIn(answer), tags.slice(from, to));
      const more = to < tags.length && query !== '?n=0';
      equal(answer.headers.link !== undefined, more, String(answer.headers.link));
    });
  }

  for (const n of [1, 2, 4, 7, 15]) {
    test(`"the Link header MUST be set according to RFC5988 with the Relation Type rel="next"": pages of ${String(n)} lead through all`, async () => {
      const found: string[] = [];
      let next: string | undefined = `${list}?n=${String(n)}`;
      for (let page = 0; next !== undefined && page < 20; page += 1) {
        const answer = await client.ask('GET', next);
        found.push(...tagsIn(answer));
        next = nextOf(answer);
      }
      deepEqual(found, tags);
    });
  }

  for (const n of ['-1', 'x', '1.5', '']) {
    test(`n that is no number is 400: ${n}`, async () => {
      assertError(
        await client.ask('GET', `${list}?n=${n}`),
        400,
        'PAGINATION_NUMBER_INVALID',
        'UNSUPPORTED',
      );
    });
  }

  test('HEAD is like GET, without the body', async () => {
    const [get, head] = [await client.ask('GET', list), await client.ask('HEAD', list)];
    deepEqual(
      [head.status, head.headers['content-length'], head.text],
      [200, get.headers['content-length'], ''],
    );
  });

  test('a repository that is not there is 404 NAME_UNKNOWN', async () => {
    const path = `/v2/${freshRepository()}/tags/list`;
    assertError(await client.ask('GET', path), 404, 'NAME_UNKNOWN');
  });

  test('"The list of tags MAY be empty if there are no tags on the repository"', async () => {
    const other = freshRepository();
    await client.pushManifest(other, indexOf([]));
    const answer = await client.ask('GET', `/v2/${other}/tags/list`);
    deepEqual([answer.status, JSON.parse(answer.text)], [200, { name: other, tags: [] }]);
  });

  test('a tag is listed from its push until its deletion, in its place', async () => {
    const other = freshRepository();
    const listed = async (): Promise<unknown> =>
      (JSON.parse((await client.ask('GET', `/v2/${other}/tags/list`)).text) as { tags: unknown })
        .tags;
    for (const reference of ['b', 'c', 'a'])
      await client.pushManifest(other, indexOf([]), { reference });
    deepEqual(await listed(), ['a', 'b', 'c']);
    equal((await client.ask('DELETE', `/v2/${other}/manifests/b`)).status, 202);
    deepEqual(await listed(), ['a', 'c']);
  });
});

suite('Catalog', () => {
  const names = ['catalog/a', 'catalog/a-b', 'catalog/a/b', 'catalog/b'];
  before(async () => {
    for (const name of names) await client.pushManifest(name, indexOf([]));
  });

  async function catalog(query: string): Promise<readonly [readonly string[], string | undefined]> {
    const answer = await client.ask('GET', `/v2/_catalog${query}`);
    equal(answer.status, 200, answer.text);
    const { repositories } = JSON.parse(answer.text) as { repositories: string[] };
    return [repositories, nextOf(answer)];
  }

  test('repositories are in byte order', async () => {
    const [all, next] = await catalog('');
    equal(next, undefined);
    deepEqual([...all], [...all].toSorted());
    deepEqual(
      all.filter((name) => name.startsWith('catalog/')),
      ['catalog/a', 'catalog/a-b', 'catalog/a/b', 'catalog/b'],
    );
  });

  test('n and last give a page, and Link the next one', async () => {
    const [first, next] = await catalog('?n=2&last=catalog');
    deepEqual(first, names.slice(0, 2));
    const [second, after] = await catalog(`?${next?.split('?')[1] ?? ''}`);
    deepEqual(second, names.slice(2));
    ok(after === undefined || (await catalog(`?${after.split('?')[1] ?? ''}`))[0].length >= 0);
  });

  test('zero is an empty page without a Link', async () => {
    deepEqual(await catalog('?n=0'), [[], undefined]);
  });
});
