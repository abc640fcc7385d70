import { styleText } from 'node:util';
import { printable } from './table.ts';

/** Where a command writes and what it knows of its surroundings; tests give their own. */
export interface Terminal {
  /** Data alone. */
  out(text: string): void;
  /** Everything that is no data. */
  err(text: string): void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Characters a line; absent where stdout is no terminal. */
  readonly columns: number | undefined;
  /** Reads stdin to its end; throws where it is more than `bytesMax`. */
  input(bytesMax: number): Promise<string>;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Aborts at the first Ctrl-C; the second ends the process. A command that never asks leaves Ctrl-C as it was. */
  interrupted(): AbortSignal;
}

/** The terminal of a process. A reader that went away (`| head`) ends the writing quietly. */
export function createTerminal(process: NodeJS.Process): Terminal {
  let interruption: AbortController | undefined;
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  return {
    out: (text) => void process.stdout.write(text),
    // Names of files, of images and what servers answer are others' to choose.
    err: (text) => void process.stderr.write(text.split('\n').map(printable).join('\n')),
    outIsTerminal: process.stdout.isTTY,
    errIsTerminal: process.stderr.isTTY,
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
    input: (bytesMax) => readStream(process.stdin, bytesMax),
    env: process.env,
    cwd: process.cwd(),
    interrupted: () => {
      if (interruption === undefined) {
        const controller = new AbortController();
        interruption = controller;
        process.once('SIGINT', () => controller.abort());
      }
      return interruption.signal;
    },
  };
}

async function readStream(stream: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`stdin holds more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export type ColorChoice = 'auto' | 'always' | 'never';
export type Paint = (style: 'red' | 'yellow' | 'green' | 'bold' | 'dim', text: string) => string;

/** Colours for stdout: as `--color` says, else on a terminal unless NO_COLOR, or where FORCE_COLOR is set. */
export function createPaint(terminal: Terminal, choice: ColorChoice): Paint {
  if (!isColored(terminal, choice)) return (_style, text) => text;
  return (style, text) => styleText(style, text, { validateStream: false });
}

function isColored(terminal: Terminal, choice: ColorChoice): boolean {
  if (choice !== 'auto') return choice === 'always';
  const { NO_COLOR, FORCE_COLOR, TERM } = terminal.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return terminal.outIsTerminal && TERM !== 'dumb';
}
