import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { AuditEntry } from '../access/access.ts';
import { digestOf } from '../../tests/support/samples/digest.ts';
import type { HttpAnswer, HttpQuestion } from '../../tests/support/clients/http-exchange.ts';
import {
  administratorHeader,
  cachedRepository,
  ruleFor,
  startPullServer,
} from '../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../tests/support/rigs/pull-server.ts';
import { mediaTypes } from '../domain/manifests/media-type.ts';
import { RegistryError } from '../domain/errors.ts';
import { homeRegistry } from '../../tests/support/samples/home-registry.ts';
import type { RepositoryName } from '../domain/names/repository-name.ts';

const team = 'team/app';
const uploads = `/v2/${team}/blobs/uploads/`;
const layer = digestOf('layer');
const pushed = { ...cachedRepository, pushed: true };
const root = 'arn:aws:iam::000000000000:root';

/** As the administrator. */
function ask(server: PullServer, path: string, question: HttpQuestion = {}): Promise<HttpAnswer> {
  return server.ask(path, { ...question, headers: { Authorization: administratorHeader } });
}

/** A server whose pushes make their repositories, as the real ones do. */
async function start(...args: Parameters<typeof startPullServer>): Promise<PullServer> {
  const server = await startPullServer(...args);
  server.pushes.committing = (repository) => {
    if (server.repositories.has(repository)) return;
    server.repositories.set(repository, { ...pushed, createdAt: server.clock.now() });
    server.made.note({ registry: homeRegistry, repository });
  };
  return server;
}

const short = ({ kind, principal, action, resource, detail }: AuditEntry): unknown[] => [
  kind,
  principal,
  action,
  resource,
  detail,
];
const made = (by: string, name = team): unknown[] => [
  'change',
  root,
  'ecr:CreateRepository',
  name,
  { by },
];
const completed = (detail: object): unknown[] => [
  'change',
  root,
  'ecr:CompleteLayerUpload',
  team,
  detail,
];

suite('the audit is told of pushed blobs', () => {
  test('once for an upload, when it is finished, and of the repository that it made', async () => {
    await using server = await start([]);
    const place = String((await ask(server, uploads, { method: 'POST' })).headers.location);
    for (let times = 0; times < 3; times += 1)
      await ask(server, place, { method: 'PATCH', body: 'lay' });
    deepEqual(server.audited, []);
    await ask(server, `${place}?digest=${layer}`, { method: 'PUT', body: 'er' });
    deepEqual(server.audited.map(short), [made('push'), completed({ digest: layer })]);
  });

  test('for a whole blob', async () => {
    await using server = await start([]);
    server.repositories.set(team, pushed);
    await ask(server, `${uploads}?digest=${layer}`, { method: 'POST', body: 'layer' });
    deepEqual(server.audited.map(short), [completed({ digest: layer })]);
  });

  test('for a mount, with its source, and not for one that came to nothing', async () => {
    await using server = await start([]);
    server.repositories.set(team, pushed);
    server.pushes.sources = ['team/base' as RepositoryName];
    await ask(server, `${uploads}?mount=${layer}&from=team/none`, { method: 'POST' });
    deepEqual(server.audited, []);
    await ask(server, `${uploads}?mount=${layer}&from=team/base`, { method: 'POST' });
    const detail = { digest: layer, mountedFrom: 'team/base' };
    deepEqual(server.audited.map(short), [completed(detail)]);
  });

  test('not for a mount where BLOB_MOUNTING is DISABLED: the blob is uploaded', async () => {
    await using server = await start([]);
    server.repositories.set(team, pushed);
    server.pushes.sources = ['team/base' as RepositoryName];
    server.registrySettings.set('account/BLOB_MOUNTING', 'DISABLED');
    const answer = await ask(server, `${uploads}?mount=${layer}&from=team/base`, {
      method: 'POST',
    });
    equal(answer.status, 202);
    deepEqual(server.audited, []);
  });

  test('not for one that failed', async () => {
    await using server = await start([]);
    server.pushes.failure = new RegistryError('storageFull', 'full');
    await ask(server, `${uploads}?digest=${layer}`, { method: 'POST', body: 'layer' });
    deepEqual(server.audited, []);
  });
});

suite('the audit is told of a repository that is made', () => {
  test('by a manifest', async () => {
    await using server = await start([]);
    await ask(server, `/v2/${team}/manifests/1`, { method: 'PUT', body: '{}' });
    deepEqual(
      server.audited.map(({ action }) => action),
      ['ecr:CreateRepository', 'ecr:PutImage'],
    );
  });

  test('once, when many pushes make it together, and again when it is made again', async () => {
    await using server = await start([]);
    const put = (): Promise<HttpAnswer> =>
      ask(server, `${uploads}?digest=${layer}`, { method: 'POST', body: 'layer' });
    const count = (): number =>
      server.audited.filter(({ action }) => action === 'ecr:CreateRepository').length;
    const { committing } = server.pushes;
    let waiting = 0;
    const all = Promise.withResolvers<void>();
    server.pushes.committing = async (repository) => {
      waiting += 1;
      if (waiting === 4) all.resolve();
      await all.promise;
      await committing(repository);
    };
    await Promise.all([put(), put(), put(), put()]);
    equal(count(), 1);
    await put();
    equal(count(), 1);
    server.repositories.delete(team);
    server.clock.advance(20_000);
    await put();
    equal(count(), 2);
  });

  const name = 'docker.io/library/nginx';
  const path = `/v2/${name}/manifests/latest`;
  const rule = ruleFor('docker.io', 'docker.io');

  /** A server whose cache says that it missed a manifest, the repository having been made at that moment, or a second before. */
  async function pulled(agoMs: number, setClockBackMs = 0): Promise<PullServer> {
    const server = await start([rule]);
    server.clock.advance(5000);
    server.cache.addManifest(name, 'latest', mediaTypes.ociManifest, '{}');
    server.cache.outcome = { verdict: 'miss' };
    server.repositories.set(name, { ...cachedRepository, createdAt: server.clock.now() });
    server.made.note({ registry: homeRegistry, repository: name as RepositoryName });
    server.clock.advance(agoMs);
    server.clock.setNow(server.clock.now() - setClockBackMs);
    equal((await server.ask(path)).status, 200);
    return server;
  }

  test('by a first pull, whoever pulls', async () => {
    await using server = await pulled(0);
    const [entry] = server.audited;
    deepEqual(
      [entry?.principal, entry?.action, entry?.resource, entry?.detail],
      ['anonymous', 'ecr:CreateRepository', name, { by: 'pull' }],
    );
    equal((await ask(server, path)).status, 200);
    await ask(server, '/v2/');
    equal(server.audited.length, 1);
  });

  const later: readonly (readonly [name: string, setClockBackMs: number])[] = [
    ['not by a later pull', 0],
    ['nor by one after the clock was set back beyond its making', 3_600_000],
  ];
  for (const [title, setClockBackMs] of later)
    test(title, async () => {
      await using server = await pulled(1000, setClockBackMs);
      await ask(server, '/v2/');
      deepEqual(server.audited, []);
    });

  test('by a first pull during which the clock was set back', async () => {
    await using server = await start([rule]);
    server.cache.addManifest(name, 'latest', mediaTypes.ociManifest, '{}');
    server.cache.outcome = { verdict: 'miss' };
    const pullManifest = server.cache.pullManifest.bind(server.cache);
    server.cache.pullManifest = async (request, signal) => {
      server.clock.setNow(server.clock.now() - 60_000);
      server.made.note({ registry: homeRegistry, repository: name as RepositoryName });
      return pullManifest(request, signal);
    };
    equal((await server.ask(path)).status, 200);
    deepEqual(
      server.audited.map(({ action }) => action),
      ['ecr:CreateRepository'],
    );
  });
});

suite("the audit is told of what a rule's settings refuse", () => {
  const rule = ruleFor('docker.io', 'docker.io', { deny: ['library/nginx:old'] });
  const old = '/v2/docker.io/library/nginx/manifests/old';
  const rows: readonly (readonly [method: string, path: string, action: string])[] = [
    ['GET', old, 'ecr:BatchGetImage'],
    ['PUT', old, 'ecr:PutImage'],
  ];
  for (const [method, path, action] of rows) {
    test(`${method} of what its patterns deny`, async () => {
      await using server = await start([rule]);
      const answer = await ask(server, path, method === 'PUT' ? { method, body: '{}' } : {});
      equal(answer.status, 403);
      const because = 'the rule docker.io does not allow this';
      deepEqual(server.audited.map(short), [
        ['denial', root, action, 'docker.io/library/nginx', { because }],
      ]);
    });
  }

  const pushes: readonly (readonly [method: string, path: string, action: string])[] = [
    ['PUT', `/v2/${team}/manifests/1`, 'ecr:PutImage'],
    ['POST', uploads, 'ecr:InitiateLayerUpload'],
    ['POST', `${uploads}?digest=${layer}`, 'ecr:CompleteLayerUpload'],
  ];
  for (const [method, path, action] of pushes) {
    test(`a push that it does not take: ${method} ${path.slice(0, 50)}`, async () => {
      await using server = await start([]);
      server.pushes.failure = new RegistryError('denied', 'the rule up does not take pushes');
      equal((await ask(server, path, { method, body: 'x' })).status, 403);
      deepEqual(
        server.audited.map(({ kind, action: told }) => [kind, told]),
        [['denial', action]],
      );
    });
  }
});
