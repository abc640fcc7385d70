import type { Command } from 'commander';
import { ChartFailure } from '../../kubernetes/charts/chart-failure.ts';
import type { ChartRequest } from '../../kubernetes/charts/open-chart.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandFailure } from '../command-failure.ts';
import { repeatable } from '../repeatable.ts';

/** Of each run of helm: a chart that is pulled may come from far away. */
const deadlineMs = 120_000;

export interface ChartOptions {
  readonly values: readonly string[];
  readonly set: readonly string[];
  readonly setString: readonly string[];
  readonly setJson: readonly string[];
  readonly release: string;
  readonly namespace?: string;
  readonly chartVersion?: string;
  readonly repo?: string;
  readonly kubeVersion?: string;
  readonly apiVersions: readonly string[];
  readonly helm: string;
}

/** Gives a command the options by which `helm template` renders a chart. */
export function addChartOptions(command: Command): Command {
  return command
    .option('-f, --values <file>', 'values as helm takes them; may be repeated', repeatable, [])
    .option('--set <key=value>', 'a value as helm takes it; may be repeated', repeatable, [])
    .option('--set-string <key=value>', 'a value that is a text; may be repeated', repeatable, [])
    .option('--set-json <key=json>', 'a value in JSON; may be repeated', repeatable, [])
    .option('--release <name>', 'the name of the release', 'release-name')
    .option('-n, --namespace <name>', 'where it is installed')
    .option('--chart-version <version>', 'of a chart that helm pulls')
    .option('--repo <url>', 'the repository of a chart that helm pulls')
    .option('--kube-version <version>', 'the version of Kubernetes that the chart is rendered for')
    .option(
      '--api-versions <version>',
      'an API that the cluster has; may be repeated',
      repeatable,
      [],
    )
    .option('--helm <program>', 'Helm 3 or 4', 'helm');
}

export function chartRequest(
  chart: string,
  options: ChartOptions,
  { terminal: { cwd, env } }: CommandContext,
): ChartRequest {
  const all = (flag: string, words: readonly (string | undefined)[]): readonly string[] =>
    words.flatMap((word) => (word === undefined ? [] : [flag, word]));
  return {
    chart,
    helm: options.helm,
    release: options.release,
    valueArgs: [
      ...all('-f', options.values),
      ...all('--set-json', options.setJson),
      ...all('--set', options.set),
      ...all('--set-string', options.setString),
    ],
    renderArgs: [
      ...all('--namespace', [options.namespace]),
      ...all('--kube-version', [options.kubeVersion]),
      ...all('--api-versions', options.apiVersions),
    ],
    pullArgs: [...all('--version', [options.chartVersion]), ...all('--repo', [options.repo])],
    env,
    cwd,
    deadlineMs,
  };
}

/** What a chart or helm did not do, as the command's failure; anything else as it is. */
export function asCommandFailure(error: unknown): unknown {
  if (!(error instanceof ChartFailure)) return error;
  const { kind, message, because, hint } = error;
  return new CommandFailure(message, {
    exit: 'failure',
    code: kind === 'helm' ? 'HELM_NOT_RUN' : 'CHART_NOT_RENDERED',
    because,
    hint,
    cause: error,
  });
}
