import { deepEqual, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { HttpAnswer, HttpQuestion } from '../../../tests/support/clients/http-exchange.ts';
import {
  administratorHeader,
  cachedRepository,
  ruleFor,
  startPullServer,
  userHeader,
} from '../../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../../tests/support/rigs/pull-server.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const team = 'team/app';
const base = 'team/base';
const uploads = `/v2/${team}/blobs/uploads/`;
const layer = digestOf('layer');
const pushed = { ...cachedRepository, pushed: true };
const administrator = { headers: { Authorization: administratorHeader } };
const alice = { headers: { Authorization: userHeader('alice') } };
const wholeBlob = { method: 'POST', body: 'layer' };
const [start, part, finish] = [
  'ecr:InitiateLayerUpload',
  'ecr:UploadLayerPart',
  'ecr:CompleteLayerUpload',
];
const readActions = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];
const codeOf = (text: string): unknown =>
  (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code;

/** A server with the two repositories, which alice may read; she may do the actions too, and none that is denied. */
async function startWith(
  allowed: readonly string[],
  denied: readonly string[] = [],
  rules: readonly PullRule[] = [],
): Promise<PullServer> {
  const server = await startPullServer(rules);
  for (const name of [team, base]) server.repositories.set(name, pushed);
  server.pushes.sources = [base as RepositoryName];
  const statement = (Effect: string, Action: readonly string[]): object[] =>
    Action.length === 0 ? [] : [{ Effect, Action, Resource: '*' }];
  const Statement = [
    ...statement('Allow', [...readActions, ...allowed]),
    ...statement('Deny', denied),
  ];
  server.identityPolicies.set('alice', JSON.stringify({ Version: '2012-10-17', Statement }));
  return server;
}

/** With a registry token of these scopes, asked for by the administrator. */
async function askScoped(
  server: PullServer,
  scopes: readonly string[],
  path: string,
  question: HttpQuestion = {},
): Promise<HttpAnswer> {
  const query = scopes.map((scope) => `scope=${scope}`).join('&');
  const answer = await server.ask(`/v2/token?${query}`, administrator);
  const { token } = JSON.parse(answer.text) as { token: string };
  return server.ask(path, { ...question, headers: { Authorization: `Bearer ${token}` } });
}

const repositoriesOf = (answer: HttpAnswer): unknown =>
  (JSON.parse(answer.text) as { repositories: unknown }).repositories;

suite('8. A blob in one request needs the rights of all that it does', () => {
  const all = [start, part, finish];
  for (const missing of all) {
    test(`without ${missing} it is 403, and nothing is stored`, async () => {
      await using server = await startWith(all, [missing]);
      const answer = await server.ask(`${uploads}?digest=${layer}`, { ...alice, ...wholeBlob });
      deepEqual([answer.status, codeOf(answer.text)], [403, 'DENIED']);
      deepEqual(server.pushes.calls, []);
    });
  }

  test('with all three it is 201', async () => {
    await using server = await startWith(all);
    const answer = await server.ask(`${uploads}?digest=${layer}`, { ...alice, ...wholeBlob });
    equal(answer.status, 201);
  });

  test('a digest without a body begins an upload by its own right', async () => {
    await using server = await startWith([start]);
    const path = `${uploads}?digest=${layer}`;
    equal((await server.ask(path, { ...alice, method: 'POST' })).status, 202);
  });

  for (const missing of [part, finish]) {
    test(`a mount without ${missing} begins an upload`, async () => {
      await using server = await startWith(all, [missing]);
      for (const from of [`&from=${base}`, '']) {
        const path = `${uploads}?mount=${layer}${from}`;
        equal((await server.ask(path, { ...alice, method: 'POST' })).status, 202);
      }
      equal(server.pushes.calls.filter((call) => call.startsWith('mountBlob')).length, 0);
    });
  }

  test('a mount with all three needs no byte', async () => {
    await using server = await startWith(all);
    const path = `${uploads}?mount=${layer}&from=${base}`;
    equal((await server.ask(path, { ...alice, method: 'POST' })).status, 201);
  });

  test('an upload whose repository went away needs the right to make it anew', async () => {
    await using server = await startWith(all);
    const begun = await server.ask(uploads, { ...alice, method: 'POST' });
    server.repositories.delete(team);
    server.clock.advance(10_001);
    const end = `${String(begun.headers.location)}?digest=${layer}`;
    equal((await server.ask(end, { ...alice, method: 'PUT', body: 'layer' })).status, 403);
  });
});

suite("8. A token's scopes hold for all that a request reads", () => {
  const own = `repository:${team}:pull,push`;
  const mount = `${uploads}?mount=${layer}&from=${base}`;

  test('a mount from beyond them asks for a token that reaches it, from within it needs no byte', async () => {
    await using server = await startWith([]);
    const post = { method: 'POST' };
    const source = `repository:${base}:pull`;
    for (const path of [mount, `${uploads}?mount=${layer}`]) {
      const narrow = await askScoped(server, [own], path, post);
      equal(narrow.status, 401);
      const challenge = String(narrow.headers['www-authenticate']);
      match(challenge, /error="insufficient_scope"/);
      match(challenge, /scope="repository:team\/app:pull,push repository:team\/base:pull"/);
      equal((await askScoped(server, [own, source], path, post)).status, 201);
    }
  });

  test('the challenge of a mount asks for its source too', async () => {
    await using server = await startWith([]);
    const answer = await server.ask(mount, { method: 'POST' });
    equal(answer.status, 401);
    match(
      String(answer.headers['www-authenticate']),
      /scope="repository:team\/app:pull,push repository:team\/base:pull"$/,
    );
  });

  test('the catalog has what they hold', async () => {
    await using server = await startWith([]);
    const ask = (...scopes: string[]): Promise<HttpAnswer> =>
      askScoped(server, scopes, '/v2/_catalog');
    deepEqual(repositoriesOf(await ask(own)), [team]);
    deepEqual(repositoriesOf(await ask('registry:catalog:*')), [team, base]);
  });

  test('a token that can list nothing is 401, and so is nobody: both are told what to ask for', async () => {
    await using server = await startWith([]);
    const scope = 'scope="registry:catalog:*"';
    const narrow = await askScoped(server, [], '/v2/_catalog');
    equal(narrow.status, 401);
    match(
      String(narrow.headers['www-authenticate']),
      new RegExp(`${RegExp.escape(scope)},error="insufficient_scope"$`),
    );
    const nobody = await server.ask('/v2/_catalog');
    equal(nobody.status, 401);
    match(String(nobody.headers['www-authenticate']), new RegExp(`${RegExp.escape(scope)}$`));
  });
});

suite('10. A push imports nothing for whom may not', () => {
  const rule = ruleFor('pub', 'example.com', { push: true });
  const path = '/v2/pub/app/manifests/1';
  const put = { ...alice, method: 'PUT', body: '{"schemaVersion":2}' };
  const allowed = ['ecr:PutImage', 'ecr:CreateRepository', 'ecr:BatchImportUpstreamImage'];

  test('what upstream alone has is missing, and the audit says why', async () => {
    await using server = await startWith(allowed, ['ecr:BatchImportUpstreamImage'], [rule]);
    server.pushes.needsImport = true;
    const answer = await server.ask(path, put);
    deepEqual([answer.status, codeOf(answer.text)], [404, 'MANIFEST_BLOB_UNKNOWN']);
    const entry = server.audited.at(-1);
    deepEqual([entry?.kind, entry?.action], ['denial', 'ecr:BatchImportUpstreamImage']);
    server.pushes.needsImport = false;
    equal((await server.ask(path, put)).status, 201);
  });

  test('with the right it is taken', async () => {
    await using server = await startWith(allowed, [], [rule]);
    server.pushes.needsImport = true;
    equal((await server.ask(path, put)).status, 201);
  });
});

suite("11. The rule's patterns are asked for every way in that writes", () => {
  const digest = digestOf('{}');
  const den = ruleFor('den', 'example.com', {
    push: true,
    deny: ['lib/secret', 'lib/other:prod*'],
  });

  test('a mount from a repository that they deny begins an upload', async () => {
    await using server = await startWith([], [], [den]);
    server.pushes.sources = ['den/lib/secret', 'den/lib/app'] as RepositoryName[];
    const from = (name: string): Promise<HttpAnswer> =>
      server.ask(`${uploads}?mount=${layer}&from=${name}`, { ...administrator, method: 'POST' });
    equal((await from('den/lib/secret')).status, 202);
    equal((await from('den/lib/app')).status, 201);
    server.pushes.sources = ['den/lib/secret' as RepositoryName];
    const path = `${uploads}?mount=${layer}`;
    equal((await server.ask(path, { ...administrator, method: 'POST' })).status, 202);
  });

  test('the catalog leaves out what they deny', async () => {
    await using server = await startWith([], [], [den]);
    for (const name of ['den/lib/secret', 'den/lib/app']) server.repositories.set(name, pushed);
    const answer = await server.ask('/v2/_catalog', administrator);
    deepEqual(repositoriesOf(answer), ['den/lib/app', team, base]);
  });

  const puts: readonly (readonly [query: string, status: number])[] = [
    ['?tag=prod1', 403],
    ['?tag=test&tag=prod1', 403],
    ['?tag=test', 201],
    ['', 201],
  ];
  for (const [query, status] of puts) {
    test(`a manifest by digest${query} is ${status}`, async () => {
      await using server = await startWith([], [], [den]);
      const path = `/v2/den/lib/other/manifests/${digest}${query}`;
      const answer = await server.ask(path, { ...administrator, method: 'PUT', body: '{}' });
      equal(answer.status, status);
    });
  }

  test('an upload that was begun before they denied it goes no further', async () => {
    await using server = await startWith([], [], [den]);
    const secret = '00000000-0000-4000-8000-000000000000';
    server.pushes.uploads.set(secret, 0);
    const place = `/v2/den/lib/secret/blobs/uploads/${secret}`;
    for (const method of ['PATCH', 'PUT']) {
      const question = { ...administrator, method, body: 'layer' };
      equal((await server.ask(`${place}?digest=${layer}`, question)).status, 403);
    }
    equal((await server.ask(place, { ...administrator, method: 'DELETE' })).status, 204);
  });
});

suite('9. What was pushed is not for everyone from its answer on', () => {
  test('however long the push took', async () => {
    const open = ruleFor('pub', 'example.com', { push: true });
    await using server = await startWith([], [], [open]);
    const name = 'pub/app';
    server.repositories.set(name, cachedRepository);
    server.cache.addManifest(name, '1', mediaTypes.ociManifest, '{}');
    const path = `/v2/${name}/manifests/1`;
    server.pushes.committing = async () => {
      server.clock.advance(12_500);
      equal((await server.ask(path)).status, 200);
      server.repositories.set(name, pushed);
    };
    const put = { ...administrator, method: 'PUT', body: '{"schemaVersion":2}' };
    equal((await server.ask(path, put)).status, 201);
    equal((await server.ask(path)).status, 401);
  });
});
