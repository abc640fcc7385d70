import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { VersionView } from '../../contract/admin-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printText } from '../terminal/output.ts';

/** Of this Breakwater and of the Node that runs it. */
export function readVersion(): VersionView {
  const file = new URL('../../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return { version, node: process.versions.node };
}

const examples = `
Examples:
  breakwater version
  breakwater version -o json
`;

export function addVersionCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('version')
    .summary('print the version')
    .description('Prints the version of this command line and of the Node that runs it.');
  addOutputOptions(command)
    .addHelpText('after', examples)
    .action(async (options: OutputOptions) => {
      const version = readVersion();
      await printText(context.terminal, options, version, {
        name: () => version.version,
        text: () => `breakwater ${version.version} (node ${version.node})\n`,
      });
    });
}
