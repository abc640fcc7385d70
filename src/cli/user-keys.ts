import type { Command } from 'commander';
import type { AccessKeyView, NewAccessKeyView } from '../domain/access-view.ts';
import type { Listing } from '../domain/admin-view.ts';
import type { CommandContext } from './command-context.ts';
import { remark } from './command-context.ts';
import type { Look, OutputOptions } from './output.ts';
import { addOutputOptions, printList, printOne } from './output.ts';
import type { OwnerOptions } from './place-options.ts';
import { addOwnerOptions, ownerOf } from './place-options.ts';
import { askServer } from './server-client.ts';
import type { ServerOptions } from './server-location.ts';
import { addServerOptions } from './server-location.ts';
import { forEach } from './several.ts';

const deadlineMs = 10_000;

const createExamples = `
Examples:
  # User name and password for docker login, and for aws
  breakwater user keys create --user ci
`;

const listExamples = `
Examples:
  breakwater user keys ls --user ci
`;

const removeExamples = `
Examples:
  breakwater user keys rm AKIAIOSFODNN7EXAMPLE --user ci
`;

type Options = ServerOptions & OwnerOptions;

export function addKeysCommand(user: Command, context: CommandContext): void {
  const keys = user
    .command('keys')
    .summary('access keys')
    .description(
      'Makes, lists and deletes access keys: a user has two at most, so that one can take the place of the other.',
    )
    .helpCommand(false);
  addCreateCommand(keys, context);
  addListCommand(keys, context);
  addRemoveCommand(keys, context);
}

function addCreateCommand(keys: Command, context: CommandContext): void {
  const command = keys
    .command('create')
    .summary('make a key; its secret is shown once')
    .description('Makes an access key and shows its secret, this once.');
  addServerOptions(addOwnerOptions(addOutputOptions(command)))
    .addHelpText('after', createExamples)
    .action(async (options: Options & OutputOptions) => {
      const made = await askServer<NewAccessKeyView>(
        { method: 'POST', path: 'access-keys', body: ownerOf(options), deadlineMs },
        options,
        context.terminal,
      );
      await printOne(context.terminal, options, made, {
        name: keyLook.name,
        columns: [
          { header: 'ACCESS-KEY-ID', value: (each) => each.accessKeyId },
          { header: 'SECRET-ACCESS-KEY', value: (each) => each.secretAccessKey },
          { header: 'USER', value: (each) => each.user ?? '-' },
        ],
      });
      remark(command, context, 'The secret is not shown again.');
    });
}

function addListCommand(keys: Command, context: CommandContext): void {
  const command = keys
    .command('ls')
    .summary('list keys')
    .description('Lists the access keys of a user, without their secrets.');
  addServerOptions(addOwnerOptions(addOutputOptions(command)))
    .addHelpText('after', listExamples)
    .action(async (options: Options & OutputOptions) => {
      const list = await askServer<Listing<AccessKeyView>>(
        { method: 'GET', path: 'access-keys', query: ownerOf(options), deadlineMs },
        options,
        context.terminal,
      );
      await printList(context.terminal, options, list, keyLook);
    });
}

function addRemoveCommand(keys: Command, context: CommandContext): void {
  const command = keys
    .command('rm <id...>')
    .summary('delete keys')
    .description('Deletes access keys: the next request with one is refused.');
  addServerOptions(addOwnerOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (ids: readonly string[], options: Options) => {
      const act = (id: string): Promise<void> =>
        askServer(
          { method: 'DELETE', path: 'access-keys', query: { id, ...ownerOf(options) }, deadlineMs },
          options,
          context.terminal,
        );
      await forEach(ids, command, context, { act, done: 'deleted' });
    });
}

const keyLook: Look<AccessKeyView> = {
  name: (each) => each.accessKeyId,
  columns: [
    { header: 'ACCESS-KEY-ID', value: (each) => each.accessKeyId },
    { header: 'USER', value: (each) => each.user ?? '-' },
    { header: 'ACTIVE', value: (each) => (each.active ? 'yes' : 'no') },
    { header: 'CREATED', value: (each) => each.createdAt },
    { header: 'LAST-USED', value: (each) => each.lastUsedAt ?? '-' },
    { header: 'ACCOUNT', value: (each) => each.account, wide: true },
  ],
};
