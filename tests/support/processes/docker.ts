// A Docker daemon of a sandbox, and its command line.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { startProcess } from './process.ts';
import type { Running } from './process.ts';
import { makeRunFolder, removeRunFolder } from './run-folder.ts';
import { sandboxName, unmountBelow } from './sandbox.ts';
import { findTools, runCommand } from '../tools/tools.ts';
import type { CommandResult, ToolName } from '../tools/tools.ts';

export interface DockerKind {
  readonly name: string;
  readonly dockerd: 'dockerd' | 'dockerd-20.10';
  /** Docker 29 takes a runc that knows time namespaces. */
  readonly runc: 'runc' | 'runc-1.1';
  /** The containerd image store, instead of graph drivers. */
  readonly containerdStore: boolean;
}

export const dockerKinds: readonly DockerKind[] = [
  {
    name: 'Docker 20.10',
    dockerd: 'dockerd-20.10',
    runc: 'runc-1.1',
    containerdStore: false,
  },
  {
    name: 'Docker 29 with the containerd store',
    dockerd: 'dockerd',
    runc: 'runc',
    containerdStore: true,
  },
  { name: 'Docker 29 with overlay2', dockerd: 'dockerd', runc: 'runc', containerdStore: false },
];

export interface Docker {
  readonly daemon: Running;
  /** What runs its command line, in a shell. */
  readonly command: string;
  /** `docker ARGS`; any exit is an answer. */
  try(args: readonly string[], input?: string): Promise<CommandResult>;
  /** Its output; throws where it fails. */
  run(...args: readonly string[]): Promise<string>;
}

export interface DockerOptions {
  /** Keys of `daemon.json`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Put before each command: to run it on another machine of the network. */
  readonly launcher?: readonly string[];
}

/** Starts a daemon with this mirror of Docker Hub, if any; it ends with the test. Nothing, and a skip said aloud, where a tool is missing. */
export async function startDocker(
  t: TestContext,
  kind: DockerKind,
  hubMirror: string | undefined,
  { settings = {}, launcher = [] }: DockerOptions = {},
): Promise<Docker | undefined> {
  const names = [kind.dockerd, kind.runc, 'containerd', 'containerd-shim-runc-v2'] as const;
  const tools = await findTools('docker-20.10', ...names);
  if ('missing' in tools) {
    t.skip(tools.missing);
    return undefined;
  }
  const folder = await makeRunFolder('docker');
  const path = await programFolder(folder, names, tools.paths);
  const socket = `unix://${join(folder, 'docker.sock')}`;
  const config = join(folder, 'daemon.json');
  const features = { 'containerd-snapshotter': kind.containerdStore };
  await writeFile(
    config,
    JSON.stringify({
      ...(hubMirror === undefined ? {} : { 'registry-mirrors': [hubMirror] }),
      ...settings,
      ...(kind.dockerd === 'dockerd' ? { features } : {}),
    }),
  );
  const flags = ['--config-file', config, '--host', socket, '--pidfile', join(folder, 'pid')];
  flags.push('--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'));
  flags.push('--cgroup-parent', `/${sandboxName()}`);
  flags.push('--bridge', 'none', '--iptables=false', '--ip6tables=false', '--userland-proxy=false');
  const [dockerd = '', ...rest] = [...launcher, tools.paths[kind.dockerd], ...flags];
  const daemon = startProcess(dockerd, rest, { env: { PATH: path } });
  t.after(async () => {
    await daemon.stop('SIGTERM', 20_000);
    unmountBelow(folder);
    await removeRunFolder(folder);
  });
  await daemon.waitFor(/API listen on/, 90_000);
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: join(folder, 'client'), HOME: folder };
  const attempt = (args: readonly string[], input = ''): Promise<CommandResult> =>
    runCommand(tools.paths['docker-20.10'], args, { env, input });
  const settled = Object.entries(env).map(([name, value]) => `${name}="${value}"`);
  return {
    daemon,
    command: `env ${settled.join(' ')} "${tools.paths['docker-20.10']}"`,
    try: attempt,
    async run(...args) {
      const result = await attempt(args);
      if (result.code === 0) return result.stdout.trim();
      throw new Error(
        `docker ${args.join(' ')}: ${result.stderr}\n${daemon.output().slice(-3000)}`,
      );
    },
  };
}

/** A PATH on which these programs come first, by the names that daemons look for. */
export async function programFolder(
  folder: string,
  names: readonly ToolName[],
  paths: Readonly<Partial<Record<ToolName, string>>>,
): Promise<string> {
  const programs = join(folder, 'programs');
  await mkdir(programs);
  for (const name of names) {
    const path = paths[name] ?? '';
    const called = path.slice(dirname(path).length + 1);
    await writeFile(join(programs, called), `#!/bin/sh\nexec "${path}" "$@"\n`, { mode: 0o755 });
  }
  return `${programs}:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
}
