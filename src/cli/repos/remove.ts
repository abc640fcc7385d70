import type { Command } from 'commander';
import type { CleanedRepositoryView, CleanUpView } from '../../contract/access-view.ts';
import type { DeletedRule, Listing, RuleView } from '../../contract/admin-view.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import type { ApiRequest } from '../server/server-client.ts';
import { askServer, askServerAt } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions, locateServer } from '../server/server-location.ts';
import { deleteEach } from '../several.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';
import { formatBytes, formatSeconds } from '../terminal/unit-words.ts';

/** A repository of many images takes its time, and so does a page of them. */
const deleteMs = 120_000;
const perPage = 25;

const examples = `
Examples:
  breakwater repos rm team/app
  breakwater repos rm team/app --force

  # What pulls made at k8s and below it, with its images; k8s-old is no part of it
  breakwater repos rm --prefix k8s --dry-run
  breakwater repos rm --prefix k8s --yes

  # With the rule that has the prefix, which goes first: else the next pull makes the repository again
  breakwater repos rm --prefix k8s --with-rule --yes

  # Also what was pushed or made by hand
  breakwater repos rm --prefix team --all --force --yes

By a prefix, repositories that a pull made go with their images: they come again with the next pull. Those into which something was
pushed, and those made by hand, stay without --all, and with it those that hold images without --force. What is interrupted goes on
when it is said again.

Ends with 6 where one that was named holds images and --force is not said, with 7 where only some could be deleted.
`;

interface RemoveOptions extends ServerOptions, PlaceOptions, OutputOptions {
  readonly prefix?: string;
  readonly withRule?: boolean;
  readonly all?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addReposRemoveCommand(repos: Command, context: CommandContext): void {
  const command = repos
    .command('rm [name...]')
    .summary('delete repositories')
    .description(
      'Deletes repositories: those named, with --force those that hold images too; or what pulls made at and below a prefix.',
    )
    .option('--prefix <prefix>', 'at this name and below it, of whole path segments')
    .option('--with-rule', 'with --prefix: the pull through rule of that prefix first')
    .option('--all', 'with --prefix: also what was pushed or made by hand')
    .option('--force', 'with the images in them')
    .option('--dry-run', 'with --prefix: shows what would be deleted, and deletes nothing')
    .option('--yes', 'with --prefix: nothing is asked');
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', examples)
    .action(async (names: readonly string[], options: RemoveOptions) => {
      checkUsage(names, options);
      if (options.prefix !== undefined)
        return await cleanUp({ command, context, options }, options.prefix.replace(/\/$/, ''));
      const force = options.force === true ? 'true' : undefined;
      const requestOf = (repository: string): ApiRequest => {
        const query = { repository, ...placeOf(options), force };
        return { path: 'repositories', query, deadlineMs: deleteMs };
      };
      await deleteEach(names, { command, context, options, requestOf });
    });
}

function checkUsage(
  names: readonly string[],
  { prefix, withRule, all, force, dryRun, yes }: RemoveOptions,
): void {
  if ((prefix === undefined) === (names.length === 0))
    throw usage('name the repositories, or say --prefix');
  if (prefix === undefined) {
    const said = { '--with-rule': withRule, '--all': all, '--dry-run': dryRun };
    for (const [option, value] of Object.entries(said))
      if (value === true) throw usage(`${option} needs --prefix`);
    return;
  }
  if (/^\/?$/.test(prefix)) throw usage('--prefix is empty, and would be every repository');
  if (force === true && all !== true)
    throw usage(
      'with --prefix, --force needs --all: what pulls made goes with its images, and nothing else goes without --all',
    );
  if ((yes === true) === (dryRun === true))
    throw usage('with --prefix say --dry-run to see what would be deleted, or --yes to delete it');
}

function usage(message: string): CommandFailure {
  return usageFailure(message, 'breakwater help repos rm has examples');
}

interface CleanUp {
  readonly command: Command;
  readonly context: CommandContext;
  readonly options: RemoveOptions;
}

async function cleanUp(given: CleanUp, prefix: string): Promise<void> {
  const { context, options } = given;
  const { dryRun = false, withRule = false } = options;
  if (withRule) await removeRule(given, prefix);
  const { items, freedWithinSeconds } = await askAll(given, prefix);
  const isGone = ({ outcome }: CleanedRepositoryView): boolean => outcome === 'deleted';
  const shown = options.output === 'name' ? items.filter(isGone) : items;
  await printList(context.terminal, options, { items: shown }, look);
  tellSums(given, items, freedWithinSeconds);
  tellRules(given, items, withRule && dryRun ? prefix : undefined);
  const refused = items.filter(({ outcome }) => outcome === 'refused').length;
  if (refused > 0) context.end(refused < items.length ? 'partial' : 'forbidden');
}

/** What was deleted is told also where a later page fails. */
async function askAll(
  { command, context, options }: CleanUp,
  prefix: string,
): Promise<{
  readonly items: readonly CleanedRepositoryView[];
  readonly freedWithinSeconds: number;
}> {
  const { all = false, force = false, dryRun = false } = options;
  const location = await locateServer(options, context.terminal);
  const body = { prefix, ...placeOf(options), all, force, dryRun, limit: perPage };
  const items: CleanedRepositoryView[] = [];
  let cursor: string | undefined;
  for (;;) {
    const request = {
      method: 'POST',
      path: 'repositories/clean-up',
      deadlineMs: deleteMs,
    } as const;
    let page: CleanUpView;
    try {
      page = await askServerAt(
        { ...request, body: { ...body, cursor } },
        location,
        context.terminal,
      );
    } catch (error) {
      const gone = items.filter(({ outcome }) => outcome === 'deleted').length;
      if (gone > 0 && !dryRun)
        remark(
          command,
          context,
          `${gone === 1 ? '1 repository was' : `${gone} repositories were`} deleted before this; say it again to go on`,
        );
      throw error;
    }
    items.push(...page.items);
    if (page.next === null) return { items, freedWithinSeconds: page.bytesFreedWithinSeconds };
    cursor = page.next;
  }
}

/** The rule goes first: while it is there, a pull makes a repository again. */
async function removeRule(given: CleanUp, prefix: string): Promise<void> {
  const { command, context, options } = given;
  const { dryRun = false } = options;
  const origins = await originsOf(given, prefix);
  const rest = origins.find((origin) => origin !== 'api');
  const tell = (text: string): void => remark(command, context, text);
  if (!origins.includes('api'))
    return tell(
      rest === undefined
        ? `no rule has the prefix ${prefix}`
        : `${originWords[rest]} has the prefix ${prefix}, and stays`,
    );
  if (dryRun) {
    tell(`the rule ${prefix} would be deleted first`);
    if (rest !== undefined) tell(`${originWords[rest]} of that prefix would be in force again`);
    return;
  }
  const query = { prefix, ...placeOf(options) };
  const request = { method: 'DELETE', path: 'rules', query } as const;
  const gone: DeletedRule = await askServer(request, options, context.terminal);
  tell(`deleted the rule ${prefix}`);
  if (gone.restored !== null)
    tell(`${originWords[gone.restored]} of that prefix is in force again`);
}

/** Whose rules have the prefix, those that are not in force too. */
async function originsOf(
  { context, options }: CleanUp,
  prefix: string,
): Promise<readonly RuleView['origin'][]> {
  const request = { path: 'rules', query: { prefix, ...placeOf(options) } };
  try {
    const { items } = await askServer<Listing<RuleView>>(request, options, context.terminal);
    return items.map(({ origin }) => origin);
  } catch (error) {
    if (error instanceof CommandFailure && error.exit === 'notFound') return [];
    throw error;
  }
}

const originWords: Readonly<Record<RuleView['origin'], string>> = {
  builtin: 'the built-in rule',
  file: 'the rule of the configuration file',
  api: 'the rule',
};

function tellSums(
  { command, context, options: { dryRun = false } }: CleanUp,
  items: readonly CleanedRepositoryView[],
  seconds: number,
): void {
  const deleted = items.filter(({ outcome }) => outcome === 'deleted');
  const bytes = formatBytes(deleted.reduce((sum, each) => sum + each.bytes, 0));
  const many = deleted.length === 1 ? '1 repository' : `${deleted.length} repositories`;
  const left = items.length - deleted.length;
  const kept = left === 0 ? '' : `, ${left} ${left === 1 ? 'stays' : 'stay'}`;
  const within = `within ${formatSeconds(seconds)}`;
  remark(
    command,
    context,
    dryRun
      ? `${many} would be deleted${kept}; ${bytes} that nothing else refers to would be off the disk ${within}`
      : `deleted ${many}${kept}; ${bytes} that nothing else refers to are off the disk ${within}`,
  );
}

/** `but`: the prefix of a rule that would go. */
function tellRules(
  { command, context }: CleanUp,
  items: readonly CleanedRepositoryView[],
  but: string | undefined,
): void {
  const counts = new Map<string, number>();
  for (const { outcome, rule } of items) {
    if (outcome !== 'deleted' || rule === null) continue;
    if (rule.origin === 'api' && rule.prefix === but) continue;
    const words = `${originWords[rule.origin]} ${rule.prefix}`;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  for (const [words, count] of counts)
    remark(
      command,
      context,
      `${words} stays: a pull through it makes ${count === 1 ? 'the repository' : `the ${count} repositories`} again`,
    );
}

const look: Look<CleanedRepositoryView> = {
  name: (each) => each.repository,
  columns: [
    { header: 'REPOSITORY', value: (each) => each.repository },
    { header: 'MADE-BY', value: (each) => each.madeBy.by },
    { header: 'OUTCOME', value: (each) => each.outcome },
    { header: 'FREES', value: (each) => formatBytes(each.bytes) },
    { header: 'BECAUSE', value: (each) => each.because ?? '-' },
    { header: 'RULE', value: (each) => each.rule?.prefix ?? '-', wide: true },
  ],
};
