import { Option } from 'commander';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { secretWarnings } from '../../config/secret-warnings.ts';
import { programOptions } from '../command-context.ts';
import { readConfig } from '../server/config-reading.ts';
import { locateConfig } from '../server/server-location.ts';
import { printValue } from '../terminal/output.ts';

const validateExamples = `
Examples:
  # Ends with 2 and names file, line and column of each problem
  breakwater config validate --config /etc/breakwater/breakwater.yaml
`;

const printExamples = `
Examples:
  # What is in force, and where each value came from; secrets are left out
  breakwater config print --config breakwater.yaml

  breakwater config print -o json
`;

const schemaExamples = `
Examples:
  # For editors: # yaml-language-server: $schema=breakwater.schema.json
  breakwater config schema > breakwater.schema.json
`;

interface ConfigOptions {
  readonly config?: string;
}

export function addConfigCommand(program: Command, context: CommandContext): void {
  const config = program
    .command('config')
    .summary('check and show the configuration')
    .description('Checks and shows the configuration.')
    .helpCommand(false);
  addValidateCommand(config, context);
  addPrintCommand(config, context);
  addSchemaCommand(config, context);
}

function addValidateCommand(config: Command, { terminal }: CommandContext): void {
  const command = config
    .command('validate')
    .summary('check the configuration')
    .description('Checks file and environment as serve would, and prints every problem.')
    .option('--config <file>', 'the configuration to check')
    .addHelpText('after', validateExamples)
    .action(async (options: ConfigOptions) => {
      const { config: valid } = await readConfig(options.config, terminal);
      for (const warning of secretWarnings(valid)) terminal.err(`warning: ${warning}\n`);
      if (programOptions(command).quiet === true) return;
      const from = options.config ?? 'defaults and environment';
      terminal.err(`valid: ${from}, ${valid.rules.length} rules\n`);
    });
}

function addPrintCommand(config: Command, { terminal }: CommandContext): void {
  config
    .command('print')
    .summary('print the configuration in force')
    .description(
      'Prints every setting in force, with the source of each: the file and line, the variable, or default. Secrets are left out.',
    )
    .option('--config <file>', 'the configuration to print; else that of the server that runs here')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'),
    )
    .addHelpText('after', printExamples)
    .action(async (options: ConfigOptions & { readonly output: 'yaml' | 'json' }) => {
      const { file, cwd } = await locateConfig(options.config, terminal);
      const loaded = await readConfig(file, { ...terminal, cwd });
      if (options.output === 'json') return printValue(terminal, 'json', loaded.settings);
      const { printConfig } = await import('../../config/print.ts');
      terminal.out(printConfig(loaded));
    });
}

function addSchemaCommand(config: Command, { terminal }: CommandContext): void {
  config
    .command('schema')
    .summary('print the JSON Schema of the file')
    .description('Prints the JSON Schema (2020-12) of the configuration file, for editors.')
    .addHelpText('after', schemaExamples)
    .action(async () => {
      const { configJsonSchema } = await import('../../config/schema/schema.ts');
      await printValue(terminal, 'json', configJsonSchema());
    });
}
