import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { bookOfHome } from '../../../tests/support/rigs/home-rules.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import {
  createScriptedUpstream,
  failure,
} from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { Explanation } from '../../contract/explanation.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import type { Principal } from '../../domain/policy/principal.ts';
import { anonymous } from '../../domain/policy/principal.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import type { Incoming } from '../../http/reply.ts';
import type { PullRow } from '../../metadata/contract/rows.ts';
import { createOperations } from '../../operations/operations.ts';
import type { OperationsParts } from '../../operations/operations.ts';
import { createApiHandler } from './v1.ts';
import { incomingBody } from '../../../tests/support/samples/incoming-body.ts';

interface Asked {
  readonly method?: string;
  readonly query?: string;
  readonly headers?: Incoming['headers'];
  readonly body?: string | Uint8Array;
}

function ask(path: string, asked: Asked = {}): Incoming {
  const body = Buffer.from(asked.body ?? '');
  return {
    id: 'r-1',
    method: asked.method ?? 'GET',
    path,
    query: asked.query ?? '',
    headers: { authorization: 'Basic admin', ...asked.headers },
    clientAddress: '127.0.0.1',
    secure: false,
    host: '127.0.0.1:5000',
    isLoopback: true,
    isProxied: false,
    rawHeaders: [],
    signal: new AbortController().signal,
    ...incomingBody(body),
  };
}

const post = (path: string, body: string | Uint8Array): Incoming =>
  ask(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } });

const secretRule = testRule({
  prefix: 'quay.io',
  credential: { name: 'quay', username: 'robot', accessToken: 'very-secret' },
  freshForMs: 60_000,
  clientCert: { cert: 'CERT', key: 'very-secret-key' },
  urls: [
    { origin: 'https://quay.io', host: 'quay.io', plain: false },
    { origin: 'https://mirror.example', host: 'mirror.example', plain: false },
  ],
});

const pull: PullRow = {
  registry: homeRegistry,
  clientAddress: '10.0.0.1',
  ns: 'docker.io',
  image: 'docker.io/library/nginx:1',
  digest: undefined,
  verdict: 'hit',
  hour: 0,
  count: 3,
  lastAt: 1000,
};

function open(change: Partial<OperationsParts> = {}) {
  const failures: unknown[] = [];
  const upstream = createScriptedUpstream();
  const operations = createOperations({
    authorizer: unused,
    visibleRepositories: unused,
    accounts: unused,
    webIdentities: unused,
    markOwnKey: unused,
    roles: unused,
    storedPolicies: unused,
    managedPolicies: unused,
    lifecycleGrammar: unused,
    cache: unused,
    made: unused,
    audit: { record: () => {} },
    ecrPassword: unused,
    fileSecrets: unused,
    registries: () => ({ registryId: '000000000000', regions: ['us-east-1'] }),
    pushes: unused,
    counting: unused,
    rules: () => createRuleSet([testRule(), secretRule]),
    book: bookOfHome([testRule(), secretRule]),
    secrets: unused,
    upstreams: () => 'public',
    invalidations: unused,
    sealing: unused,
    serverKeys: unused,
    downloadTokens: unused,
    explain: (request) => Promise.resolve(request as unknown as Explanation),
    refresh: (image) =>
      Promise.resolve({
        image,
        repository: 'up/a',
        tag: '1',
        before: null,
        after: 'x',
        changed: true,
      }),
    upstream,
    metadata: {
      ...(unused as OperationsParts['metadata']),
      records: {
        ...(unused as OperationsParts['metadata']['records']),
        listPulls: (limit) => Promise.resolve(Array<PullRow>(limit).fill(pull)),
      },
    },
    clock: createFakeClock(),
    ...change,
  });
  const handler = createApiHandler({
    ...operations,
    identifier: {
      identify: (authorization) => {
        if (authorization === 'Basic wrong')
          throw new RegistryError('unauthorized', 'the credentials are not known here');
        return {
          principal: principals[authorization ?? ''] ?? anonymous,
          via: 'key',
          scopes: authorization === 'Basic scoped' ? [] : undefined,
        };
      },
    },
    publicUrl: () => '',
    version: { version: '1.2.3', node: '26.0.0' },
    failed: (error) => void failures.push(error),
  });
  const answer = async (request: Incoming) => {
    const reply = await handler(request);
    return { ...reply, json: JSON.parse(reply.body as string) as Record<string, unknown> };
  };
  return { answer, failures, upstream };
}

/** What the endpoints of the cache have no business with. */
const unused = {} as never;
const root: Principal = { kind: 'administrator', account: '000000000000' };
const principals: Readonly<Record<string, Principal>> = {
  'Basic admin': root,
  'Basic scoped': root,
  'Basic other': { kind: 'administrator', account: '111111111111' },
  'Basic ann': { kind: 'user', account: '000000000000', name: 'ann' },
};

suite('who may ask', () => {
  const rows: readonly (readonly [string, Incoming['headers'], number])[] = [
    ['nobody', { authorization: undefined }, 401],
    ['who is not known', { authorization: 'Basic wrong' }, 401],
    ['a user', { authorization: 'Basic ann' }, 403],
    ['the administrator of another account', { authorization: 'Basic other' }, 403],
    ['the administrator by a credential with scopes', { authorization: 'Basic scoped' }, 403],
    ['the administrator', {}, 200],
    ['a page of ours', { 'sec-fetch-site': 'same-origin' }, 200],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of a sibling site', { 'sec-fetch-site': 'same-site' }, 403],
  ];
  for (const [name, headers, status] of rows)
    test(`${name} is answered ${status}`, async () => {
      const reply = await open().answer(ask('/api/v1/upstreams', { headers }));
      assert.equal(reply.status, status);
      const challenge = status === 401 ? 'Basic realm="breakwater", charset="UTF-8"' : undefined;
      assert.equal(reply.headers['www-authenticate'], challenge);
      assert.equal(reply.headers['cache-control'], 'no-store');
    });

  test('without credentials an unknown path is 401 as a known one is', async () => {
    const headers = { authorization: undefined };
    assert.equal((await open().answer(ask('/api/v1/nope', { headers }))).status, 401);
  });
});

suite('what is asked wrongly', () => {
  const big = `{"image":"${'a'.repeat(1024 * 1024)}"}`;
  const rows: readonly (readonly [string, Incoming, number, RegExp])[] = [
    ['an unknown path', ask('/api/v1/nope'), 404, /ROUTE_UNKNOWN/],
    ['a path with a slash more', ask('/api/v1/rules/'), 404, /ROUTE_UNKNOWN/],
    ['a name of every object', ask('/api/v1/constructor'), 404, /ROUTE_UNKNOWN/],
    [
      'a method that is not taken',
      ask('/api/v1/upstreams', { method: 'DELETE' }),
      405,
      /METHOD_NOT_ALLOWED/,
    ],
    ['explain without an image', ask('/api/v1/explain'), 400, /"field":"image"/],
    ['explain with an empty image', ask('/api/v1/explain', { query: 'image=' }), 400, /is empty/],
    [
      'explain with a long image',
      ask('/api/v1/explain', { query: `image=${'a'.repeat(2000)}` }),
      400,
      /too long/,
    ],
    [
      'a flag that is none',
      ask('/api/v1/explain', { query: 'image=a&probe=1' }),
      400,
      /must be true or false/,
    ],
    ['an unknown parameter', ask('/api/v1/explain', { query: 'image=a&x=1' }), 400, /\\"x\\"/],
    ['a parameter where none is', ask('/api/v1/rules', { query: 'x=1' }), 400, /\\"x\\"/],
    ['no pulls', ask('/api/v1/pulls', { query: 'limit=0' }), 400, /from 1 to 1000/],
    ['too many pulls', ask('/api/v1/pulls', { query: 'limit=1001' }), 400, /from 1 to 1000/],
    ['half a pull', ask('/api/v1/pulls', { query: 'limit=1.5' }), 400, /from 1 to 1000/],
    [
      'a body without its type',
      ask('/api/v1/refresh', { method: 'POST', body: '{"image":"a"}' }),
      400,
      /application\/json/,
    ],
    ['a body that is no JSON', post('/api/v1/refresh', '{'), 400, /not JSON/],
    ['a body that is no text', post('/api/v1/refresh', new Uint8Array([0xff])), 400, /not JSON/],
    ['a body that is no object', post('/api/v1/refresh', '[]'), 400, /REQUEST_INVALID/],
    ['a number for an image', post('/api/v1/refresh', '{"image":1}'), 400, /"field":"image"/],
    ['an unknown field', post('/api/v1/refresh', '{"image":"a","force":true}'), 400, /force/],
    ['a body over 1 MiB', post('/api/v1/refresh', big), 413, /REQUEST_TOO_LARGE/],
    [
      'a prefix that no rule has',
      post('/api/v1/rules/verify', '{"prefix":"nope"}'),
      404,
      /NAME_UNKNOWN/,
    ],
  ];
  for (const [name, request, status, body] of rows)
    test(`${name} is ${status}, as a problem`, async () => {
      const { answer, failures } = open();
      const reply = await answer(request);
      assert.equal(reply.status, status);
      assert.equal(reply.headers['content-type'], 'application/problem+json');
      assert.match(reply.body as string, body);
      assert.equal(reply.json['status'], status);
      assert.equal(reply.json['requestId'], 'r-1');
      assert.deepEqual(failures, []);
    });

  test('405 says what is taken', async () => {
    const reply = await open().answer(ask('/api/v1/refresh'));
    assert.equal(reply.headers['allow'], 'POST');
    assert.equal(reply.json['cause'], undefined);
  });
});

suite('what went wrong', () => {
  const statuses: Readonly<Record<ErrorCode, number>> = {
    manifestBlobUnknown: 400,
    manifestInvalid: 400,
    tagImmutable: 409,
    uploadUnknown: 404,
    uploadInvalid: 400,
    uploadRange: 416,
    sizeInvalid: 400,
    conflict: 409,
    storageFull: 507,
    storageFailed: 500,
    nameInvalid: 400,
    nameUnknown: 404,
    tagInvalid: 400,
    digestInvalid: 400,
    manifestUnknown: 404,
    blobUnknown: 404,
    paginationInvalid: 400,
    requestInvalid: 400,
    requestTooLarge: 413,
    routeUnknown: 404,
    unsupported: 405,
    unauthorized: 401,
    denied: 403,
    tooManyRequests: 429,
    unavailable: 503,
    upstreamInvalid: 502,
    upstreamTimeout: 504,
    clientLeft: 499,
    internal: 500,
  };
  for (const [code, status] of Object.entries(statuses))
    test(`${code} is ${status}`, async () => {
      const error = new RegistryError(code as ErrorCode, 'what', { retryAfterMs: 1001 });
      const { answer } = open({ refresh: () => Promise.reject(error) });
      const reply = await answer(post('/api/v1/refresh', '{"image":"a"}'));
      assert.equal(reply.status, status);
      assert.equal(reply.headers['retry-after'], '2');
      assert.equal(reply.json['detail'], 'what');
    });

  test('anything else is 500, told to the log and not to the client', async () => {
    const error = new Error('password=x');
    const { answer, failures } = open({ refresh: () => Promise.reject(error) });
    const reply = await answer(post('/api/v1/refresh', '{"image":"a"}'));
    assert.equal(reply.status, 500);
    assert.doesNotMatch(reply.body as string, /password/);
    assert.deepEqual(failures, [error]);
  });
});

suite('what is answered', () => {
  test('explain gets the image and whether to probe', async () => {
    const { answer } = open();
    const query = 'image=docker.io%2Flibrary%2Fnginx%3A1&probe=true';
    const reply = await answer(ask('/api/v1/explain', { query }));
    assert.deepEqual(reply.json, { image: 'docker.io/library/nginx:1', probe: true });
    const plain = await answer(ask('/api/v1/explain', { query: 'image=a' }));
    assert.deepEqual(plain.json, { image: 'a', probe: false });
  });

  test('HEAD is answered as GET, for the writer to cut', async () => {
    assert.equal((await open().answer(ask('/api/v1/version', { method: 'HEAD' }))).status, 200);
  });

  test('rules are listed without a secret', async () => {
    const authorizer = { may: () => ({ allowed: true, because: '' }) } as never;
    const reply = await open({ authorizer }).answer(ask('/api/v1/rules'));
    assert.doesNotMatch(reply.body as string, /very-secret|robot|CERT/);
    const [, rule] = reply.json['items'] as Record<string, unknown>[];
    assert.deepEqual(rule, {
      prefix: 'quay.io',
      origin: 'file',
      shadowedBy: null,
      upstream: 'https://quay.io',
      mirrors: ['https://mirror.example'],
      upstreamRegistry: 'quay',
      upstreamPrefix: '',
      credential: 'quay',
      role: null,
      anonymousPull: secretRule.anonymousPull,
      freshForSeconds: 60,
      staleBudgetMs: secretRule.staleBudgetMs,
      onFailure: secretRule.onFailure,
      platforms: ['none'],
      push: false,
      allow: [],
      deny: [],
      state: 'unknown',
      problem: null,
      createdAt: null,
      updatedAt: null,
    });
    assert.equal(reply.json['next'], null);
  });

  test('verify asks every URL and says which failed', async () => {
    const { answer, upstream } = open();
    upstream.before = ({ host }) => {
      if (host === 'mirror.example') throw failure('denied', 401, host);
    };
    const reply = await answer(post('/api/v1/rules/verify', '{}'));
    const items = reply.json['items'] as { url: string; ok: boolean; failure: unknown }[];
    assert.deepEqual(
      items.map(({ url, ok, failure: why }) => [url, ok, why]),
      [
        ['http://upstream', true, null],
        ['https://quay.io', true, null],
        [
          'https://mirror.example',
          false,
          { kind: 'denied', reason: 'status', message: 'scripted denied' },
        ],
      ],
    );
  });

  test('verify of one prefix asks its URLs alone', async () => {
    const { answer, upstream } = open();
    await answer(post('/api/v1/rules/verify', '{"prefix":"up"}'));
    assert.deepEqual(
      upstream.calls.map(({ kind, host }) => `${kind} ${host}`),
      ['ping upstream'],
    );
  });

  test('upstreams are told with their limits, breakers and rules', async () => {
    const { upstream } = open();
    const limit = {
      upstream: 'quay.io',
      limit: 100,
      remaining: 7,
      windowSeconds: 21_600,
      account: '',
      resetAt: undefined,
      observedAt: 0,
    };
    const { answer } = open({
      upstream: {
        ...upstream,
        state: (host) =>
          host === 'quay.io'
            ? {
                upstream: host,
                breaker: 'open',
                restsUntil: undefined,
                heldUntil: undefined,
                lastSuccessAt: 0,
                lastFailure: { at: 1000, message: 'refused' },
                last: 'failure',
                limit,
              }
            : undefined,
      },
    });
    const items = (await answer(ask('/api/v1/upstreams'))).json['items'] as Record<
      string,
      unknown
    >[];
    assert.deepEqual(items[1], {
      upstream: 'quay.io',
      breaker: 'open',
      restsUntil: null,
      heldUntil: null,
      lastSuccessAt: '1970-01-01T00:00:00.000Z',
      lastFailure: { at: '1970-01-01T00:00:01.000Z', message: 'refused' },
      limit: {
        limit: 100,
        remaining: 7,
        windowSeconds: 21_600,
        account: '',
        resetAt: null,
        observedAt: '1970-01-01T00:00:00.000Z',
      },
      state: 'breakerOpen',
      rules: ['quay.io'],
    });
    assert.equal(items[0]?.['state'], 'unknown');
  });

  test('pulls are the newest, as many as asked for', async () => {
    const reply = await open().answer(ask('/api/v1/pulls', { query: 'limit=2' }));
    const row = {
      hour: '1970-01-01T00:00:00.000Z',
      clientAddress: '10.0.0.1',
      ns: 'docker.io',
      image: 'docker.io/library/nginx:1',
      digest: null,
      verdict: 'hit',
      count: 3,
      lastAt: '1970-01-01T00:00:01.000Z',
    };
    assert.deepEqual(reply.json, { items: [row, row], next: null });
  });
});
