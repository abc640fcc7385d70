// Names and whose bytes they give: rules side by side, library/, tags and patterns.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { basicOf, rulesOnly } from '../support/processes/breakwater.ts';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import type { Behaviour } from '../support/upstreams/front-behaviour.ts';
import { startFront } from '../support/upstreams/front.ts';
import type { Front } from '../support/upstreams/front.ts';
import { until } from '../support/rigs/until.ts';
import { ask, askBlob, askManifest, errorOf, pullImage, text } from '../support/clients/pull.ts';
import { pushTinyImage } from '../support/clients/registry-push.ts';
import { startRegistry } from '../support/upstreams/registry.ts';
import type { Registry } from '../support/upstreams/registry.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';

interface TwoRules extends Scene {
  /** An empty registry behind the rule `quay.io`, and its front. */
  readonly other: Registry;
  readonly otherFront: Front;
}

async function withTwoRules(t: TestContext): Promise<TwoRules | undefined> {
  const others: { other: Registry; otherFront: Front }[] = [];
  const s = await setScene(t, {
    async config(front) {
      const other = await startRegistry();
      t.after(() => other.stop());
      const otherFront = await startFront({ registry: other.url });
      t.after(() => otherFront.close());
      others.push({ other, otherFront });
      return rulesOnly(
        { prefix: 'docker.io', upstream: front.url },
        { prefix: 'quay.io', upstream: otherFront.url },
      );
    },
  });
  const [found] = others;
  return s === undefined || found === undefined ? undefined : { ...s, ...found };
}

test('T33: Two registries with one path share no tag and no manifest.', async (t) => {
  const s = await withTwoRules(t);
  if (s === undefined) return;
  const theirs = await pushTinyImage(s.other.url, 'library/busybox', '1.36', 'another content');
  const ours = s.image('index').digest;
  for (let each = 0; each < 2; each++) {
    assert.equal(
      (await pullImage(s.breakwater.url, 'docker.io/library/busybox', '1.36')).digest,
      ours,
    );
    assert.equal(
      (await pullImage(s.breakwater.url, 'quay.io/library/busybox', '1.36')).digest,
      theirs.digest,
    );
  }
  assert.equal((await askManifest(s.breakwater.url, 'quay.io/library/busybox', ours)).status, 404);
  const swapped = await askManifest(s.breakwater.url, 'docker.io/library/busybox', theirs.digest);
  assert.equal(swapped.status, 404);
  assert.equal(s.otherFront.count({ kind: 'manifest', method: 'GET', path: '1.36' }), 1);
});

test('T47: Bytes that one rule fetched are not readable through another whose upstream lacks them.', async (t) => {
  const s = await withTwoRules(t);
  if (s === undefined) return;
  const image = s.image('single');
  await pullImage(s.breakwater.url, 'docker.io/library/busybox', 'single');
  const layer = image.blobs[1]?.digest ?? '';
  const refused = await askBlob(s.breakwater.url, 'quay.io/library/busybox', layer);
  assert.equal(refused.status, 404, text(refused));
  assert.equal(errorOf(refused).code, 'BLOB_UNKNOWN');
  assert.ok(s.otherFront.count({ kind: 'blob', path: layer }) >= 1);
  const elsewhere = await askBlob(s.breakwater.url, 'docker.io/library/docker2', layer);
  assert.equal(elsewhere.status, 404, text(elsewhere));
});

test('T47: Bytes that another rule brought are fetched by each rule itself, once; in its other repositories one byte is proof.', async (t) => {
  const s = await withTwoRules(t);
  if (s === undefined) return;
  const content = 'bytes in both registries'.repeat(1000);
  const one = await pushTinyImage(s.registry.url, 'library/shared', '1', content);
  for (const repository of ['team/shared', 'team/other'])
    assert.equal((await pushTinyImage(s.other.url, repository, '1', content)).layer, one.layer);
  const stored = async (repository: string): Promise<void> => {
    await pullImage(s.breakwater.url, repository, '1');
    await until(async () => {
      const answer = await askBlob(s.breakwater.url, repository, one.layer);
      return answer.headers['cache-status'] === 'Breakwater; hit';
    }, 'the layer is stored');
  };
  const fetched = (): number =>
    s.otherFront.bytes({ kind: 'blob', method: 'GET', path: one.layer });
  await stored('docker.io/library/shared');
  await stored('quay.io/team/shared');
  assert.equal(fetched(), content.length);
  await stored('quay.io/team/other');
  assert.equal(fetched(), content.length + 1);
});

test('T41: library/ is added once, where it belongs, with a token of the right scope.', async (t) => {
  const s = await setScene(t, { behaviour: publicRegistries.dockerHub });
  if (s === undefined) return;
  await pushTinyImage(s.registry.url, 'natsio/reloader', '1', 'a user’s image');
  await pullImage(s.breakwater.url, 'docker.io/busybox', '1.36');
  await pullImage(s.breakwater.url, 'docker.io/library/busybox', '1.36');
  await pullImage(s.breakwater.url, 'docker.io/natsio/reloader', '1');
  const paths = s.front.requests.map((each) => each.url);
  assert.ok(
    !paths.some((path) => path.includes('library/library') || path.includes('library/natsio')),
  );
  assert.ok(!paths.some((path) => path.startsWith('/v2/busybox/')));
  assert.equal(s.front.count({ kind: 'manifest', method: 'GET', status: 200, path: '1.36' }), 1);
  const scopes = s.front.requests
    .filter((each) => each.kind === 'token')
    .map((each) => new URL(each.url, s.front.url).searchParams.get('scope') ?? '');
  assert.deepEqual(scopes.toSorted(), [
    'repository:library/busybox:pull',
    'repository:natsio/reloader:pull',
  ]);
});

test('T41: A redirect to another repository’s path is followed with a token of that repository, or refused with its cause.', async (t) => {
  const s = await setScene(t, { behaviour: { auth: { kind: 'bearer', service: 'front' } } });
  if (s === undefined) return;
  const location = '/v2/library/busybox/manifests/1.36';
  s.front.fault({
    kind: 'manifest',
    path: '/v2/library/renamed/',
    wrong: { status: 301, headers: { location } },
  });
  const answer = await askManifest(s.breakwater.url, 'docker.io/library/renamed', '1.36');
  if (answer.status === 200) assert.deepEqual(answer.body, s.bytesOf(s.image('index').digest));
  else assert.ok([403, 502].includes(answer.status), `${answer.status} ${text(answer)}`);
  assert.ok(s.front.count({ kind: 'manifest' }) <= 4);
});

test('T18: Tags are upstream’s and ours, paged, asked for once a minute, and there without upstream.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  const path = '/v2/docker.io/library/docker/tags/list';
  const list = async (query = ''): Promise<{ tags: string[]; link: string | undefined }> => {
    const answer = await ask(`${s.breakwater.url}${path}${query}`);
    assert.equal(answer.status, 200, text(answer));
    const { tags } = JSON.parse(answer.body.toString('utf8')) as { tags: string[] };
    return { tags, link: answer.headers.link?.toString() };
  };
  assert.deepEqual((await list()).tags, ['image', 'list']);
  const first = await list('?n=1');
  assert.deepEqual(first.tags, ['image']);
  assert.match(first.link ?? '', /last=image.*rel="next"/);
  assert.deepEqual((await list('?n=1&last=image')).tags, ['list']);
  assert.equal(s.front.count({ kind: 'tags' }), 1);
  await pullImage(s.breakwater.url, 'docker.io/library/docker', 'list');
  await s.front.down();
  await s.breakwater.restart();
  const cached = await ask(`${s.breakwater.url}${path}`);
  assert.equal(cached.status, 200, text(cached));
  assert.deepEqual((JSON.parse(cached.body.toString('utf8')) as { tags: string[] }).tags, ['list']);
  assert.match(cached.headers['cache-status']?.toString() ?? '', /detail/);
});

test('T18: The catalog is for nobody without a name, and there is no list of a repository that upstream lacks.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  await pullImage(s.breakwater.url, 'docker.io/library/busybox', '1.36');
  const upstream = s.front.count();
  assert.equal((await ask(`${s.breakwater.url}/v2/_catalog`)).status, 401);
  assert.equal((await ask(`${s.breakwater.url}/v2/_catalog?ns=docker.io`)).status, 401);
  assert.equal(s.front.count(), upstream);
  const missing = await ask(`${s.breakwater.url}/v2/docker.io/library/none/tags/list`);
  assert.equal(missing.status, 404, text(missing));
});

test('allow and deny hold for every way in, blobs and held content too.', async (t) => {
  const s = await setScene(t);
  if (s === undefined) return;
  await pullImage(s.breakwater.url, 'docker.io/library/busybox', '1.36');
  const rule = { prefix: 'docker.io', upstream: s.front.url, deny: ['library/busybox'] };
  await s.breakwater.configure(rulesOnly(rule));
  s.front.clear();
  await until(async () => {
    return (
      (await askManifest(s.breakwater.url, 'docker.io/library/busybox', '1.36')).status === 403
    );
  }, 'the file is read again');
  const layer = s.image('single').blobs[1]?.digest ?? '';
  assert.equal((await askBlob(s.breakwater.url, 'docker.io/library/busybox', layer)).status, 403);
  assert.equal((await askBlob(s.breakwater.url, 'docker.io/busybox', layer)).status, 403);
  const ns = await ask(`${s.breakwater.url}/v2/library/busybox/blobs/${layer}?ns=docker.io`);
  assert.equal(ns.status, 403);
  const tags = await ask(`${s.breakwater.url}/v2/docker.io/library/busybox/tags/list`);
  assert.equal(tags.status, 403);
  assert.equal((await askManifest(s.breakwater.url, 'docker.io/library/hello', '1')).status, 200);
  assert.equal(s.front.count({ path: 'busybox' }), 0);
});

const credential = { username: 'someone', password: 'a-token-of-theirs' };

async function withCredential(
  t: TestContext,
  rule: Record<string, unknown> = {},
): Promise<Scene | undefined> {
  const auth: Behaviour['auth'] = {
    kind: 'bearer',
    service: 'front',
    credential,
    anonymous: false,
  };
  return await setScene(t, {
    behaviour: { ...publicRegistries.dockerHub, auth },
    async config(front, registry) {
      const secretsFile = join(registry.root, '..', 'secrets.yaml');
      const secret = { username: credential.username, accessToken: credential.password };
      await writeFile(secretsFile, JSON.stringify({ 'ecr-pullthroughcache/hub': secret }), {
        mode: 0o600,
      });
      const entry = {
        prefix: 'docker.io',
        upstream: front.url,
        credential: 'ecr-pullthroughcache/hub',
        ...rule,
      };
      return { ...rulesOnly(entry), secretsFile };
    },
  });
}

test('What a credential fetched is for who has the key pair alone, and the credential goes to the token service alone.', async (t) => {
  const s = await withCredential(t);
  if (s === undefined) return;
  const authorization = await basicOf(s.breakwater);
  const name = 'docker.io/library/busybox';
  const refused = await askManifest(s.breakwater.url, name, '1.36');
  assert.equal(refused.status, 401, text(refused));
  assert.equal(s.front.count(), 0);
  const headers = { authorization };
  assert.equal((await askManifest(s.breakwater.url, name, 'single', { headers })).status, 200);
  for (const { digest } of s.image('single').blobs) {
    assert.equal((await askBlob(s.breakwater.url, name, digest, { headers })).status, 200);
    assert.equal((await askBlob(s.breakwater.url, name, digest)).status, 401);
  }
  for (const { kind, headers: sent } of s.front.requests) {
    const scheme = sent.authorization?.split(' ')[0];
    assert.equal(scheme === 'Basic', kind === 'token' && scheme !== undefined, kind);
    if (kind === 'redirected') assert.equal(scheme, undefined);
  }
  assert.ok(!(await s.breakwater.settledLogs()).includes(credential.password));
});

test('With anonymousPull: true a credential only raises the limits.', async (t) => {
  const s = await withCredential(t, { anonymousPull: true });
  if (s === undefined) return;
  await pullImage(s.breakwater.url, 'docker.io/library/busybox', '1.36');
  const asked = s.front.requests.filter(({ kind }) => kind === 'token');
  assert.ok(asked.some(({ headers }) => headers.authorization?.startsWith('Basic ')));
});
