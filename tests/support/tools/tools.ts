// The real clients and servers that tests run: found on PATH, or built once per machine into a cache folder outside the checkout.
import {
  access,
  constants,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isSandboxed } from '../processes/sandbox.ts';
import { buildTimeMs, bundles } from './tool-builds.ts';
import type { Bundle, BundleName, BuiltTool } from './tool-builds.ts';

export { runCommand, type CommandOptions, type CommandResult } from '../processes/run-command.ts';

export type FoundTool =
  | 'skopeo'
  | 'podman'
  | 'buildah'
  | 'docker'
  | 'dockerd'
  | 'docker-registry'
  | 'nginx'
  | 'bash'
  | 'sqlite3'
  | 'curl'
  | 'wrk'
  | 'unshare'
  | 'nsenter'
  | 'go'
  | 'aws'
  | 'python3'
  | 'terraform'
  | 'apt-get'
  | 'dpkg-deb'
  | 'tar';
export type ToolName = BuiltTool | FoundTool;

export type Tool = { readonly path: string } | { readonly missing: string };

/** For a lock: as long as the slowest build takes. */
const lockLimitMs = 2_700_000;
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
  const bundle = bundleOf.get(name);
  if (bundle === undefined) return await findOnPath(name);
  const found = await findBundle(bundle);
  if ('missing' in found) return found;
  const programs: Readonly<Record<string, string>> = bundles[bundle].programs;
  return { path: join(found.folder, programs[name] ?? name) };
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

const bundleOf: ReadonlyMap<string, BundleName> = new Map(
  (Object.keys(bundles) as BundleName[]).flatMap((bundle) =>
    Object.keys(bundles[bundle].programs).map((program) => [program, bundle] as const),
  ),
);

async function findOnPath(name: string): Promise<Tool> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of [...folders, '/usr/local/bin', '/usr/sbin', '/sbin']) {
    if (folder === '') continue;
    const path = join(folder, name);
    if (await isExecutable(path)) return { path };
  }
  return { missing: `${name} is not installed` };
}

/** A bundle's folder, building it first where it can be. */
export async function findBundle(
  name: BundleName,
): Promise<{ readonly folder: string } | { readonly missing: string }> {
  const bundle: Bundle = bundles[name];
  const id = `${name}-${bundle.version}`;
  const folder = join(toolsFolder(), id);
  const isThere = async (): Promise<boolean> =>
    (
      await Promise.all(
        Object.values(bundle.programs).map((path) => isExecutable(join(folder, path))),
      )
    ).every(Boolean);
  if (await isThere()) return { folder };
  if (isSandboxed()) return { missing: `${name} is not built, and a sandbox cannot fetch it` };
  const late = { missing: `${name} is not built, and the time for building is over` };
  if (buildTimeMs() === 0) return late;
  for (const need of bundle.needs) {
    const tool = await findOnPath(need);
    if ('missing' in tool) return { missing: `${name} is not built and ${tool.missing}` };
  }
  const onceFailed = join(toolsFolder(), `${id}.failed`);
  const build = async (): Promise<{ readonly folder: string } | { readonly missing: string }> => {
    if (await isThere()) return { folder };
    const earlier = await recentFailure(onceFailed);
    if (earlier !== undefined) return { missing: earlier };
    // Another process may have held the lock for long.
    if (buildTimeMs() === 0) return late;
    const reason = await buildBundle(id, bundle, folder);
    if (reason === undefined) return { folder };
    await writeFile(onceFailed, JSON.stringify({ at: Date.now(), reason }));
    return { missing: reason };
  };
  try {
    return await withLock(id, build, buildTimeMs());
  } catch (error) {
    if (error instanceof LockHeldError) return late;
    throw error;
  }
}

class LockHeldError extends Error {}

async function recentFailure(file: string): Promise<string | undefined> {
  try {
    const failure = JSON.parse(await readFile(file, 'utf8')) as { at: number; reason: string };
    return Date.now() - failure.at < failureKeptMs ? failure.reason : undefined;
  } catch {
    return undefined;
  }
}

/** Builds beside `folder` and renames; returns why it could not. Under the lock of `id`. */
async function buildBundle(
  id: string,
  bundle: Bundle,
  folder: string,
): Promise<string | undefined> {
  // What killed builds left: gigabytes. Nobody else builds it now.
  for (const name of await readdir(toolsFolder()))
    if (name.startsWith(`${id}.building-`))
      await rm(join(toolsFolder(), name), { recursive: true, force: true });
  const temporary = await mkdtemp(`${folder}.building-`);
  try {
    console.error(`building ${id} (once per machine)`);
    const reason = await bundle.build(temporary);
    if (reason !== undefined) return `${id} could not be built: ${reason}`;
    await rename(temporary, folder);
    return undefined;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs `task` while no other process of this machine runs one of the same name; a dead holder's lock is taken over. Waits
 * `limitMs` for another at most, and throws then.
 */
export async function withLock<T>(
  name: string,
  task: () => Promise<T>,
  limitMs: number = lockLimitMs,
): Promise<T> {
  const folder = join(toolsFolder(), `${name}.lock`);
  await mkdir(toolsFolder(), { recursive: true });
  const giveUpAt = performance.now() + limitMs;
  while (!(await takeLock(folder))) {
    if (performance.now() > giveUpAt)
      throw new LockHeldError(`${folder} is held by another process`);
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
