import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { suite, test } from 'node:test';
import { basicOf } from '../support/processes/breakwater.ts';
import { until } from '../support/rigs/until.ts';
import {
  algorithms,
  assertPullable,
  freshRepository,
  locationOf,
  clientOfFile,
  withQuery,
} from '../support/clients/registry-client.ts';
import { digestOf } from '../support/samples/digest.ts';

/** distribution-spec, "Resumable Push": an upload outlives the server that began it. */
const client = await clientOfFile();

const bytes = randomBytes(300_000);

async function heldOf(location: string): Promise<number> {
  const answer = await client.ask('GET', location);
  equal(answer.status, 204, answer.text);
  const end = Number(/^0-(\d+)$/.exec(String(answer.headers.range))?.[1]);
  return end === 0 ? 0 : end + 1;
}

/** Starts the server again with what is on the disk. */
const stops: readonly (readonly [name: string, again: () => Promise<void>])[] = [
  ['after a restart', () => client.breakwater.restart()],
  [
    'after kill -9',
    async () => {
      await client.breakwater.kill9();
      await client.breakwater.restart();
    },
  ],
];

suite('Resumable Push', () => {
  for (const [name, again] of stops) {
    for (const algorithm of algorithms) {
      test(`"The build server responds by only sending the remaining data": ${name}, ${algorithm}`, async () => {
        const repository = freshRepository();
        const digest = digestOf(bytes, algorithm);
        const first = await client.ask('PATCH', await client.begin(repository), {
          headers: { 'Content-Range': '0-99999' },
          body: bytes.subarray(0, 100_000),
        });
        deepEqual([first.status, first.headers.range], [202, '0-99999']);
        await again();
        const location = locationOf(first);
        equal(await heldOf(location), 100_000);
        const second = await client.ask('PATCH', location, {
          headers: { 'Content-Range': '100000-299998' },
          body: bytes.subarray(100_000, 299_999),
        });
        deepEqual([second.status, second.headers.range], [202, '0-299998']);
        await again();
        const answer = await client.ask('PUT', withQuery(locationOf(second), { digest }), {
          headers: { 'Content-Range': '299999-299999' },
          body: bytes.subarray(299_999),
        });
        equal(answer.status, 201, answer.text);
        await assertPullable(client, answer, bytes, digest);
      });
    }

    test(`what was acknowledged is there, an upload without bytes too: ${name}`, async () => {
      const repository = freshRepository();
      const fresh = await client.begin(repository);
      const image = await client.image(repository);
      const { digest, text } = await client.pushManifest(repository, image, { reference: 'v1' });
      const blob = await client.pushBlob(repository, bytes);
      await again();
      equal(await heldOf(fresh), 0);
      const manifest = await client.ask('GET', `/v2/${repository}/manifests/v1`);
      deepEqual([manifest.headers['docker-content-digest'], manifest.text], [digest, text]);
      const pulled = await client.ask('GET', `/v2/${repository}/blobs/${blob}`);
      ok(pulled.bytes.equals(bytes));
    });
  }

  test('a chunk that was cut by kill -9 goes on where the status says', async () => {
    const repository = freshRepository();
    const digest = digestOf(bytes);
    const first = await client.ask('PATCH', await client.begin(repository), {
      headers: { 'Content-Range': '0-99999' },
      body: bytes.subarray(0, 100_000),
    });
    const location = locationOf(first);
    const sent = request(new URL(location, client.breakwater.url), {
      method: 'PATCH',
      headers: { Authorization: await basicOf(client.breakwater) },
      agent: false,
    });
    sent.on('error', () => undefined);
    sent.write(bytes.subarray(100_000, 250_000));
    await until(() => sent.socket?.bytesWritten, 'the chunk is on its way');
    await client.breakwater.kill9();
    await client.breakwater.restart();
    const held = await heldOf(location);
    ok(held >= 100_000 && held <= 250_000, String(held));
    const answer = await client.ask('PUT', withQuery(location, { digest }), {
      headers: { 'Content-Range': `${String(held)}-299999` },
      body: bytes.subarray(held),
    });
    equal(answer.status, 201, answer.text);
    await assertPullable(client, answer, bytes, digest);
  });
});
