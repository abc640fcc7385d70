import { Option } from 'commander';
import type { Command } from 'commander';
import { errorText } from '../../domain/error-text.ts';
import type { Config } from '../../config/config.ts';
import { interruption } from '../command-failure.ts';
import type { Check, CommandContext, Inspection } from '../command-context.ts';
import { programOptions } from '../command-context.ts';
import type { DoctorCategory } from './report.ts';
import { failed, passed, renderCategory, renderStatus, reportOf, warned } from './report.ts';
import { inspectNode, inspectRuntime } from './runtime.ts';
import { inspectServer } from './server.ts';
import { inspectStorage } from './storage.ts';
import { inspectTls } from './tls.ts';
import { locateConfig } from '../server/server-location.ts';
import { printValue } from '../terminal/output.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { createPaint } from '../terminal/terminal.ts';

const categoryNames = [
  'config',
  'runtime',
  'tls',
  'storage',
  'database',
  'keys',
  'upstreams',
  'issuers',
  'server',
] as const;

const examples = `
Examples:
  # Everything; the server may be down
  breakwater doctor --config /etc/breakwater/breakwater.yaml

  # Without going out to the upstreams
  breakwater doctor --category config --category storage

  # In a script
  breakwater doctor -o json | jq -r '.categories[].checks[] | select(.result == "error") | .error'

Ends with 1 where a check failed; warnings alone end with 0.
`;

interface DoctorOptions {
  readonly config?: string;
  readonly category?: readonly string[];
  readonly output: 'table' | 'json' | 'yaml';
}

export function addDoctorCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('doctor')
    .summary('check configuration, storage, upstreams, issuers, clock and limits')
    .description(
      'Checks what the server needs: the configuration, Node and its limits, the clock, the data folder, the keys that seal, every upstream, every issuer, and the server itself where it runs. Works with the server down.',
    )
    .option('--config <file>', 'the configuration to check; else that of the server that runs here')
    .addOption(new Option('--category <name...>', 'only these checks').choices(categoryNames))
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .addHelpText('after', examples)
    .action(async (options: DoctorOptions) => {
      const { terminal } = context;
      const paint = createPaint(terminal, programOptions(command).color);
      const text = options.output === 'table';
      const categories: DoctorCategory[] = [];
      for await (const category of examine(options, context)) {
        categories.push(category);
        if (text) terminal.out(renderCategory(category, paint));
      }
      const report = reportOf(categories);
      if (options.output !== 'table') await printValue(terminal, options.output, report);
      else terminal.out(renderStatus(report, paint));
      context.end(report.success ? 'ok' : 'failure');
    });
}

/** The categories one by one, as they are known. What is wrong with the configuration ends none of the others. */
async function* examine(
  options: DoctorOptions,
  context: CommandContext,
): AsyncGenerator<DoctorCategory> {
  const { terminal, parts } = context;
  const wanted = (name: string): boolean => options.category?.includes(name) ?? true;
  const signal = terminal.interrupted();
  const { config, category } = await inspectConfig(options, terminal);
  // What is wrong with it is left out of the others, and must not look as if it were not there.
  if (wanted('config') || category.checks.some(({ result }) => result === 'error')) yield category;
  const inspections: readonly Inspection[] =
    config === undefined
      ? [{ categoryName: 'runtime', inspect: () => inspectNode(terminal.env) }]
      : [
          { categoryName: 'runtime', inspect: () => inspectRuntime(config, terminal.env, signal) },
          { categoryName: 'tls', inspect: () => inspectTls(config) },
          { categoryName: 'storage', inspect: () => inspectStorage(config) },
          ...(await parts.inspections(config, terminal.env)),
          {
            categoryName: 'server',
            inspect: () => inspectServer({ ...options, dataDir: config.dataDir }, terminal),
          },
        ];
  for (const inspection of inspections)
    if (wanted(inspection.categoryName)) yield await inspect(inspection, signal);
  const left = categoryNames.filter((name) => name !== 'config' && name !== 'runtime');
  if (config === undefined && left.some(wanted))
    yield { categoryName: 'not checked', checks: [notChecked(left.filter(wanted))] };
}

function notChecked(names: readonly string[]): Check {
  return warned(
    names.join(', '),
    'the configuration says where to look, and cannot be read',
    'mend it and run this again',
  );
}

/** A category that breaks down is a failed check, never the end of the others. */
async function inspect(inspection: Inspection, signal: AbortSignal): Promise<DoctorCategory> {
  const { categoryName } = inspection;
  try {
    return { categoryName, checks: await inspection.inspect(signal) };
  } catch (error) {
    if (signal.aborted) throw interruption();
    const message = errorText(error);
    return { categoryName, checks: [failed('can be checked', message)] };
  }
}

async function inspectConfig(
  options: DoctorOptions,
  terminal: Terminal,
): Promise<{ readonly config: Config | undefined; readonly category: DoctorCategory }> {
  const categoryName = 'config';
  const { file, cwd } = await locateConfig(options.config, terminal);
  const from = file ?? 'defaults and environment';
  const { readWhatHolds } = await import('../../config/partial.ts');
  const { config, error } = await readWhatHolds({ file, env: terminal.env, cwd });
  const problems = (error?.message.split('\n') ?? []).map((problem) =>
    failed(`is valid (${from})`, problem),
  );
  if (config === undefined) return { config, category: { categoryName, checks: problems } };
  const builtin = config.rules.filter((rule) => rule.origin === 'builtin').length;
  const rules = `${config.rules.length} rules, ${builtin} of them built in`;
  const checks =
    problems.length === 0
      ? [passed(`is valid (${from})`), passed(rules)]
      : [...problems, passed(`${rules}; the checks below go without what is wrong`)];
  return { config, category: { categoryName, checks } };
}
