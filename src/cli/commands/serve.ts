import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { readConfig } from '../server/config-reading.ts';

const examples = `
Examples:
  # Every default: registry on 127.0.0.1:5000, data in ./data, the public registries
  breakwater serve

  # With a configuration; SIGHUP and a change of the file reload it
  breakwater serve --config /etc/breakwater/breakwater.yaml

  # One setting by the environment
  BREAKWATER__LISTEN=0.0.0.0:5000 breakwater serve

  # Then pull through it
  docker pull localhost:5000/docker.io/library/nginx
`;

export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .summary('run the registry')
    .description(
      'Runs the registry until it is told to stop. SIGTERM and SIGINT let running pulls finish; a second signal ends at once.',
    )
    .option('--config <file>', 'the configuration; without it the defaults and the environment')
    .addHelpText('after', examples)
    .action(async (options: { readonly config?: string }) => {
      const { terminal, parts } = context;
      const { config } = await readConfig(options.config, terminal);
      context.end(
        await parts.serve(config, {
          ...(options.config === undefined ? {} : { configFile: options.config }),
          env: terminal.env,
        }),
      );
    });
}
