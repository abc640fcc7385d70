import { deepEqual, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  administratorHeader,
  cachedRepository,
  startPullServer,
  userHeader,
} from '../../../tests/support/rigs/pull-server.ts';
import type { PullServer } from '../../../tests/support/rigs/pull-server.ts';
import type { HttpAnswer, HttpQuestion } from '../../../tests/support/clients/http-exchange.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const team = 'team/app';
const uploads = `/v2/${team}/blobs/uploads/`;
const layer = digestOf('layer');
const codeOf = (text: string): unknown =>
  (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code;

/** As the administrator. */
function ask(server: PullServer, path: string, question: HttpQuestion = {}): Promise<HttpAnswer> {
  const headers = { Authorization: administratorHeader, ...question.headers };
  return server.ask(path, { ...question, headers });
}

/** The Location of an upload that was just begun. */
async function begin(server: PullServer): Promise<string> {
  return String((await ask(server, uploads, { method: 'POST' })).headers.location);
}

suite('12. A push answers only what is on the disk', () => {
  test('an upload begins with 202, its place and an empty range', async () => {
    await using server = await startPullServer([]);
    const answer = await ask(server, uploads, { method: 'POST' });
    equal(answer.status, 202);
    match(String(answer.headers.location), /^\/v2\/team\/app\/blobs\/uploads\/[0-9a-f-]{36}$/);
    equal(answer.headers.range, '0-0');
    equal(answer.headers['content-length'], '0');
    deepEqual(server.pushes.calls, [`requirePush ${team}`, `startUpload ${team} sha256`]);
  });

  test('the place keeps the form in which it was asked', async () => {
    await using server = await startPullServer([]);
    const answer = await ask(server, '/team/v2/app/blobs/uploads/', { method: 'POST' });
    match(String(answer.headers.location), /^\/team\/v2\/app\/blobs\/uploads\//);
  });

  test('digest-algorithm is passed on', async () => {
    await using server = await startPullServer([]);
    await ask(server, `${uploads}?digest-algorithm=sha512`, { method: 'POST' });
    equal(server.pushes.calls.at(-1), `startUpload ${team} sha512`);
  });

  test('a POST with a digest and a body is the whole blob', async () => {
    await using server = await startPullServer([]);
    const answer = await ask(server, `${uploads}?digest=${layer}`, {
      method: 'POST',
      body: 'layer',
    });
    deepEqual(
      [answer.status, answer.headers.location, answer.headers['docker-content-digest']],
      [201, `/v2/${team}/blobs/${layer}`, layer],
    );
  });

  test('a POST with a digest and no body begins an upload, but for the empty blob', async () => {
    await using server = await startPullServer([]);
    const begun = await ask(server, `${uploads}?digest=${layer}`, { method: 'POST' });
    const empty = await ask(server, `${uploads}?digest=${digestOf('')}`, { method: 'POST' });
    deepEqual([begun.status, empty.status], [202, 201]);
  });

  test('what is begun is counted for whoever begins it', async () => {
    await using server = await startPullServer([]);
    await ask(server, uploads, { method: 'POST' });
    await ask(server, `${uploads}?digest=${layer}`, { method: 'POST', body: 'layer' });
    const root = 'arn:aws:iam::000000000000:root';
    deepEqual(server.pushes.owners, [root, root]);
  });

  test('chunks, status and end', async () => {
    await using server = await startPullServer([]);
    const place = await begin(server);
    const first = await ask(server, place, {
      method: 'PATCH',
      body: 'lay',
      headers: { 'Content-Range': '0-2' },
    });
    deepEqual([first.status, first.headers.range], [202, '0-2']);
    const status = await ask(server, place);
    deepEqual([status.status, status.headers.range, status.headers.location], [204, '0-2', place]);
    const end = await ask(server, `${place}?digest=${layer}`, { method: 'PUT', body: 'er' });
    equal(end.status, 201);
    equal((await ask(server, place)).status, 404);
  });

  for (const method of ['PATCH', 'PUT']) {
    test(`a ${method} out of its place is 416 with Location and Range`, async () => {
      await using server = await startPullServer([]);
      const place = await begin(server);
      await ask(server, place, { method: 'PATCH', body: 'abc' });
      const answer = await ask(server, `${place}?digest=${layer}`, {
        method,
        body: 'xyz',
        headers: { 'Content-Range': '7-9' },
      });
      deepEqual(
        [answer.status, answer.headers.location, answer.headers.range, codeOf(answer.text)],
        [416, place, '0-2', 'BLOB_UPLOAD_INVALID'],
      );
    });
  }

  for (const range of ['3-1', 'a-b', '-5', '5-', 'bytes', '1-2,3-4', `${'9'.repeat(20)}-1`]) {
    test(`Content-Range: ${range} is 400 and names the field`, async () => {
      await using server = await startPullServer([]);
      const place = await begin(server);
      const headers = { 'Content-Range': range };
      const answer = await ask(server, place, { method: 'PATCH', body: 'abc', headers });
      deepEqual([answer.status, codeOf(answer.text)], [400, 'BLOB_UPLOAD_INVALID']);
      match(answer.text, /Content-Range/);
    });
  }

  test('an end without a digest is 400', async () => {
    await using server = await startPullServer([]);
    const answer = await ask(server, await begin(server), { method: 'PUT' });
    deepEqual([answer.status, codeOf(answer.text)], [400, 'DIGEST_INVALID']);
  });

  test('a cancelled upload is gone', async () => {
    await using server = await startPullServer([]);
    const place = await begin(server);
    equal((await ask(server, place, { method: 'DELETE' })).status, 204);
    equal(codeOf((await ask(server, place, { method: 'DELETE' })).text), 'BLOB_UPLOAD_UNKNOWN');
  });

  test('a mount needs no byte, a source that has nothing begins an upload', async () => {
    await using server = await startPullServer([]);
    server.pushes.sources = ['team/base' as RepositoryName];
    const from = `${uploads}?mount=${layer}&from=`;
    equal((await ask(server, `${from}team/base`, { method: 'POST' })).status, 201);
    equal((await ask(server, `${from}team/none`, { method: 'POST' })).status, 202);
    equal((await ask(server, `${uploads}?mount=${layer}`, { method: 'POST' })).status, 201);
  });

  test('a mount needs the right to read the source', async () => {
    await using server = await startPullServer([]);
    server.repositories.set('secret/base', { ...cachedRepository, pushed: true });
    server.repositories.set(team, { ...cachedRepository, pushed: true });
    server.pushes.sources = ['secret/base' as RepositoryName];
    server.identityPolicies.set(
      'alice',
      JSON.stringify({
        Statement: [
          {
            Effect: 'Allow',
            Action: 'ecr:*',
            Resource: `arn:aws:ecr:*:*:repository/${team}`,
          },
        ],
      }),
    );
    const headers = { Authorization: userHeader('alice') };
    const path = `${uploads}?mount=${layer}&from=secret/base`;
    equal((await server.ask(path, { method: 'POST', headers })).status, 202);
    equal((await ask(server, path, { method: 'POST' })).status, 201);
  });

  test('a manifest is taken under its tag, and its place is by digest', async () => {
    await using server = await startPullServer([]);
    const body = '{"schemaVersion":2}';
    const answer = await ask(server, `/v2/${team}/manifests/1.0`, { method: 'PUT', body });
    deepEqual(
      [answer.status, answer.headers.location, answer.headers['docker-content-digest']],
      [201, `/v2/${team}/manifests/${digestOf(body)}`, digestOf(body)],
    );
    const entry = server.audited.at(-1);
    deepEqual(
      [entry?.kind, entry?.action, entry?.resource, entry?.detail],
      ['change', 'ecr:PutImage', team, { digest: digestOf(body), tags: '1.0' }],
    );
  });

  test('a manifest by digest takes any number of tags', async () => {
    await using server = await startPullServer([]);
    const answer = await ask(server, `/v2/${team}/manifests/${digestOf('{}')}?tag=a&tag=b`, {
      method: 'PUT',
      body: '{}',
    });
    equal(answer.headers['oci-tag'], 'a, b');
  });

  test('a manifest of more than 4 MiB is 413', async () => {
    await using server = await startPullServer([]);
    const answer = await ask(server, `/v2/${team}/manifests/1`, {
      method: 'PUT',
      body: ' '.repeat(4 * 1024 * 1024 + 1),
    });
    deepEqual([answer.status, codeOf(answer.text)], [413, 'SIZE_INVALID']);
  });

  test('a push under a tag that can be none is 400', async () => {
    await using server = await startPullServer([]);
    const answer = await ask(server, `/v2/${team}/manifests/.bad`, { method: 'PUT', body: '{}' });
    deepEqual([answer.status, codeOf(answer.text)], [400, 'MANIFEST_INVALID']);
  });

  const deletions: readonly (readonly [path: string, call: string])[] = [
    [`/v2/${team}/manifests/1.0`, 'deleteManifest'],
    [`/v2/${team}/manifests/${layer}`, 'deleteManifest'],
    [`/v2/${team}/blobs/${layer}`, 'deleteBlob'],
  ];
  for (const [path, call] of deletions) {
    test(`DELETE ${path} is 202 and audited`, async () => {
      await using server = await startPullServer([]);
      equal((await ask(server, path, { method: 'DELETE' })).status, 202);
      deepEqual(server.pushes.calls, [`${call} ${team}`]);
      equal(server.audited.at(-1)?.action, 'ecr:BatchDeleteImage');
    });
  }

  const failures: readonly (readonly [error: RegistryError, status: number, code: string])[] = [
    [new RegistryError('denied', 'the rule'), 403, 'DENIED'],
    [new RegistryError('tagImmutable', 'the tag'), 400, 'TAG_INVALID'],
    [new RegistryError('manifestInvalid', 'bad'), 400, 'MANIFEST_INVALID'],
    [new RegistryError('manifestBlobUnknown', 'missing'), 404, 'MANIFEST_BLOB_UNKNOWN'],
    [new RegistryError('sizeInvalid', 'short'), 400, 'SIZE_INVALID'],
    [new RegistryError('storageFull', 'full'), 507, 'INSUFFICIENT_STORAGE'],
    [new RegistryError('storageFailed', 'read-only'), 500, 'UNKNOWN'],
    [new RegistryError('tooManyRequests', 'full house'), 429, 'TOOMANYREQUESTS'],
  ];
  for (const [error, status, code] of failures) {
    test(`${error.code} is ${status} ${code}`, async () => {
      await using server = await startPullServer([]);
      server.pushes.failure = error;
      const answer = await ask(server, `/v2/${team}/manifests/1`, { method: 'PUT', body: '{}' });
      deepEqual([answer.status, codeOf(answer.text)], [status, code]);
      deepEqual(server.failures, []);
    });
  }

  test('nobody pushes without being somebody', async () => {
    await using server = await startPullServer([]);
    const answer = await server.ask(uploads, { method: 'POST' });
    equal(answer.status, 401);
    match(String(answer.headers['www-authenticate']), /scope="repository:team\/app:pull,push"$/);
    deepEqual(server.pushes.calls, []);
  });

  test('what needs a repository to be made needs the right to make it', async () => {
    await using server = await startPullServer([]);
    server.identityPolicies.set(
      'alice',
      JSON.stringify({
        Statement: [
          {
            Effect: 'Allow',
            Action: ['ecr:InitiateLayerUpload', 'ecr:BatchGetImage'],
            Resource: '*',
          },
        ],
      }),
    );
    const headers = { Authorization: userHeader('alice') };
    equal((await server.ask(uploads, { method: 'POST', headers })).status, 403);
    server.repositories.set(team, { ...cachedRepository, pushed: true });
    equal((await server.ask(uploads, { method: 'POST', headers })).status, 202);
  });
});
