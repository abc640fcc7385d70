// Rows of the traps that are about credentials: where they go, how long their answers count, and whose bytes they fetched.
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { basicOf, rulesOnly } from '../support/processes/breakwater.ts';
import { publicRegistries } from '../support/upstreams/front-behaviour.ts';
import type {
  BasicCredential,
  Behaviour,
  TokenAuth,
} from '../support/upstreams/front-behaviour.ts';
import { startFront } from '../support/upstreams/front.ts';
import type { Front } from '../support/upstreams/front.ts';
import { until } from '../support/rigs/until.ts';
import { ask, askBlob, askManifest, errorOf, text } from '../support/clients/pull.ts';
import type { Answer } from '../support/clients/pull.ts';
import { startRegistry } from '../support/upstreams/registry.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';

const busybox = 'docker.io/library/busybox';
const hello = 'docker.io/library/hello';
const secretName = 'ecr-pullthroughcache/hub';
const credential = { username: 'someone', password: 'a-token-of-theirs' };
const another = { username: 'someone', password: 'the-token-after-it' };

function basic({ username, password }: BasicCredential): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function bearer(change: Partial<TokenAuth> = {}): TokenAuth {
  return { kind: 'bearer', service: 'front', credential, anonymous: false, ...change };
}

interface CredentialScene extends Scene {
  readonly headers: { readonly authorization: string };
  readonly secretsFile: string;
  readonly rule: Readonly<Record<string, unknown>> & { prefix: string; upstream: string };
}

interface CredentialOptions {
  readonly behaviour?: Partial<Behaviour>;
  /** What the secrets file says; by default what the front takes. */
  readonly secret?: BasicCredential;
  readonly rule?: Readonly<Record<string, unknown>>;
  readonly hubMirror?: boolean;
  /** Rules beside it. */
  readonly others?: () => Promise<{ prefix: string; upstream: string }[]>;
}

/** A front that lets nobody in without the credential, and the rule that has one. */
async function withCredential(
  t: TestContext,
  options: CredentialOptions = {},
): Promise<CredentialScene | undefined> {
  let secretsFile = '';
  let rule = { prefix: 'docker.io', upstream: '' };
  const s = await setScene(t, {
    behaviour: { ...publicRegistries.dockerHub, auth: bearer(), ...options.behaviour },
    hubMirror: options.hubMirror ?? false,
    async config(front, registry) {
      secretsFile = join(registry.root, '..', 'secrets.yaml');
      await putSecret(secretsFile, options.secret ?? credential);
      const naming = { credential: secretName };
      rule = { ...rule, upstream: front.url, ...naming, ...options.rule };
      const others = (await options.others?.()) ?? [];
      return { ...rulesOnly(rule, ...others), secretsFile };
    },
  });
  if (s === undefined) return undefined;
  return { ...s, headers: { authorization: await basicOf(s.breakwater) }, secretsFile, rule };
}

async function putSecret(file: string, { username, password }: BasicCredential): Promise<void> {
  const secrets = { [secretName]: { username, accessToken: password } };
  await writeFile(`${file}.new`, JSON.stringify(secrets), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** SIGHUP, and until it and the change of the file have both been followed. */
async function changeSecret(s: CredentialScene, secret: BasicCredential): Promise<void> {
  const reloads = (): number => s.breakwater.logs().split('configuration reloaded').length;
  const before = reloads();
  await putSecret(s.secretsFile, secret);
  process.kill(s.breakwater.pid, 'SIGHUP');
  await until(() => reloads() >= before + 2, 'both reloads');
}

function assertDenied(answer: Answer, cause: string): void {
  assert.equal(answer.status, 403, text(answer));
  const { code, detail } = errorOf(answer);
  assert.equal(code, 'DENIED');
  assert.equal((detail as { cause: string }).cause, cause);
}

function authorizations(front: Front): string[] {
  return front.requests.flatMap(({ headers }) => headers.authorization ?? []);
}

test('T26: A refused login is tried once, whatever is pulled, so that the account is not locked.', async (t) => {
  const s = await withCredential(t, { secret: another });
  if (s === undefined) return;
  for (let round = 0; round < 3; round++) {
    for (const repository of ['busybox', 'hello', 'docker', 'big']) {
      const name = `docker.io/library/${repository}`;
      const answer = await askManifest(s.breakwater.url, name, `${round}`, { headers: s.headers });
      assertDenied(answer, 'tokenRefused');
    }
  }
  assert.equal(s.front.count({ kind: 'token' }), 1);
});

test('T28: A refusal is forgotten with the credential that earned it: after SIGHUP the pull works.', async (t) => {
  const s = await withCredential(t, { secret: another });
  if (s === undefined) return;
  const { headers } = s;
  for (let each = 0; each < 3; each++)
    assertDenied(await askManifest(s.breakwater.url, hello, '1', { headers }), 'tokenRefused');
  assert.deepEqual([s.front.count({ kind: 'manifest' }), s.front.count({ kind: 'token' })], [1, 1]);
  await changeSecret(s, credential);
  s.front.clear();
  const answer = await askManifest(s.breakwater.url, hello, '1', { headers });
  assert.equal(answer.status, 200, text(answer));
  assert.deepEqual(answer.body, s.bytesOf(s.image('hello').digest));
  assert.equal(s.front.count({ kind: 'manifest', status: 401 }), 1);
  assert.equal(s.front.count({ kind: 'manifest', status: 200 }), 1);
  const tokens = s.front.requests.filter(({ kind }) => kind === 'token');
  assert.deepEqual(
    tokens.map((each) => [each.status, each.headers.authorization]),
    [[200, basic(credential)]],
  );
});

test('T28: A token that the old credential got is not used after the change, however long it lives.', async (t) => {
  const s = await withCredential(t, { rule: { platforms: 'none' } });
  if (s === undefined) return;
  const { headers } = s;
  const pull = (tag: string): Promise<Answer> =>
    askManifest(s.breakwater.url, busybox, tag, { headers });
  assert.equal((await pull('single')).status, 200);
  assert.equal((await pull('1.36')).status, 200);
  assert.equal(s.front.count({ kind: 'token' }), 1);
  const old = new Set(authorizations(s.front));
  // Tokens of the old credential stay good at the front.
  s.front.behave({ auth: bearer({ credential: another }) });
  await changeSecret(s, another);
  s.front.clear();
  const child = s.image('index').children.find((each) => each !== s.image('single').digest) ?? '';
  assert.equal((await pull(child)).status, 200);
  const tokens = s.front.requests.filter(({ kind }) => kind === 'token');
  assert.deepEqual(
    tokens.map((each) => [each.status, each.headers.authorization]),
    [[200, basic(another)]],
  );
  assert.ok(authorizations(s.front).every((sent) => !old.has(sent)));
});

const realms = [
  { name: 'another address', realm: (front: Front) => `http://${front.blobHost}/token` },
  {
    name: 'another name',
    realm: (front: Front) => `http://localhost:${new URL(front.url).port}/token`,
  },
  { name: 'a metadata service', realm: () => 'http://169.254.169.254/latest/token' },
  {
    name: 'the rule’s host as user',
    realm: (front: Front) => `http://${front.host}@${front.blobHost}/token`,
  },
  { name: 'a file', realm: () => 'file:///etc/passwd' },
] as const;

test('T29: A credential never goes to a realm at', async (t) => {
  for (const { name, realm } of realms) {
    await t.test(`${name}: 403 with its cause, after one request.`, async (inner) => {
      const s = await withCredential(inner);
      if (s === undefined) return;
      s.front.behave({ auth: bearer({ realm: realm(s.front) }) });
      for (let each = 0; each < 3; each++) {
        const answer = await askManifest(s.breakwater.url, hello, '1', { headers: s.headers });
        assertDenied(answer, 'realmRefused');
      }
      assert.deepEqual([s.front.count({ kind: 'manifest' }), s.front.count()], [1, 1]);
      assert.deepEqual(authorizations(s.front), []);
      assert.ok(!(await s.breakwater.settledLogs()).includes(credential.password));
    });
  }
});

test('T29: A realm of another name gets the credential once allowHosts names it.', async (t) => {
  const s = await withCredential(t, { rule: { allowHosts: ['localhost'] } });
  if (s === undefined) return;
  const realm = `http://localhost:${new URL(s.front.url).port}/token`;
  s.front.behave({ auth: bearer({ realm }) });
  const answer = await askManifest(s.breakwater.url, hello, '1', { headers: s.headers });
  assert.equal(answer.status, 200, text(answer));
  const tokens = s.front.requests.filter(({ kind }) => kind === 'token');
  assert.deepEqual(
    tokens.map((each) => each.headers.authorization),
    [basic(credential)],
  );
});

const schemes = [
  { name: 'Bearer', auth: bearer() },
  { name: 'Basic', auth: { kind: 'basic', ...credential } },
] as const;

for (const { name, auth } of schemes) {
  test(`T30: ${name} stays with the registry when blobs and manifests are redirected to another host.`, async (t) => {
    const redirect = { location: 'elsewhere', kinds: ['blob', 'manifest'] } as const;
    const s = await withCredential(t, { behaviour: { auth, redirect } });
    if (s === undefined) return;
    const { headers } = s;
    const image = s.image('single');
    const manifest = await askManifest(s.breakwater.url, busybox, 'single', { headers });
    assert.deepEqual(manifest.body, s.bytesOf(image.digest), text(manifest));
    for (const { digest, size } of image.blobs) {
      const blob = await askBlob(s.breakwater.url, busybox, digest, { headers });
      assert.deepEqual([blob.status, blob.length, blob.digest], [200, size, digest]);
      assert.equal(s.front.count({ kind: 'blob', path: digest, status: 307 }), 1);
      assert.equal(s.front.count({ kind: 'redirected', path: digest }), 1);
    }
    const elsewhere = s.front.requests.filter(({ kind }) => kind === 'redirected');
    assert.equal(elsewhere.length, 1 + image.blobs.length);
    for (const each of elsewhere) {
      assert.equal(each.status, 200);
      assert.equal(each.headers.authorization, undefined);
    }
    const own = s.front.requests.filter(({ kind, status }) => kind !== 'token' && status === 307);
    for (const each of own) assert.match(each.headers.authorization ?? '', new RegExp(`^${name} `));
  });

  test(`T30: ${name} stays with the registry when a blob is redirected to another port of its host.`, async (t) => {
    const s = await withCredential(t, { behaviour: { auth, redirect: undefined } });
    if (s === undefined) return;
    const { headers } = s;
    const other = await startFront({ registry: s.registry.url });
    t.after(() => other.close());
    const image = s.image('single');
    for (const { digest } of image.blobs) {
      const location = `${other.url}/v2/library/busybox/blobs/${digest}`;
      s.front.fault({
        kind: 'blob',
        path: digest,
        wrong: { status: 307, headers: { location } },
      });
    }
    assert.equal((await askManifest(s.breakwater.url, busybox, 'single', { headers })).status, 200);
    for (const { digest, size } of image.blobs) {
      const blob = await askBlob(s.breakwater.url, busybox, digest, { headers });
      assert.deepEqual([blob.status, blob.length, blob.digest], [200, size, digest]);
    }
    assert.equal(other.count({ kind: 'blob', status: 200 }), image.blobs.length);
    assert.equal(other.count(), image.blobs.length);
    assert.deepEqual(authorizations(other), []);
    const own = s.front.requests.filter(({ kind }) => kind === 'blob');
    assert.equal(own.length, image.blobs.length);
    for (const each of own) assert.match(each.headers.authorization ?? '', new RegExp(`^${name} `));
  });
}

/** A manifest by tag and by digest, a blob, tags and referrers of busybox, with `before` ahead of the repository. */
function ways(s: Scene, before: string): string[] {
  const { digest, blobs } = s.image('single');
  const rests = [
    'manifests/single',
    `manifests/${digest}`,
    ...blobs.map((blob) => `blobs/${blob.digest}`),
    'tags/list',
    `referrers/${digest}`,
  ];
  return rests.map((rest) => `/v2/${before}library/busybox/${rest}`);
}

/** Until the image of the tag `single` is held whole; every answer on the way is 200 to the pair. */
async function hold(s: CredentialScene): Promise<void> {
  const { headers } = s;
  assert.equal((await askManifest(s.breakwater.url, busybox, 'single', { headers })).status, 200);
  for (const { digest } of s.image('single').blobs) {
    await until(async () => {
      const answer = await askBlob(s.breakwater.url, busybox, digest, { headers });
      assert.deepEqual([answer.status, answer.digest], [200, digest]);
      return answer.headers['cache-status'] === 'Breakwater; hit';
    }, 'the blob is stored');
  }
}

async function assertPrivate(s: CredentialScene): Promise<void> {
  const wrong = { authorization: basic({ username: 'someone', password: 'else' }) };
  const theirs = { authorization: basic(credential) };
  const none = {};
  for (const [index, way] of ways(s, 'docker.io/').entries()) {
    // Ten wrong logins in a minute, and the source would have to wait.
    for (const headers of index < 2 ? [none, wrong, theirs] : [none]) {
      const answer = await ask(`${s.breakwater.url}${way}`, { headers });
      assert.equal(answer.status, 401, `${way} ${text(answer)}`);
      assert.equal(errorOf(answer).code, 'UNAUTHORIZED');
      assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer realm=/);
    }
  }
  for (const way of ways(s, '')) {
    const mirrored = await ask(`${s.breakwater.url}${way}?ns=docker.io`);
    assert.equal(mirrored.status, 401, way);
    for (const headers of [{}, s.headers]) {
      const hub = await ask(`${s.breakwater.hubMirrorUrl}${way}`, { headers });
      assert.equal(hub.status, 404, `${way} ${text(hub)}`);
    }
  }
}

test('T32: What a credential fetched is 401 to anyone and 404 on the Hub listener, by every way in, and is the pair’s alone.', async (t) => {
  const s = await withCredential(t, { hubMirror: true });
  if (s === undefined) return;
  await assertPrivate(s);
  assert.equal(s.front.count(), 0);
  await hold(s);
  s.front.clear();
  await assertPrivate(s);
  assert.equal(s.front.count(), 0);
  for (const way of [`docker.io/library/busybox`, 'library/busybox?ns=docker.io']) {
    const [name = '', query = ''] = way.split('?');
    const url = `${s.breakwater.url}/v2/${name}/manifests/single${query && `?${query}`}`;
    const answer = await ask(url, { headers: s.headers });
    assert.deepEqual([answer.status, answer.digest], [200, s.image('single').digest]);
  }
  assert.equal(s.front.count(), 0);
});

test('T32: It stays private after a restart, is upstream’s to give out again when its rule loses the credential, and is open once the rule says so.', async (t) => {
  const s = await withCredential(t, { hubMirror: true });
  if (s === undefined) return;
  await hold(s);
  const reloads = (): number => s.breakwater.logs().split('configuration reloaded').length;
  const layer = s.image('single').blobs[1]?.digest ?? '';
  s.front.clear();
  await s.breakwater.restart();
  await assertPrivate(s);

  const before = reloads();
  await s.breakwater.configure(rulesOnly({ prefix: 'docker.io', upstream: s.front.url }));
  await until(() => reloads() > before, 'the credential is gone');
  await assertPrivate(s);
  // What came with the credential proves nothing for a rule without it: upstream is asked, and refuses.
  const mine = await askBlob(s.breakwater.url, busybox, layer, { headers: s.headers });
  assert.equal(mine.status, 403, text(mine));
  assert.ok(s.front.count() > 0);
  s.front.clear();

  const open = rulesOnly({ ...s.rule, anonymousPull: true });
  await s.breakwater.configure({ ...open, secretsFile: s.secretsFile });
  await until(() => reloads() > before + 1, 'the rule is open');
  for (const url of [`${s.breakwater.url}/v2/docker.io`, `${s.breakwater.hubMirrorUrl}/v2`]) {
    const blob = await ask(`${url}/library/busybox/blobs/${layer}`);
    assert.deepEqual([blob.status, blob.digest], [200, layer], text(blob));
    const tag = await ask(`${url}/library/busybox/manifests/single`);
    assert.deepEqual([tag.status, tag.digest], [200, s.image('single').digest]);
  }
  assert.equal(s.front.count(), 0);
});

test('T32: Its bytes are not to be had by digest from a repository or rule without proof of them.', async (t) => {
  const fronts: Front[] = [];
  const s = await withCredential(t, {
    async others() {
      const empty = await startRegistry();
      t.after(() => empty.stop());
      const open = await startFront({ registry: empty.url });
      t.after(() => open.close());
      fronts.push(open);
      return [{ prefix: 'quay.io', upstream: open.url }];
    },
  });
  const [open] = fronts;
  if (s === undefined || open === undefined) return;
  await hold(s);
  s.front.clear();
  const { digest } = s.image('single');
  const layer = s.image('single').blobs[1]?.digest ?? '';
  for (const repository of ['quay.io/library/busybox', 'quay.io/team/any']) {
    open.clear();
    for (let each = 0; each < 3; each++) {
      const blob = await askBlob(s.breakwater.url, repository, layer);
      assert.equal(blob.status, 404, text(blob));
      assert.equal(errorOf(blob).code, 'BLOB_UNKNOWN');
      const manifest = await askManifest(s.breakwater.url, repository, digest);
      assert.equal(manifest.status, 404, text(manifest));
    }
    assert.deepEqual([open.count({ kind: 'blob' }), open.count({ kind: 'manifest' })], [1, 1]);
  }
  assert.equal(s.front.count(), 0);
  const elsewhere = await askBlob(s.breakwater.url, hello, layer, { headers: s.headers });
  assert.equal(elsewhere.status, 404, text(elsewhere));
  // Asked in that repository by one GET, which the front redirects like any blob.
  const asked = s.front.requests.filter(({ url }) => url.includes(layer));
  assert.deepEqual(
    asked.map(({ kind, method, status }) => [kind, method, status]),
    [
      ['blob', 'GET', 307],
      ['redirected', 'GET', 404],
    ],
  );
  await open.down();
  const down = await askBlob(s.breakwater.url, 'quay.io/team/other', layer);
  assert.equal(down.status, 503, text(down));
});
