import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { NewTokenView, TokenView } from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { parseDuration } from '../../config/schema/duration.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printOne } from '../terminal/output.ts';
import type { OwnerOptions } from '../place-options.ts';
import { addOwnerOptions, ownerOf } from '../place-options.ts';
import { repeatable } from '../repeatable.ts';
import type { ApiRequest } from '../server/server-client.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';

const createExamples = `
Examples:
  # All that ci may, for 90 days; the token alone goes to stdout
  breakwater token create build --user ci

  # Only pulls of one team's images, for a month, straight into docker
  breakwater token create nodes --user ci --scope 'repository:team/*:pull' --expires 30d -q |
    docker login -u token --password-stdin registry.example.com
`;

const listExamples = `
Examples:
  breakwater token ls --user ci
`;

const removeExamples = `
Examples:
  breakwater token rm build --user ci
`;

type Options = ServerOptions & OwnerOptions;

interface CreateOptions extends Options, OutputOptions {
  readonly scope?: readonly string[];
  readonly expires?: number;
}

export function addTokenCommand(program: Command, context: CommandContext): void {
  const token = program
    .command('token')
    .summary('tokens that are named, scoped and end')
    .description(
      'Makes, lists and revokes tokens: passwords for programs, limited in what they may and how long.',
    )
    .helpCommand(false);
  addCreateCommand(token, context);
  addListCommand(token, context);
  addRemoveCommand(token, context);
}

function addCreateCommand(token: Command, context: CommandContext): void {
  const command = token
    .command('create <name>')
    .summary('make a token; it is shown once')
    .description(
      'Makes a token and prints it, this once. It is a password beside any user name, and a bearer token.',
    )
    .option(
      '--scope <scope>',
      'repository:<pattern>:<pull,push,delete>; repeatable; else all that its owner may',
      repeatable,
    )
    .option('--expires <duration>', 'when it ends: 12h, 30d; else after 90d', parseExpiry);
  addServerOptions(addOwnerOptions(addOutputOptions(command)))
    .addHelpText('after', createExamples)
    .action(async (name: string, options: CreateOptions) => {
      const { scope = [], expires } = options;
      const body = { name, scopes: scope, ...ownerOf(options), expiresInSeconds: expires };
      const request = { method: 'POST', path: 'tokens', body } as const;
      const made = await askServer<NewTokenView>(request, options, context.terminal);
      if (options.output === 'table') context.terminal.out(`${made.token}\n`);
      else await printOne(context.terminal, options, made, newTokenLook);
      remark(
        command,
        context,
        `It is not shown again${made.expiresAt === null ? '' : `, and ends ${made.expiresAt}`}.`,
      );
    });
}

function addListCommand(token: Command, context: CommandContext): void {
  const command = token
    .command('ls')
    .summary('list tokens')
    .description('Lists the tokens of a user, without their secrets.');
  addServerOptions(addOwnerOptions(addOutputOptions(command)))
    .addHelpText('after', listExamples)
    .action(async (options: Options & OutputOptions) => {
      const request = { path: 'tokens', query: ownerOf(options) };
      const list = await askServer<Listing<TokenView>>(request, options, context.terminal);
      await printList(context.terminal, options, list, tokenLook);
    });
}

function addRemoveCommand(token: Command, context: CommandContext): void {
  const command = token
    .command('rm <name...>')
    .summary('revoke tokens')
    .description('Revokes tokens by their names: the next request with one is refused.');
  addServerOptions(addOwnerOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (names: readonly string[], options: Options) => {
      const requestOf = (name: string): ApiRequest => ({
        path: 'tokens',
        query: { name, ...ownerOf(options) },
      });
      await deleteEach(names, { command, context, options, done: 'revoked', requestOf });
    });
}

const tokenLook: Look<TokenView> = {
  name: (each) => each.name,
  columns: [
    { header: 'NAME', value: (each) => each.name },
    { header: 'USER', value: (each) => each.user ?? '-' },
    { header: 'EXPIRES', value: (each) => each.expiresAt ?? '-' },
    { header: 'LAST-USED', value: (each) => each.lastUsedAt ?? '-' },
    { header: 'SCOPES', value: (each) => each.scopes.join(' ') || '-' },
    { header: 'CREATED', value: (each) => each.createdAt, wide: true },
    { header: 'ACCOUNT', value: (each) => each.account, wide: true },
  ],
};

const newTokenLook: Look<NewTokenView> = {
  name: tokenLook.name,
  columns: [...tokenLook.columns, { header: 'TOKEN', value: (each) => each.token }],
};

/** Whole seconds of `--expires`. */
export function parseExpiry(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1000) throw new InvalidArgumentError('write it as 30d, 12h or 90m');
  return Math.floor(ms / 1000);
}
