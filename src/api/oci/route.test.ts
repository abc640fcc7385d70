import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { formatRoute, lookupName, parseRoute } from './route.ts';
import type { ContentRoute, RepositoryRoute, Route } from './route.ts';

const digest = `sha256:${'a'.repeat(64)}` as Digest;
const long = (length: number): string => 'a'.repeat(length);

suite('3. The path is decoded once and read from both ends', () => {
  const good: readonly (readonly [
    name: string,
    path: string,
    query: string,
    looked: string,
    kind: string,
  ])[] = [
    ['a tag', '/v2/library/nginx/manifests/1.27', '', 'library/nginx', 'manifest'],
    [
      'a digest',
      `/v2/docker.io/library/nginx/manifests/${digest}`,
      '',
      'docker.io/library/nginx',
      'manifest',
    ],
    [
      'a digest with an encoded colon',
      `/v2/a/manifests/${digest.replace(':', '%3A')}`,
      '',
      'a',
      'manifest',
    ],
    ['a blob', `/v2/a/b/c/d/blobs/${digest}`, '', 'a/b/c/d', 'blob'],
    [
      'a name that holds verbs',
      '/v2/manifests/blobs/tags/manifests/latest',
      '',
      'manifests/blobs/tags',
      'manifest',
    ],
    ['a name that ends in v2', '/v2/app/v2/manifests/latest', '', 'app/v2', 'manifest'],
    [
      'a prefix before /v2',
      '/docker.io/v2/library/nginx/manifests/latest',
      '',
      'docker.io/library/nginx',
      'manifest',
    ],
    [
      'a prefix of two parts before /v2',
      '/team/hub/v2/nginx/tags/list',
      '',
      'team/hub/nginx',
      'tags',
    ],
    [
      'a host with its port',
      '/v2/docker.io:443/library/nginx/tags/list',
      '',
      'docker.io:443/library/nginx',
      'tags',
    ],
    ['an encoded dot', '/v2/a%2Eb/manifests/latest', '', 'a.b', 'manifest'],
    ['a name of 255 characters', `/v2/${long(255)}/manifests/latest`, '', long(255), 'manifest'],
    [
      'referrers',
      `/v2/a/referrers/${digest}`,
      'artifactType=application/x%2Bjson',
      'a',
      'referrers',
    ],
  ];
  for (const [name, path, query, looked, kind] of good) {
    test(`${name} is read`, () => {
      const route = parseRoute(path, query) as ContentRoute;
      equal(route.kind, kind);
      equal(lookupName(route), looked);
    });
  }

  const bad: readonly (readonly [name: string, path: string, query: string, code: string])[] = [
    ['an encoded slash', '/v2/a%2Fb/manifests/latest', '', 'requestInvalid'],
    ['an encoded NUL', '/v2/a%00/manifests/latest', '', 'requestInvalid'],
    ['half an escape', '/v2/a%2/manifests/latest', '', 'requestInvalid'],
    ['bytes that are no UTF-8', '/v2/a%FF/manifests/latest', '', 'requestInvalid'],
    ['an encoding of an encoded slash', '/v2/a%252Fb/manifests/latest', '', 'nameInvalid'],
    ['upper case', '/v2/Library/nginx/manifests/latest', '', 'nameInvalid'],
    ['a name of 256 characters', `/v2/${long(256)}/manifests/latest`, '', 'nameInvalid'],
    ['an empty component', '/v2/a//b/manifests/latest', '', 'nameInvalid'],
    ['parent folders', '/v2/../../etc/manifests/latest', '', 'nameInvalid'],
    ['a short digest', '/v2/a/blobs/sha256:abc', '', 'digestInvalid'],
    ['an upper-case digest', `/v2/a/blobs/sha256:${'A'.repeat(64)}`, '', 'digestInvalid'],
    ['another algorithm', `/v2/a/manifests/md5:${'a'.repeat(32)}`, '', 'digestInvalid'],
    ['a tag as a blob', '/v2/a/blobs/latest', '', 'digestInvalid'],
    ['an impossible tag', '/v2/a/manifests/.INVALID_MANIFEST_NAME', '', 'tagInvalid'],
    ['a tag of 129 characters', `/v2/a/manifests/${long(129)}`, '', 'tagInvalid'],
    ['an n that is negative', '/v2/a/tags/list', 'n=-1', 'paginationInvalid'],
    ['an n that is no number', '/v2/a/tags/list', 'n=ten', 'paginationInvalid'],
    ['an empty n', '/v2/a/tags/list', 'n=', 'paginationInvalid'],
    ['a last of 129 characters', '/v2/a/tags/list', `last=${long(129)}`, 'paginationInvalid'],
    ['two namespaces', '/v2/a/tags/list', 'ns=docker.io&ns=quay.io', 'requestInvalid'],
    ['a verb without a name', '/v2/manifests/latest', '', 'routeUnknown'],
    ['another verb', '/v2/a/layers/latest', '', 'routeUnknown'],
    ['an upload without a name', '/v2/blobs/uploads/', '', 'routeUnknown'],
    [
      'a digest that is none, of an upload',
      '/v2/a/blobs/uploads/x',
      'digest=md5:1',
      'digestInvalid',
    ],
    ['a mount of no digest', '/v2/a/blobs/uploads/', 'mount=latest', 'digestInvalid'],
    ['a mount from no repository', '/v2/a/blobs/uploads/', 'from=A%2F', 'nameInvalid'],
    ['an unknown algorithm', '/v2/a/blobs/uploads/', 'digest-algorithm=md5', 'digestInvalid'],
    ['a tag parameter that is no tag', `/v2/a/manifests/${digest}`, 'tag=ok&tag=a/b', 'tagInvalid'],
    [
      '101 tags in one push',
      `/v2/a/manifests/${digest}`,
      Array.from({ length: 101 }, (_, i) => `tag=t${i}`).join('&'),
      'requestInvalid',
    ],
    ['no registry path', '/favicon.ico', '', 'routeUnknown'],
  ];
  for (const [name, path, query, code] of bad) {
    test(`${name} is ${code}`, () => {
      throws(
        () => parseRoute(path, query),
        (error) => error instanceof RegistryError && error.code === code,
      );
    });
  }

  test('n is bounded, and zero is zero', () => {
    const page = (n: string): unknown =>
      (parseRoute('/v2/a/tags/list', `n=${n}`) as { n: number }).n;
    deepEqual(
      ['0', '1', '10000', '10001', '9'.repeat(40)].map(page),
      [0, 1, 10_000, 10_000, 10_000],
    );
  });

  test('a plus that was not encoded is part of an artifact type', () => {
    const route = parseRoute(`/v2/a/referrers/${digest}`, 'artifactType=application/x+json') as {
      artifactType: string;
    };
    equal(route.artifactType, 'application/x+json');
  });

  test('a namespace is sent back in lower case and without the default port', () => {
    const route = parseRoute('/v2/a/tags/list', 'ns=QUAY.io%3A443') as ContentRoute;
    equal(route.ns, 'quay.io');
  });

  const uploads: readonly (readonly [path: string, kind: string, name: string])[] = [
    ['/v2/a/b/blobs/uploads/', 'uploads', 'a/b'],
    ['/v2/a/b/blobs/uploads', 'uploads', 'a/b'],
    ['/v2/blobs/uploads/blobs/uploads/', 'uploads', 'blobs/uploads'],
    ['/v2/a/blobs/uploads/5a0e', 'upload', 'a'],
    ['/v2/a/blobs/uploads/manifests/latest', 'manifest', 'a/blobs/uploads'],
    ['/docker.io/v2/a/blobs/uploads/', 'uploads', 'a'],
  ];
  for (const [path, kind, name] of uploads) {
    test(`${path} is ${kind} of ${name}`, () => {
      const route = parseRoute(path, '') as RepositoryRoute;
      deepEqual([route.kind, route.name], [kind, name]);
    });
  }

  test('tags of a push come in their order, none twice', () => {
    const route = parseRoute(`/v2/a/manifests/${digest}`, 'tag=b&tag=a&x=1&tag=b') as {
      tags: readonly string[];
    };
    deepEqual(route.tags, ['b', 'a']);
  });

  test('whatever is asked, nothing but a RegistryError is thrown', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'v2',
        '',
        'manifests',
        'blobs',
        'tags',
        'list',
        'referrers',
        '%',
        '%2F',
        '%00',
        '%zz',
        digest,
        '..',
        '?',
        '#',
      ),
      fc.string({ unit: 'binary', maxLength: 12 }),
    );
    const path = fc.array(piece, { maxLength: 9 }).map((pieces) => `/${pieces.join('/')}`);
    const query = fc
      .array(
        fc.tuple(fc.constantFrom('n', 'ns', 'last', 'artifactType', '__proto__', '%'), piece),
        { maxLength: 4 },
      )
      .map((pairs) => pairs.map(([key, value]) => `${key}=${value}`).join('&'));
    fc.assert(
      fc.property(path, query, (p, q) => {
        try {
          parseRoute(p, q);
        } catch (error) {
          ok(error instanceof RegistryError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a route that is written is read as the same route', () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?$/);
    const name = fc
      .array(component, { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/'));
    const before = fc.oneof(
      fc.constant(''),
      name.filter((text) => !text.split('/').includes('v2')),
    );
    const ns = fc.oneof(
      fc.constant(undefined),
      fc.constantFrom('docker.io', 'quay.io:8443', '[::1]:5000', ''),
    );
    const asked = { before, name, ns };
    const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/);
    const route: fc.Arbitrary<Route> = fc.oneof(
      fc.record({
        ...asked,
        kind: fc.constant('manifest' as const),
        reference: tag.map((text) => ({ kind: 'tag' as const, tag: text as Tag })),
        tags: fc.uniqueArray(tag, { maxLength: 3 }).map((texts) => texts as Tag[]),
      }),
      fc.record({ ...asked, kind: fc.constant('blob' as const), digest: fc.constant(digest) }),
      fc.record({
        ...asked,
        kind: fc.constant('tags' as const),
        n: fc.option(fc.nat(10_000), { nil: undefined }),
        last: fc.oneof(
          fc.constant(''),
          tag,
          fc.string({ maxLength: 9 }).filter((text) => !text.includes('\0')),
        ),
      }),
      fc.record({
        ...asked,
        kind: fc.constant('referrers' as const),
        digest: fc.constant(digest),
        artifactType: fc.option(fc.constantFrom('a/b+c', 'x/y;z=1'), { nil: undefined }),
        last: fc.constant(undefined),
      }),
      fc.record({
        ...asked,
        kind: fc.constant('uploads' as const),
        digest: fc.option(fc.constant(digest), { nil: undefined }),
        mount: fc.option(fc.constant(digest), { nil: undefined }),
        from: fc.option(
          name.map((text) => text as RepositoryName),
          { nil: undefined },
        ),
        algorithm: fc.constantFrom('sha256' as const, 'sha512' as const),
      }),
      fc.record({
        ...asked,
        kind: fc.constant('upload' as const),
        id: fc.uuid(),
        digest: fc.option(fc.constant(digest), { nil: undefined }),
      }),
      fc.record({
        kind: fc.constant('catalog' as const),
        n: fc.option(fc.nat(10_000), { nil: undefined }),
        last: fc.oneof(fc.constant(''), name),
      }),
      fc.record({ kind: fc.constant('base' as const), before, ns }),
    );
    fc.assert(
      fc.property(route, (each) => {
        const [path = '', query = ''] = formatRoute(each).split('?');
        deepEqual(parseRoute(path, query), { ...each });
      }),
      { numRuns: 1000 },
    );
  });
});
