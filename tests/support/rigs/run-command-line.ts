import { runProgram } from '../../../src/cli/program.ts';
import type { RecordingTerminal } from './recording-terminal.ts';
import { createRecordingTerminal } from './recording-terminal.ts';

/** What a command ended with and wrote. */
export interface EndedCommand {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the words of a command line in this process; `serve` and the server's part of `doctor` do nothing. */
export async function runCommandLine(
  words: readonly string[],
  {
    input = '',
    ...surroundings
  }: Partial<Pick<RecordingTerminal, 'cwd' | 'env'>> & { readonly input?: string } = {},
): Promise<EndedCommand> {
  const terminal = createRecordingTerminal({
    ...surroundings,
    input: () => Promise.resolve(input),
  });
  const parts = { serve: () => Promise.resolve(0), inspections: () => Promise.resolve([]) };
  const exit = await runProgram(words, parts, terminal);
  return { exit, ...terminal.written };
}
