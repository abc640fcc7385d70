import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { ChartFailure } from './chart-failure.ts';

export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Milliseconds; the program and all that it started are killed then. */
  readonly deadlineMs: number;
  /** Of stdout; more ends the program. */
  readonly outputBytesMax: number;
}

const errorTextMax = 4000;

/** What a program prints on stdout; no shell reads its words. Throws a `ChartFailure` where it is missing, fails, prints too much or does not end. */
export async function runChild(child: ChildCommand, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { command, args, env, cwd, deadlineMs, outputBytesMax } = child;
  const label = `${basename(command)} ${args[0] ?? ''}`.trimEnd();
  const running = spawn(command, args, {
    env,
    cwd,
    // A group of its own ends with all that the program started.
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { promise, resolve: done, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let errors = '';
  const stop = (failure: Error): void => {
    killGroup(running);
    // A grandchild that got away may hold the pipes open: nobody waits for it.
    running.stdout.destroy();
    running.stderr.destroy();
    reject(failure);
  };
  const late = `${label} did not end within ${deadlineMs / 1000} s`;
  const timer = setTimeout(() => stop(failed('helm', late, errors)), deadlineMs);
  const onAbort = (): void => stop(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  running.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    const much = `${label} printed more than ${outputBytesMax / 1024 / 1024} MiB`;
    if (bytes > outputBytesMax) stop(failed('chart', much, errors));
    else chunks.push(chunk);
  });
  running.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString('utf8')).slice(-errorTextMax);
  });
  running.on('error', (error: NodeJS.ErrnoException) => reject(notStarted(command, error)));
  running.on('close', (code, killedBy) => {
    if (code === 0) return done(Buffer.concat(chunks).toString('utf8'));
    return reject(failed('chart', `${label} ended with ${code ?? killedBy}`, errors));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function failed(kind: 'helm' | 'chart', what: string, errors: string): ChartFailure {
  const because = errors.replaceAll(/^.*found symbolic link in path.*\n/gm, '').trim();
  return new ChartFailure(what, {
    kind,
    hint: 'run helm template with the same chart and values to see it',
    ...(because !== '' && { because }),
  });
}

function notStarted(command: string, cause: NodeJS.ErrnoException): ChartFailure {
  const isMissing = cause.code === 'ENOENT';
  return new ChartFailure(isMissing ? `${command} is not there` : `${command} cannot be started`, {
    kind: 'helm',
    hint: isMissing
      ? `install Helm 3 or 4, or say where it is with --helm`
      : `check that ${command} may be run`,
    because: cause.message,
    cause,
  });
}
