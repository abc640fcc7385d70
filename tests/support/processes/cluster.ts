// A Kubernetes of real parts in a sandbox: etcd, the API server and its companions, and nodes with networks of their own.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stringify } from 'yaml';
import { findCriTools, startCri } from './cri.ts';
import type { Cri, CriOptions } from './cri.ts';
import { startProcess } from './process.ts';
import { until } from '../rigs/until.ts';
import { makeRunFolder, removeRunFolder } from './run-folder.ts';
import { makeCgroup, run } from './sandbox.ts';
import { findTools, runCommand } from '../tools/tools.ts';
import type { CommandResult } from '../tools/tools.ts';

/** Where what the nodes reach listens: this machine, as they see it. */
export const hostAddress = '10.97.0.1';
export const apiServer: string = `https://${hostAddress}:6443`;
/** As the API server's tokens name their issuer. */
export const tokenIssuer = 'https://kubernetes.default.svc';

export interface Node {
  readonly name: string;
  readonly cri: Cri;
}

export interface Cluster {
  readonly nodes: readonly Node[];
  /** The API server's certificate, which signs itself. */
  readonly caFile: string;
  /** `kubectl ARGS` with this on its stdin; throws where it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** `kubectl apply` of objects. */
  apply(...objects: readonly object[]): Promise<void>;
}

const bridge = 'br-nodes';
const adminToken = 'of-the-test';
/** What kubelet sets for the whole machine where it does not read so already. */
const sysctls = { 'vm/overcommit_memory': '1', 'kernel/panic': '10', 'kernel/panic_on_oops': '1' };

/** Programs of a cluster; `missing` says why there is none. */
const findClusterTools = () =>
  findTools(
    'etcd',
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kubelet',
    'kubectl',
  );

/** Why no cluster can run here; builds what it takes. */
export async function clusterMissing(): Promise<string | undefined> {
  for (const tools of [await findCriTools(), await findClusterTools()])
    if ('missing' in tools) return tools.missing;
  return undefined;
}

/** Makes the network of nodes, with `hostAddress` in it. Once in a sandbox, before what listens there. */
export function makeNodeNetwork(): void {
  run('ip', 'link', 'add', bridge, 'type', 'bridge');
  run('ip', 'addr', 'add', `${hostAddress}/24`, 'dev', bridge);
  run('ip', 'link', 'set', bridge, 'up');
  run('bash', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
}

export interface ClusterOptions extends Pick<CriOptions, 'mirror' | 'hostsDir'> {
  readonly nodes: number;
}

/** Starts a cluster whose nodes ask `mirror` for every image, or whom `hostsDir` says, and waits until they are ready. Ends with the test. */
export async function startCluster(
  t: TestContext,
  { nodes: count, ...hosts }: ClusterOptions,
): Promise<Cluster> {
  const tools = await findClusterTools();
  if ('missing' in tools) throw new Error(tools.missing);
  const { paths } = tools;
  const folder = await makeRunFolder('cluster');
  t.after(() => removeRunFolder(folder));
  const start = (command: readonly string[]): void => {
    const [program = '', ...args] = command;
    const running = startProcess(program, args, { cwd: folder });
    t.after(() => running.stop('SIGKILL'));
  };
  await fixSysctls(folder);
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigOf(folder));
  await startControlPlane(folder, paths, start);
  const tryKubectl = (args: readonly string[], input = ''): Promise<CommandResult> =>
    runCommand(paths.kubectl, ['--kubeconfig', kubeconfig, ...args], { input });
  const kubectl = async (args: readonly string[], input = ''): Promise<string> => {
    const { code, stdout, stderr } = await tryKubectl(args, input);
    if (code === 0) return stdout.trim();
    throw new Error(`kubectl ${args.join(' ')}: ${stderr}\n${await stateOf(tryKubectl)}`);
  };
  await until(
    async () => (await tryKubectl(['get', '--raw', '/readyz'])).code === 0,
    'the API server is ready',
    120_000,
  );
  startControllers(paths, kubeconfig, start);
  const nodes: Node[] = [];
  for (let n = 1; n <= count; n += 1) {
    const launcher = await makeNodeNamespaces(t, n);
    const cri = await startCri(t, { ...hosts, subnet: `10.98.${n}.0/24`, launcher });
    if (cri === undefined) throw new Error('the tools of a node are gone');
    const name = `n${n}`;
    const config = join(cri.folder, 'kubelet.yaml');
    await writeFile(config, stringify(kubeletConfig(n, cri)));
    const flags = ['--config', config, '--kubeconfig', kubeconfig, '--hostname-override', name];
    flags.push('--root-dir', join(cri.folder, 'kubelet'), '--cert-dir', join(cri.folder, 'pki'));
    flags.push('--node-ip', addressOf(n));
    start([...launcher, paths.kubelet, ...flags]);
    nodes.push({ name, cri });
  }
  for (const { name } of nodes) {
    const ready = ['wait', '--for=condition=Ready', `node/${name}`, '--timeout=1s'];
    const isReady = async (): Promise<boolean> => (await tryKubectl(ready)).code === 0;
    await until(isReady, `node ${name} is ready`, 120_000);
  }
  const account = ['get', 'serviceaccount', 'default'];
  await until(
    async () => (await tryKubectl(account)).code === 0,
    'the default service account is there',
    60_000,
  );
  return {
    nodes,
    caFile: join(folder, 'pki', 'apiserver.crt'),
    kubectl,
    apply: async (...objects) =>
      void (await kubectl(
        ['apply', '-f', '-'],
        objects.map((each) => stringify(each)).join('---\n'),
      )),
  };
}

/** A Deployment or DaemonSet of one container that stays; its image is asked for at each start. */
export function workload(kind: 'Deployment' | 'DaemonSet', name: string, image: string): object {
  const labels = { app: name };
  const command = ['/bin/busybox', 'sh', '-c', 'trap exit TERM; /bin/busybox sleep 100000 & wait'];
  const container = { name: 'one', image, imagePullPolicy: 'Always', command };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
    },
  };
}

async function startControlPlane(
  folder: string,
  paths: Readonly<Record<'etcd' | 'kube-apiserver', string>>,
  start: (command: readonly string[]) => void,
): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  await mkdir(join(folder, 'pki'));
  await writeFile(join(folder, 'sa.pub'), publicKey);
  await writeFile(join(folder, 'sa.key'), privateKey);
  await writeFile(join(folder, 'tokens.csv'), `${adminToken},admin,1,system:masters\n`);
  const clients = 'http://127.0.0.1:2379';
  const peers = 'http://127.0.0.1:2380';
  start([
    paths.etcd,
    `--data-dir=${join(folder, 'etcd')}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
  ]);
  start([
    paths['kube-apiserver'],
    `--etcd-servers=${clients}`,
    `--cert-dir=${join(folder, 'pki')}`,
    `--bind-address=${hostAddress}`,
    `--advertise-address=${hostAddress}`,
    '--secure-port=6443',
    `--service-account-issuer=${tokenIssuer}`,
    `--service-account-key-file=${join(folder, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
    '--service-cluster-ip-range=10.96.0.0/24',
    '--authorization-mode=RBAC',
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    '--allow-privileged',
    '--kubelet-preferred-address-types=InternalIP',
  ]);
}

function startControllers(
  paths: Readonly<Record<'kube-controller-manager' | 'kube-scheduler', string>>,
  kubeconfig: string,
  start: (command: readonly string[]) => void,
): void {
  const folder = join(kubeconfig, '..');
  const common = ['--kubeconfig', kubeconfig, '--leader-elect=false'];
  common.push('--bind-address', '127.0.0.1');
  start([
    paths['kube-controller-manager'],
    ...common,
    `--service-account-private-key-file=${join(folder, 'sa.key')}`,
    `--root-ca-file=${join(folder, 'pki', 'apiserver.crt')}`,
    `--cert-dir=${join(folder, 'pki-controllers')}`,
  ]);
  start([paths['kube-scheduler'], ...common, '--cert-dir', join(folder, 'pki-scheduler')]);
}

function kubeconfigOf(folder: string): string {
  const ca = join(folder, 'pki', 'apiserver.crt');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: apiServer, 'certificate-authority': ca } }],
    users: [{ name: 'u', user: { token: adminToken } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

function kubeletConfig(n: number, cri: Cri): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    // Kubelets that share a root may take each other's pods for orphans.
    cgroupRoot: makeCgroup(`n${n}`),
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${cri.socket}`,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    address: addressOf(n),
    healthzBindAddress: '127.0.0.1',
    podLogsDir: join(cri.folder, 'logs'),
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
    },
    imageGCHighThresholdPercent: 100,
    resolvConf: '',
    nodeStatusUpdateFrequency: '5s',
  };
}

function addressOf(n: number): string {
  return `10.97.0.${10 + n}`;
}

/** Another machine of the network: namespaces of its own; answers what runs a command in them. */
export async function makeNodeNamespaces(t: TestContext, n: number): Promise<readonly string[]> {
  const flags = ['--net', '--mount', '--propagation', 'private', 'sleep', 'infinity'];
  const holder = startProcess('unshare', flags);
  t.after(() => holder.stop('SIGKILL'));
  const pid = String(holder.child.pid);
  const own = readlinkSync('/proc/self/ns/net');
  await until(() => readlinkSync(`/proc/${pid}/ns/net`) !== own, 'the node has a network');
  const launcher = ['nsenter', '-t', pid, '-n', '-m', '--'];
  const inNode = (...command: readonly string[]): void =>
    run('nsenter', ...launcher.slice(1), ...command);
  const outside = `vn${n}`;
  run('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid);
  run('ip', 'link', 'set', outside, 'master', bridge, 'up');
  inNode('ip', 'link', 'set', 'lo', 'up');
  inNode('ip', 'addr', 'add', `${addressOf(n)}/24`, 'dev', 'eth0');
  inNode('ip', 'link', 'set', 'eth0', 'up');
  inNode('ip', 'route', 'add', 'default', 'via', hostAddress);
  inNode('bash', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  run('ip', 'route', 'replace', `10.98.${n}.0/24`, 'via', addressOf(n));
  for (const path of [
    '/run/containerd',
    '/run/netns',
    '/var/log',
    '/var/lib/kubelet',
    '/var/lib/cni',
  ]) {
    mkdirSync(path, { recursive: true });
    inNode('mount', '-t', 'tmpfs', 'tmpfs', path);
  }
  return launcher;
}

async function fixSysctls(folder: string): Promise<void> {
  for (const [name, value] of Object.entries(sysctls)) {
    const file = join(folder, name.replace('/', '.'));
    await writeFile(file, `${value}\n`);
    execFileSync('mount', ['--bind', file, join('/proc/sys', name)]);
  }
}

/** What a reader of a failure wants to see. */
async function stateOf(
  kubectl: (args: readonly string[]) => Promise<CommandResult>,
): Promise<string> {
  const pods = await kubectl(['get', 'pods', '-A', '-o', 'wide']);
  const events = await kubectl(['get', 'events', '-A', '--sort-by=.lastTimestamp']);
  return `${pods.stdout}\n${events.stdout.slice(-4000)}`;
}
