import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { exchange } from '../../../tests/support/clients/http-exchange.ts';
import { ruleFor, startPullServer } from '../../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../../tests/support/rigs/pull-server.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { FailureKind } from '../../domain/upstream-failure.ts';

const nginx = 'docker.io/library/nginx';
const bytes = new Uint8Array(300_000).map((_, index) => (index * 7) % 251);
const text = '{ "schemaVersion": 2,\n "annotations": {"name": "né"} }';

async function prepared(): Promise<
  { server: PullServer; manifest: Digest; blob: Digest } & AsyncDisposable
> {
  const server = await startPullServer();
  const manifest = server.cache.addManifest(nginx, 'latest', mediaTypes.dockerList, text);
  const blob = server.cache.addBlob(nginx, bytes);
  return { server, manifest, blob, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

suite('14. What the client has already is not sent again', () => {
  const rows: readonly (readonly [
    name: string,
    header: (digest: string) => string,
    status: number,
  ])[] = [
    ['the digest in quotes', (digest) => `"${digest}"`, 304],
    ['the digest bare', (digest) => digest, 304],
    ['a weak tag', (digest) => `W/"${digest}"`, 304],
    ['a list', (digest) => `"x", W/"y" , "${digest}"`, 304],
    ['anything', () => '*', 304],
    ['another digest', () => `"sha256:${'0'.repeat(64)}"`, 200],
    ['noise', () => ',",W/,"', 200],
  ];
  for (const [name, header, status] of rows) {
    test(`If-None-Match with ${name} is ${status}`, async () => {
      await using p = await prepared();
      for (const [path, digest] of [
        [`manifests/latest`, p.manifest],
        [`blobs/${p.blob}`, p.blob],
      ] as const) {
        const answer = await p.server.ask(`/v2/${nginx}/${path}`, {
          headers: { 'If-None-Match': header(digest) },
        });
        equal(answer.status, status);
        deepEqual(
          [answer.headers.etag, answer.headers['docker-content-digest']],
          [`"${digest}"`, digest],
        );
        if (status === 304) equal(answer.bytes.length, 0);
      }
      equal(p.server.cache.readers.opened, status === 304 ? 0 : 1);
    });
  }
});

suite('15. A manifest goes out under its own type', () => {
  for (const accept of [undefined, '*/*', mediaTypes.ociManifest, 'text/html', '']) {
    test(`T15: Accept ${JSON.stringify(accept)} gets the exact bytes and their own type`, async () => {
      await using p = await prepared();
      for (const reference of ['latest', p.manifest]) {
        const answer = await p.server.ask(
          `/v2/${nginx}/manifests/${reference}`,
          accept === undefined ? {} : { headers: { Accept: accept } },
        );
        deepEqual(
          [answer.status, answer.headers['content-type'], answer.text],
          [200, mediaTypes.dockerList, text],
        );
        equal(answer.headers['docker-content-digest'], p.manifest);
        equal(answer.headers['cache-status'], 'Breakwater; hit');
        equal(answer.headers['x-content-type-options'], 'nosniff');
      }
    });
  }

  test('a type that a browser would render has no rights on this origin', async () => {
    await using p = await prepared();
    p.server.cache.addManifest(nginx, 'page', 'text/html', '<script>');
    const answer = await p.server.ask(`/v2/${nginx}/manifests/page`);
    deepEqual(
      [answer.headers['content-type'], answer.headers['content-security-policy']],
      ['text/html', 'sandbox'],
    );
  });
});

suite('16. One range is served to the byte', () => {
  const size = bytes.length;
  const rows: readonly (readonly [range: string, status: number, start: number, end: number])[] = [
    ['bytes=0-', 206, 0, size - 1],
    ['bytes=0-0', 206, 0, 0],
    ['bytes=100-199', 206, 100, 199],
    [`bytes=${size - 1}-`, 206, size - 1, size - 1],
    ['bytes=-1', 206, size - 1, size - 1],
    [`bytes=-${size * 2}`, 206, 0, size - 1],
    ['bytes=5-99999999999999999999', 206, 5, size - 1],
    [`bytes=${size}-`, 416, 0, 0],
    ['bytes=99999999999999999999-', 416, 0, 0],
    ['bytes=-0', 416, 0, 0],
    ['bytes=0-1,5-6', 200, 0, size - 1],
    ['bytes=9-1', 416, 0, -1],
    ['bytes=x', 200, 0, size - 1],
    ['lines=1-2', 200, 0, size - 1],
  ];
  for (const [range, status, start, end] of rows) {
    test(`T36: ${range} of a blob is ${status}`, async () => {
      await using p = await prepared();
      const answer = await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`, {
        headers: { Range: range },
      });
      equal(answer.status, status);
      equal(
        answer.headers['content-range'],
        status === 206
          ? `bytes ${start}-${end}/${size}`
          : status === 416
            ? `bytes */${size}`
            : undefined,
      );
      equal(answer.headers['accept-ranges'], 'bytes');
      const expected =
        status === 416 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(start, end + 1));
      ok(answer.bytes.equals(expected));
      equal(answer.headers['content-length'], String(expected.length));
      deepEqual(p.server.cache.readers, {
        opened: status === 416 ? 0 : 1,
        closed: status === 416 ? 0 : 1,
      });
    });
  }

  test('T36: bytes=0- of a manifest is 206 with its whole range', async () => {
    await using p = await prepared();
    const length = Buffer.byteLength(text);
    const answer = await p.server.ask(`/v2/${nginx}/manifests/latest`, {
      headers: { Range: 'bytes=0-' },
    });
    deepEqual(
      [answer.status, answer.text, answer.headers['content-range']],
      [206, text, `bytes 0-${length - 1}/${length}`],
    );
    const beyond = await p.server.ask(`/v2/${nginx}/manifests/latest`, {
      headers: { Range: `bytes=${length}-` },
    });
    deepEqual([beyond.status, beyond.headers['content-range']], [416, `bytes */${length}`]);
  });

  for (const [name, value, status] of [
    ['these bytes', (d: string) => `"${d}"`, 206],
    ['other bytes', () => '"x"', 200],
    ['a weak tag', (d: string) => `W/"${d}"`, 200],
    ['a date', () => 'Sat, 21 Nov 2026 09:00:00 GMT', 200],
  ] as const) {
    test(`an If-Range that names ${name} is ${status}`, async () => {
      await using p = await prepared();
      const answer = await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`, {
        headers: { Range: 'bytes=1-2', 'If-Range': value(p.blob) },
      });
      equal(answer.status, status);
    });
  }

  const unknown: readonly (readonly [range: string | undefined, status: number])[] = [
    [undefined, 200],
    ['bytes=0-', 200],
    ['bytes=5-', 503],
    ['bytes=-5', 503],
  ];
  for (const [range, status] of unknown) {
    test(`of a size not known yet ${range ?? 'the whole'} is ${status}`, async () => {
      await using p = await prepared();
      p.server.cache.sizeUnknown = true;
      const answer = await p.server.ask(
        `/v2/${nginx}/blobs/${p.blob}`,
        range === undefined ? {} : { headers: { Range: range } },
      );
      equal(answer.status, status);
      equal(answer.headers['accept-ranges'], undefined);
      if (status === 200) {
        deepEqual(
          [answer.headers['transfer-encoding'], answer.headers['content-length']],
          ['chunked', undefined],
        );
        ok(answer.complete && answer.bytes.equals(Buffer.from(bytes)));
      } else equal(answer.headers['retry-after'], '1');
    });
  }

  test('an empty blob is whole from its beginning', async () => {
    await using p = await prepared();
    const empty = p.server.cache.addBlob(nginx, new Uint8Array());
    const answer = await p.server.ask(`/v2/${nginx}/blobs/${empty}`, {
      headers: { Range: 'bytes=0-' },
    });
    deepEqual([answer.status, answer.headers['content-length'], answer.complete], [200, '0', true]);
  });
});

suite('17. HEAD says what GET would', () => {
  test('T16: status and headers are those of GET, and nothing is opened', async () => {
    await using p = await prepared();
    const missing = `sha256:${'0'.repeat(64)}`;
    const paths = [
      '/',
      '/v2/',
      `/v2/${nginx}/manifests/latest`,
      `/v2/${nginx}/manifests/${p.manifest}`,
      `/v2/${nginx}/manifests/none`,
      `/v2/${nginx}/blobs/${p.blob}`,
      `/v2/${nginx}/blobs/${missing}`,
      `/v2/${nginx}/tags/list?n=1`,
      `/v2/${nginx}/referrers/${p.manifest}`,
      '/v2/_catalog',
      '/v2/A/manifests/x',
    ];
    for (const path of paths) {
      const get = await p.server.ask(path);
      const opened = p.server.cache.readers.opened;
      const head = await p.server.ask(path, { method: 'HEAD' });
      const plain = ({ date: _date, 'x-request-id': _id, ...rest }: typeof get.headers): object =>
        rest;
      deepEqual([head.status, plain(head.headers)], [get.status, plain(get.headers)], path);
      equal(head.bytes.length, 0);
      equal(p.server.cache.readers.opened, opened);
    }
  });

  test('a HEAD asks the cache for a HEAD', async () => {
    await using p = await prepared();
    await p.server.ask(`/v2/${nginx}/manifests/latest`, { method: 'HEAD' });
    await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`, { method: 'HEAD' });
    deepEqual(p.server.cache.calls, [
      `manifest HEAD ${nginx} latest`,
      `blob HEAD ${nginx} ${p.blob}`,
    ]);
  });

  test('a HEAD of a blob whose size nobody knows says none', async () => {
    await using p = await prepared();
    p.server.cache.sizeUnknown = true;
    const head = await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`, { method: 'HEAD' });
    deepEqual([head.status, head.headers['content-length']], [200, undefined]);
  });
});

suite('18. Lists lead on in the form in which they were asked', () => {
  const forms: readonly (readonly [path: string, query: string, name: string, link: string])[] = [
    [
      '/v2/docker.io/library/nginx',
      '',
      'docker.io/library/nginx',
      '/v2/docker.io/library/nginx/tags/list?n=2&last=b',
    ],
    [
      '/docker.io/v2/library/nginx',
      '',
      'library/nginx',
      '/docker.io/v2/library/nginx/tags/list?n=2&last=b',
    ],
    ['/v2/nginx', '&ns=docker.io', 'nginx', '/v2/nginx/tags/list?ns=docker.io&n=2&last=b'],
  ];
  for (const [path, query, name, link] of forms) {
    test(`T18: pages of ${path}/tags/list?n=2${query} lead to the end`, async () => {
      await using server = await startPullServer();
      for (const tag of ['c', 'a', 'b', 'e', 'd'])
        server.cache.addManifest(nginx, tag, mediaTypes.ociManifest, tag);
      const seen: string[] = [];
      let next: string | undefined = `${path}/tags/list?n=2${query}`;
      const links: string[] = [];
      while (next !== undefined) {
        const answer = await server.ask(next);
        equal(answer.status, 200);
        const page = JSON.parse(answer.text) as { name: string; tags: string[] };
        equal(page.name, name);
        seen.push(...page.tags);
        next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link))?.[1];
        if (next !== undefined) links.push(next);
      }
      deepEqual(seen, ['a', 'b', 'c', 'd', 'e']);
      equal(links[0], link);
    });
  }

  test('n=0 is an empty page that leads nowhere', async () => {
    await using p = await prepared();
    const answer = await p.server.ask(`/v2/${nginx}/tags/list?n=0`);
    deepEqual(
      [answer.status, answer.text, answer.headers.link],
      [200, `{"name":"${nginx}","tags":[]}\n`, undefined],
    );
  });

  test('referrers are an index, filtered where it is asked', async () => {
    await using p = await prepared();
    const one = {
      mediaType: mediaTypes.ociManifest,
      digest: p.blob,
      size: 3,
      artifactType: 'application/sbom',
      annotations: { a: 'b' },
    };
    const other = {
      mediaType: mediaTypes.ociManifest,
      digest: p.manifest,
      size: 4,
      artifactType: 'application/sig+json',
    };
    p.server.cache.addReferrer(nginx, p.manifest, one);
    p.server.cache.addReferrer(nginx, p.manifest, other);
    const all = await p.server.ask(`/v2/${nginx}/referrers/${p.manifest}`);
    deepEqual(
      [all.status, all.headers['content-type'], all.headers['oci-filters-applied']],
      [200, mediaTypes.ociIndex, undefined],
    );
    const index = JSON.parse(all.text) as {
      schemaVersion: number;
      mediaType: string;
      manifests: object[];
    };
    deepEqual(
      [index.schemaVersion, index.mediaType, index.manifests.length],
      [2, mediaTypes.ociIndex, 2],
    );
    const some = await p.server.ask(
      `/v2/${nginx}/referrers/${p.manifest}?artifactType=application/sig%2Bjson`,
    );
    equal(some.headers['oci-filters-applied'], 'artifactType');
    deepEqual((JSON.parse(some.text) as { manifests: object[] }).manifests, [other]);
  });

  test('a subject without referrers is an empty index, not 404', async () => {
    await using p = await prepared();
    const answer = await p.server.ask(`/v2/${nginx}/referrers/sha256:${'0'.repeat(64)}`);
    deepEqual(
      [answer.status, (JSON.parse(answer.text) as { manifests: object[] }).manifests],
      [200, []],
    );
  });

  test('more referrers than a manifest may hold come in pages', async () => {
    await using p = await prepared();
    const annotations = { text: 'x'.repeat(500_000) };
    const digests = Array.from(
      { length: 20 },
      (_, index) => `sha256:${String(index).padStart(64, '0')}` as Digest,
    );
    for (const digest of digests)
      p.server.cache.addReferrer(nginx, p.manifest, {
        mediaType: mediaTypes.ociManifest,
        digest,
        size: 1,
        annotations,
      });
    const seen: string[] = [];
    let next: string | undefined = `/v2/nginx/referrers/${p.manifest}?ns=docker.io`;
    let pages = 0;
    while (next !== undefined) {
      const answer = await p.server.ask(next);
      ok(answer.bytes.length <= 4 * 1024 * 1024);
      seen.push(
        ...(JSON.parse(answer.text) as { manifests: { digest: string }[] }).manifests.map(
          ({ digest }) => digest,
        ),
      );
      next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link))?.[1];
      pages += 1;
    }
    deepEqual(seen, digests);
    ok(pages > 1);
  });
});

suite('19. A body that breaks never looks complete', () => {
  test('T11: after the first byte the connection ends short of Content-Length', async () => {
    await using p = await prepared();
    p.server.cache.breakAfter = 150_000;
    const answer = await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`);
    deepEqual(
      [answer.status, answer.headers['content-length'], answer.complete],
      [200, String(bytes.length), false],
    );
    ok(answer.bytes.length <= 150_000);
    equal(p.server.served[0]?.complete, false);
    deepEqual(p.server.cache.readers, { opened: 1, closed: 1 });
  });

  test('T11: neither does a chunked one', async () => {
    await using p = await prepared();
    p.server.cache.breakAfter = 150_000;
    p.server.cache.sizeUnknown = true;
    equal((await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`)).complete, false);
  });

  test('before the first byte it is an error body', async () => {
    await using p = await prepared();
    p.server.cache.breakAfter = 0;
    const answer = await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`);
    deepEqual([answer.status, answer.complete], [500, true]);
    match(answer.text, /"code":"UNKNOWN"/);
  });

  const failures: readonly (readonly [kind: FailureKind, status: number])[] = [
    ['invalid', 502],
    ['network', 503],
    ['timeout', 504],
    ['rateLimited', 429],
  ];
  for (const [kind, status] of failures) {
    test(`before the first byte what upstream failed with (${kind}) is told as that`, async () => {
      await using p = await prepared();
      p.server.cache.breakAfter = 0;
      const told = { kind, reason: 'wrongDigest', upstream: 'up' } as const;
      p.server.cache.breakWith = new UpstreamFailure('wrong bytes came', told);
      const answer = await p.server.ask(`/v2/${nginx}/blobs/${p.blob}`);
      deepEqual([answer.status, answer.complete], [status, true]);
      match(answer.text, /"cause":"wrongDigest"/);
    });
  }

  test('T36: one span of a body that breaks is cut too', async () => {
    await using p = await prepared();
    p.server.cache.breakAfter = 150_000;
    const answer = await exchange(p.server.port, `/v2/${nginx}/blobs/${p.blob}`, {
      headers: { Range: 'bytes=10-' },
    });
    deepEqual([answer.status, answer.complete], [206, false]);
  });
});

suite('what the log is told', () => {
  test('a pull names its rule, repository, reference, digest and verdict', async () => {
    await using server = await startPullServer([ruleFor('docker.io', 'docker.io')]);
    const digest = server.cache.addManifest(nginx, 'latest', mediaTypes.ociManifest, text);
    server.cache.outcome = { verdict: 'stale', detail: 'upstream gone', ttlSeconds: -5 };
    const answer = await server.ask('/v2/nginx/manifests/latest?ns=docker.io');
    equal(answer.headers['cache-status'], 'Breakwater; hit; ttl=-5; detail="upstream gone"');
    const [served] = server.served;
    deepEqual(served?.reply.note, {
      route: 'manifest',
      rule: 'docker.io',
      ns: 'docker.io',
      repository: nginx,
      reference: 'latest',
      digest,
      verdict: 'stale',
    });
    deepEqual([served?.bytes, served?.complete], [Buffer.byteLength(text), true]);
  });
});
