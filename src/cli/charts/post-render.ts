import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { addRenamingOptions } from '../rewrite/renaming-options.ts';
import { addChartOptions } from './chart-options.ts';
import type { PostRenderOptions } from './post-render-run.ts';

const examples = `
Examples:
  # Helm 3: the program, and each of its words
  helm upgrade --install web ./web --post-renderer breakwater --post-renderer-args post-render \\
    --post-renderer-args --registry-host=registry.example.com

  # Helm 3 gives a post-renderer no hooks: which of their images go past the registry? Ends with 10 where some do
  helm template web ./web --no-hooks | breakwater post-render --registry-host registry.example.com --chart ./web --exit-code

  # Helm 4: a plugin, which examples/helm-plugin/ is; hooks are rewritten too
  helm plugin install examples/helm-plugin
  helm upgrade --install web ./web --post-renderer breakwater --post-renderer-args=--registry-host=registry.example.com

Only references change, as with rewrite. Where anything can't be read nothing is printed, and helm stops.
`;

/** What is not needed for any other command is loaded when this one runs. */
export function addPostRenderCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('post-render')
    .summary('rewrite the images of manifests between helm and the cluster')
    .description(
      'Reads the manifests that helm rendered from stdin and prints them with their images rewritten, byte for byte but for these: a post-renderer of Helm 3, and of Helm 4 as a plugin.',
    )
    .option('--chart <chart>', 'tell of images of this chart’s hooks, which Helm 3 gives to nobody')
    .option('--exit-code', 'end with 10 where --chart finds some');
  addRenamingOptions(addChartOptions(command))
    .addHelpText('after', examples)
    .action(async (options: PostRenderOptions) => {
      const { runPostRender } = await import('./post-render-run.ts');
      await runPostRender({ command, context, options });
    });
}
