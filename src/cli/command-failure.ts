import { errorText } from '../domain/error-text.ts';
import type { ExitName } from './exit-codes.ts';

export interface FailureNote {
  readonly exit: ExitName;
  /** Stable, for scripts: `SERVER_NOT_RUNNING`. */
  readonly code: string;
  /** Why, where the message does not say it. */
  readonly because?: string | undefined;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** Where several things are wrong: each in a line of its own, in place of the message. */
  readonly problems?: readonly string[];
  readonly cause?: unknown;
}

/** A command that cannot do what it was asked; the program prints it and ends with its exit code. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exit: ExitName;
  readonly code: string;
  readonly because: string | undefined;
  readonly hint: string | undefined;
  readonly problems: readonly string[];

  constructor(message: string, note: FailureNote) {
    super(message, note.cause === undefined ? undefined : { cause: note.cause });
    this.exit = note.exit;
    this.code = note.code;
    this.because = note.because;
    this.hint = note.hint;
    this.problems = note.problems ?? [];
  }
}

/** The command line is wrong. */
export function usageFailure(message: string, hint?: string, cause?: Error): CommandFailure {
  return new CommandFailure(message, { exit: 'usage', code: 'USAGE', hint, cause });
}

/** Any error as a failure: system errors get a hint, everything else is exit code 1. */
export function toFailure(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (!(error instanceof Error))
    return new CommandFailure(String(error), { exit: 'failure', code: 'FAILED' });
  const code = (error as NodeJS.ErrnoException).code;
  return new CommandFailure(errorText(error), {
    exit: 'failure',
    code: code ?? 'FAILED',
    because: error.cause instanceof Error ? errorText(error.cause) : undefined,
    hint: systemHints[code ?? ''],
    cause: error,
  });
}

const systemHints: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it, or set another address in the configuration',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not do that; check the owner and the mode of the file or the port',
  EPERM: 'this user may not do that',
  ENOSPC: 'the volume is full',
  EROFS: 'the volume is read-only',
  EMFILE: 'too many open files; raise ulimit -n',
};

/** On stderr: three lines for people, one JSON object where `-o json` was asked for. */
export function renderFailure(failure: CommandFailure, json: boolean): string {
  if (json) {
    const { code, message, because, hint, problems } = failure;
    const error = {
      code,
      message,
      ...(because && { cause: because }),
      ...(hint && { hint }),
      ...(problems.length > 0 && { problems }),
    };
    return `${JSON.stringify({ error })}\n`;
  }
  const wrong = failure.problems.length > 0 ? failure.problems : [failure.message];
  const lines = wrong.map((text) => `error: ${text}`);
  if (failure.because !== undefined) lines.push(`cause: ${failure.because}`);
  if (failure.hint !== undefined) lines.push(`hint: ${failure.hint}`);
  return `${lines.join('\n')}\n`;
}

/** What a command interrupted with Ctrl-C ends with. */
export function interruption(): CommandFailure {
  return new CommandFailure('interrupted', { exit: 'interrupted', code: 'INTERRUPTED' });
}
