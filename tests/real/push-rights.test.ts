// Users of narrow policies over HTTP: what they push, what they mount, and what they are told of the rest.
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, suite, test } from 'node:test';
import {
  assertError,
  descriptorOf,
  locationOf,
  clientOfFile,
  withQuery,
} from '../support/clients/registry-client.ts';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
import { mediaTypes } from '../support/samples/images.ts';
import { askApi, makeUser } from '../support/clients/narrow-users.ts';
import type { NarrowUser, Rights } from '../support/clients/narrow-users.ts';
import { digestOf } from '../support/samples/digest.ts';

const pushActions = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:InitiateLayerUpload',
  'ecr:UploadLayerPart',
  'ecr:CompleteLayerUpload',
  'ecr:PutImage',
];
const create = 'ecr:CreateRepository';

const client = await clientOfFile();

function imageText(config: Buffer): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: descriptorOf(mediaTypes.config, config),
    layers: [],
  });
}

async function putImage(
  user: Pick<NarrowUser, 'ask'>,
  repository: string,
  reference: string,
  text: string,
): Promise<HttpAnswer> {
  const headers = { 'Content-Type': mediaTypes.manifest };
  return user.ask('PUT', `/v2/${repository}/manifests/${reference}`, { headers, body: text });
}

suite('A mount needs the right to read the source', () => {
  const source = 'vault/base';
  const bytes = randomBytes(2000);
  const digest = digestOf(bytes);
  const target = [...pushActions, create];
  before(async () => {
    await client.pushBlob(source, bytes);
  });

  const rows: readonly (readonly [name: string, rights: Rights, mounts: boolean])[] = [
    ['reads blobs there', { 'vault/*': ['ecr:GetDownloadUrlForLayer'] }, true],
    ['has no right there', {}, false],
    ['pushes there and reads nothing', { 'vault/*': pushActions }, false],
    ['reads manifests there, and no blob', { 'vault/*': ['ecr:BatchGetImage'] }, false],
    ['lists what is there', { 'vault/*': ['ecr:ListImages', 'ecr:DescribeImages'] }, false],
    ['reads blobs elsewhere', { 'vaults/*': ['ecr:GetDownloadUrlForLayer'] }, false],
  ];
  for (const [index, [name, rights, mounts]] of rows.entries()) {
    for (const from of [source, undefined]) {
      test(`${mounts ? '201' : '202'} for a user who ${name}, ${from === undefined ? 'without from' : 'with from'}`, async () => {
        const prefix = `mine${String(index)}${from === undefined ? 'b' : 'a'}`;
        const user = await makeUser(client, prefix, { ...rights, [`${prefix}/*`]: target });
        const start = `/v2/${prefix}/app/blobs/uploads/`;
        const query = (mount: string) => ({ mount, ...(from === undefined ? {} : { from }) });
        const answer = await user.ask('POST', withQuery(start, query(digest)));
        equal(answer.status, mounts ? 201 : 202, answer.text);
        const held = await client.ask('GET', `/v2/${prefix}/app/blobs/${digest}`);
        equal(held.status, mounts ? 200 : 404);
        if (mounts) return ok(held.bytes.equals(bytes));
        // A blob that is there is told of in no other way than one that never was.
        const never = await user.ask('POST', withQuery(start, query(digestOf('never pushed'))));
        deepEqual([never.status, shapeOf(never)], [answer.status, shapeOf(answer)]);
        const text = imageText(bytes);
        assertError(
          await putImage(user, `${prefix}/app`, 'v1', text),
          404,
          'MANIFEST_BLOB_UNKNOWN',
        );
      });
    }
  }

  test('202 for a user whom the source’s own policy denies what the identity policy allows', async () => {
    const rights = { 'denied/*': target, 'vault/*': ['ecr:GetDownloadUrlForLayer'] };
    const user = await makeUser(client, 'denied', rights);
    await client.pushBlob('vault/closed', bytes);
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: {
        Effect: 'Deny',
        Principal: { AWS: 'arn:aws:iam::000000000000:user/denied' },
        Action: 'ecr:GetDownloadUrlForLayer',
      },
    });
    await askApi(client, 'PUT', 'repository-policy', { repository: 'vault/closed', policy });
    const query = { mount: digest, from: 'vault/closed' };
    const answer = await user.ask('POST', withQuery('/v2/denied/app/blobs/uploads/', query));
    equal(answer.status, 202);
    const other = withQuery('/v2/denied/app/blobs/uploads/', { mount: digest, from: source });
    equal((await user.ask('POST', other)).status, 201);
  });

  test('and to push to the target: of two users the reader alone is refused, whatever the source', async () => {
    const reader = await makeUser(client, 'reader', {
      'vault/*': ['ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'],
    });
    const query = { mount: digest, from: source };
    const here = await reader.ask('POST', withQuery('/v2/vault/copy/blobs/uploads/', query));
    assertError(here, 403, 'DENIED');
    const there = await reader.ask('POST', withQuery('/v2/other/copy/blobs/uploads/', query));
    assertError(there, 404, 'NAME_UNKNOWN');
    for (const name of ['vault/copy', 'other/copy'])
      equal((await client.ask('HEAD', `/v2/${name}/blobs/${digest}`)).status, 404);
  });
});

/** What an answer says, but for the values that differ each time. */
function shapeOf({ headers, text }: HttpAnswer): readonly unknown[] {
  return [Object.keys(headers).toSorted(), headers.range, headers['cache-status'], text];
}

suite('A user who may push below one prefix', () => {
  const bytes = randomBytes(3000);
  const digest = digestOf(bytes);
  const text = imageText(bytes);
  let build: NarrowUser;
  before(async () => {
    build = await makeUser(client, 'build', { 'team/*': [...pushActions, create] });
    for (const name of ['team/held', 'other/held']) {
      await client.pushBlob(name, bytes);
      equal((await putImage(client, name, 'v1', text)).status, 201);
    }
  });

  for (const name of ['team/held', 'team/new', 'team/deep/er/one'])
    test(`pushes all that there is to push to ${name}`, async () => {
      const root = `/v2/${name}`;
      const uploads = `${root}/blobs/uploads/`;
      const begun = await build.ask('POST', uploads);
      equal(begun.status, 202, begun.text);
      const location = locationOf(begun);
      const headers = { 'Content-Range': '0-999' };
      const first = { body: bytes.subarray(0, 1000), headers };
      equal((await build.ask('PATCH', location, first)).status, 202);
      equal((await build.ask('GET', location)).status, 204);
      const rest = { body: bytes.subarray(1000), streamed: true };
      equal((await build.ask('PUT', withQuery(location, { digest }), rest)).status, 201);
      const whole = withQuery(uploads, { digest: digestOf('at once') });
      equal((await build.ask('POST', whole, { body: 'at once' })).status, 201);
      const givenUp = locationOf(await build.ask('POST', uploads));
      equal((await build.ask('DELETE', givenUp)).status, 204);
      equal((await build.ask('HEAD', `${root}/blobs/${digest}`)).status, 200);
      for (const reference of ['v2', digestOf(text)])
        equal((await putImage(build, name, reference, text)).status, 201);
      const pulled = await client.ask('GET', `${root}/manifests/v2`);
      deepEqual([pulled.status, pulled.text], [200, text]);
    });

  const reads: readonly (readonly [method: string, path: string])[] = [
    ['GET', `blobs/${digest}`],
    ['GET', 'manifests/v1'],
    ['HEAD', 'manifests/v1'],
    ['GET', `manifests/${digestOf(text)}`],
    ['GET', 'tags/list'],
    ['GET', `referrers/${digestOf(text)}`],
    ['DELETE', `blobs/${digest}`],
    ['DELETE', 'manifests/v1'],
    ['DELETE', `manifests/${digestOf(text)}`],
  ];
  const pushes: readonly (readonly [method: string, path: string])[] = [
    ['HEAD', `blobs/${digest}`],
    ['POST', 'blobs/uploads/'],
    ['POST', `blobs/uploads/?digest=${digest}`],
    ['POST', `blobs/uploads/?mount=${digest}&from=team/held`],
    ['PUT', 'manifests/v1'],
    ['PUT', `manifests/${digestOf(text)}`],
  ];

  /** As of a repository that is not there; a HEAD has no words. */
  function assertHidden(answer: HttpAnswer, method: string): void {
    if (method === 'HEAD') equal(answer.status, 404);
    else assertError(answer, 404, 'NAME_UNKNOWN');
  }

  for (const [method, path] of reads) {
    test(`may not ${method} ${path.replace(/:.*/, '')}, not even of its own, and it is all as if not there`, async () => {
      for (const name of ['team/held', 'other/held', 'other/absent']) {
        assertHidden(await build.ask(method, `/v2/${name}/${path}`), method);
      }
    });
  }

  for (const [method, path] of pushes) {
    test(`may not ${method} ${path.replace(/=?:.*/, '')} elsewhere: what is there answers like what is not`, async () => {
      for (const name of ['other/held', 'other/absent', 'teams/app', 'team']) {
        const headers = { 'Content-Type': mediaTypes.manifest };
        const question = method === 'PUT' ? { headers, body: text } : {};
        assertHidden(await build.ask(method, `/v2/${name}/${path}`, question), method);
      }
    });
  }

  test('may not go on with, look at, end or cancel an upload of others, nor move one there', async () => {
    const others = await client.begin('other/held');
    const own = locationOf(await build.ask('POST', '/v2/team/held/blobs/uploads/'));
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const question = method === 'PATCH' || method === 'PUT' ? { body: bytes } : {};
      const query = method === 'PUT' ? { digest } : {};
      const ask = (location: string): Promise<HttpAnswer> =>
        build.ask(method, withQuery(location, query), question);
      assertError(await ask(others), 404, 'NAME_UNKNOWN');
      assertError(await ask(own.replace('team/held', 'other/held')), 404, 'NAME_UNKNOWN');
      const here = others.replace('other/held', 'team/held');
      assertError(await ask(here), 404, 'BLOB_UPLOAD_UNKNOWN');
    }
    deepEqual((await client.ask('GET', others)).headers.range, '0-0');
    equal((await client.ask('DELETE', others)).status, 204);
    equal((await build.ask('DELETE', own)).status, 204);
  });

  test('makes no repository without the right to', async () => {
    const only = await makeUser(client, 'only-push', { 'team/*': pushActions });
    const uploads = await only.ask('POST', '/v2/team/unmade/blobs/uploads/');
    assertError(uploads, 404, 'NAME_UNKNOWN');
    assertError(await putImage(only, 'team/unmade', 'v1', text), 404, 'NAME_UNKNOWN');
    equal((await only.ask('POST', '/v2/team/held/blobs/uploads/')).status, 202);
  });

  test('lacks one right of a push at a time: just its requests are refused, by name where reading is allowed', async () => {
    const reading = 'ecr:BatchGetImage';
    const requests: Readonly<Record<string, (user: NarrowUser) => Promise<HttpAnswer>>> = {
      'ecr:InitiateLayerUpload': (user) => user.ask('POST', '/v2/team/held/blobs/uploads/'),
      'ecr:UploadLayerPart': async (user) =>
        user.ask('PATCH', await client.begin('team/held'), { body: 'x' }),
      'ecr:CompleteLayerUpload': async (user) =>
        user.ask('PUT', withQuery(await client.begin('team/held'), { digest }), { body: bytes }),
      'ecr:PutImage': (user) => putImage(user, 'team/held', 'v3', text),
    };
    for (const [lacked, request] of Object.entries(requests)) {
      const name = lacked.slice('ecr:'.length);
      const rights = [...pushActions.filter((action) => action !== lacked), reading];
      const user = await makeUser(client, name, { 'team/*': rights });
      const refused = await request(user);
      assertError(refused, 403, 'DENIED');
      match(refused.text, new RegExp(lacked));
      for (const [action, other] of Object.entries(requests)) {
        // A PUT brings a part too.
        if (
          action === lacked ||
          (lacked === 'ecr:UploadLayerPart' && action === 'ecr:CompleteLayerUpload')
        )
          continue;
        const { status, text: told } = await other(user);
        ok(
          status === 201 || status === 202,
          `${action} without ${lacked}: ${String(status)} ${told}`,
        );
      }
    }
  });

  test('sees an empty catalog, and nothing of the administration', async () => {
    const catalog = await build.ask('GET', '/v2/_catalog');
    deepEqual([catalog.status, JSON.parse(catalog.text)], [200, { repositories: [] }]);
    const repositories = await build.ask('GET', '/api/v1/repositories');
    deepEqual(JSON.parse(repositories.text), { items: [], next: null });
    for (const path of [
      'users',
      'audit',
      'accounts',
      'registry-policy',
      'identity-policies?user=build',
    ])
      equal((await build.ask('GET', `/api/v1/${path}`)).status, 403, path);
  });
});
