import type { Command } from 'commander';
import type { Refreshment } from '../../contract/admin-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printValue } from '../terminal/output.ts';
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
      const { terminal } = context;
      const found = await askServer<Refreshment>(
        { method: 'POST', path: 'refresh', body: { image }, deadlineMs },
        options,
        terminal,
      );
      const { output } = options;
      if (output === 'json' || output === 'yaml') return printValue(terminal, output, found);
      await printList(terminal, options, { items: [found] }, look);
    });
}

const look: Parameters<typeof printList<Refreshment>>[3] = {
  name: (found) => `${found.repository}@${found.after}`,
  columns: [
    { header: 'REPOSITORY', value: (found) => found.repository },
    { header: 'TAG', value: (found) => found.tag },
    { header: 'CHANGED', value: (found) => (found.changed ? 'yes' : 'no') },
    { header: 'DIGEST', value: (found) => found.after },
    { header: 'BEFORE', value: (found) => found.before ?? '-', wide: true },
  ],
};
