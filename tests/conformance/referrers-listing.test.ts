import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
import {
  artifact,
  artifactType,
  emptyType,
  index,
  indexOf,
  plain,
} from '../support/samples/manifest-kinds.ts';
import {
  algorithms,
  assertError,
  freshRepository,
  clientOfFile,
} from '../support/clients/registry-client.ts';
import type { Algorithm, Descriptor } from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Pushing Manifests with Subject", "Listing Referrers" and "Enabling the Referrers API", clause by clause. */
const client = await clientOfFile();

interface Referrer extends Descriptor {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The descriptors of a valid answer. */
function referrersIn(answer: HttpAnswer): readonly Referrer[] {
  equal(answer.status, 200, answer.text);
  equal(answer.headers['content-type'], mediaTypes.ociIndex);
  const body = JSON.parse(answer.text) as {
    schemaVersion: number;
    mediaType: string;
    manifests: Referrer[];
  };
  deepEqual([body.schemaVersion, body.mediaType], [2, mediaTypes.ociIndex]);
  return body.manifests;
}

async function referrersOf(
  repository: string,
  digest: string,
  query = '',
): Promise<readonly Referrer[]> {
  return referrersIn(await client.ask('GET', `/v2/${repository}/referrers/${digest}${query}`));
}

function digestsOf(referrers: readonly Referrer[]): readonly string[] {
  return referrers.map(({ digest }) => digest).toSorted();
}

/** An image that is pushed, as a subject. */
async function pushSubject(
  repository: string,
  algorithm: Algorithm = 'sha256',
): Promise<Descriptor> {
  const image = await client.image(repository, {}, algorithm);
  return plain(await client.pushManifest(repository, image, { algorithm }));
}

const nowhere: Descriptor = {
  mediaType: mediaTypes.ociManifest,
  digest: digestOf('a manifest that is pushed later, or never'),
  size: 41,
};

const referring: readonly (readonly [
  name: string,
  make: (repository: string, subject: Descriptor, algorithm: Algorithm) => Promise<object>,
  type: string | undefined,
])[] = [
  [
    'an artifact',
    (repository, subject, algorithm) => artifact(client, repository, { subject }, algorithm),
    artifactType,
  ],
  [
    'an image whose config says what it is: "the value of artifactType MUST be set to the config descriptor mediaType value"',
    (repository, subject, algorithm) => client.image(repository, { subject }, algorithm),
    'application/vnd.oci.image.config.v1+json',
  ],
  [
    'an artifact whose type is empty',
    (repository, subject, algorithm) =>
      artifact(client, repository, { subject, artifactType: '' }, algorithm),
    emptyType,
  ],
  [
    'an index with a type',
    (repository, subject, algorithm) =>
      index(client, repository, { subject, artifactType }, algorithm),
    artifactType,
  ],
  [
    'an index without one: "the artifactType MUST be omitted"',
    (repository, subject, algorithm) => index(client, repository, { subject }, algorithm),
    undefined,
  ],
];

suite('Pushing Manifests with Subject', () => {
  for (const [name, make] of referring) {
    for (const algorithm of algorithms) {
      test(`"MUST respond with the response header OCI-Subject: <subject digest>": ${name.split(':')[0] ?? ''}, ${algorithm}`, async () => {
        const repository = freshRepository();
        for (const subject of [
          await pushSubject(repository, algorithm),
          { ...nowhere, digest: digestOf(repository, algorithm) },
        ]) {
          const manifest = await make(repository, subject, algorithm);
          for (const reference of ['v1', undefined]) {
            const options = { algorithm, ...(reference === undefined ? {} : { reference }) };
            const by =
              reference === undefined ? options : { ...options, algorithm: 'sha256' as const };
            const { answer } = await client.pushManifest(repository, manifest, by);
            equal(answer.headers['oci-subject'], subject.digest);
          }
        }
      });
    }
  }

  test('a manifest without a subject has no OCI-Subject', async () => {
    const repository = freshRepository();
    const { answer } = await client.pushManifest(repository, await client.image(repository));
    equal(answer.headers['oci-subject'], undefined);
  });

  test('"allowing clients to push a manifest and referrers to that manifest in either order"', async () => {
    const repository = freshRepository();
    const image = await client.image(repository);
    const text = JSON.stringify(image);
    const subject = {
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(text),
      size: Buffer.byteLength(text),
    };
    const referrer = await client.pushManifest(
      repository,
      await artifact(client, repository, { subject }),
    );
    equal((await client.ask('HEAD', `/v2/${repository}/manifests/${subject.digest}`)).status, 404);
    deepEqual(digestsOf(await referrersOf(repository, subject.digest)), [referrer.digest]);
    await client.pushManifest(repository, image);
    deepEqual(digestsOf(await referrersOf(repository, subject.digest)), [referrer.digest]);
  });

  for (const subject of [{ digest: 'sha256:bad', mediaType: 'a/b', size: 1 }, 'text', 7]) {
    test(`a subject that is none is a manifest that is none: ${JSON.stringify(subject)}`, async () => {
      const repository = freshRepository();
      const body = JSON.stringify(await artifact(client, repository, { subject }));
      const answer = await client.ask('PUT', `/v2/${repository}/manifests/v1`, {
        headers: { 'Content-Type': mediaTypes.ociManifest },
        body,
      });
      assertError(answer, 400, 'MANIFEST_INVALID', 'DIGEST_INVALID');
    });
  }
});

suite('Listing Referrers', () => {
  for (const [name, make, type] of referring) {
    for (const algorithm of algorithms) {
      test(`"an image index containing a list of descriptors … set to the value of the artifactType": ${name}, ${algorithm}`, async () => {
        const repository = freshRepository();
        const subject = await pushSubject(repository, algorithm);
        const manifest = await make(repository, subject, algorithm);
        const annotated = { ...manifest, annotations: { 'org.example.a': 'größe', b: '' } };
        const pushed = await client.pushManifest(repository, annotated, { algorithm });
        const [found, ...more] = await referrersOf(repository, subject.digest);
        deepEqual(more, []);
        deepEqual(
          [found?.digest, found?.mediaType, found?.size, found?.artifactType, found?.annotations],
          [pushed.digest, pushed.mediaType, pushed.size, type, annotated.annotations],
        );
        equal(Object.hasOwn(found ?? {}, 'artifactType'), type !== undefined);
      });
    }
  }

  test('"If a query results in no matching referrers, an empty manifest list MUST be returned"', async () => {
    const repository = freshRepository();
    const subject = await pushSubject(repository);
    for (const algorithm of algorithms)
      deepEqual(await referrersOf(repository, digestOf('nothing', algorithm)), []);
    deepEqual(await referrersOf(repository, subject.digest), []);
    deepEqual(await referrersOf(repository, subject.digest, '?artifactType=a/b'), []);
  });

  test('"the registry MUST NOT return a 404 Not Found to a referrers API requests": in no repository either', async () => {
    deepEqual(await referrersOf(freshRepository(), digestOf('nothing')), []);
  });

  for (const digest of ['sha256:baddigeststring', `md5:${'0'.repeat(32)}`, 'latest', 'sha256:']) {
    test(`"a <digest> with an invalid syntax, a 400 Bad Request MUST be returned": ${digest}`, async () => {
      const repository = freshRepository();
      await client.pushBlob(repository, '{}');
      assertError(
        await client.ask('GET', `/v2/${repository}/referrers/${digest}`),
        400,
        'DIGEST_INVALID',
      );
    });
  }

  test('"in the same <name> namespace": those of another repository are not listed', async () => {
    const [mine, other] = [freshRepository(), freshRepository()];
    const subject = await pushSubject(mine);
    await client.pushManifest(other, await artifact(client, other, { subject }));
    deepEqual(await referrersOf(mine, subject.digest), []);
  });

  test('the same manifest by tag and by digest is listed once', async () => {
    const repository = freshRepository();
    const subject = await pushSubject(repository);
    const manifest = await artifact(client, repository, { subject });
    for (const reference of ['v1', 'v2', undefined])
      await client.pushManifest(repository, manifest, reference === undefined ? {} : { reference });
    equal((await referrersOf(repository, subject.digest)).length, 1);
  });

  test('"If filtering is requested and applied, the response MUST include a header OCI-Filters-Applied: artifactType"', async () => {
    const repository = freshRepository();
    const subject = await pushSubject(repository);
    const types = ['application/vnd.example.sbom.v1+json', 'application/vnd.example.signature.v1'];
    const expected = new Map<string, string[]>();
    for (const type of [...types, ...types]) {
      const manifest = await artifact(client, repository, { subject, artifactType: type });
      const { digest } = await client.pushManifest(repository, manifest);
      expected.set(type, [...(expected.get(type) ?? []), digest]);
    }
    const byConfig = await client.pushManifest(
      repository,
      await client.image(repository, { subject }),
    );
    expected.set('application/vnd.oci.image.config.v1+json', [byConfig.digest]);
    expected.set('application/none', []);
    for (const [type, digests] of expected) {
      const path = `/v2/${repository}/referrers/${subject.digest}?artifactType=${encodeURIComponent(type)}`;
      const answer = await client.ask('GET', path);
      equal(answer.headers['oci-filters-applied'], 'artifactType');
      deepEqual(digestsOf(referrersIn(answer)), digests.toSorted());
    }
    const all = await client.ask('GET', `/v2/${repository}/referrers/${subject.digest}`);
    equal(all.headers['oci-filters-applied'], undefined);
    equal(referrersIn(all).length, 5);
  });

  test('"A Link header MUST be included in the response when the descriptor list cannot be returned in a single manifest"', async () => {
    const repository = freshRepository();
    const subject = await pushSubject(repository);
    const manifest = await artifact(client, repository, { subject });
    const much = 'x'.repeat(15_000);
    const pushed = await Promise.all(
      Array.from({ length: 300 }, async (_, at) => {
        const annotated = { ...manifest, annotations: { at: String(at), much } };
        return (await client.pushManifest(repository, annotated)).digest;
      }),
    );
    for (const query of ['', `?artifactType=${artifactType}`]) {
      const found: string[] = [];
      let pages = 0;
      let next: string | undefined = `/v2/${repository}/referrers/${subject.digest}${query}`;
      while (next !== undefined && pages < 20) {
        const answer = await client.ask('GET', next);
        ok(answer.bytes.length <= 4 * 1024 * 1024, String(answer.bytes.length));
        equal(answer.headers['oci-filters-applied'], query === '' ? undefined : 'artifactType');
        found.push(...digestsOf(referrersIn(answer)));
        next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link ?? ''))?.[1];
        pages += 1;
      }
      ok(pages > 1, 'there is more than one page');
      deepEqual(found.toSorted(), pushed.toSorted());
    }
  });

  test('"The descriptors MUST include annotations from the image manifest or index": those that are large too', async () => {
    const repository = freshRepository();
    const subject = await pushSubject(repository);
    const annotations = { small: 'x', large: 'y'.repeat(100_000) };
    await client.pushManifest(
      repository,
      await artifact(client, repository, { subject, annotations }),
    );
    const [found] = await referrersOf(repository, subject.digest);
    deepEqual(found?.annotations, annotations);
  });

  test('a referrer that is deleted is not listed any more, and one of a deleted subject is', async () => {
    const repository = freshRepository();
    const subject = await pushSubject(repository);
    const [first, second] = [
      await client.pushManifest(repository, await artifact(client, repository, { subject })),
      await client.pushManifest(repository, await artifact(client, repository, { subject })),
    ];
    const path = `/v2/${repository}/manifests`;
    equal((await client.ask('DELETE', `${path}/${first.digest}`)).status, 202);
    deepEqual(digestsOf(await referrersOf(repository, subject.digest)), [second.digest]);
    equal((await client.ask('DELETE', `${path}/${subject.digest}`)).status, 202);
    deepEqual(digestsOf(await referrersOf(repository, subject.digest)), [second.digest]);
  });
});

/** The tag under which old clients keep the referrers of a digest. */
function schemaTag(digest: string): string {
  const [algorithm = '', encoded = ''] = digest.split(':');
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`;
}

suite('Enabling the Referrers API', () => {
  for (const algorithm of algorithms) {
    test(`"Registries MUST include preexisting image manifests that are listed in an image index tagged with the referrers tag schema": once each, ${algorithm}`, async () => {
      const repository = freshRepository();
      const subject = await pushSubject(repository, algorithm);
      const manifest = await artifact(client, repository, { subject }, algorithm);
      const pushed = await client.pushManifest(repository, manifest, { algorithm });
      const list = indexOf([{ ...plain(pushed), artifactType }]);
      const reference = schemaTag(subject.digest);
      const { text } = await client.pushManifest(repository, list, { reference });
      deepEqual(digestsOf(await referrersOf(repository, subject.digest)), [pushed.digest]);
      const pulled = await client.ask('GET', `/v2/${repository}/manifests/${reference}`);
      deepEqual([pulled.status, pulled.text], [200, text]);
    });
  }

  test('a list under the tag schema makes no referrers of manifests that have no subject', async () => {
    const repository = freshRepository();
    const [subject, other] = [await pushSubject(repository), await pushSubject(repository)];
    const reference = schemaTag(subject.digest);
    await client.pushManifest(repository, indexOf([other]), { reference });
    deepEqual(await referrersOf(repository, subject.digest), []);
  });
});

suite('Referrers Tag Schema', () => {
  test('an old client that keeps the list itself pulls what it pushed, and deletes it', async () => {
    const repository = freshRepository();
    const subject = await pushSubject(repository);
    const reference = schemaTag(subject.digest);
    const path = `/v2/${repository}/manifests/${reference}`;
    assertError(await client.ask('GET', path), 404, 'MANIFEST_UNKNOWN');
    for (let count = 1; count <= 3; count += 1) {
      const listed = await referrersOf(repository, subject.digest);
      const manifest = await artifact(client, repository, { subject });
      const pushed = plain(await client.pushManifest(repository, manifest));
      const { text } = await client.pushManifest(repository, indexOf([...listed, pushed]), {
        reference,
      });
      equal((await client.ask('GET', path)).text, text);
    }
    equal((await client.ask('DELETE', path)).status, 202);
    assertError(await client.ask('GET', path), 404, 'MANIFEST_UNKNOWN');
    equal((await referrersOf(repository, subject.digest)).length, 3);
  });
});
