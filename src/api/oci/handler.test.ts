import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { exchangeRaw } from '../../../tests/support/clients/http-exchange.ts';
import {
  administratorHeader,
  cachedRepository,
  credentialed,
  ruleFor,
  startPullServer,
} from '../../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../../tests/support/rigs/pull-server.ts';
import { builtinRules, overBuiltinRules } from '../../domain/rules/builtin-rules.ts';
import { RegistryError } from '../../domain/errors.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import { UpstreamFailure, answerOf } from '../../domain/upstream-failure.ts';

const nginx = 'docker.io/library/nginx';
const manifestText = '{"schemaVersion":2}';
const codeOf = (text: string): unknown =>
  (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code;
const wrongHeader = `Basic ${Buffer.from('someone:else').toString('base64')}`;

async function withNginx(server: PullServer): Promise<PullServer> {
  server.cache.addManifest(nginx, 'latest', mediaTypes.ociManifest, manifestText);
  return server;
}

suite('docs/request-handling.md', () => {
  const headings = [
    ...readFileSync(new URL('../../../docs/request-handling.md', import.meta.url), 'utf8').matchAll(
      /^### (.+)$/gm,
    ),
  ].map((found) => found[1] ?? '');
  const sources = readdirSync(new URL('.', import.meta.url))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
    .join('\n');
  test('holds a numbered list of decisions', () => {
    ok(headings.length >= 10);
    headings.forEach((heading, index) => ok(heading.startsWith(`${index + 1}. `), heading));
  });
  for (const heading of headings) {
    test(`is tested where it says: ${heading}`, () => {
      ok(
        ["'", '"'].some((quote) => sources.includes(`suite(${quote}${heading}${quote}`)),
        heading,
      );
    });
  }
});

suite('1. A request that is not HTTP is refused before any handler', () => {
  const rows: readonly (readonly [name: string, text: string, status: string])[] = [
    ['noise', 'hello\r\n\r\n', '400'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', '400'],
    [
      'headers of 20 KiB',
      `GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      '431',
    ],
    [
      'two lengths',
      'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      '400',
    ],
  ];
  for (const [name, text, status] of rows) {
    test(`${name} is ${status} and ends the connection`, async () => {
      await using server = await startPullServer();
      match(await exchangeRaw(server.port, text), new RegExp(`^HTTP/1\\.1 ${status} `));
      equal((await server.ask('/v2/')).status, 401);
    });
  }
});

suite('2. Each path takes its own methods', () => {
  const digest = `sha256:${'b'.repeat(64)}`;
  const rows: readonly (readonly [path: string, allowed: string])[] = [
    ['/v2/', 'GET, HEAD'],
    ['/v2/_catalog', 'GET, HEAD'],
    ['/v2/token', 'GET, HEAD, POST'],
    [`/v2/${nginx}/tags/list`, 'GET, HEAD'],
    [`/v2/${nginx}/referrers/${digest}`, 'GET, HEAD'],
    [`/v2/${nginx}/blobs/${digest}`, 'GET, HEAD, DELETE'],
    [`/v2/${nginx}/manifests/latest`, 'GET, HEAD, PUT, DELETE'],
    [`/v2/${nginx}/blobs/uploads/`, 'POST'],
    [`/v2/${nginx}/blobs/uploads/an-id`, 'GET, HEAD, PATCH, PUT, DELETE'],
  ];
  for (const [path, allowed] of rows) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (allowed.split(', ').includes(method)) continue;
      test(`${method} ${path} is 405 with Allow`, async () => {
        await using server = await startPullServer();
        const answer = await server.ask(path, { method, body: 'x' });
        deepEqual(
          [answer.status, answer.headers.allow, codeOf(answer.text)],
          [405, allowed, 'UNSUPPORTED'],
        );
        deepEqual([server.cache.calls, server.pushes.calls], [[], []]);
      });
    }
  }

  test('the Hub listener is pulled from alone', async () => {
    await using server = await startPullServer(builtinRules, 'hub');
    const answer = await server.ask('/v2/library/nginx/blobs/uploads/', { method: 'POST' });
    deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD']);
    equal((await server.ask('/v2/token')).status, 404);
    equal((await server.ask('/v2/_catalog')).status, 404);
  });

  test('a body on a GET changes nothing', async () => {
    await using server = await withNginx(await startPullServer());
    equal(
      (await server.ask(`/v2/${nginx}/manifests/latest`, { body: 'x'.repeat(50_000) })).text,
      manifestText,
    );
  });
});

suite('6. Who is asking is settled before anything is looked up', () => {
  test('wrong credentials are 401 and the cache is not asked', async () => {
    await using server = await withNginx(await startPullServer());
    const answer = await server.ask(`/v2/${nginx}/manifests/latest`, {
      headers: { Authorization: wrongHeader },
    });
    deepEqual([answer.status, codeOf(answer.text)], [401, 'UNAUTHORIZED']);
    deepEqual(server.cache.calls, []);
  });

  test('on a mirror request unknown credentials are anonymous', async () => {
    await using server = await withNginx(await startPullServer());
    const answer = await server.ask('/v2/library/nginx/manifests/latest?ns=docker.io', {
      headers: { Authorization: wrongHeader },
    });
    equal(answer.text, manifestText);
  });

  test('on the Hub listener everyone is anonymous', async () => {
    await using server = await withNginx(await startPullServer(builtinRules, 'hub'));
    const answer = await server.ask('/v2/library/nginx/manifests/latest', {
      headers: { Authorization: wrongHeader },
    });
    equal(answer.text, manifestText);
  });
});

suite('7. One rule is chosen, or none', () => {
  const forms: readonly (readonly [name: string, path: string, ns: string | undefined])[] = [
    ['the path', '/v2/docker.io/library/nginx', undefined],
    ['an alias in the path', '/v2/registry-1.docker.io/nginx', undefined],
    ['the path without library', '/v2/docker.io/nginx', undefined],
    ['one URL with ns', '/v2/library/nginx', 'docker.io'],
    ['ns without library, as ctr asks', '/v2/nginx', 'docker.io'],
    ['ns with an alias, a port and capitals', '/v2/library/nginx', 'Index.Docker.io:443'],
    ['a path with its own ns', '/v2/docker.io/library/nginx', 'docker.io'],
    ['a prefix before /v2', '/docker.io/v2/library/nginx', undefined],
    ['a prefix before /v2 with ns', '/docker.io/v2/library/nginx', 'docker.io'],
  ];
  for (const [name, path, ns] of forms) {
    test(`${name} leads to Docker Hub's nginx`, async () => {
      await using server = await withNginx(await startPullServer());
      const query = ns === undefined ? '' : `?ns=${encodeURIComponent(ns)}`;
      const answer = await server.ask(`${path}/manifests/latest${query}`);
      equal(answer.text, manifestText);
      equal(answer.headers['oci-namespace'], ns?.toLowerCase().replace(':443', ''));
      deepEqual(server.cache.calls, [`manifest GET ${nginx} latest`]);
    });
  }

  const named = overBuiltinRules([ruleFor('quay', 'quay.io'), ruleFor('github', 'ghcr.io')]);
  const underNames: readonly (readonly [path: string, ns: string, repository: string])[] = [
    ['/v2/quay/busybox', 'quay.io', 'quay/quay/busybox'],
    ['/v2/github/super-linter', 'ghcr.io', 'github/github/super-linter'],
    ['/v2/quay.io/quay/busybox', 'quay.io', 'quay.io/quay/busybox'],
    ['/quay/v2/busybox', 'quay.io', 'quay/busybox'],
    ['/quay.io/v2/busybox', 'quay.io', 'quay.io/busybox'],
  ];
  for (const [path, ns, repository] of underNames)
    test(`with rules quay and github ${path} of ${ns} is ${repository}`, async () => {
      await using server = await startPullServer(named);
      server.cache.addManifest(repository, '1', mediaTypes.ociManifest, manifestText);
      const answer = await server.ask(`${path}/manifests/1?ns=${ns}`);
      deepEqual([answer.status, server.cache.calls], [200, [`manifest GET ${repository} 1`]]);
    });
  test('a prefix before /v2 that is no rule of the ns is 404', async () => {
    await using server = await startPullServer(named);
    const answer = await server.ask('/github/v2/busybox/manifests/1?ns=quay.io');
    deepEqual([answer.status, codeOf(answer.text), server.cache.calls], [404, 'NAME_UNKNOWN', []]);
  });

  const root = [...builtinRules, ruleFor('ROOT', 'root.test')];
  for (const ns of [
    'evil.test',
    '169.254.169.254',
    'localhost:5000',
    '',
    'docker.io.evil.test',
    'docker.io%00',
    '%0d%0aX: y',
  ]) {
    test(`T35: an unknown ns is 404 and never reaches ROOT: ${JSON.stringify(ns)}`, async () => {
      await using server = await startPullServer(root);
      const answer = await server.ask(
        `/v2/library/nginx/manifests/latest?ns=${ns.replace(': ', ':%20')}`,
      );
      ok(answer.status === 404 || answer.status === 400, String(answer.status));
      if (answer.status === 404) equal(codeOf(answer.text), 'NAME_UNKNOWN');
      equal(answer.headers['oci-namespace'], undefined);
      deepEqual(server.cache.calls, []);
    });
  }

  test('what no rule leads to is asked of what is held', async () => {
    await using server = await startPullServer([]);
    server.repositories.set('gone.test/app', cachedRepository);
    server.cache.addManifest('gone.test/app', '1', mediaTypes.ociManifest, manifestText);
    equal((await server.ask('/v2/gone.test/app/manifests/1')).status, 200);
    equal((await server.ask('/v2/gone.test/app/manifests/2')).status, 404);
  });

  test('rules that change are followed at once', async () => {
    await using server = await withNginx(await startPullServer());
    equal((await server.ask('/v2/library/nginx/manifests/latest?ns=docker.io')).status, 200);
    server.rules = createRuleSet([]);
    equal((await server.ask('/v2/library/nginx/manifests/latest?ns=docker.io')).status, 404);
  });

  const hub: readonly (readonly [name: string, path: string, status: number])[] = [
    ['an image of Docker Hub', '/v2/library/nginx/manifests/latest', 200],
    ['the same with its ns', '/v2/library/nginx/manifests/latest?ns=docker.io', 200],
    ['another ns', '/v2/prometheus/node-exporter/manifests/latest?ns=quay.io', 404],
    ['another prefix before /v2', '/quay.io/v2/prometheus/node-exporter/manifests/latest', 404],
    ['another host in the path', '/v2/quay.io/prometheus/node-exporter/manifests/latest', 404],
  ];
  test('the Hub listener knows a repository of Docker Hub that has a rule of its own', async () => {
    const own = ruleFor(nginx, 'docker.io');
    await using server = await withNginx(await startPullServer([own, ...root], 'hub'));
    equal((await server.ask('/v2/library/nginx/manifests/latest')).status, 200);
    equal(server.served.at(-1)?.reply.note?.rule, nginx);
  });

  for (const [name, path, status] of hub) {
    test(`the Hub listener answers ${status} to ${name}`, async () => {
      await using server = await withNginx(await startPullServer(root, 'hub'));
      equal((await server.ask(path)).status, status);
      ok(
        server.cache.calls.every((call) => call.includes(' docker.io/')),
        server.cache.calls.join(),
      );
    });
  }
});

suite('4. The registry that a host name chooses is told to the pull records', () => {
  for (const [host, registry] of [
    ['127.0.0.1', undefined],
    ['000000000000.dkr.ecr.us-east-1.example.com', undefined],
    ['000000000000.dkr.ecr.eu-west-1.example.com', '000000000000/eu-west-1'],
  ] as const) {
    test(`${host}: ${registry ?? 'home'}`, async () => {
      await using server = await startPullServer();
      await server.ask('/v2/team/app/manifests/1', { headers: { host } });
      equal(server.served.at(-1)?.reply.note.registry, registry);
    });
  }
});

suite('9. What a credential fetched is not for everyone', () => {
  const row = { ...cachedRepository, private: true };
  const rule = ruleFor('docker.io', 'docker.io', credentialed);
  const path = `/v2/${nginx}/manifests/latest`;

  test('anonymous is 401 with the challenge, the administrator is served', async () => {
    await using server = await withNginx(await startPullServer([rule]));
    const answer = await server.ask(path);
    deepEqual(
      [answer.status, answer.headers['www-authenticate'], codeOf(answer.text)],
      [
        401,
        `Bearer realm="http://127.0.0.1:${server.port}/v2/token",service="127.0.0.1:${server.port}",scope="repository:${nginx}:pull"`,
        'UNAUTHORIZED',
      ],
    );
    equal(
      (await server.ask(path, { headers: { Authorization: administratorHeader } })).status,
      200,
    );
  });

  test('it stays so when the rule has lost its credential', async () => {
    await using server = await withNginx(
      await startPullServer([ruleFor('docker.io', 'docker.io')]),
    );
    server.repositories.set(nginx, row);
    equal((await server.ask(path)).status, 401);
    deepEqual(server.cache.calls, []);
  });

  test('a repository that turns private is noticed', async () => {
    await using server = await withNginx(await startPullServer());
    equal((await server.ask(path)).status, 200);
    server.repositories.set(nginx, row);
    server.clock.advance(2001);
    equal((await server.ask(path)).status, 401);
  });

  test('anonymousPull: true serves it to all', async () => {
    await using server = await withNginx(await startPullServer([{ ...rule, anonymousPull: true }]));
    equal((await server.ask(path)).status, 200);
  });

  test('T32: on the Hub listener it is 404 whatever is sent', async () => {
    await using server = await withNginx(await startPullServer([rule], 'hub'));
    const answer = await server.ask('/v2/library/nginx/manifests/latest', {
      headers: { Authorization: administratorHeader },
    });
    deepEqual(
      [answer.status, answer.headers['www-authenticate'], codeOf(answer.text)],
      [404, undefined, 'NAME_UNKNOWN'],
    );
    deepEqual(server.cache.calls, []);
  });
});

suite("11. The rule's patterns are asked for every way in", () => {
  const rule = ruleFor('docker.io', 'docker.io', {
    allow: ['library/*'],
    deny: ['library/nginx:old'],
  });
  const digest = `sha256:${'b'.repeat(64)}`;
  const rows: readonly (readonly [name: string, path: string, status: number])[] = [
    ['an admitted tag', '/v2/docker.io/library/nginx/manifests/latest', 200],
    ['a denied tag', '/v2/docker.io/library/nginx/manifests/old', 403],
    ['a denied tag by ns', '/v2/nginx/manifests/old?ns=docker.io', 403],
    ['a manifest of another repository', '/v2/docker.io/evil/app/manifests/latest', 403],
    ['a blob of another repository', `/v2/docker.io/evil/app/blobs/${digest}`, 403],
    ['tags of another repository', '/v2/docker.io/evil/app/tags/list', 403],
    ['referrers of another repository', `/v2/docker.io/evil/app/referrers/${digest}`, 403],
  ];
  for (const [name, path, status] of rows) {
    test(`${name} is ${status}`, async () => {
      await using server = await withNginx(await startPullServer([rule]));
      const answer = await server.ask(path);
      equal(answer.status, status);
      if (status !== 403) return;
      equal(codeOf(answer.text), 'DENIED');
      match(answer.text, /"rule":"docker\.io"/);
      deepEqual(server.cache.calls, []);
    });
  }
});

suite("13. The cache answers, or says why it can't", () => {
  const failure = (kind: UpstreamFailure['kind'], status?: number): Error =>
    answerOf(
      new UpstreamFailure('it said no', {
        kind,
        reason: 'status',
        upstream: 'registry-1.docker.io',
        ...(status === undefined ? {} : { status }),
      }),
      'manifest',
    );
  const rows: readonly (readonly [
    error: Error,
    status: number,
    code: string,
    retryAfter: string | undefined,
  ])[] = [
    [failure('notFound', 404), 404, 'MANIFEST_UNKNOWN', undefined],
    [failure('denied', 401), 403, 'DENIED', undefined],
    [failure('rateLimited', 429), 429, 'TOOMANYREQUESTS', '60'],
    [failure('network'), 503, 'UNAVAILABLE', '1'],
    [failure('timeout'), 504, 'UNAVAILABLE', undefined],
    [failure('serverError', 500), 502, 'UNAVAILABLE', undefined],
    [failure('invalid'), 502, 'UNAVAILABLE', undefined],
    [new RegistryError('unavailable', 'busy', { retryAfterMs: 1200 }), 503, 'UNAVAILABLE', '2'],
  ];
  for (const [error, status, code, retryAfter] of rows) {
    test(`T44: ${error.message} (${code}) is ${status} with its cause`, async () => {
      await using server = await withNginx(await startPullServer());
      server.cache.failure = error;
      const answer = await server.ask('/v2/library/nginx/manifests/latest?ns=docker.io');
      deepEqual(
        [answer.status, codeOf(answer.text), answer.headers['retry-after']],
        [status, code, retryAfter],
      );
      equal(answer.headers['content-type'], 'application/json');
      equal(answer.headers['oci-namespace'], 'docker.io');
      match(String(answer.headers['cache-status']), /^Breakwater;/);
      if (error.cause !== undefined)
        match(answer.text, /"upstream":"registry-1\.docker\.io","cause":"status"/);
      equal(server.served[0]?.reply.note.repository, nginx);
    });
  }

  test('what nobody foresaw is 500 with the id alone, and is reported', async () => {
    await using server = await withNginx(await startPullServer());
    server.cache.failure = new TypeError('secret path /var/lib');
    const answer = await server.ask(`/v2/${nginx}/manifests/latest`);
    deepEqual([answer.status, codeOf(answer.text)], [500, 'UNKNOWN']);
    ok(
      !answer.text.includes('secret') &&
        answer.text.includes(String(answer.headers['x-request-id'])),
    );
    deepEqual(server.failures, [server.cache.failure]);
  });
});
