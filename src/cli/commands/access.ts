import type { Command } from 'commander';
import type { AccessDecisionView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printText } from '../terminal/output.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { printable } from '../terminal/table.ts';

const examples = `
Examples:
  breakwater access can ci push team/app
  breakwater access can anonymous pull docker.io/library/nginx

  # Another account's user, one action, from an address
  breakwater access can arn:aws:iam::111122223333:user/ann ecr:BatchGetImage team/app --source-ip 192.0.2.7

Ends with 0 where it is allowed, with 1 where it is denied.
`;

type Options = OutputOptions & ServerOptions & PlaceOptions & { readonly sourceIp?: string };

export function addAccessCommand(program: Command, context: CommandContext): void {
  const access = program
    .command('access')
    .summary('explain who may do what')
    .description('Explains decisions about access.')
    .helpCommand(false);
  const command = access
    .command('can <principal> <action> <repository>')
    .summary('whether a principal may do something, and why')
    .description(
      'Says whether a principal (a name, an ARN, root or anonymous) may do something in a repository (pull, push, delete, import, or an action as ecr:PutImage), and which statement decides.',
    )
    .option('--source-ip <address>', 'as if asked from there, instead of from here');
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', examples)
    .action(async (principal: string, action: string, repository: string, options: Options) => {
      const { terminal } = context;
      const { sourceIp } = options;
      const body = { principal, action, repository, ...placeOf(options), sourceIp };
      const request = { method: 'POST', path: 'access/can', body } as const;
      const found = await askServer<AccessDecisionView>(request, options, terminal);
      const word = found.allowed ? 'allowed' : 'denied';
      await printText(terminal, options, found, {
        name: () => word,
        text: () => `${word}: ${printable(found.because)}\n`,
      });
      context.end(found.allowed ? 'ok' : 'failure');
    });
}
