import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { parseListenAddress } from '../../config/schema/listen-address.ts';
import type { Settings } from '../../config/settings.ts';
import type { CommandContext } from '../command-context.ts';
import { readSomeSettings } from '../server/config-reading.ts';
import { printValue } from '../terminal/output.ts';
import { readRunRecord } from '../server/run-record.ts';
import { dialable, urlOf } from '../../domain/names/server-url.ts';
import type { Terminal } from '../terminal/terminal.ts';

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
      const variables = await environmentOf(options.config, terminal);
      if (options.output !== 'shell') return printValue(terminal, options.output, variables);
      const lines = Object.entries(variables).map(
        ([name, value]) => `export ${name}=${shellQuoted(value)}\n`,
      );
      terminal.out(`${lines.join('')}unset ${hiding.join(' ')}\n`);
    });
}

/** Where one of these is set, AWS clients look at no credentials file. */
const hiding = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];

async function environmentOf(
  file: string | undefined,
  terminal: Terminal,
): Promise<Readonly<Record<string, string>>> {
  const keys = ['dataDir', 'publicUrl', 'listen', 'tls'] as const;
  const settings = await readSomeSettings(keys, file, terminal);
  const dataDir = resolve(terminal.cwd, settings.dataDir);
  const running = await readRunRecord(dataDir);
  return {
    AWS_SHARED_CREDENTIALS_FILE: join(dataDir, 'credentials'),
    AWS_PROFILE: 'default',
    AWS_ENDPOINT_URL:
      settings.publicUrl || running?.publicUrl || running?.listen || addressOf(settings),
  };
}

/** Where a server with these settings is reached on this machine. */
function addressOf({ listen, tls }: Pick<Settings, 'listen' | 'tls'>): string {
  const { host = '', port = 0 } = parseListenAddress(listen) ?? {};
  return dialable(urlOf(host, port, tls.certFile !== ''));
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
