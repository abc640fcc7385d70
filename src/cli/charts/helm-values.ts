import type { Command } from 'commander';
import { Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { addMappingOptions } from '../move/mapping-source.ts';
import { addChartOptions } from './chart-options.ts';
import type { HelmValuesOptions } from './helm-values-run.ts';

const examples = `
Examples:
  # A file that helm lays over all others
  breakwater helm-values metrics-server/metrics-server --registry-host registry.example.com > images.yaml
  helm upgrade --install metrics-server metrics-server/metrics-server -f images.yaml

  # The same as flags
  breakwater helm-values metrics-server/metrics-server --registry-host registry.example.com -o set

  # With values of your own, which may switch on parts that have images
  breakwater helm-values ./charts/nats -f prod.yaml --set metrics.enabled=true --registry-host registry.example.com

The chart is rendered by helm template, with a mark in each value that may name an image, to see which images follow which; and once more with what is printed, to see that
every image is what it is to be. Images that no value moves are told, those of hooks too: the command then ends with 7.
`;

/** What is not needed for any other command is loaded when this one runs. */
export function addHelmValuesCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('helm-values <chart>')
    .summary("print the values by which a chart's images come from this registry")
    .description(
      'Prints the values by which the images of a chart come from this registry: found by rendering it, not by guessing at names of keys. The chart is a folder, a package, or what helm pulls.',
    )
    .addOption(
      new Option('-o, --output <format>', "a values file, or flags of helm's command line")
        .choices(['values', 'set'])
        .default('values'),
    );
  addMappingOptions(addChartOptions(command))
    .addHelpText('after', examples)
    .action(async (chart: string, options: HelmValuesOptions) => {
      const { runHelmValues } = await import('./helm-values-run.ts');
      await runHelmValues(chart, { command, context, options });
    });
}
