// A network with servers that refuse in every way, and another machine whose clients are refused.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { credentialsOf, startBreakwater } from '../processes/breakwater.ts';
import type { Breakwater } from '../processes/breakwater.ts';
import { createTestAuthority } from '../samples/certificates.ts';
import { hostAddress, makeNodeNamespaces } from '../processes/cluster.ts';
import { run } from '../processes/sandbox.ts';
import { setScene } from '../processes/scene.ts';
import type { Scene } from '../processes/scene.ts';
import { openStage } from '../upstreams/stage.ts';
import type { Cause, ServerName } from './causes.ts';
import { digestOf } from '../samples/digest.ts';

/** The bridge's second address, which no certificate names and no client knows as plain. */
const otherAddress = '10.97.0.2';
const ports: Readonly<Record<ServerName, number>> = {
  closed: 5000,
  open: 5002,
  locked: 5006,
  tls: 5443,
  nothing: 5009,
};

const hubMirrorPort = 5004;

export interface RefusalStage {
  /** What Docker has as a mirror of Docker Hub: `closed` again. */
  readonly hubMirror: string;
  readonly scene: Scene;
  /** Runs a command on the other machine. */
  readonly launcher: readonly string[];
  readonly caFile: string;
  /** `HOST:PORT` of a cause's server, as the client names it. */
  hostOf(cause: Pick<Cause, 'server' | 'otherAddress'>): string;
  /** `HOST:PORT` of those that speak plain HTTP, as clients are told. */
  readonly plainHosts: readonly string[];
  readonly administrator: Login;
  /** Who may push under docker.io, and nothing else. */
  readonly user: Login;
  /** What a client printed, with everything that is another in each run replaced. */
  normalize(text: string): string;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** `undefined`, and a skip said aloud, where it can't be had. */
export async function setRefusalStage(t: TestContext): Promise<RefusalStage | undefined> {
  const upstream = await startRefusingUpstream(t);
  // Whose limit holds back whatever is asked of the same host.
  const limited = await startRefusingUpstream(t);
  const scene = await setScene(t, {
    config: (front) => ({
      listen: `:${ports.open}`,
      defaultRules: false,
      anonymousImport: true,
      rules: [
        { prefix: 'docker.io', upstream: front.url, push: false },
        { prefix: 'denied.example', upstream: front.url, deny: ['**'] },
        { prefix: 'upstream.example', upstream },
        { prefix: 'limited.example', upstream: limited },
        { prefix: 'down.example', upstream: 'http://127.0.0.1:9' },
      ],
    }),
  });
  if (scene === undefined) return undefined;
  run('ip', 'addr', 'replace', `${otherAddress}/24`, 'dev', 'br-nodes');
  const rules = [{ prefix: 'docker.io', upstream: scene.front.url }];
  const closed = await startBreakwater({
    config: {
      listen: `:${ports.closed}`,
      hubMirrorListen: `:${hubMirrorPort}`,
      defaultRules: false,
      rules,
    },
  });
  t.after(() => closed.close());
  const locked = await startBreakwater({
    config: { listen: `:${ports.locked}`, defaultRules: false, rules, anonymousPull: false },
  });
  t.after(() => locked.close());
  const folder = await mkdtemp('/tmp/bw-refusals-');
  t.after(() => rm(folder, { recursive: true, force: true }));
  const authority = await createTestAuthority();
  const pair = await authority.issue([hostAddress]);
  const tls = { certFile: join(folder, 'server.crt'), keyFile: join(folder, 'server.key') };
  const caFile = join(folder, 'ca.crt');
  await writeFile(caFile, authority.ca);
  await writeFile(tls.certFile, pair.cert);
  await writeFile(tls.keyFile, pair.key, { mode: 0o600 });
  const secure = await startBreakwater({
    config: { listen: `:${ports.tls}`, defaultRules: false, rules, tls, anonymousImport: true },
  });
  t.after(() => secure.close());
  const { key, secret } = await credentialsOf(scene.breakwater);
  const administrator = { user: key, password: secret };
  await pushTeamImage(scene.breakwater, administrator);
  const user = await makeUser(scene.breakwater, administrator);
  const launcher = await makeNodeNamespaces(t, 1);
  return {
    hubMirror: `http://${hostAddress}:${hubMirrorPort}`,
    scene,
    launcher,
    caFile,
    hostOf: ({ server, otherAddress: other }) =>
      `${other === true ? otherAddress : hostAddress}:${ports[server]}`,
    plainHosts: [
      `${hostAddress}:${ports.closed}`,
      `${hostAddress}:${ports.open}`,
      `${hostAddress}:${ports.locked}`,
      `${hostAddress}:${ports.nothing}`,
    ],
    administrator,
    user,
    normalize: (text) => normalize(text, [user, administrator]),
  };
}

/** Answers as the repository's name says. */
async function startRefusingUpstream(t: TestContext): Promise<string> {
  const stage = await openStage((request, response) => {
    const path = request.url ?? '';
    const json = (status: number, code: string, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
    };
    if (path.includes('/limited/')) json(429, 'TOOMANYREQUESTS', { 'retry-after': '1' });
    else if (path.includes('/denied/')) json(403, 'DENIED');
    else if (path.includes('/broken/')) {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html><body>Please log in to the network</body></html>');
    } else json(404, 'MANIFEST_UNKNOWN');
  });
  t.after(() => stage[Symbol.asyncDispose]());
  return stage.url;
}

/** What somebody pushed: an image without layers. */
async function pushTeamImage({ url }: Breakwater, { user, password }: Login): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const config = Buffer.from('{}');
  const digest = digestOf(config);
  const start = await fetch(`${url}/v2/team/app/blobs/uploads/?digest=${digest}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/octet-stream' },
    body: config,
  });
  if (start.status !== 201) throw new Error(`blob: ${start.status} ${await start.text()}`);
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
    layers: [],
  };
  const put = await fetch(`${url}/v2/team/app/manifests/1`, {
    method: 'PUT',
    headers: { authorization, 'content-type': manifest.mediaType },
    body: JSON.stringify(manifest),
  });
  if (put.status !== 201) throw new Error(`manifest: ${put.status} ${await put.text()}`);
}

async function makeUser({ url }: Breakwater, administrator: Login): Promise<Login> {
  const pair = `${administrator.user}:${administrator.password}`;
  const authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  const ask = async (method: string, path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : await answer.json();
  };
  await ask('POST', 'users', { name: 'ann' });
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: {
      Effect: 'Allow',
      Action: 'ecr:*',
      Resource: 'arn:aws:ecr:us-east-1:000000000000:repository/docker.io/*',
    },
  });
  await ask('PUT', 'identity-policies', { user: 'ann', name: 'hub', policy });
  const key = (await ask('POST', 'access-keys', { user: 'ann' })) as {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  return { user: key.accessKeyId, password: key.secretAccessKey };
}

function normalize(text: string, logins: readonly Login[]): string {
  let plain = text;
  for (const { user, password } of logins)
    plain = plain.replaceAll(user, 'KEY').replaceAll(password, 'SECRET');
  return (
    plain
      // oxlint-disable-next-line no-control-regex
      .replaceAll(/\u001B\[[0-9;?]*[A-Za-z]/g, '')
      .replaceAll(/sha256:[0-9a-f]{64}/g, 'sha256:…')
      .replaceAll(/10\.97\.0\.2:5009/g, 'registry.example')
      .replaceAll(/10\.97\.0\.[12](?::|%3A)\d+/g, 'CACHE:5000')
      .replaceAll(/10\.97\.0\.1(?!\d)/g, 'CACHE')
      .replaceAll(/10\.97\.0\.2(?!\d)/g, 'OTHER')
      .replaceAll(/10\.97\.0\.11:\d+/g, 'CLIENT')
      .replaceAll(/127\.0\.0\.1:\d{4,5}/g, 'UPSTREAM')
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g, 'TIME')
      .replaceAll(/\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d/g, 'TIME')
  );
}
