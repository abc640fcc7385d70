import type { Command } from 'commander';
import { Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { addMappingOptions } from '../move/mapping-source.ts';
import { addReportOptions } from '../terminal/output.ts';
import { addClusterOptions } from './cluster-options.ts';
import type { DetectOptions } from './detect-run.ts';
import { flagNames } from './flag-names.ts';

const examples = `
Examples:
  # The cluster of kubectl's current context: pods, workloads, custom resources, sources of Flux and Argo CD
  breakwater detect
  breakwater detect --context prod -n payments -o wide

  # What each becomes behind a registry that is to be
  breakwater detect --registry-host registry.example.com

  # Files: manifests, values of charts, kustomizations and their like, below a folder
  breakwater detect k8s/ charts/ -o wide
  kustomize build overlays/prod | breakwater detect -

  # What pods run, as the announcements of k8s.gcr.io's end print it
  kubectl get pods --all-namespaces -o jsonpath="{.items[*].spec.containers[*].image}" |
    tr -s '[[:space:]]' '\\n' | sort | uniq -c | breakwater detect -

  # In CI: does anything here name what is gone? Ends with 10 where it does
  breakwater detect . --only gone,moved --exit-code -o sarif > images.sarif

  # Which value of which chart says an image? Reads the Secrets in which Helm keeps releases
  breakwater detect --helm-secrets -o csv | grep 'Helm release'

  # For a spreadsheet
  breakwater detect -o csv > images.csv

COUNT is how many containers of pods have an image, in files how often it is written; 0 is written somewhere and does not run.
A kind that may not be listed, and a file that can't be read, is named on stderr and under notRead. Secrets are
read only with --helm-secrets, and only those of Helm.
`;

/** What is not needed for any other command is loaded when this one runs. */
export function addDetectCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('detect [path...]')
    .summary('find images, what is wrong with them, and what becomes of them')
    .description(
      'Finds the images that a cluster uses, or those of files and folders, or on stdin (-) those of a manifest or of a list, one a line or several, or with counts as uniq -c prints them. Says how often and where, what each becomes behind this registry, and flags what is frozen, moved, gone, unpinned, without a rule or no image name. Changes nothing.',
    )
    .addOption(
      new Option(
        '--only <flags>',
        `only images with one of these: ${flagNames.join(', ')}`,
      ).argParser((text: string) => text.split(',')),
    )
    .option(
      '--exit-code',
      'end with 10 where an image is flagged, else with 7 where something could not be read',
    );
  addMappingOptions(addClusterOptions(addReportOptions(command)))
    .addHelpText('after', examples)
    .action(async (paths: readonly string[], options: DetectOptions) => {
      const { runDetect } = await import('./detect-run.ts');
      await runDetect(paths, { command, context, options });
    });
}
