import type { Command } from 'commander';
import { Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { repeatable } from '../repeatable.ts';
import { addOutputOptions } from '../terminal/output.ts';
import { addRenamingOptions } from './renaming-options.ts';
import type { RewriteCommandOptions } from './rewrite-run.ts';

const examples = `
Examples:
  # One file to stdout; what a person has to look at goes to stderr
  breakwater rewrite deployment.yaml --registry-host registry.example.com

  # A folder: see it first, then do it
  breakwater rewrite k8s/ --registry-host registry.example.com --diff
  breakwater rewrite k8s/ --registry-host registry.example.com --in-place

  # Away from a frozen registry, with no cache at all
  breakwater rewrite k8s/ --from k8s.gcr.io --to registry.k8s.io --in-place

  # What is known to have moved
  breakwater rewrite k8s/ --moved --diff

  # In a pipe
  kustomize build . | breakwater rewrite -f - --registry-host registry.example.com | kubectl apply -f -

  # Does the repository hold images that go past the cache? Ends with 10 where it does
  breakwater rewrite . --registry-host registry.example.com --check

  # Values of a chart: what it puts before a repository that has no registry beside it
  breakwater rewrite values.yaml --chart charts/grafana --registry-host registry.example.com

  # Back to the names of upstream
  breakwater rewrite k8s/ --registry-host registry.example.com --revert --in-place

Only references change: comments, quotes, anchors and line ends stay as they are, byte for byte. What is made is read again and compared.
Images in environment variables, arguments, texts, templates and scripts are told and left alone.
`;

/** What is not needed for any other command is loaded when this one runs. */
export function addRewriteCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('rewrite [path...]')
    .summary('change images in manifests, values and other files, and nothing else in them')
    .description(
      'Replaces the images that files name by what becomes of them: in Kubernetes manifests, values of charts, kustomizations and the like. A single file and stdin go to stdout; a folder wants --diff, --check or --in-place.',
    )
    .option(
      '-f, --file <path>',
      'a file or a folder as well; - is stdin. May be repeated',
      repeatable,
      [],
    )
    .option(
      '--chart <folder>',
      'the chart whose values the files have: what it puts before a repository without a registry beside it',
    )
    .addOption(new Option('--check', 'write nothing; end with 10 where an image would change'))
    .addOption(
      new Option('--diff', 'print the difference as git apply takes it').conflicts('check'),
    )
    .addOption(new Option('--in-place', 'replace the files').conflicts(['check', 'diff']));
  addRenamingOptions(addOutputOptions(command))
    .addHelpText('after', examples)
    .action(async (words: readonly string[], options: RewriteCommandOptions) => {
      const { runRewrite } = await import('./rewrite-run.ts');
      await runRewrite([...words, ...options.file], { command, context, options });
    });
}
