import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
import { administratorHeader, startPullServer } from '../support/rigs/pull-server.ts';
import type { PullServer } from '../support/rigs/pull-server.ts';
import { assertError } from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/**
 * The pull side of distribution-spec 1.1, clause by clause, and "Registry Proxying" of its main branch: what a client may rely on,
 * asked over HTTP. Content discovery is in pull-discovery.test.ts.
 */
const repository = 'docker.io/library/nginx';
const absent = digestOf('hello world');

const manifests: readonly (readonly [name: string, mediaType: string, text: string])[] = [
  [
    'an OCI image manifest',
    mediaTypes.ociManifest,
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}',
  ],
  ['an OCI index', mediaTypes.ociIndex, '{"schemaVersion":2,"manifests":[]}'],
  ['a Docker manifest', mediaTypes.dockerManifest, '{\n   "schemaVersion": 2\n}'],
  ['a Docker list', mediaTypes.dockerList, '{"schemaVersion":2,"manifests":[ ]}'],
  ['an artifact', mediaTypes.ociArtifact, '{"artifactType":"application/x"}'],
  [
    'a manifest with bytes outside ASCII',
    mediaTypes.ociManifest,
    '{"annotations":{"a":"größe 漢字 🐳"}}',
  ],
  [
    'a manifest of 1 MiB',
    mediaTypes.ociManifest,
    JSON.stringify({ annotations: { a: 'é'.repeat(500_000) } }),
  ],
];

async function withServer(run: (server: PullServer) => Promise<void>): Promise<void> {
  await using server = await startPullServer();
  await run(server);
}

suite('Determining Support', () => {
  test('GET /v2/ is 200 for whom is known, and 401 for everyone else', () =>
    withServer(async (server) => {
      const headers = { Authorization: administratorHeader };
      equal((await server.ask('/v2/', { headers })).status, 200);
      assertError(await server.ask('/v2/'), 401, 'UNAUTHORIZED');
    }));
});

suite('Pulling manifests', () => {
  for (const [name, mediaType, text] of manifests) {
    test(`${name} comes by tag and by digest with its digest and type`, () =>
      withServer(async (server) => {
        const digest = server.cache.addManifest(repository, 'v1.0', mediaType, text);
        for (const reference of ['v1.0', digest]) {
          const answer = await server.ask(`/v2/${repository}/manifests/${reference}`);
          equal(answer.status, 200);
          equal(answer.headers['content-type'], mediaType);
          equal(answer.headers['docker-content-digest'], digest);
          equal(answer.headers['content-length'], String(Buffer.byteLength(text)));
          equal(digestOf(answer.bytes), digest);
        }
      }));
  }

  for (const reference of ['.INVALID_MANIFEST_NAME', 'absent', absent]) {
    test(`a manifest that is not there is 404: ${reference}`, () =>
      withServer(async (server) => {
        assertError(
          await server.ask(`/v2/${repository}/manifests/${reference}`),
          404,
          'MANIFEST_UNKNOWN',
          'NAME_UNKNOWN',
        );
        equal(
          (await server.ask(`/v2/${repository}/manifests/${reference}`, { method: 'HEAD' })).status,
          404,
        );
      }));
  }

  test('HEAD of one that is there is 200 with its size', () =>
    withServer(async (server) => {
      server.cache.addManifest(repository, 'v1.0', mediaTypes.ociManifest, '{}');
      const answer = await server.ask(`/v2/${repository}/manifests/v1.0`, { method: 'HEAD' });
      deepEqual(
        [answer.status, answer.headers['content-length'], answer.bytes.length],
        [200, '2', 0],
      );
    }));
});

suite('Pulling blobs', () => {
  const bytes = new Uint8Array(2_500_000).map((_, index) => index % 253);

  test('a blob is 200 with its bytes', () =>
    withServer(async (server) => {
      const digest = server.cache.addBlob(repository, bytes);
      const answer = await server.ask(`/v2/${repository}/blobs/${digest}`);
      deepEqual(
        [answer.status, answer.headers['content-length'], answer.headers['docker-content-digest']],
        [200, String(bytes.length), digest],
      );
      equal(digestOf(answer.bytes), digest);
    }));

  test('one that is not there is 404, for GET and HEAD', () =>
    withServer(async (server) => {
      assertError(await server.ask(`/v2/${repository}/blobs/${absent}`), 404, 'BLOB_UNKNOWN');
      equal(
        (await server.ask(`/v2/${repository}/blobs/${absent}`, { method: 'HEAD' })).status,
        404,
      );
    }));

  test('HEAD of one that is there is 200 with its size', () =>
    withServer(async (server) => {
      const digest = server.cache.addBlob(repository, bytes);
      const answer = await server.ask(`/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
      deepEqual(
        [answer.status, answer.headers['content-length'], answer.headers['accept-ranges']],
        [200, String(bytes.length), 'bytes'],
      );
    }));

  test('T36: slices that clients fetch side by side make the blob', () =>
    withServer(async (server) => {
      const digest = server.cache.addBlob(repository, bytes);
      const slice = 400_000;
      const starts = Array.from(
        { length: Math.ceil(bytes.length / slice) },
        (_, index) => index * slice,
      );
      const parts = await Promise.all(
        starts.map(async (start) => {
          const answer = await server.ask(`/v2/${repository}/blobs/${digest}`, {
            headers: { Range: `bytes=${start}-${start + slice - 1}` },
          });
          equal(answer.status, 206);
          return answer.bytes;
        }),
      );
      equal(digestOf(Buffer.concat(parts)), digest);
    }));

  test('T36: an open-ended range that resumes is 206, or 416 at the end, and never 200', () =>
    withServer(async (server) => {
      const digest = server.cache.addBlob(repository, bytes);
      for (const [start, status] of [
        [1, 206],
        [bytes.length - 1, 206],
        [bytes.length, 416],
        [bytes.length + 1, 416],
      ] as const) {
        const answer = await server.ask(`/v2/${repository}/blobs/${digest}`, {
          headers: { Range: `bytes=${start}-` },
        });
        deepEqual(
          [answer.status, answer.bytes.length],
          [status, Math.max(0, bytes.length - start)],
        );
      }
    }));
});

suite('Error codes', () => {
  const rows: readonly (readonly [name: string, path: string, status: number, code: string])[] = [
    ['an invalid name', '/v2/Bad/Name/manifests/latest', 400, 'NAME_INVALID'],
    ['an invalid digest', `/v2/${repository}/blobs/sha256:totallywrong`, 400, 'DIGEST_INVALID'],
    ['an unknown digest algorithm', `/v2/${repository}/manifests/crc:abcd`, 400, 'DIGEST_INVALID'],
    ['a bad page size', `/v2/${repository}/tags/list?n=x`, 400, 'PAGINATION_NUMBER_INVALID'],
    ['T18: the catalog, for nobody,', '/v2/_catalog?n=100', 401, 'UNAUTHORIZED'],
    ['a bad escape', '/v2/a%zz/manifests/latest', 400, 'UNSUPPORTED'],
  ];
  for (const [name, path, status, code] of rows) {
    test(`${name} is ${status} ${code} and asks nothing of the cache`, () =>
      withServer(async (server) => {
        const answer = await server.ask(path);
        assertError(answer, status, code);
        match(String(answer.headers['cache-status']), /^Breakwater; detail=/);
        deepEqual(server.cache.calls, []);
      }));
  }

  test('T44: no error is a page or a stack, whatever was thrown', () =>
    withServer(async (server) => {
      for (const thrown of [
        new Error('boom\n    at x (/srv/y.ts:1:1)'),
        Object.assign(new Error('ENOENT'), { code: 'ENOENT' }),
      ]) {
        server.cache.failure = thrown;
        for (const path of [
          `manifests/latest`,
          `blobs/${absent}`,
          'tags/list',
          `referrers/${absent}`,
        ]) {
          const answer = await server.ask(`/v2/${repository}/${path}`);
          assertError(answer, 500, 'UNKNOWN');
          ok(!answer.text.includes('/srv/') && !answer.text.includes('ENOENT'));
        }
      }
    }));
});

suite('Registry Proxying', () => {
  const ask = (server: PullServer, ns: string): Promise<HttpAnswer> =>
    server.ask(`/v2/library/nginx/manifests/latest?ns=${encodeURIComponent(ns)}`);

  for (const ns of [
    'docker.io',
    'index.docker.io',
    'registry-1.docker.io',
    'DOCKER.IO',
    'docker.io:443',
    'Registry-1.Docker.IO:443',
  ]) {
    test(`T35: ns=${ns} is Docker Hub, and is named in the answer`, () =>
      withServer(async (server) => {
        server.cache.addManifest(repository, 'latest', mediaTypes.ociManifest, '{}');
        const answer = await ask(server, ns);
        deepEqual(
          [answer.status, answer.headers['oci-namespace']],
          [200, ns.toLowerCase().replace(':443', '')],
        );
        deepEqual(server.cache.calls, [`manifest GET ${repository} latest`]);
      }));
  }

  for (const ns of [
    'unknown.test',
    'docker.io:80',
    'docker.io.',
    'http://docker.io',
    'docker.io/evil',
    '127.0.0.1',
    '[::1]:5000',
    'ROOT',
    'x'.repeat(5000),
  ]) {
    test(`T35: ns=${ns.slice(0, 40)} is 404 and dials nobody`, () =>
      withServer(async (server) => {
        assertError(await ask(server, ns), 404, 'NAME_UNKNOWN');
        deepEqual(server.cache.calls, []);
      }));
  }

  test('T35: the same name under two namespaces is two repositories', () =>
    withServer(async (server) => {
      server.cache.addManifest(
        'quay.io/library/nginx',
        'latest',
        mediaTypes.ociManifest,
        '{"of":"quay"}',
      );
      server.cache.addManifest(repository, 'latest', mediaTypes.ociManifest, '{"of":"hub"}');
      equal((await ask(server, 'quay.io')).text, '{"of":"quay"}');
      equal((await ask(server, 'docker.io')).text, '{"of":"hub"}');
    }));

  test('T37: a mirror says 404 only for what is not there, 5xx when it cannot tell', () =>
    withServer(async (server) => {
      assertError(await ask(server, 'docker.io'), 404, 'MANIFEST_UNKNOWN');
      server.cache.failure = new Error('disk');
      assertError(await ask(server, 'docker.io'), 500, 'UNKNOWN');
    }));

  test('T37: credentials meant for the upstream are not refused on a mirror request', () =>
    withServer(async (server) => {
      server.cache.addManifest(repository, 'latest', mediaTypes.ociManifest, '{}');
      for (const authorization of [
        `Basic ${Buffer.from('hubuser:token').toString('base64')}`,
        'Bearer abc',
        'nonsense',
      ]) {
        const answer = await server.ask('/v2/library/nginx/manifests/latest?ns=docker.io', {
          headers: { Authorization: authorization },
        });
        equal(answer.status, 200);
      }
    }));

  test('W3.1 in this layer: k8s.gcr.io is the repository of registry.k8s.io', () =>
    withServer(async (server) => {
      server.cache.addManifest('registry.k8s.io/pause', '3.9', mediaTypes.ociIndex, '{}');
      equal((await server.ask('/v2/k8s.gcr.io/pause/manifests/3.9')).status, 200);
      equal((await server.ask('/v2/pause/manifests/3.9?ns=k8s.gcr.io')).status, 200);
    }));
});
