// Child processes of tests: started, watched, and never left behind.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A program that runs until it is stopped. */
export interface Running {
  readonly child: ChildProcess;
  /** Everything written to stdout and stderr so far (the last 4 MiB). */
  output(): string;
  /** The first match in the output; throws when the program ends or `timeoutMs` pass without one. */
  waitFor(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  /** Its exit code, `null` after a signal, once all that it wrote is in the output; throws where it could not be started. */
  ended(): Promise<number | null>;
  /** Sends the signal and waits for the end; SIGKILL follows after `graceMs` (10 s). Answers the exit code, or the signal's name. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<number | string>;
}

const outputMax = 4 * 1024 * 1024;
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startProcess(
  path: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Running {
  const child = spawn(path, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let text = '';
  let failure: Error | undefined;
  /** Its output has ended too, which is later than its own end. */
  let closed = false;
  const changed = new Set<() => void>();
  const wake = (): void => {
    for (const tell of changed) tell();
  };
  const take = (part: Buffer): void => {
    text = (text + part.toString('utf8')).slice(-outputMax);
    wake();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  child.on('error', (error) => {
    failure = error;
    running.delete(child);
    wake();
  });
  child.on('close', () => {
    closed = true;
    running.delete(child);
    wake();
  });
  return {
    child,
    output: () => text,
    async waitFor(pattern, timeoutMs) {
      const giveUpAt = performance.now() + timeoutMs;
      for (;;) {
        const match = pattern.exec(text);
        if (match !== null) return match;
        const left = giveUpAt - performance.now();
        const over = closed || failure !== undefined;
        if (over || left <= 0) {
          const why = failure?.message ?? (over ? 'it ended' : 'it took too long');
          throw new Error(`${path} did not say ${pattern}: ${why}\n${text.slice(-4000)}`);
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        changed.add(resolve);
        const timer = setTimeout(resolve, left);
        await promise;
        clearTimeout(timer);
        changed.delete(resolve);
      }
    },
    async ended() {
      if (failure !== undefined) throw failure;
      if (!closed) await once(child, 'close');
      return child.exitCode;
    },
    async stop(signal = 'SIGTERM', graceMs = 10_000) {
      if (failure === undefined && child.exitCode === null && child.signalCode === null) {
        const close = once(child, 'close');
        child.kill(signal);
        const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
        await close;
        clearTimeout(timer);
      }
      return child.signalCode ?? child.exitCode ?? -1;
    },
  };
}
