import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import type { ExitName } from './exit-codes.ts';
import type { ColorChoice, Terminal } from './terminal/terminal.ts';

/** What the commands need of the server's own code; `main.ts` hands it in, loaded only when it is called. */
export interface ProgramParts {
  /** Serves until it is told to stop; answers the exit code. */
  readonly serve: (
    config: Config,
    options: { readonly configFile?: string; readonly env: NodeJS.ProcessEnv },
  ) => Promise<number>;
  /** The part of `doctor` that needs no running server. */
  readonly inspections: (config: Config, env: NodeJS.ProcessEnv) => Promise<readonly Inspection[]>;
}

/** One thing looked at; the JSON of `doctor -o json` has exactly these keys, as `linkerd check` does. */
export interface Check {
  readonly description: string;
  readonly result: 'success' | 'warning' | 'error';
  /** What to do about it. */
  readonly hint?: string;
  /** What was found wrong. */
  readonly error?: string;
}

/** One category of checks, looked at only when it is run. */
export interface Inspection {
  readonly categoryName: string;
  readonly inspect: (signal: AbortSignal) => Promise<readonly Check[]>;
}

export interface CommandContext {
  readonly terminal: Terminal;
  readonly parts: ProgramParts;
  /** What the program ends with where nothing is thrown; `ok` unless told. */
  readonly end: (exit: ExitName | number) => void;
}

/** Options of the program itself, given before or after a command. */
export interface ProgramOptions {
  readonly color: ColorChoice;
  readonly quiet?: boolean;
}

export function programOptions(command: Command): ProgramOptions {
  return command.optsWithGlobals<ProgramOptions>();
}

/** A line for people, on stderr; nothing with `--quiet`. */
export function remark(command: Command, { terminal }: CommandContext, text: string): void {
  if (programOptions(command).quiet !== true) terminal.err(`${text}\n`);
}

/** Adds one command, with those below it. */
export type AddCommand = (program: Command, context: CommandContext) => void;
