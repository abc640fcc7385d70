// The journeys of published guides that are about rights: a second account, and nodes that may import.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { basicOf, rulesOnly } from '../support/breakwater.ts';
import { askManifest, type Answer } from '../support/pull.ts';
import { makeRunFolder, removeRunFolder } from '../support/run-folder.ts';
import { setScene, type Scene } from '../support/scene.ts';
import { findTool, runCommand, type CommandResult } from '../support/tools.ts';

const secondAccount = '111122223333';
const held = 'k8s/library/busybox:single';

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

interface AccessScene extends Scene {
  /** Asks /api/v1 as the administrator; throws where it is refused. */
  api(method: string, path: string, body?: object): Promise<unknown>;
}

/** `k8s` leads to the front, and anonymous may neither pull nor import, so that every right comes from a policy. */
async function setAccessScene(t: TestContext): Promise<AccessScene | undefined> {
  const scene = await setScene(t, {
    config: (front) => ({
      ...rulesOnly({ prefix: 'k8s', upstream: front.url }),
      anonymousPull: false,
      anonymousImport: false,
    }),
  });
  if (scene === undefined) return undefined;
  const administrator = await basicOf(scene.breakwater);
  const api: AccessScene['api'] = async (method, path, body) => {
    const answer = await fetch(`${scene.breakwater.url}/api/v1/${path}`, {
      method,
      headers: { authorization: administrator, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  return { ...scene, api };
}

function basic({ accessKeyId, secretAccessKey }: Key): string {
  return `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`;
}

async function example(name: string): Promise<string> {
  return await readFile(new URL(`../../examples/policies/${name}`, import.meta.url), 'utf8');
}

async function manifestAs(
  s: Scene,
  key: Key,
  repository: string,
  reference: string,
): Promise<Answer> {
  const headers = { authorization: basic(key) };
  return await askManifest(s.breakwater.url, repository, reference, { headers });
}

/** Copies by skopeo with a key as the credentials; nothing where skopeo is missing, and a skip said aloud. */
async function copyAs(
  t: TestContext,
  s: Scene,
  key: Key,
  name: string,
): Promise<CommandResult | undefined> {
  const skopeo = await findTool('skopeo');
  if ('missing' in skopeo) {
    t.skip(skopeo.missing);
    return undefined;
  }
  const folder = await makeRunFolder('walkthrough');
  t.after(() => removeRunFolder(folder));
  const source = `docker://${s.breakwater.host}/${name}`;
  const credentials = ['--src-creds', `${key.accessKeyId}:${key.secretAccessKey}`];
  const args = ['--insecure-policy', 'copy', '--src-tls-verify=false', ...credentials];
  return await runCommand(skopeo.path, [...args, source, `dir:${join(folder, 'copy')}`], {
    env: { HOME: folder, REGISTRY_AUTH_FILE: join(folder, 'auth.json') },
  });
}

/** By the administrator, whole; it is held from then on. */
async function cache(t: TestContext, s: AccessScene): Promise<boolean> {
  const copied = await copyAs(t, s, await administratorOf(s), held);
  if (copied === undefined) return false;
  assert.equal(copied.code, 0, copied.stderr);
  s.front.clear();
  return true;
}

async function administratorOf(s: Scene): Promise<Key> {
  const pair = (await basicOf(s.breakwater)).slice('Basic '.length);
  const [accessKeyId = '', secretAccessKey = ''] = Buffer.from(pair, 'base64')
    .toString('utf8')
    .split(':');
  return { accessKeyId, secretAccessKey };
}

/** What is held pulls whole, what is new is not found, and upstream hears of neither. */
async function assertHeldAlone(t: TestContext, s: AccessScene, key: Key): Promise<void> {
  const copied = await copyAs(t, s, key, held);
  assert.equal(copied?.code, 0, copied?.stderr ?? '');
  const newTag = await manifestAs(s, key, 'k8s/library/busybox', '1.36');
  assert.deepEqual([newTag.status, codeOf(newTag)], [404, 'MANIFEST_UNKNOWN']);
  const refused = await copyAs(t, s, key, 'k8s/pause:3.9');
  assert.notEqual(refused?.code, 0);
  assert.match(refused?.stderr ?? '', /name unknown|manifest unknown|not found/i);
  assert.equal(s.front.count(), 0);
}

function codeOf(answer: Answer): string | undefined {
  const body = JSON.parse(answer.body.toString('utf8')) as { errors: { code: string }[] };
  return body.errors[0]?.code;
}

async function makeUser(
  s: AccessScene,
  owner: { readonly name: string; readonly account?: string },
): Promise<Key> {
  const { name: user, ...rest } = owner;
  await s.api('POST', 'users', owner);
  return (await s.api('POST', 'access-keys', { user, ...rest })) as Key;
}

const mayPull = JSON.stringify({
  Version: '2012-10-17',
  Statement: {
    Effect: 'Allow',
    Action: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
    Resource: '*',
  },
});

/** Sets the published policy on every repository under `k8s/`, as the guide's loop does. */
async function openToSecondAccount(s: AccessScene): Promise<readonly string[]> {
  const policy = await example('pull-access-second-account.json');
  const listed = (await s.api('GET', 'repositories')) as { items: { repository: string }[] };
  const names = listed.items
    .map((each) => each.repository)
    .filter((name) => name.startsWith('k8s/'));
  for (const repository of names) await s.api('PUT', 'repository-policy', { repository, policy });
  return names;
}

test('W1.9: The principal of a second account pulls what is cached, and nothing new.', async (t) => {
  const s = await setAccessScene(t);
  if (s === undefined || !(await cache(t, s))) return;
  const made = (await s.api('POST', 'accounts', { account: secondAccount, name: 'second' })) as {
    key: Key;
  };
  const before = await manifestAs(s, made.key, 'k8s/library/busybox', 'single');
  assert.deepEqual([before.status, codeOf(before)], [404, 'NAME_UNKNOWN']);
  assert.deepEqual(await openToSecondAccount(s), ['k8s/library/busybox']);
  await assertHeldAlone(t, s, made.key);
});

test('W1.9: A user of the second account needs a policy of its own account as well.', async (t) => {
  const s = await setAccessScene(t);
  if (s === undefined || !(await cache(t, s))) return;
  await s.api('POST', 'accounts', { account: secondAccount, name: 'second' });
  const user = { name: 'ann', account: secondAccount };
  const key = await makeUser(s, user);
  await openToSecondAccount(s);
  const before = await manifestAs(s, key, 'k8s/library/busybox', 'single');
  assert.deepEqual([before.status, codeOf(before)], [404, 'NAME_UNKNOWN']);
  const policy = { user: 'ann', account: secondAccount, name: 'pull', policy: mayPull };
  await s.api('PUT', 'identity-policies', policy);
  await assertHeldAlone(t, s, key);
});

test('W1.10: A node pulls what is cached and not what is new, until its policy lets it import.', async (t) => {
  const s = await setAccessScene(t);
  if (s === undefined || !(await cache(t, s))) return;
  const key = await makeUser(s, { name: 'nodes' });
  await s.api('PUT', 'identity-policies', { user: 'nodes', name: 'pull', policy: mayPull });
  await assertHeldAlone(t, s, key);
  const policy = await example('nodes-may-import.json');
  await s.api('PUT', 'identity-policies', { user: 'nodes', name: 'import', policy });
  const copied = await copyAs(t, s, key, 'k8s/pause:3.9');
  assert.equal(copied?.code, 0, copied?.stderr ?? '');
  assert.equal((await manifestAs(s, key, 'k8s/library/busybox', '1.36')).status, 200);
  assert.ok(s.front.count({ path: '/v2/pause/' }) > 0);
});
