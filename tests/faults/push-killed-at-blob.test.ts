// kill -9 between a push's two last steps: the upload's file is a blob already, and no repository holds it yet.
import { equal, ok, rejects } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  assertError,
  descriptorOf,
  startRegistryClient,
  withQuery,
} from '../support/clients/registry-client.ts';
import type { RegistryClient } from '../support/clients/registry-client.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { digestOf } from '../support/samples/digest.ts';

const entry = fileURLToPath(new URL('../support/processes/killed-at-blob.ts', import.meta.url));
const repository = 'killed/at-blob';
const root = `/v2/${repository}`;
const image = 'application/vnd.oci.image.config.v1+json';

let folder: string;
let mark: string;
let client: RegistryClient;
before(async () => {
  folder = await makeRunFolder('killed-at-blob');
  mark = join(folder, 'now');
  client = await startRegistryClient({}, { entry, env: { KILLED_AT_BLOB: mark } });
});
after(async () => {
  await client[Symbol.asyncDispose]();
  await removeRunFolder(folder);
});

interface Killed {
  readonly bytes: Buffer;
  readonly digest: string;
  readonly location: string;
}

let killed: Killed;

/** An upload of two acknowledged chunks, whose last request the server does not survive. */
async function killAtTheEnd(): Promise<Killed> {
  const bytes = randomBytes(300_000);
  const digest = digestOf(bytes);
  const location = await client.begin(repository);
  for (const start of [0, 100_000]) {
    const body = bytes.subarray(start, start + 100_000);
    const headers = { 'Content-Range': `${String(start)}-${String(start + 99_999)}` };
    equal((await client.ask('PATCH', location, { body, headers })).status, 202);
  }
  await writeFile(mark, '');
  const last = { body: bytes.subarray(200_000) };
  await rejects(client.ask('PUT', withQuery(location, { digest }), last));
  equal(await client.breakwater.stop(), 'SIGKILL');
  await rm(mark);
  await client.breakwater.restart();
  return { bytes, digest, location };
}

async function assertHeld(bytes: Buffer, digest: string): Promise<void> {
  const answer = await client.ask('GET', `${root}/blobs/${digest}`);
  equal(answer.status, 200, answer.text);
  ok(answer.bytes.equals(bytes), 'the bytes are those pushed');
}

suite('kill -9 after an upload became a blob, and before its repository holds it', () => {
  const earlier = randomBytes(1000);
  before(async () => {
    await client.pushBlob(repository, earlier);
    const config = descriptorOf(image, earlier);
    await client.pushManifest(repository, { schemaVersion: 2, config, layers: [] }, tagged('v0'));
  });
  beforeEach(async () => {
    killed = await killAtTheEnd();
  });

  test('what was acknowledged before is there, and the upload is not', async () => {
    const { location, digest } = killed;
    await assertHeld(earlier, digestOf(earlier));
    equal((await client.ask('GET', `${root}/manifests/v0`)).status, 200);
    assertError(await client.ask('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN');
    const put = await client.ask('PUT', withQuery(location, { digest }));
    assertError(put, 404, 'BLOB_UPLOAD_UNKNOWN');
    const patch = await client.ask('PATCH', location, { body: 'more' });
    assertError(patch, 404, 'BLOB_UPLOAD_UNKNOWN');
  });

  test('the blob is in no repository, and nobody can mount it or name it', async () => {
    const { bytes, digest } = killed;
    assertError(await client.ask('GET', `${root}/blobs/${digest}`), 404, 'BLOB_UNKNOWN');
    for (const from of [repository, undefined]) {
      const query = { mount: digest, ...(from === undefined ? {} : { from }) };
      const start = withQuery('/v2/killed/elsewhere/blobs/uploads/', query);
      equal((await client.ask('POST', start)).status, 202);
    }
    const put = await client.ask('PUT', `${root}/manifests/v1`, {
      headers: { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
      body: JSON.stringify({ schemaVersion: 2, config: descriptorOf(image, bytes), layers: [] }),
    });
    assertError(put, 404, 'MANIFEST_BLOB_UNKNOWN');
  });

  for (const [name, push] of [
    ['in chunks', pushInChunks],
    ['by POST and PUT', ({ bytes }: Killed) => client.pushBlob(repository, bytes)],
    ['by one POST', pushByPost],
  ] as const) {
    test(`pushed again ${name}, it is stored, and an image of it too`, async () => {
      const { bytes, digest } = killed;
      await push(killed);
      await assertHeld(bytes, digest);
      const config = descriptorOf(image, bytes);
      await client.pushManifest(repository, { schemaVersion: 2, config, layers: [] }, tagged('v1'));
      await client.breakwater.kill9();
      await client.breakwater.restart();
      await assertHeld(bytes, digest);
      equal((await client.ask('GET', `${root}/manifests/v1`)).status, 200);
    });
  }
});

function tagged(reference: string): { readonly reference: string } {
  return { reference };
}

async function pushInChunks({ bytes, digest }: Killed): Promise<void> {
  const location = await client.begin(repository);
  equal((await client.ask('PATCH', location, { body: bytes, streamed: true })).status, 202);
  equal((await client.ask('PUT', withQuery(location, { digest }))).status, 201);
}

async function pushByPost({ bytes, digest }: Killed): Promise<void> {
  const path = withQuery(`${root}/blobs/uploads/`, { digest });
  equal((await client.ask('POST', path, { body: bytes })).status, 201);
}
