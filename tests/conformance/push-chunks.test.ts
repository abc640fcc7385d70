import { deepEqual, equal, match } from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { suite, test } from 'node:test';
import type { HttpAnswer } from '../support/clients/http-exchange.ts';
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

/** distribution-spec, "Pushing a blob in chunks" and "Cancel a blob upload", clause by clause. */
const client = await clientOfFile();

const bytes = randomBytes(3067);

/** Sends the bytes from `start` on, up to but without `end`. */
function chunk(
  method: 'PATCH' | 'PUT',
  location: string,
  start: number,
  end: number,
): Promise<HttpAnswer> {
  return client.ask(method, location, {
    headers: { 'Content-Range': `${String(start)}-${String(end - 1)}` },
    body: bytes.subarray(start, end),
  });
}

async function assertStatus(location: string, size: number): Promise<string> {
  const answer = await client.ask('GET', location);
  deepEqual(
    [answer.status, answer.headers.range, answer.text],
    [204, `0-${String(Math.max(0, size - 1))}`, ''],
  );
  return locationOf(answer);
}

/** Sends what is missing, closes the upload, and pulls the blob. */
async function assertFinishes(location: string, size: number): Promise<void> {
  const digest = digestOf(bytes);
  const rest = await chunk('PUT', withQuery(location, { digest }), size, bytes.length);
  equal(rest.status, 201, rest.text);
  await assertPullable(client, rest, bytes, digest);
}

const layouts: readonly (readonly [name: string, ends: readonly number[], lastInPut: boolean])[] = [
  ['one chunk', [3067], false],
  ['three chunks', [1024, 2048, 3067], false],
  ['three chunks, the last in the PUT', [1024, 2048, 3067], true],
  ['the only chunk in the PUT', [3067], true],
  ['a last chunk of one byte', [3066, 3067], false],
  ['chunks of growing size', [1, 3, 10, 100, 3067], true],
];

suite('Pushing a blob in chunks', () => {
  test('"If the registry has a minimum chunk size, the POST response SHOULD include" it as a number of bytes', async () => {
    const answer = await client.ask('POST', `/v2/${freshRepository()}/blobs/uploads/`);
    match(String(answer.headers['oci-chunk-min-length'] ?? '1'), /^[1-9]\d*$/);
  });

  for (const algorithm of algorithms) {
    for (const [name, ends, lastInPut] of layouts) {
      test(`"The response for each successful chunk upload MUST be 202 Accepted, and MUST have" Location and Range: ${name}, ${algorithm}`, async () => {
        const digest = digestOf(bytes, algorithm);
        let location = await client.begin(freshRepository(), `?digest-algorithm=${algorithm}`);
        let start = 0;
        for (const end of lastInPut ? ends.slice(0, -1) : ends) {
          const answer = await chunk('PATCH', location, start, end);
          deepEqual([answer.status, answer.headers.range], [202, `0-${String(end - 1)}`]);
          location = locationOf(answer);
          start = end;
        }
        const closing = withQuery(location, { digest });
        const answer = lastInPut
          ? await chunk('PUT', closing, start, bytes.length)
          : await client.ask('PUT', closing);
        equal(answer.status, 201, answer.text);
        await assertPullable(client, answer, bytes, digest);
      });
    }

    test(`a stream without length or range is 202, and more is appended to it: ${algorithm}`, async () => {
      const digest = digestOf(bytes, algorithm);
      let location = await client.begin(freshRepository());
      for (const [start, end] of [
        [0, 2000],
        [2000, 3000],
        [3000, 3067],
      ]) {
        const body = bytes.subarray(start, end);
        const answer = await client.ask('PATCH', location, { body, streamed: true });
        deepEqual([answer.status, answer.headers.range], [202, `0-${String((end ?? 0) - 1)}`]);
        location = locationOf(answer);
      }
      const answer = await client.ask('PUT', withQuery(location, { digest }));
      equal(answer.status, 201);
      await assertPullable(client, answer, bytes, digest);
    });

    test(`"The closing PUT request MUST include the <digest> of the whole blob (not the final chunk)": ${algorithm}`, async () => {
      const repository = freshRepository();
      const first = await chunk('PATCH', await client.begin(repository), 0, 1024);
      const digest = digestOf(bytes.subarray(1024), algorithm);
      const closing = withQuery(locationOf(first), { digest });
      assertError(await chunk('PUT', closing, 1024, 3067), 400, 'DIGEST_INVALID');
      equal((await client.ask('HEAD', `/v2/${repository}/blobs/${digest}`)).status, 404);
    });
  }

  for (const range of [
    '0-',
    '-1023',
    '1023-0',
    '0x0-0x3ff',
    '0.0-1023',
    'all',
    '0-1023,1024-2047',
  ]) {
    test(`the range "MUST match the following regular expression: ^[0-9]+-[0-9]+$": ${range} is 400 and changes nothing`, async () => {
      const location = await client.begin(freshRepository());
      const answer = await client.ask('PATCH', location, {
        headers: { 'Content-Range': range },
        body: bytes.subarray(0, 1024),
      });
      assertError(answer, 400, 'BLOB_UPLOAD_INVALID');
      await assertFinishes(await assertStatus(location, 0), 0);
    });
  }

  for (const range of ['bytes 0-1023/*', 'bytes 0-1023/3067', '0-1023/*', 'Bytes  0-1023']) {
    test(`HTTP's own form of the range, its total known or not, is taken: ${range}`, async () => {
      const location = await client.begin(freshRepository());
      const answer = await client.ask('PATCH', location, {
        headers: { 'Content-Range': range },
        body: bytes.subarray(0, 1024),
      });
      equal(answer.status, 202, answer.text);
      await assertFinishes(await assertStatus(locationOf(answer), 1024), 1024);
    });
  }

  for (const [name, end] of [
    ['longer', 2000],
    ['shorter', 500],
  ] as const) {
    test(`"The <length> is the content-length, in bytes, of the current chunk": a range that is ${name} is SIZE_INVALID and changes nothing`, async () => {
      const first = await chunk('PATCH', await client.begin(freshRepository()), 0, 100);
      const location = locationOf(first);
      const answer = await client.ask('PATCH', location, {
        headers: { 'Content-Range': `100-${String(100 + end - 1)}` },
        body: bytes.subarray(100, 1100),
      });
      assertError(answer, 400, 'SIZE_INVALID');
      await assertFinishes(await assertStatus(location, 100), 100);
    });
  }
});

const outOfOrder: readonly (readonly [
  name: string,
  held: number,
  start: number,
  end: number,
  method: 'PATCH' | 'PUT',
])[] = [
  ['"The first chunk\'s range MUST begin with 0"', 0, 1024, 2048, 'PATCH'],
  ['a gap of one byte', 1024, 1025, 2048, 'PATCH'],
  ['a gap', 1024, 2048, 3067, 'PATCH'],
  ['what was sent already', 2048, 0, 1024, 'PATCH'],
  ['the last chunk again', 2048, 1024, 2048, 'PATCH'],
  ['one that overlaps', 2048, 2047, 3067, 'PATCH'],
  ['the final chunk in the PUT, too early', 1024, 2048, 3067, 'PUT'],
  ['the whole blob in the PUT, again', 2048, 0, 3067, 'PUT'],
  ['the final chunk in the PUT, of a fresh upload', 0, 2048, 3067, 'PUT'],
];

suite('Pushing a blob in chunks, out of order', () => {
  for (const [name, held, start, end, method] of outOfOrder) {
    test(`"If a chunk is uploaded out of order, the registry MUST respond with a 416": ${name}`, async () => {
      let location = await client.begin(freshRepository());
      if (held > 0) location = locationOf(await chunk('PATCH', location, 0, held));
      const sent = method === 'PUT' ? withQuery(location, { digest: digestOf(bytes) }) : location;
      const answer = await chunk(method, sent, start, end);
      assertError(answer, 416, 'BLOB_UPLOAD_INVALID');
      equal(answer.headers.range, `0-${String(Math.max(0, held - 1))}`);
      await assertStatus(sent, held);
      await assertFinishes(await assertStatus(locationOf(answer), held), held);
    });
  }

  test('"A GET request may be used to retrieve the current valid offset and upload location": at every step', async () => {
    const location = await client.begin(freshRepository());
    let next = await assertStatus(location, 0);
    for (const [start, end] of [
      [0, 1],
      [1, 1500],
      [1500, 3000],
    ]) {
      await chunk('PATCH', next, start ?? 0, end ?? 0);
      next = await assertStatus(next, end ?? 0);
    }
    await assertFinishes(next, 3000);
    assertError(await client.ask('GET', next), 404, 'BLOB_UPLOAD_UNKNOWN');
  });
});

const requests: readonly (readonly [method: string, query: string])[] = [
  ['GET', ''],
  ['PATCH', ''],
  ['PUT', `?digest=${digestOf(bytes)}`],
  ['DELETE', ''],
];

suite('Cancel a blob upload', () => {
  for (const held of [0, 1024]) {
    for (const [method, query] of requests) {
      test(`"If successful, the response SHOULD be a 204 No Content", after which a ${method} is 404: ${String(held)} bytes were there`, async () => {
        let location = await client.begin(freshRepository());
        if (held > 0) location = locationOf(await chunk('PATCH', location, 0, held));
        const cancelled = await client.ask('DELETE', location);
        deepEqual([cancelled.status, cancelled.text], [204, '']);
        const body = method === 'GET' ? {} : { body: bytes };
        assertError(await client.ask(method, location + query, body), 404, 'BLOB_UPLOAD_UNKNOWN');
      });
    }
  }

  for (const [method, query] of requests) {
    test(`an upload that never was is 404 BLOB_UPLOAD_UNKNOWN for ${method}`, async () => {
      const repository = freshRepository();
      await client.pushBlob(repository, 'so that it is there');
      for (const id of [randomUUID(), 'no-uuid', 'a'.repeat(200)]) {
        const answer = await client.ask(method, `/v2/${repository}/blobs/uploads/${id}${query}`);
        assertError(answer, 404, 'BLOB_UPLOAD_UNKNOWN');
      }
    });

    test(`an upload is of its repository alone: ${method}`, async () => {
      const [mine, other] = [freshRepository(), freshRepository()];
      await client.pushBlob(other, 'so that it is there');
      const location = await client.begin(mine);
      const elsewhere = location.replace(mine, other);
      assertError(await client.ask(method, elsewhere + query), 404, 'BLOB_UPLOAD_UNKNOWN');
      await assertFinishes(await assertStatus(location, 0), 0);
    });
  }
});
