import type { Config } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { ConfigError } from '../config/config-error.ts';
import { CommandFailure } from './command-failure.ts';
import type { Terminal } from './terminal.ts';

/** The configuration in force: file, environment, defaults. Throws `CONFIG_INVALID` (2) with every problem. */
export async function readConfig(file: string | undefined, terminal: Terminal): Promise<Config> {
  return (await readConfigWithSources(file, terminal)).config;
}

/** The same with what each value came from. */
export async function readConfigWithSources(
  file: string | undefined,
  terminal: Terminal,
): Promise<LoadedConfig> {
  const load = await import('../config/load.ts');
  try {
    return await load.readConfig({ file, env: terminal.env, cwd: terminal.cwd });
  } catch (error) {
    if (error instanceof ConfigError) throw invalidConfig(error);
    throw error;
  }
}

function invalidConfig(error: ConfigError): CommandFailure {
  return new CommandFailure('the configuration is invalid', {
    exit: 'usage',
    code: 'CONFIG_INVALID',
    problems: error.message.split('\n'),
    cause: error,
  });
}
