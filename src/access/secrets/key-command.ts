import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../../ports/clock.ts';
import { givenKeysMax, KeysUnavailable } from './given-keys.ts';

/**
 * What a command prints, run without a shell, without input, in the server's environment. It and what it starts are killed at the
 * deadline. What it prints is in no message: it may hold a key. Throws `KeysUnavailable`.
 */
export async function runKeyCommand(
  [program = '', ...args]: readonly string[],
  timeoutMs: number,
  clock: Clock,
): Promise<string> {
  const what = `keys.command: ${program}`;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let length = 0;
  const fail = (why: string): void => {
    kill(child);
    child.stdout.destroy();
    reject(new KeysUnavailable(`${what} ${why}`));
  };
  using _deadline = clock.after(timeoutMs, () => fail(`was not done within ${timeoutMs / 1000} s`));
  child.on('error', (error: NodeJS.ErrnoException) =>
    fail(`cannot be started (${error.code ?? 'unknown error'})`),
  );
  child.stdout.on('data', (chunk: Buffer) => {
    length += chunk.byteLength;
    if (length > givenKeysMax) fail(`printed more than ${givenKeysMax} bytes`);
    else chunks.push(chunk);
  });
  child.on('close', (code, signal) => {
    if (code === 0) resolve(Buffer.concat(chunks).toString('latin1'));
    else
      fail(
        `ended with ${code ?? signal}; run it by hand to see why, since what it prints is shown nowhere`,
      );
  });
  return await promise;
}

/** With all that it started. */
function kill(child: ChildProcessByStdio<null, Readable, null>): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
