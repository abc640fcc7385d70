import { Command, CommanderError, Option } from 'commander';
import type { CommandFailure } from './command-failure.ts';
import { interruption, renderFailure, toFailure, usageFailure } from './command-failure.ts';
import type { AddCommand, CommandContext, ProgramParts } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { addServeCommand } from './commands/serve.ts';
import type { Terminal } from './terminal/terminal.ts';
import { readVersion } from './commands/version.ts';

/** Characters a line of help where stdout is no terminal. */
const helpColumns = 100;

const examples = `
Examples:
  breakwater serve
  breakwater explain docker.io/library/nginx:1.27
  breakwater doctor

breakwater help exit-codes says what commands end with.
`;

/** Runs one command line and answers the exit code; never throws. What went wrong is on stderr already. */
export async function runProgram(
  argv: readonly string[],
  parts: ProgramParts,
  terminal: Terminal,
): Promise<number> {
  let ended: number = exitCodes.ok;
  const end: CommandContext['end'] = (exit) => {
    ended = typeof exit === 'number' ? exit : exitCodes[exit];
  };
  try {
    const program = createProgram({ parts, terminal, end }, await commandsFor(argv));
    await program.parseAsync(argv, { from: 'user' });
    return ended;
  } catch (error) {
    const failure = asFailure(error);
    if (failure === undefined) return exitCodes.ok;
    if (failure.exit !== 'interrupted') terminal.err(renderFailure(failure, asksForJson(argv)));
    return exitCodes[failure.exit];
  }
}

/** A server would keep the code of all commands for as long as it runs; `detect` reads large clusters in little memory. Neither needs another. */
async function commandsFor([first]: readonly string[]): Promise<readonly AddCommand[]> {
  if (first === 'serve') return [addServeCommand];
  if (first === 'detect') return [(await import('./detect/detect.ts')).addDetectCommand];
  return (await import('./commands.ts')).allCommands;
}

/** The commands given, with their options. */
export function createProgram(context: CommandContext, commands: readonly AddCommand[]): Command {
  const { terminal } = context;
  const program = new Command('breakwater')
    .description(
      'A registry between your clusters and the public registries: it pulls through, keeps what it pulled, and serves it when they are gone.',
    )
    .version(readVersion().version, '-V, --version', 'print the version alone')
    .addOption(
      new Option('--color <when>', 'colours on stdout')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('-q, --quiet', 'no remarks on stderr, errors alone')
    .addHelpText('after', examples)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      // Said once, by `runProgram`, in the form of every other error.
      outputError: () => undefined,
      getOutHelpWidth: () => terminal.columns ?? helpColumns,
      getErrHelpWidth: () => helpColumns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const add of commands) add(program, context);
  return program;
}

/** `undefined` where commander ended because help or the version was asked for. */
function asFailure(error: unknown): CommandFailure | undefined {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return undefined;
    if (error.code === 'commander.help')
      return usageFailure(
        'a command is missing',
        'the list above has them; breakwater help <command> says more',
      );
    return refusedWords(error);
  }
  if (error instanceof Error && error.name === 'AbortError') return interruption();
  return toFailure(error);
}

/** What commander says of words that it does not understand. */
function refusedWords(error: CommanderError): CommandFailure {
  const [first = '', second] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /^\((.*)\)$/.exec(second ?? '')?.[1] ?? missingOption(error);
  const hint = suggestion ?? 'breakwater help <command> lists its options';
  return usageFailure(first, hint, error);
}

/** What the commands call a word that was given without its option. */
const optionOfWord: Readonly<Record<string, string>> = {
  serve: '--config',
  validate: '--config',
  print: '--config',
  doctor: '--config',
  env: '--config',
  init: '--host',
  login: '--server',
  whoami: '--server',
};

function missingOption({ code, message }: CommanderError): string | undefined {
  if (code !== 'commander.excessArguments') return undefined;
  const [, name = '', word = ''] =
    /for '(\S+)'\. Expected 0 .* got 1: (.*?)\.?$/.exec(message) ?? [];
  const option = optionOfWord[name];
  return option === undefined || word === '' ? undefined : `did you mean ${option} ${word}?`;
}

/** Read from the words themselves: what commander refused it has not parsed. */
function asksForJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, index) =>
      word === '-ojson' ||
      word === '-o=json' ||
      word === '--output=json' ||
      ((word === '-o' || word === '--output') && argv[index + 1] === 'json'),
  );
}
