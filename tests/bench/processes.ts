import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

export interface SpawnRequest {
  readonly name: string;
  /** Servers share the first core, load (and the upstream) the second. */
  readonly role: 'server' | 'load';
  readonly command: string;
  readonly arguments: readonly string[];
  /** A file for stdout and stderr; absent: discarded, or kept with `capture`. */
  readonly outputFile?: string;
  /** Keep stdout in memory; stderr goes to ours. */
  readonly capture?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<number | undefined>;
  firstLine(timeoutMs: number): Promise<string>;
  /** Everything on stdout, at its end; rejects on another exit code than 0. */
  output(timeoutMs: number): Promise<string>;
  /** SIGTERM, after two seconds SIGKILL. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface Processes {
  /** False where `taskset` or a second core is missing. */
  readonly pinned: boolean;
  spawn(request: SpawnRequest): RunningProcess;
  stopAll(): Promise<void>;
  /** For exit handlers, which cannot wait. */
  killAllNow(): void;
}

export function createProcesses(): Processes {
  const pinned =
    availableParallelism() >= 2 && spawnSync('taskset', ['-c', '0,1', 'true']).status === 0;
  const running = new Set<RunningProcess>();
  return {
    pinned,
    spawn(request) {
      const child = start(request, pinned);
      running.add(child);
      void child.exited.then(() => running.delete(child));
      return child;
    },
    async stopAll() {
      await Promise.all([...running].map((child) => child.stop()));
    },
    killAllNow() {
      for (const child of running) child.kill('SIGKILL');
    },
  };
}

function start(request: SpawnRequest, pinned: boolean): RunningProcess {
  const core = request.role === 'server' ? '0' : '1';
  const [command, argv] = pinned
    ? ['taskset', ['-c', core, request.command, ...request.arguments]]
    : [request.command, request.arguments];
  const file = request.outputFile === undefined ? undefined : openSync(request.outputFile, 'a');
  const child = spawn(command, argv, {
    stdio: request.capture
      ? ['ignore', 'pipe', 'inherit']
      : ['ignore', file ?? 'ignore', file ?? 'ignore'],
    env: { ...process.env, ...request.environment },
  });
  if (file !== undefined) closeSync(file);
  const exited = new Promise<number | undefined>((resolve) => {
    child.once('exit', (code) => resolve(code ?? undefined));
    child.once('error', () => resolve(undefined));
  });
  return {
    name: request.name,
    pid: child.pid ?? -1,
    exited,
    ...readOutput(request.name, child, exited),
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 2000);
      await exited;
      clearTimeout(late);
    },
    kill(signal) {
      child.kill(signal);
    },
  };
}

function readOutput(
  name: string,
  child: ChildProcess,
  exited: Promise<number | undefined>,
): Pick<RunningProcess, 'firstLine' | 'output'> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return {
    async firstLine(timeoutMs) {
      await waitUntil(`a line of ${name}`, timeoutMs, async () => text.includes('\n'), exited);
      return text.slice(0, text.indexOf('\n'));
    },
    async output(timeoutMs) {
      const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
      const code = await exited;
      await closed;
      clearTimeout(late);
      if (code !== 0) throw new Error(`${name} ended with ${code ?? 'a signal'}: ${text}`);
      return text;
    },
  };
}

/** Asks every 5 ms; ends early where the process it waits for has ended. */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  ready: () => Promise<boolean>,
  ended?: Promise<unknown>,
): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  let gone = false;
  void ended?.then(() => {
    gone = true;
  });
  while (!(await ready())) {
    if (gone) throw new Error(`waiting for ${what}: its process ended`);
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await delay(5);
  }
}

/** A port nobody listens on, for servers that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** The highest resident size since the process began; NaN where there is no /proc. */
export function peakResidentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

/** What is resident now; NaN where there is no /proc. */
export function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

/** User and system time of the process and its ended threads; NaN where there is no /proc. */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}
