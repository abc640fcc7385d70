// The journeys of published guides that are about rights, by the command line: a second account, and nodes that may import.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { basicOf, rulesOnly } from '../support/processes/breakwater.ts';
import { commandLine, policyFile } from '../support/processes/command-line.ts';
import type { CommandLine } from '../support/processes/command-line.ts';
import { askManifest, errorOf, pullImage } from '../support/clients/pull.ts';
import type { Answer } from '../support/clients/pull.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { exchange } from '../support/clients/http-exchange.ts';
import type { HttpQuestion } from '../support/clients/http-exchange.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';
import { findTool, runCommand } from '../support/tools/tools.ts';
import type { CommandResult } from '../support/tools/tools.ts';

const home = '000000000000';
const secondAccount = '111122223333';
const repository = 'k8s/library/busybox';
const held = `${repository}:single`;
const regions = ['us-east-1', 'eu-west-1', 'ap-southeast-2'] as const;
type Region = (typeof regions)[number];

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

interface AccessScene extends Scene {
  /** The operator's. */
  readonly cli: CommandLine;
}

/** `k8s` leads to the front, and anonymous may neither pull nor import, so that every right comes from a policy. */
async function setAccessScene(t: TestContext): Promise<AccessScene | undefined> {
  const scene = await setScene(t, {
    config: (front) => ({
      ...rulesOnly({ prefix: 'k8s', upstream: front.url }),
      regions,
      anonymousPull: false,
      anonymousImport: false,
    }),
  });
  return scene && { ...scene, cli: commandLine(scene.breakwater) };
}

/** Whoever has the key, at the host name that the home account's registry has in the region. */
function headersOf({ accessKeyId, secretAccessKey }: Key, region: Region): Record<string, string> {
  const pair = Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64');
  const host = `000000000000.dkr.ecr.${region}.registry.test`;
  return { authorization: `Basic ${pair}`, host };
}

async function manifestAs(
  s: Scene,
  key: Key,
  reference: string,
  region: Region = regions[0],
): Promise<Answer> {
  const headers = headersOf(key, region);
  return await askManifest(s.breakwater.url, repository, reference, { headers });
}

function assertRefused(answer: Answer, code: string): void {
  assert.deepEqual([answer.status, errorOf(answer).code], [404, code]);
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

/** By the administrator, whole: pulled at home, and in the other regions put there, as replication does. */
async function cache(t: TestContext, s: AccessScene): Promise<boolean> {
  const administrator = await administratorOf(s);
  const copied = await copyAs(t, s, administrator, held);
  if (copied === undefined) return false;
  assert.equal(copied.code, 0, copied.stderr);
  for (const region of regions.slice(1)) await put(s, headersOf(administrator, region));
  s.front.clear();
  return true;
}

async function put(s: Scene, headers: Readonly<Record<string, string>>): Promise<void> {
  const { digest, mediaType, blobs } = s.image('single');
  const send = async (method: string, path: string, question: HttpQuestion): Promise<void> => {
    const port = Number(new URL(s.breakwater.url).port);
    const answer = await exchange(port, `/v2/${repository}/${path}`, { ...question, method });
    assert.equal(answer.status, 201, answer.text);
  };
  for (const blob of blobs) {
    const body = s.bytesOf(blob.digest);
    await send('POST', `blobs/uploads/?digest=${blob.digest}`, { headers, body });
  }
  const typed = { ...headers, 'content-type': mediaType };
  await send('PUT', 'manifests/single', { headers: typed, body: s.bytesOf(digest) });
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
  assertRefused(await manifestAs(s, key, '1.36'), 'MANIFEST_UNKNOWN');
  const refused = await copyAs(t, s, key, 'k8s/pause:3.9');
  assert.notEqual(refused?.code, 0);
  assert.match(refused?.stderr ?? '', /name unknown|manifest unknown|not found/i);
  assert.equal(s.front.count(), 0);
}

/** The same at a region's own host name. */
async function assertHeldAloneIn(s: AccessScene, key: Key, region: Region): Promise<void> {
  const headers = headersOf(key, region);
  const pulled = await pullImage(s.breakwater.url, repository, 'single', { headers });
  assert.equal(pulled.digest, s.image('single').digest);
  assertRefused(await manifestAs(s, key, '1.36', region), 'MANIFEST_UNKNOWN');
  const other = await askManifest(s.breakwater.url, 'k8s/pause', '3.9', { headers });
  assert.deepEqual(
    [other.status, /^(NAME|MANIFEST)_UNKNOWN$/.test(errorOf(other).code)],
    [404, true],
  );
  assert.equal(s.front.count(), 0);
}

/** The published policy on every repository under `k8s/` of a region, by the guide's shell loop. */
async function openToSecondAccount({ cli }: AccessScene, region: Region): Promise<void> {
  const place = ['--region', region];
  const listed = await cli.print('repos', 'ls', ...place, '--prefix', 'k8s/', '-o', 'name');
  const names = listed.trim().split('\n');
  assert.deepEqual(names, [repository]);
  const file = policyFile('pull-access-second-account.json');
  for (const name of names)
    await cli.print('policy', 'set', ...place, '--repository', name, '--file', file);
}

async function makeSecondAccount({ cli }: AccessScene): Promise<Key> {
  const made = ['account', 'create', secondAccount, '--name', 'second'];
  return (await cli.json<{ readonly key: Key }>(...made)).key;
}

async function setUserPolicy(
  cli: CommandLine,
  user: string,
  name: string,
  file: string,
): Promise<void> {
  const path = policyFile(file);
  await cli.print('policy', 'set', '--user', user, '--name', name, '--file', path);
}

test('W1.9: The principal of a second account pulls what is cached, and nothing new, in each region whose loop was run.', async (t) => {
  const s = await setAccessScene(t);
  if (s === undefined || !(await cache(t, s))) return;
  const key = await makeSecondAccount(s);
  for (const region of regions) {
    assertRefused(await manifestAs(s, key, 'single', region), 'NAME_UNKNOWN');
    await openToSecondAccount(s, region);
    await assertHeldAloneIn(s, key, region);
  }
  await assertHeldAlone(t, s, key);
});

test('W1.9: A user of the second account needs a policy of its own account as well, which its administrator sets from afar.', async (t) => {
  const s = await setAccessScene(t);
  if (s === undefined || !(await cache(t, s))) return;
  await makeSecondAccount(s);
  for (const region of regions) await openToSecondAccount(s, region);
  const ofAccount = ['--account', secondAccount];
  const token = await s.cli.print('token', 'create', 'afar', ...ofAccount, '-q');
  const cli = commandLine(s.breakwater, token.trim());
  assert.match(await cli.print('whoami', '-o', 'name'), /^arn:aws:iam::111122223333:root\n$/);
  await cli.print('user', 'create', 'ann');
  const key = await cli.json<Key>('user', 'keys', 'create', '--user', 'ann');
  for (const region of regions)
    assertRefused(await manifestAs(s, key, 'single', region), 'NAME_UNKNOWN');
  await setUserPolicy(cli, 'ann', 'pull', 'pull-only.json');
  await assertHeldAlone(t, s, key);
  for (const region of regions) await assertHeldAloneIn(s, key, region);
  const foreign = await cli.run('policy', 'get', '--repository', repository, '--account', home);
  assert.notEqual(foreign.code, 0, 'whose repository it is says who may pull');
});

test('W1.10: A node pulls what is cached and not what is new, until its policy lets it import.', async (t) => {
  const s = await setAccessScene(t);
  if (s === undefined || !(await cache(t, s))) return;
  const { cli } = s;
  await cli.print('user', 'create', 'nodes', '--robot');
  const key = await cli.json<Key>('user', 'keys', 'create', '--user', 'nodes');
  await setUserPolicy(cli, 'nodes', 'pull', 'pull-only.json');
  await assertHeldAlone(t, s, key);
  for (const region of regions) await assertHeldAloneIn(s, key, region);
  const may = ['access', 'can', 'nodes', 'ecr:BatchImportUpstreamImage', 'k8s/pause'];
  const before = await cli.run(...may);
  await setUserPolicy(cli, 'nodes', 'import', 'nodes-may-import.json');
  const after = await cli.run(...may);
  assert.deepEqual([before.code, after.code], [1, 0], before.stdout + after.stdout);
  const copied = await copyAs(t, s, key, 'k8s/pause:3.9');
  assert.equal(copied?.code, 0, copied?.stderr ?? '');
  assert.equal((await manifestAs(s, key, '1.36')).status, 200);
  assert.ok(s.front.count({ path: '/v2/pause/' }) > 0);
});
