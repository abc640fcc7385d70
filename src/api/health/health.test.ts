import { deepEqual, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { createHealthHandler } from './health.ts';

const clock = createFakeClock();
const fine = { name: 'storage', check: () => undefined };
const bad = { name: 'draining', check: () => Promise.reject(new Error('the server\nstops')) };
const hung = { name: 'database', check: () => new Promise<void>(() => undefined) };
const handler = createHealthHandler({
  live: [fine],
  ready: [fine, bad],
  startup: [hung, fine],
  metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
  clock,
});

function ask(
  path: string,
  query = '',
  method = 'GET',
  over: Partial<Incoming> = {},
): Reply | Promise<Reply> {
  const request: Incoming = {
    id: '1',
    method,
    path,
    query,
    headers: {},
    clientAddress: '127.0.0.1',
    secure: false,
    host: 'localhost:5001',
    isLoopback: true,
    isProxied: false,
    rawHeaders: [],
    ...over,
    signal: AbortSignal.abort(),
    bodyBytes: undefined,
    body: (async function* () {})(),
    readBody: () => Promise.reject(new Error('no body')),
    readCall: () => Promise.reject(new Error('no body')),
  };
  return handler(request);
}

suite('health', () => {
  const rows: readonly (readonly [path: string, query: string, status: number, body: string])[] = [
    ['/livez', '', 200, 'ok\n'],
    ['/livez', 'verbose', 200, '[+] storage ok\nok\n'],
    ['/readyz', '', 503, '[+] storage ok\n[-] draining failed: the server stops\nfailed\n'],
    ['/readyz', 'exclude=draining', 200, 'ok\n'],
    [
      '/readyz',
      'verbose&exclude=draining&exclude=storage',
      200,
      '[+] storage excluded\n[+] draining excluded\nok\n',
    ],
    ['/metrics', '', 200, 'up 1\n'],
  ];
  for (const [path, query, status, body] of rows) {
    test(`${path}?${query} is ${status}`, async () => {
      const reply = await ask(path, query);
      deepEqual([reply.status, reply.body], [status, body]);
    });
  }

  const foreign = { host: 'evil.example', isLoopback: false };
  const hosts: readonly (readonly [
    name: string,
    path: string,
    over: Partial<Incoming>,
    status: number,
  ])[] = [
    ['a foreign name that leads to loopback', '/metrics', foreign, 421],
    ['a client elsewhere', '/metrics', { ...foreign, clientAddress: '192.0.2.7' }, 200],
    ['a probe by whatever name', '/livez', foreign, 200],
  ];
  for (const [name, path, over, status] of hosts)
    test(`${name} gets ${status} of ${path}`, async () => {
      equal((await ask(path, '', 'GET', over)).status, status);
    });

  test('a check that never answers has failed after 2 s', async () => {
    const reply = ask('/startupz');
    clock.advance(2000);
    equal((await reply).status, 503);
    match(JSON.stringify(await reply), /database failed: no answer within 2000 ms/);
  });

  test('other paths are 404, other methods 405', async () => {
    equal((await ask('/v2/')).status, 404);
    const reply = await ask('/livez', '', 'POST');
    deepEqual([reply.status, reply.headers['Allow']], [405, 'GET, HEAD']);
  });
});
