// What a page of a foreign site can make a browser on this machine ask for: with a password that the browser keeps, or by a name of
// its own that leads to loopback.
import { deepEqual, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  administratorHeader,
  cachedRepository,
  startPullServer,
} from '../../../tests/support/rigs/pull-server.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';

const team = 'team/app';
const zeros = `sha256:${'0'.repeat(64)}`;
const codeOf = (text: string): unknown =>
  (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code;

suite('a write that a foreign page makes is refused', () => {
  const writes: readonly (readonly [method: string, path: string])[] = [
    ['POST', `/v2/${team}/blobs/uploads/?mount=${zeros}&from=team/secret`],
    ['POST', `/v2/${team}/blobs/uploads/?digest=${zeros}`],
    ['POST', `/v2/${team}/blobs/uploads/`],
    ['PATCH', `/v2/${team}/blobs/uploads/an-upload`],
    ['PUT', `/v2/${team}/blobs/uploads/an-upload?digest=${zeros}`],
    ['PUT', `/v2/${team}/manifests/1`],
    ['DELETE', `/v2/${team}/manifests/1`],
    ['DELETE', `/v2/${team}/blobs/${zeros}`],
    ['DELETE', `/v2/${team}/blobs/uploads/an-upload`],
    ['POST', '/v2/token'],
  ];
  const signs: readonly Readonly<Record<string, string>>[] = [
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: 'http://evil.example' },
    { Origin: 'null' },
  ];
  for (const [method, path] of writes) {
    test(`${method} ${path}`, async () => {
      await using server = await startPullServer([]);
      server.repositories.set(team, { ...cachedRepository, pushed: true });
      for (const sign of signs) {
        const headers = { Authorization: administratorHeader, ...sign };
        const answer = await server.ask(path, { method, headers });
        deepEqual([answer.status, codeOf(answer.text)], [403, 'DENIED'], JSON.stringify(sign));
        match(answer.text, /other sites/);
      }
      deepEqual(server.pushes.calls, []);
      const told = server.audited.filter(({ kind }) => kind === 'denial');
      equal(told.length, path === '/v2/token' ? 0 : signs.length, 'the audit is told');
    });
  }

  test('one of our own page, of a client of registries, and any read are not', async () => {
    await using server = await startPullServer([]);
    server.repositories.set(team, { ...cachedRepository, pushed: true });
    server.cache.addManifest(team, '1', mediaTypes.ociManifest, '{}');
    const begin = `/v2/${team}/blobs/uploads/`;
    for (const sign of [{}, { 'Sec-Fetch-Site': 'same-origin' }, { Origin: 'http://a:1' }]) {
      const headers = { Authorization: administratorHeader, Host: 'a:1', ...sign };
      equal((await server.ask(begin, { method: 'POST', headers })).status, 202);
    }
    const headers = { Authorization: administratorHeader, 'Sec-Fetch-Site': 'cross-site' };
    equal((await server.ask(`/v2/${team}/manifests/1`, { headers })).status, 200);
  });

  test('a read fetches nothing new with the password that the browser keeps', async () => {
    await using server = await startPullServer();
    const path = '/v2/docker.io/library/new/manifests/1';
    for (const sign of signs) {
      const headers = { Authorization: administratorHeader, ...sign };
      const answer = await server.ask(path, { headers });
      deepEqual([answer.status, codeOf(answer.text)], [403, 'DENIED'], JSON.stringify(sign));
    }
    deepEqual(
      server.cache.heldOnly,
      signs.map(() => true),
    );
  });

  test('who is not known is told that first', async () => {
    await using server = await startPullServer([]);
    const headers = { Authorization: 'Basic bm86Ym9keQ==', Origin: 'http://evil.example' };
    const answer = await server.ask(`/v2/${team}/blobs/uploads/`, { method: 'POST', headers });
    equal(answer.status, 401);
  });
});

suite('loopback has its rights by address and by Host, and gives none to foreign pages', () => {
  const rows: readonly (readonly [
    name: string,
    headers: Readonly<Record<string, string>>,
    may: boolean,
  ])[] = [
    ['localhost', { Host: 'localhost:5000' }, true],
    ['127.0.0.1', { Host: '127.0.0.1:5000' }, true],
    ['::1', { Host: '[::1]:5000' }, true],
    ['a registry under localhost', { Host: '000000000000.dkr.ecr.us-east-1.localhost' }, true],
    ['a foreign name', { Host: 'evil.example' }, false],
    [
      'a foreign name of ECR’s form',
      { Host: '000000000000.dkr.ecr.us-east-1.evil.example' },
      false,
    ],
    ['a proxy that is not known', { Host: 'localhost', 'X-Forwarded-For': '203.0.113.9' }, false],
    ['a proxy that says Via', { Host: 'localhost', Via: '1.1 p' }, false],
    ['a proxy that says Forwarded', { Host: 'localhost', Forwarded: 'for=1.2.3.4' }, false],
    ['a person in a browser', { Host: 'localhost', 'Sec-Fetch-Site': 'none' }, true],
    ['a page of this server', { Host: 'localhost', 'Sec-Fetch-Site': 'same-origin' }, true],
    ['a page of another site', { Host: 'localhost', 'Sec-Fetch-Site': 'cross-site' }, false],
    ['a page of another port', { Host: '127.0.0.1', 'Sec-Fetch-Site': 'same-site' }, false],
    ['a script of another site', { Host: 'localhost', Origin: 'http://evil.example' }, false],
  ];
  for (const [name, headers, may] of rows) {
    test(`${name} ${may ? 'may' : 'may not'} import and list as anonymous`, async () => {
      await using server = await startPullServer();
      await server.ask('/v2/docker.io/library/new/manifests/1', { headers });
      deepEqual(server.cache.heldOnly, [!may]);
      const issued = await server.ask('/v2/token?scope=registry:catalog:*', { headers });
      const { token } = JSON.parse(issued.text) as { token: string };
      const listed = await server.ask('/v2/_catalog', {
        headers: { ...headers, Authorization: `Bearer ${token}` },
      });
      const isEcr = headers['Host']?.includes('dkr.ecr') === true;
      if (!isEcr) equal(listed.status, may ? 200 : 403);
    });
  }
});
