import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Absent: that of this process. */
  readonly cwd?: string;
  /** Somebody can be asked: the program gets the terminal as stdin and stderr. */
  readonly interactive?: boolean;
  /** Milliseconds; the program and all that it started are killed then. */
  readonly deadlineMs: number;
  /** Of stdout; more ends the program. */
  readonly outputBytesMax: number;
  /** Of stderr; the last ones are kept. */
  readonly errorCharactersMax: number;
}

export type ChildFailureReason = 'not started' | 'late' | 'too much' | 'ended';

/** A program that gave nothing. The message goes on behind its name: `did not end within 30 s`. It never holds what was printed on stdout, which may be a token. */
export class ChildFailure extends Error {
  override readonly name = 'ChildFailure';
  readonly reason: ChildFailureReason;
  /** What it said on stderr, trimmed. */
  readonly errors: string;

  constructor(message: string, reason: ChildFailureReason, errors: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
    this.errors = errors.trim();
  }

  /** There is no such program. */
  get isMissing(): boolean {
    return (this.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  }
}

/** What a program prints on stdout; no shell reads its words. Throws a `ChildFailure`, or the signal's reason. */
export async function runChild(child: ChildCommand, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { interactive = false, deadlineMs, outputBytesMax } = child;
  const running = spawn(child.command, child.args, {
    env: child.env,
    cwd: child.cwd,
    // A group of its own ends with all that the program started; one that asks somebody needs the terminal's group.
    detached: !interactive && process.platform !== 'win32',
    stdio: [interactive ? 'inherit' : 'ignore', 'pipe', interactive ? 'inherit' : 'pipe'],
  });
  const { promise, resolve: done, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let errors = '';
  const stop = (failure: Error): void => {
    killAll(running, !interactive);
    // A grandchild that got away may hold the pipes open: nobody waits for it.
    running.stdout?.destroy();
    running.stderr?.destroy();
    reject(failure);
  };
  const late = `did not end within ${deadlineMs / 1000} s`;
  const timer = setTimeout(() => stop(new ChildFailure(late, 'late', errors)), deadlineMs);
  const onAbort = (): void => stop(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  running.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    const much = `printed more than ${outputBytesMax / 1024 / 1024} MiB`;
    if (bytes > outputBytesMax) stop(new ChildFailure(much, 'too much', errors));
    else chunks.push(chunk);
  });
  running.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString('utf8')).slice(-child.errorCharactersMax);
  });
  running.on('error', (cause) => reject(new ChildFailure(cause.message, 'not started', '', cause)));
  running.on('close', (code, killedBy) => {
    if (code === 0) return done(Buffer.concat(chunks).toString('utf8'));
    return reject(new ChildFailure(`ended with ${code ?? killedBy}`, 'ended', errors));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function killAll({ pid }: ChildProcess, group: boolean): void {
  if (pid === undefined) return;
  try {
    process.kill(group && process.platform !== 'win32' ? -pid : pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
