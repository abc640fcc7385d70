// A Kubernetes API server without nodes: etcd and kube-apiserver on loopback, which needs neither root nor a sandbox.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Agent, request } from 'node:https';
import { stringify } from 'yaml';
import { until } from '../rigs/until.ts';
import { findTools } from '../tools/tools.ts';
import { startProcess } from './process.ts';
import type { Running } from './process.ts';
import { runCommand } from './run-command.ts';
import { makeRunFolder, removeRunFolder } from './run-folder.ts';

export interface KubeApiServer extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  /** Of an administrator, context `admin`. */
  readonly kubeconfig: string;
  /** PEM; it signs itself. */
  readonly caFile: string;
  /** Kubeconfig of a user whom roles alone let do anything; context by the user's name. */
  readonly kubeconfigOf: (user: 'reader' | 'nobody') => Promise<string>;
  /** `kubectl ARGS` as the administrator; throws where it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** A request as the administrator; throws where its status is no 2xx. */
  send(method: string, path: string, body?: object): Promise<unknown>;
  /** `kubectl apply` of objects. */
  apply(...objects: readonly object[]): Promise<void>;
}

const tokens = { admin: 'of-the-admin', reader: 'of-the-reader', nobody: 'of-nobody' };

const findServerTools = () => findTools('etcd', 'kube-apiserver', 'kubectl');

/** Why none can run here; builds what it takes. */
export async function kubeApiServerMissing(): Promise<string | undefined> {
  const tools = await findServerTools();
  return 'missing' in tools ? tools.missing : undefined;
}

/** Starts one and waits until it is ready: two to four seconds. `flags` are added to those of kube-apiserver. */
export async function startKubeApiServer(flags: readonly string[] = []): Promise<KubeApiServer> {
  const tools = await findServerTools();
  if ('missing' in tools) throw new Error(tools.missing);
  const { paths } = tools;
  const folder = await makeRunFolder('kube-api');
  const [clients, peers, port] = await freePorts();
  const running: Running[] = [];
  const start = (program: string, args: readonly string[]): void =>
    void running.push(startProcess(program, args, { cwd: folder }));
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((each) => each.stop('SIGKILL')));
    await removeRunFolder(folder);
  };
  try {
    await writeIdentity(folder);
    await writeClientPair(folder);
    start(paths.etcd, etcdFlags(folder, clients, peers));
    start(paths['kube-apiserver'], [...serverFlags(folder, clients, port), ...flags]);
    const url = `https://127.0.0.1:${port}`;
    const caFile = join(folder, 'pki', 'apiserver.crt');
    const kubeconfig = await writeKubeconfig(folder, url, 'admin');
    const agent = new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
    const send: KubeApiServer['send'] = (method, path, body) =>
      sendAs(agent, method, `${url}${path}`, body);
    await until(
      async () => {
        const ended = running.find(({ child }) => child.exitCode !== null);
        if (ended !== undefined) throw new Error(ended.output().slice(-4000));
        return (await send('GET', '/readyz').catch(() => false)) !== false;
      },
      'the API server is ready',
      120_000,
    );
    const kubectl: KubeApiServer['kubectl'] = async (args, input = '') => {
      const all = ['--kubeconfig', kubeconfig, ...args];
      const { code, stdout, stderr } = await runCommand(paths.kubectl, all, { input });
      if (code === 0) return stdout.trim();
      throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    };
    return {
      url,
      folder,
      kubeconfig,
      caFile,
      kubeconfigOf: (user) => writeKubeconfig(folder, url, user),
      kubectl,
      send,
      apply: async (...objects) => {
        const text = objects.map((each) => stringify(each)).join('---\n');
        await kubectl(['apply', '-f', '-'], text);
      },
      async [Symbol.asyncDispose]() {
        agent.destroy();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Held together until all are known, so that they differ. */
async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = [createServer(), createServer(), createServer()];
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
  const [one = 0, two = 0, three = 0] = servers.map(
    (server) => (server.address() as AddressInfo).port,
  );
  for (const server of servers) server.close();
  return [one, two, three];
}

/** Of an administrator whom his certificate proves, PEM. */
export function clientPairOf(folder: string): { readonly cert: string; readonly key: string } {
  return { cert: join(folder, 'client.crt'), key: join(folder, 'client.key') };
}

async function writeClientPair(folder: string): Promise<void> {
  const openssl = async (line: string): Promise<void> => {
    const { code, stderr } = await runCommand('openssl', line.split(' '), { cwd: folder });
    if (code !== 0) throw new Error(`openssl ${line}: ${stderr}`);
  };
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout';
  await openssl(`req -x509 ${key} clients.key -out clients.crt -subj /CN=clients -days 2`);
  await openssl(`req ${key} client.key -out client.csr -subj /O=system:masters/CN=by-certificate`);
  await openssl(
    'x509 -req -in client.csr -CA clients.crt -CAkey clients.key -CAcreateserial -out client.crt -days 2',
  );
}

async function writeIdentity(folder: string): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  await mkdir(join(folder, 'pki'));
  await writeFile(join(folder, 'sa.pub'), publicKey);
  await writeFile(join(folder, 'sa.key'), privateKey);
  const lines = [
    `${tokens.admin},admin,1,system:masters`,
    `${tokens.reader},reader,2`,
    `${tokens.nobody},nobody,3`,
  ];
  await writeFile(join(folder, 'tokens.csv'), `${lines.join('\n')}\n`);
}

function etcdFlags(folder: string, clients: number, peers: number): readonly string[] {
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
    `--listen-client-urls=http://127.0.0.1:${clients}`,
    `--advertise-client-urls=http://127.0.0.1:${clients}`,
    `--listen-peer-urls=http://127.0.0.1:${peers}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peers}`,
    `--initial-cluster=default=http://127.0.0.1:${peers}`,
  ];
}

function serverFlags(folder: string, clients: number, port: number): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${clients}`,
    `--cert-dir=${join(folder, 'pki')}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(folder, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
    // It dials Services itself: loopback alone.
    '--service-cluster-ip-range=127.100.0.0/24',
    '--authorization-mode=RBAC',
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    `--client-ca-file=${join(folder, 'clients.crt')}`,
    '--disable-admission-plugins=ServiceAccount,Priority',
    '--allow-privileged',
    '--endpoint-reconciler-type=none',
  ];
}

async function writeKubeconfig(
  folder: string,
  server: string,
  user: keyof typeof tokens,
): Promise<string> {
  const path = join(folder, `${user}.kubeconfig`);
  const text = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority': 'pki/apiserver.crt' } }],
    users: [{ name: user, user: { token: tokens[user] } }],
    contexts: [{ name: user, context: { cluster: 'c', user } }],
    'current-context': user,
  });
  await writeFile(path, text);
  return path;
}

async function sendAs(agent: Agent, method: string, url: string, body?: object): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const headers = { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/json' };
  const outgoing = request(url, { method, agent, headers }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299)
        return reject(new Error(`${method} ${url}: ${status} ${text}`));
      return resolve(text.startsWith('{') ? JSON.parse(text) : text);
    });
  });
  outgoing.on('error', reject);
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
