import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { HttpAnswer, HttpQuestion } from '../../../tests/support/clients/http-exchange.ts';
import {
  cachedRepository,
  credentialed,
  ruleFor,
  startPullServer,
  userHeader,
} from '../../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../../tests/support/rigs/pull-server.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';

const nginx = 'docker.io/library/nginx';
const text = '{"schemaVersion":2}';
const path = `/v2/${nginx}/manifests/latest`;

async function prepared(...args: Parameters<typeof startPullServer>): Promise<PullServer> {
  const server = await startPullServer(...args);
  server.cache.addManifest(nginx, 'latest', mediaTypes.ociManifest, text);
  return server;
}

const alice = 'arn:aws:iam::000000000000:user/alice';

/** The headers that say something of the answer, and not of the moment. */
function toldBy({ headers }: HttpAnswer): Record<string, unknown> {
  const names = Object.keys(headers).filter((name) => name !== 'date' && name !== 'x-request-id');
  return Object.fromEntries(names.map((name) => [name, headers[name]]));
}

suite('A manifest in memory is answered as any other', () => {
  type Row = readonly [name: string, question: HttpQuestion, status: number];
  const headers = (given: Readonly<Record<string, string>>): HttpQuestion => ({ headers: given });
  const rows: readonly Row[] = [
    ['a GET', {}, 200],
    ['a HEAD', { method: 'HEAD' }, 200],
    ['what the client has', headers({ 'If-None-Match': '*' }), 304],
    ['a span', headers({ Range: 'bytes=2-5' }), 206],
    ['a span beyond its end', headers({ Range: 'bytes=99-' }), 416],
    ['a user who may pull', headers({ Authorization: userHeader('alice') }), 200],
    ['wrong credentials', headers({ Authorization: 'Basic eDp5' }), 401],
  ];
  for (const [name, question, status] of rows) {
    test(`${name} is ${status}`, async () => {
      await using server = await prepared();
      const cold = await server.ask(path, question);
      server.cache.warm = true;
      const calls = server.cache.calls.length;
      // The second one may be the reply of the first one.
      for (const warm of [await server.ask(path, question), await server.ask(path, question)]) {
        deepEqual([warm.status, warm.text, toldBy(warm)], [status, cold.text, toldBy(cold)]);
      }
      equal(server.cache.calls.length, calls);
      const notes = server.served.map(({ reply }) => reply.note);
      deepEqual(notes, [notes[0], notes[0], notes[0]]);
      const users = new Set(server.served.map(({ reply }) => reply.principal));
      deepEqual([...users], [name.startsWith('a user') ? alice : undefined]);
    });
  }

  test('its note is one object from the second answer on, whatever is left of its freshness', async () => {
    await using server = await prepared();
    server.cache.warm = true;
    const user = { headers: { Authorization: userHeader('alice') } };
    const statuses: unknown[] = [];
    for (const ttlSeconds of [9, 9, 9, 8, 7]) {
      server.cache.outcome = { verdict: 'hit', ttlSeconds };
      const { headers } = await server.ask(path, ttlSeconds === 8 ? user : {});
      statuses.push(headers['cache-status']);
    }
    const replies = server.served.map(({ reply }) => reply);
    deepEqual(
      replies.map(({ repeats }) => repeats === true),
      [false, true, true, true, true],
    );
    equal(new Set(replies.map(({ note }) => note)).size, 1);
    equal(statuses.at(-1), 'Breakwater; hit; ttl=7');
  });

  test('asked by tag and by digest in turn it has two notes, and none is one to keep', async () => {
    await using server = await prepared();
    const digest = server.cache.addManifest(nginx, 'latest', mediaTypes.ociManifest, text);
    server.cache.warm = true;
    const references = ['latest', digest, 'latest', digest];
    for (const reference of references) await server.ask(`/v2/${nginx}/manifests/${reference}`);
    deepEqual(
      server.served.map(({ reply }) => [reply.note.reference, reply.repeats]),
      references.map((reference) => [reference, false]),
    );
  });

  test('whom no policy lets in is refused, and the audit told each time', async () => {
    await using server = await prepared([ruleFor('docker.io', 'docker.io', credentialed)]);
    server.repositories.set(nginx, { ...cachedRepository, private: true });
    server.cache.warm = true;
    const alice = { headers: { Authorization: userHeader('alice') } };
    for (const question of [{}, {}, alice, alice])
      equal((await server.ask(path, question)).status, question === alice ? 404 : 401);
    deepEqual(
      server.audited.map(({ action, outcome }) => `${action} ${outcome}`),
      Array.from({ length: 4 }, () => 'ecr:BatchGetImage denied'),
    );
  });

  test('the patterns of its rule hold for it', async () => {
    await using server = await prepared([
      ruleFor('docker.io', 'docker.io', { deny: ['library/nginx'] }),
    ]);
    server.cache.warm = true;
    equal((await server.ask(path)).status, 403);
  });

  test('who may import nothing gets it too', async () => {
    await using server = await prepared([ruleFor('docker.io', 'docker.io')]);
    server.settings = { ...server.settings, anonymousImport: false };
    server.repositories.set(nginx, cachedRepository);
    server.cache.warm = true;
    equal((await server.ask(path)).status, 200);
  });

  test('what breaks while it is answered is 500, and told', async () => {
    await using server = await prepared();
    server.cache.warm = true;
    server.cache.peekManifest = () => {
      throw new Error('no');
    };
    equal((await server.ask(path)).status, 500);
    equal(server.failures.length, 1);
  });
});
