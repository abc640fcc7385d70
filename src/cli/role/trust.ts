import type { Command } from 'commander';
import type { RoleView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { AccountOptions } from '../place-options.ts';
import { accountOf, addAccountOption } from '../place-options.ts';
import { readPolicyText } from '../policy-text.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';

const getExamples = `
Examples:
  breakwater role trust get ci
`;

const setExamples = `
Examples:
  breakwater role trust set ci --file trust.json

  # Checks a text without setting it
  breakwater policy validate --kind trust --file trust.json
`;

type Options = ServerOptions & AccountOptions;

/** Who may assume a role. */
export function addTrustCommand(role: Command, context: CommandContext): void {
  const trust = role
    .command('trust')
    .summary('who may assume a role')
    .description('Shows and sets the trust policy of a role: who may assume it.')
    .helpCommand(false);
  addServerOptions(
    addAccountOption(
      trust
        .command('get <name>')
        .summary('print the trust policy of a role')
        .description('Prints the trust policy of a role as it was set.'),
    ),
  )
    .addHelpText('after', getExamples)
    .action(async (name: string, options: Options) => {
      const request = { path: 'role', query: { name, ...accountOf(options) } };
      const { trustPolicy } = await askServer<RoleView>(request, options, context.terminal);
      context.terminal.out(trustPolicy.endsWith('\n') ? trustPolicy : `${trustPolicy}\n`);
    });
  const set = trust
    .command('set <name>')
    .summary('set the trust policy of a role')
    .description('Sets who may assume a role, from now on: sessions that there are go on.')
    .option('--file <file>', 'the text: a path, file://path, or - for stdin', '-');
  addServerOptions(addAccountOption(set))
    .addHelpText('after', setExamples)
    .action(async (name: string, options: Options & { readonly file: string }) => {
      const trustPolicy = await readPolicyText(options.file, context.terminal);
      const body = { name, trustPolicy, ...accountOf(options) };
      const request = { method: 'PATCH', path: 'role', body } as const;
      await askServer<RoleView>(request, options, context.terminal);
      remark(set, context, 'set; it holds for sessions that begin from now on');
    });
}
