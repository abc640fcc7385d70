import type { Command } from 'commander';
import type { Detection, NotRead } from '../../kubernetes/detect/detection.ts';
import type { Judge } from '../../kubernetes/detect/flags.ts';
import type { Inventory } from '../../kubernetes/detect/inventory.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { readVersion } from '../commands/version.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import type { MappingOptions } from '../move/mapping-source.ts';
import { addMappingOptions, findMapping } from '../move/mapping-source.ts';
import { renderCsv } from '../terminal/csv.ts';
import type { ReportOptions } from '../terminal/output.ts';
import { addReportOptions, printList, printValue } from '../terminal/output.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { ClusterOptions } from './from-cluster.ts';
import { addClusterOptions, readCluster } from './from-cluster.ts';
import { imageColumns, placeColumns, placeRows } from './rows.ts';
import { sarifOf } from './sarif.ts';

const listBytesMax = 64 * 1024 * 1024;

const examples = `
Examples:
  # The cluster of kubectl's current context: pods, workloads, custom resources, sources of Flux and Argo CD
  breakwater detect
  breakwater detect --context prod -n payments -o wide

  # What each becomes behind a registry that is to be
  breakwater detect --registry-host registry.example.com

  # What pods run, as the announcements of k8s.gcr.io's end print it
  kubectl get pods --all-namespaces -o jsonpath="{.items[*].spec.containers[*].image}" |
    tr -s '[[:space:]]' '\\n' | sort | uniq -c | breakwater detect -

  # For a spreadsheet
  breakwater detect -o csv > images.csv

COUNT is how many containers of pods have an image; 0 is written somewhere and does not run. A kind that may not be listed is
named on stderr and under notRead. Secrets are not read.
`;

interface Options extends ReportOptions, ClusterOptions, MappingOptions {
  readonly exitCode?: boolean;
}

export function addDetectCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('detect [from]')
    .summary('find images, what is wrong with them, and what becomes of them')
    .description(
      'Finds the images that a cluster uses, or those of a list on stdin (-), one a line or several, or with counts as uniq -c prints them. Says how often and where, what each becomes behind this registry, and flags what is frozen, moved, gone, unpinned, without a rule or no image name. Changes nothing.',
    )
    .option('--exit-code', 'end with 10 where an image is flagged');
  addMappingOptions(addClusterOptions(addReportOptions(command)))
    .addHelpText('after', examples)
    .action(async (from: string | undefined, options: Options) => {
      const { judge, isHostKnown } = await findJudge(options, command, context);
      const scan = await scanOf(from, options, command, context);
      const found = {
        from: scan.from,
        items: scan.inventory.images(judge),
        notRead: scan.notRead,
      };
      await print(context.terminal, options, found, isHostKnown);
      const isFlagged = found.items.some(({ flags }) => flags.length > 0);
      if (options.exitCode === true && isFlagged) context.end('findings');
    });
}

interface Scan {
  readonly from: string;
  readonly inventory: Inventory;
  readonly notRead: readonly NotRead[];
}

async function scanOf(
  from: string | undefined,
  options: Options,
  command: Command,
  context: CommandContext,
): Promise<Scan> {
  const { terminal } = context;
  if (from === undefined) {
    const found = await readCluster(options, terminal);
    remark(command, context, `read ${found.from}`);
    if (found.insecure)
      remark(command, context, 'its certificate was not checked: insecure-skip-tls-verify');
    for (const { what, why } of found.notRead)
      remark(command, context, `not read: ${what}: ${why}`);
    return found;
  }
  if (from !== '-')
    throw usageFailure(`${from} is not read`, 'give a list of images on stdin: detect -');
  const { createInventory } = await import('../../kubernetes/detect/inventory.ts');
  const { usesInList } = await import('../../kubernetes/detect/image-list.ts');
  const inventory = createInventory();
  for (const use of usesInList(await terminal.input(listBytesMax))) inventory.add(use);
  return { from: 'stdin', inventory, notRead: [] };
}

/** Without a word of where the registry is, what images become is left out where nothing says it. */
async function findJudge(
  options: Options,
  command: Command,
  context: CommandContext,
): Promise<{ readonly judge: Judge; readonly isHostKnown: boolean }> {
  const { createJudge } = await import('../../kubernetes/detect/flags.ts');
  const { mapping, registryHost, server, config, dataDir } = options;
  const isAsked = [mapping, registryHost, server, config, dataDir].some(
    (each) => each !== undefined,
  );
  try {
    const found = await findMapping(options, context);
    remark(command, context, `by ${found.from}`);
    return { judge: createJudge(found.mapping, true), isHostKnown: true };
  } catch (error) {
    if (isAsked || !(error instanceof CommandFailure)) throw error;
    const { createImageMapping } = await import('../../domain/image-rewrite.ts');
    const { builtinRules } = await import('../../domain/rules/builtin-rules.ts');
    const rules = createImageMapping({ registryHost: 'registry.invalid', rules: builtinRules });
    remark(command, context, 'by the built-in rules; --registry-host says what images become');
    return { judge: createJudge(rules, false), isHostKnown: false };
  }
}

async function print(
  terminal: Terminal,
  options: Options,
  found: Detection,
  isHostKnown: boolean,
): Promise<void> {
  const { output, headers } = options;
  if (output === 'csv') return terminal.out(renderCsv(placeRows(found), placeColumns, headers));
  if (output === 'sarif')
    return printValue(terminal, 'json', sarifOf(found, readVersion().version));
  await printList(terminal, { output, headers }, found, {
    columns: imageColumns(isHostKnown),
    name: ({ image }) => image,
  });
}
