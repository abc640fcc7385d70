// One image by every form in which mirrors are asked, and what must never be reached by any of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import { ask, errorOf, fullAccept, text } from '../support/clients/pull.ts';
import type { Answer } from '../support/clients/pull.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene, SceneOptions } from '../support/processes/scene.ts';

const tag = 'manifests/1.36';
const accept = { accept: fullAccept };

const forms = [
  { name: 'the path with library/', path: `/v2/docker.io/library/busybox/${tag}` },
  { name: 'the path without library/', path: `/v2/docker.io/busybox/${tag}` },
  { name: 'the path of an alias', path: `/v2/index.docker.io/library/busybox/${tag}` },
  { name: 'the registry’s own host name', path: `/v2/registry-1.docker.io/busybox/${tag}` },
  { name: 'ns with library/', path: `/v2/library/busybox/${tag}?ns=docker.io` },
  { name: 'ns without library/', path: `/v2/busybox/${tag}?ns=docker.io` },
  { name: 'ns of an alias', path: `/v2/library/busybox/${tag}?ns=registry-1.docker.io` },
  { name: 'ns with a port and capitals', path: `/v2/library/busybox/${tag}?ns=Docker.IO%3A443` },
  { name: 'the path and ns', path: `/v2/docker.io/library/busybox/${tag}?ns=docker.io` },
  { name: 'the path before /v2', path: `/docker.io/v2/library/busybox/${tag}` },
  { name: 'the path before /v2 and ns', path: `/docker.io/v2/busybox/${tag}?ns=docker.io` },
] as const;

async function get(s: Scene, path: string): Promise<Answer> {
  return await ask(`${s.breakwater.url}${path}`, { headers: accept });
}

test('Every mirror form leads to one repository, fetched once', async (t) => {
  const s = await setScene(t, { behaviour: publicRegistries.dockerHub });
  if (s === undefined) return;
  for (const { name, path } of forms) {
    await t.test(`${name}.`, async () => {
      const answer = await get(s, path);
      assert.equal(answer.status, 200, text(answer));
      assert.deepEqual(answer.body, s.bytesOf(s.image('index').digest));
      assert.equal(answer.headers['oci-namespace'] !== undefined, path.includes('ns='));
    });
  }
  assert.equal(s.front.count({ kind: 'manifest', method: 'GET', status: 200 }), 1);
});

/** Names without a rule may be somebody's repository: whoever is nobody is asked to say who they are. */
const unreachable = [
  { name: 'an unknown ns', path: `/v2/library/busybox/${tag}?ns=example.invalid`, status: 404 },
  {
    name: 'the front’s own address as ns',
    path: `/v2/library/busybox/${tag}?ns=FRONT`,
    status: 404,
  },
  { name: 'a name at the root', path: `/v2/library/busybox/${tag}`, status: 401 },
  { name: 'an unknown host in the path', path: `/v2/example.invalid/busybox/${tag}`, status: 401 },
] as const;

test('Nothing is reached by', async (t) => {
  const s = await setScene(t, {
    config: (front) => ({
      defaultRules: false,
      rules: [{ prefix: 'mirror/hub', upstream: front.url }],
    }),
  });
  if (s === undefined) return;
  for (const { name, path, status } of unreachable) {
    await t.test(`${name}.`, async () => {
      const answer = await get(s, path.replace('FRONT', 'localhost%3A1'));
      assert.equal(answer.status, status, text(answer));
      assert.equal(errorOf(answer).code, status === 401 ? 'UNAUTHORIZED' : 'NAME_UNKNOWN');
      assert.equal(s.front.count(), 0);
    });
  }
});

async function withHub(t: TestContext, options: SceneOptions = {}): Promise<string | undefined> {
  const s = await setScene(t, { hubMirror: true, ...options });
  return s?.breakwater.hubMirrorUrl;
}

test('The Hub listener has docker.io at its root.', async (t) => {
  const hub = await withHub(t);
  if (hub === undefined) return;
  const base = await ask(`${hub}/v2/`);
  assert.equal(base.status, 200);
  const answer = await ask(`${hub}/v2/library/busybox/${tag}`, { headers: accept });
  assert.equal(answer.status, 200, text(answer));
  const unknown = await ask(`${hub}/v2/library/unknown/${tag}`, { headers: accept });
  assert.equal(unknown.status, 404);
});

test('The Hub listener knows no other registry.', async (t) => {
  const hub = await withHub(t, {
    config: (front) => ({
      defaultRules: false,
      rules: [
        { prefix: 'docker.io', upstream: front.url },
        { prefix: 'quay.io', upstream: front.url },
      ],
    }),
  });
  if (hub === undefined) return;
  const answer = await ask(`${hub}/v2/quay.io/library/busybox/${tag}`, { headers: accept });
  assert.equal(answer.status, 404, text(answer));
  const ns = await ask(`${hub}/v2/library/busybox/${tag}?ns=quay.io`, { headers: accept });
  assert.ok([200, 404].includes(ns.status));
});

test('/v2/ answers to a mirror’s ping in every form with the one challenge.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  for (const path of ['/v2/', '/v2/?ns=docker.io', '/docker.io/v2/', '/v2']) {
    const answer = await get(s, path);
    assert.equal(answer.status, 401, path);
    assert.match(String(answer.headers['www-authenticate']), /^Bearer realm=[^,]*,service=[^,]*$/);
  }
  assert.equal(s.front.count(), 0);
});
