import { deepEqual, equal } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import { index, indexOf, manifestKinds } from '../support/samples/manifest-kinds.ts';
import {
  algorithms,
  assertError,
  assertPullable,
  descriptorOf,
  freshRepository,
  clientOfFile,
} from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Pushing manifests", clause by clause. */
const client = await clientOfFile();

/** The manifest is under each reference, exactly. */
async function assertHeld(
  repository: string,
  references: readonly string[],
  text: string,
  digest: string,
  type: string,
): Promise<void> {
  for (const reference of references) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await client.ask(method, `/v2/${repository}/manifests/${reference}`);
      const { headers } = answer;
      deepEqual(
        [
          answer.status,
          headers['content-type'],
          headers['content-length'],
          headers['docker-content-digest'],
          answer.text === (method === 'GET' ? text : ''),
        ],
        [200, type, String(Buffer.byteLength(text)), digest, true],
      );
    }
  }
}

suite('Pushing manifests', () => {
  for (const { name, make } of manifestKinds) {
    for (const algorithm of algorithms) {
      test(`"Upon a successful upload, the registry MUST return response code 201 Created, and MUST have … Location: … a pullable manifest URL": ${name}, by its ${algorithm}`, async () => {
        const repository = freshRepository();
        const manifest = await make(client, repository, algorithm);
        const { answer, digest, text, mediaType } = await client.pushManifest(
          repository,
          manifest,
          { algorithm },
        );
        equal(answer.headers['docker-content-digest'], digest);
        await assertPullable(client, answer, text, digest);
        await assertHeld(repository, [digest], text, digest, mediaType);
      });
    }

    test(`a tag is as good as a digest, and a later one points there too: ${name}`, async () => {
      const repository = freshRepository();
      const manifest = await make(client, repository, 'sha256');
      for (const reference of ['v1', 'v1', 'latest']) {
        const pushed = await client.pushManifest(repository, manifest, { reference });
        equal(pushed.answer.headers['docker-content-digest'], pushed.digest);
        await assertPullable(client, pushed.answer, pushed.text, pushed.digest);
      }
      const text = JSON.stringify(manifest);
      const type = (manifest as { mediaType: string }).mediaType;
      const references = ['v1', 'latest', digestOf(text)];
      await assertHeld(repository, references, text, digestOf(text), type);
    });
  }

  const spellings: readonly (readonly [name: string, spell: (text: string) => string])[] = [
    ['with line ends and tabs', (text) => JSON.stringify(JSON.parse(text), undefined, '\t')],
    ['with a line end behind it', (text) => `${text}\r\n`],
    ['with spaces around it', (text) => `  ${text} `],
    [
      'with escapes that need not be',
      (text) => text.replace('schemaVersion', '\\u0073chemaVersion'),
    ],
    ['with numbers as nobody writes them', (text) => text.replace('2', '2.0e0')],
  ];
  for (const [name, spell] of spellings) {
    test(`"The registry MUST store the manifest in the exact byte representation provided by the client": ${name}`, async () => {
      const repository = freshRepository();
      const text = spell(JSON.stringify(await client.image(repository)));
      const { digest, mediaType } = await client.pushManifest(repository, text, {
        reference: 'v1',
      });
      await assertHeld(repository, ['v1', digest], text, digest, mediaType);
    });
  }

  const types: readonly (readonly [name: string, sent: string, mediaType: string | undefined])[] = [
    ['"The registry SHOULD ignore parameters on the Content-Type header"', '; charset=utf-8', ''],
    ['and what stands around them', ' ;  a="b"; c', ''],
    [
      '"All manifests SHOULD include a mediaType field": without one the Content-Type is it',
      '',
      undefined,
    ],
  ];
  for (const [name, parameters, mediaType] of types) {
    test(name, async () => {
      const repository = freshRepository();
      const change = mediaType === undefined ? { mediaType } : {};
      const image = await client.image(repository, change);
      const { digest, text } = await client.pushManifest(repository, image, {
        reference: 'v1',
        type: mediaTypes.ociManifest + parameters,
      });
      await assertHeld(repository, ['v1', digest], text, digest, mediaTypes.ociManifest);
    });
  }

  test('"a digest … or a tag": one that is pushed again moves, and what it left is there by digest', async () => {
    const repository = freshRepository();
    const [first, second] = [await client.image(repository), await client.image(repository)];
    const old = await client.pushManifest(repository, first, { reference: 'v1' });
    const young = await client.pushManifest(repository, second, { reference: 'v1' });
    await assertHeld(repository, ['v1', young.digest], young.text, young.digest, young.mediaType);
    await assertHeld(repository, [old.digest], old.text, old.digest, old.mediaType);
  });

  test('"An attempt to pull a nonexistent repository MUST return response code 404 Not Found"', async () => {
    for (const path of ['manifests/latest', `manifests/${digestOf('')}`, `blobs/${digestOf('')}`]) {
      for (const method of ['GET', 'HEAD'])
        equal((await client.ask(method, `/v2/${freshRepository()}/${path}`)).status, 404);
    }
  });
});

suite('Pushing manifests that are none', () => {
  const texts = ['', '{', 'null', '[]', '"text"', '7', '{"schemaVersion":2}x', '\u0000'];
  for (const text of texts) {
    test(`"manifest invalid" is 400: ${JSON.stringify(text)}`, async () => {
      const repository = freshRepository();
      await client.pushBlob(repository, '{}');
      for (const reference of ['v1', digestOf(text)]) {
        const path = `/v2/${repository}/manifests/${reference}`;
        const headers = { 'Content-Type': mediaTypes.ociManifest };
        const answer = await client.ask('PUT', path, { headers, body: text });
        assertError(answer, 400, 'MANIFEST_INVALID');
        equal((await client.ask('HEAD', path)).status, 404);
      }
    });
  }

  const references: readonly (readonly [reference: string, codes: readonly string[]])[] = [
    [digestOf('something else'), ['DIGEST_INVALID']],
    [digestOf('something else', 'sha512'), ['DIGEST_INVALID']],
    ['sha256:baddigeststring', ['DIGEST_INVALID']],
    [`sha256:${'A'.repeat(64)}`, ['DIGEST_INVALID']],
    [`md5:${'0'.repeat(32)}`, ['DIGEST_INVALID']],
    ['.hidden', ['MANIFEST_INVALID', 'TAG_INVALID', 'MANIFEST_UNKNOWN']],
    ['-dash', ['MANIFEST_INVALID', 'TAG_INVALID', 'MANIFEST_UNKNOWN']],
    ['a'.repeat(129), ['MANIFEST_INVALID', 'TAG_INVALID', 'MANIFEST_UNKNOWN']],
    ['gr%C3%B6%C3%9Fe', ['MANIFEST_INVALID', 'TAG_INVALID', 'MANIFEST_UNKNOWN']],
  ];
  for (const [reference, codes] of references) {
    test(`"The <tag-or-digest> MUST NOT be in any other format", and a digest is that of the bytes: ${reference.slice(0, 40)}`, async () => {
      const repository = freshRepository();
      const body = JSON.stringify(await client.image(repository));
      const answer = await client.ask('PUT', `/v2/${repository}/manifests/${reference}`, {
        headers: { 'Content-Type': mediaTypes.ociManifest },
        body,
      });
      assertError(answer, reference.includes(':') ? 400 : [400, 404], ...codes);
      equal(
        (await client.ask('HEAD', `/v2/${repository}/manifests/${digestOf(body)}`)).status,
        404,
      );
    });
  }

  const names: readonly (readonly [name: string, good: boolean])[] = [
    ['a', true],
    ['0', true],
    ['a.b_c__d-e---f/0/g.h', true],
    [`conformance/${'a'.repeat(200)}`, true],
    ['A', false],
    ['a/B', false],
    ['-a', false],
    ['a-', false],
    ['a..b', false],
    ['a___b', false],
    ['a/.b', false],
    ['a//b', false],
    ['a'.repeat(256), false],
  ];
  for (const [name, good] of names) {
    test(`"<name> MUST match the following regular expression": ${name.slice(0, 40)} ${good ? 'does' : 'does not'}`, async () => {
      const answer = await client.ask('POST', `/v2/${name}/blobs/uploads/`);
      if (good) equal(answer.status, 202, answer.text);
      else assertError(answer, [400, 404], 'NAME_INVALID');
    });
  }
});

const absent = descriptorOf('application/vnd.oci.image.layer.v1.tar', 'absent');
const missing: readonly (readonly [
  name: string,
  make: (repository: string) => Promise<object> | object,
])[] = [
  ['a config', (repository) => client.image(repository, { config: absent })],
  ['a layer', (repository) => client.image(repository, { layers: [absent] })],
  [
    'a layer that only another repository holds',
    async (repository) => {
      const other = freshRepository();
      const bytes = `only in ${other}`;
      await client.pushBlob(other, bytes);
      return await client.image(repository, { layers: [descriptorOf('text/plain', bytes)] });
    },
  ],
  [
    'a layer whose urls are empty',
    (repository) => client.image(repository, { layers: [{ ...absent, urls: [] }] }),
  ],
  ['a manifest of an index', () => indexOf([{ ...absent, mediaType: mediaTypes.ociManifest }])],
  [
    'one of the manifests of an index',
    async (repository) => {
      const { manifests } = (await index(client, repository)) as { manifests: object[] };
      return indexOf([...manifests, { ...absent, mediaType: mediaTypes.ociManifest }]);
    },
  ],
];

suite('Push', () => {
  for (const [name, make] of missing) {
    test(`"When a manifest is rejected for this reason, it MUST result in one or more MANIFEST_BLOB_UNKNOWN errors": ${name}`, async () => {
      const repository = freshRepository();
      await client.pushBlob(repository, 'so that it is there');
      const manifest = await make(repository);
      const body = JSON.stringify(manifest);
      for (const reference of ['v1', digestOf(body)]) {
        const path = `/v2/${repository}/manifests/${reference}`;
        const headers = { 'Content-Type': (manifest as { mediaType: string }).mediaType };
        const answer = await client.ask('PUT', path, { headers, body });
        assertError(answer, [400, 404], 'MANIFEST_BLOB_UNKNOWN');
        equal((await client.ask('HEAD', path)).status, 404);
      }
    });
  }
});

const manifestBytesMax = 4 * 1024 * 1024;

suite('Pushing manifests of any size', () => {
  for (const streamed of [false, true]) {
    for (const [size, status] of [
      [manifestBytesMax - 1, 201],
      [manifestBytesMax, 201],
      [manifestBytesMax + 1, 413],
      [manifestBytesMax + 100_000, 413],
    ] as const) {
      test(`"at least 4 megabytes", and "a manifest over this limit" is "413 Payload Too Large": ${String(size)} bytes${streamed ? ', without a length' : ''}`, async () => {
        const repository = freshRepository();
        const bare = JSON.stringify(
          await client.image(repository, { annotations: Object.fromEntries(pieces(size - 3000)) }),
        );
        const body = bare + ' '.repeat(size - Buffer.byteLength(bare));
        const path = `/v2/${repository}/manifests/large`;
        const headers = { 'Content-Type': mediaTypes.ociManifest };
        const answer = await client.ask('PUT', path, { headers, body, streamed });
        equal(answer.status, status, answer.text);
        if (status === 201) await assertPullable(client, answer, body, digestOf(body));
        else equal((await client.ask('HEAD', path)).status, 404);
      });
    }
  }
});

/** Annotations that fill about so many bytes. */
function pieces(bytes: number): readonly (readonly [string, string])[] {
  const count = Math.floor(bytes / 10_020);
  return Array.from({ length: count }, (_, at) => [`a${String(at)}`, 'A'.repeat(10_000)] as const);
}
