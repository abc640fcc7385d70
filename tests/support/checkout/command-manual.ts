import type { Command } from 'commander';
import { describeExitCodes } from '../../../src/cli/exit-codes.ts';

/** `docs/cli.md`: every command's help, and the exit codes. */
export function renderManual(program: Command): string {
  return [
    '# Command line',
    '',
    'Made from the help texts by `src/cli/manual.test.ts`; `UPDATE_GOLDEN=1 node --test src/cli/manual.test.ts` writes it anew.',
    '',
    'Data goes to stdout, everything else to stderr. Errors are lines beginning with `error:`, `cause:` and `hint:`; with `-o json` they',
    'are one object, `{"error":{"code","message","cause","hint"}}`. In a checkout `breakwater` is `bin/breakwater.mjs`; README puts it on PATH.',
    '',
    ...commandsOf(program).map((command) => section(pathOf(command), helpOf(command))),
    section('Exit codes', describeExitCodes()),
  ].join('\n');
}

/** A heading and what is printed. */
export function section(heading: string, text: string): string {
  return `## ${heading}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
}

/** The program and every command below it, in the order of the help. */
export function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}

/** `breakwater rules ls`. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** The help as it is printed, examples and all. */
export function helpOf(command: Command): string {
  let text = '';
  const before = command.configureOutput();
  command.configureOutput({ ...before, writeOut: (part) => void (text += part) });
  command.outputHelp();
  command.configureOutput(before);
  return text;
}
