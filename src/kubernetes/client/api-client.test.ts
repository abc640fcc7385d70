import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ApiClient } from './api-client.ts';
import { createApiClient } from './api-client.ts';
import type { ClusterFailure } from './cluster-failure.ts';
import { listPages } from './list-pages.ts';
import type { WireLimits } from './wire.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A client of a server that gives these answers one after another, the last one again and again. */
async function asked(
  t: TestContext,
  answers: readonly Answer[],
  options: { readonly limits?: Partial<WireLimits>; readonly user?: object } = {},
): Promise<{ readonly client: ApiClient; readonly requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push(request);
    answer?.(response, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = await createApiClient(
    {
      context: 'prod',
      server: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/below`),
      ca: undefined,
      insecure: false,
      serverName: undefined,
      proxyUrl: undefined,
      namespace: undefined,
      user: {
        fields: { where: 'users[0].user', values: { token: 'secret-token', ...options.user } },
        folder: '/',
      },
    },
    {
      surroundings: { env: process.env, interactive: false, deadlineMs: 10_000 },
      limits: options.limits ?? {},
      waitMsMax: 1,
    },
  );
  t.after(() => client[Symbol.asyncDispose]());
  return { client, requests };
}

const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(value));
const list = (names: readonly string[], next = ''): Answer =>
  json({ metadata: { continue: next }, items: names.map((name) => ({ metadata: { name } })) });
const status = (code: number, message: string, metadata: object = {}, headers = {}): Answer =>
  json({ kind: 'Status', message, metadata }, code, headers);
const nothing: Answer = () => undefined;
const cut: Answer = (response) => void response.socket?.destroy();
const drips: Answer = (response) => void response.writeHead(200).write('{"items": [');
const loginPage: Answer = (response) =>
  void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
const large: Answer = (response) =>
  void response.end(JSON.stringify({ items: ['x'.repeat(5000)] }));

const zipped =
  (value: unknown): Answer =>
  (response) =>
    void response
      .writeHead(200, { 'content-encoding': 'gzip' })
      .end(gzipSync(JSON.stringify(value)));

const never = new AbortController().signal;

/** Names in their order, `|` where the list began anew. */
async function read(client: ApiClient): Promise<string> {
  const pages: string[] = [];
  for await (const { items, isFirst } of listPages(client, '/api/v1/pods', { limit: 8 }, never)) {
    const names = items.map((item) => (item['metadata'] as { name: string }).name).join(' ');
    pages.push(isFirst ? `|${names}` : names);
  }
  return pages.join(' ');
}

interface Row {
  readonly that: string;
  readonly answers: readonly Answer[];
  readonly limits?: Partial<WireLimits>;
  readonly is: string | RegExp;
  /** Requests in all. */
  readonly requests?: number;
}

const rows: readonly Row[] = [
  {
    that: 'Pages follow their tokens.',
    answers: [list(['a', 'b'], 't1'), list(['c'], 't2'), list(['d'])],
    is: '|a b c d',
    requests: 3,
  },
  {
    that: 'A list without items may be null.',
    answers: [json({ metadata: {}, items: null })],
    is: '|',
  },
  {
    that: 'A 410 with a token goes on where it says.',
    answers: [list(['a'], 't1'), status(410, 'expired', { continue: 't2' }), list(['b'])],
    is: '|a b',
  },
  {
    that: 'A 410 without one begins anew.',
    answers: [list(['a'], 't1'), status(410, 'expired'), list(['a', 'b'])],
    is: '|a |a b',
  },
  {
    that: 'A list that is never as old as its reader ends with an error.',
    answers: [list(['a'], 't1'), status(410, 'expired')],
    is: /\/api\/v1\/pods of context prod changes faster than it can be read/,
    requests: 5,
  },
  {
    that: 'A token that leads to itself ends it.',
    answers: [list(['a'], 'same')],
    is: /hands out pages that lead nowhere/,
    requests: 2,
  },
  {
    that: 'Empty pages without end end it.',
    answers: Array.from({ length: 30 }, (_, index) => list([], `t${index}`)),
    is: /hands out pages that lead nowhere/,
    requests: 21,
  },
  { that: 'What is no list is said.', answers: [json({ items: 'none' })], is: /is no list/ },
  {
    that: 'Who asks too often waits as he is told.',
    answers: [status(429, 'slow', {}, { 'retry-after': '1' }), status(429, 'slow'), list(['a'])],
    is: '|a',
    requests: 3,
  },
  {
    that: 'A server that is not ready yet is asked again.',
    answers: [status(503, 'starting', {}, { 'retry-after': '1' }), list(['a'])],
    is: '|a',
  },
  {
    that: 'One that is always too busy is given up.',
    answers: [status(429, 'slow', {}, { 'retry-after': '3600' })],
    is: /\(context prod\) answers 429 again and again/,
    requests: 6,
  },
  {
    that: 'A connection that breaks is tried once more.',
    answers: [cut, list(['a'])],
    is: '|a',
    requests: 2,
  },
  {
    that: 'One that breaks each time is said.',
    answers: [cut],
    is: /can’t be reached/,
    requests: 2,
  },
  {
    that: 'A server that takes the connection and says nothing is given up in time.',
    answers: [nothing],
    limits: { firstByteMs: 100 },
    is: /127\.0\.0\.1:\d+\/below \(context prod\) gives no answer within 0\.1 s/,
  },
  {
    that: 'One that stops in the middle of an answer too.',
    answers: [drips],
    limits: { idleMs: 100 },
    is: /gives no byte for 0\.1 s/,
  },
  {
    that: 'One that drips without end too.',
    answers: [
      (response) => {
        const timer = setInterval(() => response.write(' '), 10);
        response.on('close', () => clearInterval(timer));
      },
    ],
    limits: { idleMs: 10_000, wholeMs: 200 },
    is: /gives no whole answer within 0\.2 s/,
  },
  {
    that: 'One that is slow and goes on is read to its end.',
    answers: [
      (response) => {
        const pieces = ['{"items"', ':', '[', ']', '}'];
        const timer = setInterval(() => {
          const piece = pieces.shift();
          if (piece !== undefined) return void response.write(piece);
          clearInterval(timer);
          return void response.end();
        }, 300);
      },
    ],
    limits: { idleMs: 1000 },
    is: '|',
  },
  { that: 'A compressed answer is read.', answers: [zipped({ items: [] })], is: '|' },
  {
    that: 'One that grows when it is unpacked is cut.',
    answers: [zipped({ items: ['x'.repeat(5000)] })],
    limits: { bytesMax: 1000 },
    is: /holds an object of more than 64 MiB/,
  },
  {
    that: 'A page that is too large comes in smaller ones.',
    answers: [large, large, list(['a'])],
    limits: { bytesMax: 1000 },
    is: '|a',
    requests: 3,
  },
  {
    that: 'An object that is too large is said.',
    answers: [large],
    limits: { bytesMax: 1000 },
    is: /holds an object of more than 64 MiB/,
    requests: 3,
  },
  {
    that: 'A login page is no API server.',
    answers: [loginPage],
    is: /answers no JSON/,
  },
  {
    that: 'Who is not known is told so, with the context.',
    answers: [status(401, 'Unauthorized')],
    is: /\(context prod\) does not know who asks/,
    requests: 1,
  },
  {
    that: 'A 500 is its caller’s to judge.',
    answers: [status(500, 'conversion webhook failed')],
    is: /conversion webhook failed/,
  },
  { that: 'Another status is said.', answers: [status(418, 'tea')], is: /answers 418/ },
  {
    that: 'A 403 is its caller’s to judge.',
    answers: [status(403, 'pods is forbidden')],
    is: /pods is forbidden/,
  },
];

for (const { that, answers, limits = {}, is, requests: count } of rows)
  test(that, async (t) => {
    const { client, requests } = await asked(t, answers, { limits });
    if (typeof is === 'string') assert.equal(await read(client), is);
    else
      await assert.rejects(read(client), (error: ClusterFailure) => {
        assert.match(error.message, is);
        assert.doesNotMatch(`${error.message} ${error.because} ${error.hint}`, /secret-token/);
        return true;
      });
    if (count !== undefined) assert.equal(requests.length, count);
  });

test('Page by page the limit follows the size of the objects, and the token of the last page is sent.', async (t) => {
  const wide = json({
    metadata: { continue: 't1' },
    items: [{ metadata: { name: 'x'.repeat(600_000) } }],
  });
  const { client, requests } = await asked(t, [wide, list(['b'])]);
  await read(client);
  assert.deepEqual(
    requests.map(({ url }) => url),
    ['/below/api/v1/pods?limit=8', '/below/api/v1/pods?limit=1&continue=t1'],
  );
  assert.equal(requests[0]?.headers.authorization, 'Bearer secret-token');
});

test('Ctrl-C ends a request that hangs.', async (t) => {
  const interruption = new AbortController();
  const { client } = await asked(t, [() => interruption.abort()]);
  await assert.rejects(client.get('/version', interruption.signal), { name: 'AbortError' });
});

const fromPlugin = (script: string): object => ({
  exec: {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'sh',
    args: ['-c', script],
  },
});
const printed = (token: string): string =>
  `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'${token}'"}}'`;

test('A plugin runs once for all requests, and once more where the server refuses what it gave.', async (t) => {
  const answers: Answer[] = [json({}), status(401, 'expired'), json({}), status(401, 'expired')];
  const { client, requests } = await asked(t, answers, { user: fromPlugin(printed('$$')) });
  await client.get('/version', never);
  await client.get('/version', never);
  await assert.rejects(client.get('/version', never), /does not know who asks/);
  const tokens = requests.map(({ headers }) => headers.authorization);
  assert.equal(tokens[0], tokens[1]);
  assert.notEqual(tokens[1], tokens[2]);
  assert.equal(tokens[2], tokens[3]);
  assert.equal(requests.length, 4);
});

test('Who impersonates says so, group by group.', async (t) => {
  const user = { as: 'jane', 'as-groups': ['dev', 'ops'] };
  const { client, requests } = await asked(t, [json({})], { user });
  await client.get('/version', never);
  const headers = requests[0]?.headersDistinct;
  assert.deepEqual(headers?.['impersonate-user'], ['jane']);
  assert.deepEqual(headers?.['impersonate-group'], ['dev', 'ops']);
});

test('A password, and an older kubectl’s token while it is valid, are sent.', async (t) => {
  const basic = await asked(t, [json({})], { user: { token: '', username: 'u', password: 'p' } });
  await basic.client.get('/version', never);
  assert.equal(basic.requests[0]?.headers.authorization, `Basic ${btoa('u:p')}`);
  const provided = (exp: number): object => {
    const claims = Buffer.from(JSON.stringify({ exp })).toString('base64url');
    return {
      token: '',
      'auth-provider': { name: 'oidc', config: { 'id-token': `h.${claims}.s` } },
    };
  };
  const valid = await asked(t, [json({})], { user: provided(4e9) });
  await valid.client.get('/version', never);
  assert.match(valid.requests[0]?.headers.authorization ?? '', /^Bearer h\./);
  await assert.rejects(asked(t, [json({})], { user: provided(1e9) }), /has expired/);
});

test('A token of two lines is the kubeconfig’s fault, and no timer keeps the process alive.', async (t) => {
  const { client, requests } = await asked(t, [json({})], { user: { token: 'secret\ntoken' } });
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await assert.rejects(client.get('/version', never), (error: ClusterFailure) => {
    assert.equal(error.kind, 'config');
    assert.doesNotMatch(`${error.message} ${error.because}`, /secret/);
    return true;
  });
  assert.equal(timers(), before);
  assert.equal(requests.length, 0);
});
