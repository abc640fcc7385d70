import type { Command } from 'commander';
import type { WhoamiView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printOne } from '../terminal/output.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';

const examples = `
Examples:
  breakwater whoami

  # Whose token it is, and what it may at most
  BREAKWATER_TOKEN=$(cat token) breakwater whoami --server https://registry.example.com
`;

export function addWhoamiCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('whoami')
    .summary('say whom the server takes you for')
    .description(
      'Says whom the credential of the data folder, or the token in BREAKWATER_TOKEN, speaks for.',
    );
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', examples)
    .action(async (options: OutputOptions & ServerOptions) => {
      const found = await askServer<WhoamiView>({ path: 'whoami' }, options, context.terminal);
      await printOne(context.terminal, options, found, look);
    });
}

const look: Look<WhoamiView> = {
  name: (each) => each.principal,
  columns: [
    { header: 'PRINCIPAL', value: (each) => each.principal },
    { header: 'KIND', value: (each) => (each.operator ? 'operator' : each.kind) },
    { header: 'BY', value: (each) => each.via },
    { header: 'SCOPES', value: (each) => each.scopes?.join(' ') ?? '-' },
  ],
};
