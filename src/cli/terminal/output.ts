import type { Command } from 'commander';
import { Option } from 'commander';
import type { Column } from './table.ts';
import { printable, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

export type OutputFormat = 'table' | 'wide' | 'json' | 'yaml' | 'name';

/** Also one row a thing for spreadsheets and scripts, and findings for code scanners (SARIF 2.1.0). */
export type ReportFormat = OutputFormat | 'csv' | 'sarif';

export interface OutputOptions {
  readonly output: OutputFormat;
  /** False with `--no-headers`. */
  readonly headers: boolean;
}

export interface ReportOptions extends Omit<OutputOptions, 'output'> {
  readonly output: ReportFormat;
}

const formats: readonly OutputFormat[] = ['table', 'wide', 'json', 'yaml', 'name'];

/** Gives a read command `-o` and `--no-headers`. */
export function addOutputOptions(command: Command): Command {
  return addFormats(command, formats);
}

/** The same for a command that reports findings. */
export function addReportOptions(command: Command): Command {
  return addFormats(command, [...formats, 'csv', 'sarif']);
}

function addFormats(command: Command, choices: readonly ReportFormat[]): Command {
  return command
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(choices).default('table'),
    )
    .option('--no-headers', 'leave out the header line of a table');
}

/** How the items of a list look as lines. */
export interface Look<Item> {
  readonly columns: readonly Column<Item>[];
  readonly name: (item: Item) => string;
}

/** Prints a list: its API form for `json` and `yaml`, else lines. */
export async function printList<Item>(
  terminal: Terminal,
  options: OutputOptions,
  list: { readonly items: readonly Item[] },
  look: Look<Item>,
): Promise<void> {
  const { output, headers } = options;
  if (output === 'json' || output === 'yaml') return printValue(terminal, output, list);
  if (output === 'name')
    return terminal.out(list.items.map((item) => `${printable(look.name(item))}\n`).join(''));
  terminal.out(renderTable(list.items, look.columns, { wide: output === 'wide', headers }));
}

/** Prints one thing: its API form for `json` and `yaml`, else as a list of one. */
export async function printOne<Item>(
  terminal: Terminal,
  options: OutputOptions,
  item: Item,
  look: Look<Item>,
): Promise<void> {
  const { output } = options;
  if (output === 'json' || output === 'yaml') return printValue(terminal, output, item);
  await printList(terminal, options, { items: [item] }, look);
}

/** Prints one thing: its API form for `json` and `yaml`, its name, or what is written of it for people. */
export async function printText(
  terminal: Terminal,
  { output }: Pick<OutputOptions, 'output'>,
  value: unknown,
  look: { readonly name: () => string; readonly text: () => string },
): Promise<void> {
  if (output === 'json' || output === 'yaml') return printValue(terminal, output, value);
  terminal.out(output === 'name' ? `${printable(look.name())}\n` : look.text());
}

/** Prints one value in the schema of the API. */
export async function printValue(
  terminal: Terminal,
  format: 'json' | 'yaml',
  value: unknown,
): Promise<void> {
  if (format === 'json') {
    // What JSON itself leaves as it is, some terminals take for the begin of a command.
    const json = JSON.stringify(value, undefined, 2).replaceAll(
      /[\u007f-\u009f]/g,
      (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
    );
    return terminal.out(`${json}\n`);
  }
  const { stringify } = await import('yaml');
  terminal.out(stringify(value));
}
