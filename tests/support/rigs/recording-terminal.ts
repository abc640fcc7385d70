import type { Terminal } from '../../../src/cli/terminal/terminal.ts';

/** A terminal that keeps what was written, for tests. */
export interface RecordingTerminal extends Terminal {
  readonly written: { out: string; err: string };
  interrupt(): void;
}

export function createRecordingTerminal(
  surroundings: Partial<Pick<Terminal, 'env' | 'cwd' | 'outIsTerminal' | 'columns' | 'input'>> = {},
): RecordingTerminal {
  const written = { out: '', err: '' };
  const interruption = new AbortController();
  return {
    written,
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    outIsTerminal: false,
    errIsTerminal: false,
    columns: undefined,
    input: () => Promise.resolve(''),
    env: {},
    cwd: '/',
    ...surroundings,
    interrupted: () => interruption.signal,
    interrupt: () => interruption.abort(),
  };
}
