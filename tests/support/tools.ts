// The real clients and servers that tests run: found on PATH, or built once per machine into a cache folder outside the checkout.
import { spawn } from 'node:child_process';
import {
  access,
  constants,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Built with `go install`, keyed by version. */
const built = {
  crane: { module: 'github.com/google/go-containerregistry/cmd/crane', version: 'v0.22.1' },
  regctl: { module: 'github.com/regclient/regclient/cmd/regctl', version: 'v0.11.7' },
  registry: { module: 'github.com/distribution/distribution/v3/cmd/registry', version: 'v3.1.2' },
  containerd: { module: 'github.com/containerd/containerd/v2/cmd/containerd', version: 'v2.4.2' },
  ctr: { module: 'github.com/containerd/containerd/v2/cmd/ctr', version: 'v2.4.2' },
  helm: { module: 'helm.sh/helm/v3/cmd/helm', version: 'v3.22.0' },
  cosign: { module: 'github.com/sigstore/cosign/v3/cmd/cosign', version: 'v3.1.3' },
} as const;

export type BuiltTool = keyof typeof built;
/** In the order in which tests need them; the heaviest come last. */
export const builtTools: readonly BuiltTool[] = [
  'registry',
  'crane',
  'regctl',
  'ctr',
  'containerd',
  'helm',
  'cosign',
];
export type FoundTool =
  | 'skopeo'
  | 'podman'
  | 'buildah'
  | 'docker'
  | 'dockerd'
  | 'docker-registry'
  | 'nginx'
  | 'bash'
  | 'curl'
  | 'wrk'
  | 'unshare'
  | 'go'
  | 'apt-get'
  | 'dpkg-deb'
  | 'tar';
export type ToolName = BuiltTool | FoundTool;

export type Tool = { readonly path: string } | { readonly missing: string };

const buildLimitMs = 900_000;
/** A build that failed is not tried again for this long. */
const failureKeptMs = 900_000;

/** Where built tools, images and running registries' folders live: never inside the checkout. */
export function toolsFolder(): string {
  const named = process.env['BREAKWATER_TOOLS'];
  if (named !== undefined && named !== '') return named;
  const cache = process.env['XDG_CACHE_HOME'];
  const base = cache !== undefined && cache !== '' ? cache : join(homedir(), '.cache');
  return join(base, 'breakwater', 'tools');
}

/** The tool's path, building it first where it can be; `missing` says why there is none, as a test's reason to skip. */
export async function findTool(name: ToolName): Promise<Tool> {
  return isBuilt(name) ? await findBuilt(name) : await findOnPath(name);
}

/** Every tool's path, or the first reason why one is missing. */
export async function findTools<const Names extends readonly ToolName[]>(
  ...names: Names
): Promise<
  { readonly paths: Readonly<Record<Names[number], string>> } | { readonly missing: string }
> {
  const paths: Partial<Record<ToolName, string>> = {};
  for (const name of names) {
    const tool = await findTool(name);
    if ('missing' in tool) return tool;
    paths[name] = tool.path;
  }
  return { paths: paths as Record<Names[number], string> };
}

function isBuilt(name: ToolName): name is BuiltTool {
  return Object.hasOwn(built, name);
}

async function findOnPath(name: string): Promise<Tool> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of [...folders, '/usr/local/bin', '/usr/sbin', '/sbin']) {
    if (folder === '') continue;
    const path = join(folder, name);
    if (await isExecutable(path)) return { path };
  }
  return { missing: `${name} is not installed` };
}

async function findBuilt(name: BuiltTool): Promise<Tool> {
  const { version } = built[name];
  const folder = join(toolsFolder(), `${name}-${version}`);
  const path = join(folder, name);
  if (await isExecutable(path)) return { path };
  const go = await findOnPath('go');
  if ('missing' in go) return { missing: `${name} is not built and ${go.missing}` };
  const onceFailed = join(toolsFolder(), `${name}-${version}.failed`);
  return await withLock(`${name}-${version}`, async () => {
    if (await isExecutable(path)) return { path };
    const earlier = await recentFailure(onceFailed);
    if (earlier !== undefined) return { missing: earlier };
    const reason = await buildTool(name, go.path, folder);
    if (reason === undefined) return { path };
    await writeFile(onceFailed, JSON.stringify({ at: Date.now(), reason }));
    return { missing: reason };
  });
}

async function recentFailure(file: string): Promise<string | undefined> {
  try {
    const failure = JSON.parse(await readFile(file, 'utf8')) as { at: number; reason: string };
    return Date.now() - failure.at < failureKeptMs ? failure.reason : undefined;
  } catch {
    return undefined;
  }
}

/** Builds beside `folder` and renames; returns why it could not. */
async function buildTool(name: BuiltTool, go: string, folder: string): Promise<string | undefined> {
  const temporary = await mkdtemp(`${folder}.building-`);
  try {
    const { module, version } = built[name];
    console.error(`building ${name} ${version} (once per machine)`);
    const result = await runCommand(go, ['install', `${module}@${version}`], {
      timeoutMs: buildLimitMs,
      env: { GOBIN: temporary, GOFLAGS: '-trimpath', CGO_ENABLED: '0' },
    });
    if (result.code !== 0) return `${name} could not be built: ${lastLine(result.stderr)}`;
    await rename(temporary, folder);
    return undefined;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.slice(0, 300) ?? '';
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs `task` while no other process of this machine runs one of the same name; a dead holder's lock is taken over. */
export async function withLock<T>(name: string, task: () => Promise<T>): Promise<T> {
  const folder = join(toolsFolder(), `${name}.lock`);
  await mkdir(toolsFolder(), { recursive: true });
  const giveUpAt = performance.now() + buildLimitMs;
  while (!(await takeLock(folder))) {
    if (performance.now() > giveUpAt) throw new Error(`${folder} is held by another process`);
    await delay(250);
  }
  try {
    return await task();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function takeLock(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    await writeFile(join(folder, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const pid = Number(await readFile(join(folder, 'pid'), 'utf8').catch(() => ''));
  if (pid > 0 && !isRunning(pid)) await rm(folder, { recursive: true, force: true });
  return false;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly input?: string;
}

export interface CommandResult {
  /** -1 where the program could not be started or was killed. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; a non-zero exit is an answer, not an error. Killed after `timeoutMs` (120 s by default). */
export async function runCommand(
  path: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  const child = spawn(path, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => stdout.push(part));
  child.stderr.on('data', (part: Buffer) => stderr.push(part));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const deadline = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
  child.on('error', (error) => resolve({ code: -1, stdout: '', stderr: error.message }));
  child.on('close', (code, signal) => {
    const killed = signal === null ? '' : `\nended by ${signal}`;
    resolve({
      code: code ?? -1,
      stdout: Buffer.concat(stdout).toString('utf8'),
      stderr: Buffer.concat(stderr).toString('utf8') + killed,
    });
  });
  const result = await promise;
  clearTimeout(deadline);
  return result;
}
