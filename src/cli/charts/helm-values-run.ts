import type { Command } from 'commander';
import { stringify } from 'yaml';
import { reasonsUnchanged } from '../move/unchanged-reasons.ts';
import type { ChartImage, ChartValues } from '../../kubernetes/charts/chart-values.ts';
import { findChartValues } from '../../kubernetes/charts/chart-values.ts';
import { openChart } from '../../kubernetes/charts/open-chart.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { findMapping } from '../move/mapping-source.ts';
import type { MappingOptions } from '../move/mapping-source.ts';
import type { ChartOptions } from './chart-options.ts';
import { asCommandFailure, chartRequest } from './chart-options.ts';

export interface HelmValuesOptions extends MappingOptions, ChartOptions {
  readonly output: 'values' | 'set';
}

export interface HelmValuesParts {
  readonly command: Command;
  readonly context: CommandContext;
  readonly options: HelmValuesOptions;
}

/** Prints the values, tells of images that they don't move, and ends as the command does. */
export async function runHelmValues(chart: string, parts: HelmValuesParts): Promise<void> {
  const { command, context, options } = parts;
  const { terminal } = context;
  const { mapping, from } = await findMapping(options, context);
  remark(command, context, `by ${from}`);
  const found = await ask(chart, parts, mapping.rewrite);
  if (options.output === 'set') {
    for (let at = 0; at < found.args.length; at += 2)
      terminal.out(`${found.args[at]} ${quoted(found.args[at + 1] ?? '')}\n`);
  } else
    terminal.out(
      `# Made by breakwater helm-values ${chart}, for ${mapping.registryHost}: images of this chart, to give helm after all other values.\n${stringify(found.values, { lineWidth: 0 })}`,
    );
  for (const problem of found.problems) terminal.err(`error: ${problem}\n`);
  for (const line of new Set(found.images.flatMap(lineOf))) terminal.err(`${line}\n`);
  const isSeen = (image: ChartImage): boolean =>
    image.state === 'unmoved' && image.certainty === 'image';
  if (found.problems.length > 0 || found.images.some(isSeen)) {
    if (options.output === 'values' && options.set.length + options.setString.length > 0)
      remark(command, context, 'a --set goes before any file of values: with -o set it does not');
    context.end('partial');
  }
}

async function ask(
  chart: string,
  { context, options }: HelmValuesParts,
  rewrite: Parameters<typeof findChartValues>[0]['rewrite'],
): Promise<ChartValues> {
  const signal = context.terminal.interrupted();
  try {
    await using opened = await openChart(chartRequest(chart, options, context), signal);
    return await findChartValues({ chart: opened, rewrite, form: options.output }, signal);
  } catch (error) {
    throw asCommandFailure(error);
  }
}

function lineOf({ state, rewritten, image, certainty, hook, object, field }: ChartImage): string[] {
  const where = `${object}${hook ? ' (hook)' : ''}: ${field}`;
  if (state === 'unmoved' && rewritten.kind === 'rewritten')
    return [
      certainty === 'review'
        ? `review: ${image} in ${where}: see what reads it; it would be ${rewritten.image}`
        : `no value moves ${image} of ${where}: it would be ${rewritten.image}`,
    ];
  if (state !== 'kept' || certainty === 'review' || rewritten.kind !== 'unchanged') return [];
  if (rewritten.reason === 'ours') return [];
  return [`stays: ${image} of ${where}: ${reasonsUnchanged[rewritten.reason]}`];
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w./:=@,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
