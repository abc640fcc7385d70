import { join } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { Config, ListenAddress } from '../config/config.ts';
import type { CommandContext } from './command-context.ts';
import { readConfig } from './config-reading.ts';
import { printValue } from './output.ts';
import { readRunRecord } from './server-location.ts';

const examples = `
Examples:
  # Let aws and the SDKs of this shell talk to Breakwater
  eval "$(breakwater env)"

  breakwater env -o json
`;

interface EnvOptions {
  readonly config?: string;
  readonly output: 'shell' | 'json' | 'yaml';
}

export function addEnvCommand(program: Command, context: CommandContext): void {
  program
    .command('env')
    .summary('print exports for AWS clients')
    .description(
      'Prints shell exports that point AWS clients at this server with its own credentials. Works with the server down.',
    )
    .option('--config <file>', 'the configuration of the server')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['shell', 'json', 'yaml'])
        .default('shell'),
    )
    .addHelpText('after', examples)
    .action(async (options: EnvOptions) => {
      const { terminal } = context;
      const variables = await environmentOf(await readConfig(options.config, terminal));
      if (options.output !== 'shell') return printValue(terminal, options.output, variables);
      const lines = Object.entries(variables).map(
        ([name, value]) => `export ${name}=${shellQuoted(value)}\n`,
      );
      terminal.out(`${lines.join('')}unset ${hiding.join(' ')}\n`);
    });
}

/** Where one of these is set, AWS clients look at no credentials file. */
const hiding = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];

async function environmentOf(config: Config): Promise<Readonly<Record<string, string>>> {
  const record = await readRunRecord(config.dataDir);
  const endpoint = config.publicUrl || record?.listen || addressOf(config.listen, config);
  return {
    AWS_SHARED_CREDENTIALS_FILE: join(config.dataDir, 'credentials'),
    AWS_PROFILE: 'default',
    AWS_ENDPOINT_URL: endpoint,
  };
}

function addressOf(listen: ListenAddress, config: Config): string {
  const everywhere = listen.host === '0.0.0.0' || listen.host === '::';
  const host = everywhere ? '127.0.0.1' : listen.host;
  const scheme = config.tls === undefined ? 'http' : 'https';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
