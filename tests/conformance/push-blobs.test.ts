import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { basicOf } from '../support/processes/breakwater.ts';
import { until } from '../support/rigs/until.ts';
import {
  algorithms,
  assertError,
  assertPullable,
  freshRepository,
  locationOf,
  clientOfFile,
  withQuery,
} from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Pushing blobs" and "Pushing a blob monolithically", clause by clause. */
const client = await clientOfFile();

const contents: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['no bytes', Buffer.alloc(0)],
  ['one byte', Buffer.from([0])],
  ['the empty JSON object', Buffer.from('{}')],
  ['a mebibyte and a byte', randomBytes(1024 * 1024 + 1)],
];

const wrongDigests: readonly (readonly [name: string, digest: string])[] = [
  ['of an unknown algorithm', `blake3:${'0'.repeat(64)}`],
  ['of an algorithm that is too weak', `md5:${'0'.repeat(32)}`],
  ['too short', 'sha256:baddigeststring'],
  ['with nothing behind the colon', 'sha256:'],
  ['in upper case', `sha256:${'A'.repeat(64)}`],
  ['as long as another algorithm has it', `sha512:${'0'.repeat(64)}`],
  ['without an algorithm', '0'.repeat(64)],
  ['that is a tag', 'latest'],
];

suite('Pushing blobs', () => {
  for (const [name, digest] of wrongDigests) {
    test(`"if the client provided digest is invalid or uses an unsupported algorithm, the registry SHOULD respond with a response code 400": ${name}`, async () => {
      const repository = freshRepository();
      const uploads = `/v2/${repository}/blobs/uploads/`;
      const body = 'hello';
      assertError(
        await client.ask('POST', withQuery(uploads, { digest }), { body }),
        400,
        'DIGEST_INVALID',
      );
      const location = await client.begin(repository);
      assertError(
        await client.ask('PUT', withQuery(location, { digest }), { body }),
        400,
        'DIGEST_INVALID',
      );
    });
  }

  for (const algorithm of ['md5', 'sha384', 'SHA512', 'no such', '']) {
    test(`"uses an unsupported algorithm": digest-algorithm=${algorithm} is 400`, async () => {
      const location = withQuery(`/v2/${freshRepository()}/blobs/uploads/`, {
        'digest-algorithm': algorithm,
      });
      assertError(await client.ask('POST', location), 400, 'DIGEST_INVALID', 'UNSUPPORTED');
    });
  }

  for (const algorithm of algorithms) {
    test(`"provided digest did not match uploaded content" is DIGEST_INVALID, and nothing was stored: ${algorithm}`, async () => {
      const repository = freshRepository();
      const [claimed, sent] = [randomBytes(100), randomBytes(100)];
      const digest = digestOf(claimed, algorithm);
      const uploads = `/v2/${repository}/blobs/uploads/`;
      for (const [method, location] of [
        ['POST', uploads],
        ['PUT', await client.begin(repository)],
      ] as const) {
        const answer = await client.ask(method, withQuery(location, { digest }), { body: sent });
        assertError(answer, 400, 'DIGEST_INVALID');
      }
      for (const absent of [digest, digestOf(sent, algorithm), digestOf(sent)]) {
        equal((await client.ask('HEAD', `/v2/${repository}/blobs/${absent}`)).status, 404);
      }
    });
  }
});

suite('POST then PUT', () => {
  for (const query of ['', '?digest-algorithm=sha256', '?digest-algorithm=sha512']) {
    test(`"Upon success, the response MUST have a code of 202 Accepted, and MUST include … Location": ${query || 'plain'}`, async () => {
      const repository = freshRepository();
      const answer = await client.ask('POST', `/v2/${repository}/blobs/uploads/${query}`);
      deepEqual([answer.status, answer.text], [202, '']);
      equal((await client.ask('GET', locationOf(answer))).status, 204);
    });
  }

  test('a POST needs no Content-Length', async () => {
    const answer = await client.ask('POST', `/v2/${freshRepository()}/blobs/uploads/`, {
      streamed: true,
    });
    equal(answer.status, 202);
  });

  for (const algorithm of algorithms) {
    for (const [name, bytes] of contents) {
      for (const streamed of [false, true]) {
        test(`"the response MUST have code 201 Created and MUST have … Location … being a pullable blob URL": ${name}, ${algorithm}${streamed ? ', without a length' : ''}`, async () => {
          const repository = freshRepository();
          const digest = digestOf(bytes, algorithm);
          const location = withQuery(await client.begin(repository), { digest });
          const answer = await client.ask('PUT', location, { body: bytes, streamed });
          deepEqual([answer.status, answer.headers['docker-content-digest']], [201, digest]);
          await assertPullable(client, answer, bytes, digest);
        });
      }
    }

    test(`"the algorithm the registry should use for the blob": a POST that says ${algorithm} is ended with either`, async () => {
      for (const ended of algorithms) {
        const repository = freshRepository();
        const bytes = randomBytes(300);
        const digest = digestOf(bytes, ended);
        const begun = await client.begin(repository, `?digest-algorithm=${algorithm}`);
        const answer = await client.ask('PUT', withQuery(begun, { digest }), { body: bytes });
        equal(answer.status, 201);
        await assertPullable(client, answer, bytes, digest);
      }
    });
  }

  test('"Registries MUST support concurrent uploads from one or more clients": each has a Location of its own', async () => {
    const repository = freshRepository();
    const blobs = Array.from({ length: 12 }, () => randomBytes(5000));
    const locations = await Promise.all(blobs.map(() => client.begin(repository)));
    equal(new Set(locations).size, blobs.length);
    const answers = await Promise.all(
      blobs.map((body, index) =>
        client.ask('PUT', withQuery(locations[index] ?? '', { digest: digestOf(body) }), { body }),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      equal(answer.status, 201);
      const bytes = blobs[index] ?? '';
      await assertPullable(client, answer, bytes, digestOf(bytes));
    }
  });

  test('"If process A and B upload the same layer at the same time, both operations will proceed"', async () => {
    const repository = freshRepository();
    const body = randomBytes(200_000);
    const digest = digestOf(body);
    const answers = await Promise.all(
      Array.from({ length: 6 }, async () =>
        client.ask('PUT', withQuery(await client.begin(repository), { digest }), { body }),
      ),
    );
    deepEqual(
      answers.map(({ status }) => status),
      [201, 201, 201, 201, 201, 201],
    );
  });

  test('a PUT without the digest is 400', async () => {
    const location = await client.begin(freshRepository());
    assertError(await client.ask('PUT', location, { body: 'x' }), 400, 'DIGEST_INVALID');
  });

  test('"<length> is its size in bytes": a body that ends before it stores nothing', async () => {
    const repository = freshRepository();
    const bytes = randomBytes(1000);
    const digest = digestOf(bytes);
    const location = withQuery(await client.begin(repository), { digest });
    const { hostname, port } = new URL(client.breakwater.url);
    const authorization = await basicOf(client.breakwater);
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `PUT ${location} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: ${authorization}\r\nContent-Length: 1001\r\n\r\n`,
      );
      socket.write(bytes, () => socket.end());
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
    await promise;
    equal((await client.ask('HEAD', `/v2/${repository}/blobs/${digest}`)).status, 404);
    const again = await until(async () => {
      const answer = await client.ask(
        'PUT',
        withQuery(await client.begin(repository), { digest }),
        {
          body: bytes,
        },
      );
      return answer.status === 201 && answer;
    }, 'the upload is free again');
    await assertPullable(client, again, bytes, digest);
  });
});

suite('Single POST', () => {
  for (const algorithm of algorithms) {
    for (const [name, bytes] of contents) {
      test(`"Successful completion of the request MUST return a 201 Created and MUST include … Location": ${name}, ${algorithm}`, async () => {
        const digest = digestOf(bytes, algorithm);
        const location = withQuery(`/v2/${freshRepository()}/blobs/uploads/`, { digest });
        const answer = await client.ask('POST', location, { body: bytes });
        deepEqual([answer.status, answer.headers['docker-content-digest']], [201, digest]);
        await assertPullable(client, answer, bytes, digest);
      });
    }
  }

  test('"the <digest> MUST match the blob\'s digest": the wrong one leaves the right one absent too', async () => {
    const repository = freshRepository();
    const body = 'what was sent';
    const digest = digestOf('what was said');
    const location = withQuery(`/v2/${repository}/blobs/uploads/`, { digest });
    assertError(await client.ask('POST', location, { body }), 400, 'DIGEST_INVALID');
    equal((await client.ask('HEAD', `/v2/${repository}/blobs/${digestOf(body)}`)).status, 404);
  });
});

suite('Content Digests', () => {
  test('"the header Docker-Content-Digest … MUST be a digest matching that of the response body": each algorithm under its own name', async () => {
    const repository = freshRepository();
    const bytes = randomBytes(777);
    const digests = [];
    for (const algorithm of algorithms)
      digests.push(await client.pushBlob(repository, bytes, algorithm));
    notEqual(digests[0], digests[1]);
    for (const digest of digests) {
      const answer = await client.ask('GET', `/v2/${repository}/blobs/${digest}`);
      deepEqual(
        [answer.status, answer.headers['docker-content-digest'], answer.bytes.equals(bytes)],
        [200, digest, true],
      );
    }
  });

  test('bytes of another repository are not of this one', async () => {
    const digest = await client.pushBlob(freshRepository(), randomBytes(50));
    const other = freshRepository();
    await client.pushBlob(other, 'something else');
    for (const method of ['GET', 'HEAD']) {
      equal((await client.ask(method, `/v2/${other}/blobs/${digest}`)).status, 404);
    }
  });
});
