import type { Command } from 'commander';
import type { AppliedSettingView, AppliedTemplateView } from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { usageFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import { askServerAt } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions, locateServer } from '../server/server-location.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';

const pageMs = 120_000;
const perPage = 50;

const examples = `
Examples:
  breakwater repos apply-template --prefix docker-hub --dry-run
  breakwater repos apply-template --prefix docker-hub --yes

The template is the longest that matches and is for what made the repository: a pull, a push (or somebody by its name), replication.
Tag mutability, labels, lifecycle policy and policy become what it says; what it does not say stays, and so do labels that it does not name.
Encryption is chosen as a repository is made. -o json shows the texts before and after.

Ends with 7 where some of it was refused.
`;

interface ApplyOptions extends ServerOptions, PlaceOptions, OutputOptions {
  readonly prefix: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addReposApplyTemplateCommand(repos: Command, context: CommandContext): void {
  const command = repos
    .command('apply-template')
    .summary('give repositories what their template says')
    .description(
      'Gives the repositories at and below a prefix what the creation template that matches each says, as if it made them now.',
    )
    .requiredOption('--prefix <prefix>', 'at this name and below it, of whole path segments')
    .option('--dry-run', 'shows what would change, and changes nothing')
    .option('--yes', 'nothing is asked');
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', examples)
    .action(async (options: ApplyOptions) => {
      if ((options.yes === true) === (options.dryRun === true))
        throw usageFailure('say --dry-run to see what would change, or --yes to change it');
      const items = await askAll(options, context);
      await printList(context.terminal, options, { items }, look);
      tell(items, { command, context, options });
    });
}

async function askAll(
  options: ApplyOptions,
  { terminal }: CommandContext,
): Promise<readonly AppliedTemplateView[]> {
  const { prefix, dryRun = false } = options;
  const location = await locateServer(options, terminal);
  const body = { prefix, ...placeOf(options), dryRun, limit: perPage };
  const path = 'repositories/apply-template';
  const items: AppliedTemplateView[] = [];
  let cursor: string | undefined;
  do {
    const request = {
      method: 'POST',
      path,
      body: { ...body, cursor },
      deadlineMs: pageMs,
    } as const;
    const page: Listing<AppliedTemplateView> = await askServerAt(request, location, terminal);
    items.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return items;
}

function tell(
  items: readonly AppliedTemplateView[],
  given: {
    readonly command: Command;
    readonly context: CommandContext;
    readonly options: ApplyOptions;
  },
): void {
  const { command, context, options } = given;
  const changed = items.filter(({ changes }) => changes.some(isApplied)).length;
  const refused = items.filter(({ changes }) => !changes.every(isApplied)).length;
  const without = items.filter(({ template }) => template === null).length;
  const did = options.dryRun === true ? 'would change' : 'changed';
  const rest = [
    ...(refused === 0
      ? []
      : [`in ${refused} something ${options.dryRun === true ? 'would be' : 'was'} refused`]),
    ...(without === 0 ? [] : [`${without} have no template`]),
  ];
  remark(command, context, [`${changed} of ${items.length} ${did}`, ...rest].join('; '));
  if (refused > 0) context.end('partial');
}

function isApplied({ outcome }: AppliedSettingView): boolean {
  return outcome === 'applied';
}

/** Texts of policies are too long for a line. */
function changeWords({ setting, before, after }: AppliedSettingView): string {
  if (setting === 'lifecyclePolicy' || setting === 'policy') return setting;
  return `${setting}: ${before ?? '-'} -> ${after}`;
}

const look: Look<AppliedTemplateView> = {
  name: (each) => each.repository,
  columns: [
    { header: 'REPOSITORY', value: (each) => each.repository },
    { header: 'TEMPLATE', value: (each) => each.template ?? '-' },
    {
      header: 'CHANGES',
      value: ({ changes }) => changes.filter(isApplied).map(changeWords).join('; ') || '-',
    },
    {
      header: 'NOT-APPLIED',
      value: ({ changes, notApplied }) =>
        [...changes.filter((each) => !isApplied(each)), ...notApplied]
          .map(({ setting, because }) => `${setting}: ${because}`)
          .join('; ') || '-',
    },
  ],
};
