import type { Command } from 'commander';
import type { AccountView, NewAccountView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printOne } from '../terminal/output.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';

const createExamples = `
Examples:
  # The first key of the account's administrator is shown this once
  breakwater account create 111122223333 --name partners
`;

const listExamples = `
Examples:
  breakwater account ls
`;

type Options = OutputOptions & ServerOptions;

export function addAccountCommand(program: Command, context: CommandContext): void {
  const account = program
    .command('account')
    .summary('make and list accounts')
    .description(
      "Makes and lists accounts, each with users, policies and registries of its own; the server's operator alone may.",
    )
    .helpCommand(false);
  addCreateCommand(account, context);
  addListCommand(account, context);
}

function addCreateCommand(account: Command, context: CommandContext): void {
  const command = account
    .command('create <id>')
    .summary('make an account, with the first key of its root')
    .description('Makes an account of twelve digits, and shows the first key of its administrator.')
    .option('--name <name>', 'what people call it; else its digits');
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', createExamples)
    .action(async (id: string, options: Options & { readonly name?: string }) => {
      const body = { account: id, name: options.name ?? id };
      const request = { method: 'POST', path: 'accounts', body } as const;
      const made = await askServer<NewAccountView>(request, options, context.terminal);
      await printOne(context.terminal, options, made, newAccountLook);
      remark(command, context, 'The secret is not shown again.');
    });
}

function addListCommand(account: Command, context: CommandContext): void {
  const command = account
    .command('ls')
    .summary('list the accounts')
    .description('Lists the accounts of the server.');
  addServerOptions(addLimitOption(addOutputOptions(command)))
    .addHelpText('after', listExamples)
    .action(async (options: Options & LimitOptions) => {
      const list = await askPages<AccountView>({ path: 'accounts' }, options, context.terminal);
      await printList(context.terminal, options, list, accountLook);
    });
}

const accountLook: Look<AccountView> = {
  name: (each) => each.account,
  columns: [
    { header: 'ACCOUNT', value: (each) => each.account },
    { header: 'NAME', value: (each) => each.name },
    { header: 'CREATED', value: (each) => each.createdAt },
  ],
};

const newAccountLook: Look<NewAccountView> = {
  name: (each) => each.account,
  columns: [
    { header: 'ACCOUNT', value: (each) => each.account },
    { header: 'NAME', value: (each) => each.name },
    { header: 'ACCESS-KEY-ID', value: (each) => each.key.accessKeyId },
    { header: 'SECRET-ACCESS-KEY', value: (each) => each.key.secretAccessKey },
  ],
};
