import type { Command } from 'commander';
import type { Refreshment } from '../../contract/admin-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printOne } from '../terminal/output.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';

const deadlineMs = 75_000;

const examples = `
Examples:
  # Ask upstream now what the tag is
  breakwater refresh docker.io/library/nginx:1.27

  # In a script: the digest that it has now
  breakwater refresh nginx -o json | jq -r .after
`;

export function addRefreshCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('refresh <image>')
    .summary("ask upstream for a tag's digest now")
    .description(
      'Revalidates a tag now, fresh or not, and keeps what upstream says. Without a tag it is latest.',
    );
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', examples)
    .action(async (image: string, options: OutputOptions & ServerOptions) => {
      const request = { method: 'POST', path: 'refresh', body: { image }, deadlineMs } as const;
      const found = await askServer<Refreshment>(request, options, context.terminal);
      await printOne(context.terminal, options, found, look);
    });
}

const look: Look<Refreshment> = {
  name: (found) => `${found.repository}@${found.after}`,
  columns: [
    { header: 'REPOSITORY', value: (found) => found.repository },
    { header: 'TAG', value: (found) => found.tag },
    { header: 'CHANGED', value: (found) => (found.changed ? 'yes' : 'no') },
    { header: 'DIGEST', value: (found) => found.after },
    { header: 'BEFORE', value: (found) => found.before ?? '-', wide: true },
  ],
};
