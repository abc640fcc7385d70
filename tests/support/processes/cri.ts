// containerd with its CRI and runc, as a Kubernetes node has it, and crictl.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { programFolder } from './docker.ts';
import type { Running } from './process.ts';
import { startProcess } from './process.ts';
import { until } from '../rigs/until.ts';
import { makeRunFolder, removeRunFolder } from './run-folder.ts';
import { unmountBelow } from './sandbox.ts';
import { findTools, runCommand } from '../tools/tools.ts';
import type { CommandResult } from '../tools/tools.ts';

export interface Cri {
  readonly folder: string;
  readonly socket: string;
  readonly daemon: Running;
  /** The text of containerd's `config.toml`. */
  readonly config: string;
  /** What runs `crictl`, in a shell. */
  readonly command: string;
  /** Where a `hosts.toml` for each registry lies. */
  readonly hostsDir: string;
  /** `crictl ARGS`; throws where it fails. */
  crictl(...args: readonly string[]): Promise<string>;
  /** The same; any exit is an answer. */
  try(...args: readonly string[]): Promise<CommandResult>;
}

export interface CriOptions {
  /** Asked in place of every registry, with `?ns=`; absent: `hostsDir` is the test's to fill. */
  readonly mirror?: string;
  /** Absent: a folder of its own. */
  readonly hostsDir?: string;
  /** Files that say where it looks for those, instead of its own configuration. */
  readonly imports?: string;
  /** The addresses of pods. */
  readonly subnet: string;
  /** Put before each command: to run it in a node's own namespaces. */
  readonly launcher?: readonly string[];
}

/** The image that pods' sandboxes are made of, under the rule `registry.k8s.io`. */
export const pauseImage = 'registry.k8s.io/pause:3.10.1';

/** What a node needs; `missing` says why there is none. */
export async function findCriTools(): ReturnType<
  typeof findTools<
    readonly [
      'containerd',
      'containerd-shim-runc-v2',
      'runc',
      'crictl',
      'bridge',
      'loopback',
      'host-local',
    ]
  >
> {
  return await findTools(
    'containerd',
    'containerd-shim-runc-v2',
    'runc',
    'crictl',
    'bridge',
    'loopback',
    'host-local',
  );
}

/** Starts containerd; it ends with the test. Nothing, and a skip said aloud, where a tool is missing. */
export async function startCri(t: TestContext, options: CriOptions): Promise<Cri | undefined> {
  const tools = await findCriTools();
  if ('missing' in tools) {
    t.skip(tools.missing);
    return undefined;
  }
  const { paths } = tools;
  const folder = await makeRunFolder('cri');
  const names = ['containerd', 'containerd-shim-runc-v2', 'runc'] as const;
  const path = await programFolder(folder, names, paths);
  const socket = join(folder, 'containerd.sock');
  const config = join(folder, 'containerd.toml');
  const { hostsDir = join(folder, 'certs.d'), mirror, imports } = options;
  const configText = containerdConfig(folder, dirname(paths.bridge), { hostsDir, imports });
  await writeFile(config, configText);
  await writeNetwork(folder, options.subnet);
  if (mirror !== undefined) await writeMirror(hostsDir, mirror);
  const crictlConfig = join(folder, 'crictl.yaml');
  await writeFile(crictlConfig, '');
  const [program, ...args] = [...(options.launcher ?? []), paths.containerd, '--config', config];
  const daemon = startProcess(program, args, { env: { PATH: path } });
  t.after(async () => {
    await daemon.stop('SIGTERM', 10_000);
    unmountBelow(folder);
    await removeRunFolder(folder);
  });
  const env = { CRI_CONFIG_FILE: crictlConfig, CONTAINER_RUNTIME_ENDPOINT: `unix://${socket}` };
  // In the node's own network, where what streams `exec` listens.
  const [crictl, ...before] = [...(options.launcher ?? []), paths.crictl];
  const tryCrictl = (...more: readonly string[]): ReturnType<typeof runCommand> =>
    runCommand(crictl, [...before, '--timeout', '60s', ...more], { env });
  await until(async () => (await tryCrictl('version')).code === 0, 'containerd answers', 60_000);
  return {
    folder,
    socket,
    daemon,
    config: configText,
    command: [
      'env',
      ...Object.entries(env).map(([name, value]) => `${name}="${value}"`),
      crictl,
      ...before,
    ].join(' '),
    hostsDir,
    try: tryCrictl,
    async crictl(...more) {
      const result = await tryCrictl(...more);
      if (result.code === 0) return result.stdout.trim();
      throw new Error(
        `crictl ${more.join(' ')}: ${result.stderr}\n${daemon.output().slice(-3000)}`,
      );
    },
  };
}

function containerdConfig(
  folder: string,
  plugins: string,
  { hostsDir, imports }: { readonly hostsDir: string; readonly imports: string | undefined },
): string {
  const socket = join(folder, 'containerd.sock');
  const registry = `[plugins."io.containerd.cri.v1.images".registry]
  config_path = "${hostsDir}"
`;
  return `version = 3
${imports === undefined ? '' : `imports = ["${imports}"]\n`}root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${pauseImage}"
${imports === undefined ? registry : ''}[plugins."io.containerd.cri.v1.runtime"]
  # Root of a test machine may lack CAP_SYS_RESOURCE, which lowering a score takes.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${plugins}"]
    conf_dir = "${join(folder, 'net.d')}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(folder, 'opt')}"
`;
}

async function writeNetwork(folder: string, subnet: string): Promise<void> {
  const ipam = {
    type: 'host-local',
    dataDir: join(folder, 'ipam'),
    ranges: [[{ subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, hairpinMode: true, ipam };
  await mkdir(join(folder, 'net.d'));
  await writeFile(
    join(folder, 'net.d', '10-pods.conflist'),
    JSON.stringify({ cniVersion: '1.0.0', name: 'pods', plugins: [bridge] }),
  );
}

async function writeMirror(hostsDir: string, url: string): Promise<void> {
  const hosts = join(hostsDir, '_default');
  await mkdir(hosts, { recursive: true });
  await writeFile(
    join(hosts, 'hosts.toml'),
    `server = "${url}"\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`,
  );
}
