import type { Command } from 'commander';
import { usageFailure } from './command-failure.ts';
import type { CommandContext } from './command-context.ts';
import { describeExitCodes } from './exit-codes.ts';

const topics: Readonly<Record<string, () => string>> = { 'exit-codes': describeExitCodes };

/** `help`, `help <command…>` and the topics that belong to no command. */
export function addHelpCommand(program: Command, context: CommandContext): void {
  program.helpCommand(false);
  program
    .command('help [command...]')
    .summary('help for a command, or exit-codes')
    .description('Prints the help of a command, or of a topic: exit-codes.')
    .action((path: readonly string[]) => {
      const topic = path.length === 1 ? topics[path[0] ?? ''] : undefined;
      if (topic === undefined) findCommand(program, path).outputHelp();
      else context.terminal.out(topic());
    });
}

function findCommand(program: Command, path: readonly string[]): Command {
  let found = program;
  for (const name of path) {
    const next = found.commands.find((command) => command.name() === name);
    if (next === undefined)
      throw usageFailure(
        `no command or topic is called ${path.join(' ')}`,
        'breakwater help lists the commands',
      );
    found = next;
  }
  return found;
}
