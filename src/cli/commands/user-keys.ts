import type { Command } from 'commander';
import type {
  AccessKeyView,
  NewAccessKeyView,
  RotatedAccessKeyView,
} from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printOne } from '../terminal/output.ts';
import type { OwnerOptions } from '../place-options.ts';
import { addOwnerOptions, ownerOf } from '../place-options.ts';
import type { ApiRequest } from '../server/server-client.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';
import { parseExpiry } from './token.ts';

const createExamples = `
Examples:
  # User name and password for docker login, and for aws
  breakwater user keys create --user ci
`;

const listExamples = `
Examples:
  breakwater user keys ls --user ci
`;

const rotateExamples = `
Examples:
  # A second key for a user, for a quarter of a year; the old one stays until it is deleted
  breakwater user keys rotate --user ci --expires 90d

  # A key that leaked: the new one takes the place of all others at once
  breakwater user keys rotate --user ci --revoke

  # The administrator's own pair, in dataDir/credentials
  breakwater user keys rotate
`;

const removeExamples = `
Examples:
  breakwater user keys rm AKIAIOSFODNN7EXAMPLE --user ci
`;

interface ExpiryOptions {
  /** Seconds. */
  readonly expires?: number;
}

type Options = ServerOptions & OwnerOptions;
type RotateOptions = Options & OutputOptions & ExpiryOptions & { readonly revoke?: boolean };

export function addKeysCommand(user: Command, context: CommandContext): void {
  const keys = user
    .command('keys')
    .summary('access keys')
    .description(
      'Makes, lists and deletes access keys: a user has two at most, so that one can take the place of the other.',
    )
    .helpCommand(false);
  addCreateCommand(keys, context);
  addRotateCommand(keys, context);
  addListCommand(keys, context);
  addRemoveCommand(keys, context);
}

function addExpiryOption(command: Command): Command {
  return command.option('--expires <duration>', 'when it ends: 12h, 90d; else never', parseExpiry);
}

function addCreateCommand(keys: Command, context: CommandContext): void {
  const command = keys
    .command('create')
    .summary('make a key; its secret is shown once')
    .description('Makes an access key and shows its secret, this once.');
  addServerOptions(addExpiryOption(addOwnerOptions(addOutputOptions(command))))
    .addHelpText('after', createExamples)
    .action(async (options: Options & OutputOptions & ExpiryOptions) => {
      const body = { ...ownerOf(options), expiresInSeconds: options.expires };
      const request = { method: 'POST', path: 'access-keys', body } as const;
      const made = await askServer<NewAccessKeyView>(request, options, context.terminal);
      await printOne(context.terminal, options, made, newKeyLook);
      remark(command, context, 'The secret is not shown again.');
    });
}

function addRotateCommand(keys: Command, context: CommandContext): void {
  const command = keys
    .command('rotate')
    .summary('make a key that takes the place of another')
    .description(
      "Makes a new key and shows its secret, this once. Without --user it is the caller's; the server's first administrator gets another pair in dataDir/credentials, and the old one is refused at once.",
    );
  addServerOptions(addExpiryOption(addOwnerOptions(addOutputOptions(command))))
    .option('--revoke', "delete the owner's other keys, with all that was made with them")
    .addHelpText('after', rotateExamples)
    .action(async (options: RotateOptions) => {
      const revoke = options.revoke === true;
      const body = { ...ownerOf(options), expiresInSeconds: options.expires, revoke };
      const request = { method: 'POST', path: 'access-keys/rotate', body } as const;
      const made = await askServer<RotatedAccessKeyView>(request, options, context.terminal);
      await printOne(context.terminal, options, made, newKeyLook);
      for (const line of afterRotation(made)) remark(command, context, line);
    });
}

/** What is to be done with the old keys. */
function afterRotation({ user, revoked, kept, file }: RotatedAccessKeyView): readonly string[] {
  const owner = user === null ? '' : ` --user ${user}`;
  return [
    file === null ? 'The secret is not shown again.' : `The pair stands in ${file} on the server.`,
    ...revoked.map((id) => `${id} is refused from now on.`),
    ...kept.map(
      (id) => `${id} is still good. Once nothing uses it: breakwater user keys rm ${id}${owner}`,
    ),
  ];
}

function addListCommand(keys: Command, context: CommandContext): void {
  const command = keys
    .command('ls')
    .summary('list keys')
    .description('Lists the access keys of a user, without their secrets.');
  addServerOptions(addOwnerOptions(addOutputOptions(command)))
    .addHelpText('after', listExamples)
    .action(async (options: Options & OutputOptions) => {
      const request = { path: 'access-keys', query: ownerOf(options) };
      const list = await askServer<Listing<AccessKeyView>>(request, options, context.terminal);
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
      const requestOf = (id: string): ApiRequest => ({
        path: 'access-keys',
        query: { id, ...ownerOf(options) },
      });
      await deleteEach(ids, { command, context, options, requestOf });
    });
}

const newKeyLook: Look<NewAccessKeyView> = {
  name: (each) => each.accessKeyId,
  columns: [
    { header: 'ACCESS-KEY-ID', value: (each) => each.accessKeyId },
    { header: 'SECRET-ACCESS-KEY', value: (each) => each.secretAccessKey },
    { header: 'USER', value: (each) => each.user ?? '-' },
  ],
};

const keyLook: Look<AccessKeyView> = {
  name: (each) => each.accessKeyId,
  columns: [
    { header: 'ACCESS-KEY-ID', value: (each) => each.accessKeyId },
    { header: 'USER', value: (each) => each.user ?? '-' },
    { header: 'ACTIVE', value: (each) => (each.active ? 'yes' : 'no') },
    { header: 'CREATED', value: (each) => each.createdAt },
    { header: 'EXPIRES', value: (each) => each.expiresAt ?? '-' },
    { header: 'LAST-USED', value: (each) => each.lastUsedAt ?? '-' },
    { header: 'ACCOUNT', value: (each) => each.account, wide: true },
  ],
};
