import type { Command } from 'commander';
import type { RoleView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { AccountOptions } from '../place-options.ts';
import { accountOf, addAccountOption } from '../place-options.ts';
import { readPolicyText } from '../policy-text.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import type { ApiRequest } from '../server/server-client.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printOne } from '../terminal/output.ts';
import { parseExpiry } from '../commands/token.ts';
import { addTrustCommand } from './trust.ts';

const createExamples = `
Examples:
  breakwater role create ci --trust trust.json
  breakwater role create nodes --path /cluster/ --max-session 12h < trust.json

  # What it may, and then keys of it for an hour
  breakwater policy set --role ci --name pull --file pull.json
  aws sts assume-role --role-arn arn:aws:iam::000000000000:role/ci --role-session-name build
`;

const listExamples = `
Examples:
  breakwater role ls
  breakwater role ls --account 111122223333 -o json
`;

const showExamples = `
Examples:
  breakwater role show ci
  breakwater role show ci -o json
`;

const removeExamples = `
Examples:
  breakwater role rm ci
`;

type Options = ServerOptions & AccountOptions;

export function addRoleCommand(program: Command, context: CommandContext): void {
  const role = program
    .command('role')
    .summary('roles, and who may assume them')
    .description(
      'Makes, lists and deletes roles of an account, and says who may assume them: users, other roles, and whoever an identity provider vouches for.',
    )
    .helpCommand(false);
  addCreateCommand(role, context);
  addListCommand(role, context);
  addShowCommand(role, context);
  addRemoveCommand(role, context);
  addTrustCommand(role, context);
}

interface CreateOptions {
  readonly trust: string;
  readonly path?: string;
  readonly description?: string;
  readonly maxSession?: number;
}

function addCreateCommand(role: Command, context: CommandContext): void {
  const command = role
    .command('create <name>')
    .summary('make a role')
    .description('Makes a role, which may nothing until a policy says so.')
    .option('--trust <file>', 'who may assume it: a policy, or - for stdin', '-')
    .option('--path <path>', 'a part of its ARN, such as /team/')
    .option('--description <text>', 'what it is for')
    .option('--max-session <time>', 'the longest session, from 1h to 12h', parseExpiry);
  addServerOptions(addAccountOption(addOutputOptions(command)))
    .addHelpText('after', createExamples)
    .action(async (name: string, options: Options & OutputOptions & CreateOptions) => {
      const { path, description, maxSession: maxSessionSeconds } = options;
      const trustPolicy = await readPolicyText(options.trust, context.terminal);
      const body = {
        name,
        trustPolicy,
        path,
        description,
        maxSessionSeconds,
        ...accountOf(options),
      };
      const request = { method: 'POST', path: 'roles', body } as const;
      const made = await askServer<RoleView>(request, options, context.terminal);
      await printOne(context.terminal, options, made, roleLook);
      remark(command, context, `breakwater policy set --role ${name} says what it may`);
    });
}

function addListCommand(role: Command, context: CommandContext): void {
  const command = role
    .command('ls')
    .summary('list roles')
    .description('Lists the roles of an account.');
  addServerOptions(addLimitOption(addAccountOption(addOutputOptions(command))))
    .addHelpText('after', listExamples)
    .action(async (options: Options & OutputOptions & LimitOptions) => {
      const request = { path: 'roles', query: accountOf(options) };
      const list = await askPages<RoleView>(request, options, context.terminal);
      await printList(context.terminal, options, list, roleLook);
    });
}

function addShowCommand(role: Command, context: CommandContext): void {
  const command = role
    .command('show <name>')
    .summary('show a role')
    .description('Shows a role; with -o json who may assume it, too.');
  addServerOptions(addAccountOption(addOutputOptions(command)))
    .addHelpText('after', showExamples)
    .action(async (name: string, options: Options & OutputOptions) => {
      const request = { path: 'role', query: { name, ...accountOf(options) } };
      const found = await askServer<RoleView>(request, options, context.terminal);
      await printOne(context.terminal, options, found, roleLook);
    });
}

function addRemoveCommand(role: Command, context: CommandContext): void {
  const command = role
    .command('rm <name...>')
    .summary('delete roles')
    .description('Deletes roles with their policies; their sessions end at once.');
  addServerOptions(addAccountOption(command))
    .addHelpText('after', removeExamples)
    .action(async (names: readonly string[], options: Options) => {
      const requestOf = (name: string): ApiRequest => ({
        path: 'roles',
        query: { name, ...accountOf(options) },
      });
      await deleteEach(names, { command, context, options, requestOf });
    });
}

const roleLook: Look<RoleView> = {
  name: (each) => each.name,
  columns: [
    { header: 'NAME', value: (each) => each.name },
    { header: 'DESCRIPTION', value: (each) => each.description || '-' },
    { header: 'LAST USED', value: (each) => each.lastUsedAt ?? '-' },
    { header: 'MAX SESSION', value: (each) => `${each.maxSessionSeconds / 60}m` },
    { header: 'ARN', value: (each) => each.arn },
    { header: 'ID', value: (each) => each.id, wide: true },
    { header: 'CREATED', value: (each) => each.createdAt, wide: true },
  ],
};
