import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CommandFailure, usageFailure } from './command-failure.ts';
import type { Terminal } from './terminal/terminal.ts';

/** A policy has 30,720 characters at most; the server says so of a longer one. */
const textBytesMax = 100_000;

/** The text of a policy: of a path, of `file://path` as aws has it, or of stdin for `-` and where nothing is said. */
export async function readPolicyText(
  file: string | undefined,
  terminal: Pick<Terminal, 'input' | 'cwd'>,
): Promise<string> {
  if (file === undefined || file === '-') return terminal.input(textBytesMax);
  const path = resolve(terminal.cwd, file.replace(/^file:\/\//, ''));
  try {
    const text = await readFile(path, 'utf8');
    if (text.length <= textBytesMax) return text;
  } catch (error) {
    throw new CommandFailure(`${path} cannot be read`, {
      exit: 'usage',
      code: 'FILE_UNREADABLE',
      because: (error as Error).message,
      cause: error,
    });
  }
  throw usageFailure(`${path} is too large for a policy`);
}
