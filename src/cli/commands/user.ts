import type { Command } from 'commander';
import type { UserView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printOne } from '../terminal/output.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import type { AccountOptions } from '../place-options.ts';
import { accountOf, addAccountOption } from '../place-options.ts';
import type { ApiRequest } from '../server/server-client.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';
import { addKeysCommand } from './user-keys.ts';

const createExamples = `
Examples:
  breakwater user create ann
  breakwater user create ci --robot

  # What it may do, and what it logs in with
  breakwater policy set --user ci --name push --file push.json
  breakwater user keys create --user ci
`;

const listExamples = `
Examples:
  breakwater user ls
  breakwater user ls --account 111122223333
`;

const removeExamples = `
Examples:
  breakwater user rm ann
`;

type Options = ServerOptions & AccountOptions;

export function addUserCommand(program: Command, context: CommandContext): void {
  const user = program
    .command('user')
    .summary('users and robots, and their keys')
    .description('Makes, lists and deletes users and robots of an account, and their access keys.')
    .helpCommand(false);
  addCreateCommand(user, context);
  addListCommand(user, context);
  addRemoveCommand(user, context);
  addKeysCommand(user, context);
}

function addCreateCommand(user: Command, context: CommandContext): void {
  const command = user
    .command('create <name>')
    .summary('make a user or robot')
    .description('Makes a user, or with --robot a robot, who may nothing until a policy says so.')
    .option('--robot', 'a robot: a program that logs in');
  addServerOptions(addAccountOption(addOutputOptions(command)))
    .addHelpText('after', createExamples)
    .action(
      async (name: string, options: Options & OutputOptions & { readonly robot?: boolean }) => {
        const kind = options.robot === true ? 'robot' : 'user';
        const body = { name, kind, ...accountOf(options) };
        const request = { method: 'POST', path: 'users', body } as const;
        const made = await askServer<UserView>(request, options, context.terminal);
        await printOne(context.terminal, options, made, userLook);
      },
    );
}

function addListCommand(user: Command, context: CommandContext): void {
  const command = user
    .command('ls')
    .summary('list users and robots')
    .description('Lists the users and robots of an account.');
  addServerOptions(addLimitOption(addAccountOption(addOutputOptions(command))))
    .addHelpText('after', listExamples)
    .action(async (options: Options & OutputOptions & LimitOptions) => {
      const request = { path: 'users', query: accountOf(options) };
      const list = await askPages<UserView>(request, options, context.terminal);
      await printList(context.terminal, options, list, userLook);
    });
}

function addRemoveCommand(user: Command, context: CommandContext): void {
  const command = user
    .command('rm <name...>')
    .summary('delete users and robots')
    .description('Deletes users and robots with their keys, tokens and policies.');
  addServerOptions(addAccountOption(command))
    .addHelpText('after', removeExamples)
    .action(async (names: readonly string[], options: Options) => {
      const requestOf = (name: string): ApiRequest => ({
        path: 'users',
        query: { name, ...accountOf(options) },
      });
      await deleteEach(names, { command, context, options, requestOf });
    });
}

const userLook: Look<UserView> = {
  name: (each) => each.name,
  columns: [
    { header: 'NAME', value: (each) => each.name },
    { header: 'KIND', value: (each) => each.kind },
    { header: 'CREATED', value: (each) => each.createdAt },
    { header: 'ARN', value: (each) => each.arn, wide: true },
  ],
};
