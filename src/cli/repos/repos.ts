import type { Command } from 'commander';
import { Option } from 'commander';
import type { RepositoryView } from '../../contract/access-view.ts';
import { tagMutabilities } from '../../domain/names/tag-mutability.ts';
import type { CommandFailure } from '../command-failure.ts';
import { usageFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printOne, printText } from '../terminal/output.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import { repeatable } from '../repeatable.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { alignRows, printable } from '../terminal/table.ts';
import { addReposApplyTemplateCommand } from './apply-template.ts';
import { addReposRemoveCommand } from './remove.ts';

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

const getExamples = `
Examples:
  breakwater repos get docker.io/library/nginx
`;

type Options = ServerOptions & PlaceOptions;

interface MutabilityOptions {
  readonly tagMutability?: string;
  readonly exclude?: readonly string[];
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
  addGetCommand(repos, context);
  addReposApplyTemplateCommand(repos, context);
  addReposRemoveCommand(repos, context);
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

function addGetCommand(repos: Command, context: CommandContext): void {
  const command = repos
    .command('get <name>')
    .summary('show a repository')
    .description('Shows a repository: its settings, and what made it.');
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', getExamples)
    .action(async (name: string, options: Options & OutputOptions) => {
      const request = { path: 'repository', query: { repository: name, ...placeOf(options) } };
      const found = await askServer<RepositoryView>(request, options, context.terminal);
      await printText(context.terminal, options, found, {
        name: () => found.repository,
        text: () => repositoryText(found),
      });
    });
}

function repositoryText(found: RepositoryView): string {
  const { labels, encryption, tagMutability, madeBy } = found;
  return alignRows([
    ['Repository:', found.repository],
    ['ARN:', found.arn],
    ['Created:', found.createdAt],
    ['Made by:', makerWords(madeBy)],
    ['Rule:', found.rule ?? '-'],
    ['Pushed:', found.pushed ? 'yes' : 'no'],
    ['Private:', found.private ? 'yes' : 'no'],
    ['Tags:', [tagMutability.mode, ...tagMutability.exclusions].join(' ')],
    ['Policy:', found.hasPolicy ? 'yes' : 'no'],
    ['Labels:', labels.map(({ key, value }) => printable(`${key}=${value}`)).join(' ') || '-'],
    ['Scan on push:', found.scanOnPush ? 'yes' : 'no'],
    ['Encryption:', [encryption.type, encryption.key ?? ''].join(' ')],
  ]);
}

const makers: Readonly<Record<RepositoryView['madeBy']['by'], string>> = {
  pull: 'a pull',
  push: 'a push',
  replication: 'replication',
  api: 'somebody, by its name',
  unknown: 'a push or somebody, before that was kept',
};

function makerWords({ by, template, upstream }: RepositoryView['madeBy']): string {
  const from = upstream === null ? '' : ` from ${printable(upstream)}`;
  return `${makers[by]}${from}${template === null ? '' : `, with the template ${template}`}`;
}

function usage(message: string): CommandFailure {
  return usageFailure(message, 'breakwater help repos has examples');
}

const look: Look<RepositoryView> = {
  name: (each) => each.repository,
  columns: [
    { header: 'REPOSITORY', value: (each) => each.repository },
    { header: 'RULE', value: (each) => each.rule ?? '-' },
    { header: 'MADE-BY', value: (each) => each.madeBy.by },
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
