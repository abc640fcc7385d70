import type { Command } from 'commander';
import type { Detection } from '../../kubernetes/detect/detection.ts';
import type { CommandContext } from '../command-context.ts';
import { readVersion } from '../commands/version.ts';
import { usageFailure } from '../command-failure.ts';
import { renderCsv } from '../terminal/csv.ts';
import type { ReportOptions } from '../terminal/output.ts';
import { addReportOptions, printList, printValue } from '../terminal/output.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { imageColumns, placeColumns, placeRows } from './rows.ts';
import { sarifOf } from './sarif.ts';

const listBytesMax = 64 * 1024 * 1024;

const examples = `
Examples:
  # What pods run, as the announcements of k8s.gcr.io's end print it
  kubectl get pods --all-namespaces -o jsonpath="{.items[*].spec.containers[*].image}" |
    tr -s '[[:space:]]' '\\n' | sort | uniq -c | breakwater detect -

  # For a spreadsheet
  breakwater detect - -o csv < images.txt > images.csv
`;

interface Options extends ReportOptions {
  readonly exitCode?: boolean;
}

export function addDetectCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('detect <from>')
    .summary('find images and what is wrong with them')
    .description(
      'Counts the images of a list on stdin (-), one a line or several, or with counts as uniq -c prints them, and flags what is frozen, moved, gone, unpinned or no image name.',
    )
    .option('--exit-code', 'end with 10 where an image is flagged');
  addReportOptions(command)
    .addHelpText('after', examples)
    .action(async (from: string, options: Options) => {
      if (from !== '-')
        throw usageFailure(`${from} is not read`, 'give a list of images on stdin: detect -');
      const { createInventory } = await import('../../kubernetes/detect/inventory.ts');
      const { usesInList } = await import('../../kubernetes/detect/image-list.ts');
      const inventory = createInventory();
      for (const use of usesInList(await context.terminal.input(listBytesMax))) inventory.add(use);
      const found = { items: inventory.images() };
      await print(context.terminal, options, found);
      const isFlagged = found.items.some(({ flags }) => flags.length > 0);
      if (options.exitCode === true && isFlagged) context.end('findings');
    });
}

async function print(terminal: Terminal, options: Options, found: Detection): Promise<void> {
  const { output, headers } = options;
  if (output === 'csv') return terminal.out(renderCsv(placeRows(found), placeColumns, headers));
  if (output === 'sarif')
    return printValue(terminal, 'json', sarifOf(found, readVersion().version));
  await printList(terminal, { output, headers }, found, {
    columns: imageColumns,
    name: ({ image }) => image,
  });
}
