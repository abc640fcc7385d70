import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { Config, ListenAddress } from '../../config/config.ts';
import type { Check } from '../command-context.ts';
import { failed, passed, warned } from './report.ts';
import { inspectClock } from './clock.ts';
import { readRunRecord } from '../server/run-record.ts';

/** Files besides the connections: database, blobs that are read, partials, upstream sockets. */
const otherFiles = 2048;
const threadsMin = 16;

/** Node, its limits, the clock, and whether the addresses are free. */
export async function inspectRuntime(
  config: Config,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Check[]> {
  return [
    ...(await inspectNode(env)),
    inspectOpenFiles(await readLimits(), config.limits.connectionsMax),
    await inspectClock(config.rules, env, signal),
    ...(await inspectAddresses(config)),
  ];
}

/** What needs no configuration. */
export function inspectNode(env: NodeJS.ProcessEnv): Promise<Check[]> {
  return Promise.resolve([
    judgeVersion(process.versions.node),
    inspectThreads(env['UV_THREADPOOL_SIZE']),
  ]);
}

function judgeVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const description = `Node ${version}`;
  if (major < 24 || (major === 24 && minor < 12))
    return failed(description, 'Node 24.12 or newer is needed', 'npm start brings its own Node 26');
  if (major < 26) return warned(description, 'tested with Node 26', 'npm start brings its own');
  return passed(description);
}

function inspectThreads(text: string | undefined): Check {
  const threads = Number(text ?? 4);
  const description = `${threads} threads for files and DNS`;
  if (threads >= threadsMin) return passed(description);
  return warned(
    description,
    `under ${threadsMin}`,
    'start it as breakwater, which sets UV_THREADPOOL_SIZE',
  );
}

async function readLimits(): Promise<string | undefined> {
  return readFile('/proc/self/limits', 'utf8').catch(() => undefined);
}

/** From the text of `/proc/self/limits`; other systems do not have it. */
export function inspectOpenFiles(limits: string | undefined, connectionsMax: number): Check {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? '')?.[1];
  if (soft === undefined) return passed('open files: this system does not tell its limit');
  const description = `open files: ${soft}`;
  const needed = connectionsMax + otherFiles;
  if (soft === 'unlimited' || Number(soft) >= needed) return passed(description);
  return warned(
    description,
    `${connectionsMax} connections need ${needed}`,
    `raise it (ulimit -n ${needed}, LimitNOFILE=${needed}), or lower limits.connections`,
  );
}

/** A server that runs holds its addresses itself. */
async function inspectAddresses(config: Config): Promise<Check[]> {
  if ((await readRunRecord(config.dataDir)) !== undefined) return [];
  const addresses = [
    ['listen', config.listen],
    ['adminListen', config.adminListen],
    ['hubMirrorListen', config.hubMirrorListen],
  ] as const;
  const checks: Check[] = [];
  for (const [key, address] of addresses)
    if (address !== undefined) checks.push(await inspectAddress(key, address));
  return checks;
}

async function inspectAddress(key: string, address: ListenAddress): Promise<Check> {
  const description = `${key} ${address.host}:${address.port} can be listened on`;
  const server = createServer();
  try {
    server.listen(address.port, address.host);
    await once(server, 'listening');
    return passed(description);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const hint =
      code === 'EADDRINUSE'
        ? `another process listens there; stop it, or set ${key} to another address`
        : `set ${key} to an address of this machine`;
    return failed(description, message, hint);
  } finally {
    server.close();
  }
}
