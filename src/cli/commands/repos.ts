import type { Command } from 'commander';
import { Option } from 'commander';
import type { RepositoryView } from '../../contract/access-view.ts';
import { tagMutabilities } from '../../domain/names/tag-mutability.ts';
import type { CommandFailure } from '../command-failure.ts';
import { usageFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printOne } from '../terminal/output.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import { repeatable } from '../repeatable.ts';
import type { ApiRequest } from '../server/server-client.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';

/** A repository of many images takes its time. */
const deleteMs = 120_000;

const listExamples = `
Examples:
  breakwater repos ls
  breakwater repos ls --prefix k8s/ -o name
`;

const createExamples = `
Examples:
  breakwater repos create team/app
  breakwater repos create team/app --tag-mutability IMMUTABLE_WITH_EXCLUSION --exclude latest --exclude 'dev-*'
`;

const setExamples = `
Examples:
  # From now on a tag that is there never moves
  breakwater repos set team/app --tag-mutability IMMUTABLE
`;

const removeExamples = `
Examples:
  breakwater repos rm team/app

  # With the images in it, and all below a prefix
  breakwater repos rm --prefix k8s/ --force --yes

Ends with 6 where one holds images and --force is not said, with 7 where only some could be deleted.
`;

type Options = ServerOptions & PlaceOptions;

interface MutabilityOptions {
  readonly tagMutability?: string;
  readonly exclude?: readonly string[];
}

interface RemoveOptions extends Options {
  readonly prefix?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
}

export function addReposCommand(program: Command, context: CommandContext): void {
  const repos = program
    .command('repos')
    .summary('repositories and their settings')
    .description('Lists, makes, changes and deletes repositories.')
    .helpCommand(false);
  addListCommand(repos, context);
  addCreateCommand(repos, context);
  addSetCommand(repos, context);
  addRemoveCommand(repos, context);
}

function addListCommand(repos: Command, context: CommandContext): void {
  const command = repos
    .command('ls')
    .summary('list repositories')
    .description('Lists the repositories of a registry that the caller may see, pushed and cached.')
    .option('--prefix <prefix>', 'only names that begin so', '');
  addServerOptions(addPlaceOptions(addLimitOption(addOutputOptions(command))))
    .addHelpText('after', listExamples)
    .action(
      async (options: Options & OutputOptions & LimitOptions & { readonly prefix: string }) => {
        const { prefix } = options;
        const request = { path: 'repositories', query: { prefix, ...placeOf(options) } };
        const list = await askPages<RepositoryView>(request, options, context.terminal);
        await printList(context.terminal, options, list, look);
      },
    );
}

function addMutabilityOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--tag-mutability <mode>', 'whether tags may move').choices(tagMutabilities),
    )
    .option(
      '--exclude <filter>',
      'tags that are excluded, for the modes WITH_EXCLUSION; repeatable',
      repeatable,
    );
}

function mutabilityOf({ tagMutability, exclude }: MutabilityOptions): object {
  if (tagMutability === undefined) {
    if (exclude === undefined) return {};
    throw usage('--exclude needs --tag-mutability');
  }
  return { tagMutability: { mode: tagMutability, exclusions: exclude ?? [] } };
}

function addCreateCommand(repos: Command, context: CommandContext): void {
  const command = repos
    .command('create <name>')
    .summary('make a repository')
    .description('Makes an empty repository; its tags may move unless something else is said.');
  addServerOptions(addPlaceOptions(addOutputOptions(addMutabilityOptions(command))))
    .addHelpText('after', createExamples)
    .action(async (name: string, options: Options & OutputOptions & MutabilityOptions) => {
      const body = { repository: name, ...placeOf(options), ...mutabilityOf(options) };
      const request = { method: 'POST', path: 'repositories', body } as const;
      const made = await askServer<RepositoryView>(request, options, context.terminal);
      await printOne(context.terminal, options, made, look);
    });
}

function addSetCommand(repos: Command, context: CommandContext): void {
  const command = repos
    .command('set <name>')
    .summary('change the settings of a repository')
    .description('Changes the settings of a repository, from the next push on.');
  addServerOptions(addPlaceOptions(addOutputOptions(addMutabilityOptions(command))))
    .addHelpText('after', setExamples)
    .action(async (name: string, options: Options & OutputOptions & MutabilityOptions) => {
      if (options.tagMutability === undefined) throw usage('say what to set: --tag-mutability');
      const body = { repository: name, ...placeOf(options), ...mutabilityOf(options) };
      const request = { method: 'PATCH', path: 'repositories', body } as const;
      const changed = await askServer<RepositoryView>(request, options, context.terminal);
      await printOne(context.terminal, options, changed, look);
    });
}

function addRemoveCommand(repos: Command, context: CommandContext): void {
  const command = repos
    .command('rm [name...]')
    .summary('delete repositories')
    .description('Deletes repositories, with --force those that hold images too.')
    .option('--prefix <prefix>', 'every repository whose name begins so, instead of names')
    .option('--force', 'with the images in them')
    .option('--yes', 'needed with --prefix: nothing is asked');
  addServerOptions(addPlaceOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (names: readonly string[], options: RemoveOptions) => {
      const force = options.force === true ? 'true' : undefined;
      const requestOf = (repository: string): ApiRequest => {
        const query = { repository, ...placeOf(options), force };
        return { path: 'repositories', query, deadlineMs: deleteMs };
      };
      const chosen = await chooseRepositories(names, options, context);
      await deleteEach(chosen, { command, context, options, requestOf });
    });
}

async function chooseRepositories(
  names: readonly string[],
  { prefix, yes, ...options }: RemoveOptions,
  { terminal }: CommandContext,
): Promise<readonly string[]> {
  if ((prefix === undefined) === (names.length === 0))
    throw usage('name the repositories, or say --prefix');
  if (prefix === undefined) return names;
  if (prefix === '') throw usage('--prefix is empty, and would be every repository');
  const request = { path: 'repositories', query: { prefix, ...placeOf(options) } };
  const { items } = await askPages<RepositoryView>(request, options, terminal);
  if (yes !== true)
    throw usage(`${items.length} repositories begin with ${prefix}: say --yes to delete them`);
  return items.map(({ repository }) => repository);
}

function usage(message: string): CommandFailure {
  return usageFailure(message, 'breakwater help repos has examples');
}

const look: Look<RepositoryView> = {
  name: (each) => each.repository,
  columns: [
    { header: 'REPOSITORY', value: (each) => each.repository },
    { header: 'RULE', value: (each) => each.rule ?? '-' },
    { header: 'PUSHED', value: (each) => (each.pushed ? 'yes' : 'no') },
    { header: 'PRIVATE', value: (each) => (each.private ? 'yes' : 'no') },
    { header: 'TAGS', value: (each) => each.tagMutability.mode },
    { header: 'POLICY', value: (each) => (each.hasPolicy ? 'yes' : 'no') },
    { header: 'CREATED', value: (each) => each.createdAt },
    {
      header: 'EXCLUDED',
      value: (each) => each.tagMutability.exclusions.join(' ') || '-',
      wide: true,
    },
    { header: 'ARN', value: (each) => each.arn, wide: true },
  ],
};
