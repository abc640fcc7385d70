import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { publicRegistries } from './front-behaviour.ts';
import { startFront } from './front.ts';
import type { Front } from './front.ts';
import { pushTinyImage } from '../clients/registry-push.ts';
import { findRegistry, startRegistry } from './registry.ts';
import type { Registry } from './registry.ts';
import { loadCorpus } from '../samples/images.ts';

const program = await findRegistry();
const skip = 'missing' in program ? program.missing : false;

let registry: Registry;
let front: Front;
let layer: string;
const content = 'x'.repeat(100_000);

before(async () => {
  if (skip !== false) return;
  registry = await startRegistry();
  front = await startFront({ registry: registry.url });
  layer = (await pushTinyImage(registry.url, 'library/tiny', '1', content)).layer;
});

after(async () => {
  await front?.close();
  await registry?.stop();
});

function blobUrl(): string {
  return `${front.url}/v2/library/tiny/blobs/${layer}`;
}

test('A front sends the registry’s bytes and counts them by kind.', { skip }, async () => {
  front.clear();
  const answer = await fetch(blobUrl());
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), content);
  assert.equal(front.count({ kind: 'blob', method: 'GET' }), 1);
  assert.equal(front.bytes({ kind: 'blob' }), content.length);
});

test(
  'A front as Docker Hub wants a token of the right scope and redirects blobs elsewhere.',
  { skip },
  async () => {
    front.behave(publicRegistries.dockerHub);
    const refused = await fetch(blobUrl());
    assert.equal(refused.status, 401);
    const challenge = refused.headers.get('www-authenticate') ?? '';
    assert.match(challenge, /scope="repository:library\/tiny:pull"/);
    const realm = /realm="([^"]+)"/.exec(challenge)?.[1] ?? '';
    const wrong = (await (await fetch(`${realm}?scope=repository:other:pull`)).json()) as {
      token: string;
    };
    const right = (await (await fetch(`${realm}?scope=repository:library/tiny:pull`)).json()) as {
      token: string;
    };
    const ask = async (token: string): Promise<Response> =>
      await fetch(blobUrl(), { headers: { authorization: `Bearer ${token}` }, redirect: 'manual' });
    assert.equal((await ask(wrong.token)).status, 401);
    const redirected = await ask(right.token);
    assert.equal(redirected.status, 307);
    const location = redirected.headers.get('location') ?? '';
    assert.equal(new URL(location).host, front.blobHost);
    assert.equal(await (await fetch(location)).text(), content);
    assert.equal((await fetch(location, { headers: { authorization: 'Bearer x' } })).status, 400);
    const manifest = await fetch(`${front.url}/v2/library/tiny/manifests/1`, {
      headers: { authorization: `Bearer ${right.token}` },
    });
    assert.equal(manifest.headers.get('ratelimit-limit'), '100;w=21600');
    front.behave({ auth: undefined, redirect: undefined, rateLimit: undefined });
  },
);

test(
  'A front truncates at the byte that a fault says, as often as it says.',
  { skip },
  async () => {
    front.clear();
    const fault = front.fault({ kind: 'blob', times: 1, wrong: { truncateAt: 70_000 } });
    const answer = await fetch(blobUrl());
    await assert.rejects(answer.text());
    assert.equal(front.bytes({ kind: 'blob' }), 70_000);
    assert.equal(fault.met(), 1);
    assert.equal(await (await fetch(blobUrl())).text(), content);
    front.heal();
  },
);

test('A front changes one byte without a word.', { skip }, async () => {
  front.fault({ kind: 'blob', wrong: { corruptAt: 10 } });
  const text = await (await fetch(blobUrl())).bytes();
  assert.equal(text.length, content.length);
  assert.equal(text[10], 0x78 ^ 0xff);
  front.heal();
});

test(
  'A front that is down refuses connections until it is up again on its port.',
  { skip },
  async () => {
    await front.down();
    await assert.rejects(fetch(blobUrl()));
    await front.up();
    assert.equal((await fetch(blobUrl())).status, 200);
  },
);

test('A front keeps a connection to its rate.', { skip }, async () => {
  front.behave({ bytesPerSecond: 200_000 });
  const started = performance.now();
  await (await fetch(blobUrl())).bytes();
  assert.ok(performance.now() - started > 150);
  front.behave({ bytesPerSecond: 0 });
});

test('A front that ignores ranges answers 200 with everything.', { skip }, async () => {
  const headers = { range: 'bytes=5-9' };
  assert.equal((await (await fetch(blobUrl(), { headers })).bytes()).length, 5);
  front.behave({ ranges: 'ignore' });
  const answer = await fetch(blobUrl(), { headers });
  assert.equal(answer.status, 200);
  assert.equal((await answer.bytes()).length, content.length);
  front.behave({ ranges: 'honour' });
});

test('Debian’s docker-registry serves the corpus that distribution stored.', async (t) => {
  const corpus = await loadCorpus();
  if ('missing' in corpus) return t.skip(corpus.missing);
  const old = await findRegistry('docker-registry');
  if ('missing' in old) return t.skip(old.missing);
  const debian = await startRegistry({ kind: 'docker-registry', content: corpus.registryRoot });
  try {
    for (const image of Object.values(corpus.images)) {
      const url = `${debian.url}/v2/${image.repository}/manifests/${image.digest}`;
      const answer = await fetch(url, { headers: { accept: image.mediaType } });
      assert.equal(answer.status, 200);
      assert.deepEqual(
        Buffer.from(await answer.bytes()),
        await readFile(corpus.blobFile(image.digest)),
      );
    }
  } finally {
    await debian.stop();
  }
});
